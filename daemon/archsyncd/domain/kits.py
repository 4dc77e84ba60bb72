"""Kits: SKUs that are sold as one and lie on the shelf as others, and what is kept for them. Knows no levels and no orders.

By default a kit has an allotment: of what a channel may sell of each component, so many pieces are kept for the kit, and the
component is offered without them. So the same piece is never offered twice. The shared form keeps nothing: the kit and its
components offer the same pieces, and what is ordered of one is taken from the others as soon as it is learnt.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

# What one kit takes of each component: SKU and pieces, by name.
Components: TypeAlias = tuple[tuple[str, int], ...]

SHARED = "shared"
COMPONENTS_LIMIT = 50
KITS_LIMIT = 50_000
# A change of one component reckons all kits with it anew.
KITS_OF_COMPONENT_LIMIT = 500
COMPONENT_PIECES_LIMIT = 10_000
PIECES_LIMIT = 10**9
WHOLE_PERCENT = 100


@dataclass(frozen=True, slots=True)
class Kit:
    """One kit. `components`: SKUs with how many pieces of each one kit takes, by name.

    `percent` of each component, or so many `kits`, are kept for it; with neither it shares them. `channels`: where it is
    sold, empty for all. `as_kit`: Archean is told of its own SKU, and explodes it by itself.
    """

    sku: str
    components: Components
    percent: int | None = None
    kits: int | None = None
    channels: frozenset[str] = frozenset()
    as_kit: bool = False

    @property
    def shared(self) -> bool:
        """Whether the kit and its components offer the same pieces."""
        return self.percent is None and self.kits is None

    @property
    def allotment(self) -> str:
        """What is kept for it, as it is configured."""
        if self.percent is not None:
            return f"{self.percent}%"
        return SHARED if self.kits is None else str(self.kits)

    def pieces_of(self, component: str) -> int:
        """How many pieces of a component one kit takes; 0 for none."""
        return next((pieces for sku, pieces in self.components if sku == component), 0)

    def sold_in(self, channel: str) -> bool:
        """Whether the kit is a kit in this channel."""
        return not self.channels or channel in self.channels

    def row(self) -> list[object]:
        """The kit as plain values that `Kits.of_text` reads."""
        parts = [list(part) for part in self.components]
        return [self.sku, parts, self.percent, self.kits, sorted(self.channels), int(self.as_kit)]


NO_KITS: Mapping[str, Kit] = {}


@dataclass(frozen=True, slots=True)
class Kits:
    """All kits, found by their own SKU and by their components'.

    `digest` names them: the same for the same kits. `sharing`: how many of them share their components' pieces.
    """

    by_sku: Mapping[str, Kit] = field(default_factory=dict)
    using: Mapping[str, tuple[Kit, ...]] = field(init=False, compare=False, repr=False)
    digest: str = field(init=False, compare=False)
    sharing: int = field(init=False, compare=False)

    def __post_init__(self) -> None:
        using: dict[str, list[Kit]] = {}
        for sku in sorted(self.by_sku):
            for component, _ in self.by_sku[sku].components:
                using.setdefault(component, []).append(self.by_sku[sku])
        object.__setattr__(self, "using", {sku: tuple(kits) for sku, kits in using.items()})
        digest = hashlib.sha256(self.text().encode()).hexdigest() if self.by_sku else ""
        object.__setattr__(self, "digest", digest)
        object.__setattr__(self, "sharing", sum(kit.shared for kit in self.by_sku.values()))

    def __bool__(self) -> bool:
        return bool(self.by_sku)

    def kit(self, channel: str, sku: str) -> Kit | None:
        """The kit that a SKU is in a channel."""
        found = self.by_sku.get(sku)
        return found if found is not None and found.sold_in(channel) else None

    def with_component(self, channel: str, sku: str) -> tuple[Kit, ...]:
        """The kits that a SKU is a component of in a channel, in the order in which they are served."""
        return tuple(kit for kit in self.using.get(sku, ()) if kit.sold_in(channel))

    def also(self, others: Kits) -> Kits:
        """These kits and others, each SKU with every component that it has in either: as they were one after the other."""
        found = dict(others.by_sku)
        for sku, kit in self.by_sku.items():
            found[sku] = _both(kit, found[sku]) if sku in found else kit
        return Kits(found)

    def beyond(self, others: Kits) -> Kits:
        """Those of these kits that keep pieces which the others' kit of the same SKU would not keep."""
        return Kits(
            {sku: kit for sku, kit in self.by_sku.items() if not _covers(others.by_sku.get(sku), kit)}
        )

    def text(self) -> str:
        """All kits as text that `of_text` reads."""
        return json.dumps([self.by_sku[sku].row() for sku in sorted(self.by_sku)])

    @staticmethod
    def of_text(text: str) -> Kits:
        """The kits that `text` wrote."""
        found = {}
        for sku, parts, percent, kits, channels, as_kit in json.loads(text):
            components = tuple((name, pieces) for name, pieces in parts)
            found[sku] = Kit(sku, components, percent, kits, frozenset(channels), bool(as_kit))
        return Kits(found)


def _both(one: Kit, other: Kit) -> Kit:
    """A kit that is as either of two: with the components of both, of each the larger number."""
    components = dict(other.components)
    for sku, pieces in one.components:
        components[sku] = max(pieces, components.get(sku, 0))
    channels = one.channels | other.channels if one.channels and other.channels else frozenset()
    keeping = other if one.shared else one
    return Kit(one.sku, tuple(sorted(components.items())), keeping.percent, keeping.kits, channels)


def _covers(kit: Kit | None, before: Kit) -> bool:
    """Whether a kit holds all pieces that it held as it was before. What was shared was held by nobody."""
    if before.shared:
        return True
    if (
        kit is None
        or kit.shared
        or (kit.channels and not (before.channels and before.channels <= kit.channels))
    ):
        return False
    return all(kit.pieces_of(sku) >= pieces for sku, pieces in before.components)


def reserves(sellable: int, component: str, kits: Iterable[Kit]) -> Mapping[str, int]:
    """Pieces of a component that are kept for each kit with an allotment, by kit; never more than may be sold of it.

    `sellable`: f of the component before anything is kept. A share is rounded down. Kits are served in the order given.
    """
    left = max(sellable, 0)
    found: dict[str, int] = {}
    for kit in kits:
        if kit.shared:
            continue
        if kit.percent is not None:
            wanted = max(sellable, 0) * kit.percent // WHOLE_PERCENT
        else:
            wanted = kit.pieces_of(component) * (kit.kits or 0)
        found[kit.sku] = min(wanted, left)
        left -= found[kit.sku]
    return found


def kits_made_of(kit: Kit, pieces: Mapping[str, int]) -> int:
    """How many kits so many pieces of each component make; a debt of one is a debt of kits, rounded up in size."""
    return min(pieces.get(sku, 0) // needed for sku, needed in kit.components)


def nested(kits: Mapping[str, Kit]) -> Sequence[tuple[str, str]]:
    """Kits that have a kit as a component, each with it."""
    return [(kit.sku, sku) for kit in kits.values() for sku, _ in kit.components if sku in kits]


def overallotted(kits: Kits) -> Sequence[tuple[str, int]]:
    """Components of which kits of one channel keep more than all, each with the percent that they come to."""
    found = []
    for component, using in kits.using.items():
        channels = {channel for kit in using for channel in kit.channels} or {""}
        most = max(sum(kit.percent or 0 for kit in using if kit.sold_in(channel)) for channel in channels)
        if most > WHOLE_PERCENT:
            found.append((component, most))
    return found


def excess_users(kits: Kits) -> Sequence[tuple[str, int]]:
    """Components of more kits than a change of one of them may touch, each with how many there are."""
    return [
        (component, len(using))
        for component, using in kits.using.items()
        if len(using) > KITS_OF_COMPONENT_LIMIT
    ]

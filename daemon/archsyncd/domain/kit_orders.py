"""A kit's order line on its way: sent as the lines of its components, and whole again once Archean has told of all of these.

Archean picks and sends pieces; commercetools knows the kit alone. So many kits of a line have left (or have come back) as all
of its components make, never more, whatever came first: pieces that make no whole kit yet are kept in mind, not booked. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from archsyncd.domain.feed import LineShare
from archsyncd.domain.inventory import Order, OrderLine
from archsyncd.domain.kit_lines import component_name
from archsyncd.domain.kits import Kit, kits_made_of
from archsyncd.domain.stock import Policies

T = TypeVar("T")


def kits_ordered(order: Order, channel_keys: Mapping[str, str], policies: Policies) -> dict[str, Kit]:
    """The kits among an order's lines, by line id, as the rules are now. `channel_keys`: supply channel ids to keys."""
    if not policies.kits:
        return {}
    found: dict[str, Kit] = {}
    for line in order.lines:
        own = channel_keys.get(line.channel_id or "")
        channel = own if own in policies.channels else policies.fallback_channel
        kit = None if channel is None or line.sku is None else policies.kits.kit(channel, line.sku)
        if kit is not None:
            found[line.line_id] = kit
    return found


def split(line: OrderLine, kit: Kit) -> tuple[OrderLine, ...]:
    """A kit's line as Archean takes it: a line for each component, under the name by which it is told of again."""
    return tuple(
        replace(line, line_id=component_name(line.line_id, sku), sku=sku, quantity=line.quantity * pieces)
        for sku, pieces in kit.components
    )


@dataclass(frozen=True, slots=True)
class Pieces:
    """What one record tells of an order's goods, sorted by whose they are.

    `lines`: by line item id, of lines that are no kits. `named`: by component's name. `kits`: by SKU of kits that were told
    as such; `loose`: by SKU of components that were told by that alone. `strange`: what is nobody's, in words.
    """

    lines: Mapping[str, int] = field(default_factory=dict)
    named: Mapping[str, int] = field(default_factory=dict)
    kits: Mapping[str, int] = field(default_factory=dict)
    loose: Mapping[str, int] = field(default_factory=dict)
    strange: str | None = None


@dataclass(frozen=True, slots=True)
class Component:
    """One component of one kit's line. `wanted`: pieces of it that the order is about."""

    name: str
    line_id: str
    sku: str
    pieces: int
    wanted: int


@dataclass(frozen=True, slots=True)
class KitOrder:
    """The kits of one order, in the order of its lines. `refs`: line item ids by another name that Archean may use."""

    lines: tuple[OrderLine, ...]
    kits: Mapping[str, Kit]
    refs: Mapping[str, str] = field(default_factory=dict)

    @property
    def parts(self) -> tuple[Component, ...]:
        """The components of all its kits' lines."""
        return tuple(
            Component(component_name(line.line_id, sku), line.line_id, sku, pieces, line.quantity * pieces)
            for line in self.lines
            if line.line_id in self.kits
            for sku, pieces in self.kits[line.line_id].components
        )

    def sorted(self, told: Iterable[LineShare], gone: Mapping[str, int]) -> Pieces:
        """Say whose the pieces of a record are. `gone`: by line item id, what other records have told of lines that are no kits.

        A share that names its line, or a component's, is about that one. One that names a SKU alone fills the lines that were
        ordered by that SKU, one after the other; what is beyond them is of kits.
        """
        parts = {part.name: part for part in self.parts}
        single = {line.line_id: line for line in self.lines if line.line_id not in self.kits}
        tally = _Tally(self, single, gone)
        for share in sorted(told, key=lambda each: each.line_ref is None):
            ref = share.line_ref or ""
            line_id = self.refs.get(ref, ref)
            about = parts[ref].sku if ref in parts else single[line_id].sku if line_id in single else None
            kit = self.kits.get(line_id)
            if about is not None and about != share.sku:
                return Pieces(strange=f"it holds {share.sku} for a line about {about}")
            if ref in parts:
                tally.name(ref, share.quantity)
            elif kit is not None and share.sku == kit.sku:
                for sku, pieces in kit.components:
                    tally.name(component_name(line_id, sku), share.quantity * pieces)
            elif kit is not None and kit.pieces_of(share.sku):
                tally.name(component_name(line_id, share.sku), share.quantity)
            elif kit is not None:
                return Pieces(strange=f"it holds {share.sku} for a line about the kit {kit.sku}")
            elif line_id in single:
                tally.lines[line_id] = tally.lines.get(line_id, 0) + share.quantity
            elif not tally.by_sku(share.sku, share.quantity):
                return Pieces(strange=f"it holds {share.quantity} of {share.sku}, which nobody ordered")
        return Pieces(tally.lines, tally.named, tally.kits, tally.loose)

    def filled(self, found: Iterable[Pieces]) -> dict[str, int]:
        """Pieces by component's name of some records together; what names no line fills the components of its SKU in turn.

        The same whatever the order of the records. What is beyond all that is wanted stands with the last one.
        """
        named: dict[str, int] = {}
        kits: dict[str, int] = {}
        loose: dict[str, int] = {}
        for each in found:
            for total, more in ((named, each.named), (kits, each.kits), (loose, each.loose)):
                for name, count in more.items():
                    total[name] = total.get(name, 0) + count
        parts = self.parts
        for sku, count in kits.items():
            rows = [line for line in self.lines if line.line_id in self.kits and line.sku == sku]
            for line, share in _dealt(count, [(line, line.quantity) for line in rows]):
                for component, pieces in self.kits[line.line_id].components:
                    name = component_name(line.line_id, component)
                    named[name] = named.get(name, 0) + share * pieces
        for sku, count in loose.items():
            open_parts = [
                (part, max(part.wanted - named.get(part.name, 0), 0)) for part in parts if part.sku == sku
            ]
            for part, share in _dealt(count, open_parts):
                named[part.name] = named.get(part.name, 0) + share
        return {part.name: named.get(part.name, 0) for part in parts}

    def whole(self, pieces: Mapping[str, int]) -> dict[str, int]:
        """How many kits of each line so many pieces of its components make; never more than were ordered."""
        found: dict[str, int] = {}
        for line in self.lines:
            kit = self.kits.get(line.line_id)
            if kit is not None:
                there = {sku: pieces.get(component_name(line.line_id, sku), 0) for sku, _ in kit.components}
                found[line.line_id] = min(line.quantity, max(kits_made_of(kit, there), 0))
        return found

    def left_over(self, pieces: Mapping[str, int], kits: Mapping[str, int]) -> dict[str, dict[str, int]]:
        """By line, the pieces of each component that are in none of so many kits; what is beyond the order is not among them."""
        found: dict[str, dict[str, int]] = {}
        for part in self.parts:
            rest = min(pieces.get(part.name, 0), part.wanted) - part.pieces * kits.get(part.line_id, 0)
            if rest > 0:
                found.setdefault(part.line_id, {})[part.sku] = rest
        return found

    def beyond(self, pieces: Mapping[str, int]) -> int:
        """How many pieces are more than the order is about."""
        return sum(max(pieces.get(part.name, 0) - part.wanted, 0) for part in self.parts)

    def lost(self, missing: Mapping[str, int]) -> dict[str, int]:
        """How many kits of each line can never be whole while so many pieces of its components are missing."""
        there = {part.name: part.wanted - min(missing.get(part.name, 0), part.wanted) for part in self.parts}
        left = self.whole(there)
        return {
            line.line_id: line.quantity - left[line.line_id] for line in self.lines if line.line_id in left
        }


@dataclass(frozen=True, slots=True)
class Told:
    """A record that was booked before: what it tells, and what stands booked under its name, by line item id."""

    shares: tuple[LineShare, ...]
    booked: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Gathered:
    """What a record makes of an order with kits.

    `pieces`: by line item id, its lines and the kits that it makes whole; below zero where fewer kits are whole than others
    have booked. `parts`: pieces by component's name of all records, it among them. `beyond`: of it, more than the order is
    about. `others`: the other records, and `booked` the kits that stand under their names. `adds`: it holds pieces of kits that
    were still to come.
    """

    order: KitOrder
    pieces: Mapping[str, int]
    parts: Mapping[str, int]
    beyond: int
    others: tuple[Pieces, ...]
    booked: Mapping[str, int]
    adds: bool
    strange: str | None = None

    def packed(self, parcels: Sequence[Mapping[str, int]]) -> list[dict[str, int]]:
        """The kits in each parcel, by line id: a kit is in the one that holds its last piece. `parcels`: pieces by SKU."""
        records = list(self.others)
        placed = dict(self.booked)
        found: list[dict[str, int]] = []
        for parcel in parcels:
            records.append(Pieces(loose=parcel))
            kits = self.order.whole(self.order.filled(records))
            inside = {line_id: count - placed.get(line_id, 0) for line_id, count in kits.items()}
            found.append({line_id: count for line_id, count in inside.items() if count > 0})
            for line_id, count in found[-1].items():
                placed[line_id] = placed.get(line_id, 0) + count
        return found


def gather(
    order: KitOrder, own: Iterable[LineShare], others: Iterable[Told], gone: Mapping[str, int]
) -> Gathered:
    """Put what a record tells together with what the others did. `gone`: pieces by line id that others have booked."""
    known = []
    booked: dict[str, int] = {}
    for other in others:
        room = {line.line_id: line.quantity - other.booked.get(line.line_id, 0) for line in order.lines}
        known.append(order.sorted(other.shares, room))
        for line_id in order.kits:
            booked[line_id] = booked.get(line_id, 0) + other.booked.get(line_id, 0)
    mine = order.sorted(own, gone)
    before, after = order.filled(known), order.filled([*known, mine])
    kits = order.whole(after)
    made = {line_id: count - booked.get(line_id, 0) for line_id, count in kits.items()}
    pieces = {**mine.lines, **{line_id: count for line_id, count in made.items() if count}}
    beyond = order.beyond(after) - order.beyond(before)
    adds = sum(after.values()) - sum(before.values()) > beyond
    return Gathered(order, pieces, after, beyond, tuple(known), booked, adds, mine.strange)


def kit_order(
    lines: Iterable[OrderLine], kits: Mapping[str, Kit], refs: Mapping[str, str]
) -> KitOrder | None:
    """The kits of an order; None for an order without any."""
    own = tuple(lines)
    among = {line.line_id: kits[line.line_id] for line in own if line.line_id in kits}
    return KitOrder(own, among, refs) if among else None


def _dealt(count: int, rooms: list[tuple[T, int]]) -> list[tuple[T, int]]:
    """Deal pieces out to those with room for them, one after the other; the last one takes what is left."""
    found: list[tuple[T, int]] = []
    for index, (taker, room) in enumerate(rooms):
        share = count if index == len(rooms) - 1 else min(count, room)
        count -= share
        found.append((taker, share))
    return found


class _Tally:
    """Sorts shares of one record into `lines`, `named`, `kits` and `loose`."""

    def __init__(self, order: KitOrder, single: Mapping[str, OrderLine], gone: Mapping[str, int]) -> None:
        self._single = single
        self._gone = gone
        self._kits = {kit.sku for kit in order.kits.values()}
        self._components = {part.sku for part in order.parts}
        self.lines: dict[str, int] = {}
        self.named: dict[str, int] = {}
        self.kits: dict[str, int] = {}
        self.loose: dict[str, int] = {}

    def name(self, name: str, count: int) -> None:
        """Pieces of a component whose line was told."""
        self.named[name] = self.named.get(name, 0) + count

    def by_sku(self, sku: str, count: int) -> bool:
        """Pieces of which only the SKU was told; False when nothing of that SKU was ordered."""
        alike = [line for line in self._single.values() if line.sku == sku]
        of_kits = sku in self._components or sku in self._kits
        for line in alike:
            room = max(line.quantity - self._gone.get(line.line_id, 0) - self.lines.get(line.line_id, 0), 0)
            part = count if line is alike[-1] and not of_kits else min(count, room)
            if part:
                self.lines[line.line_id] = self.lines.get(line.line_id, 0) + part
            count -= part
        if count and of_kits:
            rest = self.loose if sku in self._components else self.kits
            rest[sku] = rest.get(sku, 0) + count
        return bool(alike) or of_kits

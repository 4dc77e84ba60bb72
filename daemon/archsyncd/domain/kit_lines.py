"""A kit's order line at the warehouse: as many lines as it has components. Knows no storage.

A kit is taken off the shelf piece by piece, so its line is proven when it is proven at the levels of all its components: for
each of them there is a line as Archean has it, named after the kit's line and the component, and what is proven of the kit is
what is proven of the component that lags most.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from archsyncd.domain.feed import SKU_LIMIT_CHARACTERS, LineShare
from archsyncd.domain.inventory import StockKey
from archsyncd.domain.kits import Components, Kit
from archsyncd.domain.ledger import Line, reflected_units
from archsyncd.domain.order import COMPONENT, ELSEWHERE
from archsyncd.domain.stock import ChannelPolicy, Policies, StoredLevel

NAME_LIMIT_CHARACTERS = SKU_LIMIT_CHARACTERS
Levels = Mapping[tuple[str, str], StoredLevel]


def component_name(line_id: str, sku: str) -> str:
    """What the line of a kit's component is called, here and in what Archean is sent: the same at all times.

    The kit's line, "+" and the SKU, in which "%", "/" and "+" are percent-encoded; of a SKU too long for that, its SHA-256.
    """
    told = sku.replace("%", "%25").replace(ELSEWHERE, "%2F").replace(COMPONENT, "%2B")
    name = f"{line_id}{COMPONENT}{told}"
    if len(name) <= NAME_LIMIT_CHARACTERS:
        return name
    return f"{line_id}{COMPONENT}sha256-{hashlib.sha256(sku.encode('utf-8', 'surrogatepass')).hexdigest()}"


def kit_line(name: str) -> str:
    """The kit's line of a component's, and of a part of it that another channel's location fulfils."""
    return name.partition(COMPONENT)[0]


class Made(Protocol):
    """A line, whoever keeps it."""

    @property
    def made_of(self) -> Components:
        """What it was handed over as, where it is a kit's and that was written down."""
        ...


NO_LINES: Mapping[StockKey, Iterable[Made]] = {}


@dataclass(frozen=True, slots=True)
class ComponentLine:
    """A component's line as Archean has it. `away`: pieces of it that another channel's location fulfils."""

    sku: str
    pieces: int
    line: Line
    away: int


def component_lines(line: Line, kit: Kit) -> tuple[ComponentLine, ...]:
    """A kit's line as Archean has it. What was told of the whole line is about all pieces of each component."""
    found = []
    for sku, pieces in kit.components:
        name = component_name(line.line_id, sku)
        whole = (replace(proof, quantity=proof.quantity * pieces) for proof in line.proofs)
        own = tuple(proof for part, proof in line.parts if part == name)
        there = None if line.there is None else line.there * pieces
        away: dict[str, int] = {}
        for part, proof in line.parts:
            if part.startswith(name + ELSEWHERE):
                away[part] = max(away.get(part, 0), proof.quantity)
        made = replace(
            line, line_id=name, quantity=line.quantity * pieces, proofs=(*whole, *own), there=there, parts=()
        )
        found.append(ComponentLine(sku, pieces, made, sum(away.values())))
    return tuple(found)


def levels_of(sku: str, policy: ChannelPolicy, levels: Levels) -> dict[str, StoredLevel]:
    """A SKU's levels at a channel's locations, by location."""
    return {name: levels[name, sku] for name in policy.locations if (name, sku) in levels}


def reflected_component(part: ComponentLine, policy: ChannelPolicy, levels: Levels) -> int:
    """Pieces of one component that are proven to be out of the levels; what is fulfilled elsewhere is out of these."""
    proven = reflected_units(part.line, policy, levels_of(part.sku, policy, levels))
    return min(part.line.quantity, part.away + proven)


def reflected_kits(line: Line, kit: Kit, policy: ChannelPolicy, levels: Levels) -> int:
    """How many kits of a line are proven at the levels of all their components, 0 to its quantity."""
    if line.released:
        return line.quantity
    made = (reflected_component(part, policy, levels) // part.pieces for part in component_lines(line, kit))
    return min(line.provable, *made)


def reflected_of(key: StockKey, line: Line, policies: Policies, levels: Levels) -> int:
    """How many pieces of a line are proven to be out of the levels, whatever its SKU is; 0 in a channel without rules."""
    policy = policies.channels.get(key.channel)
    if policy is None:
        return 0
    kit = kit_of(key, line, policies)
    if kit is None:
        return reflected_units(line, policy, levels_of(key.sku, policy, levels))
    return reflected_kits(line, kit, policy, levels)


def shipped_of(key: StockKey, line: Line, policies: Policies) -> int:
    """How many pieces of a line Archean has told to have left; of a kit, as many as all of its components have."""
    kit = kit_of(key, line, policies)
    if kit is None:
        return _shipped(line)
    return min((_shipped(part.line) + part.away) // part.pieces for part in component_lines(line, kit))


def _shipped(line: Line) -> int:
    return sum(proof.quantity for proof in line.proofs if proof.source and proof.source != "times")


def kit_of(key: StockKey, line: Made, policies: Policies) -> Kit | None:
    """The kit that a line is about: as it was handed over, whatever the rules say now; None for a line of no kit."""
    if line.made_of:
        return Kit(key.sku, line.made_of)
    return policies.kits.kit(key.channel, key.sku) if policies.kits else None


def is_apart(key: StockKey, line: Made, policies: Policies) -> bool:
    """Whether a kit's line takes pieces that are not kept for its key: it was handed over as what the kit is not any more.

    What commercetools took from the kit's entry stays taken, and its components have it as untracked demand, as with a kit
    that shares their pieces.
    """
    if not line.made_of:
        return False
    kit = policies.kits.kit(key.channel, key.sku) if policies.kits else None
    return kit is None or kit.shared or kit.components != line.made_of


def shelf_skus(key: StockKey, policies: Policies, lines: Iterable[Made] = ()) -> tuple[str, ...]:
    """The SKUs under which a key's pieces lie on the shelf: its own, or a kit's components; also of what was handed over."""
    kit = policies.kits.kit(key.channel, key.sku) if policies.kits else None
    own = (key.sku,) if kit is None else tuple(sku for sku, _ in kit.components)
    more = tuple(sku for line in lines for sku, _ in line.made_of)
    return tuple(dict.fromkeys((*own, *more))) if more else own


def shelf_places(
    keys: Iterable[StockKey], policies: Policies, lines: Mapping[StockKey, Iterable[Made]] = NO_LINES
) -> list[tuple[str, str]]:
    """The places (location, SKU) whose levels these keys' figures are made of. `lines`: the keys', as far as they are known."""
    return [
        (name, sku)
        for key in keys
        if (policy := policies.channels.get(key.channel)) is not None
        for sku in shelf_skus(key, policies, lines.get(key, ()))
        for name in policy.locations
    ]


def in_components(shares: Iterable[LineShare], kits: Mapping[str, Kit]) -> tuple[LineShare, ...]:
    """What was told of an order's lines with each kit's line as its components'. `kits`: by line id.

    A share may name the kit's line and a component's SKU, or mean the kit itself, by its line or by its SKU alone.
    """
    by_sku = {kit.sku: line_id for line_id, kit in kits.items()}
    found: list[LineShare] = []
    for share in shares:
        line_id = share.line_ref if share.line_ref in kits else by_sku.get(share.sku)
        if line_id is None:
            found.append(share)
            continue
        kit = kits[line_id]
        if share.sku != kit.sku and kit.pieces_of(share.sku):
            found.append(replace(share, line_ref=component_name(line_id, share.sku)))
        else:
            found.extend(
                LineShare(sku, share.quantity * pieces, component_name(line_id, sku), share.location)
                for sku, pieces in kit.components
            )
    return tuple(found)

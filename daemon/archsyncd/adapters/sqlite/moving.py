"""Open lines of a location that sells in another channel now: they count there, as if Archean had said so. Decides no rule.

A line counts in the channel that it was ordered from. When the location that fulfils it is mapped elsewhere, its pieces are
offered by another channel, which would sell them a second time. So they are counted there untracked and given back here, as
when Archean fulfils a line from another channel's location. Of a line of which nobody knows the location nothing is moved.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from archsyncd.adapters.sqlite.implying import proof_row
from archsyncd.adapters.sqlite.recompute import lines_of_orders
from archsyncd.adapters.sqlite.scope import Scope
from archsyncd.domain.feed import Figure, Position
from archsyncd.domain.inventory import StockKey
from archsyncd.domain.kit_lines import component_lines, kit_of, shelf_skus
from archsyncd.domain.ledger import Line, Proof, placed_units
from archsyncd.domain.order import ELSEWHERE
from archsyncd.domain.stock import LocationPolicy, Policies

PAGE_LINES = 1_000


@dataclass(frozen=True, slots=True)
class _Pieces:
    """Pieces of a line (or of a kit's component) that a location of `channel` fulfils from now on."""

    line_id: str
    sku: str
    location: str
    channel: str
    pieces: int


async def move_lines(scope: Scope, before: Policies, after: Policies) -> None:
    """Count the open lines of locations that these policies map elsewhere in the channels that have them now."""
    for name, policy in before.channels.items():
        now = after.channels.get(name)
        kept = now.locations.keys() if now is not None else set()
        gone = {
            place: min(after.channels_of(place))
            for place in policy.locations
            if place not in kept and place in after.by_location
        }
        if gone:
            await _leave(scope, name, gone, before)


async def move_late(scope: Scope, order_id: str) -> set[StockKey]:
    """An order of a channel that has no location left: its lines count where the one that it had sells; the keys this touches.

    A channel that had several is left as it is: nobody can say which of them is meant before Archean does.
    """
    policies = scope.policies
    touched: set[StockKey] = set()
    for key, lines in (await lines_of_orders(scope, (order_id,))).items():
        policy = policies.channels.get(key.channel)
        if policy is None or policy.locations:
            continue
        had = [place for place, names in policies.past.items() if key.channel in names]
        if len(had) == 1 and had[0] in policies.by_location:
            place = had[0]
            as_before = replace(policy, locations={place: LocationPolicy(place, key.channel)})
            before = policies.with_channels({**policies.channels, key.channel: as_before})
            channel = min(policies.channels_of(place))
            for line in lines:
                await _moved(scope, key, line, {place: channel}, {}, before)
            touched |= {StockKey(channel, sku) for sku in shelf_skus(key, policies, lines)}
    return touched


async def _leave(scope: Scope, channel: str, gone: Mapping[str, str], before: Policies) -> None:
    """Move what a channel's lines have at the locations that it lost. `gone`: by location, the channel that has it now."""
    last = ("", "", "")
    while rows := await scope.tx.rows("lines_of_channel", (channel, *last, PAGE_LINES)):
        last = rows[-1]
        found = await lines_of_orders(scope, {row[1] for row in rows})
        places = {(row[0], row[1], row[2]) for row in rows}
        own = {
            (line.order_id, line.line_id): key
            for key, lines in found.items()
            for line in lines
            if ELSEWHERE not in line.line_id
        }
        for key, lines in found.items():
            if key.channel == channel:
                for line in lines:
                    if (key.sku, line.order_id, line.line_id) in places:
                        await _moved(scope, key, line, gone, own, before)


async def _moved(
    scope: Scope,
    key: StockKey,
    line: Line,
    gone: Mapping[str, str],
    own: Mapping[tuple[str, str], StockKey],
    before: Policies,
) -> None:
    if line.released:
        return
    whole, _, place = line.line_id.partition(ELSEWHERE)
    if place:
        if place in gone:
            await _part_moved(scope, key, line, gone[place], own.get((line.order_id, whole)))
        return
    if kit_of(key, line, before) is not None:
        await _kit_moved(scope, key, line, gone, before)
        return
    default = before.channels[key.channel].place_of(None)
    for pieces in _at(line, line.line_id, key.sku, line.quantity, default, gone):
        line = await _plain_moved(scope, key, line, pieces)


def _at(
    line: Line, name: str, sku: str, quantity: int, default: str | None, gone: Mapping[str, str]
) -> Sequence[_Pieces]:
    places = placed_units(line.proofs, quantity, default)
    return [
        _Pieces(name, sku, place, gone[place], units)
        for place, units in places.items()
        if place in gone and units > 0
    ]


async def _plain_moved(scope: Scope, key: StockKey, line: Line, there: _Pieces) -> Line:
    """The line with what is left of it here; commercetools took the rest from this entry, so that it is given back."""
    part_id = f"{line.line_id}{ELSEWHERE}{there.location}"
    order_id, created, tracked = line.order_id, line.created_ms, int(line.tracked)
    if line.tracked:
        await scope.tx.run("line_put", (key.channel, key.sku, order_id, part_id, there.pieces, 1, created, 1))
    await scope.tx.run("line_put", (there.channel, key.sku, order_id, part_id, there.pieces, 0, created, 0))
    left = line.quantity - there.pieces
    await scope.tx.run("line_put", (key.channel, key.sku, order_id, line.line_id, left, tracked, created, 0))
    if line.there is not None:
        limit = (min(line.there, there.pieces), there.channel, key.sku, order_id, part_id)
        await scope.tx.run("line_there", limit)
    await scope.tx.run("proofs_join", (part_id, order_id, line.line_id, there.location))
    await scope.tx.run("proofs_gone", (order_id, line.line_id, there.location))
    if left == 0:
        # Of a line that is at one place whole, what was told without a place is about that one.
        told = (replace(proof, location=there.location) for proof in line.proofs if not proof.location)
        await scope.tx.run_many("proof_put", _rows(order_id, part_id, told))
    rest = tuple(proof for proof in line.proofs if proof.location != there.location)
    return Line(
        order_id, line.line_id, left, line.tracked, rest, False, created, line.accepted_ms, line.there
    )


async def _part_moved(scope: Scope, key: StockKey, line: Line, channel: str, own: StockKey | None) -> None:
    """A part that was counted away from its line's channel already goes on to a third one, or comes back."""
    whole = line.line_id.partition(ELSEWHERE)[0]
    gone = (key.channel, key.sku, line.order_id, line.line_id)
    await scope.tx.run("line_delete", gone)
    if own is None or own.channel != channel:
        row = (channel, key.sku, line.order_id, line.line_id, line.quantity, 0, line.created_ms, 0)
        await scope.tx.run("line_put", row)
        if line.there is not None:
            limit = (line.there, channel, key.sku, line.order_id, line.line_id)
            await scope.tx.run("line_there", limit)
        return
    await scope.tx.run("line_delete", (own.channel, own.sku, line.order_id, line.line_id))
    await scope.tx.run("line_more", (line.quantity, own.channel, own.sku, line.order_id, whole))
    await scope.tx.run("proofs_join", (whole, line.order_id, line.line_id, ""))
    await scope.tx.run("proofs_gone", (line.order_id, line.line_id, ""))


async def _kit_moved(
    scope: Scope, key: StockKey, line: Line, gone: Mapping[str, str], before: Policies
) -> None:
    """Pieces of a kit's components that another channel has now; the kit's line knows by their proofs that they are there."""
    kit = kit_of(key, line, before)
    if kit is None:
        return
    default = before.channels[key.channel].place_of(None)
    for part in component_lines(line, kit):
        name = part.line.line_id
        for there in _at(part.line, name, part.sku, part.line.quantity - part.away, default, gone):
            part_id = f"{name}{ELSEWHERE}{there.location}"
            row = (there.channel, part.sku, line.order_id, part_id, there.pieces, 0, line.created_ms, 0)
            await scope.tx.run("line_put", row)
            told = [proof for proof in part.line.proofs if proof.location == there.location]
            # It is about no level of any feed: it says how many pieces are away.
            away = Proof("", Position(0, 0), Figure.AVAILABLE, there.pieces, there.location)
            await scope.tx.run_many("proof_put", _rows(line.order_id, part_id, [*told, away]))


def _rows(order_id: str, line_id: str, proofs: Iterable[Proof]) -> list[Sequence[object]]:
    return [proof_row(order_id, line_id, proof) for proof in proofs]

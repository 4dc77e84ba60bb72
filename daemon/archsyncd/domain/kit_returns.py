"""Kits that came back: whole once all of their pieces are back, and no better than the worst of these. Pure.

A kit's last piece may come with another return than its first, and what becomes of it may be decided by either.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from archsyncd.domain.feed import LineShare
from archsyncd.domain.kit_orders import KitOrder, Pieces
from archsyncd.domain.whole_order import ReturnItem

# What a return tells, by the state that such goods have in commercetools.
ByFate = Mapping[str, Sequence[LineShare]]


@dataclass(frozen=True, slots=True)
class OtherReturn:
    """A return that was booked before: what it tells, and its items in commercetools."""

    told: ByFate
    items: tuple[ReturnItem, ...]


@dataclass(slots=True)
class KitReturn:
    """What a return makes of an order with kits.

    `found`: pieces by line item id and state. `carried`: items of other returns that its word decides, with their new state.
    `rest`: by line, pieces of components that make no whole kit. `strange`: what cannot be so, in words.
    """

    found: dict[str, dict[str, int]] = field(default_factory=dict)
    carried: list[tuple[ReturnItem, str]] = field(default_factory=list)
    rest: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    strange: str | None = None


def return_kits(
    order: KitOrder, own: ByFate, others: Sequence[OtherReturn], fates: Sequence[str], undecided: str
) -> KitReturn:
    """Put what a return tells together with what the others did. `fates`: from the best to the worst."""
    made = KitReturn()
    records: list[Pieces] = []
    so_far: dict[str, int] = {}
    better: dict[str, int] = {}
    for fate in fates:
        records += [order.sorted(each.told.get(fate, ()), _room(order, each, fate)) for each in others]
        mine = order.sorted(own.get(fate, ()), so_far)
        if mine.strange is not None:
            return KitReturn(strange=mine.strange)
        records.append(mine)
        for line_id, count in mine.lines.items():
            so_far[line_id] = so_far.get(line_id, 0) + count
            made.found.setdefault(line_id, {})[fate] = count
        kits = order.whole(order.filled(records))
        for line_id, count in kits.items():
            there = sum(_booked(each, fate).get(line_id, 0) for each in others)
            made.found.setdefault(line_id, {})[fate] = count - better.get(line_id, 0) - there
        better = kits
    parts = order.filled(records)
    if order.beyond(parts):
        return KitReturn(
            strange=f"{order.beyond(parts)} pieces of kits came back beyond those that were ordered"
        )
    made.rest = order.left_over(parts, order.whole(parts))
    for line_id, kit in order.kits.items():
        _carry_on(made, line_id, others, undecided)
        if any(count < 0 for count in made.found.get(line_id, {}).values()):
            return KitReturn(
                strange=f"other returns have booked the kit {kit.sku} with another fate of its pieces"
            )
    return made


def _room(order: KitOrder, other: OtherReturn, fate: str) -> dict[str, int]:
    """What is left of lines beside what stands booked under a return, so that its pieces are sorted as they were."""
    booked = _booked(other, fate)
    return {line.line_id: line.quantity - booked.get(line.line_id, 0) for line in order.lines}


def _booked(other: OtherReturn, fate: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for item in other.items:
        if item.state == fate:
            found[item.line_id] = found.get(item.line_id, 0) + item.quantity
    return found


def _carry_on(made: KitReturn, line_id: str, others: Sequence[OtherReturn], undecided: str) -> None:
    """Items of other returns that were undecided for a piece of this one."""
    counts = made.found.get(line_id, {})
    for item in [item for other in others for item in other.items]:
        if (item.line_id, item.state) != (line_id, undecided) or item.key is None:
            continue
        fate = next(
            (name for name, count in counts.items() if name != undecided and count >= item.quantity), None
        )
        if fate is not None and counts.get(undecided, 0) <= -item.quantity:
            made.carried.append((item, fate))
            counts[fate] -= item.quantity
            counts[undecided] += item.quantity

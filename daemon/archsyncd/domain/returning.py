"""Booking returns in commercetools: each piece that came back once, and how far its fate is decided. Pure.

commercetools keeps return items by key: a repeat finds its own. Goods that are on sale again become BackInStock, spoilt ones
Unusable, and what waits for a decision stays Returned until a newer record tells. Stock moves by levels alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from archsyncd.domain.booking import (
    AddReturn,
    Booking,
    Finding,
    OrderAction,
    ReturnDraft,
    SetReturnState,
)
from archsyncd.domain.cases import CaseKind
from archsyncd.domain.feed import Disposition, LineShare, ReturnedLine
from archsyncd.domain.kit_orders import KitOrder, kit_order
from archsyncd.domain.kit_returns import KitReturn, OtherReturn, return_kits
from archsyncd.domain.kits import Kit
from archsyncd.domain.packing import wire_key
from archsyncd.domain.whole_order import ReturnItem, WholeOrder

RETURNED, BACK_IN_STOCK, UNUSABLE = "Returned", "BackInStock", "Unusable"
SINGLE_ITEMS = 50
# The code of a case about pieces of kits that came back and make no whole one.
KIT_RETURNED = "returned"
FATES: Mapping[Disposition, str] = {
    Disposition.SELLABLE: BACK_IN_STOCK,
    Disposition.DAMAGED: UNUSABLE,
    Disposition.SCRAP: UNUSABLE,
    Disposition.QUARANTINE: RETURNED,
}


@dataclass(frozen=True, slots=True)
class OtherReturns:
    """What an order's kits are made of, by line id, and its returns that were booked before, by id."""

    kits: Mapping[str, Kit] = field(default_factory=dict)
    others: Mapping[str, Sequence[ReturnedLine]] = field(default_factory=dict)


NO_KITS = OtherReturns()


def book_return(
    order: WholeOrder, return_id: str, lines: Sequence[ReturnedLine], beside: OtherReturns = NO_KITS
) -> Booking:
    """Say what a return makes of an order as it is now.

    A return that is told again with another fate of its goods carries the items on that are not decided yet; one that takes
    back what is decided, or holds fewer pieces than before, is for a person. A kit is back with the last of its pieces, and
    no better than the worst of them; pieces that make no whole kit are told.
    """
    refs = {detail.key: line_id for line_id, detail in order.details.items() if detail.key}
    kits = kit_order(order.order.lines, beside.kits, refs)
    findings: tuple[Finding, ...] = ()
    fates: list[SetReturnState] = []
    if kits is None:
        wanted, strange = _by_line(order, lines)
    else:
        made = _with_kits(order, kits, lines, beside.others)
        wanted, strange = made.found, made.strange
        findings = _in_pieces(order, kits, made.rest)
        fates = [SetReturnState(item.key or "", fate) for item, fate in made.carried]
    state = order.order.shipment_state
    if strange is not None:
        return Booking((), (_mismatch(order, return_id, strange),), state, refused=True)
    own = [item for item in order.returns if _is_of(item, return_id)]
    others: dict[str, int] = {}
    for item in order.returns:
        if not _is_of(item, return_id):
            others[item.line_id] = others.get(item.line_id, 0) + item.quantity
    ordered = {line.line_id: line.quantity for line in order.order.lines}
    drafts: list[ReturnDraft] = []
    for line_id in dict.fromkeys([*wanted, *(item.line_id for item in own)]):
        asked = dict(wanted.get(line_id, {}))
        if sum(asked.values()) + others.get(line_id, 0) > ordered.get(line_id, 0):
            what = f"{sum(asked.values())} pieces of a line came back of which {ordered.get(line_id, 0)} were ordered"
            return Booking((), (_mismatch(order, return_id, what),), state, refused=True)
        there = [item for item in own if item.line_id == line_id]
        settled = _settle(there, asked)
        if settled is None:
            what = "it was booked before with other pieces, or with another fate of them"
            return Booking((), (_mismatch(order, return_id, what),), state, refused=True)
        fates += settled
        taken = {item.key for item in there}
        for fate, count in asked.items():
            for pieces in _portions(fate, count):
                key = _free_key(return_id, line_id, taken)
                taken.add(key)
                drafts.append(ReturnDraft(key, line_id, pieces))
                fates += [SetReturnState(key, fate)] if fate != RETURNED else []
    actions: list[OrderAction] = [AddReturn(tuple(drafts))] if drafts else []
    return Booking((*actions, *fates), findings, state)


def _portions(fate: str, count: int) -> list[int]:
    """What is not decided yet is booked piece by piece, so that each can be decided by itself."""
    if count == 0:
        return []
    if fate != RETURNED:
        return [count]
    singly = min(count, SINGLE_ITEMS)
    return [1] * singly + ([count - singly] if count > singly else [])


def _settle(there: Sequence[ReturnItem], asked: dict[str, int]) -> list[SetReturnState] | None:
    """Take off `asked` what is booked already, and carry on what is undecided; None when they contradict each other."""
    fates: list[SetReturnState] = []
    undecided: list[ReturnItem] = []
    for item in there:
        if item.state == RETURNED:
            undecided.append(item)
        elif asked.get(item.state, 0) >= item.quantity:
            asked[item.state] -= item.quantity
        else:
            return None
    for item in undecided:
        fate = next(
            (name for name, pieces in asked.items() if name != RETURNED and pieces >= item.quantity), None
        )
        if asked.get(RETURNED, 0) >= item.quantity:
            asked[RETURNED] -= item.quantity
        elif fate is not None and item.key is not None:
            asked[fate] -= item.quantity
            fates.append(SetReturnState(item.key, fate))
        else:
            return None
    return fates


def _by_line(
    order: WholeOrder, lines: Sequence[ReturnedLine]
) -> tuple[dict[str, dict[str, int]], str | None]:
    """Pieces by line item id and fate; and what cannot be matched, in words. A SKU alone fills its lines one after the other."""
    by_ref = {detail.key: line_id for line_id, detail in order.details.items() if detail.key}
    known = {line.line_id: line for line in order.order.lines}
    found: dict[str, dict[str, int]] = {}
    for told in sorted(lines, key=lambda each: each.line_ref is None):
        named = known.get(by_ref.get(told.line_ref or "", told.line_ref or ""))
        alike = [named] if named else [line for line in order.order.lines if line.sku == told.sku]
        if not alike or (named is not None and named.sku != told.sku):
            return {}, f"it holds {told.quantity} of {told.sku}, which nobody ordered"
        rest = told.quantity
        for line in alike:
            held = found.setdefault(line.line_id, {})
            room = max(line.quantity - sum(held.values()), 0)
            part = rest if line is alike[-1] else min(rest, room)
            if part:
                fate = FATES[told.disposition]
                held[fate] = held.get(fate, 0) + part
            rest -= part
    return found, None


def _with_kits(
    order: WholeOrder,
    kits: KitOrder,
    lines: Sequence[ReturnedLine],
    others: Mapping[str, Sequence[ReturnedLine]],
) -> KitReturn:
    known = [
        OtherReturn(_by_fate(told), tuple(item for item in order.returns if _is_of(item, name)))
        for name, told in others.items()
    ]
    return return_kits(kits, _by_fate(lines), known, (BACK_IN_STOCK, RETURNED, UNUSABLE), RETURNED)


def _by_fate(lines: Sequence[ReturnedLine]) -> dict[str, list[LineShare]]:
    found: dict[str, list[LineShare]] = {}
    for each in lines:
        share = LineShare(each.sku, each.quantity, each.line_ref)
        found.setdefault(FATES[each.disposition], []).append(share)
    return found


def _in_pieces(
    order: WholeOrder, kits: KitOrder, rest: Mapping[str, Mapping[str, int]]
) -> tuple[Finding, ...]:
    told = [
        f"{', '.join(f'{count} of {sku}' for sku, count in pieces.items())} of the kit {kits.kits[line_id].sku}"
        for line_id, pieces in rest.items()
    ]
    if not told:
        return ()
    reason = f"pieces of order {order.name} came back that make no whole kit: {'; '.join(told)}. No return item shows them"
    return (Finding(CaseKind.KIT_INCOMPLETE, KIT_RETURNED, reason),)


def has_items(order: WholeOrder, return_id: str) -> bool:
    """Whether a return stands on the order with items of its own."""
    return any(_is_of(item, return_id) for item in order.returns)


def _is_of(item: ReturnItem, return_id: str) -> bool:
    return (item.key or "").startswith(f"{wire_key(return_id)}__")


def _free_key(return_id: str, line_id: str, taken: set[str | None]) -> str:
    number = 1
    while (key := f"{wire_key(return_id)}__{line_id[:40]}_{number}") in taken:
        number += 1
    return key


def _mismatch(order: WholeOrder, return_id: str, what: str) -> Finding:
    reason = f"the return {return_id} of order {order.name} is not booked: {what}"
    return Finding(CaseKind.FULFILMENT_MISMATCH, "return", reason)

"""What Archean advises of an order, by the SKUs that the order has for the same goods. Pure.

Goods may have been given another SKU in commercetools since they were ordered: what is told of them bears the name of today, and
what was told before that the name of then. The order keeps the one that it was placed under.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from archsyncd.domain.advice import Advice
from archsyncd.domain.feed import DispatchedParcel
from archsyncd.domain.whole_order import WholeOrder


def strange_skus(order: WholeOrder, advices: Iterable[Advice]) -> frozenset[str]:
    """SKUs that the order has no line of, or another one on the line that they are told for."""
    by_ref = _by_ref(order)
    ordered = set(by_ref.values())
    told = (each for advice in advices for each in _told(advice))
    return frozenset(sku for sku, ref in told if by_ref.get(ref, sku) != sku or sku not in ordered)


def as_ordered(order: WholeOrder, advice: Advice, goods: Mapping[str, str]) -> Advice:
    """The advice with the order's SKUs. `goods`: what Archean calls the goods, of each SKU that one of both names."""
    by_ref = _by_ref(order)
    of_goods = {goods.get(sku, sku): sku for sku in reversed(by_ref.values())}
    ordered = set(by_ref.values())

    def called(sku: str, ref: str) -> str:
        own = goods.get(sku, sku)
        named = by_ref.get(ref)
        if named is not None and goods.get(named, named) == own:
            return named
        return sku if sku in ordered else of_goods.get(own, sku)

    shares = tuple(replace(line, sku=called(line.sku, line.line_ref or "")) for line in advice.shares)
    returned = tuple(replace(line, sku=called(line.sku, line.line_ref or "")) for line in advice.returned)
    parcels = tuple(_parcel(each, called) for each in advice.parcels)
    return replace(advice, lines=shares or returned, parcels=parcels)


def _parcel(parcel: DispatchedParcel, called: Callable[[str, str], str]) -> DispatchedParcel:
    pieces: dict[str, int] = {}
    for sku, count in parcel.pieces.items():
        pieces[called(sku, "")] = pieces.get(called(sku, ""), 0) + count
    return replace(parcel, pieces=pieces)


def _by_ref(order: WholeOrder) -> dict[str, str]:
    """SKUs by the id of their line, and by its key."""
    found = {line.line_id: line.sku for line in order.order.lines if line.sku is not None}
    keys = {detail.key: found[name] for name, detail in order.details.items() if detail.key and name in found}
    return found | keys


def _told(advice: Advice) -> Iterator[tuple[str, str]]:
    for line in advice.lines:
        yield line.sku, line.line_ref or ""
    for parcel in advice.parcels:
        for sku in parcel.pieces:
            yield sku, ""

"""Pools: keys that sell the same pieces, and what one of them must leave to the others. Knows no levels and no storage.

Channels that share a location sell out of one pool, and so do a kit and its components in one channel. Each key has its own
part of it, and the parts come to no more than is there. Two things upset that, and both are answered by leaving pieces alone:

* a key that still shows more than its part (its decrease is not booked) holds so many pieces of everybody's, so that an
  increase of another may only go as far as these leave room;
* a key that owes more than its part (pieces went for a reason of the warehouse's after they were ordered) will be served out
  of the others' parts, so they offer as many fewer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from archsyncd.domain.inventory import StockKey
from archsyncd.domain.kits import Kits
from archsyncd.domain.stock import Policies


@dataclass(frozen=True, slots=True)
class Member:
    """A key that takes `weight` pieces of the pool for each of its own."""

    key: StockKey
    weight: int


@dataclass(frozen=True, slots=True)
class Pool:
    """A pool as one key sees it: how many pieces it takes for each of its own, and who else takes from it."""

    weight: int
    others: tuple[Member, ...]


def is_pooled(key: StockKey, policies: Policies, *, past: bool = False) -> bool:
    """Whether a key sells pieces that another one sells too, by the rules as they are; `past`: or one that sold them before."""
    if key.channel in (policies.peers if past else policies.sharing):
        return True
    kits = (policies.kits, policies.past_kits) if past else (policies.kits,)
    return any(key.sku in each.by_sku or key.sku in each.using for each in kits if each)


def pools_of(key: StockKey, policies: Policies, *, past: bool = False) -> tuple[Pool, ...]:
    """The pools that a key takes from. `past`: with keys that sold the same pieces by earlier rules."""
    channels = (policies.peers if past else policies.sharing).get(key.channel, frozenset())
    kits = [each for each in (policies.kits, policies.past_kits if past else Kits()) if each]
    if not channels and not any(key.sku in each.by_sku or key.sku in each.using for each in kits):
        return ()
    kit = next((found for each in kits if (found := each.kit(key.channel, key.sku))), None)
    if kit is not None and kit.shared:
        return ()
    places = (key.channel, *sorted(channels))
    pools = []
    for sku, weight in ((key.sku, 1),) if kit is None else kit.components:
        takers = {StockKey(channel, sku): 1 for channel in places}
        for channel in places:
            for each in kits:
                for other in each.with_component(channel, sku):
                    if not other.shared:
                        taker = StockKey(channel, other.sku)
                        takers[taker] = max(takers.get(taker, 0), other.pieces_of(sku))
        takers.pop(key, None)
        if takers:
            pools.append(Pool(weight, tuple(Member(other, pieces) for other, pieces in takers.items())))
    return tuple(pools)


def left_to_others(pools: Iterable[Pool], held: Mapping[StockKey, int]) -> int:
    """How many of a key's own pieces it must leave, since others hold (or owe) so many of theirs beyond their part."""
    most = 0
    for pool in pools:
        pieces = sum(member.weight * max(held.get(member.key, 0), 0) for member in pool.others)
        most = max(most, -(-pieces // pool.weight))
    return most


def members_of(pools: Iterable[Pool]) -> frozenset[StockKey]:
    """All other keys of these pools."""
    return frozenset(member.key for pool in pools for member in pool.others)


def reckoned_with(key: StockKey, policies: Policies) -> Iterator[StockKey]:
    """The keys whose figures are made of the same levels, or of this one's orders: they are reckoned together with it.

    A location's other channels, kits of a component, and, where pieces are shared with a kit, its components.
    """
    yield key
    kit = policies.kits.kit(key.channel, key.sku) if policies.kits else None
    bases = (
        [key] if kit is None or not kit.shared else [StockKey(key.channel, sku) for sku, _ in kit.components]
    )
    for base in bases:
        for channel in (base.channel, *sorted(policies.sharing.get(base.channel, frozenset()))):
            yield StockKey(channel, base.sku)
            if policies.kits:
                yield from (
                    StockKey(channel, each.sku) for each in policies.kits.with_component(channel, base.sku)
                )

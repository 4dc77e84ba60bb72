"""What was folded and forgotten stays counted once, whoever speaks of it again."""

from __future__ import annotations

from tests.adapters.sqlite.shelf import Shelf
from tests.domain.nouns import BORN_MS, accepted, level, line, order

DAY_MS = 24 * 3600 * 1000


async def test_f086_a_change_of_an_order_forgotten_long_ago_does_not_count_it_again(shelf: Shelf) -> None:
    """Shipped, folded, purged; then commercetools completes it: its pieces must not be offered a second time."""
    await shelf.read(level(1, 10), accepted(2), level(3, 7))
    await shelf.learn(order(line(3), shipment="Shipped"))
    assert await shelf.store.orders.fold(["o1"], 0) == 1
    before = await shelf.figures()
    await shelf.store.orders.tidy(BORN_MS + DAY_MS)
    assert await shelf.learn(order(line(3), shipment="Shipped", state="Complete", version=9)) == 0
    await shelf.read(accepted(4), level(5, 7))
    assert await shelf.figures() == before


async def test_o6_an_order_younger_than_what_is_forgotten_is_learnt(shelf: Shelf) -> None:
    """Only what orders were complete beyond is taken as known."""
    await shelf.read(level(1, 10))
    await shelf.store.orders.tidy(BORN_MS)
    assert await shelf.learn(order(line(3))) == 1
    assert (await shelf.figures()).known == 3


async def test_o6_nothing_is_forgotten_before_orders_are_known(shelf: Shelf) -> None:
    """At a start the place of completeness is unknown; the first sweep may find orders of any age."""
    await shelf.read(level(1, 10))
    await shelf.store.orders.tidy(-2 * DAY_MS)
    assert await shelf.learn(order(line(3), created_ms=BORN_MS - 400 * DAY_MS)) == 1

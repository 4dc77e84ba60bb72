"""Records that cannot be read so far as to say whose they are: no movement is applied over the hole (fault 96)."""

from __future__ import annotations

import orjson
import pytest

from archsyncd.domain.feed import KeyReading, Record, Reject
from archsyncd.wire.r247 import read_page
from tests.adapters.sqlite.shelf import Shelf
from tests.domain.nouns import level, movement

NAMELESS = Reject("not_json", "is no JSON")


def page(*items: object) -> tuple[tuple[Record, ...], tuple[Reject, ...]]:
    """What is read of a page with these items."""
    whole = {"schema": "r247/1", "feed": "main", "epoch": "e1", "items": items, "next": "c"}
    found = read_page(orjson.dumps(whole))
    return found.records, found.rejects


def told(seq: object, delta: int) -> dict[str, object]:
    return {
        "type": "stock.movement",
        "id": f"m{seq}",
        "seq": seq,
        "sku": "A",
        "location": "WH1",
        "delta": delta,
        "state": "available",
    }


async def test_f096_a_movement_after_one_whose_position_is_unreadable_waits(shelf: Shelf) -> None:
    """Nine pieces left in a record with a number for a position: the next movement has nothing to stand on."""
    await shelf.read(level(1, 10))
    records, rejects = page(told(2, -9), told("3", -1))
    assert (len(records), len(rejects)) == (1, 1)
    await shelf.read(*records, rejects=rejects)
    assert (await shelf.row()).f == 10
    (wanted,) = await shelf.store.feeds.resyncs("main", 0, 10)
    assert wanted.sku == "A"
    await shelf.store.feeds.record_reading(KeyReading("main", "e1", 3, (level(3, 0),)))
    await shelf.read(movement(4, 5))
    assert (await shelf.row()).f == 5


@pytest.mark.parametrize("together", [True, False])
async def test_f096_a_record_that_says_no_key_stops_the_movements_of_every_key(
    shelf: Shelf, together: bool
) -> None:
    """In its own batch and in later ones, until each was told anew; levels go on."""
    await shelf.read(level(1, 10), level(2, 20, sku="B"))
    if together:
        await shelf.read(movement(4, -1), rejects=[NAMELESS])
    else:
        await shelf.read(rejects=[NAMELESS])
        await shelf.read(movement(4, -1))
    await shelf.read(movement(5, -1, sku="B"), level(6, 3))
    assert (await shelf.row()).f == 3
    assert {each.sku for each in await shelf.store.feeds.resyncs("main", 0, 10)} == {"B"}
    await shelf.read(movement(7, -1))
    assert (await shelf.row()).f == 2


async def test_f096_what_was_told_before_an_unreadable_record_with_a_position_is_applied(
    shelf: Shelf,
) -> None:
    """Only what comes after it is in doubt."""
    await shelf.read(level(1, 10))
    await shelf.read(movement(2, -1), movement(4, -1), rejects=[Reject("not_json", "is no JSON", seq=3)])
    assert (await shelf.row()).f == 9


async def test_f096_an_unreadable_order_says_nothing_of_quantities(shelf: Shelf) -> None:
    """Movements go on over an order record, a heartbeat or a type of another kind that cannot be read."""
    await shelf.read(level(1, 10))
    _, rejects = page(
        {"type": "order.accepted", "id": "a", "seq": 2},
        {"type": "weather.report", "id": "b", "seq": "3"},
        {"type": "feed.heartbeat", "id": "c", "seq": "4"},
    )
    assert len(rejects) == 3
    await shelf.read(movement(5, -1), rejects=rejects)
    assert (await shelf.row()).f == 9

"""What health asks the store: when locations were told, and which keys owe more than they have."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from archsyncd.domain.inventory import LineMode
from archsyncd.domain.oversell import Owed, there
from archsyncd.domain.stock import sellable_quantity
from tests.adapters.sqlite.conftest import STORES
from tests.adapters.sqlite.shelf import Shelf
from tests.domain.nouns import accepted, channel, key, level, line, movement, order, place, rules

HELD_BACK = rules(channel(place("WH1", buffer=3), safety_stock=5, percentage=50))


async def found(shelf: Shelf) -> list[Owed]:
    return list((await shelf.store.health.beyond(None, 100))[0])


async def test_a_key_of_which_more_is_ordered_than_there_is_owes_the_rest(shelf: Shelf) -> None:
    """Orders that Archean's figure excludes already are covered by it."""
    await shelf.read(level(1, 4))
    await shelf.learn(order(line(4)))
    assert await found(shelf) == []
    await shelf.learn(order(line(3), name="o2"))
    assert await found(shelf) == [Owed(key(), 7, 4)]
    assert (await found(shelf))[0].short == 3
    await shelf.read(accepted(2, "o1"), level(3, 0))
    assert await found(shelf) == [Owed(key(), 3, 0)]
    await shelf.read(level(4, 3))
    assert await found(shelf) == []


async def test_pieces_that_archean_has_promised_beyond_its_own_count_as_well(shelf: Shelf) -> None:
    """A store sale came between: its figure is below nothing, and no order is open in ours."""
    await shelf.read(level(1, -2))
    assert await found(shelf) == [Owed(key(), 0, -2)]


async def test_pieces_ordered_untracked_are_owed_too(shelf: Shelf) -> None:
    """Commercetools does not count them, the shopper does."""
    await shelf.read(level(1, 1))
    await shelf.learn(order(line(2, mode=LineMode.NONE)))
    assert await found(shelf) == [Owed(key(), 2, 1)]
    assert await shelf.store.health.untracked() == (1, 2)


async def test_what_is_kept_back_covers_orders(tmp_path: Path) -> None:
    """A buffer, a safety stock and a percentage make the offer smaller, and oversell nothing."""
    shelf = await Shelf.open(STORES["sqlite"], tmp_path, HELD_BACK)
    try:
        await shelf.read(level(1, 4))
        (owed,) = await found(shelf)
        assert (owed.ordered, owed.there, owed.short) == (0, 4, -4)
        await shelf.learn(order(line(5)))
        assert [each.short for each in await found(shelf)] == [1]
    finally:
        await shelf.close()


async def test_a_location_that_is_withheld_oversells_nothing(shelf: Shelf) -> None:
    """Its goods are there; they are not offered."""
    await shelf.read(level(1, 4))
    await shelf.learn(order(line(2)))
    policies = replace(shelf.store.rules.policies, withheld=frozenset({"WH1"}))
    await shelf.store.use_rules(replace(shelf.store.rules, policies=policies))
    assert (await shelf.row()).x_target - (await shelf.row()).known == -2
    assert [each.short for each in await found(shelf)] == [-2]


async def test_many_keys_are_looked_at_page_by_page(shelf: Shelf) -> None:
    """Each once a round, however many they are."""
    skus = [f"S{number}" for number in range(7)]
    await shelf.read(*(level(number + 1, -1, sku=sku) for number, sku in enumerate(skus)))
    seen, after = [], None
    for _ in range(4):
        page, after = await shelf.store.health.beyond(after, 3)
        seen += [owed.key.sku for owed in page]
        if after is None:
            break
    assert seen == skus
    assert set(await shelf.store.health.owed([key("S1"), key("none")])) == {key("S1")}


levels = st.lists(st.tuples(st.integers(-50, 50), st.integers(0, 9)), max_size=3)


@given(levels, st.integers(0, 20), st.integers(1, 100))
def test_what_is_offered_is_never_more_than_what_is_there(
    told: list[tuple[int, int]], safety: int, percentage: int
) -> None:
    """So a key that owes more than it has is among those whose entry should stand below nothing."""
    places = [place(f"L{number}", buffer=buffer) for number, (_, buffer) in enumerate(told)]
    policy = channel(*places, safety_stock=safety, percentage=percentage)
    stated = [_Stated(f"L{number}", figure) for number, (figure, _) in enumerate(told)]
    assert sellable_quantity(policy, stated) <= there(policy, stated)


class _Stated:
    def __init__(self, location: str, pieces: int) -> None:
        self.location = location
        self._pieces = pieces

    def figure(self, _figure: object) -> int:
        return self._pieces


# Locations


async def test_a_location_is_told_by_every_level_of_it_also_by_one_that_changes_nothing(shelf: Shelf) -> None:
    """By each feed for itself; of a location that is not sold nothing is noted."""
    began_ms = shelf.clock.now_ms
    await shelf.read(level(1, 4), level(2, 4, "WH9"))
    shelf.clock.pass_by(60)
    await shelf.read(level(3, 4))
    shelf.clock.pass_by(60)
    await shelf.read(level(1, 4, as_of="2030-01-01T00:00:00Z"), feed="second")
    told = await shelf.store.health.told()
    assert told == {"WH1": {"main": began_ms + 60_000, "second": began_ms + 120_000}}


async def test_a_movement_tells_of_its_location_and_a_retired_epoch_does_not(shelf: Shelf) -> None:
    """What is not used is no news."""
    await shelf.read(level(1, 4))
    shelf.clock.pass_by(60)
    await shelf.read(movement(2, -1))
    told_ms = shelf.clock.now_ms
    await shelf.read(level(1, 4), epoch="e2")
    shelf.clock.pass_by(60)
    await shelf.read(level(9, 4), epoch="e1")
    assert (await shelf.store.health.told())["WH1"]["main"] == told_ms


async def test_what_was_told_before_anybody_noted_it_counts_as_told_at_the_start(shelf: Shelf) -> None:
    """After an upgrade no location looks as if nothing had ever been told of it; one that is not sold is forgotten."""
    await shelf.read(level(1, 4))

    async def forgotten(scope: object) -> None:
        await scope.tx.run("locations_forget", ("[]",))  # type: ignore[attr-defined]

    await shelf.store._session.write(forgotten)  # type: ignore[attr-defined]
    assert await shelf.store.health.told() == {}
    await shelf.store.health.begin(77)
    assert await shelf.store.health.told() == {"WH1": {"main": 77}}
    await shelf.store.health.begin(99)
    assert await shelf.store.health.told() == {"WH1": {"main": 77}}


async def test_the_room_of_the_database_is_measured(shelf: Shelf) -> None:
    """In bytes, with the floor below which nothing is read."""
    room = shelf.store.health.room()
    assert room.database_bytes > 0
    assert room.free_bytes > 0
    assert room.floor_bytes == 64 << 20

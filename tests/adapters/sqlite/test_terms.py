"""Names and units that change under a store: what was told in other terms is told anew, or is not used."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from archsyncd.adapters.sqlite.name_store import NameStore
from archsyncd.domain.cases import CaseKind
from archsyncd.domain.guard import GuardLimits
from archsyncd.domain.snapshot import LevelChange
from archsyncd.engine.named_feed import NamedSnapshot
from archsyncd.engine.naming import Terms
from archsyncd.engine.ports import FeedFault, StoreFull
from archsyncd.engine.renaming import Reloaded, Renaming
from archsyncd.engine.shared import Shared
from tests.adapters.sqlite.goods import Goods, Paper, terms
from tests.adapters.sqlite.test_parts import closing, part
from tests.domain.nouns import channel, level, movement, place, rules

OLD, NEW, NONE = terms({"X": "OLD"}), terms({"X": "NEW"}), terms()
TWELVE, SIX = terms(factors={"CTN": 12}), terms(factors={"CTN": 6})
REST = (level(2, 5, sku="C"), level(3, 5, sku="D"), level(4, 5, sku="E"))
SHELF = (level(7, 10, sku="X"), *REST)


async def test_a_slip_in_an_alias_and_back_leaves_the_goods_on_sale(tmp_path: Path) -> None:
    """A full tells every item at its own last position, which the name's own level has: it counts all the same."""
    async with Goods.open(tmp_path, OLD) as goods:
        await goods.told(*SHELF)
        await goods.change(NEW)
        assert await goods.f("OLD") == (0,)
        await goods.full(50, *SHELF)
        assert await goods.f("OLD", "NEW") == (0, 10)
        await goods.change(OLD)
        await goods.full(60, *SHELF)
        assert await goods.f("OLD", "NEW") == (10, 0)
        await goods.told(movement(61, -1, sku="X"))
        assert await goods.f("OLD", "NEW") == (9, 0)


async def test_a_name_that_another_article_gets_shows_that_articles_level(tmp_path: Path) -> None:
    """Its positions are lower than those of the article that had the name before."""
    async with Goods.open(tmp_path, terms({"X": "A"})) as goods:
        await goods.told(level(7, 10, sku="X"), level(2, 4, sku="Y"), *REST)
        await goods.change(terms({"Y": "A"}))
        await goods.full(50, level(7, 10, sku="X"), level(2, 4, sku="Y"), *REST)
        assert await goods.f("A", "X", "Y") == (4, 10, 0)


async def test_names_that_move_on_in_a_row_and_names_that_swap(tmp_path: Path) -> None:
    """A is B now and B is C; afterwards both are changed for each other."""
    async with Goods.open(tmp_path, NONE) as goods:
        shelf = (level(9, 10, sku="A"), level(3, 4, sku="B"), *REST)
        await goods.told(*shelf)
        await goods.change(terms({"A": "B", "B": "C1"}))
        await goods.full(50, *shelf)
        assert await goods.f("A", "B", "C1") == (0, 10, 4)
        await goods.change(terms({"A": "C1", "B": "B"}))
        await goods.full(60, *shelf)
        assert await goods.f("A", "B", "C1") == (0, 4, 10)


async def test_an_old_record_that_comes_again_brings_no_given_up_name_back(tmp_path: Path) -> None:
    """What a full left out, and what another name tells, is not told by the record of before; a newer one is."""
    async with Goods.open(tmp_path, NONE) as goods:
        await goods.told(level(5, 9), *REST)
        await goods.full(50, *REST, absent="zero")
        assert await goods.f("A") == (0,)
        await goods.told(level(5, 9))
        assert await goods.f("A") == (0,)
        await goods.told(movement(51, 3))
        assert await goods.f("A") == (0,)
        await goods.told(level(52, 3))
        assert await goods.f("A") == (3,)


async def test_what_one_full_left_out_and_the_next_one_names_is_on_sale_again(tmp_path: Path) -> None:
    """Though nothing of it has moved; and a full from before the one that left it out does not bring it back."""
    async with Goods.open(tmp_path, NONE) as goods:
        await goods.told(level(5, 9), *REST)
        await goods.full(50, *REST, absent="zero")
        assert await goods.f("A") == (0,)
        await goods.shelf.again()
        await goods.full(60, level(5, 9), *REST, absent="zero")
        assert await goods.f("A") == (9,)
        await goods.told(movement(61, -2))
        assert await goods.f("A") == (7,)


async def test_f122_a_corrected_factor_counts_what_does_not_move(tmp_path: Path) -> None:
    """What is too much is not offered any more; once a full tells it, movements are added to it again, by one factor."""
    async with Goods.open(tmp_path, TWELVE) as goods:
        shelf = (level(7, 10, unit="CTN"), *REST)
        await goods.told(*shelf)
        assert await goods.f("A") == (120,)
        assert await goods.change(SIX)
        await goods.told(movement(8, -1, unit="CTN"), movement(9, -1, sku="C"))
        assert await goods.f("A", "C") == (60, 4)
        assert [each.sku for each in await goods.shelf.store.feeds.resyncs("main", 2**60, 9)] == ["A"]
        (case,) = await goods.shelf.cases(CaseKind.NEEDS_RESYNC.value)
        assert "its name or unit has changed" in case.reason
        await goods.full(50, level(8, 9, unit="CTN"), level(9, 4, sku="C"), *REST[1:])
        assert await goods.f("A", "C") == (54, 4)
        await goods.told(movement(51, -1, unit="CTN"))
        assert await goods.f("A") == (48,)
        assert await goods.shelf.store.feeds.resyncs("main", 2**60, 9) == []


async def test_f122_a_full_that_shows_nothing_new_counts_by_the_new_factor(tmp_path: Path) -> None:
    """Every item stands where it stood; and a single reading does the same for one SKU."""
    async with Goods.open(tmp_path, TWELVE) as goods:
        shelf = (level(7, 10, unit="CTN"), *REST)
        await goods.told(*shelf)
        await goods.change(SIX)
        await goods.full(7, *shelf)
        assert await goods.f("A") == (60,)
        await goods.change(TWELVE)
        assert await goods.f("A") == (60,)
        await goods.shown("A", 7, shelf[0])
        assert await goods.f("A") == (120,)


async def test_f122_a_factor_that_rose_raises_nothing_before_a_full_that_somebody_allowed(
    tmp_path: Path,
) -> None:
    """The full's guard sees what it would raise though every item stands where it stood, and so does whoever decides."""
    async with Goods.open(tmp_path, SIX) as goods:
        shelf = (level(7, 10, unit="CTN"), *REST)
        await goods.told(*shelf)
        await goods.change(TWELVE)
        assert await goods.f("A") == (60,)
        snapshots = goods.shelf.store.snapshots
        held = await goods.judged(50, *shelf, limits=GuardLimits(maximum_changed_percent=20))
        assert held.state == "held"
        assert await snapshots.largest_changes(held, 9) == [LevelChange("WH1", "A", 60, 120)]
        assert await snapshots.decide(held, "so it is", approve=True)
        await goods.finish_left()
        assert await goods.f("A") == (120,)


async def test_f122_a_held_full_in_the_old_unit_cannot_be_approved(tmp_path: Path) -> None:
    async with Goods.open(tmp_path, TWELVE) as goods:
        await goods.told(level(7, 10, unit="CTN"), *REST)
        held = await goods.judged(
            50,
            level(40, 20, unit="CTN"),
            limits=GuardLimits(maximum_changed_percent=0, minimum_records_percent=0),
        )
        assert held.state == "held"
        await goods.change(SIX)
        assert not await goods.shelf.store.snapshots.decide(held, "yes", approve=True)
        assert await goods.shelf.cases(CaseKind.HELD_SNAPSHOT.value) == []


async def test_a_full_that_a_crash_left_unapplied_does_not_bring_a_given_up_name_back(tmp_path: Path) -> None:
    """It was judged in the old terms: the same goods would be on sale twice."""
    async with Goods.open(tmp_path, OLD) as goods:
        await goods.told(*SHELF)
        judged = await goods.judged(50, *SHELF)
        await goods.again(NEW)
        with pytest.raises(FeedFault, match="names or units"):
            await goods.shelf.store.snapshots.apply(judged, "report")
        await goods.finish_left()
        assert await goods.f("OLD", "NEW") == (0, None)
        assert (await goods.shelf.store.feeds.state("main")).snapshot_due == "aliases_changed"
        assert [case.code for case in await goods.shelf.cases()] == ["broken_full"]
        # What it would have told is not known: nothing is added to what was kept before it.
        await goods.told(movement(49, -1, sku="C"))
        assert await goods.f("C") == (5,)
        await goods.full(60, *SHELF)
        assert await goods.f("OLD", "NEW", "C") == (0, 10, 5)
        assert "broken_full" not in [case.code for case in await goods.shelf.cases()]
        assert not await goods.again(NEW)


async def test_parts_of_a_full_that_came_before_the_names_changed_are_not_used(tmp_path: Path) -> None:
    async with Goods.open(tmp_path, OLD) as goods:
        await goods.told(*SHELF)
        await goods.told(parts=(part(1, level(0, 10, sku="X")),), ordered=False)
        await goods.change(NEW)
        await goods.told(parts=(part(2, *REST),), closings=(closing(2, 4),), ordered=False)
        assert await goods.shelf.store.parts.whole("main") is None
        assert [case.code for case in await goods.shelf.cases()] == ["unfinished_full"]
        whole = (part(1, *SHELF, snapshot="t"),)
        await goods.told(parts=whole, closings=(closing(1, 4, snapshot="t"),), ordered=False)
        assert await goods.shelf.store.parts.whole("main") is not None


async def test_what_was_translated_before_the_terms_changed_is_read_again(tmp_path: Path) -> None:
    """A batch, a page and a reading that were on their way leave everything as it was, the feed's place too."""
    async with Goods.open(tmp_path, OLD) as goods:
        await goods.told(*SHELF)
        store = goods.shelf.store
        late = await goods.translated(level(8, 9, sku="X"))
        reading = await goods.feed.read_key("OLD")
        source = NamedSnapshot(Paper(SHELF, 50), "main", goods.naming)
        head = await source.head()
        name = await store.snapshots.begin(head)
        pages = [page async for page in source.pages()]
        await goods.change(NEW)
        before = await store.feeds.state("main")
        with pytest.raises(FeedFault, match="names or units"):
            await store.feeds.record(late)
        with pytest.raises(FeedFault, match="names or units"):
            await store.snapshots.stage("main", name, pages[0])
        with pytest.raises(FeedFault, match="names or units"):
            await store.snapshots.begin(head)
        with pytest.raises(FeedFault, match="names or units"):
            await store.snapshots.assess(name, source.end(), 4, 0, GuardLimits(), resumes=True)
        assert reading is not None
        with pytest.raises(FeedFault, match="names or units"):
            await store.feeds.record_reading(reading)
        assert await store.feeds.state("main") == before
        assert await goods.f("OLD", "NEW") == (0, None)


async def test_a_level_that_was_held_in_the_old_terms_cannot_be_applied(tmp_path: Path) -> None:
    """Neither of a name that has no other level, nor in the old unit."""
    async with Goods.open(tmp_path, OLD) as goods:
        await goods.shelf.store.use_rules(rules(channel(place("WH1"), maximum=20)))
        await goods.told(level(7, 100, sku="X"), *REST)
        assert [case.kind for case in await goods.shelf.cases()] == [CaseKind.HELD_LEVEL]
        await goods.change(NEW)
        assert await goods.shelf.cases() == []
        await goods.full(50, level(7, 100, sku="X"), *REST)
        assert [case.subject for case in await goods.shelf.cases()] == ["NEW at WH1"]


async def test_a_given_up_name_is_not_asked_for_any_more(tmp_path: Path) -> None:
    """A movement of it waited for a level: that one comes under the new name."""
    async with Goods.open(tmp_path, OLD) as goods:
        await goods.told(*SHELF)
        await goods.told(movement(8, 1, sku="X", figure="onHand"))
        assert await goods.shelf.store.feeds.resyncs("main", 2**60, 9) != []
        await goods.change(NEW)
        assert await goods.shelf.store.feeds.resyncs("main", 2**60, 9) == []
        assert await goods.shelf.kinds() == []


async def test_f122_a_change_of_units_that_a_crash_cut_short_lowers_once(tmp_path: Path) -> None:
    async with Goods.open(tmp_path, TWELVE) as goods:
        await goods.told(level(7, 10, unit="CTN"), level(8, -2, sku="B", unit="CTN"), *REST)
        await goods.book.begin_change()
        await goods.book.retire("WH1", {}, {"A": Fraction(1, 2), "B": Fraction(1, 2)})
        assert await goods.f("A", "B", "C") == (60, -24, 5)
        assert await goods.again(SIX)
        assert await goods.f("A", "B", "C") == (60, -24, 5)
        await goods.full(50, level(7, 10, unit="CTN"), level(8, -2, sku="B", unit="CTN"), *REST)
        assert await goods.f("A", "B", "C") == (60, -12, 5)


async def test_a_name_is_not_another_articles_before_it_was_given_up(tmp_path: Path) -> None:
    """A record that is translated while the terms change may not take the name, or the level under it would stay."""
    async with Goods.open(tmp_path, terms({"X": "A"})) as goods:
        await goods.told(level(7, 10, sku="X"), *REST)
        use = terms({"Y": "A"})
        goods.naming.use(use)
        with pytest.raises(FeedFault, match="names or units"):
            await goods.translated(level(8, 4, sku="Y"))
        await goods.change(use)
        assert await goods.f("A") == (0,)
        await goods.told(level(8, 4, sku="Y"))
        assert await goods.f("A") == (4,)


@pytest.mark.parametrize("retired", [False, True])
@pytest.mark.parametrize("back", [False, True])
async def test_a_change_of_terms_that_a_crash_cut_short_is_made_whole(
    tmp_path: Path, back: bool, retired: bool
) -> None:
    """Whatever the terms are at the next start, those of before among them: everything is told anew."""
    async with Goods.open(tmp_path, OLD) as goods:
        await goods.told(*SHELF)
        book = goods.book
        await book.begin_change()
        if retired:
            await book.retire("WH1", {"OLD": "X"}, {})
        use: Terms = OLD if back else NEW
        assert await goods.again(use)
        assert (await goods.shelf.store.feeds.state("main")).snapshot_due == "aliases_changed"
        await goods.full(50, *SHELF)
        assert await goods.f("OLD", "NEW") == ((10, None) if back else (0, 10))
        assert not await goods.again(use)


class FullBook:
    """Names in a store without room for the first levels that lose theirs."""

    def __init__(self, book: NameStore) -> None:
        self._book = book
        self.failures = 1

    def __getattr__(self, name: str) -> Any:
        return getattr(self._book, name)

    async def retire(
        self, location: str, names: Mapping[str, str], recounted: Mapping[str, Fraction]
    ) -> None:
        if self.failures:
            self.failures -= 1
            raise StoreFull("no room")
        await self._book.retire(location, names, recounted)


async def test_f024_names_that_found_no_room_are_changed_once_there_is(tmp_path: Path) -> None:
    """Nothing is taken in either terms meanwhile, and nobody has to reload again."""
    async with Goods.open(tmp_path, OLD) as goods:
        await goods.told(*SHELF)
        shared = Shared(goods.shelf.clock)
        renaming = Renaming(goods.shelf.store, FullBook(goods.book), goods.naming, lambda: None)
        reloaded = Reloaded(renaming, shared, shared.begin_stop, lambda: None)
        await reloaded.put_in_force(NEW)
        assert "no room" in shared.notes["names"]
        assert not shared.stopping
        with pytest.raises(FeedFault, match="names or units"):
            await goods.told(level(8, 9, sku="X"))
        assert await goods.f("OLD", "NEW") == (10, None)
        await reloaded.run()
        assert not renaming.unfinished
        assert "names" not in shared.notes
        assert await goods.f("OLD", "NEW") == (0, None)
        await goods.told(level(8, 9, sku="X"))
        assert await goods.f("OLD", "NEW") == (0, 9)


async def test_f122_a_unit_without_factor_stops_movements_under_an_alias_too(tmp_path: Path) -> None:
    """The record that was set aside is of the SKU as the shop calls it; the next good level makes up for it."""
    async with Goods.open(tmp_path, terms({"AR-A": "A"}, {"CTN": 12})) as goods:
        await goods.told(level(1, 10, sku="AR-A", unit="EA"))
        await goods.told(level(2, 1, sku="AR-A", unit="PAL"))
        await goods.told(movement(3, 1, sku="AR-A", unit="EA"))
        assert await goods.f("A") == (10,)
        assert [each.sku for each in await goods.shelf.store.feeds.resyncs("main", 2**60, 9)] == ["A"]
        assert "A at WH1 unknown_unit" in [case.subject for case in await goods.shelf.cases()]
        await goods.told(level(4, 2, sku="AR-A", unit="PAL"), movement(5, 1, sku="AR-A", unit="EA"))
        assert await goods.f("A") == (10,)
        await goods.told(level(6, 2, sku="AR-A", unit="EA"))
        assert await goods.f("A") == (2,)
        assert await goods.shelf.store.feeds.resyncs("main", 2**60, 9) == []
        assert [case for case in await goods.shelf.cases() if case.kind is not CaseKind.UNIT_CHANGED] == []

"""A source that knows only when its rows were changed, in local time: what reading by time promises, and what not."""

from __future__ import annotations

from contextlib import aclosing
from datetime import UTC, datetime

import orjson
import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from archsyncd.domain.feed import Batch, Level, SnapshotCause, SnapshotDue
from archsyncd.engine.ports import FeedFault
from archsyncd.wire.foreign.overlap import REMEMBERED_LIMIT
from tests.dialects.houses import Row, Shelf, shelf_profile
from tests.dialects.reading import ForeignSite, reading
from tests.support.examples import examples
from tests.support.virtual_time import VirtualClock, run_virtual, virtual

SECOND = 1_000
MINUTE = 60_000


def shelf() -> Shelf:
    return Shelf(VirtualClock().wall_ms)


def told(batches: list[Batch]) -> list[tuple[str, int | None]]:
    return [
        (record.sku, record.on_hand)
        for batch in batches
        for record in batch.records
        if isinstance(record, Level)
    ]


def at_ms(*moment: int) -> int:
    return int(datetime(*moment, tzinfo=UTC).timestamp() * 1000)  # type: ignore[misc,arg-type]


async def due_of(site: ForeignSite[Shelf], after: str) -> SnapshotDue:
    (due,) = [one async for one in site.feed.batches(after)]
    assert isinstance(due, SnapshotDue)
    return due


@virtual
async def test_a_second_change_within_one_second_is_told_by_the_next_round() -> None:
    """Times are equal and mean nothing: what differs from what was told is news."""
    async with reading(shelf(), shelf_profile()) as site:
        after = await site.begin()
        now = VirtualClock().wall_ms()
        site.house.put("A", 5, at_ms=now)
        (first,) = await site.next(after)
        site.house.put("A", 4, at_ms=now)
        (second,) = await site.next(first.checkpoint)
        site.house.put("A", 5, at_ms=now)
        (third,) = await site.next(second.checkpoint)
        assert [told([batch]) for batch in (first, second, third)] == [[("A", 5)], [("A", 4)], [("A", 5)]]
        positions = [batch.records[0].seq for batch in (first, second, third)]
        assert positions == sorted(set(positions))


@virtual
async def test_what_was_told_is_told_once_however_often_it_is_read() -> None:
    """Over a restart as well, as long as the overlap shows it."""
    async with reading(shelf(), shelf_profile()) as site:
        after = await site.begin()
        site.house.put("A", 5)
        (first,) = await site.next(after)
        batches = await site.next(first.checkpoint, rounds=5)
        assert told(batches) == []
        assert {batch.checkpoint for batch in batches} == {first.checkpoint}
        await site.reopen()
        assert told(await site.next(first.checkpoint, rounds=20)) == []


@virtual
async def test_a_change_that_shows_late_is_told_within_the_overlap_and_never_beyond_it() -> None:
    """That is what the overlap is for, and where its promise ends: a snapshot finds the rest."""
    async with reading(shelf(), shelf_profile()) as site:
        after = await site.begin()
        await VirtualClock().sleep(600)
        now = VirtualClock().wall_ms()
        site.house.put("A", 1)
        (first,) = await site.next(after)
        site.house.put("B", 2, at_ms=now - 100 * SECOND)
        (second,) = await site.next(first.checkpoint)
        assert told([second]) == [("B", 2)]
        site.house.put("C", 3, at_ms=now - 300 * SECOND)
        assert told(await site.next(second.checkpoint, rounds=3)) == []
        _, pages = await site.whole()
        assert ("C", 3) in [(level.sku, level.on_hand) for page in pages for level in page.items]


@virtual
async def test_a_deletion_leaves_no_trace_and_shows_in_a_snapshot_alone() -> None:
    """The row is gone; no time says so."""
    async with reading(shelf(), shelf_profile()) as site:
        site.house.put("A", 1)
        site.house.put("B", 2)
        after = await site.begin()
        site.house.remove("A")
        assert told(await site.next(after, rounds=3)) == []
        _, pages = await site.whole()
        assert [level.sku for page in pages for level in page.items] == ["B"]


@virtual
async def test_what_a_snapshot_showed_is_not_told_again_behind_it() -> None:
    """What had changed before it was asked for is in it; what changes while it is read is told afterwards."""
    async with reading(shelf(), shelf_profile(), page_limit=2) as site:
        for number in range(5):
            site.house.put(f"S{number}", number)

        async def trade(request: web.Request) -> web.StreamResponse | None:
            if request.path == "/api/stock" and request.query["page"] == "1":
                site.house.put("S0", 9)
            return None

        site.house.first = trade
        snapshot = await site.feed.take_snapshot(["WH1"])
        assert snapshot is not None
        head = await snapshot.head()
        assert len([page async for page in snapshot.pages()]) == 3
        batches = await site.next(head.cursor or "")
        assert told(batches) == [("S0", 9)]
        assert batches[0].records[0].seq > head.seq_at


@virtual
async def test_a_time_far_ahead_holds_nothing_up() -> None:
    """A slip of the keyboard says 2099: the row counts, and the changes after it are read all the same."""
    async with reading(shelf(), shelf_profile()) as site:
        after = await site.begin()
        site.house.put("A", 1, at_ms=at_ms(2099, 1, 1))
        (first,) = await site.next(after)
        await VirtualClock().sleep(600)
        site.house.put("B", 2)
        (second,) = await site.next(first.checkpoint)
        site.house.put("A", 3)
        assert [told([first]), told([second])] == [[("A", 1)], [("B", 2)]]
        assert told(await site.next(second.checkpoint)) == [("A", 3)]


@virtual
async def test_the_whole_stock_is_read_once_a_day_and_changes_go_on_behind_it() -> None:
    """What a list by times cannot tell is told then; what was told already is not told again afterwards."""
    async with reading(shelf(), shelf_profile(every="1h")) as site:
        site.house.put("A", 1)
        after = await site.begin()
        site.house.put("B", 2)
        fulls: list[list[tuple[str, int | None]]] = []
        positions: list[int] = []
        async with aclosing(site.feed.batches(after)) as batches:  # type: ignore[type-var]
            async for one in batches:
                if isinstance(one, Batch):
                    positions += [record.seq for record in one.records]
                    continue
                assert not isinstance(one, SnapshotDue)
                head = await one.head()
                after = head.cursor or ""
                positions.append(head.seq_at)
                fulls.append(
                    [(level.sku, level.on_hand) async for page in one.pages() for level in page.items]
                )
                if len(fulls) == 2:
                    break
                site.house.remove("A")
                site.house.put("B", 3)
        assert fulls == [[("A", 1), ("B", 2)], [("B", 3)]]
        assert positions == sorted(set(positions))
        assert len(positions) == 4
        assert told(await site.next(after)) == []


@virtual
async def test_a_flood_right_before_a_snapshot_asks_for_no_second_one() -> None:
    """More changed lately than a checkpoint remembers: the process that read it does."""
    async with reading(shelf(), shelf_profile(), page_limit=500) as site:
        for number in range(REMEMBERED_LIMIT + 200):
            site.house.put(f"S{number:04}", number)
        after = await site.begin()
        assert told(await site.next(after, rounds=2)) == []


@virtual
async def test_a_second_reader_beside_the_first_takes_nothing_away_from_it() -> None:
    """A replay at the very place where the tail stands is refused, and the tail hears of everything."""
    async with reading(shelf(), shelf_profile()) as site:
        after = await site.begin()
        async with aclosing(site.feed.batches(after)) as tail:  # type: ignore[type-var]
            first = await anext(tail)
            assert isinstance(first, Batch)
            site.house.put("A", 1)
            due = await due_of(site, first.checkpoint)
            assert "cannot be read again" in due.detail
            second = await anext(tail)
            assert isinstance(second, Batch)
            assert told([second]) == [("A", 1)]


class SetBack:
    """A source's clock that somebody sets back by an hour."""

    def __init__(self) -> None:
        self._clock = VirtualClock()
        self.ahead_ms = 3_600_000

    def wall_ms(self) -> int:
        return self._clock.wall_ms() + self.ahead_ms


@virtual
async def test_a_source_whose_clock_is_set_back_is_read_on() -> None:
    """Its next rows are older than what was seen: its own clock says what now is, and nothing is lost."""
    clock = SetBack()
    async with reading(Shelf(clock.wall_ms), shelf_profile()) as site:
        after = await site.begin()
        site.house.put("A", 1)
        (first,) = await site.next(after)
        clock.ahead_ms = 0
        (second,) = await site.next(first.checkpoint)
        site.house.put("A", 2)
        (third,) = await site.next(second.checkpoint)
        assert [told([batch]) for batch in (first, second, third)] == [[("A", 1)], [], [("A", 2)]]


@virtual
async def test_a_clock_of_ours_that_is_ahead_loses_nothing() -> None:
    """Also where nothing but our clock says where to begin."""
    clock = SetBack()
    clock.ahead_ms = -7_200_000
    profile = shelf_profile(snapshot=None)
    async with reading(Shelf(clock.wall_ms), profile) as site:
        (first,) = await site.next(None)
        site.house.put("A", 1)
        assert told(await site.next(first.checkpoint)) == [("A", 1)]


class AutumnClock:
    """The night of 25 October 2026, on which 01:00 to 02:00 comes twice in London."""

    def __init__(self) -> None:
        self._clock = VirtualClock()
        self._ahead_ms = at_ms(2026, 10, 24, 23, 50) - self._clock.wall_ms()

    def wall_ms(self) -> int:
        return self._clock.wall_ms() + self._ahead_ms


@virtual
async def test_the_hour_that_comes_twice_is_set_aside_and_not_guessed() -> None:
    """Rows of that hour are exceptions with their SKU; nothing before or after it is lost, and a snapshot tells the rest."""
    clock = AutumnClock()
    async with reading(Shelf(clock.wall_ms), shelf_profile()) as site:
        site.house.put("A", 9)
        after = await site.begin()
        site.house.put("A", 1)
        await VirtualClock().sleep(600)
        for pieces in (5, 4):  # 01:00 the first time, and an hour later
            site.house.put("B", pieces)
            found = await site.next(after, rounds=1)
            after = found[-1].checkpoint
            (reject,) = [one for batch in found for one in batch.rejects if one.sku == "B"][:1]
            assert reject.location == "WH1"
            assert "twice" in reject.reason
            await VirtualClock().sleep(3_600)
        site.house.put("B", 3)
        site.house.put("C", 7)
        assert sorted(told(await site.next(after))) == [("B", 3), ("C", 7)]


@virtual
async def test_in_that_night_the_source_is_asked_from_the_beginning_of_the_hour() -> None:
    """Its labels run backwards once: asked for what follows 01:50, it would leave out 01:10 of the second time."""
    clock = AutumnClock()
    profile = shelf_profile(overlap="10s")
    profile["fields"]["asOf"]["fold"] = "earlier"
    async with reading(Shelf(clock.wall_ms), profile) as site:
        site.house.put("A", 9)
        after = await site.begin()
        profile_times: set[str] = set()
        for _ in range(8):
            await VirtualClock().sleep(900)
            site.house.rows["T", "WH1"] = Row(1, clock.wall_ms())
            asked = len(site.house.asked)
            found = await site.next(after)
            after = found[-1].checkpoint
            profile_times |= {request.query["since"] for request in site.house.asked[asked:]}
        assert all(
            not since.startswith("25/10/2026 01:") or since == "25/10/2026 01:00:00"
            for since in profile_times
        )


@virtual
async def test_f105_a_flood_is_told_in_parts_and_its_checkpoint_stays_small() -> None:
    """A bulk recount: parts of the size of a page, a bounded memory, and a snapshot after a restart that forgot some."""
    async with reading(shelf(), shelf_profile(), page_limit=500) as site:
        after = await site.begin()
        for number in range(3_000):
            site.house.put(f"S{number:04}", number)
        batches = await site.next(after)
        assert [len(batch.records) for batch in batches] == [500] * 6
        assert max(len(batch.checkpoint) for batch in batches) < 26 * REMEMBERED_LIMIT + 500
        assert told(await site.next(batches[-1].checkpoint, rounds=2)) == []
        await site.reopen()
        due = await due_of(site, batches[-1].checkpoint)
        assert due.cause is SnapshotCause.GAP


@virtual
async def test_a_part_that_was_committed_is_not_told_again() -> None:
    """A stop between two parts of a round goes on with the next part."""
    async with reading(shelf(), shelf_profile(), page_limit=100) as site:
        after = await site.begin()
        for number in range(250):
            site.house.put(f"S{number:03}", number)
        batches = await site.next(after)
        await site.reopen()
        rest = await site.next(batches[0].checkpoint)
        assert told(batches[:1]) + told(rest) == told(batches)


@virtual
async def test_movements_without_their_balance_are_set_aside() -> None:
    """A list by times tells no order; a bare movement would be applied twice or not at all."""
    profile = shelf_profile()
    profile["const"] = {"type": "stock.movement", "state": "onHand"}
    profile["fields"] = {name: profile["fields"][name] for name in ("sku", "location")} | {
        "delta": "/qty/physical",
        "occurredAt": profile["fields"]["asOf"],
    }
    async with reading(shelf(), profile) as site:
        after = await site.begin()
        site.house.put("A", -1)
        (batch,) = await site.next(after)
        assert batch.records == ()
        assert [(reject.code, reject.sku, reject.location) for reject in batch.rejects] == [
            ("bare_movement", "A", "WH1")
        ]


@pytest.mark.parametrize(
    "written", ["NaN", "Infinity", "1e400", '"12,5"', '"1 000"', "3.7", "true", '"x"', "9" * 5_000]
)
@virtual
async def test_f120_what_is_no_whole_number_is_set_aside_and_the_rest_of_the_page_counts(
    written: str,
) -> None:
    """The row beside it is read, the page is passed, and no number was made up."""
    async with reading(shelf(), shelf_profile()) as site:
        after = await site.begin()
        now = datetime.fromtimestamp(VirtualClock().wall_ms() / 1000, UTC)
        modified = f"{now:%d/%m/%Y %H:%M:%S}"
        row = '{"itemCode":"%s","site":"WH1","qty":{"physical":%s},"modified":"%s"}'
        body = f'{{"total":2,"rows":[{row % ("A", written, modified)},{row % ("B", 2, modified)}]}}'

        async def spoilt(_: web.Request) -> web.StreamResponse:
            return web.Response(text=body, content_type="application/json")

        site.house.first = spoilt
        (batch,) = await site.next(after)
        assert told([batch]) == [("B", 2)]
        assert [(reject.sku, reject.location) for reject in batch.rejects] == [("A", "WH1")]


@virtual
async def test_f102_an_empty_answer_is_told_as_it_is() -> None:
    """Nothing is concluded from it here: the guards on a full decide."""
    async with reading(shelf(), shelf_profile()) as site:
        site.house.put("A", 1)
        site.house.rows.clear()
        _, pages = await site.whole()
        assert [page.items for page in pages] == [()]


@virtual
async def test_a_page_parameter_that_the_source_ignores_is_a_fault() -> None:
    """It would be asked for ever, or half of the stock would be taken for all of it."""
    async with reading(shelf(), shelf_profile(), page_limit=2) as site:
        for number in range(5):
            site.house.put(f"S{number}", number)
        rows = [site.house._row(*one) for one in list(site.house.rows.items())[:2]]

        async def deaf(_: web.Request) -> web.StreamResponse:
            return web.json_response({"total": 5, "rows": rows})

        site.house.first = deaf
        with pytest.raises(FeedFault, match="does it know the page it is asked for"):
            await site.whole()


@virtual
async def test_a_full_answer_of_which_nobody_knows_the_rest_is_a_fault() -> None:
    """A source that cuts its answers loses changes silently where the profile does not say how pages are asked for."""
    profile = shelf_profile(pages=None, query={"since": "{since}", "size": "{limit}", "page": "0"})
    async with reading(shelf(), profile, page_limit=2) as site:
        for number in range(5):
            site.house.put(f"S{number}", number)
        with pytest.raises(FeedFault, match=r"does not say how the rest is read \(request.pages\)"):
            await site.begin()


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from("ABC"), st.integers(-2, 5), st.integers(0, 90)),
        st.tuples(st.just("wait"), st.just(""), st.integers(0, 40), st.just(0)),
        st.tuples(st.just("read"), st.just(""), st.just(0), st.just(0)),
        st.tuples(st.just("lose"), st.just(""), st.just(0), st.just(0)),
        st.tuples(st.just("restart"), st.just(""), st.just(0), st.just(0)),
    ),
    max_size=25,
)


@given(STEPS)
@settings(max_examples=examples(60), deadline=None)
def test_whatever_happens_the_last_round_leaves_what_the_source_has(
    steps: list[tuple[str, str, int, int]],
) -> None:
    """Rows that show up to 90 s late, equal times, rounds whose commit is lost, restarts: positions decide, and all is right."""

    async def play() -> None:
        async with reading(shelf(), shelf_profile(key={"path": "/api/stock/{sku}"})) as site:
            after = await site.begin()
            kept: dict[str, tuple[int, int | None]] = {}
            for what, sku, number, late in [*steps, ("read", "", 0, 0)]:
                if what == "put":
                    site.house.put(sku, number, at_ms=VirtualClock().wall_ms() - late * SECOND)
                elif what == "wait":
                    await VirtualClock().sleep(number)
                elif what == "restart":
                    await site.reopen()
                else:
                    batches = await site.next(after)
                    if what == "lose":
                        continue
                    after = batches[-1].checkpoint
                    for batch in batches:
                        for record in batch.records:
                            assert isinstance(record, Level)
                            if record.seq > kept.get(record.sku, (0, None))[0]:
                                kept[record.sku] = (record.seq, record.on_hand)
            has = {sku: row.pieces for (sku, _), row in site.house.rows.items()}
            assert {sku: pieces for sku, (_, pieces) in kept.items()} == has

    run_virtual(play())


@virtual
async def test_checkpoints_survive_being_written_and_read() -> None:
    """Nothing but JSON of a bounded size, whatever stands in it."""
    async with reading(shelf(), shelf_profile()) as site:
        after = await site.begin()
        site.house.put("Ä'\"", 1)
        (batch,) = await site.next(after)
        assert set(orjson.loads(batch.checkpoint)) <= set("vmerftosl")

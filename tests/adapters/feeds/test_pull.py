"""Reading pages over HTTP: what a source may do wrong, and how far it is believed (`r247/1`, section 2)."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

import pytest
from aiohttp import web

from archsyncd.adapters.r247_pull.rounds import Rounds
from archsyncd.domain.feed import Batch, Outcome, SnapshotCause, SnapshotDue
from archsyncd.engine.ports import FeedFault
from archsyncd.simulators.r247 import POISONS, Fault, FaultKind
from tests.adapters.feeds.contract import levels, read
from tests.adapters.feeds.servers import (
    EMPTY,
    fault_of,
    first,
    level,
    opened,
    pages,
    scripted,
    simulated,
)
from tests.support.virtual_time import VirtualClock, virtual


@virtual
async def test_the_cursor_is_the_checkpoint() -> None:
    """Each page's `next` is the batch's checkpoint and the cursor of the next request; the head feeds the lag gauge."""
    answer, asked = pages(
        {
            "items": [level(1)],
            "next": "a b&wait=0",
            "more": True,
            "head": {"seq": "9", "at": "2026-11-23T10:15:00Z"},
        },
        {"items": [level(2)], "next": "c2", "epoch": "e2"},
    )
    async with scripted(answer) as url, opened(url, types=("stock.level",), locations=("WH1", "WH2")) as feed:
        one, two = await read(feed, "c0", 2)
    assert (one.checkpoint, one.more, one.head_seq, one.head_at) == (
        "a b&wait=0",
        True,
        9,
        "2026-11-23T10:15:00Z",
    )
    assert (two.checkpoint, two.epoch) == ("c2", "e2")
    assert [request.query["cursor"] for request in asked] == ["c0", "a b&wait=0"]
    assert dict(asked[0].query) == {
        "cursor": "c0",
        "limit": "500",
        "wait": "25",
        "types": "stock.level",
        "locations": "WH1,WH2",
    }


@pytest.mark.parametrize(
    ("status", "code", "cause"),
    [
        (410, "cursor_expired", SnapshotCause.CURSOR_EXPIRED),
        (410, "epoch_changed", SnapshotCause.EPOCH_CHANGED),
        (410, "anything", SnapshotCause.CURSOR_EXPIRED),
        (400, "bad_cursor", SnapshotCause.CURSOR_EXPIRED),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_f097_a_cursor_that_leads_nowhere_makes_a_snapshot_due(
    status: int, code: str, cause: SnapshotCause, stream: bool
) -> None:
    """Then the feed ends; it goes on from the snapshot's cursor."""

    @virtual
    async def run() -> None:
        answer, _ = pages(web.json_response({"code": code}, status=status))
        async with scripted(answer) as url, opened(url, stream=stream) as feed:
            found = [one async for one in feed.batches("c0")]
        assert [one.cause for one in found if isinstance(one, SnapshotDue)] == [cause]

    run()


@pytest.mark.parametrize("kind", [FaultKind.EXPIRED, FaultKind.EPOCH])
def test_f097_after_the_snapshot_reading_goes_on_behind_it(kind: FaultKind) -> None:
    """What the source records from the snapshot on is told; nothing is asked with the old cursor again."""

    @virtual
    async def run() -> None:
        async with simulated(heartbeat_seconds=1e9) as (source, url), opened(url) as feed:
            source.warehouse.seed("A", "WH1", 5)
            source.script.add(Fault(kind))
            due = await first(feed, "whatever")
            assert isinstance(due, SnapshotDue)
            snapshot = await feed.take_snapshot(["WH1"])
            head = await snapshot.head()
            assert [item.on_hand async for page in snapshot.pages() for item in page.items] == [5]
            source.warehouse.room.recount("A", "WH1", 4)
            assert head.cursor is not None
            assert levels(await read(feed, head.cursor, 1)) == [("A", 4)]

    run()


@pytest.mark.parametrize(
    "kind", [FaultKind.GARBAGE, FaultKind.CUT_BODY, FaultKind.DROP_BEFORE, FaultKind.DROP_AFTER]
)
@pytest.mark.parametrize("stream", [False, True])
def test_f051_a_broken_answer_loses_nothing(kind: FaultKind, stream: bool) -> None:
    """The cursor did not move, so the next attempt tells what the broken answer held."""

    @virtual
    async def run() -> None:
        async with (
            simulated(heartbeat_seconds=1e9) as (source, url),
            opened(url, stream=stream, margin_seconds=2) as feed,
        ):
            source.warehouse.seed("A", "WH1", 5)
            cursor = (await (await feed.take_snapshot(["WH1"])).head()).cursor
            assert cursor is not None
            source.warehouse.room.recount("A", "WH1", 4)
            if not (stream and kind in {FaultKind.GARBAGE, FaultKind.CUT_BODY}):
                source.script.add(Fault(kind))
                assert not (await fault_of(feed, cursor)).blind
            assert levels(await read(feed, cursor, 1)) == [("A", 4)]

    run()


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("kind", sorted({*POISONS} - {"unknown_fields"}))
def test_f104_every_poison_is_set_aside_and_the_feed_goes_on(kind: str, stream: bool) -> None:
    """Whatever the source writes as a record, its neighbours count and the checkpoint passes."""

    @virtual
    async def run() -> None:
        async with simulated(heartbeat_seconds=1e9) as (source, url), opened(url, stream=stream) as feed:
            source.warehouse.seed("A", "WH1", 5)
            cursor = (await (await feed.take_snapshot(["WH1"])).head()).cursor
            assert cursor is not None
            source.warehouse.room.recount("A", "WH1", 4)
            source.poison(kind, "P", "WH1")
            source.warehouse.room.recount("A", "WH1", 3)
            found = await read(feed, cursor, 2, rejects=1)
        assert levels(found) == [("A", 4), ("A", 3)]
        (fault,) = [one for batch in found for one in batch.rejects]
        assert (bool(fault.code), bool(fault.reason), bool(fault.payload)) == (True, True, True)

    run()


@pytest.mark.parametrize("kind", [FaultKind.DUPLICATE, FaultKind.REORDER])
def test_f095_records_are_passed_on_as_they_come(kind: FaultKind) -> None:
    """Positions tell the order; the adapter neither sorts nor drops what is told twice."""

    @virtual
    async def run() -> None:
        async with simulated(heartbeat_seconds=1e9) as (source, url), opened(url) as feed:
            for sku in "ABCDEF":
                source.warehouse.seed(sku, "WH1", 5)
            cursor = (await (await feed.take_snapshot(["WH1"])).head()).cursor
            assert cursor is not None
            for sku in "ABCDEF":
                source.warehouse.room.recount(sku, "WH1", 4)
            source.script.add(Fault(kind))
            found = await first(feed, cursor)
        assert isinstance(found, Batch)
        seqs = [record.seq for record in found.records]
        assert len(set(seqs)) == 6
        assert len(seqs) == (12 if kind is FaultKind.DUPLICATE else 6)

    run()


@virtual
async def test_f096_numbers_left_out_are_no_fault_of_an_absolute_feed() -> None:
    """Gaps are allowed; what is there is told."""
    answer, _ = pages({"items": [level(5), level(900)]})
    async with scripted(answer) as url, opened(url) as feed:
        assert [record.seq for record in (await read(feed, "c0", 2))[0].records] == [5, 900]


@virtual
async def test_cursors_that_lead_in_a_circle_are_a_fault() -> None:
    """`more` with a cursor that stands still, or comes round again, would be read for ever."""
    answer, _ = pages({"next": "c0", "more": True})
    async with scripted(answer) as url, opened(url) as feed:
        assert "circle" in (await fault_of(feed)).reason

    async def round_and_round(request: web.Request) -> web.StreamResponse:
        step = int(request.query["cursor"][1:])
        return web.json_response(EMPTY | {"next": f"c{(step + 1) % 7}", "more": True})

    async with scripted(round_and_round) as url, opened(url) as feed:
        with pytest.raises(FeedFault, match="circle"):
            async for _ in feed.batches("c0"):
                pass


@pytest.mark.parametrize("length", [1, 2, 3, 10, 64, 100])
def test_every_circle_is_noticed_and_no_straight_way(length: int) -> None:
    """Within three rounds, with one remembered token."""
    rounds = Rounds()
    assert any(rounds.repeats(str(step % length)) for step in range(4 * length + 4))
    straight = Rounds()
    assert not any(straight.repeats(str(step)) for step in range(1000))


@virtual
async def test_a_source_that_does_not_wait_is_not_hammered() -> None:
    """An empty page that comes at once is followed by a pause, one that stands still as well."""
    bodies: list[dict[str, Any]] = [{"items": []}, {"items": [level(1)], "next": "c0"}]
    for body in bodies:
        answer, asked = pages(body)
        async with scripted(answer) as url, opened(url, pause_seconds=1) as feed:
            clock = VirtualClock()
            began = clock.monotonic()
            async with aclosing(feed.batches("c0")) as reading:  # type: ignore[type-var]
                for _ in range(5):
                    await anext(reading)
            assert clock.monotonic() - began >= 4
            assert len(asked) == 5


@virtual
async def test_another_feed_behind_the_same_address_is_a_fault() -> None:
    """Its positions cannot be compared with ours."""
    answer, _ = pages({}, {"feed": "other"})
    async with scripted(answer) as url, opened(url) as feed:
        await first(feed)
        assert "another feed" in (await fault_of(feed)).reason
    answer, _ = pages({})
    async with scripted(answer) as url, opened(url, source_feed="stock") as feed:
        assert "another feed" in (await fault_of(feed)).reason


@virtual
async def test_what_is_durable_is_acknowledged_where_the_source_wants_it() -> None:
    """`POST /v1/ack` with consumer and cursor; without a consumer nothing is sent; a failure is a fault to tolerate."""
    async with simulated() as (source, url):
        async with opened(url, consumer="ct-prod") as feed:
            cursor = (await (await feed.take_snapshot(["WH1"])).head()).cursor
            assert cursor is not None
            await feed.acknowledge(cursor, Outcome())
            assert source.changes.acknowledged == {"ct-prod": cursor}
            source.script.add(Fault(FaultKind.STATUS, endpoint="ack", status=503))
            with pytest.raises(FeedFault):
                await feed.acknowledge(cursor, Outcome())
        async with opened(url) as feed:
            before = source.requests["ack"]
            await feed.acknowledge("c", Outcome())
            assert source.requests["ack"] == before


@virtual
async def test_a_large_page_does_not_hold_up_the_loop() -> None:
    """It is parsed beside the loop and arrives whole."""
    answer, _ = pages({"items": [level(seq, sku="S" * 200) for seq in range(2_000)]})
    async with scripted(answer) as url, opened(url) as feed:
        assert len((await read(feed, "c0", 2_000))[0].records) == 2_000

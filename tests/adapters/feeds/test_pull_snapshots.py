"""Snapshots and look-ups over HTTP: what is believed of them, and what cuts them off."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aiohttp import web

from archsyncd.domain.feed import SnapshotCause, SnapshotDue
from archsyncd.engine.ports import FeedFault
from archsyncd.simulators.r247 import Fault, FaultKind
from tests.adapters.feeds.servers import (
    EMPTY,
    opened,
    pages,
    scripted,
    simulated,
)
from tests.support.virtual_time import VirtualClock, virtual


@virtual
async def test_without_a_checkpoint_a_snapshot_is_due_before_anything_is_asked() -> None:
    """A source keeps a limited history, so reading begins with a snapshot."""
    answer, asked = pages({})
    async with scripted(answer) as url, opened(url) as feed:
        found = [one async for one in feed.batches(None)]
    assert [one.cause for one in found if isinstance(one, SnapshotDue)] == [SnapshotCause.START]
    assert asked == []


@virtual
async def test_a_snapshot_is_read_in_pages_and_checked_by_its_trailer() -> None:
    """All items, the source's own figures, the requested locations, and a cursor to go on from."""
    async with simulated(snapshot_limit=2, snapshot_seconds=3) as (source, url):
        for place in range(5):
            source.warehouse.seed(f"S{place}", "WH1", place)
        async with opened(url, snapshot_page_limit=2) as feed:
            snapshot = await feed.take_snapshot(["WH1"])
            head = await snapshot.head()
            found = [page async for page in snapshot.pages()]
            end = snapshot.end()
        assert [len(page.items) for page in found] == [2, 2, 1]
        assert (head.feed, head.locations, end.complete, end.records, end.sum_on_hand) == (
            "main",
            ("WH1",),
            True,
            5,
            10,
        )


@pytest.mark.parametrize(
    ("kind", "complete", "records"),
    [
        (FaultKind.TRUNCATED, False, None),
        (FaultKind.NO_TRAILER, False, None),
        (FaultKind.MISCOUNT, True, 5),
        (FaultKind.EMPTY, True, 0),
    ],
)
def test_f100_what_a_spoilt_snapshot_says_of_itself_is_passed_on(
    kind: FaultKind, complete: bool, records: int | None
) -> None:
    """Truncated or without its trailer it is not complete; its figures are told for the guards to compare."""

    @virtual
    async def run() -> None:
        async with simulated() as (source, url), opened(url, snapshot_page_limit=2) as feed:
            for place in range(4):
                source.warehouse.seed(f"S{place}", "WH1", place)
            source.script.add(Fault(kind, endpoint="snapshots"))
            snapshot = await feed.take_snapshot(["WH1"])
            await snapshot.head()
            assert not snapshot.end().complete
            items = sum([len(page.items) async for page in snapshot.pages()])
            assert items == {FaultKind.TRUNCATED: 2, FaultKind.EMPTY: 0}.get(kind, 4)
            assert (snapshot.end().complete, snapshot.end().records) == (complete, records)

    run()


@virtual
async def test_f101_a_key_that_is_missing_is_missing() -> None:
    """The adapter makes up nothing for it: no item, no zero."""
    async with simulated() as (source, url), opened(url) as feed:
        for sku in "AB":
            source.warehouse.seed(sku, "WH1", 5)
        source.script.add(Fault(FaultKind.LACKS_KEYS, endpoint="snapshots", skus=("A",)))
        snapshot = await feed.take_snapshot(["WH1"])
        assert [item.sku async for page in snapshot.pages() for item in page.items] == ["B"]


@pytest.mark.parametrize("status", [404, 405, 501])
def test_a_simple_source_lists_its_stock_instead(status: int) -> None:
    """`GET /v1/stock` where no snapshot can be ordered; the feed's head from before is where to go on."""

    @virtual
    async def run() -> None:
        async def answer(request: web.Request) -> web.StreamResponse:
            if request.path == "/v1/changes":
                assert request.query["cursor"] == "now"
                return web.json_response(EMPTY | {"next": "head"})
            if request.method == "POST":
                return web.Response(status=status)
            page = int(request.query.get("page", "0"))
            body: dict[str, Any] = {
                "epoch": "e1",
                "seqAt": str(100 + page),
                "items": [{"sku": f"S{page}", "location": "WH1", "onHand": 1}],
            }
            last = {"nextPage": None, "complete": True, "check": {"records": 2, "sumOnHand": "2"}}
            return web.json_response(body | (last if page else {"nextPage": "1"}))

        async with scripted(answer) as url, opened(url) as feed:
            snapshot = await feed.take_snapshot(["WH1"])
            head = await snapshot.head()
            items = [item async for page in snapshot.pages() for item in page.items]
        assert (head.cursor, head.seq_at, snapshot.end().records) == ("head", 100, 2)
        assert [(item.sku, item.seq) for item in items] == [("S0", 100), ("S1", 101)]

    run()


SNAPSHOT = {
    "snapshotId": "s-1",
    "status": "ready",
    "epoch": "e1",
    "seqAt": "9",
    "cursor": "c9",
    "items": [],
    "nextPage": "p",
    "complete": False,
}


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        (SNAPSHOT, "circle"),
        (SNAPSHOT | {"epoch": "e2"}, "another snapshot"),
        (SNAPSHOT | {"snapshotId": "s-2"}, "another snapshot"),
        (SNAPSHOT | {"seqAt": "10"}, "another moment"),
        (SNAPSHOT | {"complete": True, "nextPage": "q"}, "another page follows"),
        ({"snapshotId": "s-1", "status": "running"}, "pending again"),
        ({"items": []}, "cannot be used"),
        (web.Response(status=410), "410"),
    ],
)
def test_f100_pages_that_do_not_belong_together_cut_the_snapshot_off(
    second: dict[str, Any] | web.Response, reason: str
) -> None:
    """Another epoch, moment or snapshot in the middle, or a circle: nothing of it is complete."""

    @virtual
    async def run() -> None:
        asked: list[str] = []

        async def answer(request: web.Request) -> web.StreamResponse:
            if request.path == "/v1/changes":
                return web.json_response(EMPTY)
            if request.method == "POST":
                return web.json_response({"snapshotId": "s-1"}, status=202)
            asked.append(request.query_string)
            if len(asked) == 1:
                return web.json_response(SNAPSHOT)
            return (
                web.json_response(second) if isinstance(second, dict) else web.Response(status=second.status)
            )

        async with scripted(answer) as url, opened(url) as feed:
            snapshot = await feed.take_snapshot(["WH1"])
            with pytest.raises(FeedFault, match=reason):
                async for _ in snapshot.pages():
                    pass
            assert not snapshot.end().complete

    run()


@virtual
async def test_a_snapshot_that_is_never_ready_is_given_up() -> None:
    """Polled with pauses, as long as the source asks for, up to a limit."""

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path == "/v1/changes":
            return web.json_response(EMPTY)
        return web.json_response(
            {"snapshotId": "s-1", "status": "running"}, status=202, headers={"Retry-After": "20"}
        )

    async with scripted(answer) as url, opened(url, snapshot_wait_seconds=100) as feed:
        clock = VirtualClock()
        began = clock.monotonic()
        with pytest.raises(FeedFault, match="not ready within 100 s"):
            await (await feed.take_snapshot(["WH1"])).head()
        assert 60 <= clock.monotonic() - began <= 100


@virtual
async def test_one_key_is_read_with_its_position() -> None:
    """All locations of the SKU at one moment; no levels when it is not kept; None when the source cannot be asked."""
    async with simulated() as (source, url), opened(url) as feed:
        source.warehouse.seed("A/1", "WH1", 5)
        reading = await feed.read_key("A/1")
        assert reading is not None
        assert ([(one.sku, one.on_hand) for one in reading.levels], reading.epoch) == (
            [("A/1", 5)],
            "2026-05-01a",
        )
        unknown = await feed.read_key("B")
        assert unknown is not None
        assert unknown.levels == ()
    answer, _ = pages(web.Response(status=404))
    async with scripted(answer) as url, opened(url) as feed:
        assert await feed.read_key("A") is None


@pytest.mark.parametrize(
    "changes",
    [
        {"items": [{"sku": "B", "location": "WH1", "onHand": 1}]},
        {"complete": False},
        {"nextPage": "p"},
        {"check": {"records": 2}},
        {"seqAt": None},
    ],
)
def test_a_doubtful_reading_of_a_key_is_a_fault(changes: dict[str, Any]) -> None:
    """Another SKU's levels, a part, a wrong count or no position: none of it touches the key."""

    @virtual
    async def run() -> None:
        whole = {
            "epoch": "e",
            "seqAt": "9",
            "items": [{"sku": "A", "location": "WH1", "onHand": 1}],
            "complete": True,
            "check": {"records": 1},
        }
        answer, _ = pages(web.json_response(whole | changes))
        async with scripted(answer) as url, opened(url) as feed:
            with pytest.raises(FeedFault):
                await feed.read_key("A")

    run()


@pytest.mark.parametrize(
    ("status", "body", "content_type", "known"),
    [
        (
            200,
            {"status": "accepted", "sourceOrder": "SO-1", "position": {"epoch": "e", "seq": "104"}},
            "application/json",
            True,
        ),
        (404, {"code": "unknown_order"}, "application/problem+json", False),
        (404, {"code": "not_offered"}, "application/problem+json", None),
        (404, {"code": "not_found"}, "application/problem+json", None),
        (404, {"message": "no Route matched with those values"}, "application/json", None),
        (404, None, "text/html", None),
        (200, {"status": "perhaps"}, "application/json", None),
        (500, {}, "application/json", None),
    ],
)
def test_only_the_order_desk_itself_may_say_that_an_order_is_unknown(
    status: int, body: dict[str, Any] | None, content_type: str, known: bool | None
) -> None:
    """A gateway's 404 proves nothing: believing it would give stock back that is promised to somebody."""

    @virtual
    async def run() -> None:
        text = "<html>" if body is None else json.dumps(body)
        answer, _ = pages(
            web.Response(status=status, body=text.encode(), headers={"Content-Type": content_type})
        )
        async with scripted(answer) as url, opened(url) as feed:
            if known is None:
                with pytest.raises(FeedFault):
                    await feed.look_up_order("u-1")
                return
            found = await feed.look_up_order("u-1")
        assert (found is not None) is known
        assert found is None or (found.status, found.source_order, found.epoch, found.seq) == (
            "accepted",
            "SO-1",
            "e",
            104,
        )

    run()

"""Reading over HTTP: what a source may do wrong, and how far it is believed (`r247/1`, section 2)."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import os
import ssl
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from typing import Any

import pytest
import trustme
from aiohttp import web
from tests.adapters.feeds.contract import levels, read
from tests.adapters.feeds.servers import Handler, opened, raw_server, scripted, simulated
from tests.support.virtual_time import VirtualClock, virtual

from archsyncd.adapters.r247_pull import PullAuth, PullFeed, PullOptions, session_factory
from archsyncd.adapters.r247_pull.rounds import Rounds
from archsyncd.domain.feed import Batch, Outcome, SnapshotCause, SnapshotDue
from archsyncd.engine.ports import FeedFault
from archsyncd.simulators.r247 import POISONS, Auth, Fault, FaultKind

EMPTY: dict[str, Any] = {
    "schema": "r247/1",
    "feed": "main",
    "epoch": "e1",
    "items": [],
    "next": "c1",
    "more": False,
}


def level(seq: int, sku: str = "A", **more: Any) -> dict[str, Any]:
    return {
        "id": f"r{seq}",
        "type": "stock.level",
        "seq": str(seq),
        "sku": sku,
        "location": "WH1",
        "onHand": seq,
        **more,
    }


def pages(*bodies: dict[str, Any] | web.Response) -> tuple[Handler, list[web.Request]]:
    """Answer the requests one after the other; the last answer is given again and again."""
    asked: list[web.Request] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append(request)
        body = bodies[min(len(asked), len(bodies)) - 1]
        return (
            web.json_response(EMPTY | body)
            if isinstance(body, dict)
            else body.__class__(status=body.status, body=body.body, headers=body.headers)
        )

    return answer, asked


async def first(feed: PullFeed, after: str | None = "c0") -> Batch | SnapshotDue:
    """What the feed tells first."""
    async with aclosing(feed.batches(after)) as reading:  # type: ignore[type-var]
        found = await anext(reading)
        assert isinstance(found, Batch | SnapshotDue)
        return found


async def fault_of(feed: PullFeed, after: str = "c0") -> FeedFault:
    with pytest.raises(FeedFault) as fault:
        await first(feed, after)
    return fault.value


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


@virtual
async def test_without_a_checkpoint_a_snapshot_is_due_before_anything_is_asked() -> None:
    """A source keeps a limited history, so reading begins with a snapshot."""
    answer, asked = pages({})
    async with scripted(answer) as url, opened(url) as feed:
        found = [one async for one in feed.batches(None)]
    assert [one.cause for one in found if isinstance(one, SnapshotDue)] == [SnapshotCause.START]
    assert asked == []


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


@pytest.mark.parametrize("status", [401, 403])
def test_f117_refused_credentials_make_the_feed_blind(status: int) -> None:
    """A person must act, and is told so once; the credential stands in no reason."""

    @virtual
    async def run() -> None:
        answer, _ = pages(web.Response(status=status))
        async with (
            scripted(answer) as url,
            opened(url, auth=PullAuth.BEARER, credential="canary-secret") as feed,
        ):
            fault = await fault_of(feed)
        assert fault.blind
        assert "canary" not in fault.reason

    run()


@pytest.mark.parametrize(
    ("auth", "credential", "header", "value"),
    [
        (PullAuth.NONE, "", "Authorization", None),
        (PullAuth.BEARER, "token\n", "Authorization", "Bearer token"),
        (
            PullAuth.BASIC,
            "user:pässword",
            "Authorization",
            "Basic " + base64.b64encode("user:pässword".encode()).decode(),
        ),
        (PullAuth.API_KEY, "key", "X-Api-Key", "key"),
    ],
)
def test_credentials_are_sent_as_configured(
    auth: PullAuth, credential: str, header: str, value: str | None
) -> None:
    """Bearer, basic or a header of the site's choice."""

    @virtual
    async def run() -> None:
        answer, asked = pages({})
        async with scripted(answer) as url, opened(url, auth=auth, credential=credential) as feed:
            await first(feed)
        assert asked[0].headers.get(header) == value

    run()


@pytest.mark.parametrize("credential", ["", "a\r\nX-Evil: 1", "tok\u00e9n", "no-colon", "x" * 10_000])
def test_a_credential_that_cannot_stand_in_a_header_is_not_sent(credential: str) -> None:
    """An empty, broken or endless one is a matter for a person, before any request."""

    @virtual
    async def run() -> None:
        answer, asked = pages({})
        auth = PullAuth.BASIC if credential == "no-colon" else PullAuth.BEARER
        async with scripted(answer) as url, opened(url, auth=auth, credential=credential) as feed:
            fault = await fault_of(feed)
        assert (fault.blind, asked) == (True, [])

    run()


@virtual
async def test_the_simulated_source_believes_our_credentials() -> None:
    """The whole way once, against a source that checks them."""
    async with simulated(auth=Auth.BASIC, credential="user:secret") as (_, url):
        async with opened(url, auth=PullAuth.BASIC, credential="user:secret") as feed:
            assert await feed.locations() == ("WH1",)
        async with opened(url, auth=PullAuth.BASIC, credential="user:wrong") as feed:
            with pytest.raises(FeedFault) as fault:
                await feed.locations()
            assert fault.value.blind


@pytest.mark.parametrize(
    ("status", "retry_after", "expected"),
    [
        (429, "7", 7.0),
        (503, "7", 7.0),
        (429, "86400", 300.0),
        (429, "-5", None),
        (429, "soon", None),
        (429, None, None),
        (500, None, None),
        (502, None, None),
        (504, None, None),
        (418, None, None),
        (400, None, None),
        (204, None, None),
    ],
)
def test_other_statuses_are_tried_again(status: int, retry_after: str | None, expected: float | None) -> None:
    """Retry-After is passed on within 300 s; the adapter itself does not wait or repeat."""

    @virtual
    async def run() -> None:
        headers = {} if retry_after is None else {"Retry-After": retry_after}
        answer, asked = pages(web.Response(status=status, headers=headers))
        async with scripted(answer) as url, opened(url) as feed:
            fault = await fault_of(feed)
        assert (fault.blind, fault.retry_after_seconds, len(asked)) == (False, expected, 1)

    run()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_f061_redirects_are_not_followed(status: int) -> None:
    """Neither to another host nor to the same one."""

    @virtual
    async def run() -> None:
        elsewhere, lured = pages({})
        async with scripted(elsewhere) as other:
            answer, asked = pages(web.Response(status=status, headers={"Location": f"{other}/v1/changes"}))
            async with scripted(answer) as url, opened(url) as feed:
                fault = await fault_of(feed)
        assert "redirects are not followed" in fault.reason
        assert (len(asked), lured) == (1, [])

    run()


@contextmanager
def environment(**changes: str) -> Iterator[None]:
    """Set variables of this process while the block lasts."""
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


@virtual
async def test_f062_proxies_of_the_environment_are_ignored() -> None:
    """Requests go to the configured address, whatever HTTP_PROXY says."""
    proxy, lured = pages({})
    answer, asked = pages({})
    async with scripted(proxy) as elsewhere, scripted(answer) as url, opened(url) as feed:
        with environment(HTTP_PROXY=elsewhere, http_proxy=elsewhere, ALL_PROXY=elsewhere, NO_PROXY=""):
            assert isinstance(await first(feed), Batch)
    assert (len(asked), lured) == (1, [])


@virtual
async def test_f177_addresses_in_cursors_are_text() -> None:
    """`next`, `cursor` and `nextPage` that are URLs of another origin come back to this origin as parameters."""
    async with simulated(heartbeat_seconds=1e9) as (source, url), opened(url) as feed:
        source.warehouse.seed("A", "WH1", 5)
        source.script.add(Fault(FaultKind.FOREIGN_NEXT))
        head = await (await feed.take_snapshot(["WH1"])).head()
        assert head.cursor is not None
        source.script.add(Fault(FaultKind.FOREIGN_NEXT))
        found = await first(feed, head.cursor)
        assert isinstance(found, Batch)
        assert found.checkpoint.startswith("https://elsewhere.example")
        assert isinstance(await first(feed, found.checkpoint), SnapshotDue)


@virtual
async def test_f177_names_in_paths_stay_names() -> None:
    """Slashes, dots, questions and other scripts in an order number or SKU do not move the path."""
    paths: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        paths.append(request.rel_url.raw_path)
        return web.json_response({"code": "unknown_order"}, status=404)

    async with scripted(answer) as url, opened(f"{url}/api/") as feed:
        for reference in ("../../admin", "..", "a/b?c=d#e", "CT-1", "品"):
            assert await feed.look_up_order(reference) is None
            assert await feed.read_key(reference) is None
    assert {path.count("/") for path in paths} == {4}
    assert {path.rsplit("/", 1)[0] for path in paths} == {"/api/v1/orders", "/api/v1/stock"}


@virtual
async def test_f054_an_answer_that_trickles_ends_at_its_deadline() -> None:
    """One byte a second does not hold the feed for longer than the total deadline."""

    async def trickle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b" ")
            await VirtualClock().sleep(1)

    async with scripted(trickle) as url, opened(url, total_seconds=30) as feed:
        clock = VirtualClock()
        began = clock.monotonic()
        fault = await fault_of(feed)
        assert "not ended within 30 s" in fault.reason
        assert clock.monotonic() - began < 40


@virtual
async def test_f054_a_source_that_does_not_answer_is_given_up() -> None:
    """The head of an answer must come within the wait and ten seconds."""

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)
        writer.close()

    async with raw_server(silent) as url, opened(url, wait_seconds=25) as feed:
        clock = VirtualClock()
        began = clock.monotonic()
        assert "no answer within 35 s" in (await fault_of(feed)).reason
        assert 35 <= clock.monotonic() - began < 40


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nX-Big: " + b"x" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: 1\r\n" % n for n in range(2_000)) + b"\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"10000\r\n" + b" " * 0x10000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        b"\x16\x03\x01garbage\r\n\r\n",
        b"",
    ],
)  # fmt: skip
def test_f054_answers_beyond_bounds_are_a_fault(answer: bytes) -> None:
    """Endless headers and bodies, cut-off, compressed and broken answers: a fault each, in bounded memory."""

    @virtual
    async def run() -> None:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()

        async with raw_server(talk) as url, opened(url, response_limit_bytes=65_000) as feed:
            fault = await fault_of(feed)
        assert fault.reason.startswith("GET /v1/changes [")
        assert not fault.blind

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


@virtual
async def test_f051_half_a_line_of_a_stream_is_not_believed() -> None:
    """Only what stands before a cursor line counts."""
    async with simulated(heartbeat_seconds=1e9) as (source, url), opened(url, stream=True) as feed:
        source.warehouse.seed("A", "WH1", 5)
        cursor = (await (await feed.take_snapshot(["WH1"])).head()).cursor
        assert cursor is not None
        source.warehouse.room.recount("A", "WH1", 4)
        source.script.add(Fault(FaultKind.HALF_LINE))
        with pytest.raises(FeedFault):
            await read(feed, cursor, 1)
        assert levels(await read(feed, cursor, 1)) == [("A", 4)]


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


@virtual
async def test_every_request_can_be_found_again_by_its_correlation_id() -> None:
    """One id in the header, in the log line and in the fault's reason; another one for each request."""
    answer, asked = pages({}, web.Response(status=500))
    told: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = told.append  # type: ignore[method-assign,assignment]
    logger = logging.getLogger("archsyncd.adapters.r247_pull.caller")
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        async with scripted(answer) as url, opened(url) as feed:
            await first(feed, "secret-cursor")
            fault = await fault_of(feed, "secret-cursor")
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)
    ids = [request.headers["X-Correlation-ID"] for request in asked]
    assert len(set(ids)) == 2
    assert ids[1] in fault.reason
    assert [record.__dict__["correlation_id"] for record in told] == ids
    assert "secret" not in "".join(record.getMessage() for record in told) + fault.reason


def trusted(authority: trustme.CA, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Contexts of a server with a certificate for `name`, and of a client that trusts the authority."""
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert(name).configure_cert(server)
    authority.configure_trust(client)
    return server, client


@pytest.mark.parametrize("case", ["trusted", "unknown authority", "wrong name"])
def test_f058_only_a_verified_certificate_is_spoken_to(case: str) -> None:
    """Nothing is asked of a source whose certificate is not verified."""

    @virtual
    async def run() -> None:
        authority = trustme.CA()
        server, client = trusted(authority, "elsewhere.example" if case == "wrong name" else "127.0.0.1")
        if case == "unknown authority":
            client = ssl.create_default_context()
        answer, asked = pages({})
        loop = asyncio.get_running_loop()
        with loop.hold():  # type: ignore[attr-defined]
            async with scripted(answer, tls=server) as url, opened(url, tls=client) as feed:
                if case == "trusted":
                    assert isinstance(await first(feed), Batch)
                    return
                assert "certificate refused" in (await fault_of(feed)).reason
                assert asked == []

    run()


@pytest.mark.parametrize(
    "url",
    [
        "http://r247.example/api",
        "ftp://127.0.0.1",
        "https://user:pw@r247.example",
        "https://r247.example/?a=1",
        "https://r247.example/#x",
        "r247.example",
        "http://127.0.0.1.example",
    ],
)
def test_addresses_that_are_not_safe_to_talk_to_are_refused(url: str) -> None:
    """Plain HTTP leaves this host for nobody; secrets and parameters do not belong into an address."""
    with pytest.raises(ValueError, match="url"):
        PullOptions(name="main", url=url)


def test_a_tls_context_that_verifies_nothing_is_refused() -> None:
    """There is no way to switch the verification off."""
    loose = ssl.create_default_context()
    loose.check_hostname = False
    with pytest.raises(ValueError, match="verified"):
        session_factory(loose)


STREAM_START = b'{"type":"feed.cursor","next":"c1","feed":"main","epoch":"e1"}\n'


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (b'{"type":"feed.cursor","next":"c1"}\n', "do not tell the epoch"),
        (STREAM_START + (json.dumps(level(1)) + "\n").encode() * 11, "no cursor line within 10 records"),
        (STREAM_START + b'{"id":"' + b"x" * 3000 + b'"}\n', "no cursor line within 2000 bytes"),
        (
            STREAM_START + (json.dumps(level(1)) + "\n").encode() + STREAM_START.replace(b"e1", b"e2"),
            "epoch changes",
        ),
        (STREAM_START + b'{"type":"feed.cursor"}\n', "cannot be used"),
        (STREAM_START + STREAM_START.replace(b"main", b"other"), "another feed"),
        (STREAM_START, "silent for 45 s"),
    ],
)
def test_a_stream_that_breaks_the_contract_is_a_fault(lines: bytes, reason: str) -> None:
    """Without cursor lines, without an epoch, with another one in the middle, or silent: it is given up."""

    @virtual
    async def run() -> None:
        async def answer(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
            await response.prepare(request)
            await response.write(lines)
            await VirtualClock().sleep(1_000)
            return response

        bounds: dict[str, Any] = {"stream_batch_records": 10, "response_limit_bytes": 2_000}
        async with scripted(answer) as url, opened(url, stream=True, **bounds) as feed:
            with pytest.raises(FeedFault, match=reason):
                async for _ in feed.batches("c0"):
                    pass

    run()


@virtual
async def test_a_stream_that_ends_is_opened_again_behind_its_last_cursor() -> None:
    """Records without a cursor line after them are asked for again, and a pause lies between two streams."""
    asked: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append(request.query["cursor"])
        body = (
            STREAM_START.replace(b"c1", f"c{len(asked)}".encode())
            + b"\n"
            + json.dumps(level(len(asked))).encode()
        )
        return web.Response(body=body + b"\n", headers={"Content-Type": "application/x-ndjson"})

    async with scripted(answer) as url, opened(url, stream=True, pause_seconds=2) as feed:
        clock = VirtualClock()
        began = clock.monotonic()
        async with aclosing(feed.batches("c0")) as reading:  # type: ignore[type-var]
            found = [await anext(reading) for _ in range(3)]
        assert clock.monotonic() - began >= 4
    assert [one.checkpoint for one in found if isinstance(one, Batch)] == ["c1", "c2", "c3"]
    assert asked == ["c0", "c1", "c2"]
    assert [one.records for one in found if isinstance(one, Batch)] == [(), (), ()]


@virtual
async def test_a_source_that_answers_a_stream_with_a_page_is_told_apart() -> None:
    """It ignores what was asked for; its configuration is wrong."""
    answer, _ = pages({})
    async with scripted(answer) as url, opened(url, stream=True) as feed:
        assert "does not offer NDJSON" in (await fault_of(feed)).reason


@virtual
async def test_a_large_page_does_not_hold_up_the_loop() -> None:
    """It is parsed beside the loop and arrives whole."""
    answer, _ = pages({"items": [level(seq, sku="S" * 200) for seq in range(2_000)]})
    async with scripted(answer) as url, opened(url) as feed:
        assert len((await read(feed, "c0", 2_000))[0].records) == 2_000

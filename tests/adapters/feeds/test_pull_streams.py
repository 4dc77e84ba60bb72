"""NDJSON streams over HTTP: only what stands before a cursor line counts."""

from __future__ import annotations

import json
from contextlib import aclosing
from typing import Any

import pytest
from aiohttp import web

from archsyncd.domain.feed import Batch
from archsyncd.engine.ports import FeedFault
from archsyncd.simulators.r247 import Fault, FaultKind
from tests.adapters.feeds.contract import levels, read
from tests.adapters.feeds.servers import (
    fault_of,
    level,
    opened,
    pages,
    scripted,
    simulated,
)
from tests.support.virtual_time import VirtualClock, virtual


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

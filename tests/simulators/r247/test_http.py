"""The source on a socket: what only a real connection can show."""

import asyncio
import base64
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from yarl import URL

from archsyncd.simulators.r247 import Auth, Fault, FaultKind, serve
from tests.simulators.r247.houses import ORDER_ID, House, order_body, sku_path


@asynccontextmanager
async def connected(house: House) -> AsyncIterator[tuple[aiohttp.ClientSession, str]]:
    async with serve(house.simulator) as url, aiohttp.ClientSession() as session:
        yield session, url


async def test_a_page_is_read_over_http() -> None:
    """Status, type and body arrive as the source made them."""
    house = House().stock(X=5)
    house.warehouse.store_sale("X", "WH1", 1)
    async with (
        connected(house) as (session, url),
        session.get(f"{url}/v1/changes", params={"limit": "10"}) as answer,
    ):
        assert (answer.status, answer.content_type) == (200, "application/json")
        assert [item["seq"] for item in (await answer.json())["items"]] == ["1"]


async def test_a_problem_has_its_own_type() -> None:
    """Errors are application/problem+json."""
    async with (
        connected(House()) as (session, url),
        session.get(f"{url}/v1/changes", params={"cursor": "x"}) as answer,
    ):
        assert (answer.status, answer.content_type) == (400, "application/problem+json")


@pytest.mark.parametrize("sku", ["A/B", "sp ace", "100%", "ü", "a?b#c", "a+b"])
async def test_f124_any_sku_can_stand_in_the_path(sku: str) -> None:
    """Percent-encoded SKUs are found."""
    house = House()
    house.warehouse.seed(sku, "WH1", 4)
    async with (
        connected(house) as (session, url),
        session.get(URL(url + sku_path(sku), encoded=True)) as answer,
    ):
        assert [item["sku"] for item in (await answer.json())["items"]] == [sku]


CREDENTIALS = {
    Auth.BEARER: {"Authorization": "Bearer user:s3cret"},
    Auth.BASIC: {"Authorization": "Basic " + base64.b64encode(b"user:s3cret").decode()},
    Auth.API_KEY: {"X-Api-Key": "user:s3cret"},
}


@pytest.mark.parametrize("mode", list(CREDENTIALS))
async def test_callers_must_prove_who_they_are(mode: Auth) -> None:
    """The right credential in the right header opens; every other is 401."""
    house = House(auth=mode, credential="user:s3cret")
    wrong: list[dict[str, str]] = [{}, {name: value + "x" for name, value in CREDENTIALS[mode].items()}]
    wrong += [headers for other, headers in CREDENTIALS.items() if other is not mode]
    async with connected(house) as (session, url):
        for headers in wrong:
            async with session.get(f"{url}/v1/changes", headers=headers) as answer:
                assert answer.status == 401
                assert "s3cret" not in await answer.text()
        async with session.get(f"{url}/v1/changes", headers=CREDENTIALS[mode]) as answer:
            assert answer.status == 200


async def test_an_ndjson_stream_arrives_line_by_line() -> None:
    """A record written while the stream is open reaches its reader."""
    house = House().stock(X=5)
    accept = {"Accept": "application/x-ndjson"}
    async with (
        connected(house) as (session, url),
        session.get(f"{url}/v1/changes", params={"wait": "25"}, headers=accept) as answer,
    ):
        assert answer.content_type == "application/x-ndjson"
        first = json.loads(await answer.content.readline())
        house.warehouse.store_sale("X", "WH1", 1)
        lines = [await asyncio.wait_for(answer.content.readline(), 5) for _ in range(3)]
        told = [json.loads(line) for line in lines if line.strip()]
    assert first["type"] == "feed.cursor"
    assert [line["type"] for line in told] == ["stock.level", "feed.cursor"]


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        (FaultKind.DROP_BEFORE, aiohttp.ServerDisconnectedError),
        (FaultKind.DROP_AFTER, aiohttp.ServerDisconnectedError),
        (FaultKind.CUT_BODY, aiohttp.ClientPayloadError),
    ],
)
async def test_f056_connections_break_where_the_script_says(kind: FaultKind, fault: type[Exception]) -> None:
    """The reader gets no answer, or half of one, and the next request is served."""
    house = House().stock(X=5)
    # aiohttp's client repeats a PUT once by itself when the connection breaks before an answer.
    house.simulator.script.add(Fault(kind, "any", times=1 if kind is FaultKind.CUT_BODY else 2))
    async with connected(house) as (session, url):
        body: Any = order_body()
        with pytest.raises(fault):
            await read(session, "PUT", f"{url}/v1/orders/{ORDER_ID}", body)
        assert (await read(session, "PUT", f"{url}/v1/orders/{ORDER_ID}", body))[0] in {200, 201}
    assert len(house.warehouse.book.orders) == 1


async def read(session: aiohttp.ClientSession, method: str, url: str, body: Any) -> tuple[int, bytes]:
    async with session.request(method, url, json=body) as answer:
        return answer.status, await answer.read()


async def test_half_a_line_breaks_the_stream() -> None:
    """The stream ends in the middle of a line and with an error."""
    house = House().stock(X=5)
    house.warehouse.store_sale("X", "WH1", 1)
    house.simulator.script.add(Fault(FaultKind.HALF_LINE))
    async with connected(house) as (session, url):
        with pytest.raises(aiohttp.ClientPayloadError):
            await stream(session, f"{url}/v1/changes")


async def stream(session: aiohttp.ClientSession, url: str) -> bytes:
    async with session.get(url, headers={"Accept": "application/x-ndjson"}) as answer:
        return await answer.read()


async def test_a_stalled_request_does_not_hold_up_the_end() -> None:
    """The server stops while a request is stalled and another waits in a long poll."""
    house = House()
    house.simulator.script.add(Fault(FaultKind.STALL, "stock"))
    async with aiohttp.ClientSession() as session:
        async with serve(house.simulator) as url:
            waiting = [
                asyncio.create_task(read(session, "GET", f"{url}/v1/stock", None)),
                asyncio.create_task(read(session, "GET", f"{url}/v1/changes?wait=25", None)),
            ]
            for _ in range(3):
                assert (await read(session, "GET", f"{url}/v1/locations", None))[0] == 200
            assert {"stock", "changes"} <= house.simulator.requests.keys()
        ends = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 5)
    assert all(isinstance(end, aiohttp.ClientError) for end in ends)


async def test_the_clock_works_while_serving() -> None:
    """Heartbeats and imports happen by the clock without anybody asking."""
    house = House(heartbeat_seconds=15, tick_seconds=0.05)
    async with connected(house) as (session, url):
        house.clock.advance(16)
        async with session.get(f"{url}/v1/changes", params={"wait": "25"}) as answer:
            assert [item["type"] for item in (await answer.json())["items"]] == ["feed.heartbeat"]


async def test_the_administration_is_another_door() -> None:
    """`/_simulator/` needs no credential of the feed and is no part of the contract."""
    house = House(auth=Auth.BEARER, credential="s3cret")
    async with connected(house) as (session, url):
        seed = {"stock": [{"sku": "X", "location": "WH1", "onHand": 5}]}
        async with session.post(f"{url}/_simulator/seed", json=seed) as answer:
            assert (answer.status, await answer.json()) == (200, {"seeded": 1})
    assert house.warehouse.available("X", "WH1") == 5


async def test_the_source_runs_as_a_process_of_its_own() -> None:
    """The first line of its output is its address; SIGTERM ends it cleanly."""
    arguments = ("-m", "archsyncd.simulators.r247", "--location", "WH1=web", "--location", "WH2")
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=pipe)
    assert process.stdout is not None
    url = (await asyncio.wait_for(process.stdout.readline(), 30)).decode().strip()
    async with aiohttp.ClientSession() as session:
        status, body = await read(session, "GET", f"{url}/v1/locations", None)
    process.terminate()
    assert await asyncio.wait_for(process.wait(), 30) == 0
    assert (status, [entry["location"] for entry in json.loads(body)["locations"]]) == (200, ["WH1", "WH2"])

"""Scripted faults, in process and on the wire."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import orjson
import pytest

from archsyncd.simulators.commercetools import (
    CommercetoolsSimulator,
    HandClock,
    LostConnectionError,
    RetryAfter,
    SimulatorConfig,
    serve,
)
from tests.simulators.commercetools.caller import Caller, basic

ADD_ONE = {"version": 1, "actions": [{"action": "addQuantity", "quantity": 1}]}


def _stocked() -> tuple[Caller, str]:
    caller = Caller()
    return caller, "/inventory/" + caller.simulator.add_entry("A", None, 5)


@pytest.mark.parametrize(
    ("kind", "status", "applied"),
    [
        ("invalid_token", 401, False),
        ("insufficient_scope", 403, False),
        ("conflict", 409, False),
        ("invalid_input", 400, False),
        ("content_too_large", 413, False),
        ("throttled", 429, False),
        ("server_error", 500, False),
        ("server_error_applied", 500, True),
        ("bad_gateway", 502, False),
        ("bad_gateway_applied", 502, True),
        ("over_capacity", 503, False),
        ("pending_operation", 503, False),
        ("gateway_timeout", 504, False),
        ("gateway_timeout_applied", 504, True),
        ("unknown_error", 520, False),
    ],
)
async def test_f078_scripted_status_tells_nothing_of_its_effect(
    kind: str, status: int, applied: bool
) -> None:
    """Each kind answers its status once and applies the write or does not."""
    caller, path = _stocked()
    caller.simulator.faults.add("inventory.update", kind)
    answered, _ = await caller.call("POST", path, ADD_ONE)
    assert answered == status
    assert caller.simulator.true_stock("A") == (6 if applied else 5)
    assert (await caller.call("POST", path, ADD_ONE))[0] == (409 if applied else 200)


async def test_server_error_applied_late_lands_after_the_answer() -> None:
    """The write happens when its time comes, unless its version is stale by then."""
    caller, path = _stocked()
    caller.simulator.faults.add("inventory.update", "server_error_applied_late", seconds=30, count=2)
    for _ in range(2):
        assert (await caller.call("POST", path, ADD_ONE))[0] == 500
    assert caller.simulator.true_stock("A") == 5
    caller.clock.advance(30)
    assert caller.simulator.true_stock("A") == 6
    assert (await caller.get(path))["version"] == 2


async def test_late_request_loses_against_a_later_versioned_write() -> None:
    """Only a versioned write of ours settles an outcome: the late one conflicts afterwards."""
    caller, path = _stocked()
    caller.simulator.faults.add("inventory.update", "lost_answer_applied_late", seconds=30)
    with pytest.raises(LostConnectionError):
        await caller.call("POST", path, ADD_ONE)
    assert (await caller.call("POST", path, ADD_ONE))[0] == 200
    caller.simulator.settle(everything=True)
    assert caller.simulator.true_stock("A") == 6


@pytest.mark.parametrize(("kind", "stock"), [("lost_answer", 6), ("drop", 5)])
async def test_f056_connection_breaks_after_or_before_the_effect(kind: str, stock: int) -> None:
    """The caller cannot tell a lost answer from a request that never arrived."""
    caller, path = _stocked()
    caller.simulator.faults.add("inventory.update", kind)
    with pytest.raises(LostConnectionError):
        await caller.call("POST", path, ADD_ONE)
    assert caller.simulator.true_stock("A") == stock


async def test_rule_counts_skips_matches_and_draws() -> None:
    """count, skip, contains and probability narrow a rule; clear ends it."""
    caller, path = _stocked()
    faults = caller.simulator.faults
    faults.add("inventory.get", "server_error", count=2, skip=1, contains=path)
    statuses = [(await caller.call("GET", path))[0] for _ in range(5)]
    assert statuses == [200, 500, 500, 200, 200]
    number = faults.add("*", "bad_gateway", count=None, probability=0.5)
    drawn = [(await caller.call("GET", path))[0] for _ in range(60)]
    assert 10 < drawn.count(502) < 50
    faults.clear(number)
    assert (await caller.call("GET", path))[0] == 200
    faults.add("*", "bad_gateway", matcher=lambda method, _target, _body: method == "PUT")
    assert (await caller.call("GET", path))[0] == 200


def test_unknown_kind_or_detail_is_refused() -> None:
    """A misspelt fault does not pass as none."""
    faults = Caller().simulator.faults
    with pytest.raises(ValueError, match="explode"):
        faults.add("*", "explode")
    with pytest.raises(TypeError):
        faults.add("*", "slow", delay=3)


async def test_f076_retry_after_has_three_forms() -> None:
    """Absent, seconds or an HTTP date of the simulator's clock."""
    caller, path = _stocked()
    await caller.token()
    expected = {
        RetryAfter.NONE: None,
        RetryAfter.SECONDS: "7",
        RetryAfter.DATE: "Sat, 25 Jul 2026 17:20:07 GMT",
    }
    for form, value in expected.items():
        caller.simulator.faults.add("inventory.get", "throttled", seconds=7, retry_after=form)
        status, headers, _ = await caller.simulator.handle("GET", f"/demo{path}", "", caller.headers, b"")
        assert (status, headers.get("Retry-After")) == (429, value)


async def test_f075_token_bucket_throttles_above_rate_and_burst() -> None:
    """A burst passes, the next request is 429, a second later the rate's worth passes again."""
    caller, path = _stocked()
    await caller.token()
    caller.simulator.configure(requests_per_second=2.0, burst=3, retry_after=RetryAfter.SECONDS)
    assert [(await caller.call("GET", path))[0] for _ in range(4)] == [200, 200, 200, 429]
    caller.clock.advance(1)
    assert [(await caller.call("GET", path))[0] for _ in range(3)] == [200, 200, 429]
    assert caller.simulator.journal.answers["inventory.get 429"] == 2


async def test_f074_ceiling_of_requests_in_flight_is_over_capacity() -> None:
    """While slow answers are under way, one more request than the ceiling gets 503."""
    caller, path = _stocked()
    await caller.token()
    caller.simulator.configure(max_in_flight=2)
    caller.simulator.faults.add("inventory.get", "slow", seconds=10, count=2)
    slow = [asyncio.create_task(caller.call("GET", path)) for _ in range(2)]
    await asyncio.sleep(0)
    assert await caller.refused("GET", path) == (503, "OverCapacity")
    caller.clock.advance(10)
    assert [status for status, _ in await asyncio.gather(*slow)] == [200, 200]
    assert (await caller.call("GET", path))[0] == 200


async def test_latency_delays_every_answer_on_the_clock() -> None:
    """An answer comes once the clock has moved by the latency."""
    caller, path = _stocked()
    await caller.token()
    caller.simulator.configure(latency_seconds=0.04)
    task = asyncio.create_task(caller.call("GET", path))
    await asyncio.sleep(0)
    assert not task.done()
    caller.clock.advance(0.04)
    assert (await task)[0] == 200


@asynccontextmanager
async def _served() -> AsyncIterator[tuple[CommercetoolsSimulator, aiohttp.ClientSession, str]]:
    simulator = CommercetoolsSimulator(SimulatorConfig(), HandClock(), random.Random(0))
    simulator.add_entry("A", None, 5)
    async with serve(simulator) as url, aiohttp.ClientSession(base_url=url) as session:
        headers = {"Authorization": basic(simulator.config.clients[0])}
        form = {"grant_type": "client_credentials"}
        async with session.post("/oauth/token", data=form, headers=headers) as response:
            token = (await response.json())["access_token"]
        session.headers["Authorization"] = f"Bearer {token}"
        yield simulator, session, f"/demo/inventory/{simulator.entry_document('A')['id']}"


async def test_served_simulator_answers_over_http() -> None:
    """Status, body and headers come over a socket as they do in process."""
    async with _served() as (simulator, session, path):
        async with session.post(
            path, data=orjson.dumps(ADD_ONE), headers={"X-Correlation-ID": "c-1"}
        ) as response:
            assert response.status == 200
            assert response.headers["X-Correlation-ID"] == "c-1"
            assert response.headers["Date"] == "Sat, 25 Jul 2026 17:20:00 GMT"
            assert (await response.json())["quantityOnStock"] == 6
        assert simulator.true_stock("A") == 6


async def test_f082_long_target_reaches_the_simulator_and_gets_414() -> None:
    """The server's own line limit does not hide the platform's."""
    async with _served() as (_, session, path), session.get(path, params={"where": "x" * 9000}) as response:
        assert response.status == 414


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("lost_answer", (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)),
        ("drop", (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)),
        ("truncated", (aiohttp.ClientPayloadError, aiohttp.ClientOSError)),
    ],
)
async def test_f051_broken_connection_on_the_wire(kind: str, error: Any) -> None:
    """The client sees a broken connection or a cut body."""
    async with _served() as (simulator, session, path):
        # The client repeats a GET on a broken reused connection by itself, so once is not enough.
        simulator.faults.add("inventory.get", kind, count=None)
        with pytest.raises(error):
            async with session.get(path) as response:
                await response.read()


async def test_f053_stalled_answer_ends_with_the_server_or_the_client() -> None:
    """A stalled request never answers; a client that gives up leaves nothing behind."""
    async with _served() as (simulator, session, path):
        simulator.faults.add("inventory.get", "stall")
        with pytest.raises(TimeoutError):
            await session.get(path, timeout=aiohttp.ClientTimeout(total=0.05))


async def test_f054_endless_and_huge_bodies() -> None:
    """An endless body goes on until the client leaves; a huge one has the size asked for."""
    async with _served() as (simulator, session, path):
        simulator.faults.add("inventory.get", "endless")
        async with session.get(path) as response:
            received = 0
            async for chunk in response.content.iter_chunked(65_536):
                received += len(chunk)
                if received > 1_000_000:
                    break
            response.close()
        simulator.faults.add("inventory.get", "huge", size_bytes=300_000)
        async with session.get(path) as response:
            assert len(await response.read()) > 300_000


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_f061_redirect_names_another_host(status: int) -> None:
    """The redirect is given as scripted; nothing is applied."""
    async with _served() as (simulator, session, path):
        simulator.faults.add("inventory.update", "redirect", status=status, location="http://127.0.0.1:1/x")
        async with session.post(path, data=orjson.dumps(ADD_ONE), allow_redirects=False) as response:
            assert (response.status, response.headers["Location"]) == (status, "http://127.0.0.1:1/x")
        assert simulator.true_stock("A") == 5


async def test_answers_that_are_no_json() -> None:
    """A front end's page, with 200 or 503, and a token answer of the wrong types."""
    async with _served() as (simulator, session, path):
        for kind, status in (("not_json", 200), ("unavailable_text", 503)):
            simulator.faults.add("inventory.get", kind)
            async with session.get(path) as response:
                assert (response.status, response.content_type) == (status, "text/html")
        simulator.faults.add("oauth.token", "garbage_token")
        async with session.post("/oauth/token") as response:
            assert (await response.json())["access_token"] == 42

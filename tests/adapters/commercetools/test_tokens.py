"""The access token through expiry, refusals and outages of its endpoint."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from archsyncd.domain.inventory import Unauthorised, Unreached, Written
from archsyncd.engine.ports import SecretFault
from tests.adapters.commercetools.bench import (
    ENTRY_ID,
    INCREMENT,
    SECRET,
    Bench,
    Said,
    entry_tree,
    fault,
    open_bench,
    open_client,
    options_for,
)

DONE = Written(ENTRY_ID, 5, 12)
DAY_SECONDS = 86_400


def invalid_token() -> Said:
    return fault(401, "invalid_token", "invalid_token")


async def settled(bench: Bench, calls: int) -> None:
    """Wait until the token endpoint was asked so often and its answer was taken in."""
    await bench.api.until(lambda: len(bench.api.token_seen) >= calls)
    await bench.client.write(INCREMENT)


async def test_the_token_call_is_what_the_vendor_documents(bench: Bench) -> None:
    """Client credentials travel in a Basic header and never in the form."""
    await bench.client.write(INCREMENT)
    (seen,) = bench.api.token_seen
    assert seen.method == "POST"
    assert seen.body == b"grant_type=client_credentials"
    assert seen.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert seen.headers["Authorization"] == "Basic Y2xpZW50LTE6Y2FuYXJ5LXNlY3JldC01ZjJkODE="
    assert len(bench.taken) == 1


async def test_many_calls_share_one_token_call(bench: Bench) -> None:
    """Twenty first calls at once fetch one token."""
    answers = await asyncio.gather(*(bench.client.write(INCREMENT) for _ in range(20)))
    assert set(answers) == {DONE}
    assert len(bench.api.token_seen) == 1


async def test_a_cancelled_caller_leaves_the_token_to_the_others(bench: Bench) -> None:
    """The caller that started the token call may go; who waits beside it still gets its token."""
    gate = asyncio.Event()
    bench.api.token_answers.append(Said(tree=bench.api.token().tree, after=gate))
    first = asyncio.create_task(bench.client.write(INCREMENT))
    await bench.api.until(lambda: bool(bench.api.token_seen))
    second = asyncio.create_task(bench.client.write(INCREMENT))
    await asyncio.sleep(0)
    first.cancel()
    gate.set()
    assert await second == DONE
    assert len(bench.api.token_seen) == 1


async def test_f042_a_token_ends_by_time_since_its_receipt_whatever_the_wall_clock_says(bench: Bench) -> None:
    """Wall clock jumps of an hour, ten years or back to 1970 change nothing; the monotonic end does."""
    await bench.client.write(INCREMENT)
    for wall_ms in (0, bench.clock.wall + 3_600_000, bench.clock.wall + 315_360_000_000):
        bench.clock.wall = wall_ms
        await bench.client.write(INCREMENT)
    assert len(bench.api.token_seen) == 1
    bench.clock.now += 2 * DAY_SECONDS
    await bench.client.write(INCREMENT)
    assert bench.api.seen[-1].headers["Authorization"] == "Bearer token-2"


async def test_a_token_is_renewed_five_minutes_early_without_holding_anybody_up(bench: Bench) -> None:
    """Inside the margin the old token serves while one call fetches the next."""
    await bench.client.write(INCREMENT)
    bench.clock.now += 2 * DAY_SECONDS - 301
    await bench.client.write(INCREMENT)
    assert len(bench.api.token_seen) == 1
    bench.clock.now += 2
    gate = asyncio.Event()
    bench.api.token_answers.append(Said(tree=bench.api.token().tree, after=gate))
    assert await asyncio.gather(*(bench.client.write(INCREMENT) for _ in range(5))) == [DONE] * 5
    assert {seen.headers["Authorization"] for seen in bench.api.seen} == {"Bearer token-1"}
    gate.set()
    await settled(bench, 2)
    while bench.api.seen[-1].headers["Authorization"] != "Bearer token-2":
        await bench.client.write(INCREMENT)
    assert len(bench.api.token_seen) == 2


async def test_a_short_token_is_not_renewed_on_every_call() -> None:
    """A lifetime below the margin is used for half of itself."""
    async with open_bench() as bench:
        bench.api.lifetime_seconds = 60
        for _ in range(5):
            await bench.client.write(INCREMENT)
        assert len(bench.api.token_seen) == 1


async def test_f066_an_expired_token_is_replaced_once_and_the_same_bytes_sent_again(bench: Bench) -> None:
    """401 in flight: one new token for all callers, one replay each, with the very same operation."""
    await bench.client.write(INCREMENT)
    bench.api.otherwise = lambda seen: (
        invalid_token() if seen.headers["Authorization"] == "Bearer token-1" else Said(tree=entry_tree())
    )
    places = len(bench.taken)
    bench.api.seen.clear()
    assert await asyncio.gather(*(bench.client.write(INCREMENT) for _ in range(8))) == [DONE] * 8
    assert len(bench.api.token_seen) == 2
    refused = [seen for seen in bench.api.seen if seen.headers["Authorization"] == "Bearer token-1"]
    replayed = [seen for seen in bench.api.seen if seen.headers["Authorization"] == "Bearer token-2"]
    assert len(refused) == len(replayed) == 8
    assert {seen.body for seen in refused} == {seen.body for seen in replayed}
    # The replays and the token call took their places; the first sendings had theirs already.
    assert len(bench.taken) == places + 9


async def test_f067_a_client_refused_for_good_stops_everybody(bench: Bench) -> None:
    """A new token that is refused too opens the circuit: no call and no token call follows, however often asked."""
    bench.api.otherwise = lambda _seen: invalid_token()
    first = await bench.client.write(INCREMENT)
    assert isinstance(first, Unauthorised)
    assert "invalid_token" in first.reason
    sent, tokens = len(bench.api.seen), len(bench.api.token_seen)
    assert (sent, tokens) == (2, 2)
    for _ in range(50):
        bench.clock.now += DAY_SECONDS
        assert await bench.client.write(INCREMENT) == first
        assert await bench.client.entries_by_id([ENTRY_ID]) == first
    assert (len(bench.api.seen), len(bench.api.token_seen)) == (sent, tokens)
    assert bench.client.unauthorised == first


async def test_f067_a_revoked_secret_stops_everybody_until_the_client_is_built_anew() -> None:
    """The token endpoint's refusal is asked for once; a new client with a new credential works."""
    async with open_bench() as bench:
        bench.api.token_answers.append(Said(401, {"error": "invalid_client", "statusCode": 401}))
        answers = await asyncio.gather(*(bench.client.write(INCREMENT) for _ in range(10)))
        assert all(isinstance(answer, Unauthorised) for answer in answers)
        assert len(bench.api.token_seen) == 1
        assert bench.api.seen == []
        assert "invalid_client" in str(bench.client.unauthorised)
        async with open_client(options_for(bench.api.port), secret=lambda: "another") as (anew, *_):
            assert await anew.write(INCREMENT) == DONE


@pytest.mark.parametrize(
    "said",
    [
        Said(503, text=b"down"),
        Said(429, text=b"", headers={"Retry-After": "30"}),
        Said(200, text=b"<html>captive portal</html>"),
        Said(200, tree={"access_token": "t\r\nX-Evil: 1", "expires_in": 100}),
        Said(200, tree={"access_token": "", "expires_in": 100}),
        Said(200, tree={"access_token": "t", "expires_in": True}),
        Said(200, tree={"access_token": "t", "expires_in": -5}),
        Said(200, tree={"access_token": "t", "expires_in": 10**30}),
        Said(200, tree={"access_token": "t", "expires_in": 100, "token_type": "mac"}),
        Said(200, tree=[1, 2]),
        Said(400, text=b"bad"),
        Said(302, text=b"", headers={"Location": "https://elsewhere.example/"}),
        Said(200, text=b"x" * 100_000),
    ],
    ids=str,
)
async def test_f068_an_unusable_token_endpoint_is_no_outage_while_the_token_lasts(
    bench: Bench, said: Said
) -> None:
    """The current token serves to its end; the endpoint is asked again after its backoff; then calls are Unreached."""
    await bench.client.write(INCREMENT)
    bench.clock.now += 2 * DAY_SECONDS - 200
    bench.api.token_answers.append(said)
    assert await bench.client.write(INCREMENT) == DONE
    await settled(bench, 2)
    for _ in range(20):
        assert await bench.client.write(INCREMENT) == DONE
    assert len(bench.api.token_seen) == 2
    bench.clock.now += 300
    bench.api.token_answers.append(said)
    answer = await bench.client.write(INCREMENT)
    assert isinstance(answer, Unreached)
    assert "token" in answer.reason
    calls = len(bench.api.token_seen)
    # Nobody asks again before the backoff has passed, and nobody was sent without a token.
    assert isinstance(await bench.client.write(INCREMENT), Unreached)
    assert len(bench.api.token_seen) == calls
    bench.clock.now += 61
    assert await bench.client.write(INCREMENT) == DONE


async def test_f068_the_backoff_of_the_token_endpoint_grows_and_is_bounded(bench: Bench) -> None:
    """An endpoint that is down is asked a few times a minute at first, then about once a minute, never in step."""
    bench.api.otherwise = lambda _seen: Said(tree=entry_tree())
    bench.api.token_answers.extend(Said(503, text=b"") for _ in range(100))
    asked_at: list[float] = []
    for _ in range(5_000):
        before = len(bench.api.token_seen)
        assert isinstance(await bench.client.write(INCREMENT), Unreached)
        if len(bench.api.token_seen) > before:
            asked_at.append(bench.clock.now)
        bench.clock.now += 0.125
    gaps = [later - earlier for earlier, later in itertools.pairwise(asked_at)]
    for gap, ceiling in zip(gaps, [1, 2, 4, 8, 16, 32, *[60] * 20], strict=False):
        assert ceiling / 2 <= gap <= ceiling + 0.125
    assert len(set(gaps)) == len(gaps)


async def test_f068_the_token_endpoints_retry_after_is_kept(bench: Bench) -> None:
    """A token endpoint that says when it may be asked again is not asked before."""
    bench.api.token_answers.append(Said(429, text=b"", headers={"Retry-After": "90"}))
    assert isinstance(await bench.client.write(INCREMENT), Unreached)
    bench.clock.now += 89
    assert isinstance(await bench.client.write(INCREMENT), Unreached)
    assert len(bench.api.token_seen) == 1
    bench.clock.now += 1
    assert await bench.client.write(INCREMENT) == DONE


async def test_a_secret_that_cannot_be_read_is_no_crash() -> None:
    """A credential file that is gone makes calls Unreached, with the reason, and nothing leaves."""

    def gone() -> str:
        raise SecretFault("the credential commercetools-client-secret is empty: write it")

    async with open_bench() as bench, open_client(options_for(bench.api.port), secret=gone) as (client, *_):
        answer = await client.write(INCREMENT)
        assert isinstance(answer, Unreached)
        assert "the credential commercetools-client-secret is empty: write it" in answer.reason
        assert bench.api.token_seen == []


async def test_closing_ends_a_token_call_under_way() -> None:
    """Stopping does not wait for a token endpoint that hangs, and leaves no task behind."""
    never = asyncio.Event()
    async with open_bench() as bench:
        bench.api.token_answers.append(Said(tree={}, after=never))
        asking = asyncio.create_task(bench.client.write(INCREMENT))
        await bench.api.until(lambda: bool(bench.api.token_seen))
        asking.cancel()
        await asyncio.wait_for(bench.client.close(), 2)
        never.set()
    assert SECRET not in repr(bench.client)

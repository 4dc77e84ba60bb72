"""Canaries: the client secret and the token show nowhere, whatever goes wrong."""

from __future__ import annotations

import asyncio
import logging
import traceback
from functools import partial

import pytest

from archsyncd.adapters.commercetools import tcp_connector
from archsyncd.wire.commercetools.exchange import Reply
from archsyncd.wire.commercetools.token import Grant, token_answer
from tests.adapters.commercetools.bench import (
    INCREMENT,
    SECRET,
    Said,
    fault,
    open_bench,
    open_client,
    options_for,
)
from tests.adapters.commercetools.test_network import FixedResolver
from tests.chaos import ChaosProxy, Fate, Kind

TOKEN = "canary-token-9c1e77"  # it is what we look for
BASIC = "Y2xpZW50LTE6Y2FuYXJ5LXNlY3JldC01ZjJkODE="


def tell(*things: object) -> str:
    """Everything a log line, a status page or an error report could show of these things."""
    return "\n".join(f"{thing!r} {thing!s}" for thing in things)


async def test_f171_no_failure_shows_the_secret_or_the_token(caplog: pytest.LogCaptureFixture) -> None:
    """Refusals, broken connections, broken answers and bad names leave no trace of either in logs or values."""
    caplog.set_level(logging.DEBUG)
    shown: list[object] = []
    async with open_bench() as bench, ChaosProxy("127.0.0.1", bench.api.port) as proxy:
        bench.api.token_answers.append(bench.api.token(access_token=TOKEN))
        async with open_client(options_for(proxy.port, write_seconds=0.3)) as (client, clock, *_):
            shown.append(await client.write(INCREMENT))
            for kind in (Kind.RESET_REQUEST, Kind.RESET_ANSWER, Kind.DROP_ANSWER, Kind.STALL_REQUEST):
                proxy.script.append(Fate(kind))
                shown.append(await client.write(INCREMENT))
            for said in (
                fault(400, "InvalidField"),
                fault(403, "insufficient_scope"),
                Said(500, text=b"<html>"),
                Said(200, text=b"not json"),
                Said(302, text=b"", headers={"Location": "https://elsewhere.example"}),
            ):
                bench.api.answers.append(said)
                shown.append(await client.write(INCREMENT))
            clock.now += 10**6
            bench.api.token_answers.append(Said(401, {"error": "invalid_client"}))
            shown += [await client.write(INCREMENT), client, client.__dict__, client.unauthorised]
        nowhere = partial(tcp_connector, resolver=FixedResolver("10.0.0.1"))
        options = options_for(1, auth_url="https://auth.shop.example", api_url="https://api.shop.example")
        async with open_client(options, nowhere) as (client, *_):
            shown.append(await client.write(INCREMENT))
    assert TOKEN in str(bench.api.seen[0].headers), "the canary must have flown"
    assert BASIC in str(bench.api.token_seen[0].headers)
    logs = "\n".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)
    for canary in (SECRET, TOKEN, BASIC):
        assert canary not in tell(*shown)
        assert canary not in logs
    assert "correlation-" in logs


async def test_f171_no_traceback_shows_the_secret() -> None:
    """An exception out of a call's depth prints its stack without the secret."""

    def secret() -> str:
        raise RuntimeError("the vault is closed")

    async with open_bench() as bench, open_client(options_for(bench.api.port), secret=secret) as (client, *_):
        try:
            await client.write(INCREMENT)
        except RuntimeError as error:
            text = "".join(traceback.format_exception(error))
        else:
            text = ""
    assert "the vault is closed" in text
    assert SECRET not in text


async def test_f171_a_cancelled_call_shows_nothing() -> None:
    """A task that is printed or cancelled in the middle of a call tells its state and not its token."""
    async with open_bench() as bench:
        bench.api.token_answers.append(bench.api.token(access_token=TOKEN))
        never = asyncio.Event()
        bench.api.answers.append(Said(after=never))
        calling = asyncio.create_task(bench.client.write(INCREMENT))
        await bench.api.until(lambda: bool(bench.api.seen))
        calling.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await calling
        shown = tell(calling, caught.value) + "".join(traceback.format_exception(caught.value))
        never.set()
    assert TOKEN not in shown
    assert SECRET not in shown


def test_f171_a_grant_does_not_print_its_token() -> None:
    """The value that carries the token keeps it out of its own repr."""
    grant = token_answer(Reply(200, b'{"access_token":"%s","expires_in":10}' % TOKEN.encode()))
    assert isinstance(grant, Grant)
    assert grant.access_token == TOKEN
    assert TOKEN not in tell(grant, Reply(200, TOKEN.encode()))

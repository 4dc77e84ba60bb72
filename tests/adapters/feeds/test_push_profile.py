"""Calls in words of their own: the signature first, over the bytes as they came, then the profile; none is refused in vain."""

from __future__ import annotations

import base64
import gzip
from typing import Any

import pytest

from archsyncd.domain.feed import Level
from archsyncd.domain.times import rfc3339
from archsyncd.wire.foreign.messages import BY_TIME
from tests.adapters.feeds.calling import NEXT_SECRET, called
from tests.adapters.feeds.test_push_schemes import HEX, KEY, TOKEN, digest, envelope
from tests.dialects.tellers import SITE, counted, reader_of, tally, tally_profile, ticker, ticker_profile
from tests.support.virtual_time import VirtualClock, virtual

TICKER = reader_of(ticker_profile())
TALLY = reader_of(tally_profile())
SHOWN = {"Authorization": f"Bearer {KEY}"}


def now_ms() -> int:
    return VirtualClock().wall_ms()


@virtual
async def test_a_signed_body_is_read_by_the_profile_and_an_unsigned_one_by_nobody() -> None:
    """The bytes that are signed are those that are read."""
    async with called(reader=TICKER) as desk:
        body = ticker(("A", 5, now_ms()), ("B", "viele", now_ms()))
        assert (await desk.call("c1", body)).told == {"status": "stored", "items": 2}
        assert (await desk.call("c1", body)).word == "duplicate"
        assert (await desk.call("c2", body, secret=NEXT_SECRET)).word == "bad_signature"
        assert (await desk.post(body + b" ", desk.headers("c3", body))).word == "bad_signature"
        (batch,) = desk.shelf.batches
        assert [one.on_hand for one in batch.records if isinstance(one, Level)] == [5]
        assert (batch.epoch, [one.id for one in batch.deliveries]) == (BY_TIME, ["c1"])
        (fault,) = batch.rejects
        assert "site.json:" in fault.reason
        assert (fault.path, fault.value, fault.sku) == ("/@bestand", '"viele"', "B")


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"<Meldung>", b'{"message": 1, "subscription": 2}', b"\x1f\x8b\x08"]
)
@virtual
async def test_f104_a_body_that_the_profile_cannot_read_is_stored_and_set_aside(body: bytes) -> None:
    """A refusal would not help: its sender knows of no profile, and gives up on addresses that refuse."""
    async with called(reader=TICKER) as desk:
        assert (await desk.call("c1", body)).told == {"status": "stored", "items": 1}
        (fault,) = desk.shelf.batches[0].rejects
        assert (fault.record_id, fault.payload, fault.reason[:20]) == ("c1", body, "profiles/site.json: ")


@virtual
async def test_a_call_that_tells_of_nothing_is_stored_all_the_same() -> None:
    """What the profile passes over is no fault, and the sender need not send it again."""
    async with called(reader=TALLY) as desk:
        assert (await desk.call("c1", tally({"kind": "price"}))).told == {"status": "stored", "items": 0}
        assert (await desk.call("c1", tally({"kind": "price"}))).word == "duplicate"


@virtual
async def test_without_an_id_the_same_body_is_the_same_message() -> None:
    """Its records are known by that, and their times keep them apart."""
    async with called(secret=KEY, scheme=HEX, reader=TICKER) as desk:

        async def call(body: bytes) -> Any:
            at = str(desk.clock.wall_ms() // 1000)
            return await desk.post(
                body, {"X-Signature": f"sha256={digest(at.encode() + b'.' + body).hex()}", "X-Time": at}
            )

        first, second = ticker(("A", 5, now_ms())), ticker(("A", 5, now_ms() - 1_000))
        assert [(await call(one)).status for one in (first, first, second)] == [202, 200, 202]
        told = [one for batch in desk.shelf.batches for one in batch.records]
        assert len({one.id for one in told}) == 2
        assert told[0].seq > told[1].seq


@pytest.mark.parametrize("packed", ["", "told", "silent"])
@virtual
async def test_what_pubsub_pushes_is_read_by_the_profile_with_its_attributes(packed: str) -> None:
    """It stands where it was published, which another attempt does not change."""
    async with called(secret=KEY, scheme=TOKEN, reader=TALLY) as desk:
        published = rfc3339(now_ms() - 60_000)
        body = _pushed(tally(counted("A", 5, None)), published, packed)
        assert (await desk.post(body, SHOWN)).told == {"status": "stored", "items": 1}
        assert (await desk.post(body, SHOWN)).word == "duplicate"
        (level,) = desk.shelf.batches[0].records
        assert isinstance(level, Level)
        assert (level.location, level.as_of, level.id) == ("WH1", published, "9001#1")


def _pushed(data: bytes, published: str, packed: str = "") -> bytes:
    told = SITE | ({"contentEncoding": "gzip"} if packed == "told" else {})
    made = envelope(gzip.compress(data) if packed else data, "9001", **told)
    return made.replace(b"2026-01-01T00:00:00Z", published.encode())


@virtual
async def test_an_envelope_that_is_spoilt_is_set_aside_too() -> None:
    """It would come for ever."""
    async with called(secret=KEY, scheme=TOKEN, reader=TALLY) as desk:
        body = _pushed(b"x", "").replace(base64.b64encode(b"x"), b"!")
        assert (await desk.post(body, SHOWN)).told == {"status": "stored", "items": 1}
        assert len(desk.shelf.batches[0].rejects) == 1


@virtual
async def test_a_plain_call_has_no_attributes() -> None:
    """A field that is filled from one is not stated there."""
    async with called(reader=TALLY) as desk:
        await desk.call("c1", tally(counted("A", 5, now_ms())))
        (fault,) = desk.shelf.batches[0].rejects
        assert fault.path == "the message's attribute werk"

"""Other senders' calls: signatures of other shapes, calls that only name SKUs, and what Pub/Sub pushes."""

from __future__ import annotations

import base64
import gzip
import hashlib
import hmac
import json
from typing import Any

import pytest

from archsyncd.domain.feed import Level
from archsyncd.wire.webhook import Algorithm, Scheme
from tests.adapters.feeds.calling import batch, called, level
from tests.support.virtual_time import virtual

KEY = "a shared secret of a sender"
SHOPIFY = Scheme(
    header="X-Shopify-Hmac-Sha256",
    prefix="",
    content="{body}",
    id_header="X-Shopify-Webhook-Id",
    ts_header="",
)
HEX = Scheme(
    header="X-Signature",
    encoding="hex",
    prefix="sha256=",
    content="{ts}.{body}",
    id_header="",
    ts_header="X-Time",
)
TOKEN = Scheme(header="Authorization", algorithm=Algorithm.TOKEN, prefix="Bearer", id_header="", ts_header="")
QUERY = Scheme(header="", algorithm=Algorithm.TOKEN, prefix="", id_header="", ts_header="")


def digest(text: bytes) -> bytes:
    return hmac.new(KEY.encode(), text, hashlib.sha256).digest()


@virtual
async def test_a_signature_over_the_body_alone_in_base64() -> None:
    """The id is nobody's word: with another body, or without one, it is another message."""
    async with called(secret=KEY, scheme=SHOPIFY) as desk:
        body = batch(level(1))
        headers = {
            "X-Shopify-Hmac-Sha256": base64.b64encode(digest(body)).decode(),
            "X-Shopify-Webhook-Id": "b54557e4-bdd9",
        }
        assert (await desk.post(body, headers)).status == 202
        assert (await desk.post(body, headers)).status == 200
        other = batch(level(2))
        signed = headers | {"X-Shopify-Hmac-Sha256": base64.b64encode(digest(other)).decode()}
        assert (await desk.post(other, signed)).status == 202
        assert (await desk.post(other, headers)).word == "bad_signature"
        assert (await desk.post(batch(level(3)), headers)).word == "bad_signature"


@virtual
async def test_a_signature_in_hexadecimal_over_time_and_body() -> None:
    """Without an id the same body is the same message; the time is signed, in milliseconds here."""
    async with called(secret=KEY, scheme=HEX) as desk:
        body = batch(level(1))
        now = str(desk.clock.wall_ms())
        headers = {"X-Signature": f"sha256={digest(now.encode() + b'.' + body).hex()}", "X-Time": now}
        assert (await desk.post(body, headers)).status == 202
        assert (await desk.post(body, headers)).status == 200
        assert (await desk.post(body, headers | {"X-Time": str(int(now) + 1)})).word == "bad_signature"
        assert (await desk.post(body, headers | {"X-Time": "soon"})).word == "stale_timestamp"


@pytest.mark.parametrize("told", [KEY[:-1], KEY + "x", "", KEY.upper()])
@virtual
async def test_a_token_lets_in_who_tells_all_of_it(told: str) -> None:
    """In a header, where a sender cannot sign."""
    async with called(secret=KEY, scheme=TOKEN) as desk:
        body = batch(level(1))
        assert (await desk.post(body, {"Authorization": f"Bearer {told}"})).word == "bad_signature"
        assert (await desk.post(body, {"Authorization": f"Bearer {KEY}"})).status == 202


@virtual
async def test_a_token_in_the_address() -> None:
    """As Pub/Sub's push endpoints carry it."""
    async with called(secret="0123456789abcdef0123", scheme=QUERY) as desk:
        body = batch(level(1))
        assert (await desk.post(body, {}, params={"token": "0123456789abcdef012"})).status == 401
        assert (await desk.post(body, {}, params={"token": "0123456789abcdef0123"})).status == 202


def envelope(data: bytes, message_id: str = "9001", **attributes: str) -> bytes:
    told: dict[str, Any] = {
        "message": {
            "data": base64.b64encode(data).decode(),
            "attributes": {"schema": "r247/1", "epoch": "e1", "feed": "main"} | attributes,
            "messageId": message_id,
            "publishTime": "2026-01-01T00:00:00Z",
        },
        "subscription": "projects/p/subscriptions/s",
    }
    return json.dumps(told).encode()


@virtual
async def test_what_pubsub_pushes_is_opened() -> None:
    """One record or many, packed or not; its own id tells a message that comes again."""
    async with called(secret="0123456789abcdef0123", scheme=QUERY) as desk:
        token = {"token": "0123456789abcdef0123"}
        one = envelope(json.dumps(level(1)).encode())
        assert (await desk.post(one, {}, params=token)).status == 202
        assert (await desk.post(one + b" ", {}, params=token)).status == 200
        many = gzip.compress(json.dumps({"items": [level(2), level(3, "B")]}).encode())
        packed = envelope(many, "9002", contentEncoding="gzip")
        assert (await desk.post(packed, {}, params=token)).told["items"] == 2
        told = [one for got in desk.shelf.batches for one in got.records if isinstance(one, Level)]
        assert [(one.seq, one.sku) for one in told] == [(1, "A"), (2, "A"), (3, "B")]
        assert {one.id for got in desk.shelf.batches for one in got.deliveries} == {
            "pubsub.9001",
            "pubsub.9002",
        }


@virtual
async def test_poison_that_pubsub_pushes_is_set_aside_or_it_would_come_for_ever() -> None:
    """Data that are no record, no base64, or packed otherwise than they say; a bomb is not unpacked."""
    async with called(secret="0123456789abcdef0123", scheme=QUERY) as desk:
        token = {"token": "0123456789abcdef0123"}
        for number, data in enumerate((b"no json", b"[1]", b'{"type":"stock.level"}', b'{"items":[{}]}')):
            answer = await desk.post(envelope(data, f"p{number}"), {}, params=token)
            assert (answer.status, answer.told["items"]) == (202, 1)
        assert [len(got.rejects) for got in desk.shelf.batches] == [1, 1, 1, 1]
        assert (await desk.post(envelope(b'{"items":[]}', "none"), {}, params=token)).told["items"] == 0
        bomb = envelope(gzip.compress(b" " * 20_000_000), "b", contentEncoding="gzip")
        other = envelope(b"{}", "o", contentEncoding="br")
        spoilt = envelope(b"{}", "s").replace(b'"data": "', b'"data": "?')
        for body in (bomb, envelope(b"x", "g", contentEncoding="gzip"), other, spoilt):
            answer = await desk.post(body, {}, params=token)
            assert (answer.status, answer.told["items"]) == (202, 1)
        told = [one.code for got in desk.shelf.batches[4:] for one in got.rejects]
        assert told == ["too_large", "not_gzip", "unknown_encoding", "not_base64"]


@virtual
async def test_an_attribute_that_nobody_reads_refuses_no_message() -> None:
    """Libraries and tracers add their own; what says of which epoch it is must be there."""
    async with called(secret="0123456789abcdef0123", scheme=QUERY) as desk:
        token = {"token": "0123456789abcdef0123"}
        one = json.dumps(level(1)).encode()
        told = {"googclient_schemaencoding": "x" * 1000, "trace": "a\nb", "contentType": ""}
        assert (await desk.post(envelope(one, "t", **told), {}, params=token)).status == 202
        assert [len(got.records) for got in desk.shelf.batches] == [1]
        for body in (envelope(one, "e", epoch=""), envelope(one, "")):
            assert (await desk.post(body, {}, params=token)).status == 400


@pytest.mark.parametrize(
    ("pointer", "body", "skus"),
    [
        ("/sku", {"sku": "A"}, ("A",)),
        ("/data/items/*/sku", {"data": {"items": [{"sku": "A"}, {"sku": "B"}, {"sku": "A"}]}}, ("A", "B")),
        ("/*/id", [{"id": "X-1"}, {"other": 1}], ("X-1",)),
    ],
)
@virtual
async def test_a_thin_call_only_names_what_is_to_be_read(
    pointer: str, body: object, skus: tuple[str, ...]
) -> None:
    """Said twice it is two changes where the sender tells no id, and one where it does."""
    async with called(fetch=True, sku_path=pointer) as desk:
        data = json.dumps(body).encode()
        assert (await desk.call("m1", data)).status == 202
        assert (await desk.call("m1", data)).status == 200
        assert (await desk.call("m2", data)).status == 202
        assert [told.skus for told in desk.shelf.batches] == [skus, skus]
        assert [told.records for told in desk.shelf.batches] == [(), ()]


@virtual
async def test_a_thin_call_without_ids_is_never_a_duplicate() -> None:
    """The same few bytes, later, mean that something changed again."""
    async with called(secret=KEY, scheme=SHOPIFY_BARE, fetch=True) as desk:
        body = b'{"sku":"A"}'
        headers = {"X-Hmac": base64.b64encode(digest(body)).decode()}
        assert (await desk.post(body, headers)).status == 202
        await desk.clock.sleep(2)
        assert (await desk.post(body, headers)).status == 202


SHOPIFY_BARE = Scheme(header="X-Hmac", prefix="", content="{body}", id_header="", ts_header="")


@pytest.mark.parametrize("body", [b"{}", b'{"sku":5}', b'{"sku":""}', b'{"sku":null}', b"[]", b"x"])
@virtual
async def test_a_thin_call_that_names_nothing_is_malformed(body: bytes) -> None:
    """And says where it was looked for."""
    async with called(fetch=True) as desk:
        answer = await desk.call("m1", body)
        assert (answer.status, answer.word) == (400, "malformed")

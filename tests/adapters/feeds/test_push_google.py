"""Pub/Sub's authenticated push: Google's tokens verified by its published keys, which are fetched and kept."""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import jwt
import pytest
import trustme
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from archsyncd.adapters.webhook.google_keys import ASK_AGAIN_SECONDS, KEEP_LEAST_SECONDS, GoogleKeys
from archsyncd.wire.oidc import NoIdentity, identify, read_keys
from archsyncd.wire.webhook import google_scheme
from tests.adapters.feeds.calling import Desk, called, level
from tests.adapters.feeds.servers import scripted
from tests.adapters.feeds.test_push_schemes import envelope
from tests.support.virtual_time import START_WALL_MS, VirtualClock, virtual

AUDIENCE = "https://calls.test/hooks/r247"
EMAIL = "push@project.iam.gserviceaccount.com"
NOW = START_WALL_MS // 1000
KEYS = {name: rsa.generate_private_key(65537, 2048) for name in ("k1", "k2")}
CLAIMS: dict[str, Any] = {
    "iss": "https://accounts.google.com",
    "aud": AUDIENCE,
    "email": EMAIL,
    "email_verified": True,
    "iat": NOW - 10,
    "exp": NOW + 3590,
    "sub": "1",
}


def token(kid: str = "k1", signed_by: str = "", algorithm: str = "RS256", **claims: Any) -> str:
    told = {name: value for name, value in (CLAIMS | claims).items() if value is not None}
    return jwt.encode(told, KEYS[signed_by or kid], algorithm=algorithm, headers={"kid": kid})


def document(*names: str) -> dict[str, Any]:
    """Google's list of keys."""
    listed = [json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(KEYS[name].public_key())) for name in names]
    return {
        "keys": [
            one | {"kid": name, "alg": "RS256", "use": "sig"} for one, name in zip(listed, names, strict=True)
        ]
    }


PUBLISHED = read_keys(document("k1", "k2"))


class Google:
    """Publishes keys, by TLS."""

    def __init__(self) -> None:
        self.asked = 0
        self.names: tuple[str, ...] = ("k1",)
        self.answer: web.Response | None = None

    async def respond(self, request: web.Request) -> web.StreamResponse:
        self.asked += 1
        if self.answer is not None and request.path != "/elsewhere":
            return web.Response(status=self.answer.status, body=self.answer.body, headers=self.answer.headers)
        return web.json_response(document(*self.names), headers={"Cache-Control": "public, max-age=600"})


@asynccontextmanager
async def google_calls() -> AsyncIterator[tuple[Google, Desk]]:
    authority, google = trustme.CA(), Google()
    served, trusted = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(served)
    authority.configure_trust(trusted)
    async with scripted(google.respond, served) as url:
        keys = GoogleKeys(VirtualClock(), lambda: trusted, url)
        async with called(secret="", scheme=google_scheme(AUDIENCE, EMAIL), google=keys) as desk:
            yield google, desk


def bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


def message(number: int) -> bytes:
    return envelope(json.dumps(level(number)).encode(), f"n{number}")


@virtual
async def test_a_token_of_google_s_for_us_lets_its_message_in_and_keys_are_fetched_once() -> None:
    """No secret of ours is needed; a message that comes again is known by its id."""
    async with google_calls() as (google, desk):
        for number in (1, 2):
            assert (await desk.post(message(number), bearer(token()))).status == 202
        assert (await desk.post(message(2), bearer(token(iat=NOW)))).status == 200
        assert google.asked == 1


@virtual
async def test_f100_a_part_of_a_snapshot_is_set_aside_as_a_whole() -> None:
    """None of its levels is taken for a record of its own: nobody would have counted or judged them."""
    part = {"type": "snapshot.part", "snapshotId": "s-9", "part": 1, "items": [level(1), level(2, "B", 0)]}
    end = {
        "type": "snapshot.end",
        "snapshotId": "s-9",
        "parts": 1,
        "seqAt": "2",
        "asOf": "2026-01-01T00:00:00Z",
    }
    async with google_calls() as (_, desk):
        for number, told in enumerate((part, end)):
            body = envelope(json.dumps(told).encode(), f"n{number}")
            assert (await desk.post(body, bearer(token()))).status == 202
        assert [one.records for one in desk.shelf.batches] == [(), ()]
        rejects = [reject for one in desk.shelf.batches for reject in one.rejects]
        assert [(one.code, one.stock) for one in rejects] == [("unknown_type", False)] * 2
        assert (rejects[0].record_id, "snapshot_from" in rejects[0].reason) == ("s-9", True)


@virtual
async def test_f168_a_token_that_is_not_google_s_or_not_for_us_is_refused() -> None:
    """Each claim counts, and so does who signs; nobody is told which it was."""
    async with google_calls() as (google, desk):
        bad = [
            "",
            "x",
            "a.b.c",
            "\xff.b.c",
            base64.urlsafe_b64encode(b"[" * 5_000).decode() + ".b.c",
            token(signed_by="k2"),
            token(aud="https://other.test/"),
            token(aud=[AUDIENCE]),
            token(email="someone@project.iam.gserviceaccount.com"),
            token(email=None),
            token(email_verified=False),
            token(email_verified="true"),
            token(iss="https://evil.test"),
            token(exp=NOW - 1),
            token(exp=None),
            token(iat=NOW + 400),
            jwt.encode(CLAIMS, "", algorithm="none", headers={"kid": "k1"}),
            jwt.encode(CLAIMS, "k" * 32, algorithm="HS256", headers={"kid": "k1"}),
            token(algorithm="PS256"),
        ]
        for text in bad:
            answer = await desk.post(message(1), bearer(text))
            assert (answer.status, answer.told) == (401, {"code": "bad_signature"}), text
        assert "audience and email" in desk.notes["calls calls"]
        assert (await desk.post(message(1), bearer(token()))).status == 202
        assert google.asked == 1


@virtual
async def test_a_key_that_is_new_is_looked_for_once_a_minute_at_most() -> None:
    """Google changes its keys; strangers' tokens must not have it asked for each."""
    async with google_calls() as (google, desk):
        assert (await desk.post(message(1), bearer(token()))).status == 202
        google.names = ("k1", "k2")
        assert (await desk.post(message(2), bearer(token("k2")))).status == 401
        await desk.clock.sleep(ASK_AGAIN_SECONDS + 1)
        assert (await desk.post(message(2), bearer(token("k2")))).status == 202
        for _ in range(5):
            KEYS["k9"] = KEYS["k1"]
            assert (await desk.post(message(3), bearer(token("k9")))).status == 401
        assert google.asked == 2


@pytest.mark.parametrize(
    "answer",
    [
        web.Response(status=500),
        web.Response(status=302, headers={"Location": "/elsewhere"}),
        web.Response(body=b"no json"),
        web.Response(body=b"{}"),
        web.Response(body=b" " * 200_000),
    ],
    ids=["500", "redirect", "no json", "no keys", "too long"],
)
@virtual
async def test_f177_without_keys_callers_come_again_and_with_old_ones_they_are_let_in(
    answer: web.Response,
) -> None:
    """No redirect is followed, and what is no list of keys changes nothing."""
    async with google_calls() as (google, desk):
        google.answer = answer
        assert (await desk.post(message(1), bearer(token()))).status == 503
        assert "Google's keys" in desk.notes["calls calls"]
        google.answer = None
        await desk.clock.sleep(ASK_AGAIN_SECONDS + 1)
        assert (await desk.post(message(1), bearer(token(exp=NOW + 90_000)))).status == 202
        assert desk.notes == {}
        google.answer = answer
        await desk.clock.sleep(2 * KEEP_LEAST_SECONDS)
        assert (await desk.post(message(2), bearer(token(exp=NOW + 90_000)))).status == 202
        assert google.asked == 3


@given(st.data())
def test_f168_any_change_of_a_token_refuses(data: st.DataObject) -> None:
    """One letter is enough; the last of a part holds bits that stand for nothing."""
    good = token()
    identify(good, PUBLISHED, AUDIENCE, EMAIL, NOW)
    ends = {place - 1 for place, sign in enumerate(good + ".") if sign == "."}
    place = data.draw(st.sampled_from([one for one in range(len(good)) if one not in ends]))
    letter = data.draw(st.sampled_from("abcXYZ019-_."))
    changed = good[:place] + letter + good[place + 1 :]
    if changed != good:
        with pytest.raises(NoIdentity):
            identify(changed, PUBLISHED, AUDIENCE, EMAIL, NOW)


INNER = ["keys", "kid", "kty", "n", "e"]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(INNER), inner),
)


@given(ANYTHING)
def test_no_document_makes_the_reader_of_keys_fail(told: object) -> None:
    """It is a list of keys, or is refused."""
    with suppress(ValueError):
        assert read_keys(told) == {}

"""Tokens for Pub/Sub: by a service account's key or from the metadata server, kept, renewed, and refused in plain words."""

from __future__ import annotations

import functools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from archsyncd.adapters.pubsub import Caller, GoogleTokens, PubsubFeed, PubsubOptions, Subscription
from archsyncd.engine.ports import FeedFault, SecretFault
from tests.adapters.feeds.contract import levels
from tests.adapters.feeds.servers import scripted
from tests.adapters.feeds.subscribing import NAME, level, stand
from tests.adapters.feeds.test_pubsub import begun
from tests.support.virtual_time import VirtualClock, virtual


@functools.cache
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def account(uri: str, **changes: Any) -> str:
    """A key file as Google writes it; ... leaves a member out."""
    pem = key().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    told: dict[str, Any] = {
        "type": "service_account",
        "client_email": "reader@site.iam.gserviceaccount.com",
        "private_key": pem.decode(),
        "private_key_id": "k1",
        "token_uri": f"{uri}/token",
    }
    return json.dumps({name: value for name, value in (told | changes).items() if value is not ...})


class Bank:
    """Gives tokens, and takes down what it was asked with."""

    def __init__(self) -> None:
        self.forms: list[dict[str, str]] = []
        self.answer: dict[str, Any] = {"expires_in": 3600, "token_type": "Bearer"}
        self.refusal: tuple[int, dict[str, Any]] | None = None

    async def give(self, request: web.Request) -> web.StreamResponse:
        self.forms.append({name: str(value) for name, value in (await request.post()).items()})
        if self.refusal is not None:
            return web.json_response(self.refusal[1], status=self.refusal[0])
        machine = request.headers.get("Metadata-Flavor") == "Google" and "computeMetadata" in request.path
        body = {"access_token": f"token-{len(self.forms)}"} | self.answer
        return web.json_response(body, headers={"Metadata-Flavor": "Google"} if machine else {})


@asynccontextmanager
async def tokens(credential: str | None, url: str) -> AsyncIterator[GoogleTokens]:
    caller = Caller()
    try:
        yield GoogleTokens(caller, lambda: credential, VirtualClock(), url)
    finally:
        await caller.close()


async def fault_of(credential: str | None, url: str) -> FeedFault:
    async with tokens(credential, url) as asked:
        with pytest.raises(FeedFault) as fault:
            await asked.header()
        return fault.value


@virtual
async def test_a_statement_signed_by_the_key_is_exchanged_for_a_token_that_is_kept() -> None:
    """Scope, addressee and times are the statement's; before the token runs out another one is asked for."""
    bank = Bank()
    async with scripted(bank.give) as url, tokens(account(url), url) as mine:
        assert await mine.header() == "Bearer token-1"
        now = VirtualClock().wall_ms() // 1000
        options: Any = {"verify_exp": False, "verify_iat": False}
        stated = jwt.decode(
            bank.forms[0]["assertion"],
            key().public_key(),
            ["RS256"],
            audience=f"{url}/token",
            options=options,
        )
        assert stated["iss"] == "reader@site.iam.gserviceaccount.com"
        assert stated["scope"] == "https://www.googleapis.com/auth/pubsub"
        assert (stated["iat"], stated["exp"]) == (now, now + 3600)
        assert jwt.get_unverified_header(bank.forms[0]["assertion"])["kid"] == "k1"
        await VirtualClock().sleep(3_000)
        assert await mine.header() == "Bearer token-1"
        await VirtualClock().sleep(400)
        assert await mine.header() == "Bearer token-2"
        mine.refused()
        assert await mine.header() == "Bearer token-3"


@virtual
async def test_without_a_credential_the_machine_is_asked() -> None:
    """The metadata server must say that it is Google's; where there is none the reason names both ways."""
    bank = Bank()
    async with scripted(bank.give) as url:
        async with tokens(None, url) as machine:
            assert await machine.header() == "Bearer token-1"
        bank.refusal = (404, {})
        assert "service account attached" in (await fault_of(None, url)).reason
    fault = await fault_of(None, url)
    assert (fault.blind, "no credential" in fault.reason) == (True, True)


@virtual
async def test_f117_a_refused_key_is_for_a_person_and_a_wrong_clock_is_named() -> None:
    """Google's own words are told, none of the key's, and a server that is merely overloaded is waited out."""
    bank = Bank()
    async with scripted(bank.give) as url:
        bank.refusal = (400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."})
        fault = await fault_of(account(url), url)
        assert fault.blind
        assert "invalid_grant: Invalid JWT Signature." in fault.reason
        # The tests' clock stands in another year than the server's.
        assert "this host's clock is" in fault.reason
        bank.refusal = (503, {})
        assert not (await fault_of(account(url), url)).blind


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("no json", "is no JSON"),
        ('{"type":"authorized_user"}', "not service_account"),
        (account("https://token.test", private_key=...), "private_key is missing"),
        (account("https://token.test", private_key="secret nonsense"), "no RSA key in PEM"),
        (account("http://token.test"), "https is needed"),
    ],
)
@virtual
async def test_f117_a_credential_of_no_use_is_told_without_a_word_of_it(text: str, says: str) -> None:
    """Each for a person at once."""
    fault = await fault_of(text, "http://127.0.0.1:9")
    assert fault.blind
    assert says in fault.reason
    assert "nonsense" not in fault.reason


@virtual
async def test_f117_a_credential_that_cannot_be_read_is_told() -> None:
    """A file that is gone or spoilt makes the feed blind until it is there."""

    def ask() -> str:
        raise SecretFault("the credential feed-site is empty")

    with pytest.raises(FeedFault) as fault:
        await GoogleTokens(Caller(), ask, VirtualClock()).header()
    assert (fault.value.blind, fault.value.reason) == (True, "the credential feed-site is empty")


@pytest.mark.parametrize(
    "answer", [{"expires_in": -1}, {"expires_in": True}, {"access_token": "a\nb"}, {"access_token": 1}]
)
@virtual
async def test_a_token_that_could_not_stand_in_a_header_is_a_fault(answer: dict[str, Any]) -> None:
    """Nor one that does not say how long it lasts."""
    bank = Bank()
    bank.answer = {"expires_in": 3600} | answer
    async with scripted(bank.give) as url:
        assert "token answer" in (await fault_of(account(url), url)).reason


@virtual
async def test_a_token_that_pubsub_refuses_is_replaced_once() -> None:
    """It may have been withdrawn; a second refusal is for a person."""
    bank = Bank()
    async with scripted(bank.give) as url, stand() as here:
        here.broker.tokens = frozenset({"Bearer token-2"})
        here.say(level(1))
        options = PubsubOptions(name="site", subscription=NAME, url=here.url)
        caller = Caller()
        mine = GoogleTokens(caller, lambda: account(url), VirtualClock())
        feed = PubsubFeed(options, Subscription(options, caller, mine), VirtualClock(), lambda: None)
        here.feeds.append(feed)
        assert levels([await begun(feed)]) == [("A", 1)]
        here.broker.tokens = frozenset()
        with pytest.raises(FeedFault) as fault:
            await feed.subscription.pull()
        assert fault.value.blind

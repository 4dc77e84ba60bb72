"""The webhook, against real servers with real certificates."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import trustme
from aiohttp import web

from archsyncd.adapters.alerts import WebhookWay
from archsyncd.adapters.alerts.webhook import checked
from archsyncd.config.addresses import Url
from archsyncd.config.kinds import Refused
from archsyncd.engine.alerts import WayFault
from archsyncd.engine.ports import SecretFault
from archsyncd.wire.webhook import signing_key
from tests.adapters.alerts.samples import MESSAGE, NOW_MS, StillClock

SECRET = "whsec_" + base64.b64encode(b"a key of some length").decode()
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Taking:
    """Takes messages and keeps them as they came."""

    def __init__(self, status: int = 200, text: str = "ok") -> None:
        self.status = status
        self.text = text
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []

    async def take(self, request: web.Request) -> web.StreamResponse:
        self.bodies.append(await request.read())
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        return web.Response(status=self.status, text=self.text, headers={"Location": "/elsewhere"})


def server_context(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)
    return context


@asynccontextmanager
async def serving(handler: Handler, context: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """A server on this machine; its address."""
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    port = runner.addresses[0][1]
    try:
        yield f"https://localhost:{port}/hook" if context else f"http://127.0.0.1:{port}/hook"
    finally:
        await runner.cleanup()


def way(
    address: str, authority: trustme.CA | None = None, secret: str = SECRET, seconds: float = 5.0
) -> WebhookWay:
    context = ssl.create_default_context()
    if authority is not None:
        authority.configure_trust(context)
    return WebhookWay(lambda: address, lambda: secret, StillClock(), lambda: context, seconds)


async def test_a_message_arrives_over_verified_tls_in_the_form_that_slack_takes_and_nothing_else() -> None:
    """Text, and blocks that say the same; what a SKU holds is neither a mention nor a link there."""
    authority, taking = trustme.CA(), Taking()
    async with serving(taking.take, server_context(authority, "localhost")) as address:
        assert await way(address, authority).send("msg_1", MESSAGE) == "answered 200"
    told = json.loads(taking.bodies[0])
    assert set(told) == {"text", "blocks"}
    assert told["text"].startswith("[degraded] 12 open sku_not_found\nowner: data")
    assert "&lt;!channel&gt;" in told["text"]
    assert "<!channel>" not in taking.bodies[0].decode()
    assert [block["type"] for block in told["blocks"]] == ["section", "section"]


async def test_the_signature_is_what_the_standard_says() -> None:
    """Computed here anew from the headers and the bytes that came."""
    taking = Taking()
    async with serving(taking.take) as address:
        await way(address).send("msg_7", MESSAGE)
    headers, body = taking.headers[0], taking.bodies[0]
    assert headers["webhook-id"] == "msg_7"
    assert headers["webhook-timestamp"] == str(NOW_MS // 1000)
    signed = b".".join([b"msg_7", headers["webhook-timestamp"].encode(), body])
    expected = base64.b64encode(hmac.digest(b"a key of some length", signed, hashlib.sha256)).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"


async def test_without_a_secret_nothing_is_signed() -> None:
    """Chat services know their own address to be the secret."""
    taking = Taking()
    async with serving(taking.take) as address:
        await way(address, secret="").send("msg_1", MESSAGE)
    assert "webhook-signature" not in taking.headers[0]


async def test_f58_a_certificate_of_another_authority_or_another_name_is_refused() -> None:
    """No message leaves, and there is no way to have it leave."""
    authority, other, taking = trustme.CA(), trustme.CA(), Taking()
    async with serving(taking.take, server_context(authority, "localhost")) as address:
        with pytest.raises(WayFault, match="certificate refused"):
            await way(address, other).send("msg_1", MESSAGE)
    async with serving(taking.take, server_context(authority, "elsewhere.test")) as address:
        with pytest.raises(WayFault, match="certificate refused"):
            await way(address, authority).send("msg_1", MESSAGE)
    assert taking.bodies == []


@pytest.mark.parametrize("status", [301, 308, 404, 429, 500])
async def test_anything_but_success_is_a_fault_and_no_redirect_is_followed(status: int) -> None:
    """A message may not be carried to where nobody sent it."""
    taking = Taking(status, "no_service\x1b[2J")
    async with serving(taking.take) as address:
        with pytest.raises(WayFault, match=rf"answers {status}: no_service \[2J"):
            await way(address).send("msg_1", MESSAGE)
    assert len(taking.bodies) == 1


async def test_an_answer_that_never_ends_is_cut_off() -> None:
    """Only its beginning is read."""

    async def endless(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        for _ in range(1_000):
            await answer.write(b"x" * 65_536)
        return answer

    async with serving(endless) as address:
        assert await way(address).send("msg_1", MESSAGE) == "answered 200"


async def test_who_does_not_answer_is_given_up() -> None:
    """Nothing waits for ever."""
    held = asyncio.Event()

    async def silent(_request: web.Request) -> web.StreamResponse:
        await held.wait()
        return web.Response()

    async with serving(silent) as address:
        with pytest.raises(WayFault, match=r"no answer within 0\.2 s"):
            await way(address, seconds=0.2).send("msg_1", MESSAGE)
        held.set()


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.9.9.9", "[::1]", "localhost", "LOCALHOST", "example.test", "10.0.0.1"]
)
def test_plain_http_is_for_this_machine_as_the_configuration_sees_it(host: str) -> None:
    """What check-config takes in webhook_url is sent to, in the credential too; nothing else is."""
    address = f"http://{host}:8080/hook"
    try:
        taken = Url(hook=True).read(address) == address
    except Refused:
        taken = False
    assert taken == (host not in {"example.test", "10.0.0.1"})
    if taken:
        assert checked(address) == address
    else:
        with pytest.raises(ValueError, match="only to this machine itself"):
            checked(address)


async def test_a_fault_never_tells_the_address() -> None:
    """It is a secret as often as not."""
    for address in (
        "https://localhost:1/T0KEN",
        "ftp://x/T0KEN",
        "http://example.test/T0KEN",
        "https://[/T0KEN",
    ):
        with pytest.raises(WayFault) as fault:
            await way(address).send("msg_1", MESSAGE)
        assert "T0KEN" not in str(fault.value)
        assert "T0KEN" not in way(address).target


async def test_a_credential_that_cannot_be_used_is_a_fault_that_names_it() -> None:
    """It is asked for at each message, so a new one needs no restart of this part."""

    def refuse() -> str:
        raise SecretFault("the credential alert-webhook is empty")

    broken = WebhookWay(refuse, lambda: "", StillClock(), ssl.create_default_context)
    with pytest.raises(WayFault, match="alert-webhook is empty"):
        await broken.send("msg_1", MESSAGE)
    with pytest.raises(WayFault, match="no base64"):
        await way("https://localhost:1/", secret="whsec_!!").send("msg_1", MESSAGE)


def test_a_secret_is_base64_behind_its_prefix_and_plain_without_it() -> None:
    """As the standard writes secrets, and as people do."""
    assert signing_key(SECRET) == b"a key of some length"
    assert signing_key("plain words\n") == b"plain words"

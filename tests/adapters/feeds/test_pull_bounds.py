"""Bounds of a connection: time, size, address, credentials, certificates. Nothing leaves the configured origin."""

from __future__ import annotations

import asyncio
import base64
import ipaddress
import logging
import os
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import trustme
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from archsyncd.adapters.r247_pull import PullAuth, PullFeed, PullOptions, Sessions
from archsyncd.domain.feed import Batch, SnapshotDue
from archsyncd.engine.ports import FeedFault, SecretFault
from archsyncd.simulators.r247 import Auth, Fault, FaultKind
from tests.adapters.feeds.servers import (
    fault_of,
    first,
    opened,
    pages,
    raw_server,
    scripted,
    simulated,
)
from tests.support.virtual_time import VirtualClock, virtual


@pytest.mark.parametrize("status", [401, 403])
def test_f117_refused_credentials_make_the_feed_blind(status: int) -> None:
    """A person must act, and is told so once; the credential stands in no reason."""

    @virtual
    async def run() -> None:
        answer, _ = pages(web.Response(status=status))
        async with (
            scripted(answer) as url,
            opened(url, auth=PullAuth.BEARER, credential="canary-secret") as feed,
        ):
            fault = await fault_of(feed)
        assert fault.blind
        assert "canary" not in fault.reason

    run()


@pytest.mark.parametrize(
    ("auth", "credential", "header", "value"),
    [
        (PullAuth.NONE, "", "Authorization", None),
        (PullAuth.BEARER, "token\n", "Authorization", "Bearer token"),
        (
            PullAuth.BASIC,
            "user:pässword",
            "Authorization",
            "Basic " + base64.b64encode("user:pässword".encode()).decode(),
        ),
        (PullAuth.API_KEY, "key", "X-Api-Key", "key"),
    ],
)
def test_credentials_are_sent_as_configured(
    auth: PullAuth, credential: str, header: str, value: str | None
) -> None:
    """Bearer, basic or a header of the site's choice."""

    @virtual
    async def run() -> None:
        answer, asked = pages({})
        async with scripted(answer) as url, opened(url, auth=auth, credential=credential) as feed:
            await first(feed)
        assert asked[0].headers.get(header) == value

    run()


@pytest.mark.parametrize("credential", ["", "a\r\nX-Evil: 1", "tok\u00e9n", "no-colon", "x" * 10_000])
def test_a_credential_that_cannot_stand_in_a_header_is_not_sent(credential: str) -> None:
    """An empty, broken or endless one is a matter for a person, before any request."""

    @virtual
    async def run() -> None:
        answer, asked = pages({})
        auth = PullAuth.BASIC if credential == "no-colon" else PullAuth.BEARER
        async with scripted(answer) as url, opened(url, auth=auth, credential=credential) as feed:
            fault = await fault_of(feed)
        assert (fault.blind, asked) == (True, [])

    run()


@virtual
async def test_the_simulated_source_believes_our_credentials() -> None:
    """The whole way once, against a source that checks them."""
    async with simulated(auth=Auth.BASIC, credential="user:secret") as (_, url):
        async with opened(url, auth=PullAuth.BASIC, credential="user:secret") as feed:
            assert await feed.locations() == ("WH1",)
        async with opened(url, auth=PullAuth.BASIC, credential="user:wrong") as feed:
            with pytest.raises(FeedFault) as fault:
                await feed.locations()
            assert fault.value.blind


@pytest.mark.parametrize(
    ("status", "retry_after", "expected"),
    [
        (429, "7", 7.0),
        (503, "7", 7.0),
        (429, "86400", 300.0),
        (429, "-5", None),
        (429, "soon", None),
        (429, None, None),
        (500, None, None),
        (502, None, None),
        (504, None, None),
        (418, None, None),
        (400, None, None),
        (204, None, None),
    ],
)
def test_other_statuses_are_tried_again(status: int, retry_after: str | None, expected: float | None) -> None:
    """Retry-After is passed on within 300 s; the adapter itself does not wait or repeat."""

    @virtual
    async def run() -> None:
        headers = {} if retry_after is None else {"Retry-After": retry_after}
        answer, asked = pages(web.Response(status=status, headers=headers))
        async with scripted(answer) as url, opened(url) as feed:
            fault = await fault_of(feed)
        assert (fault.blind, fault.retry_after_seconds, len(asked)) == (False, expected, 1)

    run()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_f061_redirects_are_not_followed(status: int) -> None:
    """Neither to another host nor to the same one."""

    @virtual
    async def run() -> None:
        elsewhere, lured = pages({})
        async with scripted(elsewhere) as other:
            answer, asked = pages(web.Response(status=status, headers={"Location": f"{other}/v1/changes"}))
            async with scripted(answer) as url, opened(url) as feed:
                fault = await fault_of(feed)
        assert "redirects are not followed" in fault.reason
        assert (len(asked), lured) == (1, [])

    run()


@contextmanager
def environment(**changes: str) -> Iterator[None]:
    """Set variables of this process while the block lasts."""
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


@virtual
async def test_f062_proxies_of_the_environment_are_ignored() -> None:
    """Requests go to the configured address, whatever HTTP_PROXY says."""
    proxy, lured = pages({})
    answer, asked = pages({})
    async with scripted(proxy) as elsewhere, scripted(answer) as url, opened(url) as feed:
        with environment(HTTP_PROXY=elsewhere, http_proxy=elsewhere, ALL_PROXY=elsewhere, NO_PROXY=""):
            assert isinstance(await first(feed), Batch)
    assert (len(asked), lured) == (1, [])


@virtual
async def test_f177_addresses_in_cursors_are_text() -> None:
    """`next`, `cursor` and `nextPage` that are URLs of another origin come back to this origin as parameters."""
    async with simulated(heartbeat_seconds=1e9) as (source, url), opened(url) as feed:
        source.warehouse.seed("A", "WH1", 5)
        source.script.add(Fault(FaultKind.FOREIGN_NEXT))
        head = await (await feed.take_snapshot(["WH1"])).head()
        assert head.cursor is not None
        source.script.add(Fault(FaultKind.FOREIGN_NEXT))
        found = await first(feed, head.cursor)
        assert isinstance(found, Batch)
        assert found.checkpoint.startswith("https://elsewhere.example")
        assert isinstance(await first(feed, found.checkpoint), SnapshotDue)


@virtual
async def test_f177_names_in_paths_stay_names() -> None:
    """Slashes, dots, questions and other scripts in an order number or SKU do not move the path."""
    paths: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        paths.append(request.rel_url.raw_path)
        return web.json_response({"code": "unknown_order"}, status=404)

    async with scripted(answer) as url, opened(f"{url}/api/") as feed:
        for reference in ("../../admin", "..", "a/b?c=d#e", "CT-1", "品"):
            assert await feed.look_up_order(reference) is None
            assert await feed.read_key(reference) is None
    assert {path.count("/") for path in paths} == {4}
    assert {path.rsplit("/", 1)[0] for path in paths} == {"/api/v1/orders", "/api/v1/stock"}


@virtual
async def test_f054_an_answer_that_trickles_ends_at_its_deadline() -> None:
    """One byte a second does not hold the feed for longer than the total deadline."""

    async def trickle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b" ")
            await VirtualClock().sleep(1)

    async with scripted(trickle) as url, opened(url, total_seconds=30) as feed:
        clock = VirtualClock()
        began = clock.monotonic()
        fault = await fault_of(feed)
        assert "not ended within 30 s" in fault.reason
        assert clock.monotonic() - began < 40


@virtual
async def test_f054_a_source_that_does_not_answer_is_given_up() -> None:
    """The head of an answer must come within the wait and ten seconds."""

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)
        writer.close()

    async with raw_server(silent) as url, opened(url, wait_seconds=25) as feed:
        clock = VirtualClock()
        began = clock.monotonic()
        assert "no answer within 35 s" in (await fault_of(feed)).reason
        assert 35 <= clock.monotonic() - began < 40


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nX-Big: " + b"x" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: 1\r\n" % n for n in range(2_000)) + b"\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"10000\r\n" + b" " * 0x10000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        b"\x16\x03\x01garbage\r\n\r\n",
        b"",
    ],
)  # fmt: skip
def test_f054_answers_beyond_bounds_are_a_fault(answer: bytes) -> None:
    """Endless headers and bodies, cut-off, compressed and broken answers: a fault each, in bounded memory."""

    @virtual
    async def run() -> None:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()

        async with raw_server(talk) as url, opened(url, response_limit_bytes=65_000) as feed:
            fault = await fault_of(feed)
        assert fault.reason.startswith("GET /v1/changes [")
        assert not fault.blind

    run()


@virtual
async def test_every_request_can_be_found_again_by_its_correlation_id() -> None:
    """One id in the header, in the log line and in the fault's reason; another one for each request."""
    answer, asked = pages({}, web.Response(status=500))
    told: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = told.append  # type: ignore[method-assign,assignment]
    logger = logging.getLogger("archsyncd.adapters.r247_pull.caller")
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        async with scripted(answer) as url, opened(url) as feed:
            await first(feed, "secret-cursor")
            fault = await fault_of(feed, "secret-cursor")
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)
    ids = [request.headers["X-Correlation-ID"] for request in asked]
    assert len(set(ids)) == 2
    assert ids[1] in fault.reason
    assert [record.__dict__["correlation_id"] for record in told] == ids
    assert "secret" not in "".join(record.getMessage() for record in told) + fault.reason


def trusted(authority: trustme.CA, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Contexts of a server with a certificate for `name`, and of a client that trusts the authority."""
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert(name).configure_cert(server)
    authority.configure_trust(client)
    return server, client


@pytest.mark.parametrize("case", ["trusted", "unknown authority", "wrong name"])
def test_f058_only_a_verified_certificate_is_spoken_to(case: str) -> None:
    """Nothing is asked of a source whose certificate is not verified."""

    @virtual
    async def run() -> None:
        authority = trustme.CA()
        server, client = trusted(authority, "elsewhere.example" if case == "wrong name" else "127.0.0.1")
        if case == "unknown authority":
            client = ssl.create_default_context()
        answer, asked = pages({})
        loop = asyncio.get_running_loop()
        with loop.hold():  # type: ignore[attr-defined]
            async with scripted(answer, tls=server) as url, opened(url, tls=client) as feed:
                if case == "trusted":
                    assert isinstance(await first(feed), Batch)
                    return
                assert "certificate refused" in (await fault_of(feed)).reason
                assert asked == []

    run()


@pytest.mark.parametrize(
    "url",
    [
        "http://r247.example/api",
        "ftp://127.0.0.1",
        "https://user:pw@r247.example",
        "https://r247.example/?a=1",
        "https://r247.example/#x",
        "r247.example",
        "http://127.0.0.1.example",
    ],
)
def test_addresses_that_are_not_safe_to_talk_to_are_refused(url: str) -> None:
    """Plain HTTP leaves this host for nobody; secrets and parameters do not belong into an address."""
    with pytest.raises(ValueError, match="url"):
        PullOptions(name="main", url=url)


def test_a_tls_context_that_verifies_nothing_is_refused() -> None:
    """There is no way to switch the verification off."""
    loose = ssl.create_default_context()
    loose.check_hostname = False
    with pytest.raises(ValueError, match="verified"):
        Sessions(loose)


class FixedResolver(AbstractResolver):
    """Answers every name with the given addresses."""

    def __init__(self, *addresses: str) -> None:
        self._addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        del family
        return [
            ResolveResult(hostname=host, host=one, port=port, family=socket.AF_INET, proto=0, flags=0)
            for one in self._addresses
        ]

    async def close(self) -> None:
        pass


@pytest.mark.parametrize(
    ("addresses", "networks", "refused"),
    [
        (("127.0.0.1",), (), None),
        (("127.0.0.1",), ("127.0.0.0/8", "10.0.0.0/8"), None),
        (("127.0.0.1",), ("10.0.0.0/8",), "127.0.0.1"),
        (("127.0.0.1", "192.0.2.7"), ("127.0.0.0/8",), "192.0.2.7"),
    ],
)
@virtual
async def test_f050_the_source_must_lie_in_its_networks(
    addresses: tuple[str, ...], networks: tuple[str, ...], refused: str | None
) -> None:
    """A name server must not lead our credential elsewhere; without networks any address is taken."""
    answer, asked = pages({})
    allowed = tuple(ipaddress.ip_network(one) for one in networks)
    async with scripted(answer) as url:
        port = url.rpartition(":")[2]
        options = PullOptions(name="main", url=f"http://localhost:{port}", networks=allowed)
        sessions = Sessions(None, allowed, FixedResolver(*addresses))
        feed = PullFeed(options, lambda: "", VirtualClock(), sessions, lambda: None)
        try:
            if refused is None:
                assert isinstance(await first(feed), Batch)
            else:
                reason = (await fault_of(feed)).reason
                assert f"localhost resolves to {refused}, which is in no network of allow_cidr" in reason
                assert asked == []
        finally:
            await feed.close()


def test_f050_an_address_in_the_url_must_lie_in_the_networks() -> None:
    """It is never resolved, so it is looked at when the feed is made."""
    networks = (ipaddress.ip_network("10.0.0.0/8"),)
    with pytest.raises(ValueError, match=r"127\.0\.0\.1 lies in no network of allow_cidr"):
        PullOptions(name="main", url="http://127.0.0.1:1", networks=networks)
    PullOptions(name="main", url="https://10.1.2.3", networks=networks)
    PullOptions(name="main", url="https://[::ffff:10.1.2.3]", networks=networks)


@virtual
async def test_f060_other_authorities_count_for_new_connections() -> None:
    """A source whose certificate was renewed by another authority is read again after a reload, without a restart."""
    before, after = trustme.CA(), trustme.CA()
    _, old = trusted(before, "127.0.0.1")
    server, new = trusted(after, "127.0.0.1")
    answer, _ = pages({})
    loop = asyncio.get_running_loop()
    with loop.hold():  # type: ignore[attr-defined]
        async with scripted(answer, tls=server) as url, opened(url, tls=old) as feed:
            assert "certificate refused" in (await fault_of(feed)).reason
            feed.trust(new)
            assert isinstance(await first(feed), Batch)


@virtual
async def test_f117_a_credential_that_is_gone_is_told_and_waited_out() -> None:
    """It names the credential and the way out, and the next attempt asks for it again."""
    answer, asked = pages({})
    given: list[str] = []

    def credential() -> str:
        if not given:
            raise SecretFault("the credential feed-main is missing: write it")
        return given[0]

    async with scripted(answer) as url:
        options = PullOptions(name="main", url=url, auth=PullAuth.BEARER)
        feed = PullFeed(options, credential, VirtualClock(), Sessions(), lambda: None)
        try:
            fault = await fault_of(feed)
            assert (fault.reason, fault.blind) == (
                "the credential feed-main is missing: write it",
                True,
            )
            assert asked == []
            given.append("token")
            assert isinstance(await first(feed), Batch)
        finally:
            await feed.close()

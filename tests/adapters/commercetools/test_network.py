"""Broken networks and hostile peers: which failures mean that nothing was sent, and which that nobody knows."""

from __future__ import annotations

import asyncio
import gzip
import os
import resource
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from ipaddress import ip_network
from typing import Any

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from archsyncd.adapters.commercetools import ClientOptions, tcp_connector
from archsyncd.adapters.commercetools.guard import GuardedResolver, ThreadedResolver, is_public
from archsyncd.adapters.commercetools.transport import probed_socket
from archsyncd.domain.inventory import EntryPage, TooLarge, Unknown, Unreached, Written
from tests.adapters.commercetools.bench import (
    ENTRY_ID,
    INCREMENT,
    SCOPES,
    Bench,
    Said,
    entry_tree,
    open_bench,
    open_client,
    options_for,
    page_of,
)
from tests.chaos import ChaosProxy, Fate, Kind

DONE = Written(ENTRY_ID, 5, 12)
TOKEN_ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s"
)
TOKEN_BODY = b'{"access_token":"t","expires_in":172800,"scope":"%s","token_type":"Bearer"}' % SCOPES.encode()

# 200 MB of blanks, as one piece repeated so that making it stays small too.
BOMB = gzip.compress(b" " * 10_000_000) * 20


class FixedResolver(AbstractResolver):
    """Answers every name with the given addresses."""

    def __init__(self, *addresses: str, port: int | None = None) -> None:
        self._addresses = addresses
        self._port = port

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_INET,  # noqa: ARG002  # the port's own signature
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=self._port or port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in self._addresses
        ]

    async def close(self) -> None:
        """Nothing to close."""


@asynccontextmanager
async def behind_chaos(**more: Any) -> AsyncIterator[tuple[Bench, ChaosProxy]]:
    """A bench whose client goes through a chaos proxy, with its token fetched already."""
    async with open_bench() as bench, ChaosProxy("127.0.0.1", bench.api.port) as proxy:
        options = options_for(proxy.port, auth_url=f"http://127.0.0.1:{bench.api.port}", **more)
        async with open_client(options) as (client, clock, taken, correlations):
            bench.api.otherwise = lambda seen: (
                page_of(entry_tree()) if seen.method == "GET" else Said(tree=entry_tree())
            )
            yield Bench(bench.api, client, clock, taken, correlations), proxy


@asynccontextmanager
async def raw_server(answer: Callable[[asyncio.StreamWriter], Any]) -> AsyncIterator[int]:
    """A server that gives out tokens decently and answers everything else with raw bytes."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            if head.startswith(b"POST /oauth/token"):
                writer.write(TOKEN_ANSWER % (len(TOKEN_BODY), TOKEN_BODY))
                await writer.drain()
            else:
                await answer(writer)
        except (ConnectionError, asyncio.CancelledError, asyncio.IncompleteReadError):
            pass
        finally:
            tasks.discard(task)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def silent_port(family: socket.AddressFamily, address: str) -> AsyncIterator[int]:
    """A port that drops SYNs, as a black hole does: its accept queue is full."""
    listener = socket.socket(family, socket.SOCK_STREAM)
    held: list[socket.socket] = []
    try:
        listener.bind((address, 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        for _ in range(4):
            filler = socket.socket(family, socket.SOCK_STREAM)
            held.append(filler)
            filler.setblocking(False)
            filler.connect_ex((address, port))
        await asyncio.sleep(0)
        yield port
    finally:
        for each in (*held, listener):
            each.close()


# -- names and addresses ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [
        socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
        socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"),
        UnicodeError("label too long"),
    ],
    ids=["NXDOMAIN", "SERVFAIL", "not-a-name"],
)
async def test_f049_a_name_that_does_not_resolve_means_that_nothing_was_sent(error: Exception) -> None:
    """Name failures are Unreached, with the resolver's words and without a token call leaving."""

    def look_up(*_asked: Any) -> list[tuple[Any, ...]]:
        raise error

    options = options_for(1, api_url="https://api.shop.example", auth_url="https://auth.shop.example")
    connector = partial(tcp_connector, resolver=ThreadedResolver(look_up))
    async with open_client(options, connector) as (client, *_):
        answer = await client.write(INCREMENT)
        assert isinstance(answer, Unreached)
        assert "ClientConnectorDNSError" in answer.reason


async def test_f049_a_resolver_that_hangs_blocks_neither_the_loop_nor_other_names() -> None:
    """A look-up that never returns ends at the connect deadline; the loop turns meanwhile; other names resolve."""
    release = threading.Event()

    def look_up(host: str, *asked: Any) -> list[tuple[Any, ...]]:
        if host.startswith("api."):
            release.wait(20)
        return socket.getaddrinfo("127.0.0.1", *asked)

    resolver = ThreadedResolver(look_up)
    options = options_for(
        1, api_url="https://api.localhost", auth_url="https://api.localhost", connect_seconds=0.2
    )
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    try:
        async with open_client(options, partial(tcp_connector, resolver=resolver)) as (client, *_):
            answer = await asyncio.wait_for(client.write(INCREMENT), 3)
            assert isinstance(answer, Unreached)
            assert turns > 100
            found = await asyncio.wait_for(resolver.resolve("other.localhost", 80), 3)
            assert found[0]["host"] == "127.0.0.1"
    finally:
        release.set()
        counting.cancel()


async def test_f049_hanging_look_ups_are_bounded() -> None:
    """However many names hang, only a few threads wait for them."""
    release = threading.Event()
    loop = asyncio.get_running_loop()
    taken = asyncio.Event()
    waiting = 0

    def look_up(_host: str, *asked: Any) -> list[tuple[Any, ...]]:
        nonlocal waiting
        waiting += 1
        if waiting == 4:
            loop.call_soon_threadsafe(taken.set)
        release.wait(20)
        return socket.getaddrinfo("127.0.0.1", *asked)

    resolver = ThreadedResolver(look_up)
    asking = [asyncio.create_task(resolver.resolve(f"host-{n}", 80)) for n in range(50)]
    try:
        await asyncio.wait_for(taken.wait(), 5)
        for _ in range(200):
            await asyncio.sleep(0)
        assert waiting == 4
    finally:
        release.set()
        answers = await asyncio.wait_for(asyncio.gather(*asking), 10)
    assert len(answers) == 50


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.9",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "::1",
        "fe80::1%eth0",
        "fd00::1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "2002:a00:1::1",
        "nonsense",
    ],
)
async def test_f050_a_public_host_with_an_inner_address_is_refused(address: str) -> None:
    """An answer that points inwards, in whatever notation, is refused before a connection is tried."""
    assert not is_public(address)
    options = options_for(1, api_url="https://api.shop.example:9", auth_url="https://auth.shop.example:9")
    connector = partial(tcp_connector, resolver=FixedResolver(address))
    async with open_client(options, connector) as (client, *_):
        answer = await client.write(INCREMENT)
    assert isinstance(answer, Unreached)
    assert "no public address" in answer.reason


async def test_f050_a_private_link_is_let_through_within_the_networks_that_were_allowed() -> None:
    """Inner addresses of the stated networks may be called beside public ones, all other inner ones not."""
    allowed = (ip_network("10.20.0.0/16"), ip_network("fd00::/8"))
    for address in ("10.20.3.4", "fd00::1", "93.184.216.34"):
        found = await GuardedResolver(FixedResolver(address), allowed).resolve("api.shop.internal", 443)
        assert [each["host"] for each in found] == [address]
    for address in ("10.21.0.1", "127.0.0.1", "169.254.169.254", "::1"):
        with pytest.raises(OSError, match="allow_cidr"):
            await GuardedResolver(FixedResolver("10.20.3.4", address), allowed).resolve(
                "api.shop.internal", 443
            )


async def test_f050_one_inner_address_among_public_ones_refuses_all() -> None:
    """A mixed answer is refused whole: which of them is tried would be chance."""
    guard = GuardedResolver(FixedResolver("93.184.216.34", "10.0.0.1"))
    with pytest.raises(OSError, match=r"10\.0\.0\.1, which is no public address"):
        await guard.resolve("api.shop.example", 443)
    assert len(await GuardedResolver(FixedResolver("93.184.216.34")).resolve("api.shop.example", 443)) == 1
    assert is_public("2606:2800:220:1::1")
    assert is_public("64:ff9b::5db8:d822")
    # A configured name of this machine may be this machine.
    assert len(await GuardedResolver(FixedResolver("127.0.0.1")).resolve("localhost", 443)) == 1


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("api_url", "http://api.shop.example"),
        ("auth_url", "http://10.0.0.1"),
        ("api_url", "ftp://127.0.0.1"),
        ("api_url", "https://user:word@api.shop.example"),
        ("api_url", "https://api.shop.example?x=1"),
        ("api_url", "/relative"),
    ],
)
def test_f050_addresses_that_would_leak_are_refused_at_build_time(name: str, url: str) -> None:
    """Plain http beyond this machine, credentials in URLs and other schemes never make a client."""
    with pytest.raises(ValueError, match=name):
        options_for(1, **{name: url})


# -- connections --------------------------------------------------------------------------------------


async def test_f051_a_refused_connection_means_that_nothing_was_sent() -> None:
    """RST at connect is Unreached: the write may be repeated at once."""
    async with behind_chaos() as (bench, proxy):
        await bench.client.write(INCREMENT)
        port = proxy.port
        reserved = socket.socket()
        reserved.bind(("127.0.0.1", 0))
        closed_port = reserved.getsockname()[1]
        options = options_for(closed_port, auth_url=f"http://127.0.0.1:{bench.api.port}")
        assert port != closed_port
        async with open_client(options) as (client, *_):
            answer = await client.write(INCREMENT)
        reserved.close()
        assert isinstance(answer, Unreached)
        assert "ClientConnectorError" in answer.reason


@pytest.mark.parametrize(
    "fate",
    [
        Fate(Kind.RESET_AT_CONNECT),
        Fate(Kind.RESET_REQUEST),
        Fate(Kind.RESET_REQUEST, after_bytes=10),
        Fate(Kind.RESET_ANSWER),
        Fate(Kind.RESET_ANSWER, after_bytes=5),
        Fate(Kind.RESET_ANSWER, after_bytes=120),
        Fate(Kind.CLOSE_ANSWER, after_bytes=120),
    ],
    ids=str,
)
async def test_f051_a_connection_that_breaks_once_it_was_up_leaves_the_outcome_unknown(fate: Fate) -> None:
    """From the first byte on, nobody knows what a write did; the client repeats nothing by itself."""
    async with behind_chaos() as (bench, proxy):
        proxy.script.append(fate)
        answer = await bench.client.write(INCREMENT)
        assert isinstance(answer, Unknown), answer
        assert proxy.connections == 1
        assert len(bench.api.seen) <= 1
        assert await bench.client.write(INCREMENT) == DONE


@pytest.mark.parametrize("reads", [False, True])
async def test_f051_a_pooled_connection_that_died_is_not_retried_by_the_library(reads: bool) -> None:
    """A kept-alive connection that breaks under a request counts as unknown, for reads too: one retry layer."""
    async with behind_chaos() as (bench, proxy):
        assert await bench.client.write(INCREMENT) == DONE
        proxy.script.append(Fate(Kind.RESET_REQUEST))
        answer = await (bench.client.entries_by_id([ENTRY_ID]) if reads else bench.client.write(INCREMENT))
        assert isinstance(answer, Unknown)
        assert proxy.exchanges == 2
        assert proxy.connections == 1
        assert isinstance(await bench.client.entries_by_id([ENTRY_ID]), EntryPage)


async def test_f052_a_black_hole_ends_at_the_connect_deadline() -> None:
    """SYNs that nobody answers are given up within the connect deadline and mean that nothing was sent."""
    async with open_bench() as bench, silent_port(socket.AF_INET, "127.0.0.1") as port:
        options = options_for(port, auth_url=f"http://127.0.0.1:{bench.api.port}", connect_seconds=0.3)
        async with open_client(options) as (client, *_):
            answer = await asyncio.wait_for(client.write(INCREMENT), 3)
        assert isinstance(answer, Unreached)
        assert "Timeout" in answer.reason


def test_f052_the_connect_deadline_is_at_most_five_seconds_by_default() -> None:
    """Shipped limits: five seconds to connect, thirty for a write, well below the platform's sixty."""
    options = ClientOptions("https://a.example", "https://b.example", "shop", "client", "host")
    assert options.connect_seconds <= 5
    assert options.write_seconds == 30
    assert options.read_seconds < 60


async def test_f053_a_peer_that_went_silent_ends_at_the_total_deadline() -> None:
    """A request that is taken and never answered is Unknown after the deadline, never waited for on and on."""
    async with behind_chaos(write_seconds=0.3, silence_seconds=9.0) as (bench, proxy):
        await bench.client.write(INCREMENT)
        proxy.script.append(Fate(Kind.STALL_REQUEST))
        answer = await asyncio.wait_for(bench.client.write(INCREMENT), 3)
        assert isinstance(answer, Unknown)
        assert await bench.client.write(INCREMENT) == DONE


async def test_f053_connections_are_probed_by_the_kernel() -> None:
    """Every connection carries keepalive probes and a limit for unacknowledged bytes, so dead peers are noticed."""
    connector = tcp_connector(options_for(1))
    assert connector._socket_factory is probed_socket
    await connector.close()
    with probed_socket((socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 1))) as used:
        assert used.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert 0 < used.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) <= 30
        assert 0 < used.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) <= 30_000


async def test_f054_an_answer_that_drips_ends_at_the_deadline() -> None:
    """A peer that keeps sending a little, so that it is never silent, still meets the total deadline."""

    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"1\r\n \r\n")
            await writer.drain()
            await asyncio.sleep(0)

    async with raw_server(drip) as port:
        options = options_for(port, write_seconds=0.3, silence_seconds=0.2)
        async with open_client(options) as (client, *_):
            answer = await asyncio.wait_for(client.write(INCREMENT), 5)
    assert isinstance(answer, Unknown)


async def test_f054_an_endless_body_is_cut_off_at_the_cap() -> None:
    """Chunk after chunk without an end is dropped at the size cap, long before memory or the deadline."""

    async def flood(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")
            await writer.drain()

    async with (
        raw_server(flood) as port,
        open_client(options_for(port, answer_bytes=100_000)) as (client, *_),
    ):
        answer = await asyncio.wait_for(client.entries_by_id([ENTRY_ID]), 5)
    assert isinstance(answer, TooLarge)


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nX-Long: " + b"a" * 200_000,
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: a\r\n" % n for n in range(5_000)),
        b"HTTP/1.1 200 " + b"O" * 200_000,
        b"HTTP/9.9 banana\r\n\r\n",
        b"\x00\x01\x02 not HTTP at all\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
    ],
    ids=[
        "long-header",
        "many-headers",
        "long-status",
        "bad-status",
        "no-http",
        "negative-length",
        "two-framings",
        "bad-chunk",
        "bad-gzip",
    ],
)
async def test_f054_hostile_headers_and_framings_are_no_answer(head: bytes) -> None:
    """Header floods and broken framing end the connection; a write's outcome is then unknown."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        await writer.drain()

    async with raw_server(answer) as port, open_client(options_for(port)) as (client, *_):
        outcome = await asyncio.wait_for(client.write(INCREMENT), 5)
    assert isinstance(outcome, Unknown), outcome


async def test_f133_a_compressed_bomb_is_cut_off_at_the_cap() -> None:
    """The cap counts what comes out: a few kilobytes that would unfold to 200 MB never do."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"
        writer.write(head % len(BOMB) + BOMB)
        await writer.drain()

    before_kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    async with raw_server(answer) as port, open_client(options_for(port, answer_bytes=1_000_000)) as opened:
        outcome = await asyncio.wait_for(opened[0].entries_by_id([ENTRY_ID]), 5)
    assert isinstance(outcome, TooLarge)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kilobytes < 50_000


async def test_f054_an_answer_in_single_bytes_is_still_an_answer() -> None:
    """Slices are no fault: the answer is put together."""
    async with behind_chaos() as (bench, proxy):
        proxy.script.append(Fate(Kind.SLICE))
        assert await bench.client.write(INCREMENT) == DONE


async def test_f056_a_lost_answer_is_unknown_although_the_write_was_applied() -> None:
    """The server applied it, the answer never came: Unknown, one request seen, nothing repeated by the client."""
    async with behind_chaos() as (bench, proxy):
        proxy.script.append(Fate(Kind.DROP_ANSWER))
        answer = await bench.client.write(INCREMENT)
        assert isinstance(answer, Unknown)
        assert len(bench.api.seen) == 1
        batch = [INCREMENT, INCREMENT]
        proxy.script.append(Fate(Kind.DROP_ANSWER))
        assert isinstance(await bench.client.write_many(batch), Unknown)
        assert len(bench.api.seen) == 2


async def test_f056_a_late_duplicate_reaches_the_server_byte_for_byte() -> None:
    """What a network repeats later is the same request: only its version keeps it from counting twice."""
    async with behind_chaos() as (bench, proxy):
        proxy.script.append(Fate(Kind.DUPLICATE_LATE))
        assert await bench.client.write(INCREMENT) == DONE
        await proxy.repeat_late()
        assert [seen.body for seen in bench.api.seen] == [bench.api.seen[0].body] * 2


# -- redirects, proxies, address families -------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_f061_a_redirect_is_not_followed(status: int) -> None:
    """Wherever it points, no second request is made and no token travels; the status is told."""
    async with open_bench() as elsewhere, open_bench() as bench:
        target = f"http://127.0.0.1:{elsewhere.api.port}/stolen"
        bench.api.otherwise = lambda _seen: Said(status, text=b"", headers={"Location": target})
        for answer in (await bench.client.write(INCREMENT), await bench.client.entries_by_id([ENTRY_ID])):
            assert isinstance(answer, Unknown)
            assert answer.status == status
            assert "not followed" in answer.reason
        assert elsewhere.api.seen == []
        assert len(bench.api.seen) == 2


async def test_f062_proxies_in_the_environment_are_ignored() -> None:
    """Variables that would send our calls through a proxy change nothing."""
    async with open_bench() as proxy, open_bench() as bench:
        with environment(f"http://127.0.0.1:{proxy.api.port}"):
            assert await bench.client.write(INCREMENT) == DONE
        assert proxy.api.seen == []
        assert proxy.api.token_seen == []


@contextmanager
def environment(proxy_url: str) -> Iterator[None]:
    """Proxy variables of every spelling, and none that would exempt this machine."""
    before = dict(os.environ)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        os.environ[name] = os.environ[name.lower()] = proxy_url
    for name in ("NO_PROXY", "no_proxy"):
        os.environ.pop(name, None)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@pytest.mark.parametrize("broken", ["closed", "silent"])
async def test_f065_broken_ipv6_falls_back_within_the_connect_budget(broken: str) -> None:
    """When the IPv6 address refuses or swallows connections, the IPv4 one is used in time."""
    if not _has_ipv6():
        pytest.skip("this machine has no IPv6 loopback")
    async with silent_port(socket.AF_INET6, "::1") as silent, open_bench() as bench:
        resolver = _TwoFamilies(silent if broken == "silent" else 9, bench.api.port)
        url = f"http://api.localhost:{bench.api.port}"
        options = options_for(bench.api.port, api_url=url)
        async with open_client(options, partial(tcp_connector, resolver=resolver)) as (client, *_):
            assert await asyncio.wait_for(client.write(INCREMENT), 3) == DONE


class _TwoFamilies(FixedResolver):
    """A broken IPv6 address first, a working IPv4 address behind it."""

    def __init__(self, broken_port: int, working_port: int) -> None:
        super().__init__()
        self._broken = FixedResolver("::1", port=broken_port)
        self._working = FixedResolver("127.0.0.1", port=working_port)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            *await self._broken.resolve(host, port, family),
            *await self._working.resolve(host, port, family),
        ]


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True

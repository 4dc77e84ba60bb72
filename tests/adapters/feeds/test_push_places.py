"""Where calls come in: TLS with a certificate that is read again, Unix sockets, several feeds at one place, and no place."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
import trustme

from archsyncd.adapters.webhook import PushFeed
from archsyncd.config import FeedSettings, ListenAddress
from archsyncd.connections import push_options
from archsyncd.domain.fatal import Fatal
from archsyncd.engine.ports import FeedFault
from archsyncd.engine.shared import Shared
from archsyncd.receiving import Tls, receiving, renew_certificates
from tests.adapters.feeds.calling import PATH, SECRET, Shelf, batch, called, level, pump, standard
from tests.support.virtual_time import VirtualClock, virtual


@asynccontextmanager
async def places(
    *feeds: FeedSettings,
    secrets: Mapping[str, str] = {},
    passed: Mapping[str, socket.socket] = {},
) -> AsyncIterator[tuple[list[PushFeed], list[Shelf], Sequence[Tls]]]:
    """Feeds that are called where they say, each with a reader."""
    clock = VirtualClock()
    shelves = [Shelf() for _ in feeds]
    made = [
        PushFeed(push_options(feed), lambda: SECRET, lambda shelf=shelf: shelf, lambda: None)  # type: ignore[misc]
        for feed, shelf in zip(feeds, shelves, strict=True)
    ]
    told = list(zip(feeds, made, strict=True))
    async with receiving(told, Shared(clock), lambda name: secrets[name], passed) as certificates:
        reading = [
            asyncio.create_task(pump(feed, shelf, clock)) for feed, shelf in zip(made, shelves, strict=True)
        ]
        await asyncio.sleep(0.1)
        try:
            yield made, shelves, certificates
        finally:
            for task in reading:
                task.cancel()
            await asyncio.gather(*reading, return_exceptions=True)


def keep(file: Path) -> bytes:
    """What stands in a file."""
    return file.read_bytes()


def left(directory: Path) -> list[Path]:
    """What stands in a directory."""
    return list(directory.iterdir())


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


async def post(
    session: aiohttp.ClientSession, url: str, message_id: str = "m1", tls: ssl.SSLContext | bool = True
) -> int:
    body = batch(level(1))
    headers = standard(message_id, str(VirtualClock().wall_ms() // 1000), body, SECRET)
    async with session.post(url, data=body, headers=headers, ssl=tls) as answer:
        return answer.status


def patient(connector: aiohttp.BaseConnector | None = None) -> aiohttp.ClientSession:
    limits = aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None)
    return aiohttp.ClientSession(timeout=limits, connector=connector)


def issued(authority: trustme.CA, place: Path) -> str:
    """Write a certificate for this machine; its key."""
    made = authority.issue_cert("127.0.0.1")
    place.write_bytes(b"".join(blob.bytes() for blob in made.cert_chain_pems))
    return made.private_key_pem.bytes().decode()


@virtual
async def test_calls_come_by_tls_and_a_certificate_is_replaced_without_a_restart(tmp_path: Path) -> None:
    """One that cannot be used changes nothing."""
    first, second = trustme.CA(), trustme.CA()
    file, port = tmp_path / "calls.pem", free_port()
    secrets = {"feed-calls-key": issued(first, file)}
    feed = FeedSettings(
        name="calls",
        transport="push",
        listen=ListenAddress(host="127.0.0.1", port=port),
        certificate=file,
    )
    trusts = []
    for authority in (first, second):
        context = ssl.create_default_context()
        authority.configure_trust(context)
        trusts.append(context)
    url = f"https://127.0.0.1:{port}{PATH}"
    async with places(feed, secrets=secrets) as (_, _, certificates), patient() as session:
        assert await post(session, url, "m1", trusts[0]) == 202
        with pytest.raises(aiohttp.ClientError):
            await post(session, url.replace("https", "http"), "m2")
        good = secrets["feed-calls-key"]
        secrets["feed-calls-key"] = issued(trustme.CA(), tmp_path / "other.pem")
        with pytest.raises(Fatal, match="stays as it was"):
            renew_certificates(certificates)
        secrets["feed-calls-key"] = good
        before = keep(file)
        issued(second, file)
        with pytest.raises(Fatal, match="stays as it was"):
            renew_certificates(certificates)
        file.write_bytes(before)
        assert await post(session, url, "m3", trusts[0]) == 202
        secrets["feed-calls-key"] = issued(second, file)
        renew_certificates(certificates)
        assert await post(session, url, "m4", trusts[1]) == 202
        with pytest.raises(aiohttp.ClientError):
            await post(session, url, "m5", trusts[0])


@virtual
async def test_two_feeds_at_one_place_are_told_by_their_paths(tmp_path: Path) -> None:
    """Each has its own records; a Unix socket is a place too, and its file is gone afterwards."""
    address = ListenAddress(path=tmp_path / "calls.sock")
    one = FeedSettings(name="one", transport="push", listen=address)
    other = FeedSettings(name="other", transport="push", listen=address, path="/hooks/other")
    async with (
        places(one, other) as (_, shelves, _),
        patient(aiohttp.UnixConnector(str(tmp_path / "calls.sock"))) as session,
    ):
        assert await post(session, f"http://localhost{PATH}") == 202
        assert await post(session, "http://localhost/hooks/other") == 202
        assert [len(shelf.batches) for shelf in shelves] == [1, 1]
    assert not left(tmp_path)


@virtual
async def test_without_a_place_the_feed_says_what_to_do() -> None:
    """Neither a socket of systemd nor an address: its fault is the command that helps."""
    async with places(FeedSettings(name="calls", transport="push")) as (feeds, _, _):
        with pytest.raises(FeedFault, match=r"systemctl enable archsyncd-webhook\.socket") as fault:
            await anext(feeds[0].batches(None))
        assert not fault.value.blind


@virtual
async def test_a_socket_of_systemd_that_leaves_this_machine_is_not_served_in_the_clear() -> None:
    """A drop-in of the socket opened it to everybody: with a certificate it may be."""
    opened = socket.create_server(("0.0.0.0", 0))
    feed = FeedSettings(name="calls", transport="push")
    async with places(feed, passed={"webhook": opened}) as (feeds, _, _):
        with pytest.raises(FeedFault, match="certificate"):
            await anext(feeds[0].batches(None))
        assert opened.fileno() == -1


@virtual
async def test_a_certificate_that_cannot_be_used_keeps_its_feed_alone_from_working(tmp_path: Path) -> None:
    """Others are called as before."""
    spoilt = FeedSettings(
        name="spoilt",
        transport="push",
        listen=ListenAddress(host="127.0.0.1", port=free_port()),
        certificate=tmp_path / "none.pem",
    )
    port = free_port()
    good = FeedSettings(name="good", transport="push", listen=ListenAddress(host="127.0.0.1", port=port))
    async with places(spoilt, good, secrets={"feed-spoilt-key": "x"}) as (feeds, _, _), patient() as session:
        assert await post(session, f"http://127.0.0.1:{port}{PATH}") == 202
        with pytest.raises(FeedFault):
            await anext(feeds[0].batches(None))


@virtual
async def test_f108_a_call_that_breaks_off_is_not_stored_and_makes_no_noise(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Half a body, then nothing: as if it had never been."""
    with caplog.at_level(logging.INFO):
        async with called() as desk:
            body = batch(level(1))
            head = "".join(f"{name}: {value}\r\n" for name, value in desk.headers("m1", body).items())
            for part in (body[: len(body) // 2], b""):
                _, writer = await asyncio.open_connection("127.0.0.1", desk.port)
                start = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n{head}\r\n"
                writer.write(start.encode() + part)
                await writer.drain()
                await desk.clock.sleep(0.5)
                writer.close()
                await desk.clock.sleep(0.5)
            assert desk.shelf.batches == []
            assert (await desk.call("m1", body)).status == 202
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


@virtual
async def test_a_feed_is_read_once() -> None:
    """A second reader would take calls away from the first."""
    async with called() as desk:
        with pytest.raises(FeedFault, match="read once"):
            await anext(desk.feed.batches("0"))
        assert (await desk.call("m1", batch(level(1)))).status == 202


@virtual
async def test_what_became_of_calls_is_counted() -> None:
    """By kind, for the metrics."""
    async with called() as desk:
        body = batch(level(1))
        await desk.call("m1", body)
        await desk.call("m1", body)
        await desk.post(body, {})
        desk.shelf.full = True
        await desk.call("m2", body)
        counters = desk.shared.counters
        names = ("calls_stored", "calls_known", "calls_refused", "calls_put_off")
        assert [counters.get(name) for name in names] == [1, 1, 1, 1]

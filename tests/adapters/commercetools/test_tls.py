"""TLS: only a certificate for this host from a trusted authority is spoken to, and nothing turns that off."""

from __future__ import annotations

import asyncio
import re
import shutil
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trustme

from archsyncd.adapters.commercetools import HttpCommercetools, TrustMissing, tcp_connector
from archsyncd.domain.inventory import Unknown, Unreached, Written
from tests.adapters.commercetools.bench import (
    ENTRY_ID,
    INCREMENT,
    ManualClock,
    ScriptedApi,
    open_client,
    options_for,
)
from tests.adapters.commercetools.test_network import FixedResolver
from tests.chaos import ChaosProxy, Fate, Kind

HOST = "api.localhost"
DONE = Written(ENTRY_ID, 5, 12)


class TlsFront:
    """Ends TLS with a given certificate and passes what is inside to the scripted API."""

    def __init__(self, port: int, certificate: trustme.LeafCert) -> None:
        self._port = port
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        certificate.configure_cert(self._context)
        self._tasks: set[asyncio.Task[Any]] = set()
        self.server: asyncio.Server | None = None

    async def __aenter__(self) -> int:
        self.server = await asyncio.start_server(self._pass_on, "127.0.0.1", 0, ssl=self._context)
        port = self.server.sockets[0].getsockname()[1]
        assert isinstance(port, int)
        return port

    async def __aexit__(self, *_error: object) -> None:
        assert self.server is not None
        self.server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self._port)
        pumps = [
            asyncio.create_task(_pump(reader, inner_writer)),
            asyncio.create_task(_pump(inner_reader, writer)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            pass
        finally:
            # Closed before anything is awaited: this task may be cancelled at every await.
            inner_writer.close()
            writer.close()
            for pump in pumps:
                pump.cancel()
            self._tasks.discard(task)
            await asyncio.gather(*pumps, return_exceptions=True)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(65_536):
        writer.write(chunk)
        await writer.drain()


@pytest.fixture
async def api() -> AsyncIterator[ScriptedApi]:
    async with ScriptedApi() as opened:
        yield opened


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return path


@asynccontextmanager
async def ticking_client_at(port: int, **more: Any) -> AsyncIterator[tuple[HttpCommercetools, ManualClock]]:
    """A client of https://api.localhost, whose name resolves to this machine, and its clock."""
    url = f"https://{HOST}:{port}"
    connector = partial(tcp_connector, resolver=FixedResolver("127.0.0.1"))
    options = options_for(port, api_url=url, auth_url=url, **more)
    async with open_client(options, connector) as (client, clock, *_):
        yield client, clock


@asynccontextmanager
async def client_at(port: int, **more: Any) -> AsyncIterator[HttpCommercetools]:
    """The client alone."""
    async with ticking_client_at(port, **more) as (client, _):
        yield client


async def test_a_trusted_certificate_for_this_host_is_spoken_to(
    api: ScriptedApi, authority: trustme.CA, ca_file: Path
) -> None:
    """With the right authority and name, token and write go through, on one pooled connection each way."""
    async with (
        TlsFront(api.port, authority.issue_cert(HOST)) as port,
        client_at(port, ca_file=ca_file) as client,
    ):
        assert await client.write(INCREMENT) == DONE
        assert await client.write(INCREMENT) == DONE


@pytest.mark.parametrize("flaw", ["expired", "wrong host", "unknown authority", "self-signed"])
async def test_f058_a_certificate_that_does_not_verify_is_a_hard_failure(
    api: ScriptedApi, authority: trustme.CA, ca_file: Path, flaw: str
) -> None:
    """Expired, another host's, an unknown authority's: nothing is sent, not even the secret, and the reason is told."""
    reasons = {
        "expired": (
            authority.issue_cert(
                HOST,
                not_before=datetime(2020, 1, 1, tzinfo=UTC),
                not_after=datetime(2021, 1, 1, tzinfo=UTC),
            ),
            "expired",
        ),
        "wrong host": (authority.issue_cert("api.elsewhere.example"), "mismatch"),
        "unknown authority": (trustme.CA().issue_cert(HOST), "issuer"),
        "self-signed": (_self_signed(), "self"),
    }
    certificate, word = reasons[flaw]
    async with TlsFront(api.port, certificate) as port, client_at(port, ca_file=ca_file) as client:
        answer = await client.write(INCREMENT)
    assert isinstance(answer, Unreached)
    assert word in answer.reason.lower(), answer.reason
    assert api.token_seen == []
    assert api.seen == []


def _self_signed() -> trustme.LeafCert:
    """A leaf that brings its own root along in its chain."""
    authority = trustme.CA()
    leaf = authority.issue_cert(HOST)
    chain = [*(blob.bytes() for blob in leaf.cert_chain_pems), authority.cert_pem.bytes()]
    return trustme.LeafCert(leaf.private_key_pem.bytes(), chain[0], chain[1:])


async def test_f058_nothing_in_the_source_can_turn_verification_off() -> None:
    """There is no code path without verification: none of the known switches stands anywhere in the daemon."""
    root = Path(__file__).parents[3] / "daemon" / "archsyncd"
    switches = re.compile(
        r"CERT_NONE|check_hostname\s*=\s*False|ssl\s*=\s*False|verify\s*=\s*False|_unverified_context"
    )
    sources = sorted(root.rglob("*.py"))
    assert sources
    assert [path for path in sources if switches.search(path.read_text(encoding="utf-8"))] == []


async def test_f059_a_stalled_handshake_ends_at_the_connect_deadline(
    api: ScriptedApi, authority: trustme.CA, ca_file: Path
) -> None:
    """A peer that accepts and then says nothing is given up within the connect deadline; nothing was sent."""
    async with (
        TlsFront(api.port, authority.issue_cert(HOST)) as port,
        ChaosProxy("127.0.0.1", port) as proxy,
        client_at(proxy.port, ca_file=ca_file, connect_seconds=0.3) as client,
    ):
        proxy.script.append(Fate(Kind.STALL_CONNECT))
        answer = await asyncio.wait_for(client.write(INCREMENT), 3)
        assert isinstance(answer, Unreached)
        assert "Timeout" in answer.reason


async def test_f051_a_connection_that_breaks_inside_tls_leaves_the_outcome_unknown(
    api: ScriptedApi, authority: trustme.CA, ca_file: Path
) -> None:
    """Cut while the answer was under way, encrypted or not, nobody knows."""
    async with (
        TlsFront(api.port, authority.issue_cert(HOST)) as port,
        ChaosProxy("127.0.0.1", port) as proxy,
        client_at(proxy.port, ca_file=ca_file) as client,
    ):
        assert await client.write(INCREMENT) == DONE
        proxy.script.append(Fate(Kind.DROP_ANSWER))
        assert isinstance(await client.write(INCREMENT), Unknown)
        assert len(api.seen) == 2


async def test_f060_a_missing_or_broken_trust_store_refuses_to_start(tmp_path: Path) -> None:
    """Without authorities there is no client at all; the reason names the file."""
    broken = tmp_path / "broken.pem"
    broken.write_text("no certificate in here")
    for path in (tmp_path / "absent.pem", broken):
        with pytest.raises(TrustMissing, match=path.name):
            async with client_at(1, ca_file=path):
                pass


async def test_f060_rotated_authorities_count_after_a_reload(
    api: ScriptedApi, ca_file: Path, tmp_path: Path
) -> None:
    """A new bundle on disk is taken at the reload; one that went missing keeps the old trust and says so."""
    successor = trustme.CA()
    async with (
        TlsFront(api.port, successor.issue_cert(HOST)) as port,
        ticking_client_at(port, ca_file=ca_file) as (client, clock),
    ):
        assert isinstance(await client.write(INCREMENT), Unreached)
        shutil.move(ca_file, tmp_path / "old.pem")
        with pytest.raises(TrustMissing):
            client.reload_trust()
        successor.cert_pem.write_to_path(ca_file)
        client.reload_trust()
        clock.now += 60
        assert await client.write(INCREMENT) == DONE

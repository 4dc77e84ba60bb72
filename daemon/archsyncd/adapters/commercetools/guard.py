"""Names to addresses, off the loop, bounded, and only public ones for public hosts. Knows nothing of HTTP.

A name server that answers with a private address must not turn our credentials towards an inner host.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import threading
from collections.abc import Callable, Collection
from typing import Any, TypeAlias

from aiohttp.abc import AbstractResolver, ResolveResult

from archsyncd.adapters.commercetools.options import is_loopback_name

_LOOKUPS_AT_ONCE = 4
# 64:ff9b::/96 carries an IPv4 address in its last 32 bits (RFC 6052).
_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")
_NUMERIC = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
# socket.getaddrinfo's own shape: host, port, family, kind.
LookUp = Callable[[str, int, int, int], list[tuple[Any, ...]]]


class AddressRefused(OSError):
    """A public host resolved to an address that is not public."""


class ThreadedResolver(AbstractResolver):
    """The system's resolver in threads of its own, so that one that hangs holds up neither the loop nor the exit."""

    def __init__(self, look_up: LookUp = socket.getaddrinfo) -> None:
        self._look_up = look_up
        self._slots = asyncio.Semaphore(_LOOKUPS_AT_ONCE)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Resolve a name. Raises OSError. The caller's deadline bounds the wait, also the one for a free slot."""
        await self._slots.acquire()
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[list[tuple[Any, ...]]] = loop.create_future()
        # The slot is given back by the thread, not by the caller: one that gave up leaves its thread behind.
        thread = threading.Thread(
            target=self._run, args=(loop, answer, host, port, family), name="resolver", daemon=True
        )
        thread.start()
        return [_result(host, port, entry) for entry in await answer]

    def _run(
        self,
        loop: asyncio.AbstractEventLoop,
        answer: asyncio.Future[list[tuple[Any, ...]]],
        host: str,
        port: int,
        family: socket.AddressFamily,
    ) -> None:
        try:
            found: list[tuple[Any, ...]] | OSError = self._look_up(host, port, family, socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            found = error if isinstance(error, OSError) else OSError(str(error))
        try:
            loop.call_soon_threadsafe(self._settle, answer, found)
        except RuntimeError:
            return  # The loop is closed: nobody waits any more.

    def _settle(
        self, answer: asyncio.Future[list[tuple[Any, ...]]], found: list[tuple[Any, ...]] | OSError
    ) -> None:
        self._slots.release()
        if answer.done():
            return
        if isinstance(found, OSError):
            answer.set_exception(found)
        else:
            answer.set_result(found)

    async def close(self) -> None:
        """Nothing to release: threads end with their look-up."""


class GuardedResolver(AbstractResolver):
    """Refuses answers that would lead calls to an address that is neither public nor in a network that was allowed."""

    def __init__(self, inner: AbstractResolver, allowed: Collection[Network] = ()) -> None:
        self._inner = inner
        self._allowed = allowed

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Resolve a name. Raises AddressRefused when one of its addresses is neither public nor allowed."""
        results = await self._inner.resolve(host, port, family)
        if is_loopback_name(host):
            return results
        inner = [result["host"] for result in results if not self._may_be_called(result["host"])]
        if inner:
            raise AddressRefused(
                f"{host} resolves to {inner[0]}, which is no public address and in no network of allow_cidr"
            )
        return results

    def _may_be_called(self, address: str) -> bool:
        return is_public(address) or any(is_within(address, network) for network in self._allowed)

    async def close(self) -> None:
        """Close the resolver behind."""
        await self._inner.close()


def is_within(address: str, network: Network) -> bool:
    """Say whether an address lies in a network."""
    try:
        return ipaddress.ip_address(address.partition("%")[0]) in network
    except ValueError:
        return False


def is_public(address: str) -> bool:
    """Say whether an address is reachable in the public Internet, also where it carries an IPv4 address inside."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed in _TRANSLATED:
            parsed = ipaddress.IPv4Address(int(parsed) & 0xFFFFFFFF)
        else:
            parsed = parsed.ipv4_mapped or parsed.sixtofour or parsed
    return parsed.is_global and not parsed.is_multicast


def _result(host: str, port: int, entry: tuple[Any, ...]) -> ResolveResult:
    family, _, protocol, _, address = entry
    numeric = str(address[0])
    if family == socket.AF_INET6 and address[3]:
        numeric = f"{numeric}%{address[3]}"
    return ResolveResult(
        hostname=host, host=numeric, port=port, family=family, proto=protocol, flags=int(_NUMERIC)
    )

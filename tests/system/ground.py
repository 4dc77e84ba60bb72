"""A site in virtual time, and one daemon after another on it: each dies as a killed one does.

Its files stay as they are at that instant, and nothing it has not sent yet arrives any more. What the daemon is made of, what
happens in the world and what must hold is others' business.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

import trustme

from archsyncd.simulators.commercetools.exchange import Request
from tests.process.site import Site, site
from tests.support.virtual_time import VirtualClock
from tests.system.host import Host, Image
from tests.system.inside import House, SiteClock
from tests.system.truth import FEED, check_image

# Where syncing costs nothing; elsewhere the usual place.
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
# Before a request of it takes effect, after that, and when something was committed to its file.
Moment: TypeAlias = Literal["asked", "answered", "committed"]


class Ground:
    """The site, the processes, and their deaths."""

    def __init__(self, seed: int) -> None:
        self.clock = VirtualClock()
        self.hosts: list[Host] = []
        self._names = itertools.count()
        self._seed = seed
        self._armed: tuple[Moment, int] | None = None
        self._died: Image | None = None
        self._struck = asyncio.Event()
        self._held: list[asyncio.Future[None]] = []
        self._stack = contextlib.AsyncExitStack()

    async def serve(
        self, shop: Mapping[str, Any], house: Mapping[str, Any], skus: Sequence[str], channels: Sequence[str]
    ) -> None:
        """Both simulators, with products and channels."""
        where = tempfile.mkdtemp(prefix="archsyncd-", dir=MEMORY)
        self._stack.callback(shutil.rmtree, where)
        self.site: Site = await self._stack.enter_async_context(
            site(SiteClock(self.clock), seed=self._seed, shop=shop, house=house)
        )
        self.house = House(Path(where), self.site, self.clock, self._seed)
        # One authority instead of the system's hundreds: reading those is most of what a start would cost.
        self._trust = Path(where) / "authority.pem"
        trustme.CA().cert_pem.write_to_path(str(self._trust))
        for channel in channels:
            self.site.shop.add_channel(channel)
        self.site.shop.add_products(skus)

    async def close(self) -> None:
        """Nothing of it is left."""
        for host in self.hosts:
            await host.end()
        await self._stack.aclose()

    @property
    def host(self) -> Host:
        """The daemon of now."""
        return self.hosts[-1]

    @property
    def now_ms(self) -> int:
        """UTC milliseconds, the same on both sides."""
        return self.clock.wall_ms()

    def build(self, name: str, directory: Path) -> Host:
        """A process that is not started yet."""
        raise NotImplementedError

    async def launch(self, image: Image | None, **changes: object) -> None:
        """A process on the files of a dead one, or on none at all. `changes`: what its configuration says."""
        name = f"h{next(self._names)}"
        pull = f"wait_seconds = 5\nacknowledge = true\nca_file = '{self._trust}'"
        self.house.write(
            name,
            feed=f'[[feed]]\nname = "{FEED}"\ntransport = "pull"\nurl = "{self.site.house_url}"\nauth = "none"\n{pull}',
            commercetools=f"ca_file = '{self._trust}'",
            **changes,
        )
        directory = self.house.place(name) / "state"
        for file, data in (image or {}).items():
            (directory / file).write_bytes(data)
        if image is not None:
            check_image(directory)
        host = self.build(name, directory)
        self.hosts.append(host)
        await host.start()

    async def dies(self) -> Image:
        """Kill -9, now; what its files are then."""
        image = self._died or self.host.image()
        self._armed = self._died = None
        await self.host.end()
        for waits in self._held:
            waits.cancel()
        self._held.clear()
        return image

    async def dies_at(self, moment: Moment, count: int, seconds: float = 8.0) -> Image:
        """Kill it at one of the next such moments, or when none comes for so long."""
        self._armed = (moment, count)
        self._struck.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._struck.wait(), seconds)
        return await self.dies()

    def passes_by(self, moment: Moment, host: Host) -> None:
        """Such a moment of a process is now: it may be its last."""
        if self._armed is None or self._armed[0] != moment or host is not self.host or host.dead:
            return
        left = self._armed[1] - 1
        self._armed = (moment, left)
        if not left:
            self._armed = None
            self._died = host.image()
            host.dead = True
            self._struck.set()

    async def holds_back(self, host: Host, moment: Moment) -> None:
        """Let a request pass unless its sender is dead, or dies here: then it never arrives."""
        self.passes_by(moment, host)
        if host.dead:
            await self.never()

    async def never(self) -> None:
        """Wait until the one who asked is buried, and give up then."""
        waits: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._held.append(waits)
        await waits

    def sender(self, request: Request) -> Host | None:
        """Which process sent a request to commercetools."""
        name = self.sender_name(request)
        return next((host for host in self.hosts if host.name == name), None)

    def sender_name(self, request: Request) -> str:
        """What the sender of a request calls itself."""
        user = request.headers.get("X-External-User-ID", "")
        return user.rpartition("host-")[2]

"""The audit: both sides' identifiers read page by page with what the limiter has to spare, compared in a file, told as findings.

It runs when somebody asks for it, beside everything else, and writes neither stock nor the store.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol, TypeVar

from archsyncd.domain.audit import (
    AuditSummary,
    SkuPage,
    no_location,
    no_such_channel,
    unmapped,
    unusable,
    usable,
)
from archsyncd.domain.inventory import Failure, SupplyChannel, Throttled, TooLarge, Unknown, Unreached
from archsyncd.domain.retry import delay
from archsyncd.engine.audits import AuditBook
from archsyncd.engine.limiter import Limiter, Priority, Quiesced
from archsyncd.engine.portions import Portion
from archsyncd.engine.ports import Commercetools, StoreBroken, StoreFull
from archsyncd.engine.shared import Shared, describe, wait_for
from archsyncd.engine.store import Store

T = TypeVar("T")


class Listing(Protocol):
    """One of commercetools' lists of SKUs, page by page."""

    def __call__(
        self, after_id: str | None, limit: int, *, counted: bool = False
    ) -> Awaitable[SkuPage | Failure]:
        """Ask for the page after an id."""
        ...


IDLE_SECONDS = 2.0
PAGE_ITEMS = 500
COMPARED_AT_ONCE = 1_000
TOLD_AT_ONCE = 2_000
# Where kits are told of that Archean knows by their components.
KIT_PLACE = "[kits]"
# A million products are 2,000 pages; a listing that does not end is given up.
PAGES_AT_MOST = 100_000
FAILURES_AT_MOST = 8
CHANNEL_PAGES = 100


@dataclass(frozen=True, slots=True)
class AuditProgress:
    """How far an audit is. `total`: of what `done` counts, None where it is not known. `revision` rises with each change."""

    state: str = "idle"
    phase: str = ""
    done: int = 0
    total: int | None = None
    requests: int = 0
    started_ms: int = 0
    failure: str = ""
    revision: int = 0


class AuditFailed(Exception):
    """An audit cannot go on; the message says why."""


class Auditing:
    """Makes one audit at a time, whenever one is asked for."""

    def __init__(
        self,
        store: Store,
        client: Commercetools,
        limiter: Limiter,
        shared: Shared,
        book: AuditBook,
        chance: Callable[[], float],
        beat: Callable[[], None],
    ) -> None:
        self._store = store
        self._client = client
        self._limiter = limiter
        self._shared = shared
        self.book = book
        self._chance = chance
        self._beat = beat
        self._wanted = False
        self._nameless = 0
        self._changed = asyncio.Event()
        self._portion = Portion(PAGE_ITEMS)
        self.progress = AuditProgress()
        self.at_work = False

    def start(self) -> bool:
        """Ask for an audit; False when one is under way already."""
        if self.progress.state == "running":
            return False
        self._wanted = True
        started_ms, revision = self._shared.clock.wall_ms(), self.progress.revision
        self.progress = AuditProgress("running", "waiting", started_ms=started_ms, revision=revision)
        self._tell()
        self._shared.audit.set()
        return True

    async def look(self, seen: int, seconds: float) -> AuditProgress:
        """The progress, once it is another than the revision `seen`, or after so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.progress.revision == seen:
                    await self._changed.wait()
        return self.progress

    async def run(self) -> None:
        """Audit whenever that is asked for, until the stop."""
        self.at_work = True
        try:
            while not self._shared.stopping:
                self._beat()
                if self._wanted:
                    self._wanted = False
                    await self._audit()
                else:
                    await wait_for(self._shared.audit, IDLE_SECONDS)
        except Quiesced:
            pass
        finally:
            self.at_work = False

    async def _audit(self) -> None:
        failure = "of a fault that nobody expected, which the journal tells"
        try:
            await self._do()
            failure = ""
        except Quiesced:
            failure = "the daemon is stopping"
            raise
        except AuditFailed as failed:
            failure = str(failed)
        except StoreFull as full:
            failure = f"there is no room for it: {full}"
        except StoreBroken as broken:
            failure = f"the database cannot be used: {broken}"
        finally:
            if failure:
                await self.book.abandon()
            self._tell(state="failed" if failure else "done", failure=failure)

    async def _do(self) -> None:
        self._nameless = 0
        await self.book.begin()
        channels = await self._places()
        await self._list("products", self._client.catalogue, "")
        for channel in channels:
            await self._list(f"entries in {channel}", partial(self._client.stocked, channel), channel)
        await self._take_sent()
        self._tell(phase="comparing", done=0, total=None)
        sold, sent = await self.book.index()
        await self._compare()
        progress = self.progress
        summary = AuditSummary(
            progress.started_ms,
            self._shared.clock.wall_ms(),
            sold,
            sent,
            self._nameless,
            progress.requests,
            0,
        )
        await self.book.conclude(summary)

    async def _places(self) -> list[str]:
        """Locations and channels that do not fit; the managed channels that there are."""
        self._tell(phase="channels")
        policies = self._store.rules.policies
        told = await self._store.feeds.locations()
        known = {*policies.by_location, *policies.ignored}
        findings = [unmapped(place) for place in told if place not in known]
        channels = await self._channels()
        self._client.use_channels(channels)
        managed = [name for name, each in policies.channels.items() if each.locations]
        there = {channel.key for channel in channels}
        findings += [no_such_channel(name) for name in managed if name not in there]
        idle = (each.key for each in channels if each.supplies and each.key not in managed)
        findings += [no_location(name) for name in sorted(idle)]
        await self.book.found(findings)
        return [name for name in managed if name in there]

    async def _channels(self) -> Collection[SupplyChannel]:
        found: list[SupplyChannel] = []
        after: str | None = None
        for _ in range(CHANNEL_PAGES):
            page = await self._ask(partial(self._client.channels, after))
            if not isinstance(page, tuple):
                raise AuditFailed(f"the channels cannot be listed ({describe(page)})")
            found += page[0]
            after = page[1]
            if after is None:
                break
        return found

    async def _list(self, phase: str, listing: Listing, channel: str) -> None:
        """Take in one listing, page by page."""
        self._tell(phase=phase, done=0, total=None)
        after: str | None = None
        for _ in range(PAGES_AT_MOST):
            page = await self._next(phase, listing, after)
            if page.last_id is None:
                return
            after = page.last_id
            self._nameless += page.nameless
            await self._keep(page.skus, channel)
            total = self.progress.total if page.total is None else page.total
            self._tell(done=self.progress.done + page.items, total=total)
        raise AuditFailed(f"the list of {phase} does not end")

    async def _next(self, phase: str, listing: Listing, after: str | None) -> SkuPage:
        """The next page, in a portion that commercetools answers."""
        if after is None:
            # How much there is makes a better bar, and is worth one try: a large project may take too long to count.
            page = await self._ask(partial(listing, None, self._portion.now, counted=True), tries=1)
            if isinstance(page, SkuPage):
                return page
        while True:
            limit = self._portion.now
            page = await self._ask(partial(listing, after, limit))
            if isinstance(page, SkuPage):
                self._portion.went_well(limit)
                return page
            if not isinstance(page, TooLarge) or limit == 1:
                raise AuditFailed(f"the list of {phase} is not answered ({describe(page)})")
            self._portion.too_large(limit)

    async def _keep(self, skus: Sequence[str], channel: str) -> None:
        await self.book.found([unusable(sku) for sku in skus if not usable(sku)])
        await self.book.sold([sku for sku in skus if usable(sku)], channel)

    async def _ask(self, make: Callable[[], Awaitable[T]], tries: int = FAILURES_AT_MOST) -> T:
        """One answer; what may go better the next time is asked for again, a bounded number of times."""
        for failures in range(1, tries + 1):
            if self._shared.stopping:
                raise Quiesced
            self._beat()
            answer = await self._limiter.call(Priority.CHECK, 1.0, make)
            self._tell(requests=self.progress.requests + 1)
            if not isinstance(answer, Throttled | Unreached | Unknown) or failures == tries:
                break
            await self._shared.rest(delay(failures, self._chance()))
        return answer

    async def _take_sent(self) -> None:
        """Every SKU that Archean has told of, at mapped locations and others."""
        self._tell(phase="levels", done=0, total=None)
        for location in await self._store.feeds.locations():
            after = ""
            while skus := await self._store.feeds.told_skus(location, after, TOLD_AT_ONCE):
                self._beat()
                await self.book.sent(skus, location)
                after = skus[-1]
                self._tell(done=self.progress.done + len(skus))
        await self._take_kits()

    async def _take_kits(self) -> None:
        """Kits of which a component was told: Archean tells of a kit by its components."""
        kits = self._store.rules.policies.kits.by_sku
        names = sorted(kits)
        for start in range(0, len(names), TOLD_AT_ONCE):
            self._beat()
            await self.book.sent(names[start : start + TOLD_AT_ONCE], KIT_PLACE)

    async def _compare(self) -> None:
        """Keep what each side has and the other has not; progress counts findings, as the others are passed over unseen."""
        for side in (True, False):
            after: str | None = ""
            while after is not None:
                if self._shared.stopping:
                    raise Quiesced
                self._beat()
                after, found = await self.book.compare(after, COMPARED_AT_ONCE, sold=side)
                self._tell(done=self.progress.done + found)

    def _tell(self, **changes: object) -> None:
        self.progress = replace(self.progress, revision=self.progress.revision + 1, **changes)  # type: ignore[arg-type]
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

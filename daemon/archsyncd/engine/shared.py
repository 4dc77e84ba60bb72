"""What the loops tell each other: events to wake on, and the few facts that one learns and another needs."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from archsyncd.domain.inventory import Entry, StockKey
from archsyncd.domain.silence import Way
from archsyncd.engine.gate import Gate
from archsyncd.engine.ports import Clock


async def _nobody(_entries: Sequence[Entry]) -> None:
    pass


@dataclass(slots=True)
class Shared:
    """Facts in memory; all of them can be lost and are found again. Times in UTC milliseconds of commercetools' clock.

    `orders_complete_ms`: orders are known completely up to there; `orders_known`: the newest were read too since the start;
    `orders_needed`: what is published rests on them.
    `tenure_since_ms`: we alone write since then (0: unknown). `server_lead_ms`: their clock minus our monotonic one.
    `channel_keys`: supply channel id to key, as commercetools has them; `channels_read` counts how often they were read,
    and `channels_stale` asks for it now; `export_channels` have the role OrderExport. `may_increase`: the lease allows raising.
    `listed` is told of entries as the walk over the inventory lists them.
    `gates`: by way and feed, whether what is carried there is answered.
    `late_until`: monotonic seconds until a request of the lease's former holder may land; None: there was none.
    """

    clock: Clock
    may_increase: Callable[[], bool] = lambda: True
    late_until: Callable[[], float | None] = lambda: None
    work: asyncio.Event = field(default_factory=asyncio.Event)
    doubt: asyncio.Event = field(default_factory=asyncio.Event)
    bases: asyncio.Event = field(default_factory=asyncio.Event)
    handing: asyncio.Event = field(default_factory=asyncio.Event)
    booking: asyncio.Event = field(default_factory=asyncio.Event)
    alerts: asyncio.Event = field(default_factory=asyncio.Event)
    audit: asyncio.Event = field(default_factory=asyncio.Event)
    paused_channels: set[str] = field(default_factory=set)
    paused_feeds: set[str] = field(default_factory=set)
    channel_keys: Mapping[str, str] = field(default_factory=dict)
    channels_without_role: frozenset[str] = frozenset()
    export_channels: frozenset[str] = frozenset()
    channels_read: int = 0
    channels_stale: bool = False
    orders_complete_ms: int = 0
    orders_needed: bool = True
    orders_known: bool = False
    tenure_since_ms: int = 0
    server_lead_ms: int | None = None
    notes: dict[str, str] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)
    gates: dict[tuple[Way, str], Gate] = field(default_factory=dict)
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    aside: dict[StockKey, float] = field(default_factory=dict)
    listed: Callable[[Sequence[Entry]], Awaitable[None]] = _nobody

    def note(self, name: str, text: str) -> None:
        """Say in the status what goes on, or with "" that it does no more."""
        if text:
            self.notes[name] = text
        else:
            self.notes.pop(name, None)

    def set_aside(self, keys: Iterable[StockKey], seconds: float) -> None:
        """Something else than a quantity is being written of these keys' entries; for so long at most quantities wait."""
        until = self.clock.monotonic() + seconds
        self.aside.update(dict.fromkeys(keys, until))

    def take_back(self, keys: Iterable[StockKey]) -> None:
        """That is done."""
        for key in keys:
            self.aside.pop(key, None)

    def is_aside(self, key: StockKey) -> bool:
        """Whether another write of the key's entry is under way."""
        return bool(self.aside) and self.aside.get(key, 0.0) > self.clock.monotonic()

    @property
    def stopping(self) -> bool:
        """Whether the stop has begun."""
        return self.stop.is_set()

    def begin_stop(self) -> None:
        """Wake every loop that waits, so that it sees the stop."""
        self.stop.set()
        for event in (
            self.work,
            self.doubt,
            self.bases,
            self.handing,
            self.booking,
            self.alerts,
            self.audit,
        ):
            event.set()

    async def rest(self, seconds: float) -> None:
        """Wait so long, or until the stop."""
        if seconds <= 0:
            await self.clock.sleep(0)
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.stop.wait()

    @property
    def server_time_known(self) -> bool:
        """Whether commercetools has told its clock since the start."""
        return self.server_lead_ms is not None

    def server_now_ms(self) -> int:
        """Commercetools' clock now, as far as its last answer tells; our own only before the first one.

        Counted on from that answer in monotonic time: by the wall clock, a jump of ours would make orders seem complete up
        to a time that has not come (fault 42).
        """
        if self.server_lead_ms is None:
            return self.clock.wall_ms()
        return int(self.clock.monotonic() * 1000) + self.server_lead_ms

    def saw_server_time(self, server_ms: int) -> None:
        """Take commercetools' clock from an answer's Date."""
        if server_ms:
            self.server_lead_ms = server_ms - int(self.clock.monotonic() * 1000)

    def count(self, name: str, by: int = 1) -> None:
        """Count something for status."""
        self.counters[name] = self.counters.get(name, 0) + by


def describe(answer: object) -> str:
    """A failure in a few words, for a note."""
    for name in ("message", "reason", "code"):
        text = getattr(answer, name, None)
        if text:
            return f"{type(answer).__name__}: {text}"
    return type(answer).__name__


async def wait_for(event: asyncio.Event, seconds: float) -> bool:
    """Wait for an event, so long at most, and clear it; whether it came."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    came = event.is_set()
    event.clear()
    return came

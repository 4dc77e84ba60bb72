"""Keeps the pumps running, tells whether they progress, and stops them in two phases. Blind to what a pump does.

A pump is a loop that runs until the stop. One that fails or ends on its own is started again after a backoff; one that
keeps failing ends the process, so that there are never silently fewer pumps (fault 20). A feed's does not: what one source
tells must not stop the orders and the writes that it has nothing to do with, and its silence is seen for what it is. The
watchdog is fed exactly while every pump progressed within its limit or is idle by right (D6, fault 19).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from archsyncd.domain.fatal import EXIT_FENCED_OFF, EXIT_RESTART, EXIT_STORE, Fatal
from archsyncd.domain.retry import steady_delay
from archsyncd.engine.ports import Clock, FencedOff, StoreBroken, StoreFull, StoreNewer

__all__ = [
    "Fatal",
    "Pump",
    "Restart",
    "Supervisor",
    "Watch",
    "as_fatal",
    "ask_for_time",
    "feed_watchdog",
    "measure_lag",
]

PROGRESS_LIMIT_SECONDS = 60.0
RESTART_LIMIT = 5
SETTLED_SECONDS = 300.0
FINISH_SECONDS = 30.0
LAG_EVERY_SECONDS = 1.0
LAG_KEPT_SECONDS = 60.0
EXTENSION_SECONDS = 60.0
EXTENSIONS_LIMIT_SECONDS = 1_800.0
_ASKS_PER_EXTENSION = 3
_FEEDS_PER_INTERVAL = 3


def as_fatal(error: BaseException) -> Fatal | None:
    """What an error means for the process: Fatal as it is, a lost store or tenure, or None: the pump may run again.

    A broken store ends with a status that systemd restarts from: the next start checks the file and decides.
    """
    match error:
        case Fatal():
            return error
        case FencedOff():
            return Fatal(EXIT_FENCED_OFF, str(error))
        case StoreNewer():
            return Fatal(EXIT_STORE, str(error))
        case StoreBroken():
            return Fatal(EXIT_RESTART, str(error))
    return None


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Pump:
    """A named loop. It must beat within `limit_seconds`, unless `excused` says that it waits by right.

    `alone`: however often it fails, all the others go on, and it is tried again.
    """

    name: str
    run: Callable[[], Awaitable[None]]
    limit_seconds: float = PROGRESS_LIMIT_SECONDS
    excused: Callable[[], bool] = _never
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Restart:
    """A pump failed and will be started again. `error` is None when it ended though nothing told it to."""

    pump: str
    error: Exception | None
    failures: int
    delay_seconds: float


class Watch:
    """Who progressed when. All times are monotonic."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._pumps: dict[str, Pump] = {}
        self._due: dict[str, float] = {}
        self._lag_seconds = 0.0
        self._lag_at = float("-inf")

    def expect(self, pump: Pump) -> None:
        """From now on this pump must progress."""
        self._pumps[pump.name] = pump
        self.beat(pump.name)

    def beat(self, name: str) -> None:
        """The pump made a step. A name that is not expected (any more) is ignored."""
        self.idle(name, 0.0)

    def beater(self, name: str) -> Callable[[], None]:
        """`beat` for one pump, to hand to its loop."""
        return lambda: self.beat(name)

    def idle(self, name: str, seconds: float) -> None:
        """The pump has nothing to do, and that is right for so long; after that it has its limit anew."""
        if name in self._pumps:
            self._due[name] = self._clock.monotonic() + seconds + self._pumps[name].limit_seconds

    def forget(self, name: str) -> None:
        """The pump ended as it should."""
        self._pumps.pop(name, None)
        self._due.pop(name, None)

    def late(self) -> tuple[str, ...]:
        """The pumps that neither progressed within their limit nor are idle by right."""
        now = self._clock.monotonic()
        for name, pump in self._pumps.items():
            if pump.excused():
                self.beat(name)
        return tuple(sorted(name for name, due in self._due.items() if now > due))

    @property
    def loop_lag_seconds(self) -> float:
        """How long the loop stood still at the worst, within the last minute or so."""
        return self._lag_seconds

    def saw_lag(self, seconds: float) -> None:
        """The loop came so much later to a timer than it should have."""
        now = self._clock.monotonic()
        if seconds >= self._lag_seconds or now - self._lag_at > LAG_KEPT_SECONDS:
            self._lag_seconds, self._lag_at = max(0.0, seconds), now

    def alive(self) -> bool:
        """Whether the watchdog may be fed (D6)."""
        return not self.late()


async def feed_watchdog(
    watch: Watch, clock: Clock, interval_seconds: float, feed: Callable[[], None]
) -> None:
    """Feed the watchdog three times an interval while the watch is alive, for ever."""
    pause_seconds = interval_seconds / _FEEDS_PER_INTERVAL
    while True:
        if watch.alive():
            feed()
        await clock.sleep(pause_seconds)


async def measure_lag(watch: Watch, clock: Clock) -> None:
    """Measure for ever how late the loop comes to its timers: what blocks it shows there before a watchdog bites."""
    while True:
        began = clock.monotonic()
        await clock.sleep(LAG_EVERY_SECONDS)
        watch.saw_lag(clock.monotonic() - began - LAG_EVERY_SECONDS)


async def ask_for_time(
    clock: Clock, extend: Callable[[float], None], limit_seconds: float = EXTENSIONS_LIMIT_SECONDS
) -> None:
    """Ask the service manager for more time, again and again, while long work goes on that has an end."""
    end = clock.monotonic() + limit_seconds
    while (left := end - clock.monotonic()) > 0:
        extend(min(left, EXTENSION_SECONDS))
        await clock.sleep(EXTENSION_SECONDS / _ASKS_PER_EXTENSION)


class Supervisor:
    """Runs pumps together until the stop, or until one of them means the end of the process."""

    def __init__(
        self,
        clock: Clock,
        chance: Callable[[], float],
        watch: Watch,
        *,
        quiesce: Callable[[], None],
        tell: Callable[[Restart], None],
        finish_seconds: float = FINISH_SECONDS,
    ) -> None:
        """`quiesce` stops all intake, after which every pump ends by itself; it may take `finish_seconds` for that."""
        self._clock = clock
        self._chance = chance
        self._watch = watch
        self._quiesce = quiesce
        self._tell = tell
        self._finish_seconds = finish_seconds
        self._stopping = asyncio.Event()
        self._at_once = asyncio.Event()

    @property
    def stopping(self) -> bool:
        """Whether the stop has begun; a reload is ignored then."""
        return self._stopping.is_set()

    def stop(self) -> None:
        """Begin the stop: intake ends, what is under way finishes. A second call cuts everything off at once."""
        if self.stopping:
            self._at_once.set()
            return
        self._stopping.set()
        self._quiesce()

    async def run(self, pumps: Sequence[Pump]) -> None:
        """Run until stopped. Raises Fatal when the process must end with a status of its own."""
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._keep(pump), name=pump.name) for pump in pumps]
                await self._stopping.wait()
                await self._finish(tasks)
        except BaseExceptionGroup as errors:
            fatal = _first_fatal(errors)
            if fatal is None:
                raise
            raise fatal from fatal.__cause__

    async def _finish(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        cut_off = asyncio.ensure_future(self._at_once.wait())
        ended = asyncio.gather(*tasks, return_exceptions=True)
        either: set[asyncio.Future[Any]] = {cut_off, ended}
        try:
            await asyncio.wait(either, timeout=self._finish_seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            cut_off.cancel()
            for task in tasks:
                task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await ended

    async def _keep(self, pump: Pump) -> None:
        failures = 0
        self._watch.expect(pump)
        while not self._stopping.is_set():
            began = self._clock.monotonic()
            error = await self._run_once(pump)
            if self._stopping.is_set():
                break
            settled = self._clock.monotonic() - began >= SETTLED_SECONDS
            # A full disk is no fault of the pump: it waits for room, however long that takes.
            failures = 1 if settled or isinstance(error, StoreFull) else failures + 1
            if failures > RESTART_LIMIT and not pump.alone:
                raise Fatal(
                    EXIT_RESTART, f"{pump.name} failed {failures} times in a row: {_told(error)}"
                ) from error
            delay_seconds = steady_delay(failures - 1, self._chance())
            self._tell(Restart(pump.name, error, failures, delay_seconds))
            self._watch.idle(pump.name, delay_seconds)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay_seconds):
                    await self._stopping.wait()
        self._watch.forget(pump.name)

    async def _run_once(self, pump: Pump) -> Exception | None:
        """Run the pump once; its error, or None when it ended by itself. Raises Fatal."""
        self._watch.beat(pump.name)
        try:
            await pump.run()
        except Exception as error:
            fatal = as_fatal(error)
            if fatal is None:
                return error
            if fatal is error:
                raise
            raise fatal from error
        return None


def _first_fatal(errors: BaseExceptionGroup[BaseException]) -> Fatal | None:
    for error in errors.exceptions:
        found = _first_fatal(error) if isinstance(error, BaseExceptionGroup) else as_fatal(error)
        if found is not None:
            return found
    return None


def _told(error: Exception | None) -> str:
    return "it ended by itself" if error is None else f"{type(error).__name__}: {error}"

"""Runs coroutines in virtual time: idle loops jump to their next timer. Knows asyncio, and nothing of the program.

    @virtual
    async def test_it_waits_a_minute() -> None:
        clock = VirtualClock()
        await clock.sleep(60)          # returns at once; clock.monotonic() is 60 s later

`run_virtual(coroutine)` is the same for code that is not a test function (a Hypothesis body, say). Everything the
coroutine needs is made inside it: pytest's async fixtures live on another loop. Loopback sockets and work in threads
(aiosqlite, executors) are waited for in real time before the clock moves; `VirtualLoop.hold` does so for anything else.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import math
import selectors
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import Executor
from typing import Any, ParamSpec, TypeVar, TypeVarTuple

P = ParamSpec("P")
T = TypeVar("T")
Ts = TypeVarTuple("Ts")

START_SECONDS = 1_000.0
START_WALL_MS = 1_767_225_600_000  # 2026-01-01T00:00:00Z
LIMIT_SECONDS = 400 * 86_400.0
REAL_PATIENCE_SECONDS = 30.0
_THREADED_LIBRARY = "aiosqlite"
_RESOLUTION_SECONDS = 1e-9
_TURNS_WITHOUT_TIME = 100


class Stuck(RuntimeError):
    """The coroutine would not end: nothing can wake it any more, or its virtual time ran out."""


class _JumpingSelector(selectors.BaseSelector):
    """Polls the real selector; when that has nothing to tell, moves the clock instead of waiting."""

    def __init__(self) -> None:
        self.real = selectors.DefaultSelector()
        self.now_seconds = START_SECONDS
        self.limit_seconds = math.inf
        self.outside = 0
        self.turns = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self._creep()
        idle = timeout is None or timeout > 0
        ready = self.real.select(REAL_PATIENCE_SECONDS if idle and self.outside else 0)
        if ready or not idle:
            return ready
        if self.outside:
            raise Stuck(f"a thread did not answer within {REAL_PATIENCE_SECONDS:g} real seconds")
        if timeout is None:
            raise Stuck("nothing is scheduled: every task waits for something that cannot come")
        self._jump(timeout)
        return []

    def _creep(self) -> None:
        """Let nanoseconds pass once tasks have run for many turns in one moment.

        Who waits for a moment that rounding puts a hair ahead would else try again in the same moment for ever.
        """
        self.turns += 1
        if self.turns > _TURNS_WITHOUT_TIME:
            self.now_seconds = max(
                self.now_seconds + _RESOLUTION_SECONDS, math.nextafter(self.now_seconds, math.inf)
            )

    def _jump(self, seconds: float) -> None:
        self.turns = 0
        self.now_seconds += seconds
        if self.now_seconds + _RESOLUTION_SECONDS == self.now_seconds:
            # asyncio wants a timer to lie behind now + resolution, which a large float cannot tell apart.
            self.now_seconds = math.nextafter(self.now_seconds, math.inf)
        if self.now_seconds > self.limit_seconds:
            self.limit_seconds = math.inf  # once: what follows is the clean-up
            raise Stuck("not done when its virtual time ran out")

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self.real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self.real.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self.real.modify(fileobj, events, data)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self.real.get_map()

    def close(self) -> None:
        self.real.close()


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time stands still while tasks run and jumps to the next timer when they all wait."""

    def __init__(self, limit_seconds: float = math.inf) -> None:
        self._jumping = _JumpingSelector()
        self._jumping.limit_seconds = START_SECONDS + limit_seconds
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now_seconds

    @contextlib.contextmanager
    def hold(self) -> Iterator[None]:
        """Wait in real time while the block runs: something outside the loop will wake it (a thread, a process)."""
        self._jumping.outside += 1
        try:
            yield
        finally:
            self._jumping.outside -= 1

    def create_future(self) -> asyncio.Future[Any]:
        future = super().create_future()
        # aiosqlite makes the future that its thread will resolve: until then time must not run away from it.
        if sys._getframe(1).f_globals.get("__name__", "").startswith(_THREADED_LIBRARY):
            self._await_outside(future)
        return future

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts
    ) -> asyncio.Future[T]:
        future = super().run_in_executor(executor, func, *args)
        self._await_outside(future)
        return future

    async def shutdown_default_executor(self, *args: Any, **kwargs: Any) -> None:
        with self.hold():
            await super().shutdown_default_executor(*args, **kwargs)

    def _await_outside(self, future: asyncio.Future[Any]) -> None:
        self._jumping.outside += 1
        future.add_done_callback(self._came_in)

    def _came_in(self, _future: asyncio.Future[Any]) -> None:
        self._jumping.outside -= 1


class VirtualClock:
    """`ports.Clock` on the running loop's time, with a wall clock that can be made to jump."""

    def __init__(self, wall_ms: int = START_WALL_MS) -> None:
        self._wall_ms_at_start = wall_ms

    def wall_ms(self) -> int:
        return self._wall_ms_at_start + int((self.monotonic() - START_SECONDS) * 1_000)

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def jump_wall(self, seconds: float) -> None:
        """Step the wall clock (NTP, an operator, 1970); monotonic time does not notice."""
        self._wall_ms_at_start += int(seconds * 1_000)


def run_virtual(coroutine: Coroutine[Any, Any, T], *, limit_seconds: float = LIMIT_SECONDS) -> T:
    """Run to the end in virtual time and return the result.

    Raises Stuck after `limit_seconds` of virtual time, or when nothing could ever wake it.
    """
    try:
        with asyncio.Runner(loop_factory=functools.partial(VirtualLoop, limit_seconds)) as runner:
            return runner.run(coroutine)
    finally:
        coroutine.close()


def virtual(test: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, T]:
    """Turn an async test into a plain one that runs in virtual time. Stands below `@given` and `@parametrize`."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        return run_virtual(test(*args, **kwargs))

    return run

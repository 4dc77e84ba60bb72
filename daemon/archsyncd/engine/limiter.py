"""Says who may call commercetools and when. Knows nothing of what is called, only how it was answered.

Every request has been given a permit first, so R1 (requests in any window ≤ r·w + b) holds by construction: the permit
costs tokens of one bucket, and a slower pace is a dearer request, never a second bucket. A permit also holds one of the
places in flight. Waiters are served by priority; a waiter gains one step for every 10 s it waits, so none starves.

This is the one layer that repeats (R3). Nobody has a loop of its own that sends again what failed: a key goes back to the
outbox, a look-up to its pump's next turn, and both ask for a permit like anything new. Each request that was turned away,
lost or never got through, and each token call and replay after a 401, takes one from a quota that requests earn, a tenth
each; once it is spent everybody waits, full jitter under a growing ceiling, before the next one. So repetitions are at most
the reserve, a tenth of the requests, and what is under way once for each such pause. What one entry causes alone (a
conflict, an unknown outcome) waits by its own count of attempts as well (`engine/resolve.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import IntEnum
from types import TracebackType
from typing import Protocol, Self, TypeVar

from aiolimiter import AsyncLimiter

from archsyncd.domain.inventory import Throttled, Unauthorised, Unknown, Unreached
from archsyncd.domain.retry import Breaker, BreakerState, Pace, RetryQuota, delay, honoured_seconds
from archsyncd.engine.ports import Clock

T = TypeVar("T")

AGING_STEP_SECONDS = 10.0
PAUSE_LIMIT_SECONDS = 8.0
_TOO_MANY_REQUESTS = 429


class Priority(IntEnum):
    """Who goes first when requests are scarce; settling what is unknown before anything new."""

    RESOLVE = 0
    ORDERS = 1
    DECREASE = 2
    LOOKUP = 3
    BOOKING = 3  # of one rank with look-ups: each rank more would let an increase wait a step longer
    INCREASE = 4
    CHECK = 5


class Quiesced(Exception):
    """No request may begin any more: the program is stopping. Those in flight go on to their end."""


@dataclass(frozen=True, slots=True)
class LimiterState:
    """What status and metrics tell. Rates in requests/s; `retry_at_monotonic` is None when nothing holds calls back."""

    rate_now: float
    in_flight: int
    in_flight_limit: int
    waiting: int
    blocked_reason: str | None
    retry_at_monotonic: float | None
    requests_total: int
    throttled_total: int


class Permit:
    """Leave to make one request, and one place in flight until it is released (leave the `async with`)."""

    __slots__ = ("_limiter", "_probe", "_released")

    def __init__(self, limiter: Limiter, *, probe: bool) -> None:
        self._limiter = limiter
        self._probe = probe
        self._released = False

    def release(self) -> None:
        """Give the place back; more than once is harmless."""
        if not self._released:
            self._released = True
            self._limiter._give_back(probe=self._probe)  # noqa: SLF001 - the two are one thing

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


class Budget(Protocol):
    """What a caller of commercetools needs of the limiter."""

    async def permit(self, priority: Priority, cost: float = 1.0) -> Permit:
        """Wait for a place and its tokens. Raises Quiesced."""
        ...

    async def charge(self, cost: float = 1.0) -> None:
        """Pay for one more request under a permit already held (a token, the replay after a 401). Raises Quiesced."""
        ...

    def report(self, answer: object) -> None:
        """Tell how a request was answered."""
        ...


@dataclass(order=True, slots=True)
class _Waiter:
    # Aging by a fixed step per second never changes who stands before whom, so a waiter's place can be one number.
    rank: float
    number: int
    cost: float = field(compare=False)
    needs_place: bool = field(compare=False)
    prompt: bool = field(compare=False)
    granted: asyncio.Future[Permit | None] = field(compare=False)


class Limiter:
    """The one budget of requests to commercetools, adapting downwards when it is told to and back up by itself."""

    def __init__(
        self,
        requests_per_second: float,
        burst: float,
        max_in_flight: int,
        clock: Clock,
        chance: Callable[[], float],
    ) -> None:
        """`chance` draws a number in [0, 1). Belongs to the event loop it is first used on."""
        self._rate = requests_per_second
        self._burst = burst
        self._bucket = AsyncLimiter(burst, burst / requests_per_second)
        self._clock = clock
        self._chance = chance
        self._pace = Pace.first(max_in_flight, burst)
        self._breaker = Breaker()
        self._quota = RetryQuota()
        self._waiters: list[_Waiter] = []
        self._server: asyncio.Task[None] | None = None
        self._nap: asyncio.Timeout | None = None
        self._in_flight = 0
        self._probes = 0
        self._numbers = 0
        self._retry_at = -math.inf
        self._throttled_in_a_row = 0
        self._spent_in_a_row = 0
        self._throttled_total = 0
        self._requests_total = 0
        self._refused: str | None = None
        self._quiesced = False

    async def permit(self, priority: Priority, cost: float = 1.0) -> Permit:
        """Wait for a place in flight and `cost` tokens (≤ burst). Use as `async with await limiter.permit(…):`.

        Raises Quiesced when the program is stopping, ValueError when the cost can never be met.
        """
        granted = await self._wait_turn(priority * AGING_STEP_SECONDS, cost)
        assert granted is not None
        return granted

    async def prompt_permit(self, priority: Priority, cost: float = 1.0) -> Permit | None:
        """A permit for what must not wait for tokens or the end of a pause, only for a place in flight.

        None as soon as requests are scarce: the order in which they are made must then be decided anew. Raises Quiesced.
        """
        return await self._wait_turn(priority * AGING_STEP_SECONDS, cost, prompt=True)

    async def charge(self, cost: float = 1.0) -> None:
        """Pay for one more request made under a permit already held (a token, the replay after a 401).

        It goes before every waiter, and takes from the quota of repetitions. Raises Quiesced.
        """
        self._repeat(self._clock.monotonic())
        await self._wait_turn(-math.inf, cost, needs_place=False)
        self._count()

    async def top_up(self, cost: float) -> None:
        """Pay what the request of a permit already held costs beyond its first token. Raises Quiesced."""
        await self._wait_turn(-math.inf, cost, needs_place=False)

    def try_permits(
        self, count: int, priority: Priority = Priority.DECREASE, cost: float = 1.0
    ) -> tuple[Permit, ...]:
        """Up to `count` permits that can be had at once, possibly none; never before somebody who waits and ranks higher.

        Must be called on the event loop. Each permit is to be released like any other.
        """
        rank = self._clock.monotonic() + priority * AGING_STEP_SECONDS
        taken: list[Permit] = []
        while len(taken) < count and not self._quiesced:
            head = self._head()
            if head is not None and head.rank <= rank:
                break
            if not self._open_for(needs_place=True) or not self._take_now(self._charged(cost)):
                break
            taken.append(self._granted_permit())
        return tuple(taken)

    @property
    def paused(self) -> bool:
        """Whether nothing may be sent just now, also under a permit got before: a pause was asked for meanwhile."""
        now = self._clock.monotonic()
        return self._held_until(now) > now

    def ample(self, tokens: float) -> bool:
        """Whether requests are plentiful: nothing holds calls back, and so many tokens are at hand."""
        return not self._quiesced and not self.paused and self._bucket.has_capacity(self._charged(tokens))

    async def call(self, priority: Priority, cost: float, make: Callable[[], Awaitable[T]]) -> T:
        """Make one request under a permit and report its answer. Raises Quiesced before, and whatever `make` raises."""
        async with await self.permit(priority, cost):
            answer = await make()
            self.report(answer)
            return answer

    def report(self, answer: object) -> None:
        """Learn from how a request was answered: Throttled, Unknown, Unreached and Unauthorised; all else is success.

        Of a request for many, one that was throttled speaks for all; one of unknown outcome only where all are.
        """
        now = self._clock.monotonic()
        if isinstance(answer, tuple):
            answer = _of_many(answer)
        if isinstance(answer, Throttled | Unknown | Unreached):
            self._repeat(now)
        match answer:
            case Throttled(retry_after_seconds=told):
                self._throttled(answer, now)
                self._obey(told, now)
            case Unknown(retry_after_seconds=told):
                self._obey(told, now)
                self._pace = self._pace.slower(now)
                self._breaker = self._breaker.failed(now, self._chance())
            case Unreached():
                self._breaker = self._breaker.failed(now, self._chance())
            case Unauthorised(reason=reason):
                self._refused = f"commercetools refuses our credential ({reason}); a restart loads a new one"
            case _:
                self._throttled_in_a_row = self._spent_in_a_row = 0
                self._pace = self._pace.faster(now)
                self._breaker = self._breaker.succeeded()
        self._wake()

    def retune(self, requests_per_second: float, burst: float, max_in_flight: int) -> None:
        """Take new limits. The new bucket begins empty, so that the change is no burst of its own."""
        self._rate, self._burst = requests_per_second, burst
        self._bucket = AsyncLimiter(burst, burst / requests_per_second)
        self._take_now(burst)
        self._pace = self._pace.within(max_in_flight, burst)
        self._wake()

    def quiesce(self) -> None:
        """Let nothing new begin: everybody who waits or comes later gets Quiesced. Requests in flight go on."""
        self._quiesced = True
        for waiter in self._waiters:
            if not waiter.granted.done():
                waiter.granted.set_exception(Quiesced())
        self._wake()

    @property
    def blocked(self) -> str | None:
        """Why nobody is let through for long, as a sentence, or None. A refused credential lasts until a restart."""
        if self._refused is not None:
            return self._refused
        if self._breaker.state is BreakerState.CLOSED:
            return None
        return "commercetools does not answer; it is asked again from time to time"

    @property
    def held_back(self) -> bool:
        """Whether waiting here is right just now: whoever waits for a permit is idle, not stuck."""
        return self._quiesced or self.blocked is not None or self._clock.monotonic() < self._retry_at

    def state(self) -> LimiterState:
        """The figures of this moment."""
        now = self._clock.monotonic()
        held_until = self._held_until(now)
        return LimiterState(
            rate_now=self._rate * self._pace.multiplier,
            in_flight=self._in_flight,
            in_flight_limit=int(self._pace.in_flight),
            waiting=sum(not waiter.granted.done() for waiter in self._waiters),
            blocked_reason=self.blocked,
            retry_at_monotonic=held_until if held_until > now else None,
            requests_total=self._requests_total,
            throttled_total=self._throttled_total,
        )

    def _throttled(self, answer: Throttled, now: float) -> None:
        self._throttled_total += 1
        slower = self._pace.slower(now)
        if slower is not self._pace:
            self._pace = slower
            self._retry_at = max(self._retry_at, now + self._pause_seconds(self._throttled_in_a_row))
            self._throttled_in_a_row += 1
        if answer.status != _TOO_MANY_REQUESTS:
            self._breaker = self._breaker.failed(now, self._chance())

    def _repeat(self, now: float) -> None:
        """One more repetition: from the quota, or after a pause for everybody once it is spent."""
        left = self._quota.retried()
        if left is not None:
            self._quota = left
        elif now >= self._retry_at:
            self._retry_at = now + self._pause_seconds(self._spent_in_a_row)
            self._spent_in_a_row += 1

    def _pause_seconds(self, attempt: int) -> float:
        return delay(attempt, self._chance(), limit_seconds=PAUSE_LIMIT_SECONDS)

    def _obey(self, retry_after_seconds: float | None, now: float) -> None:
        self._retry_at = max(self._retry_at, now + honoured_seconds(retry_after_seconds))

    async def _wait_turn(
        self, step_seconds: float, cost: float, *, needs_place: bool = True, prompt: bool = False
    ) -> Permit | None:
        if not 0 < cost <= self._burst:
            raise ValueError(f"a request cannot cost {cost:g} tokens of a bucket of {self._burst:g}")
        if self._quiesced:
            raise Quiesced
        self._numbers += 1
        rank = self._clock.monotonic() + step_seconds
        granted: asyncio.Future[Permit | None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiters, _Waiter(rank, self._numbers, cost, needs_place, prompt, granted))
        self._serve_soon()
        try:
            return await granted
        except asyncio.CancelledError:
            # Granted and cancelled in one breath: nobody else would give the place back.
            served = granted.done() and not granted.cancelled() and granted.exception() is None
            if served and (permit := granted.result()) is not None:
                permit.release()
            self._wake()
            raise

    def _serve_soon(self) -> None:
        if self._server is None or self._server.done():
            self._server = asyncio.get_running_loop().create_task(self._serve(), name="limiter")
        else:
            self._wake()

    async def _serve(self) -> None:
        """Grant permits in order until nobody waits."""
        while (head := self._head()) is not None:
            now = self._clock.monotonic()
            held_until = self._held_until(now)
            if self._scarce(head, held_until - now) and self._turn_away():
                continue
            if held_until > now:
                await self._rest(held_until - now)
            elif not self._open_for(needs_place=head.needs_place):
                await self._rest(math.inf)
            elif self._take_now(self._charged(head.cost)):
                self._grant(head)
            else:
                await self._save_for(head)

    def _scarce(self, head: _Waiter, held_seconds: float) -> bool:
        return held_seconds > 0 or not self._bucket.has_capacity(self._charged(head.cost))

    def _turn_away(self) -> bool:
        """Let go of those who wait for a place only; whether there were any."""
        prompt = [waiter for waiter in self._waiters if waiter.prompt and not waiter.granted.done()]
        for waiter in prompt:
            waiter.granted.set_result(None)
        return bool(prompt)

    async def _save_for(self, head: _Waiter) -> None:
        """Wait for the head's tokens unless something changes; grant it when it is still the one to serve."""
        amount = self._charged(head.cost)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None) as self._nap:
                await self._bucket.acquire(amount)
            # Something may have changed in the very moment the tokens came. They are forfeited then, never saved up:
            # saved tokens would be a burst on top of the bucket's.
            if self._head() is head and not self._quiesced:
                self._grant(head)

    async def _rest(self, seconds: float) -> None:
        """Wait so long, or until something changes."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None if math.isinf(seconds) else seconds) as self._nap:
                await asyncio.get_running_loop().create_future()

    def _wake(self) -> None:
        """Something changed: let the server look again."""
        if self._nap is not None and self._server is not None and not self._server.done():
            with contextlib.suppress(RuntimeError):  # already over
                self._nap.reschedule(asyncio.get_running_loop().time())

    def _head(self) -> _Waiter | None:
        while self._waiters and self._waiters[0].granted.done():
            heapq.heappop(self._waiters)
        return self._waiters[0] if self._waiters else None

    def _held_until(self, now: float) -> float:
        if self._refused is not None:
            return math.inf
        self._breaker = self._breaker.at(now)
        if self._breaker.state is BreakerState.OPEN:
            return max(self._retry_at, self._breaker.probe_at)
        return self._retry_at

    def _open_for(self, *, needs_place: bool) -> bool:
        now = self._clock.monotonic()
        if self._held_until(now) > now:
            return False
        if not needs_place:
            return True
        if self._breaker.state is BreakerState.HALF_OPEN and self._probes:
            return False
        return self._in_flight < int(self._pace.in_flight)

    def _charged(self, cost: float) -> float:
        return min(self._burst, cost / self._pace.multiplier)

    def _take_now(self, amount: float) -> bool:
        if not self._bucket.has_capacity(amount):
            return False
        with contextlib.suppress(StopIteration):  # with capacity, acquire ends without ever suspending
            self._bucket.acquire(amount).send(None)
        return True

    def _grant(self, head: _Waiter) -> None:
        if head.needs_place:
            head.granted.set_result(self._granted_permit())
            return
        head.granted.set_result(None)

    def _granted_permit(self) -> Permit:
        self._count()
        self._in_flight += 1
        probe = self._breaker.state is BreakerState.HALF_OPEN
        self._probes += probe
        return Permit(self, probe=probe)

    def _count(self) -> None:
        self._requests_total += 1
        self._quota = self._quota.requested()

    def _give_back(self, *, probe: bool) -> None:
        self._in_flight -= 1
        self._probes -= probe
        self._wake()


def _of_many(answers: tuple[object, ...]) -> object:
    throttled = [answer for answer in answers if isinstance(answer, Throttled)]
    if throttled or (answers and all(isinstance(answer, Unknown) for answer in answers)):
        return (throttled or answers)[0]
    return answers

"""Holds the single-writer lease, so that of two hosts one waits. Safety does not rest on it: versions and markers do that.

Losing the lease service is not losing the lease: a newer holder ends the process, silence only stops increases once the
lease may have run out (stock ledger, "Take-over"). Expiry is judged by the server's clock alone; our own end of the
lease is counted from before the request left, in monotonic seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from archsyncd.domain.fatal import EXIT_FENCED_OFF, Fatal
from archsyncd.domain.inventory import Conflict, Failure, TenureRecord
from archsyncd.domain.retry import steady_delay
from archsyncd.domain.tenure import Tenure
from archsyncd.engine.limiter import Limiter, Priority, Quiesced
from archsyncd.engine.ports import Clock

REQUEST_LIMIT_SECONDS = 60.0  # after so long commercetools has ended every request
CONFIRM_MARGIN_SECONDS = 10.0
STANDBY_POLL_SECONDS = 10.0
BEAT_SECONDS = 5.0
RETRY_LIMIT_SECONDS = 30.0
_RENEWALS_PER_LEASE = 3
_TRIES_PER_RENEWAL = 3


@dataclass(frozen=True, slots=True)
class Claim:
    """Who asks for the lease: the ledger (lineage of the database), this process, how long a lease lasts.

    `holder` differs for every start of the program, `host` for every machine. `last_fence` is the highest fence this ledger
    knows of; `floor` is where fences begin for a ledger that cannot know all before it.
    """

    ledger: str
    holder: str
    seconds: float
    last_fence: int
    host: str = ""
    floor: int = 0


@dataclass(frozen=True, slots=True)
class Take:
    """The lease is free for us: write `record`. `gone_in_seconds`: when nothing of another writer can land any more."""

    record: TenureRecord
    gone_in_seconds: float | None


@dataclass(frozen=True, slots=True)
class Standby:
    """Another writer holds the lease, for `seconds` more unless it renews."""

    holder: str
    seconds: float


class LeaseChange(StrEnum):
    """What is worth telling about the lease."""

    HELD = "held"
    STANDBY = "standby"
    UNREACHABLE = "unreachable"
    REGAINED = "regained"


@dataclass(frozen=True, slots=True)
class LeaseNews:
    """A change of the lease's state, told once, with a sentence for people."""

    change: LeaseChange
    sentence: str


class LeaseService(Protocol):
    """The part of `ports.Commercetools` that keeps the lease."""

    async def read_tenure(self) -> TenureRecord | Failure | None:
        """The lease; None when there is none."""
        ...

    async def write_tenure(self, record: TenureRecord) -> TenureRecord | Failure:
        """Compare-and-set the lease."""
        ...


def decide(found: TenureRecord | None, claim: Claim, seen: int = 0) -> Take | Standby:
    """Whether the lease may be taken now: when there is none, when it is our own, or when it has run out.

    Our own is that of our ledger on our host, whose process is gone: the lock on the database says so. Our ledger on
    another host is a copy of the database that may be at work, and is waited for like a stranger. `seen`: the highest fence
    met on the lease since we ask for it.
    """
    fence = _fence(found, claim, seen)
    if found is None:
        return Take(_record(claim, None, fence), None)
    if found.ledger == claim.ledger and found.host == claim.host:
        return Take(_record(claim, found.version, fence), None)
    left_seconds = (found.modified_at_ms - found.server_ms) / 1000 + found.seconds
    if left_seconds > 0:
        return Standby(found.holder, left_seconds)
    gone_in_seconds = max(0.0, left_seconds + REQUEST_LIMIT_SECONDS + CONFIRM_MARGIN_SECONDS)
    return Take(_record(claim, found.version, fence), gone_in_seconds)


def _fence(found: TenureRecord | None, claim: Claim, seen: int) -> int:
    """The next fence, above every one that entries may carry.

    Where the lease continues what our database knows, nobody came between. Where it does not, one of them was lost or put
    back, or others wrote: fences that neither tells of lie below the floor, because they began as low as it did then.
    """
    known = max(claim.last_fence, seen)
    if found is not None and found.ledger == claim.ledger and found.fence == known:
        return known + 1
    return max(known + 1, claim.floor, found.fence + 1 if found is not None else 0)


def _record(claim: Claim, version: int | None, fence: int) -> TenureRecord:
    return TenureRecord(version, claim.ledger, claim.holder, fence, claim.seconds, 0, 0, claim.host)


class Lease:
    """The tenure of this process: acquired once, kept until the stop, lost for good when somebody else has it."""

    def __init__(
        self,
        service: LeaseService,
        limiter: Limiter,
        clock: Clock,
        chance: Callable[[], float],
        claim: Claim,
        tell: Callable[[LeaseNews], None],
    ) -> None:
        """`claim.seconds` 0: no lease is kept anywhere, and the tenure's fence is `claim.last_fence` as it is."""
        self._service = service
        self._limiter = limiter
        self._clock = clock
        self._chance = chance
        self._claim = claim
        self._tell = tell
        self._seen_fence = 0
        self._record: TenureRecord | None = None
        self._until = -math.inf
        self._gone_at: float | None = None
        self._told: LeaseNews | None = None

    @property
    def until(self) -> float:
        """Monotonic seconds up to which the lease is certainly ours; infinite when none is kept."""
        return self._until

    @property
    def predecessor_gone_at(self) -> float | None:
        """Monotonic seconds after which nothing of another writer can land; None: there was none.

        Every key taken over is read once more after it (stock ledger, "Confirm read").
        """
        return self._gone_at

    def may_increase(self) -> bool:
        """Whether the lease surely holds now. Without it decreases go on and increases and hand-over wait."""
        return self._clock.monotonic() < self._until

    async def acquire(self, beat: Callable[[], None] = lambda: None) -> Tenure:
        """Wait until the lease is ours; as a standby, that may be for ever. `beat`: each look. Raises Quiesced."""
        if self._claim.seconds <= 0:
            self._until = math.inf
            return Tenure(self._claim.holder, self._claim.last_fence, self._claim.ledger)
        failures = 0
        while self._record is None:
            beat()
            found = await self._read()
            if isinstance(found, TenureRecord) or found is None:
                pause_seconds, failures = await self._try_to_take(found), 0
            else:
                pause_seconds = self._backoff(failures)
                failures += 1
                self._say(
                    LeaseChange.UNREACHABLE,
                    f"the lease cannot be read ({_told(found)}); nothing is written yet",
                )
            if pause_seconds:
                await self._clock.sleep(pause_seconds)
        self._say(LeaseChange.HELD, f"this host writes, with fence {self._record.fence}")
        return Tenure(self._claim.holder, self._record.fence, self._claim.ledger)

    async def keep(self, stop: asyncio.Event, beat: Callable[[], None]) -> None:
        """Renew at a third of the lease until the stop. Raises Fatal(73) when somebody else holds it."""
        third_seconds = self._claim.seconds / _RENEWALS_PER_LEASE
        failures = 0
        due = self._clock.monotonic() + third_seconds
        with contextlib.suppress(Quiesced):
            while not await _stopped(stop, self._rest_seconds(due)):
                beat()
                if self._record is None or self._clock.monotonic() < due:
                    continue
                renewed = await self._renew(self._record)
                failures = 0 if renewed else failures + 1
                pause_seconds = third_seconds if renewed else min(third_seconds, self._backoff(failures - 1))
                due = self._clock.monotonic() + pause_seconds

    def _rest_seconds(self, due: float) -> float:
        if self._record is None:
            return BEAT_SECONDS
        return min(BEAT_SECONDS, max(0.0, due - self._clock.monotonic()))

    async def release(self) -> None:
        """Let the lease end now, so that a standby need not wait for it. Best effort; increases end with it."""
        record, self._record, self._until = self._record, None, -math.inf
        if record is not None:
            await self._service.write_tenure(replace(record, seconds=0.0))

    async def _try_to_take(self, found: TenureRecord | None) -> float:
        """Take the lease if it is free; seconds to wait before looking again."""
        decision = decide(found, self._claim, self._seen_fence)
        self._seen_fence = max(self._seen_fence, found.fence if found else 0)
        if isinstance(decision, Standby):
            self._say(LeaseChange.STANDBY, f"{decision.holder} holds the lease; this host stands by")
            return min(decision.seconds, STANDBY_POLL_SECONDS)
        if decision.gone_in_seconds is not None:
            self._expect_late_writes(decision.gone_in_seconds)
        began, answer = await self._write(decision.record)
        if isinstance(answer, TenureRecord):
            self._hold(answer, began)
            return 0.0
        if isinstance(answer, Conflict):
            if decision.record.version is None:
                # There is no create-only write: we may have replaced a lease just given, whose holder learns it late.
                wait_seconds = self._claim.seconds + REQUEST_LIMIT_SECONDS + CONFIRM_MARGIN_SECONDS
                self._expect_late_writes(wait_seconds)
            return steady_delay(0, self._chance(), base_seconds=0.2)
        self._say(
            LeaseChange.UNREACHABLE, f"the lease cannot be taken ({_told(answer)}); nothing is written yet"
        )
        return self._backoff(1)

    def _expect_late_writes(self, seconds: float) -> None:
        gone_at = self._clock.monotonic() + seconds
        self._gone_at = gone_at if self._gone_at is None else max(self._gone_at, gone_at)

    async def _renew(self, record: TenureRecord) -> bool:
        """Renew, looking who holds the lease when that fails; whether it worked. Raises Fatal(73)."""
        answer: TenureRecord | Failure | None = None
        for _ in range(_TRIES_PER_RENEWAL):
            began, answer = await self._write(record)
            if isinstance(answer, TenureRecord):
                self._hold(answer, began)
                return True
            answer = await self._read()
            if answer is None:
                record = replace(record, version=None)
            elif not isinstance(answer, TenureRecord):
                break
            elif answer.holder != self._claim.holder:
                raise Fatal(
                    EXIT_FENCED_OFF,
                    f"{answer.holder} holds the lease with fence {answer.fence}, this process had {record.fence}: "
                    "only one host may write. Started again, this one stands by",
                )
            else:
                record = replace(record, version=answer.version)
        self._record = record
        self._say(
            LeaseChange.UNREACHABLE,
            f"the lease cannot be renewed ({_told(answer)}); increases stop when it runs out, decreases go on",
        )
        return False

    def _hold(self, record: TenureRecord, began: float) -> None:
        if (
            self._told is not None
            and self._told.change is LeaseChange.UNREACHABLE
            and self._record is not None
        ):
            self._say(LeaseChange.REGAINED, "the lease is renewed again; increases go on")
        self._record = record
        self._until = began + self._claim.seconds

    async def _read(self) -> TenureRecord | Failure | None:
        return await self._limiter.call(Priority.RESOLVE, 1.0, self._service.read_tenure)

    async def _write(self, record: TenureRecord) -> tuple[float, TenureRecord | Failure]:
        """Write the lease; when the request left, and its answer."""
        began = math.inf

        async def send() -> TenureRecord | Failure:
            nonlocal began
            began = self._clock.monotonic()
            return await self._service.write_tenure(record)

        answer = await self._limiter.call(Priority.RESOLVE, 1.0, send)
        return began, answer

    def _backoff(self, failures: int) -> float:
        return steady_delay(failures, self._chance(), limit_seconds=RETRY_LIMIT_SECONDS)

    def _say(self, change: LeaseChange, sentence: str) -> None:
        if self._told is None or self._told.change is not change:
            self._told = LeaseNews(change, sentence)
            self._tell(self._told)


async def _stopped(stop: asyncio.Event, seconds: float) -> bool:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()
    return stop.is_set()


def _told(answer: TenureRecord | Failure | None) -> str:
    return type(answer).__name__.lower()

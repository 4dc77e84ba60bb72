"""One writer at a time: taking, keeping, losing and handing on the lease (faults 44 and 162, D7)."""

from __future__ import annotations

import asyncio
import itertools
import math
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsyncd.domain.fatal import EXIT_FENCED_OFF, Fatal
from archsyncd.domain.inventory import Conflict, Failure, TenureRecord, Throttled, Unknown, Unreached
from archsyncd.domain.tenure import Tenure
from archsyncd.engine.limiter import Limiter, Quiesced
from archsyncd.engine.tenure import Claim, Lease, LeaseChange, LeaseNews, Standby, Take, decide
from tests.support.virtual_time import VirtualClock, virtual

SKEW_MS = -7_200_000  # the server's clock is two hours behind ours, and no rule may notice


@dataclass
class LeaseObject:
    """A Custom Object on a server with its own clock. `script` holds faults for the next writes, `down` for all calls.

    A fault "lost" applies the write and loses its answer.
    """

    clock: VirtualClock
    record: TenureRecord | None = None
    down: Failure | None = None
    script: list[Failure | str] = field(default_factory=list)
    writes: int = 0

    @property
    def stored(self) -> TenureRecord:
        assert self.record is not None
        return self.record

    def server_ms(self) -> int:
        return self.clock.wall_ms() + SKEW_MS

    async def read_tenure(self) -> TenureRecord | Failure | None:
        await asyncio.sleep(0)
        if self.down is not None:
            return self.down
        return None if self.record is None else replace(self.record, server_ms=self.server_ms())

    async def write_tenure(self, record: TenureRecord) -> TenureRecord | Failure:
        await asyncio.sleep(0)
        if self.down is not None:
            return self.down
        fault = self.script.pop(0) if self.script else None
        if fault is not None and not isinstance(fault, str):
            return fault
        present = self.record.version if self.record is not None else None
        if record.version is not None and record.version != present:
            return Conflict(present)
        self.writes += 1
        now = self.server_ms()
        self.record = replace(record, version=(present or 0) + 1, modified_at_ms=now, server_ms=now)
        if record.version is None and present is not None:
            return Conflict(self.record.version)  # replaced: told by the client as a conflict
        return Unknown("answer lost") if fault == "lost" else self.record


class Host:
    """One process that wants to write."""

    def __init__(
        self,
        server: LeaseObject,
        ledger: str,
        holder: str,
        seconds: float = 30,
        last_fence: int = 0,
        host: str = "",
    ) -> None:
        self.news: list[LeaseNews] = []
        self.stop = asyncio.Event()
        self.limiter = Limiter(50, 100, 16, server.clock, lambda: 0.5)
        claim = Claim(ledger, holder, seconds, last_fence, host)
        self.lease = Lease(server, self.limiter, server.clock, lambda: 0.5, claim, self.news.append)

    @property
    def told(self) -> list[LeaseChange]:
        return [news.change for news in self.news]

    def keep(self) -> asyncio.Task[None]:
        return asyncio.create_task(self.lease.keep(self.stop, lambda: None))

    async def end(self, keeping: asyncio.Task[None]) -> None:
        self.stop.set()
        await keeping


def server() -> LeaseObject:
    return LeaseObject(VirtualClock())


def held(ledger: str = "other", fence: int = 7, seconds: float = 30, age_seconds: float = 0) -> TenureRecord:
    return TenureRecord(
        3, ledger, "other-host", fence, seconds, 1_000_000, 1_000_000 + int(age_seconds * 1000)
    )


CLAIM = Claim("ours", "our-host", 30, 2)


def test_a_free_lease_is_taken_with_a_fence_above_the_last() -> None:
    """Without a lease object the fence still rises above what this ledger has used."""
    assert decide(None, CLAIM) == Take(TenureRecord(None, "ours", "our-host", 3, 30, 0, 0), None)


def test_our_own_ledger_takes_over_at_once() -> None:
    """A restart does not wait for its own lease to run out, and its fence is newer."""
    taken = decide(held("ours"), CLAIM)
    assert taken == Take(TenureRecord(3, "ours", "our-host", 8, 30, 0, 0), None)


def test_our_own_ledger_on_another_host_is_waited_for_like_a_stranger() -> None:
    """A copy of the database may be at work there: neither its lease nor its late requests are passed over."""
    copy = replace(held("ours", seconds=30, age_seconds=10), host="elsewhere")
    assert decide(copy, CLAIM) == Standby("other-host", 20)
    released = decide(replace(copy, seconds=0), CLAIM)
    assert isinstance(released, Take)
    assert released.gone_in_seconds is not None
    assert released.gone_in_seconds >= 60


def test_a_fence_goes_on_by_one_only_where_nobody_can_have_come_between() -> None:
    """What the lease and the database do not both tell may have been as high as the clock was then."""
    counted = replace(CLAIM, last_fence=7, floor=1_000)

    def fence(found: TenureRecord | None, claim: Claim = counted, seen: int = 0) -> int:
        decision = decide(found, claim, seen)
        assert isinstance(decision, Take)
        return decision.record.fence

    assert fence(held("ours", fence=7)) == 8
    assert fence(held("ours", fence=9)) == 1_000
    assert fence(held("ours", fence=7), replace(counted, last_fence=0)) == 1_000
    assert fence(held("other", fence=7, seconds=0)) == 1_000
    assert fence(None) == 1_000
    assert fence(None, replace(counted, last_fence=2_000)) == 2_001
    assert fence(None, seen=3_000) == 3_001


@given(
    age=st.floats(0, 200),
    seconds=st.floats(0, 100),
    fence=st.integers(0, 100),
    last=st.integers(0, 100),
)
def test_another_ledgers_lease_is_taken_only_after_it_has_run_out(
    age: float, seconds: float, fence: int, last: int
) -> None:
    """Neither early nor with an old fence; and what the other sent may land for 60 s after its end."""
    found = held(fence=fence, seconds=seconds, age_seconds=age)
    age = (found.server_ms - found.modified_at_ms) / 1000
    decision = decide(found, replace(CLAIM, last_fence=last))
    if isinstance(decision, Standby):
        assert age < seconds
        assert decision.seconds == pytest.approx(seconds - age)
    else:
        assert age >= seconds
        assert decision.record.fence == max(fence, last) + 1
        assert decision.record.version == found.version
        assert decision.gone_in_seconds is not None
        assert decision.gone_in_seconds + age >= seconds + 60


@virtual
async def test_f162_of_two_hosts_one_writes_and_one_stands_by() -> None:
    """While the first renews, the second waits, says so once, and never has a tenure."""
    shared = server()
    first, second = Host(shared, "a", "host-a"), Host(shared, "b", "host-b")
    tenure = await first.lease.acquire()
    assert tenure == Tenure("host-a", 1, "a")
    keeping = first.keep()
    waiting = asyncio.create_task(second.lease.acquire())
    for _ in range(360):
        await shared.clock.sleep(10)
        assert first.lease.may_increase()
        assert not second.lease.may_increase()
    assert not waiting.done()
    assert second.told == [LeaseChange.STANDBY]
    assert "host-a" in second.news[0].sentence
    assert shared.writes == pytest.approx(361, abs=2)
    waiting.cancel()
    await first.end(keeping)


@virtual
async def test_f162_a_standby_takes_over_when_the_writer_is_gone() -> None:
    """After the lease has run out by the server's clock the standby writes, and knows when to read everything again."""
    shared = server()
    first, second = Host(shared, "a", "host-a"), Host(shared, "b", "host-b", last_fence=5)
    await first.lease.acquire()
    began = shared.clock.monotonic()
    tenure = await second.lease.acquire()
    taken_after = shared.clock.monotonic() - began
    assert 30 <= taken_after <= 41
    assert tenure == Tenure("host-b", 6, "b")
    assert second.lease.predecessor_gone_at is not None
    assert second.lease.predecessor_gone_at >= began + 30 + 60
    assert not first.lease.may_increase()


@virtual
async def test_f162_a_writer_that_was_paused_stops_when_it_sees_its_successor() -> None:
    """D7: after a long pause the old writer raises nothing more and ends with 73 at its first look."""
    shared = server()
    first, second = Host(shared, "a", "host-a"), Host(shared, "b", "host-b")
    await first.lease.acquire()
    await second.lease.acquire()
    assert not first.lease.may_increase()
    with pytest.raises(Fatal, match="host-b holds the lease with fence 2") as ended:
        await first.keep()
    assert ended.value.code == EXIT_FENCED_OFF
    assert second.lease.may_increase()


@virtual
async def test_a_restart_on_one_host_takes_its_own_lease_over_at_once() -> None:
    """The process before is gone, or is fenced off at its next look: the lock on the database lets only one have it."""
    shared = server()
    first, second = Host(shared, "a", "host-a", host="a"), Host(shared, "a", "host-a-2", host="a")
    await first.lease.acquire()
    assert (await second.lease.acquire()).fence == 2
    assert second.lease.predecessor_gone_at is None
    with pytest.raises(Fatal):
        await first.keep()


@virtual
async def test_f164_a_clone_on_another_host_does_not_fence_the_original_off() -> None:
    """The same ledger asks from elsewhere: it stands by for as long as the original renews, and takes over after it."""
    shared = server()
    first, clone = Host(shared, "a", "host-a", host="a"), Host(shared, "a", "host-b", host="b")
    await first.lease.acquire()
    keeping = first.keep()
    waiting = asyncio.create_task(clone.lease.acquire())
    await shared.clock.sleep(3_600)
    assert not waiting.done()
    assert clone.told == [LeaseChange.STANDBY]
    assert first.lease.may_increase()
    await first.end(keeping)
    await first.lease.release()
    assert (await waiting).fence == 2
    assert clone.lease.predecessor_gone_at is not None


@virtual
async def test_losing_the_lease_service_is_not_losing_the_lease() -> None:
    """Silence: increases stop once the lease may have run out, the process goes on, and all is well when it is back."""
    shared = server()
    host = Host(shared, "a", "host-a")
    await host.lease.acquire()
    keeping = host.keep()
    await shared.clock.sleep(15)
    shared.down = Unreached("connect")
    await shared.clock.sleep(20)
    assert host.lease.may_increase()
    await shared.clock.sleep(6)
    assert not host.lease.may_increase()
    assert host.told == [LeaseChange.HELD, LeaseChange.UNREACHABLE]
    await shared.clock.sleep(3_600)
    assert not keeping.done()
    shared.down = None
    await shared.clock.sleep(120)
    assert host.lease.may_increase()
    assert host.told[2:] == [LeaseChange.REGAINED]
    assert shared.stored.fence == 1
    await host.end(keeping)


@virtual
async def test_increases_stop_no_later_than_another_could_take_the_lease() -> None:
    """Our end of the lease is counted from before the request left: never later than the server's."""
    shared = server()
    host = Host(shared, "a", "host-a")
    await host.lease.acquire()
    while host.lease.may_increase():
        await shared.clock.sleep(0.5)
    end_ms = shared.stored.modified_at_ms + 30_000
    assert shared.server_ms() <= end_ms + 500


@virtual
async def test_a_renewal_whose_answer_is_lost_is_recognised_as_ours() -> None:
    """The version moved by our own unanswered write: nobody is fenced off and nothing is told."""
    shared = server()
    host = Host(shared, "a", "host-a")
    await host.lease.acquire()
    keeping = host.keep()
    shared.script = ["lost"]
    await shared.clock.sleep(60)
    assert not keeping.done()
    assert host.lease.may_increase()
    assert host.told == [LeaseChange.HELD]
    await host.end(keeping)


@virtual
async def test_an_acquisition_whose_answer_is_lost_is_not_taken_for_another_host() -> None:
    """Taking over from another ledger with a lost answer still ends with a newer fence and a date for the second look."""
    shared = server()
    shared.record = TenureRecord(3, "other", "gone", 7, 30, shared.server_ms() - 60_000, 0)
    shared.script = ["lost"]
    host = Host(shared, "a", "host-a")
    began = shared.clock.monotonic()
    tenure = await host.lease.acquire()
    assert tenure.fence == 9
    assert host.lease.predecessor_gone_at is not None
    assert host.lease.predecessor_gone_at >= began + 30
    assert host.told == [LeaseChange.UNREACHABLE, LeaseChange.HELD]


@virtual
async def test_two_hosts_creating_the_lease_together_end_with_one_writer() -> None:
    """There is no create-only write: who replaced the other's lease holds it and expects the other's late writes."""
    shared = server()
    first, second = Host(shared, "a", "host-a"), Host(shared, "b", "host-b")
    tenures = await asyncio.gather(first.lease.acquire(), second.lease.acquire())
    assert tenures[1].fence > tenures[0].fence
    assert second.lease.predecessor_gone_at is not None
    assert second.lease.predecessor_gone_at >= shared.clock.monotonic() + 30 + 60 - 1
    with pytest.raises(Fatal):
        await first.keep()
    assert second.lease.may_increase()


@virtual
async def test_a_lease_deleted_by_hand_is_written_again_with_the_same_fence() -> None:
    """Nobody else was there: the writer goes on."""
    shared = server()
    host = Host(shared, "a", "host-a", last_fence=4)
    await host.lease.acquire()
    keeping = host.keep()
    shared.record = None
    await shared.clock.sleep(60)
    assert (shared.stored.holder, shared.stored.fence) == ("host-a", 5)
    assert host.lease.may_increase()
    await host.end(keeping)


@virtual
async def test_a_standby_remembers_fences_it_has_seen() -> None:
    """A lease deleted under the eyes of a standby is not begun again with a low fence."""
    shared = server()
    shared.record = TenureRecord(3, "other", "gone", 70, 30, shared.server_ms(), 0)
    host = Host(shared, "a", "host-a")
    waiting = asyncio.create_task(host.lease.acquire())
    await shared.clock.sleep(5)
    shared.record = None
    assert (await waiting).fence == 71


@virtual
async def test_a_start_without_the_lease_service_waits_and_writes_nothing() -> None:
    """Without a lease there is no tenure: the start goes on asking, ever more rarely, and says why once."""
    shared = server()
    shared.down = Throttled(503, "ServiceUnavailable")
    host = Host(shared, "a", "host-a")
    waiting = asyncio.create_task(host.lease.acquire())
    await shared.clock.sleep(1_800)
    assert not waiting.done()
    assert not host.lease.may_increase()
    assert host.told == [LeaseChange.UNREACHABLE]
    assert host.limiter.state().requests_total < 120
    shared.down = None
    assert (await waiting).fence == 1
    assert host.told == [LeaseChange.UNREACHABLE, LeaseChange.HELD]


@virtual
async def test_a_released_lease_is_taken_without_waiting_for_its_end() -> None:
    """An orderly stop hands the lease on; late writes of the old host are still awaited."""
    shared = server()
    first, second = Host(shared, "a", "host-a"), Host(shared, "b", "host-b")
    await first.lease.acquire()
    await first.lease.release()
    await first.lease.release()
    assert not first.lease.may_increase()
    began = shared.clock.monotonic()
    await second.lease.acquire()
    assert shared.clock.monotonic() - began < 1
    assert second.lease.predecessor_gone_at is not None
    assert second.lease.predecessor_gone_at >= began + 60


@virtual
async def test_a_stop_ends_keeping_at_once() -> None:
    """Neither the pause between renewals nor a limiter that lets nobody through delays the stop."""
    shared = server()
    host = Host(shared, "a", "host-a")
    await host.lease.acquire()
    keeping = host.keep()
    await shared.clock.sleep(1)
    began = shared.clock.monotonic()
    await host.end(keeping)
    assert shared.clock.monotonic() == began
    other = Host(shared, "a", "host-a2")
    await other.lease.acquire()
    other.limiter.quiesce()
    await other.keep()
    late = Host(shared, "a", "host-a3")
    late.limiter.quiesce()
    with pytest.raises(Quiesced):
        await late.lease.acquire()


@virtual
async def test_a_long_lease_still_shows_progress_while_it_rests() -> None:
    """The pause between renewals may be longer than the watch's patience."""
    shared, beats = server(), list[float]()
    host = Host(shared, "a", "host-a", seconds=3_600)
    await host.lease.acquire()
    keeping = asyncio.create_task(
        host.lease.keep(host.stop, lambda: beats.append(shared.clock.monotonic())),
    )
    await shared.clock.sleep(3_590)
    assert max(later - earlier for earlier, later in itertools.pairwise(beats)) <= 6
    assert shared.writes == 3
    await host.end(keeping)


@virtual
async def test_without_a_lease_the_fence_is_the_one_handed_in() -> None:
    """`seconds = 0`: this host only. Nothing is read or written, and increases are always allowed."""
    shared = server()
    shared.down = Unreached("never asked")
    host = Host(shared, "a", "host-a", seconds=0, last_fence=12)
    assert await host.lease.acquire() == Tenure("host-a", 12, "a")
    keeping = host.keep()
    await shared.clock.sleep(86_400)
    assert host.lease.may_increase()
    assert host.lease.until == math.inf
    assert host.limiter.state().requests_total == 0
    await host.end(keeping)
    await host.lease.release()


@virtual
async def test_f044_no_clock_of_ours_decides_when_a_lease_ends() -> None:
    """Our wall clock jumping by a day neither takes a live lease nor loses ours."""
    shared = server()
    # The server's clock is not ours: it keeps its own count while our wall clock is stepped.
    wall = VirtualClock()
    first = Host(shared, "a", "host-a")
    stepped = Host(shared, "b", "host-b")
    stepped.lease = Lease(
        shared, stepped.limiter, wall, lambda: 0.5, Claim("b", "host-b", 30, 0), stepped.news.append
    )
    await first.lease.acquire()
    keeping = first.keep()
    wall.jump_wall(86_400)
    waiting = asyncio.create_task(stepped.lease.acquire())
    await shared.clock.sleep(600)
    assert not waiting.done()
    assert not keeping.done()
    waiting.cancel()
    await first.end(keeping)

"""Pumps that fail, hang, end, and stop: D5, D6 and faults 14, 15, 18 to 20."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsyncd.domain.fatal import EXIT_FENCED_OFF, EXIT_RESTART, EXIT_STORE, Fatal
from archsyncd.engine.ports import FencedOff, StoreBroken, StoreNewer
from archsyncd.engine.supervise import (
    PROGRESS_LIMIT_SECONDS,
    RESTART_LIMIT,
    Pump,
    Restart,
    Supervisor,
    Watch,
    ask_for_time,
    feed_watchdog,
    measure_lag,
)
from tests.support.virtual_time import VirtualClock, virtual


class Stage:
    """A supervisor, its clock and what it told."""

    def __init__(self, finish_seconds: float = 30) -> None:
        self.clock = VirtualClock()
        self.watch = Watch(self.clock)
        self.told: list[Restart] = []
        self.quiesced = asyncio.Event()
        self.supervisor = Supervisor(
            self.clock,
            lambda: 0.5,
            self.watch,
            quiesce=self.quiesced.set,
            tell=self.told.append,
            finish_seconds=finish_seconds,
        )

    async def dutiful(self) -> None:
        """A pump that ends when intake ends."""
        await self.quiesced.wait()


def failing(error: Exception) -> Callable[[], Awaitable[None]]:
    async def run() -> None:
        raise error

    return run


@virtual
async def test_f020_a_pump_that_fails_is_started_again_after_a_growing_pause() -> None:
    """One dead task neither stays dead nor takes the others with it."""
    stage, starts = Stage(), list[float]()
    began = stage.clock.monotonic()

    async def stumbles_three_times() -> None:
        starts.append(stage.clock.monotonic() - began)
        if len(starts) <= 3:
            raise LookupError("bug")
        stage.supervisor.stop()

    await stage.supervisor.run([Pump("a", stumbles_three_times), Pump("b", stage.dutiful)])
    assert starts == pytest.approx([0, 0.75, 2.25, 5.25])
    assert [(told.pump, told.failures) for told in stage.told] == [("a", 1), ("a", 2), ("a", 3)]
    assert str(stage.told[0].error) == "bug"


@virtual
async def test_f020_a_pump_that_ends_by_itself_is_started_again() -> None:
    """A pump that returns while nobody stops is a fault too, not one pump less."""
    stage, starts = Stage(), 0

    async def returns_once() -> None:
        nonlocal starts
        starts += 1
        if starts == 2:
            stage.supervisor.stop()

    await stage.supervisor.run([Pump("a", returns_once)])
    assert starts == 2
    assert stage.told[0].error is None


@virtual
async def test_f020_a_pump_that_keeps_failing_ends_the_process() -> None:
    """After the limit the whole process exits with a status that systemd restarts from."""
    stage = Stage()
    with pytest.raises(Fatal, match=r"tail failed 6 times in a row: LookupError: bug") as ended:
        await stage.supervisor.run([Pump("tail", failing(LookupError("bug"))), Pump("b", stage.dutiful)])
    assert ended.value.code == EXIT_RESTART
    assert len(stage.told) == RESTART_LIMIT


@virtual
async def test_f020_a_feed_that_keeps_failing_ends_nothing_else() -> None:
    """What one source brings about is no reason to stop orders and writes: it is tried again for ever, and told each time."""
    stage, tries = Stage(), 0

    async def fails() -> None:
        nonlocal tries
        tries += 1
        if tries == 20:
            stage.supervisor.stop()
        raise LookupError("bug")

    await stage.supervisor.run([Pump("feed", fails, alone=True), Pump("b", stage.dutiful)])
    assert [told.failures for told in stage.told] == list(range(1, 20))
    assert max(told.delay_seconds for told in stage.told) == 45


@virtual
async def test_a_pump_that_fails_rarely_is_always_started_again() -> None:
    """Failures with long good runs between them are not counted together."""
    stage, runs = Stage(), 0

    async def fails_every_ten_minutes() -> None:
        nonlocal runs
        runs += 1
        if runs == 30:
            stage.supervisor.stop()
            return
        await stage.clock.sleep(600)
        raise LookupError

    await stage.supervisor.run([Pump("a", fails_every_ten_minutes)])
    assert {told.failures for told in stage.told} == {1}


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Fatal(78, "no such region"), 78),
        (FencedOff("newer"), EXIT_FENCED_OFF),
        (StoreNewer("schema 9"), EXIT_STORE),
        (StoreBroken("input/output error"), EXIT_RESTART),
    ],
)
@virtual
async def test_errors_that_mean_the_end_end_everything_with_their_status(error: Exception, code: int) -> None:
    """A fatal error is never retried: all pumps are cancelled and the status says whether a restart helps."""
    stage = Stage()
    with pytest.raises(Fatal, match=str(error)) as ended:
        await stage.supervisor.run([Pump("a", failing(error)), Pump("b", stage.dutiful)])
    assert ended.value.code == code
    assert stage.told == []


@virtual
async def test_f014_a_stop_quiesces_first_and_lets_the_pumps_finish() -> None:
    """What is under way when the stop comes is finished, and run returns as soon as it is."""
    stage, finished = Stage(), list[str]()

    async def takes_a_while() -> None:
        await stage.quiesced.wait()
        await stage.clock.sleep(5)
        finished.append("in flight")

    run = asyncio.ensure_future(stage.supervisor.run([Pump("a", takes_a_while), Pump("b", stage.dutiful)]))
    await stage.clock.sleep(1)
    began = stage.clock.monotonic()
    stage.supervisor.stop()
    await run
    assert finished == ["in flight"]
    assert stage.clock.monotonic() - began == pytest.approx(5)


@virtual
async def test_f014_what_does_not_finish_is_cut_off_at_the_deadline() -> None:
    """D5: the stop never takes longer than its limit."""
    stage, cancelled = Stage(finish_seconds=30), list[float]()
    began = stage.clock.monotonic()

    async def hangs() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.append(stage.clock.monotonic() - began)

    run = asyncio.ensure_future(stage.supervisor.run([Pump("a", hangs)]))
    await stage.clock.sleep(1)
    stage.supervisor.stop()
    await run
    assert cancelled == pytest.approx([31])


@virtual
async def test_f015_a_second_stop_leaves_at_once() -> None:
    """A second signal does not wait for the deadline, a third changes nothing, and intake was stopped once."""
    stage = Stage()
    run = asyncio.ensure_future(stage.supervisor.run([Pump("a", asyncio.Event().wait)]))  # type: ignore[arg-type]
    await stage.clock.sleep(1)
    began = stage.clock.monotonic()
    stage.supervisor.stop()
    assert stage.supervisor.stopping
    await stage.clock.sleep(2)
    stage.supervisor.stop()
    stage.supervisor.stop()
    await run
    assert stage.clock.monotonic() - began == pytest.approx(2)


@virtual
async def test_a_stop_ends_the_pause_before_a_restart() -> None:
    """Nobody waits for a backoff while stopping, and nothing is started again."""
    stage, starts = Stage(), 0

    async def fails() -> None:
        nonlocal starts
        starts += 1
        raise LookupError

    run = asyncio.ensure_future(stage.supervisor.run([Pump("a", fails)]))
    await stage.clock.sleep(0.1)
    began = stage.clock.monotonic()
    stage.supervisor.stop()
    await run
    assert (starts, stage.clock.monotonic() - began) == (1, 0)


@virtual
async def test_a_stop_before_the_start_starts_nothing() -> None:
    """A signal during the start-up is not lost."""
    stage = Stage()
    stage.supervisor.stop()
    await stage.supervisor.run([Pump("a", failing(AssertionError("started")))])
    assert stage.told == []


@virtual
async def test_a_fatal_error_while_finishing_still_gives_its_status() -> None:
    """Losing the tenure during the stop is told to systemd like at any other time."""
    stage = Stage()

    async def fenced_at_the_end() -> None:
        await stage.quiesced.wait()
        raise FencedOff("newer")

    run = asyncio.ensure_future(stage.supervisor.run([Pump("a", fenced_at_the_end)]))
    await stage.clock.sleep(1)
    stage.supervisor.stop()
    with pytest.raises(Fatal) as ended:
        await run
    assert ended.value.code == EXIT_FENCED_OFF


@virtual
async def test_f019_a_pump_stuck_behind_the_writer_starves_the_watchdog_though_the_loop_lives() -> None:
    """A deadlocked writer thread lets the loop run, but nobody progresses: the watchdog is not fed."""
    stage, fed = Stage(), list[float]()
    began = stage.clock.monotonic()
    writer = asyncio.Event()

    async def commits() -> None:
        beat = stage.watch.beater("drain")
        for _ in range(100):
            beat()
            await stage.clock.sleep(1)
        await writer.wait()

    feeding = asyncio.ensure_future(
        feed_watchdog(stage.watch, stage.clock, 30, lambda: fed.append(stage.clock.monotonic() - began))
    )
    run = asyncio.ensure_future(stage.supervisor.run([Pump("drain", commits)]))
    await stage.clock.sleep(1_000)
    assert stage.watch.late() == ("drain",)
    assert fed == pytest.approx(list(range(0, 160, 10)))
    stage.supervisor.stop()
    stage.supervisor.stop()
    await run
    feeding.cancel()


@virtual
async def test_f018_a_blocked_loop_feeds_nobody_and_its_lag_is_measured() -> None:
    """While the loop does not turn nothing is fed, because feeding is work on that loop; afterwards the lag shows."""
    clock = VirtualClock()
    watch, fed = Watch(clock), 0
    lag = 0.0

    class Late(VirtualClock):
        async def sleep(self, seconds: float) -> None:
            await super().sleep(seconds + lag)

    def feed() -> None:
        nonlocal fed
        fed += 1

    feeding = asyncio.ensure_future(feed_watchdog(watch, Late(), 30, feed))
    measuring = asyncio.ensure_future(measure_lag(watch, Late()))
    await clock.sleep(25)
    assert fed == 3
    assert watch.loop_lag_seconds == pytest.approx(0)
    lag = 40.0
    await clock.sleep(50)
    assert fed == 4
    assert watch.loop_lag_seconds == pytest.approx(40)
    lag = 0.0
    await clock.sleep(50)
    assert watch.loop_lag_seconds == pytest.approx(40)
    await clock.sleep(70)
    assert watch.loop_lag_seconds == pytest.approx(0)
    feeding.cancel()
    measuring.cancel()


@virtual
async def test_f016_more_time_is_asked_for_while_work_goes_on_and_not_for_ever() -> None:
    """Each request comes well before the one before has run out, and the last ones end at the limit."""
    clock, asked = VirtualClock(), list[tuple[float, float]]()
    began = clock.monotonic()
    await ask_for_time(clock, lambda seconds: asked.append((clock.monotonic() - began, seconds)), 100)
    assert [(round(at), round(seconds)) for at, seconds in asked] == [
        (0, 60),
        (20, 60),
        (40, 60),
        (60, 40),
        (80, 20),
    ]


@virtual
async def test_idleness_by_right_has_a_deadline() -> None:
    """A pump may say that it will be idle for so long, and is late when it is idle for longer."""
    clock = VirtualClock()
    watch = Watch(clock)
    watch.expect(Pump("nightly", asyncio.Event().wait, limit_seconds=10))  # type: ignore[arg-type]
    watch.idle("nightly", 3_600)
    await clock.sleep(3_610)
    assert watch.alive()
    await clock.sleep(0.1)
    assert watch.late() == ("nightly",)
    watch.beat("nightly")
    assert watch.alive()
    watch.forget("nightly")
    watch.beat("nightly")
    await clock.sleep(86_400)
    assert watch.alive()


@virtual
async def test_waiting_for_a_closed_limiter_is_idle_by_right() -> None:
    """An excused pump is not late however long it lasts, and has its limit anew when the excuse ends."""
    clock = VirtualClock()
    watch, closed = Watch(clock), True
    watch.expect(Pump("drain", asyncio.Event().wait, excused=lambda: closed))  # type: ignore[arg-type]
    for _ in range(100):
        await clock.sleep(60)
        assert watch.alive()
    closed = False
    await clock.sleep(PROGRESS_LIMIT_SECONDS)
    assert watch.alive()
    await clock.sleep(0.1)
    assert not watch.alive()


@virtual
async def test_a_pump_waiting_for_its_restart_is_idle_by_right() -> None:
    """The pause before a restart never looks like a hang, however long it is beside the limit."""
    stage = Stage()
    run = asyncio.ensure_future(
        stage.supervisor.run([Pump("a", failing(LookupError()), limit_seconds=0.01)]),
    )
    for _ in range(1000):
        await stage.clock.sleep(0.03)
        if run.done():
            break
        assert stage.watch.alive()
    with pytest.raises(Fatal):
        await run


@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.sampled_from(["beat", "idle", "wait"]), st.floats(0, 100)),
        max_size=40,
    )
)
def test_the_watch_is_alive_exactly_when_every_pump_progressed_or_was_idle_by_right(
    steps: list[tuple[str, str, float]],
) -> None:
    """D6, both directions, for any history."""

    @virtual
    async def judge() -> None:
        clock = VirtualClock()
        watch = Watch(clock)
        good_until = {}
        for name in "ab":
            watch.expect(Pump(name, asyncio.Event().wait))  # type: ignore[arg-type]
            good_until[name] = clock.monotonic() + PROGRESS_LIMIT_SECONDS
        for name, step, seconds in steps:
            if step == "wait":
                await clock.sleep(seconds)
            elif step == "beat":
                watch.beat(name)
                good_until[name] = clock.monotonic() + PROGRESS_LIMIT_SECONDS
            else:
                watch.idle(name, seconds)
                good_until[name] = clock.monotonic() + seconds + PROGRESS_LIMIT_SECONDS
            now = clock.monotonic()
            assert watch.alive() == all(now <= until for until in good_until.values())

    judge()

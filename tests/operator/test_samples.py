"""Samples for the charts: one a minute, a day of them, gaps where nothing was noted; a verb tells them."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsyncd.domain.samples import EVERY_MS, KEPT_MS, Sample
from archsyncd.engine.limiter import Priority
from archsyncd.operator.commands import Commands
from archsyncd.operator.fields import FIELDS
from archsyncd.operator.protocol import Refusal
from archsyncd.operator.samples import ROWS_MOST, Recorder, recording, sample_of
from tests.operator.daemon import SmallDaemon, ask_json, break_store, ctl, served, small_daemon
from tests.support.examples import examples
from tests.support.virtual_time import run_virtual, virtual


async def noted(daemon: SmallDaemon) -> list[Sample]:
    now_ms = daemon.clock.wall_ms()
    return await daemon.store.samples.between(now_ms - 2 * KEPT_MS, now_ms + KEPT_MS, EVERY_MS, 10_000)


@virtual
async def test_a_sample_a_minute_is_noted_while_the_daemon_runs(tmp_path: Path) -> None:
    """Also while nobody looks."""
    async with small_daemon(tmp_path) as daemon, recording(daemon):
        await daemon.clock.sleep(5 * 60 + 1)
        found = await noted(daemon)
        assert len(found) == 6
        assert {later.at_ms - sooner.at_ms for sooner, later in pairwise(found)} == {EVERY_MS}


@virtual
async def test_a_sample_says_what_the_status_says(tmp_path: Path) -> None:
    """Waiting keys, the oldest decrease, exceptions, how far orders are behind, the limit."""
    async with small_daemon(tmp_path) as daemon:
        await daemon.level("ABC-1", 15)
        await daemon.prove("ABC-1", 15)
        await daemon.level("ABC-1", 12)
        await daemon.level("ABC-2", 5_000)
        await daemon.clock.sleep(30)
        await Recorder(daemon).note()
        (sample,) = await noted(daemon)
        assert (sample.decreases, sample.increases, sample.cases) == (1, 0, 1)
        assert sample.oldest_decrease_ms == 30_000
        assert sample.behind_ms == 90_000
        assert sample.limit == daemon.limiter.state().rate_now


@virtual
async def test_the_rate_of_requests_is_the_mean_since_the_sample_before(tmp_path: Path) -> None:
    """The first one has none to compare with."""
    async with small_daemon(tmp_path) as daemon:
        recorder = Recorder(daemon)
        await recorder.note()
        for _ in range(30):
            (await daemon.limiter.permit(Priority.CHECK)).release()
        await daemon.clock.sleep(100)
        await recorder.note()
        first, second = await noted(daemon)
        assert first.requests is None
        await recorder.note()
        assert (await noted(daemon))[-1].requests is None, "two notes at one moment have no rate"
        assert second.requests is not None
        assert second.requests == pytest.approx(0.3, rel=0.1)


@settings(max_examples=examples(15))
@given(jumps=st.lists(st.integers(-3 * 86_400, 3 * 86_400), max_size=12))
def test_however_the_wall_clock_jumps_a_day_of_samples_is_kept(
    jumps: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Neither older ones nor such of the future stay."""

    async def body() -> None:
        async with small_daemon(tmp_path_factory.mktemp("jumps")) as daemon:
            for seconds in [*jumps, 0]:
                daemon.clock.jump_wall(seconds)
                await daemon.store.samples.note(Sample(daemon.clock.wall_ms(), 0))
            now_ms = daemon.clock.wall_ms()
            assert all(now_ms - KEPT_MS - EVERY_MS <= each.at_ms <= now_ms for each in await noted(daemon))

    run_virtual(body())


@virtual
async def test_what_cannot_be_written_leaves_a_gap_and_the_recorder_goes_on(tmp_path: Path) -> None:
    """A store that is broken."""
    async with small_daemon(tmp_path) as daemon, recording(daemon):
        await daemon.clock.sleep(61)
        await break_store(daemon)
        await daemon.clock.sleep(180)


def test_a_status_without_figures_gives_its_verdict_alone() -> None:
    """As a broken store tells it."""
    sample = sample_of({"verdict": "critical", "requests": {"limit_per_second": 20.0}}, 60_000, None)
    assert sample == Sample(60_000, 2, limit=20.0)


@virtual
async def test_the_verb_tells_a_day_in_a_bounded_number_of_rows(tmp_path: Path) -> None:
    """The worst of each step, so that no peak is lost; the fields are the documented ones."""
    async with small_daemon(tmp_path) as daemon:
        now_ms = daemon.clock.wall_ms()
        for number in range(1, 24 * 60, 3):
            cases = 77 if number == 700 else 1
            await daemon.store.samples.note(Sample(now_ms + number * EVERY_MS, 0, cases=cases))
        daemon.clock.jump_wall(86_400)
        answer = await Commands(daemon).answer("samples", {"hours": 24})
        assert len(answer["rows"]) <= ROWS_MOST + 1
        assert max(row["exceptions"] for row in answer["rows"]) == 77
        told = FIELDS["samples"]["rows"].partition("]")[0].strip("[").split(", ")
        assert list(answer["rows"][0]) == told
        with pytest.raises(Refusal, match="hours must be a whole number from 1 to 24"):
            await Commands(daemon).answer("samples", {"hours": 25})


@virtual
async def test_people_read_samples_as_a_table(tmp_path: Path) -> None:
    """And are told when there is none yet."""
    async with served(tmp_path) as daemon:
        assert "Nothing is noted yet" in (await ctl(daemon, "samples"))[1]
        await Recorder(daemon).note()
        code, out, _ = await ctl(daemon, "samples", "--hours", "1")
        assert code == 0
        assert out.splitlines()[0].split()[:2] == ["at", "verdict"]
        assert (await ask_json(daemon, "samples"))["step_seconds"] == 180

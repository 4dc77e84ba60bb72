"""archsyncctl reconcile: runs begun, watched, shown and stopped, and held raises let go on."""

from __future__ import annotations

import asyncio
import csv
import io
from dataclasses import replace
from pathlib import Path

import pytest

from archsyncd.domain.inventory import Entry, Marker, StockKey
from archsyncd.domain.reconciling import Listing, Mode, RaiseGuard, RunState, Wanted
from archsyncd.operator.control import ControlLimits
from archsyncd.operator.ctl import main
from archsyncd.operator.reconcile_screen import SKU_RUNS
from tests.operator.daemon import CHANNEL, HastyClock, SmallDaemon, ask_json, ctl, served
from tests.support.virtual_time import virtual


def listed(daemon: SmallDaemon, stock: dict[str, int]) -> Listing:
    """A page of these entries as they would be listed now."""
    now = daemon.clock.wall_ms()
    entries = tuple(
        Entry(f"entry-{sku}", 1, StockKey(CHANNEL, sku), pieces, pieces, Marker(), None, 1, now)
        for sku, pieces in sorted(stock.items())
    )
    return Listing("", entries, (), (), "z", full=False, ordered=True, server_ms=now)


async def ran(daemon: SmallDaemon, stock: dict[str, int], mode: Mode = Mode.DRY_RUN) -> None:
    """A whole run over keys of ten pieces each."""
    for sku in stock:
        await daemon.level(sku, 10)
        await daemon.prove(sku, 10)
    run = await daemon.store.reconciles.begin(Wanted(mode))
    assert run is not None
    await daemon.store.reconciles.judge(run, listed(daemon, stock), 10_000)
    await daemon.store.reconciles.end(run, RunState.DONE)


@virtual
async def test_a_run_is_shown_with_what_differs_and_the_totals_of_each_channel(tmp_path: Path) -> None:
    """As a table, as CSV and as JSON; what came from outside is printable."""
    async with served(tmp_path) as daemon:
        await ran(daemon, {"A": 10, "B": 13, "C\x1b[2J": 6})
        code, out, _ = await ctl(daemon, "reconcile", "--show")
        assert code == 0
        assert "too-many  warehouse-1  B" in out
        assert "3 pieces more than our writes and the known orders explain" in out
        assert "\x1b" not in out
        assert "warehouse-1 too-few 1 4" in " ".join(out.split())
        assert "is done: 3 entries compared, 2 differ." in out
        assert "archsyncctl reconcile --apply has it corrected" in out
        _, out, _ = await ctl(daemon, "reconcile", "--show", "1", "--csv")
        rows = list(csv.DictReader(io.StringIO(out)))
        assert [(row["sku"], row["shown"], row["expected"], row["change"]) for row in rows] == [
            ("B", "13", "10", "-3"),
            ("C\x1b[2J", "6", "10", "4"),
        ]
        answer = await ask_json(daemon, "reconcile", "--show")
        assert (answer["differing"], answer["listed"], len(answer["rows"])) == (2, 2, 2)


@virtual
async def test_a_long_list_of_findings_is_told_in_pages_and_cut_in_the_table(tmp_path: Path) -> None:
    """Every finding that is kept is in the CSV."""
    async with served(tmp_path) as daemon:
        await ran(daemon, {f"S{number:03}": 11 for number in range(60)})
        _, out, _ = await ctl(daemon, "reconcile", "--show", "--limit", "5")
        assert "and 55 more findings" in out
        _, out, _ = await ctl(daemon, "reconcile", "--show", "--csv")
        assert len(out.splitlines()) == 61


async def test_the_tool_waits_for_the_end_of_the_run_that_it_began(tmp_path: Path) -> None:
    """It shows the outcome once there is one."""
    async with served(tmp_path, clock=HastyClock()) as daemon:
        asking = asyncio.create_task(ctl(daemon, "reconcile", "--dry-run"))
        while (run := await daemon.store.reconciles.current()) is None:
            await daemon.clock.sleep(1)
        await daemon.store.reconciles.judge(run, listed(daemon, {}), 10_000)
        assert not asking.done()
        await daemon.store.reconciles.end(run, RunState.DONE)
        code, out, _ = await asking
        assert code == 0
        assert "is done: 0 entries compared, 0 differ." in out


async def test_a_run_of_several_minutes_is_waited_for(tmp_path: Path) -> None:
    """The daemon hangs up on a connection without questions: the outcome is asked for over a new one."""
    limits = ControlLimits(idle_seconds=0.2)
    async with served(tmp_path, clock=HastyClock(), limits=limits) as daemon:
        asking = asyncio.create_task(ctl(daemon, "reconcile", "--dry-run"))
        while (run := await daemon.store.reconciles.current()) is None:
            await daemon.clock.sleep(1)
        for connections in (2, 1):  # the watching one comes, and the silent one is borne with no longer
            while sum(task.get_name() == "control-client" for task in asyncio.all_tasks()) != connections:
                await daemon.clock.sleep(1)
        await daemon.store.reconciles.end(run, RunState.DONE)
        code, out, err = await asking
        assert code == 0, err
        assert "is done: 0 entries compared" in out


async def test_one_sku_is_compared_again_while_it_cannot_be_judged(tmp_path: Path) -> None:
    """A key that was busy is no all-clear: it is asked about again within bounds, and what is left says so."""
    async with served(tmp_path, clock=HastyClock()) as daemon:
        await daemon.level("A", 10)
        await daemon.prove("A", 10)
        code, out, runs = await one_sku(daemon, busy_runs=1)
        assert (code, runs) == (0, 2)
        assert "is done: 1 entry compared, 0 differ." in out
        code, out, runs = await one_sku(daemon, busy_runs=99)
        assert (code, runs) == (1, SKU_RUNS)
        assert (
            "0 differ, 1 could not be judged (1 had orders or a write of ours around the read): ask again"
            in out
        )
        status = await ask_json(daemon, "status")
        assert (status["reconcile"]["sku"], status["reconcile"]["undecided"]) == ("A", 1)
        _, out, _ = await ctl(daemon, "status")
        assert "(dry-run, sku A)" in out
        assert "0 differ, 1 could not be judged" in out
        assert "of about" not in out


async def one_sku(daemon: SmallDaemon, busy_runs: int) -> tuple[int, str, int]:
    """Exit status, words and runs of a comparison of A, of whose runs so many meet an entry older than our last write."""
    asking = asyncio.create_task(ctl(daemon, "reconcile", "--dry-run", "--sku", "A"))
    runs = 0
    while not asking.done():
        run = await daemon.store.reconciles.current()
        if run is not None:
            page = listed(daemon, {"A": 10})
            if runs < busy_runs:
                page = replace(page, entries=tuple(replace(each, version=0) for each in page.entries))
            runs += 1
            await daemon.store.reconciles.judge(run, page, 10_000)
            await daemon.store.reconciles.end(run, RunState.DONE)
        await daemon.clock.sleep(1)
    code, out, _ = await asking
    return code, out, runs


@virtual
async def test_a_second_run_is_refused_and_a_stop_ends_the_first(tmp_path: Path) -> None:
    """The refusal names the run under way."""
    async with served(tmp_path) as daemon:
        assert (await ctl(daemon, "reconcile", "--stop"))[1] == "No run is under way.\n"
        answer = await ask_json(daemon, "reconcile", "--apply", "--no-wait", "--sku", "A")
        assert (answer["state"], answer["sku"]) == ("running", "A")
        code, _, err = await ctl(daemon, "reconcile", "--dry-run")
        assert code == 1
        assert "run 1 under way" in err
        assert "stopped" in (await ctl(daemon, "reconcile", "--stop"))[1]
        code, out, _ = await ctl(daemon, "reconcile", "--show")
        assert code == 1
        assert "an operator stopped it" in out


@virtual
async def test_what_cannot_be_done_is_refused_with_a_way_out(tmp_path: Path) -> None:
    """A channel that is not there, a correction while nothing is written, a run that is not kept."""
    async with served(tmp_path) as daemon:
        code, _, err = await ctl(daemon, "reconcile", "--show")
        assert (code, "There was no run yet" in err) == (1, True)
        code, _, err = await ctl(daemon, "reconcile", "--dry-run", "--channel", "nowhere")
        assert (code, "there is warehouse-1" in err) == (1, True)
        daemon.drain.options = replace(daemon.drain.options, writes=False)
        code, _, err = await ctl(daemon, "reconcile", "--apply")
        assert (code, "--dry-run compares all the same" in err) == (1, True)
        code, _, err = await ctl(daemon, "reconcile", "--show", "--sku", "A")
        assert (code, "--sku and --channel go with" in err) == (64, True)


@virtual
async def test_held_raises_are_told_and_let_go_on(tmp_path: Path) -> None:
    """By the verb and by a retry of their case; status and the run say how many there are."""
    async with served(tmp_path) as daemon:
        await ran(daemon, {"A": 6, "B": 6}, Mode.APPLY)
        await hold_raises(daemon, ("A", "B"))
        _, out, _ = await ctl(daemon, "reconcile", "--show")
        assert "2 raises held until you allow it: archsyncctl reconcile --allow-raises" in out
        status = await ask_json(daemon, "status")
        assert status["reconcile"]["held_raises"] == 2
        (case,) = [
            each
            for each in (await ask_json(daemon, "exceptions", "list"))["rows"]
            if each["scope"] == "reconcile"
        ]
        assert (await ask_json(daemon, "exceptions", "show", str(case["id"])))["retry"].startswith(
            "retry lets"
        )
        assert "2 keys will be raised" in (await ctl(daemon, "exceptions", "retry", str(case["id"])))[1]
        assert "No raise is held." in (await ctl(daemon, "reconcile", "--allow-raises"))[1]


async def hold_raises(daemon: SmallDaemon, skus: tuple[str, ...]) -> None:
    """Read these keys so often with six pieces that they would be raised, under a limit of none."""
    for turn in range(2):
        now = daemon.clock.wall_ms() + (turn + 1) * 1_000
        entries = [
            Entry(f"entry-{sku}", 1, StockKey(CHANNEL, sku), 6, 6, Marker(), None, 1, now) for sku in skus
        ]
        await daemon.store.outbox.book_reads(entries, ())
        await daemon.store.outbox.judge_reads(now + 10_000, 10_000, 10, RaiseGuard(0, 0))


def test_one_of_the_acts_must_be_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is corrected by a verb without an option; the help has an example and the fields."""
    with pytest.raises(SystemExit) as end:
        main(["reconcile"])
    assert end.value.code == 64
    assert "--dry-run" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["reconcile", "--help"])
    told = capsys.readouterr().out
    assert "example:\n  archsyncctl reconcile --dry-run --channel warehouse-1" in told
    assert "held_raises" in told

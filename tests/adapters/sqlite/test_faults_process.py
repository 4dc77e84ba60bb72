"""Death, failing disks and power cuts under the real store, by killing and failing a real process (groups A and B)."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.adapters.sqlite import powercut
from tests.adapters.sqlite.child import EXIT_BROKEN, EXIT_FULL
from tests.adapters.sqlite.crash import STRACE, Ended, check_image, count_calls, fail_at, kill_at, run_child

pytestmark = [
    pytest.mark.skipif(STRACE is None, reason="strace kills and fails the process; it is not installed here"),
    pytest.mark.timeout(120),
]
BATCHES = 3
POINTS = 6
KILLED = -9


def spread(first: int, last: int, points: int) -> list[int]:
    """Points from the first to the last, evenly."""
    step = max((last - first) / max(points - 1, 1), 1.0)
    return sorted({min(round(first + number * step), last) for number in range(points)})


async def sweep(tmp_path: Path, call: str, points: Sequence[int], batches: int) -> list[Ended]:
    """Kill a fresh run at each point, check what it left, finish the work, check again."""
    ended = []
    for point in points:
        directory = tmp_path / f"{call}-{point}"
        directory.mkdir()
        killed = await run_child(directory, batches, kill_at(call, point))
        assert killed.status in {KILLED, 128 - KILLED}, killed.complaint
        await check_image(directory, killed)
        finished = await run_child(directory, batches)
        assert finished.promises[-1:] == ("done",), finished.complaint
        assert await check_image(directory, finished) >= batches
        ended.append(killed)
        shutil.rmtree(directory)
    return ended


@pytest.mark.parametrize("call", ["pwrite64", "fdatasync"])
async def test_f003_killed_at_any_write_or_sync_a_batch_is_whole_or_not_there(
    tmp_path: Path, call: str
) -> None:
    """D2, F1, F6: old or new state, never mixed, and every promise made before the kill is kept."""
    probe = tmp_path / "probe"
    probe.mkdir()
    opened = await count_calls(probe, 0, call)
    whole = tmp_path / "whole"
    whole.mkdir()
    last = await count_calls(whole, BATCHES, call)
    ended = await sweep(tmp_path, call, spread(opened // 2, last, POINTS), BATCHES)
    assert len({killed.promises for killed in ended}) > 1


async def test_f011_killed_in_the_schema_s_migration_the_next_start_completes_it(tmp_path: Path) -> None:
    """D2: the old number or the new one, never a schema in between."""
    probe = tmp_path / "probe"
    probe.mkdir()
    opened = await count_calls(probe, 0, "pwrite64")
    ended = await sweep(tmp_path, "pwrite64", spread(1, opened // 2, 4), 1)
    assert any(killed.promises == () for killed in ended)


async def test_f001_killed_before_the_batch_begins_it_is_read_again_to_the_same_end(tmp_path: Path) -> None:
    """F3: the child goes on from the checkpoint it finds, and ends where an undisturbed one does."""
    undisturbed, disturbed = tmp_path / "a", tmp_path / "b"
    undisturbed.mkdir()
    disturbed.mkdir()
    first = await run_child(disturbed, 0)
    assert first.promises[-1] == "done"
    await run_child(disturbed, BATCHES)
    await run_child(undisturbed, BATCHES)
    assert await check_image(disturbed, first) == await check_image(undisturbed, first) == BATCHES


async def test_f004_killed_after_the_promise_the_redelivery_has_no_effect(tmp_path: Path) -> None:
    """Killed as it writes the promise itself: what was about to be promised is durable all the same."""
    killed = await run_child(tmp_path, BATCHES, kill_at("write", 4))
    newest = await check_image(tmp_path, killed)
    assert newest >= killed.newest("batch")
    again = await run_child(tmp_path, 1)
    assert await check_image(tmp_path, again) == newest + 1


async def test_f024_no_room_for_the_log_is_told_and_heals_by_itself(tmp_path: Path) -> None:
    """ENOSPC on an append: nothing is promised, nothing is half there, and with room the work goes on (D4, F6)."""
    await run_child(tmp_path, 1)
    full = await run_child(tmp_path, BATCHES, fail_at("pwrite64", "ENOSPC", "14+"))
    assert full.status == EXIT_FULL
    await check_image(tmp_path, full)
    healed = await run_child(tmp_path, BATCHES)
    assert healed.promises[-1] == "done"
    await check_image(tmp_path, healed)


@pytest.mark.parametrize("when", ["4", "4+"], ids=["once", "for-good"])
async def test_f027_a_failed_sync_ends_the_store(tmp_path: Path, when: str) -> None:
    """EIO on fdatasync: no promise, no second try on the same connection, the process ends (D3)."""
    await run_child(tmp_path, 1)
    broken = await run_child(tmp_path, BATCHES, fail_at("fdatasync", "EIO", when))
    assert broken.status == EXIT_BROKEN
    assert "done" not in broken.promises
    await check_image(tmp_path, broken)


async def test_f028_a_failed_read_ends_the_store(tmp_path: Path) -> None:
    """EIO on a page: no guess."""
    await run_child(tmp_path, 1)
    broken = await run_child(tmp_path, BATCHES, fail_at("pread64", "EIO", "6+"))
    assert broken.status == EXIT_BROKEN
    assert "done" not in broken.promises
    await check_image(tmp_path, broken)


async def test_f030_a_disk_that_turns_read_only_ends_the_store(tmp_path: Path) -> None:
    """EROFS on an append, as after an emergency remount: fail closed (D3)."""
    await run_child(tmp_path, 1)
    broken = await run_child(tmp_path, BATCHES, fail_at("pwrite64", "EROFS", "14+"))
    assert broken.status == EXIT_BROKEN
    assert "done" not in broken.promises
    await check_image(tmp_path, broken)


async def test_f041_without_descriptors_nothing_is_half_opened(tmp_path: Path) -> None:
    """EMFILE as the file or its log is opened: refused whole, and the next start finds all (D4)."""
    await run_child(tmp_path, 1)
    name = str(tmp_path / "archsyncd.db-wal")
    refused = await run_child(tmp_path, 1, ["-P", name, *fail_at("openat", "EMFILE", "1+")])
    assert refused.status == EXIT_BROKEN
    assert "batch 2" not in refused.promises
    finished = await run_child(tmp_path, 1)
    assert await check_image(tmp_path, finished) == 2


async def record(tmp_path: Path) -> tuple[dict[str, bytes], list[powercut.Event]]:
    """The files before a run, and everything the run wrote and synced."""
    directory = tmp_path / "disk"
    directory.mkdir()
    await run_child(directory, 1)
    base = {str(path): path.read_bytes() for path in directory.iterdir()}
    trace = tmp_path / "trace"
    await run_child(directory, BATCHES, powercut.trace_to(trace))
    return base, powercut.events(trace, directory)


def restore(directory: Path, image: dict[str, bytes]) -> None:
    """Lay out the files of an image in an empty directory."""
    for path in directory.iterdir():
        path.unlink()
    for name, data in image.items():
        (directory / Path(name).name).write_bytes(data)


async def test_f038_a_power_cut_at_any_instant_loses_no_promise(tmp_path: Path) -> None:
    """D1, D2: unsynced data lost, torn sector by sector or kept, the file opens and every promise is there."""
    base, recorded = await record(tmp_path)
    directory = tmp_path / "after"
    directory.mkdir()
    images = list(powercut.cuts(base, recorded, ("lost", "torn", "torn", "kept")))
    assert len(images) > 60
    for image, promises in images[:: max(len(images) // 120, 1)]:
        restore(directory, image)
        await check_image(directory, Ended(0, promises))


async def test_f039_a_disk_that_lies_about_syncing_is_seen_to_lose_promises(tmp_path: Path) -> None:
    """The control of the replay: where syncs are ignored, some promise is missing, so the check above can fail."""
    base, recorded = await record(tmp_path)
    directory = tmp_path / "after"
    directory.mkdir()
    images = list(powercut.cuts(base, recorded, ("lost",), syncs=False))
    lost = 0
    for image, promises in images[len(images) // 2 :: 10]:
        restore(directory, image)
        try:
            await check_image(directory, Ended(0, promises))
        except AssertionError:
            lost += 1
    assert lost > 0

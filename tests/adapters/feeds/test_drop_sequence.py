"""The order of dropped files: numbers, gaps, epochs, files that come again (`r247/1`, section 3)."""

from __future__ import annotations

import os

import pytest

from archsyncd.domain.feed import OrderAccepted, SnapshotEnd, SnapshotStatus
from tests.adapters.feeds.dropping import (
    Drop,
    dropped,
    fault_of,
    follow,
    level,
    ndjson,
    opened,
    started,
)
from tests.support.virtual_time import VirtualClock, virtual


def test_the_highest_file_number_leaves_room_for_its_lines() -> None:
    """Twelve digits of file number and a million lines stay within int64."""
    assert 999_999_999_999 * 1_000_000 + 999_999 < 2**63


@virtual
async def test_f111_the_number_decides_and_not_the_time_of_the_file() -> None:
    """Files written or dated in another order are read by their numbers."""
    with dropped() as drop:
        async with opened(drop) as feed:
            told = await started(feed, drop)
            for seq, modified in ((4, 10), (3, 30), (2, 20)):
                name = drop.put(level("A", seq), seq=seq, stamp=f"20261123T10150{9 - seq}Z")
                os.utime(drop.root / "in" / name, (modified, modified))
            told = await follow(feed, told.checkpoint, 3)
        assert told.levels == [("A", 2), ("A", 3), ("A", 4)]


@virtual
async def test_f112_what_no_watch_reported_is_found_by_looking_again() -> None:
    """The directory is looked at every second, so files that come while nobody looks are found, however many."""
    with dropped() as drop:
        async with opened(drop) as feed:
            checkpoint = (await started(feed, drop)).checkpoint
            for n in range(200):
                drop.put(level(f"S{n}", n))
            (drop.root / "in" / "notes.txt").write_text("left alone")
            told = await follow(feed, checkpoint, 200)
        assert len(told.levels) == 200
        assert drop.lies("in") == ["notes.txt"]


@virtual
async def test_f096_a_gap_holds_what_comes_after_until_the_missing_file_comes() -> None:
    """Deltas behind a missing file are not read; after the grace time every attempt is an alarm."""
    with dropped() as drop:
        async with opened(drop, gap_grace_seconds=60) as feed:
            clock = VirtualClock()
            checkpoint = (await started(feed, drop)).checkpoint
            began = clock.monotonic()
            drop.put(level("A", 3), seq=3)
            assert "file 2 is missing" in await fault_of(feed, checkpoint)
            assert 60 <= clock.monotonic() - began < 70
            assert "file 2 is missing" in await fault_of(feed, checkpoint)
            drop.put(level("A", 2), seq=2)
            assert (await follow(feed, checkpoint, 2)).levels == [("A", 2), ("A", 3)]


@virtual
async def test_f096_numbers_that_the_manifest_says_were_never_given_are_no_gap() -> None:
    """`prevFileSeq` names the file before."""
    with dropped() as drop:
        async with opened(drop) as feed:
            checkpoint = (await started(feed, drop)).checkpoint
            drop.put(level("A", 9), seq=9, prevFileSeq="1")
            assert (await follow(feed, checkpoint, 1)).levels == [("A", 9)]


@virtual
async def test_f096_a_full_file_makes_up_for_a_gap() -> None:
    """After the grace time it is taken; deltas it supersedes are rejected as stale, acceptances are still read."""
    with dropped() as drop:
        async with opened(drop) as feed:
            checkpoint = (await started(feed, drop)).checkpoint
            stale = drop.put(level("A", 3), seq=3)
            full = drop.put(level("A", 7), seq=5, kind="full")
            drop.put(level("A", 8), seq=6)
            told = await follow(feed, checkpoint, 3)
            assert told.fulls == [([("A", 7)], SnapshotEnd(complete=True, records=1, name=full))]
            assert told.levels == [("A", 8)]
            assert (drop.status(full), drop.status(stale)) == ("applied", "rejected")
            late = drop.put({"id": "o", "type": "order.accepted", "orderId": "u-1"}, seq=2, kind="order")
            late_told = await follow(feed, told.checkpoint, 1)
        (accepted,) = late_told.batches[0].records
        assert isinstance(accepted, OrderAccepted)
        assert (accepted.seq, late_told.checkpoint, drop.status(late)) == (
            2_000_001,
            told.checkpoint,
            "applied",
        )


@virtual
async def test_a_full_file_over_a_gap_that_is_not_applied_leaves_the_gap() -> None:
    """Held or rejected it makes up for nothing, and what follows stays held."""
    with dropped() as drop:
        async with opened(drop) as feed:
            checkpoint = (await started(feed, drop)).checkpoint
            full = drop.put(level("A", 7), seq=5, kind="full")
            drop.put(level("A", 8), seq=6)
            await follow(feed, checkpoint, 1, status=SnapshotStatus.HELD)
            assert drop.status(full) == "held"
            assert "file 2 is missing" in await fault_of(feed, checkpoint)


@pytest.mark.parametrize(
    ("status", "folder"), [(SnapshotStatus.HELD, "done"), (SnapshotStatus.REJECTED, "error")]
)
def test_a_full_file_met_in_its_turn_never_stops_the_deltas(status: SnapshotStatus, folder: str) -> None:
    """Held or rejected, the deltas after it are read, also after a restart that knows only the old checkpoint."""

    @virtual
    async def run() -> None:
        with dropped() as drop:
            async with opened(drop) as feed:
                checkpoint = (await started(feed, drop)).checkpoint
                full = drop.put(level("A", 7), kind="full")
                await follow(feed, checkpoint, 1, status=status)
            assert (drop.status(full), full in drop.lies(folder)) == (status.value, True)
            async with opened(drop) as feed:
                drop.put(level("A", 8))
                assert (await follow(feed, checkpoint, 1)).levels == [("A", 8)]

    run()


@virtual
async def test_f110_the_same_file_twice_has_no_effect() -> None:
    """Under its name, under another stamp or number: a duplicate receipt, no records, and the sequence goes on."""
    with dropped() as drop:
        async with opened(drop) as feed:
            checkpoint = (await started(feed, drop)).checkpoint
            same = ndjson(level("A", 4))
            first = drop.put(data=same, records=1)
            told = await follow(feed, checkpoint, 1)
            drop.put(level("A", 3))
            told = await follow(feed, told.checkpoint, 1)
            drop.put(data=same, seq=2, records=1)
            again = await follow(feed, told.checkpoint, 1)
            other = drop.put(data=same, seq=2, records=1, stamp="20261123T101501Z")
            again2 = await follow(feed, again.checkpoint, 1)
            renumbered = drop.put(data=same, seq=4, records=1)
            drop.put(level("A", 2))
            onward = await follow(feed, again2.checkpoint, 2)
        assert [again.levels, again2.levels, onward.levels] == [[], [], [("A", 2)]]
        assert [drop.status(name) for name in (first, other, renumbered)] == [
            "applied",
            "duplicate",
            "duplicate",
        ]
        assert drop.status(f"{first}.2") == "duplicate"
        assert again.checkpoint == told.checkpoint


@virtual
async def test_f110_a_duplicate_is_known_after_a_restart() -> None:
    """The receipts are the memory."""
    with dropped() as drop:
        same = ndjson(level("A", 4))
        async with opened(drop) as feed:
            checkpoint = (await started(feed, drop)).checkpoint
            drop.put(data=same, records=1)
            checkpoint = (await follow(feed, checkpoint, 1)).checkpoint
        async with opened(drop) as feed:
            name = drop.put(data=same, records=1)
            assert (await follow(feed, checkpoint, 1)).levels == []
        assert drop.status(name) == "duplicate"


@virtual
async def test_f110_the_same_rows_captured_later_are_a_new_statement() -> None:
    """Rows without ids may truthfully say the same again: stock went from 5 to 7 and came back to 5."""
    with dropped() as drop:
        async with opened(drop) as feed:
            checkpoint = (await started(feed, drop)).checkpoint
            for on_hand, minute in ((5, 1), (7, 2), (5, 3)):
                data = f"sku,location,onHand\nA,WH1,{on_hand}\n".encode()
                drop.put(data=data, ending="csv", records=1, asOf=f"2026-11-23T11:0{minute}:00Z")
            told = await follow(feed, checkpoint, 3)
        assert told.levels == [("A", 5), ("A", 7), ("A", 5)]
        ids = [record.id for batch in told.batches for record in batch.records]
        assert len(set(ids)) == 3


@virtual
async def test_f110_an_older_file_dropped_again_is_stale() -> None:
    """A number that has passed, with other content: rejected, and nothing of it is read."""
    with dropped() as drop:
        async with opened(drop) as feed:
            checkpoint = (await started(feed, drop)).checkpoint
            drop.put(level("A", 4))
            told = await follow(feed, checkpoint, 1)
            old = drop.put(level("A", 9), seq=2, stamp="20261123T101507Z")
            old_full = drop.put(level("A", 9), seq=1, kind="full", stamp="20261123T101507Z")
            again = await follow(feed, told.checkpoint, 2)
        assert (again.levels, again.fulls, again.checkpoint) == ([], [], told.checkpoint)
        assert [drop.status(name) for name in (old, old_full)] == ["rejected", "rejected"]


@virtual
async def test_a_new_epoch_begins_its_own_numbers() -> None:
    """A restored source starts again at 1; files of the epoch that was left are stale."""
    with dropped() as drop:
        async with opened(drop) as feed:
            drop.put(level("A", 5), kind="full", seq=500)
            told = await follow(feed, None, 1)
            drop.epoch = "e2"
            drop.put(level("A", 1), seq=1)
            drop.put(level("A", 2), seq=2)
            told = await follow(feed, told.checkpoint, 2)
            assert [batch.epoch for batch in told.batches] == ["e2", "e2"]
            drop.epoch = "e1"
            left = drop.put(level("A", 9), seq=501)
            drop.epoch = "e2"
            drop.put(level("A", 3), seq=3)
            told = await follow(feed, told.checkpoint, 2)
        assert told.levels == [("A", 3)]
        assert drop.status(left) == "rejected"


@virtual
async def test_without_a_full_file_reading_begins_with_the_lowest_number() -> None:
    """Where lower files may still be on their way they are given the grace time."""
    with dropped() as drop:
        async with opened(drop) as feed:
            clock = VirtualClock()
            began = clock.monotonic()
            drop.put(level("A", 6), seq=6)
            told = await follow(feed, None, 1)
            assert clock.monotonic() - began >= 60
        assert told.levels == [("A", 6)]


@virtual
async def test_f032_a_restored_database_reads_what_it_does_not_know_again() -> None:
    """Receipts of a newer database are no proof: the gap is an alarm that names the way out, and nothing is a duplicate."""
    with dropped() as drop:
        async with opened(drop) as feed:
            old = (await started(feed, drop)).checkpoint
            names = [drop.put(level("A", 4)), drop.put(level("A", 3))]
            await follow(feed, old, 2)
        async with opened(drop) as feed:
            drop.put(level("A", 2))
            assert "move it and what follows back from done to in" in await fault_of(feed, old)
            for name in names:
                for one in (name, f"{name}.done"):
                    (drop.root / "done" / one).rename(drop.root / "in" / one)
            assert (await follow(feed, old, 3)).levels == [("A", 4), ("A", 3), ("A", 2)]


@virtual
async def test_f032_a_restored_database_follows_the_source_into_the_epoch_it_missed() -> None:
    """An epoch that only the newer database saw is new to this one."""
    with dropped() as drop:
        async with opened(drop) as feed:
            old = (await started(feed, drop)).checkpoint
            drop.epoch = "e2"
            await VirtualClock().sleep(1)
            drop.put(level("A", 4), seq=1, stamp="20261123T101501Z")
            await follow(feed, old, 1)
        async with opened(drop) as feed:
            drop.put(level("A", 3), kind="full", seq=2)
            told = await follow(feed, old, 1)
        assert told.fulls[0][0] == [("A", 3)]


def back(drop: Drop, *names: str) -> None:
    """Move files and their manifests from done/ to in/, as a person does."""
    for name in names:
        for one in (name, f"{name}.done"):
            (drop.root / "done" / one).rename(drop.root / "in" / one)


@virtual
async def test_f034_a_lost_database_is_told_again_what_its_receipts_speak_of() -> None:
    """A new database has read nothing, whatever the receipts of the one before it say."""
    with dropped() as drop:
        async with opened(drop) as feed:
            full = drop.put(level("A", 5), kind="full")
            delta = drop.put(level("A", 4))
            await follow(feed, None, 2)
        async with opened(drop) as feed:
            back(drop, full, delta)
            told = await follow(feed, None, 2)
        assert (told.fulls[0][0], told.levels) == ([("A", 5)], [("A", 4)])
        assert [drop.status(name) for name in (full, delta)] == ["applied", "applied"]


@virtual
async def test_f034_a_lost_database_does_not_begin_in_the_middle_without_a_word() -> None:
    """A delta behind files that nobody knows any more is held, with an alarm, until a full comes."""
    with dropped() as drop:
        async with opened(drop) as feed:
            await started(feed, drop)
        async with opened(drop) as feed:
            drop.put(level("A", 4))
            assert "receipts go up to file 1: move its newest full" in await fault_of(feed, None)
            drop.put(level("A", 3), kind="full", asOf="2026-11-23T11:00:00Z")
            drop.put(level("A", 2))
            told = await follow(feed, None, 3)
        assert (told.fulls[0][0], told.levels) == ([("A", 3)], [("A", 2)])


@pytest.mark.parametrize("status", [SnapshotStatus.HELD, SnapshotStatus.REJECTED])
@virtual
async def test_f032_files_before_one_that_was_not_applied_are_missed_all_the_same(
    status: SnapshotStatus,
) -> None:
    """A full that left nothing behind bridges nothing but itself."""
    with dropped() as drop:
        async with opened(drop) as feed:
            old = (await started(feed, drop)).checkpoint
            names = [drop.put(level("A", 4)), drop.put(level("A", 3))]
            told = await follow(feed, old, 2)
            drop.put(level("A", 7), kind="full")
            await follow(feed, told.checkpoint, 1, status=status)
        async with opened(drop) as feed:
            drop.put(level("A", 2))
            assert "file 2 was applied by a database newer than this one" in await fault_of(feed, old)
            back(drop, *names)
            assert (await follow(feed, old, 3)).levels == [("A", 4), ("A", 3), ("A", 2)]


@virtual
async def test_f096_a_full_that_was_not_applied_is_bridged_where_numbers_are_left_out() -> None:
    """Its receipt says which file stood before it; the manifest of the next one says that it stood before that."""
    with dropped() as drop:
        async with opened(drop) as feed:
            checkpoint = (await started(feed, drop)).checkpoint
            drop.put(level("A", 7), kind="full", seq=10, prevFileSeq="1")
            await follow(feed, checkpoint, 1, status=SnapshotStatus.HELD)
        async with opened(drop) as feed:
            drop.put(level("A", 8), seq=20, prevFileSeq="10")
            assert (await follow(feed, checkpoint, 1)).levels == [("A", 8)]


@virtual
async def test_f032_a_file_whose_records_were_all_refused_is_told_again_to_an_older_database() -> None:
    """That its records could not be read belongs to what the database must know."""
    with dropped() as drop:
        async with opened(drop) as feed:
            old = (await started(feed, drop)).checkpoint
            name = drop.put("no JSON")
            await follow(feed, old, 1)
            assert drop.status(name) == "rejected"
        async with opened(drop) as feed:
            drop.put(level("A", 2))
            assert "file 2 was applied by a database newer" in await fault_of(feed, old)


@virtual
async def test_f032_a_restored_database_does_not_enter_an_epoch_in_its_middle() -> None:
    """Files of an epoch that only the newer database saw were read before, and are missed."""
    with dropped() as drop:
        async with opened(drop) as feed:
            old = (await started(feed, drop)).checkpoint
            drop.epoch = "e2"
            drop.put(level("A", 4), seq=7, prevFileSeq="0")
            await follow(feed, old, 1)
        async with opened(drop) as feed:
            drop.put(level("A", 3), seq=8, prevFileSeq="7")
            assert "nothing of the epoch e2, whose receipts go up to file 7" in await fault_of(feed, old)


@virtual
async def test_a_file_whose_manifest_cannot_be_read_begins_no_epoch() -> None:
    """Nobody has said of which epoch it is: the one that is read goes on, and before any is read it is of none."""
    with dropped() as drop:
        async with opened(drop) as feed:
            drop.put(level("A", 1), seq=1, kind="full", schema="r247/9")
            first = await follow(feed, None, 1)
            assert (first.codes, first.batches[0].epoch, first.batches[0].void) == (
                ["bad_manifest"],
                "",
                True,
            )
            drop.put(level("A", 5), seq=1, kind="full")
            told = await follow(feed, None, 1)
            drop.put(level("A", 2), seq=2, schema="r247/9")
            second = await follow(feed, told.checkpoint, 1)
        assert (second.codes, second.batches[0].epoch, second.batches[0].void) == (
            ["bad_manifest"],
            "e1",
            False,
        )
        assert [one.awaited for one in second.refused] == [True]


@virtual
async def test_a_refused_number_is_known_after_a_restart_and_a_corrected_one_that_is_not_whole_is_waited_for() -> (
    None
):
    """The receipts are the memory: the alarm is told at once, and not while the corrected file is being written."""
    with dropped() as drop:
        async with opened(drop) as feed:
            checkpoint = (await started(feed, drop)).checkpoint
            bad = drop.put(level("A", 2), seq=2, sha256="0" * 64)
            assert (await follow(feed, checkpoint, 1)).codes == ["bad_content"]
        clock = VirtualClock()
        began = clock.monotonic()
        async with opened(drop) as feed:
            assert (await fault_of(feed, checkpoint)).startswith(f"{bad} was refused and lies in error/; ")
            assert clock.monotonic() - began < 5
            drop.put(level("A", 2), seq=2, manifest=False, stamp="20261123T101509Z")
            assert "is there: its manifest has not come" in await fault_of(feed, checkpoint)
            assert clock.monotonic() - began >= 60


@virtual
async def test_the_receipt_of_a_file_that_was_read_before_a_crash_keeps_its_counts() -> None:
    """Written, but the file not moved yet: it is moved, and its receipt stays."""
    with dropped() as drop:
        async with opened(drop) as feed:
            checkpoint = (await started(feed, drop)).checkpoint
            name = drop.put(level("A", 2))
            told = await follow(feed, checkpoint, 1)
            receipt = drop.receipt(name)
        (drop.root / "done" / name).rename(drop.root / "work" / name)
        (drop.root / "done" / f"{name}.done").rename(drop.root / "work" / f"{name}.done")
        async with opened(drop) as feed:
            drop.put(level("A", 3))
            assert (await follow(feed, told.checkpoint, 1)).levels == [("A", 3)]
        assert (name in drop.lies("done"), drop.receipt(name)) == (True, receipt)
        assert drop.receipt(f"{name}.2") is None

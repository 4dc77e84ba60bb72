"""The drop directory: order of files, what is refused, receipts, restarts (`r247/1`, section 3)."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest
from tests.adapters.feeds.dropping import Drop, Told, dropped, follow, level, ndjson, opened, outcome_of
from tests.support.virtual_time import VirtualClock, virtual

from archsyncd.adapters.r247_drop import DropFeed, DropOptions, Readiness
from archsyncd.domain.feed import Batch, Level, OrderAccepted, SnapshotDue, SnapshotEnd, SnapshotStatus
from archsyncd.engine.ports import FeedFault, SnapshotSource


async def fault_of(feed: DropFeed, after: str | None) -> str:
    """Read until the feed faults."""
    with pytest.raises(FeedFault) as fault:
        await follow(feed, after, 1)
    assert not fault.value.blind
    return fault.value.reason


async def started(feed: DropFeed, drop: Drop) -> Told:
    """A feed that has read one full file."""
    drop.put(level("A", 5), kind="full")
    return await follow(feed, None, 1)


@asynccontextmanager
async def begun(feed: DropFeed) -> AsyncIterator[SnapshotSource]:
    """The full file that a new feed meets first."""
    async with aclosing(feed.batches(None)) as reading:  # type: ignore[type-var]
        source = await anext(reading)
        assert not isinstance(source, Batch | SnapshotDue)
        yield source


@virtual
async def test_a_file_is_answered_by_a_receipt_and_put_away() -> None:
    """Counts and digest in the receipt, the file and its manifest in done/, nothing left in in/ or work/."""
    with dropped() as drop:
        async with opened(drop) as feed:
            name = drop.put(level("A", 5), level("B", 3), level("C", "many"))  # type: ignore[arg-type]
            told = await follow(feed, None, 1)
        assert told.levels == [("A", 5), ("B", 3)]
        assert [(one.line, one.code) for one in told.batches[0].rejects] == [(3, "not_an_integer")]
        receipt = drop.receipt(name)
        assert receipt is not None
        assert (receipt["status"], receipt["read"], receipt["applied"], receipt["rejected"]) == (
            "partial",
            3,
            2,
            1,
        )
        assert len(receipt["sha256"]) == 64
        assert receipt["at"].endswith("Z")
        assert drop.lies("done") == sorted([name, f"{name}.done"])
        assert drop.lies("in") == drop.lies("work") == drop.lies("error") == []


@virtual
async def test_the_receipt_is_written_only_after_the_commit() -> None:
    """Before the last batch of a file is acknowledged the file stays in work/ and nothing is said."""
    with dropped() as drop:
        async with opened(drop, batch_records=2) as feed:
            name = drop.put(*(level(f"S{n}", n) for n in range(3)))
            async with aclosing(feed.batches(None)) as reading:  # type: ignore[type-var]
                first = await anext(reading)
                assert isinstance(first, Batch)
                await feed.acknowledge(first.checkpoint, outcome_of(first))
                second = await anext(reading)
                assert isinstance(second, Batch)
                assert (drop.status(name), name in drop.lies("work")) == (None, True)
                await feed.acknowledge(second.checkpoint, outcome_of(second))
        assert drop.status(name) == "applied"
        assert [len(first.records), len(second.records), first.more, second.more] == [2, 1, True, False]


@virtual
async def test_reading_may_run_one_batch_ahead_of_the_commit() -> None:
    """The acknowledgement of a batch that comes after the next was handed out is booked to the right file."""
    with dropped() as drop:
        async with opened(drop) as feed:
            names = [drop.put(level("A", n)) for n in range(3)]
            async with aclosing(feed.batches(None)) as reading:  # type: ignore[type-var]
                batches = [await anext(reading)]
                for _ in names[1:]:
                    batches.append(await anext(reading))
                    before = batches[-2]
                    assert isinstance(before, Batch)
                    await feed.acknowledge(before.checkpoint, outcome_of(before))
        assert [drop.status(name) for name in names] == ["applied", "applied", None]


@virtual
async def test_an_engine_that_acknowledges_nothing_is_stopped() -> None:
    """Files without receipts do not pile up in work/."""
    with dropped() as drop:
        async with opened(drop) as feed:
            for n in range(9):
                drop.put(level("A", n))
            with pytest.raises(FeedFault, match="not acknowledged"):
                await follow(feed, None, 9, acknowledge=False)
        assert len(drop.lies("work")) <= 10


@virtual
async def test_a_records_place_is_its_file_and_line() -> None:
    """Seq = file number × 10^6 + line, whatever the record says; blank lines count, and ids are kept."""
    with dropped() as drop:
        async with opened(drop) as feed:
            first = (
                b'\xef\xbb\xbf{"type":"stock.level","seq":"9","sku":"A","location":"W","onHand":1}\r\n\r\n'
            )
            drop.put(data=first + ndjson(level("B", 2)), seq=4711, records=2)
            told = await follow(feed, None, 1)
        one, two = told.batches[0].records
        assert (one.seq, two.seq) == (4_711_000_001, 4_711_000_003)
        assert (len(one.id), two.id) == (64, "B-2")


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
async def test_f108_a_file_without_its_manifest_is_not_read() -> None:
    """Half of a file waits; with the rest and the manifest it is read whole, before that an alarm is raised."""
    with dropped() as drop:
        async with opened(drop) as feed:
            checkpoint = (await started(feed, drop)).checkpoint
            whole = ndjson(level("A", 1), level("B", 2))
            name = drop.put(data=whole[: len(whole) // 2], manifest=False)
            (drop.root / "in" / f"{drop.name('delta', 3)}.part").write_bytes(whole)
            assert "manifest" in await fault_of(feed, checkpoint)
            assert "manifest" in await fault_of(feed, checkpoint)
            (drop.root / "in" / name).write_bytes(whole)
            drop.say(name, whole, "delta", records=2)
            assert (await follow(feed, checkpoint, 1)).levels == [("A", 1), ("B", 2)]


@virtual
async def test_f108_a_manifest_before_its_data_waits_for_all_bytes() -> None:
    """A size that does not fit is waited for, and refused when it stays."""
    with dropped() as drop:
        async with opened(drop) as feed:
            checkpoint = (await started(feed, drop)).checkpoint
            name = drop.put(level("A", 1), bytes=10_000, records=1)
            told = await follow(feed, checkpoint, 1)
            assert told.codes == ["wrong_size"]
            assert told.checkpoint == checkpoint
        assert drop.status(name) == "rejected"
        assert f"{name}.err.json" in drop.lies("error")


@virtual
async def test_f108_a_growing_file_is_left_until_it_stands_still() -> None:
    """Without manifests size and time must not change for the configured seconds."""
    with dropped() as drop:
        async with opened(drop, ready=Readiness.STABLE, stable_seconds=10) as feed:
            clock = VirtualClock()
            path = drop.root / "in" / drop.name("delta", 1)
            began = clock.monotonic()
            path.write_bytes(ndjson(level("A", 1)))
            told = await follow(feed, None, 1)
            assert told.levels == [("A", 1)]
            assert clock.monotonic() - began >= 10


@virtual
async def test_f108_a_renamed_file_is_whole() -> None:
    """With `rename` the final name is the sign; temporary names and dotfiles are passed over."""
    with dropped() as drop:
        async with opened(drop, ready=Readiness.RENAME) as feed:
            for temporary in (
                "x.tmp",
                ".hidden",
                f"{drop.name('delta', 1)}.part",
                f".{drop.name('delta', 1)}",
            ):
                (drop.root / "in" / temporary).write_bytes(b"{")
            drop.put(level("A", 1), seq=2, manifest=False)
            told = await follow(feed, None, 1)
        assert told.levels == [("A", 1)]
        assert told.batches[0].epoch == "files"


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
            assert told.fulls == [([("A", 7)], SnapshotEnd(complete=True, records=1))]
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
async def test_f100_a_full_file_that_is_not_complete_says_so() -> None:
    """The trailer is the manifest: without its word the snapshot is not complete, and its count is told."""
    with dropped() as drop:
        async with opened(drop) as feed:
            drop.put(level("A", 1), kind="full", complete=False)
            drop.put(level("A", 2), kind="full", complete=..., records=...)
            told = await follow(feed, None, 2)
        assert [end for _, end in told.fulls] == [
            SnapshotEnd(complete=False, records=1),
            SnapshotEnd(complete=False),
        ]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"sha256": "0" * 64}, "sha256"),
        ({"records": 3}, "records: 2 here, 3 in the manifest"),
        ({"records": 1}, "records: 2 here"),
        ({"complete": False}, "not complete"),
    ],
)
def test_f100_content_that_differs_from_its_manifest_is_refused_whole(
    changes: dict[str, Any], reason: str
) -> None:
    """Not one record of it is used; the number stays open for a better file, and then everything goes on."""

    @virtual
    async def run() -> None:
        with dropped() as drop:
            async with opened(drop) as feed:
                checkpoint = (await started(feed, drop)).checkpoint
                name = drop.put(level("A", 1), level("B", 2), **{"records": 2, **changes})
                told = await follow(feed, checkpoint, 1)
                assert (told.levels, told.codes, told.checkpoint) == ([], ["bad_content"], checkpoint)
                refusal = json.loads((drop.root / "error" / f"{name}.err.json").read_text())
                assert reason in refusal["reasons"][0]
                assert drop.status(name) == "rejected"
                drop.put(level("A", 1), seq=2)
                assert (await follow(feed, checkpoint, 1)).levels == [("A", 1)]
                assert drop.status(name) == "applied"

    run()


@pytest.mark.parametrize(
    "changes",
    [
        {"schema": "r247/2"},
        {"file": "another"},
        {"kind": "return"},
        {"feed": "other"},
        {"fileSeq": "3"},
        {"fileSeq": 2},
        {"epoch": ...},
        {"sha256": "xyz"},
        {"records": -1},
        {"asOf": "today"},
        {"locations": "WH1"},
    ],
)
def test_a_manifest_that_contradicts_the_file_refuses_it(changes: dict[str, Any]) -> None:
    """A renamed or forged file is not taken for what its name says."""

    @virtual
    async def run() -> None:
        with dropped() as drop:
            async with opened(drop) as feed:
                checkpoint = (await started(feed, drop)).checkpoint
                name = drop.put(level("A", 1), manifest=False)
                drop.say(name, ndjson(level("A", 1)), **{"kind": "delta", "records": 1, **changes})
                told = await follow(feed, checkpoint, 1)
            assert (told.codes, told.levels) == (["bad_manifest"], [])
            assert (drop.status(name), name in drop.lies("error")) == ("rejected", True)

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
        assert [drop.status(name) for name in (first, other, renumbered)] == ["duplicate"] * 3
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


@pytest.mark.parametrize("committed", [0, 1, 2])
def test_f004_a_crash_between_batches_resumes_at_the_line(committed: int) -> None:
    """The file in work/ goes on behind the last committed line, nothing twice and nothing missing."""

    @virtual
    async def run() -> None:
        with dropped() as drop:
            async with opened(drop, batch_records=2) as feed:
                checkpoint = (await started(feed, drop)).checkpoint
                name = drop.put(*(level(f"S{n}", n) for n in range(5)))
                before = (
                    await follow(feed, checkpoint, committed) if committed else Told(checkpoint=checkpoint)
                )
            async with opened(drop, batch_records=2) as feed:
                after = await follow(feed, before.checkpoint, 3 - committed)
            assert before.levels + after.levels == [(f"S{n}", n) for n in range(5)]
            seqs = [record.seq for batch in before.batches + after.batches for record in batch.records]
            assert seqs == [2_000_001 + n for n in range(5)]
            receipt = drop.receipt(name)
            assert receipt is not None
            assert (receipt["status"], receipt["read"], receipt["applied"]) == ("applied", 5, 5)

    run()


@virtual
async def test_f004_a_crash_after_the_last_commit_only_lacks_the_receipt() -> None:
    """The file is not read again; its receipt says that not everything was counted."""
    with dropped() as drop:
        async with opened(drop, batch_records=2) as feed:
            checkpoint = (await started(feed, drop)).checkpoint
            name = drop.put(*(level(f"S{n}", n) for n in range(3)))
            before = await follow(feed, checkpoint, 1)
            last = await follow(feed, before.checkpoint, 1, acknowledge=False)
        assert name in drop.lies("work")
        async with opened(drop) as feed:
            drop.put(level("B", 1))
            assert (await follow(feed, last.checkpoint, 1)).levels == [("B", 1)]
        receipt = drop.receipt(name)
        assert receipt is not None
        assert (receipt["status"], receipt["read"], receipt["counted"]) == ("applied", 2, False)
        assert name in drop.lies("done")


@virtual
async def test_f012_a_crash_within_a_full_file_begins_it_anew() -> None:
    """It stays in work/ and is met again, whole."""
    with dropped() as drop:
        drop.put(*(level(f"S{n}", n) for n in range(5)), kind="full")
        async with opened(drop, batch_records=2) as feed, begun(feed) as source:
            pages = source.pages()
            assert len((await anext(pages)).items) == 2
            await pages.aclose()  # type: ignore[attr-defined]
        async with opened(drop, batch_records=2) as feed:
            told = await follow(feed, None, 1)
        assert told.fulls[0][0] == [(f"S{n}", n) for n in range(5)]


@virtual
async def test_a_file_begun_with_other_content_is_not_continued() -> None:
    """What was applied of it and what would follow must be one file's."""
    with dropped() as drop:
        async with opened(drop, batch_records=1) as feed:
            checkpoint = (await started(feed, drop)).checkpoint
            name = drop.put(level("A", 1), level("B", 2))
            half = await follow(feed, checkpoint, 1)
        (drop.root / "work" / name).unlink()
        async with opened(drop) as feed:
            assert "is gone, read to line 1 only" in await fault_of(feed, half.checkpoint)
            drop.put(level("A", 3), level("B", 4), seq=2)
            told = await follow(feed, half.checkpoint, 1)
        assert (told.levels, told.codes, told.checkpoint) == ([], ["changed_content"], half.checkpoint)


@virtual
async def test_a_file_that_changes_while_it_is_read_is_a_fault() -> None:
    """Its writer lied about being done; nothing after the change is used."""
    with dropped() as drop:
        async with opened(drop, batch_records=1) as feed:
            checkpoint = (await started(feed, drop)).checkpoint
            name = drop.put(level("A", 1), level("B", 2))
            async with aclosing(feed.batches(checkpoint)) as reading:  # type: ignore[type-var]
                await anext(reading)
                with (drop.root / "work" / name).open("ab") as file:
                    file.write(b"more")
                with pytest.raises(FeedFault, match="changed while it was read"):
                    await anext(reading)


def test_links_and_special_files_are_never_opened() -> None:
    """Symbolic links, hard links, pipes, sockets and folders under a data file's name are refused; nothing outside is read."""

    @virtual
    async def run() -> None:
        with dropped() as drop, dropped() as outside:
            secret = outside.root / "secret"
            secret.write_bytes(ndjson(level("SECRET", 1)))
            async with opened(drop, ready=Readiness.RENAME, gap_grace_seconds=5) as feed:
                told = await started(feed, drop)
                for make in (os.symlink, os.link):
                    make(secret, drop.root / "in" / drop.name("delta", 2))
                    told = await follow(feed, told.checkpoint, 1)
                    assert told.levels == []
                os.mkfifo(drop.root / "in" / drop.name("delta", 2))
                fifo = await follow(feed, told.checkpoint, 1)
                (drop.root / "in" / drop.name("delta", 2)).mkdir()
                folder = await follow(feed, told.checkpoint, 1)
            assert [told.codes, fifo.codes, folder.codes] == [
                ["hard_link"],
                ["not_a_plain_file"],
                ["not_a_plain_file"],
            ]
            assert secret.read_bytes() == ndjson(level("SECRET", 1))

    run()


@virtual
async def test_a_linked_manifest_is_no_manifest() -> None:
    """A manifest that is a link is not followed, so its file waits."""
    with dropped() as drop:
        async with opened(drop, gap_grace_seconds=2) as feed:
            checkpoint = (await started(feed, drop)).checkpoint
            name = drop.put(level("A", 1), manifest=False)
            (drop.root / "in" / f"{name}.done").symlink_to("/etc/hostname")
            assert "manifest" in await fault_of(feed, checkpoint)


@virtual
async def test_a_linked_folder_is_not_entered() -> None:
    """A folder that leads elsewhere would let files be read and written outside the directory."""
    with dropped() as drop, dropped() as outside:
        (drop.root / "receipts").rmdir()
        (drop.root / "receipts").symlink_to(outside.root)
        async with opened(drop) as feed:
            drop.put(level("A", 1))
            assert await fault_of(feed, None)
        assert drop.lies("in") != []


@pytest.mark.parametrize(
    "name",
    [
        "main-delta-000000000002-20261123T101500Z.ndjson/../../x",
        "main-delta-2-20261123T101500Z.ndjson",
        "main-delta-000000000002-20261332T101500Z.ndjson",
        "main-other-000000000002-20261123T101500Z.ndjson",
        "main-delta-٠٠٠٠٠٠٠٠٠٠٠٢-20261123T101500Z.ndjson",
        "other-delta-000000000002-20261123T101500Z.ndjson",
        "main-delta-000000000002-20261123T101500Z.xml",
    ],
)
def test_what_is_not_named_like_ours_is_left_alone(name: str) -> None:
    """Other feeds' and other programs' files stay where they are."""

    @virtual
    async def run() -> None:
        with dropped() as drop:
            async with opened(drop, ready=Readiness.RENAME) as feed:
                told = await started(feed, drop)
                stranger = drop.root / "in" / name.replace("/", "_")
                stranger.write_bytes(b"{}")
                drop.put(level("A", 1), manifest=False)
                assert (await follow(feed, told.checkpoint, 1)).levels == [("A", 1)]
                assert stranger.exists()

    run()


@virtual
async def test_compressed_files_are_read_in_pieces() -> None:
    """Gzip of several members; bytes and digest are those of the file as it lies there."""
    with dropped() as drop:
        async with opened(drop) as feed:
            records = [level(f"S{n}", n) for n in range(3_000)]
            data = gzip.compress(ndjson(*records[:1000])) + gzip.compress(ndjson(*records[1000:]))
            drop.put(data=data, ending="ndjson.gz", records=3_000)
            told = await follow(feed, None, 3)
        assert told.levels == [(f"S{n}", n) for n in range(3_000)]
        assert [len(batch.records) for batch in told.batches] == [1000, 1000, 1000]


@pytest.mark.parametrize(
    ("data", "ending", "changes"),
    [
        (gzip.compress(b"x" * 50_000_000), "ndjson.gz", {}),
        (gzip.compress(ndjson(level("A", 1)))[:-9], "ndjson.gz", {}),
        (gzip.compress(ndjson(level("A", 1))) + b"tail", "ndjson.gz", {}),
        (b"no gzip", "ndjson.gz", {}),
        (b"\n" * 10_001, "ndjson", {"file_limit_bytes": 10_000}),
        (b"[" + b"1," * 10_000 + b"1]", "json", {"array_limit_bytes": 10_000}),
        (b"[1,2", "json", {}),
        (b"{}", "json", {}),
        (b'sku,location,onHand\nA,WH1,5\n"A,WH1,5\nB,WH1,6\n', "csv", {}),
        (b'sku,location,onHand\nA,"WH"1,5\n', "csv", {}),
        (b"sku,sku,location,onHand\n", "csv", {}),
        (b"sku,onHand\nA,5\n", "csv", {}),
        (b"sku,location\nA,WH1\n", "csv", {}),
        (b"sku,location,\nA,WH1,1\n", "csv", {}),
        (b"", "csv", {}),
        (b"sku,location,onHand\n" + b"A" * 200_000 + b",WH1,1\n", "csv", {}),
        (b"{}\n" * 1_000_000, "ndjson", {}),
    ],
)  # fmt: skip
def test_f133_a_file_beyond_reason_is_refused_as_a_whole(
    data: bytes, ending: str, changes: dict[str, Any]
) -> None:
    """Bombs, cut-off archives, broken tables and too many lines: one refusal, no record."""

    @virtual
    async def run() -> None:
        with dropped() as drop:
            async with opened(drop, **changes) as feed:
                name = drop.put(data=data, ending=ending, records=...)
                told = await follow(feed, None, 1)
            assert (told.levels, told.codes, drop.status(name)) == ([], ["bad_content"], "rejected")

    run()


@virtual
async def test_rows_are_read_as_the_contract_writes_them() -> None:
    """BOM, another delimiter, quotes, empty cells, order references; wrong rows are set aside with their line."""
    with dropped() as drop:
        async with opened(drop, delimiter=";") as feed:
            text = (
                "\ufeffid;seq;type;sku;location;onHand;available;allocated;asOf;ordersIncluded;weight\r\n"
                'r1;;stock.level;"12"" TV; black";WH1;-3;;x;2026-11-23T10:15:00Z;CT-1 CT-2;1.5\r\n'
                "\r\n"
                "r2;;;B;WH1;;7;;;;\r\n"
                "r3;;;C;WH1\r\n"
                "r4;;;D;WH1;1.0;;;;;\r\n"
                "r5;;;E;WH1;1 000;;;;;\r\n"
                "r6;;;F;WH1;007;;;;;\r\n"
                "r7;;;;WH1;1;;;;;\r\n"
                "r8;;;G;WH1;;;;;;\r\n"
                "r9;;;H;WH1;99999999999999999999;;;;;\r\n"
                "r10;;stock.removed;I;WH1;;;;;;"
            )
            drop.put(data=text.encode(), ending="csv", records=10)
            told = await follow(feed, None, 1)
        first, second, removed = told.batches[0].records
        assert isinstance(first, Level)
        assert isinstance(second, Level)
        assert (first.sku, first.on_hand, first.available, first.orders_included) == (
            '12" TV; black',
            -3,
            None,
            ("CT-1", "CT-2"),
        )
        assert (second.id, second.available, second.seq, removed.seq) == ("r2", 7, 1_000_004, 1_000_012)
        assert [(one.line, one.code) for one in told.batches[0].rejects] == [
            (5, "wrong_columns"), (6, "not_an_integer"), (7, "not_an_integer"), (8, "not_an_integer"),
            (9, "missing"), (10, "no_quantity"), (11, "out_of_range"),
        ]  # fmt: skip
        assert {bool(one.payload) for one in told.batches[0].rejects} == {True}


@virtual
async def test_a_full_file_holds_levels_only_and_all_stand_at_its_place() -> None:
    """Items need no type, id or seq; anything but a level is set aside."""
    with dropped() as drop:
        async with opened(drop) as feed:
            drop.put(
                {"sku": "A", "location": "WH1", "onHand": 1, "seq": "99999999999999"},
                {"type": "stock.removed", "sku": "B", "location": "WH1"},
                kind="full",
                seq=7,
            )
            async with begun(feed) as source:
                head = await source.head()
                pages = [page async for page in source.pages()]
        assert [item.seq for page in pages for item in page.items] == [7_000_000]
        assert [one.code for page in pages for one in page.rejects] == ["unknown_type"]
        assert (head.seq_at, head.locations, head.as_of, head.epoch) == (
            7_000_000,
            ("WH1",),
            "2026-11-23T10:15:00Z",
            "e1",
        )


@virtual
async def test_an_empty_delta_is_a_file_like_any_other() -> None:
    """No records, and still a batch that moves the checkpoint, and a receipt."""
    with dropped() as drop:
        async with opened(drop) as feed:
            checkpoint = (await started(feed, drop)).checkpoint
            name = drop.put(data=b"", records=0)
            drop.put(level("A", 1))
            told = await follow(feed, checkpoint, 2)
        assert (told.levels, drop.status(name)) == ([("A", 1)], "applied")


@virtual
async def test_a_receipt_that_cannot_be_written_is_tried_again_before_the_next_file() -> None:
    """The file stays in work/ until its receipt is on the disk (a full or read-only disk heals)."""
    with dropped() as drop:
        async with opened(drop) as feed:
            name = drop.put(level("A", 1))
            async with aclosing(feed.batches(None)) as reading:  # type: ignore[type-var]
                batch = await anext(reading)
                assert isinstance(batch, Batch)
                (drop.root / "receipts" / f".{name}.ack.json.tmp").mkdir()
                with pytest.raises(FeedFault, match="receipt"):
                    await feed.acknowledge(batch.checkpoint, outcome_of(batch))
                assert name in drop.lies("work")
                (drop.root / "receipts" / f".{name}.ack.json.tmp").rmdir()
                drop.put(level("A", 2))
                assert isinstance(await anext(reading), Batch)
        assert (drop.status(name), name in drop.lies("done")) == ("applied", True)


@virtual
async def test_a_directory_cannot_be_asked() -> None:
    """It takes no snapshot and reads no key, and its silence about an order proves nothing."""
    with dropped() as drop:
        async with opened(drop) as feed:
            assert not feed.offers_lookup
            assert await feed.take_snapshot(["WH1"]) is None
            assert await feed.read_key("A") is None
            with pytest.raises(FeedFault):
                await feed.look_up_order("u-1")


@virtual
async def test_a_checkpoint_of_another_transport_is_a_fault() -> None:
    """A cursor of a pull source leads nowhere here."""
    with dropped() as drop:
        async with opened(drop) as feed:
            for checkpoint in (
                "c2VxOjEwNw",
                "{}",
                '{"epoch":1}',
                "x" * 5000,
                '{"epoch":"e","fileSeq":-1,"line":0,"sha256":"","ended":true}',
            ):
                assert "checkpoint" in await fault_of(feed, checkpoint)


@pytest.mark.parametrize(
    "changes", [{"delimiter": "|"}, {"batch_records": 0}, {"batch_records": 1001}, {"scan_seconds": 0}]
)
def test_options_that_make_no_sense_are_refused(changes: dict[str, Any]) -> None:
    """At the start, not when the first file comes."""
    with dropped() as drop, pytest.raises(ValueError, match=next(iter(changes))):
        drop.options(**changes)
    assert DropOptions(name="a", directory=drop.root, source_feed="b").feed_in_names == "b"

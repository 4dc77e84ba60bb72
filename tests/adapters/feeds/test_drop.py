"""A drop directory: readiness, receipts, restarts, files that change (`r247/1`, section 3)."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

import pytest

from archsyncd.adapters.r247_drop import DropOptions, Readiness
from archsyncd.domain.feed import Batch
from archsyncd.engine.ports import FeedFault
from tests.adapters.feeds.dropping import (
    Told,
    begun,
    dropped,
    fault_of,
    follow,
    level,
    ndjson,
    opened,
    outcome_of,
    started,
)
from tests.support.virtual_time import VirtualClock, virtual


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
async def test_a_folder_that_cannot_be_opened_is_a_fault_until_it_can() -> None:
    """Meanwhile no other folder counts as opened, and afterwards the same feed reads on."""
    with dropped() as drop:
        folder = drop.root / "receipts"
        folder.rmdir()
        folder.symlink_to(drop.root / "in")
        async with opened(drop) as feed:
            drop.put(level("A", 5))
            assert str(drop.root) in await fault_of(feed, None)
            assert str(drop.root) in await fault_of(feed, None)
            folder.unlink()
            assert (await follow(feed, None, 1)).levels == [("A", 5)]


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


@virtual
async def test_f019_checking_a_large_file_counts_as_progress() -> None:
    """A file of many pieces is read through before any of it is used, and every piece is a step."""
    beats: list[None] = []
    with dropped() as drop:
        drop.put(*(level(f"S{n}", n, note="x" * 4096) for n in range(10_000)), kind="full")
        async with opened(drop, beat=lambda: beats.append(None)) as feed:
            await follow(feed, None, 1)
    assert len(beats) >= 5

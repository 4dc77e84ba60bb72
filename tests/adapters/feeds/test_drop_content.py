"""What is in dropped files: forms, limits, what is refused, and what is never opened (`r247/1`, section 3)."""

from __future__ import annotations

import gzip
import json
import os
from dataclasses import replace
from typing import Any

import pytest

from archsyncd.adapters.r247_drop import Readiness
from archsyncd.domain.feed import Level, SnapshotEnd
from tests.adapters.feeds.dropping import (
    begun,
    dropped,
    fault_of,
    follow,
    level,
    ndjson,
    opened,
    started,
)
from tests.support.virtual_time import virtual


@virtual
async def test_f100_a_full_file_that_is_not_complete_says_so() -> None:
    """The trailer is the manifest: without its word the snapshot is not complete, and its count is told."""
    with dropped() as drop:
        async with opened(drop) as feed:
            drop.put(level("A", 1), kind="full", complete=False)
            drop.put(level("A", 2), kind="full", complete=..., records=...)
            told = await follow(feed, None, 2)
        assert [replace(end, name="") for _, end in told.fulls] == [
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
        (gzip.compress(b"x" * 50_000_000, mtime=0), "ndjson.gz", {}),
        (gzip.compress(ndjson(level("A", 1)), mtime=0)[:-9], "ndjson.gz", {}),
        (gzip.compress(ndjson(level("A", 1)), mtime=0) + b"tail", "ndjson.gz", {}),
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

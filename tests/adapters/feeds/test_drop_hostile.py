"""Arbitrary files and a simulated source's faults: what the drop reads, refuses and survives."""

from __future__ import annotations

import gzip
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from archsyncd.adapters.r247_drop import Readiness
from archsyncd.domain.feed import Level
from archsyncd.simulators.r247 import R247Config, R247Simulator
from archsyncd.simulators.r247.drop import DropExporter, DropFault, DropStyle, DropWriter, Form, Ready
from tests.adapters.feeds.dropping import Drop, dropped, fault_of, follow, ndjson, opened
from tests.adapters.feeds.dropping import level as a_level
from tests.adapters.feeds.servers import SimulatorClock
from tests.support.examples import examples
from tests.support.virtual_time import run_virtual, virtual

GOOD = ndjson(a_level("A", 1), a_level("B", 2))


@settings(max_examples=examples(60), deadline=None)
@given(
    data=st.binary(max_size=200) | st.binary(max_size=60).map(gzip.compress),
    ending=st.sampled_from(["ndjson", "csv", "json", "ndjson.gz", "csv.gz", "json.gz"]),
    kind=st.sampled_from(["delta", "full", "order"]),
)
@example(data=b'sku,location,onHand\n"A\n', ending="csv", kind="delta")
@example(data=b"\n\n\n", ending="ndjson", kind="full")
def test_an_arbitrary_file_is_read_or_refused_and_the_next_one_counts(
    data: bytes, ending: str, kind: str
) -> None:
    """Nothing is raised but FeedFault, there is a receipt, and the file lies in done/ or error/."""

    async def run() -> None:
        with dropped() as drop:
            async with opened(drop) as feed:
                name = drop.put(data=data, ending=ending, kind=kind, records=...)
                told = await follow(feed, None, 1)
                if drop.status(name) != "rejected":
                    drop.put(a_level("Z", 1))
                    told = await follow(feed, told.checkpoint, 1)
                    assert told.levels == [("Z", 1)]
            assert drop.status(name) in {"applied", "partial", "rejected"}
            assert drop.lies("work") == []

    run_virtual(run())


@settings(max_examples=examples(60), deadline=None)
@given(data=st.binary(max_size=120), name=st.text(max_size=40))
def test_an_arbitrary_manifest_never_lets_a_file_through(data: bytes, name: str) -> None:
    """It is refused, whatever stands in it, and strange names beside it are left alone."""

    async def run() -> None:
        with dropped() as drop:
            async with opened(drop) as feed:
                file = drop.put(data=GOOD, manifest=False, seq=1)
                (drop.root / "in" / f"{file}.done").write_bytes(data)
                stranger = name.encode("utf-8", "ignore").replace(b"/", b"").replace(b"\0", b"").decode()
                if stranger.strip(". "):
                    (drop.root / "in" / stranger).touch()
                told = await follow(feed, None, 1)
            assert (told.codes, told.levels, drop.status(file)) == (["bad_manifest"], [], "rejected")

    run_virtual(run())


class Source:
    """The simulated source writing into a directory."""

    def __init__(self, drop: Drop, style: DropStyle) -> None:
        self.simulator = R247Simulator(R247Config(), SimulatorClock(), random.Random(7))
        for sku in "ABC":
            self.simulator.warehouse.seed(sku, "WH1", 5)
        self.writer = DropWriter(Path(drop.root), style, "main", self.simulator.log)
        self.exporter = DropExporter(self.simulator.warehouse, self.writer)

    def recount(self, sku: str, on_hand: int, fault: DropFault | None = None) -> Any:
        self.simulator.warehouse.room.recount(sku, "WH1", on_hand)
        return self.exporter.new(fault)[0]


@pytest.mark.parametrize("ready", list(Ready))
@pytest.mark.parametrize("form", list(Form))
@pytest.mark.parametrize("ids", [True, False])
def test_every_way_the_simulated_source_writes_is_read(ready: Ready, form: Form, ids: bool) -> None:
    """A full file and what follows, in every form, compressed, with every sign of readiness, with ids and without."""

    @virtual
    async def run() -> None:
        with dropped() as drop:
            source = Source(
                drop, DropStyle(ready=ready, form=form, ids=ids, compress=True, delimiter=";", bom=True)
            )
            async with opened(drop, ready=Readiness(ready.value), delimiter=";") as feed:
                source.exporter.full()
                source.recount("A", 4)
                source.recount("B", -1)
                told = await follow(feed, None, 3)
            assert sorted(told.fulls[0][0]) == [("A", 5), ("B", 5), ("C", 5)]
            assert told.levels == [("A", 4), ("B", -1)]
            assert told.codes == []

    run()


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (DropFault.TRUNCATED, "wrong_size"),
        (DropFault.WRONG_HASH, "bad_content"),
        (DropFault.MISCOUNT, "bad_content"),
        (DropFault.INCOMPLETE, "bad_content"),
    ],
)
def test_f108_a_spoilt_file_of_the_simulated_source_is_refused(fault: DropFault, outcome: str) -> None:
    """Nothing of it is used, and the same file written whole afterwards is read."""

    @virtual
    async def run() -> None:
        with dropped() as drop:
            source = Source(drop, DropStyle())
            async with opened(drop) as feed:
                source.exporter.full()
                checkpoint = (await follow(feed, None, 1)).checkpoint
                file = source.recount("A", 4, fault)
                told = await follow(feed, checkpoint, 1)
                assert (told.codes, told.levels) == ([outcome], [])
                source.simulator.warehouse.room.recount("A", "WH1", 4)
                drop.put(a_level("A", 4), seq=2)
                assert (await follow(feed, checkpoint, 1)).levels == [("A", 4)]
                assert file.name in drop.lies("error")

    run()


@virtual
async def test_f108_half_written_and_withheld_files_of_the_simulated_source_are_waited_for() -> None:
    """Completed or released late, they are read in their order."""
    with dropped() as drop:
        source = Source(drop, DropStyle())
        async with opened(drop) as feed:
            source.exporter.full()
            checkpoint = (await follow(feed, None, 1)).checkpoint
            half = source.recount("A", 4, DropFault.HALF_WRITTEN)
            source.recount("A", 3, DropFault.WITHHELD)
            source.recount("A", 2, DropFault.OLD_MTIME)
            assert "manifest" in await fault_of(feed, checkpoint)
            source.writer.complete(half)
            checkpoint = (await follow(feed, checkpoint, 1)).checkpoint
            assert "is missing" in await fault_of(feed, checkpoint)
            source.writer.release()
            told = await follow(feed, checkpoint, 2)
            assert told.levels == [("A", 3), ("A", 2)]
            again = source.writer.again(half, renumbered=True)
            told = await follow(feed, told.checkpoint, 1)
        assert (told.levels, drop.status(again.name)) == ([], "duplicate")


@virtual
async def test_a_large_full_file_is_read_in_pages_of_bounded_size() -> None:
    """No page holds more than a thousand items, whatever the file's length."""
    with dropped() as drop:
        async with opened(drop) as feed:
            drop.put(*(a_level(f"S{n}", n) for n in range(5_500)), kind="full")
            sizes: list[int] = []
            async for source in feed.batches(None):
                pages = source.pages()  # type: ignore[union-attr]
                async for page in pages:
                    sizes.append(len(page.items))
                    assert all(isinstance(item, Level) for item in page.items)
                break
        assert sizes == [1000] * 5 + [500]

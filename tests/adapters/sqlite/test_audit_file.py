"""An audit's file: bounded findings, the last result put in place whole, and nothing taken from the store's room."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archsyncd.adapters.sqlite.audit_file import FREE_SPACE_FLOOR_BYTES, AuditFile
from archsyncd.domain.audit import AuditSummary, FindingKind, no_location
from archsyncd.engine.ports import AuditLost, StoreFull
from tests.support.examples import examples

SUMMARY = AuditSummary(1, 2, 0, 0, 0, 0, 0)
SKUS = st.sets(st.sampled_from(["A-1", "a1", "A_1", "0A1", " A1", "B", "b", "C", "00", "0", "-", "é"]))


async def compared(book: AuditFile, sold: set[str], sent: set[str], limit: int = 2) -> AuditSummary:
    """An audit of these products and levels, compared a few at a time."""
    await book.begin()
    await book.sold(sorted(sold))
    await book.sent(sorted(sent), "WH1")
    await book.index()
    for side in (True, False):
        after: str | None = ""
        while after is not None:
            after, _ = await book.compare(after, limit, sold=side)
    return await book.conclude(SUMMARY)


@settings(max_examples=examples(40), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(SKUS, SKUS)
def test_findings_are_the_differences_of_the_two_sides(
    tmp_path: Path, sold: set[str], sent: set[str]
) -> None:
    """Whatever stands on either side: each SKU of one alone is a finding of its own, and no other."""

    async def check() -> None:
        book = AuditFile(tmp_path)
        last = await compared(book, sold, sent)
        found = [finding for _, finding in await book.findings(1, 0, 100)]
        assert {each.name for each in found if each.kind is FindingKind.NOT_SENT} == sold - sent
        assert {each.name for each in found if each.kind is FindingKind.NOT_SOLD} == sent - sold
        assert sum(last.counts.values()) == len(found) == len(sold ^ sent)
        for each in found:
            assert not each.near or each.near in (sent if each.kind is FindingKind.NOT_SENT else sold)

    asyncio.run(check())


async def test_a_result_is_copied_only_where_the_store_keeps_its_room(tmp_path: Path) -> None:
    """There is room for every step, and not for one more file as big as the findings: the last result stays."""
    await compared(AuditFile(tmp_path), {"OLD"}, set())
    book = AuditFile(tmp_path, free_bytes=lambda _: FREE_SPACE_FLOOR_BYTES + 4_096)
    with pytest.raises(StoreFull, match=r"256 MiB would be free.*the store needs them"):
        await compared(book, {f"S{number}" for number in range(500)}, set())
    await book.abandon()
    assert await asyncio.to_thread(os.listdir, tmp_path) == ["audit.db"]
    last = await book.last()
    assert last is not None
    assert dict(last.counts) == {"not_sent": 1}
    roomy = AuditFile(tmp_path, free_bytes=lambda _: FREE_SPACE_FLOOR_BYTES + 4_096_000)
    assert (await compared(roomy, {"A", "B"}, set())).kept == 2


async def test_findings_beyond_the_bound_are_counted_alone(tmp_path: Path) -> None:
    """The file holds a bounded number of each kind, and the summary says how many there are."""
    book = AuditFile(tmp_path, kept=3)
    last = await compared(book, {f"S{number}" for number in range(10)}, {"T"})
    assert dict(last.counts) == {"not_sent": 10, "not_sold": 1}
    assert last.kept == 4
    assert len(await book.findings(1, 0, 100)) == 4
    assert await book.last() == last


async def test_findings_are_read_in_pages(tmp_path: Path) -> None:
    """Each page goes on behind the number of the last one."""
    book = AuditFile(tmp_path)
    await compared(book, {f"S{number}" for number in range(5)}, set())
    first = await book.findings(1, 0, 3)
    second = await book.findings(1, first[-1][0], 3)
    assert [len(first), len(second)] == [3, 2]
    with pytest.raises(AuditLost, match="another audit"):
        await book.findings(7, 0, 3)


async def test_an_audit_that_is_dropped_leaves_the_last_one(tmp_path: Path) -> None:
    """Nothing of what is under way shows before it is whole, and nothing of it stays."""
    book = AuditFile(tmp_path)
    before = await compared(book, {"A"}, set())
    await book.begin()
    await book.found([no_location("north")])
    assert await book.last() == before
    await book.abandon()
    left = await asyncio.to_thread(lambda: [path.name for path in tmp_path.iterdir()])
    assert left == ["audit.db"]


async def test_a_file_that_is_not_open_takes_nothing(tmp_path: Path) -> None:
    """Writing without a beginning, or where no file can be made, is told as no room."""
    with pytest.raises(StoreFull):
        await AuditFile(tmp_path).sold(["A"])
    with pytest.raises(StoreFull):
        await AuditFile(tmp_path / "none").begin()
    assert await AuditFile(tmp_path).last() is None

"""From which places a feed may be read again, judged by what it tells first there."""

from __future__ import annotations

import asyncio

import pytest

from archsyncd.domain.feed import Batch, Heartbeat, SnapshotCause, SnapshotDue
from archsyncd.engine.replaying import Replay, refusal


def batch(*seqs: int, epoch: str = "e2") -> Batch:
    return Batch(
        "main", epoch, tuple(Heartbeat(f"h{seq}", seq, "2026-01-01T00:00:00Z") for seq in seqs), (), "c"
    )


@pytest.mark.parametrize("seqs", [(10,), (1, 2), (9, 12)])
def test_a_place_before_what_was_read_will_do(seqs: tuple[int, ...]) -> None:
    """Whatever follows it was read, or follows what was read."""
    assert refusal(batch(*seqs), "e2", 10) == ""


@pytest.mark.parametrize(
    ("first", "why"),
    [
        (batch(11), "lies ahead"),
        (batch(), "lies at the end"),
        (batch(3, epoch="e1"), "epoch e1"),
        (batch(3, epoch="e3"), "epoch e3"),
        (SnapshotDue(SnapshotCause.CURSOR_EXPIRED, "410"), "does not go back to there (410)"),
    ],
)
def test_any_other_place_is_refused(first: Batch | SnapshotDue, why: str) -> None:
    """One record left out, or an epoch of which nothing is used, is no replay."""
    assert why in refusal(first, "e2", 10)


async def test_a_replay_is_answered_once() -> None:
    """The first word counts; a refusal stays one."""
    begun, refused, left = Replay("a"), Replay("b"), Replay("c")
    begun.answer("")
    begun.answer("too late")
    refused.answer("no")
    left.answered.cancel()
    await asyncio.sleep(0)
    assert (begun.refused, refused.refused, left.refused) == (False, True, False)
    assert not begun.pending

"""What a status other than 200 means for the loop that reads (r247/1, section 2, "errors"). No I/O."""

from __future__ import annotations

from typing import Final

from archsyncd.adapters.r247_pull.caller import Answer
from archsyncd.domain.feed import SnapshotCause, SnapshotDue
from archsyncd.engine.ports import FeedFault
from archsyncd.wire.commercetools.exchange import retry_after_seconds
from archsyncd.wire.r247_answers import read_problem

OK: Final = 200
ACCEPTED: Final = 202
BAD_REQUEST: Final = 400
NOT_FOUND: Final = 404
GONE: Final = 410
NOT_OFFERED: Final = frozenset({404, 405, 501})
_REFUSED: Final = frozenset({401, 403})
_CODE_LIMIT_CHARACTERS: Final = 60


def snapshot_due(answer: Answer) -> SnapshotDue | None:
    """Whether the source says that our cursor leads nowhere any more."""
    if answer.status not in {GONE, BAD_REQUEST}:
        return None
    code = read_problem(answer.body).code
    if answer.status == BAD_REQUEST:
        return SnapshotDue(SnapshotCause.CURSOR_EXPIRED, answer.told) if code == "bad_cursor" else None
    cause = SnapshotCause.EPOCH_CHANGED if code == "epoch_changed" else SnapshotCause.CURSOR_EXPIRED
    return SnapshotDue(cause, answer.told)


def refusal(answer: Answer) -> FeedFault:
    """Make the fault of an answer that is of no use. Nothing is followed, 401 and 403 are for a person."""
    if 300 <= answer.status < BAD_REQUEST:  # noqa: PLR2004 - HTTP's own numbers
        return FeedFault(f"{answer.told}: redirects are not followed")
    code = read_problem(answer.body).code[:_CODE_LIMIT_CHARACTERS]
    return FeedFault(
        f"{answer.told} {code}".rstrip(),
        blind=answer.status in _REFUSED,
        retry_after_seconds=retry_after_seconds(answer.retry_after, answer.date),
    )

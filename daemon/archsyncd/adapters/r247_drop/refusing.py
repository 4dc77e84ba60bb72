"""What people are told of a file that is not read: what holds now, and what to do about it. Pure."""

from __future__ import annotations

from typing import Final

from archsyncd.adapters.r247_drop.work import Work
from archsyncd.domain.feed import FileNews
from archsyncd.wire.drop_names import LINES_PER_FILE, DropCheckpoint, DropName, Kind

MISSING: Final = "missing_file"
STALE: Final = "stale_file"
CHANGED: Final = "changed_content"


def file_news(name: DropName) -> FileNews:
    """A file that was dealt with."""
    return FileNews(name.text, name.kind.value, name.file_seq * LINES_PER_FILE)


def refused(work: Work, last: DropCheckpoint) -> FileNews:
    """A file that is not read, with what to do about it."""
    name = work.name
    awaited = work.code != STALE and is_awaited(name, last)
    return FileNews(
        name.text,
        name.kind.value,
        name.file_seq * LINES_PER_FILE,
        work.code,
        f"{name.text} was refused: {'; '.join(work.reasons)}",
        _does(name, work.code, last, awaited=awaited),
        awaited,
    )


def is_awaited(name: DropName, last: DropCheckpoint) -> bool:
    """Whether nothing is read behind this file where it is not read itself: its number is seen to be missing then."""
    if not name.counted or last.file_seq == 0:
        return False
    return name.file_seq > last.file_seq or (name.file_seq == last.file_seq and not last.ended)


def missing(number: int, reason: str) -> FileNews:
    """A file that never came, as far as can be seen."""
    does = (
        f"Nothing that comes after it is read. Put file {number} into in/, or a full of this feed: it is taken as soon as it "
        "lies there; look whether it lies in error/, or never left its writer"
    )
    return FileNews(f"file {number}", "", number * LINES_PER_FILE, MISSING, reason, does, awaited=True)


def _does(name: DropName, code: str, last: DropCheckpoint, *, awaited: bool) -> str:
    if awaited and code == CHANGED:
        return (
            "The file lies in error/, and nothing after it is read: put it into in/ again as it was at first, or a full "
            "of this feed"
        )
    if awaited:
        return (
            "The file lies in error/, and nothing after it is read: the feed waits for a corrected file of the same number "
            f"({name.file_seq}), or a full of this feed, in in/"
        )
    rank = "number" if name.counted else "time"
    if code == STALE or name.file_seq <= last.file_seq:
        return (
            "Nothing of it is used, it lies in error/, and the feed goes on. Send what it says again in a file of a later "
            f"{rank}; a later full makes up for it too"
        )
    more = "; what stands stays until then" if name.kind is Kind.FULL else ""
    return (
        f"Nothing of it is used, it lies in error/, and the feed goes on. Send it again, corrected, with the same {rank} or a "
        f"later one{more}"
    )

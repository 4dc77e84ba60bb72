"""Mutes: what a person has said need not be told for a while, and when it is told all the same. Knows no store and no clock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from archsyncd.domain.reasons import Reason

LONGEST_MS = 7 * 24 * 3600 * 1000
MUTES_MOST = 100
# A mute ends when there is more than twice as much of it, and so many more at least.
GROWN_FACTOR = 2
GROWN_LEAST = 10
NAMED = 5
# Cases that only repeat a cause which has a code of its own: who mutes one of the two means both.
REPEATED: Mapping[str, str] = {"stale_feed": "feed_stale"}


class MuteKind(StrEnum):
    """A mute lasts until its end; an acknowledgement also ends when its cause is gone, so that the next time is told again."""

    MUTE = "mute"
    ACK = "ack"


@dataclass(frozen=True, slots=True)
class Mute:
    """What is muted: a code, of one subject or ("") of all. Times in UTC milliseconds.

    `level` and `count`: how bad it was, and how much of it there was, when it was muted; level 0: it was not there yet.
    """

    code: str
    subject: str
    kind: MuteKind
    level: int
    count: int
    at_ms: int
    until_ms: int
    reason: str
    by: str

    def covers(self, code: str, subject: str) -> bool:
        """Whether it is about this."""
        return root_of(self.code) == root_of(code) and self.subject in {"", subject}

    def outgrown(self, level: int, count: int) -> str:
        """Why it holds no more, now that it is this bad; "" while it holds."""
        if not self.level:
            return ""
        if level > self.level:
            return "it is more severe than when it was muted"
        if count > GROWN_FACTOR * self.count and count >= self.count + GROWN_LEAST:
            return f"there are {count:,} by now, and {self.count:,} when it was muted"
        return ""

    def joined(self, reasons: Iterable[Reason]) -> str:
        """Why it holds no more, now that it covers all these: one subject more than when it was set; "" while it holds."""
        subjects = sorted({reason.subject for reason in reasons if reason.subject})
        if self.subject or not self.level or len(subjects) <= self.count:
            return ""
        return f"it is of {', '.join(subjects[:NAMED])} by now, and was of {self.count:,} when it was muted"


def figures_of(reasons: Iterable[Reason]) -> tuple[int, int]:
    """How bad these causes are together, and how much there is: of those that have a subject, how many subjects; 0 for none."""
    level, count, subjects = 0, 0, set()
    for reason in reasons:
        level = max(level, int(reason.level))
        if reason.subject:
            subjects.add(reason.subject)
        else:
            count = max(count, reason.count)
    return level, max(count, len(subjects))


def root_of(code: str) -> str:
    """The code of the cause that this one repeats, or itself."""
    return REPEATED.get(code, code)


def told_already(kind: str, causes: Iterable[tuple[str, str]]) -> frozenset[str]:
    """Of which subjects a kind of case repeats one of these causes (code, subject): one thing is told once."""
    root = REPEATED.get(kind)
    return frozenset(subject for code, subject in causes if code == root)


def covering(mutes: Iterable[Mute], code: str, subject: str) -> Mute | None:
    """The mute about this, the most particular one first; None without one."""
    found = [mute for mute in mutes if mute.covers(code, subject)]
    return max(found, key=lambda mute: (bool(mute.subject), mute.until_ms), default=None)

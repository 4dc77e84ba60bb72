"""Alerts: from what is wrong at each look to the messages people get, few and none twice. Knows no clock, store or way.

A cause is a code with its subject. It is told once when it has lasted for a short window, then in digests, and once when it
is over; never more than three times in an hour, and a fourth time that it has become critical. What a step returns is kept
with the messages in one transaction: whoever looks next, after a crash too, goes on from there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from archsyncd.domain.mutes import REPEATED

HOUR_MS = 3600 * 1000
MESSAGES_AN_HOUR = 3
CRITICAL = 2
# Digests leave room for what must be told: worse, escalated, over.
DIGESTS_UP_TO = 2
EXAMPLES_MOST = 5
TEXT_LIMIT_CHARACTERS = 1_000
EXAMPLE_LIMIT_CHARACTERS = 200
# What usually passes by itself is told later than the rest.
PATIENCE_SECONDS: Mapping[str, int] = {"snapshot_due": 300, "idle": 300, "lease": 300, "orders_unknown": 300}
# One cause by several names: the first that is there is told.
SAME: Mapping[str, str] = {
    "feed_late": "feed",
    "feed_stale": "feed",
    "feed_fault": "feed",
    "orders_unknown": "orders",
    "orders_behind": "orders",
}
# What follows from these is not told beside them.
_UNWRITTEN = frozenset(
    {"decrease_waits", "in_doubt", "orders_behind", "orders_unknown", "lease", "marker_type"}
)
# Without commercetools there is no lease either.
FOLLOWS: Mapping[str, frozenset[str]] = {
    "credential_refused": _UNWRITTEN | {"idle"},
    "commercetools_unreachable": _UNWRITTEN | {"idle"},
    "copied": _UNWRITTEN,
    "idle": _UNWRITTEN,
}


class MessageKind(StrEnum):
    """What a message tells of its cause."""

    BEGAN = "began"
    DIGEST = "digest"
    WORSE = "worse"
    ESCALATED = "escalated"
    OVER = "over"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Observation:
    """One cause at one look. `level`: 1 degraded, 2 critical. `count`: how many, `newest`: a number that each new one raises.

    `examples`: subjects, at most five. `overdue`: cases past their owner's limit that were not escalated yet; None where the
    cause itself has the limit. `muted`: nothing is told. `remark`: what else there is to say. Durations in seconds.
    """

    owner: str
    code: str
    subject: str
    level: int
    count: int
    says: str
    next_step: str
    command: str
    escalate_to: str
    escalate_seconds: float
    newest: int = 0
    examples: tuple[str, ...] = ()
    overdue: int | None = None
    muted: bool = False
    remark: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """What tells causes apart."""
        return SAME.get(self.code, self.code), self.subject


@dataclass(frozen=True, slots=True)
class Cause:
    """What was told of a cause. Times in UTC milliseconds.

    `began_ms`: since when it is there, `quiet_ms`: since when it is not; `told_level` 0: it is not told, or told as over.
    `escalated_ms`: cases opened up to then were escalated; of a cause without cases: when it was. `sent`: when messages were
    written within the last hour. The texts are the last look's, for the message that it is over.
    """

    name: str
    subject: str
    owner: str
    code: str
    says: str
    began_ms: int
    quiet_ms: int | None = None
    told_level: int = 0
    told_count: int = 0
    told_newest: int = 0
    escalated_ms: int = 0
    sent: tuple[int, ...] = ()

    @property
    def key(self) -> tuple[str, str]:
        """What tells causes apart."""
        return self.name, self.subject


@dataclass(frozen=True, slots=True)
class Message:
    """One message. `before`: the count when it was told last. `since_ms`, `at_ms`: since when it is so, when that was seen."""

    kind: MessageKind
    owner: str
    code: str
    subject: str
    level: int
    count: int
    before: int
    since_ms: int
    at_ms: int
    says: str
    next_step: str = ""
    command: str = ""
    examples: tuple[str, ...] = ()
    remark: str = ""


@dataclass(frozen=True, slots=True)
class AlertRules:
    """How messages are grouped. `group_seconds`: how long a cause must last, or be gone; `digest_seconds`: between digests.

    `holds`: it is quiet, so what is not critical is told later, if it is there still; that such a cause is over, as well.
    """

    group_seconds: int = 30
    digest_seconds: int = 900
    holds: bool = False


@dataclass(frozen=True, slots=True)
class Decided:
    """What a look comes to: causes to keep, causes to forget, messages to send; all of it is durable at once or not at all."""

    kept: tuple[Cause, ...] = ()
    forgotten: tuple[tuple[str, str], ...] = ()
    messages: tuple[Message, ...] = ()


def decide(
    causes: Mapping[tuple[str, str], Cause],
    observed: Iterable[Observation],
    now_ms: int,
    rules: AlertRules,
    unjudged: Collection[tuple[str, str]] = (),
) -> Decided:
    """Take a look in: every cause that is known or seen makes one step. `unjudged`: causes that nobody can know of yet."""
    seen, following = by_cause(observed, unjudged)
    kept, forgotten, messages = [], [], []
    for key in sorted({*causes, *seen} - following):
        before, now = causes.get(key), seen.get(key)
        after, told = step(before, now, now_ms, rules)
        if after is None:
            if before is not None:
                forgotten.append(key)
        elif after != before:
            kept.append(after)
        messages += told
    return Decided(tuple(kept), tuple(forgotten), tuple(messages))


def by_cause(
    observed: Iterable[Observation],
    unjudged: Collection[tuple[str, str]] = (),
) -> tuple[dict[tuple[str, str], Observation], set[tuple[str, str]]]:
    """One observation a cause, the worst of several; and causes of which nothing is told now.

    Neither that these are there nor that they are over: they follow from another that is there, or repeat it, or after a start
    nobody can know yet whether they, or what they repeat, are there.
    """
    found = list(observed)
    names = {name for name, _ in unjudged}
    codes = {each.code for each in found if not each.muted}
    codes |= {root for root in REPEATED.values() if SAME.get(root, root) in names}
    following = {each.key for each in found if _follows(each.code, codes)}
    seen: dict[tuple[str, str], Observation] = {}
    for each in sorted(found, key=lambda one: (one.muted, -one.level)):
        if each.key not in following:
            seen.setdefault(each.key, each)
    return seen, following | (set(unjudged) - seen.keys())


def _follows(code: str, codes: Collection[str]) -> bool:
    return REPEATED.get(code) in codes or any(code in FOLLOWS[root] for root in FOLLOWS if root in codes)


def step(
    cause: Cause | None, seen: Observation | None, now_ms: int, rules: AlertRules
) -> tuple[Cause | None, list[Message]]:
    """One cause at one look: what is known of it from now on (None: nothing), and what is told."""
    if cause is not None:
        # A clock that was set back must not silence a cause.
        cause = replace(cause, sent=tuple(at for at in cause.sent if 0 <= now_ms - at < HOUR_MS))
    if seen is None:
        return (None, []) if cause is None else _absent(cause, now_ms, rules)
    if cause is None or (cause.quiet_ms is not None and not cause.told_level and _gone(cause, now_ms, rules)):
        sent = cause.sent if cause else ()
        cause = Cause(*seen.key, seen.owner, seen.code, seen.says, now_ms, sent=sent)
    cause = replace(
        cause, owner=seen.owner, code=seen.code, says=seen.says[:TEXT_LIMIT_CHARACTERS], quiet_ms=None
    )
    if seen.muted:
        return replace(cause, told_level=0), []
    kind = _kind(cause, seen, now_ms, rules)
    return (cause, []) if kind is None else _told(cause, seen, kind, now_ms)


def _absent(cause: Cause, now_ms: int, rules: AlertRules) -> tuple[Cause | None, list[Message]]:
    if cause.quiet_ms is None or cause.quiet_ms > now_ms:
        cause = replace(cause, quiet_ms=now_ms)
    if not cause.told_level:
        return (None if not cause.sent and _gone(cause, now_ms, rules) else cause), []
    held = rules.holds and cause.told_level < CRITICAL
    if held or not _gone(cause, now_ms, rules) or len(cause.sent) >= MESSAGES_AN_HOUR:
        return cause, []
    message = Message(
        MessageKind.OVER,
        cause.owner,
        cause.code,
        cause.subject,
        0,
        0,
        cause.told_count,
        cause.began_ms,
        now_ms,
        cause.says,
    )
    over = replace(cause, told_level=0, told_count=0, escalated_ms=0, sent=(*cause.sent, now_ms))
    return over, [message]


def _gone(cause: Cause, now_ms: int, rules: AlertRules) -> bool:
    return cause.quiet_ms is not None and now_ms - cause.quiet_ms >= rules.group_seconds * 1000


def _kind(cause: Cause, seen: Observation, now_ms: int, rules: AlertRules) -> MessageKind | None:
    """What is to be told of a cause that is there, None: nothing now."""
    if rules.holds and seen.level < CRITICAL:
        return None
    # That it is critical now passes beyond the limit, once: flaps of what is not must not silence it.
    beyond = 1 if seen.level >= CRITICAL > cause.told_level else 0
    if len(cause.sent) >= MESSAGES_AN_HOUR + beyond:
        return None
    lasted_ms = now_ms - cause.began_ms
    if not cause.told_level:
        patience = max(rules.group_seconds, PATIENCE_SECONDS.get(seen.code, 0))
        return MessageKind.BEGAN if lasted_ms >= patience * 1000 or lasted_ms < 0 else None
    if seen.level > cause.told_level:
        return MessageKind.WORSE
    if _is_overdue(cause, seen, lasted_ms):
        return MessageKind.ESCALATED
    more = seen.newest > cause.told_newest or seen.count > cause.told_count + cause.told_count // 10
    rested = not cause.sent or now_ms - cause.sent[-1] >= rules.digest_seconds * 1000
    return MessageKind.DIGEST if more and rested and len(cause.sent) < DIGESTS_UP_TO else None


def _is_overdue(cause: Cause, seen: Observation, lasted_ms: int) -> bool:
    if seen.overdue is not None:
        return seen.overdue > 0
    return not cause.escalated_ms and lasted_ms > seen.escalate_seconds * 1000


def _overdue(seen: Observation) -> str:
    many = f"{seen.overdue:,} of them stand" if seen.overdue and seen.overdue > 1 else "it stands"
    return f"{many} open for more than {seen.escalate_seconds / 60:.0f} min, the limit of {seen.owner}"


def _told(cause: Cause, seen: Observation, kind: MessageKind, now_ms: int) -> tuple[Cause, list[Message]]:
    escalated = kind is MessageKind.ESCALATED
    message = Message(
        kind,
        seen.escalate_to if escalated else seen.owner,
        seen.code,
        seen.subject,
        seen.level,
        seen.count,
        cause.told_count if cause.told_level else 0,
        cause.began_ms,
        now_ms,
        seen.says[:TEXT_LIMIT_CHARACTERS],
        seen.next_step[:TEXT_LIMIT_CHARACTERS],
        seen.command,
        tuple(each[:EXAMPLE_LIMIT_CHARACTERS] for each in seen.examples[:EXAMPLES_MOST]),
        (_overdue(seen) if escalated else seen.remark)[:TEXT_LIMIT_CHARACTERS],
    )
    limit_ms = int(seen.escalate_seconds * 1000) if seen.overdue is not None else 0
    after = replace(
        cause,
        told_level=seen.level,
        told_count=seen.count,
        told_newest=seen.newest,
        escalated_ms=now_ms - limit_ms if escalated else cause.escalated_ms,
        sent=(*cause.sent, now_ms),
    )
    return after, [message]

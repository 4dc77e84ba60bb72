"""The verbs about alerts: the list, a trial of the ways, mutes and acknowledgements. Sends and decides nothing itself."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from typing import Any

from archsyncd.config import EXCEPTION_KINDS
from archsyncd.domain.alert_texts import plain, trial
from archsyncd.domain.cases import TEXTS, CaseKind, Severity
from archsyncd.domain.mutes import LONGEST_MS, MUTES_MOST, Mute, MuteKind, figures_of, root_of
from archsyncd.domain.reasons import CODES, STORE_BROKEN, Level
from archsyncd.domain.times import rfc3339, utc_ms
from archsyncd.engine.alerting import WAYS, try_ways
from archsyncd.operator.daemon import Daemon
from archsyncd.operator.paging import fitting
from archsyncd.operator.protocol import EXIT_USAGE, Arguments, Refusal
from archsyncd.operator.status import StatusDesk

LIST_LIMIT = 50
LIST_MOST = 500
SHORTEST_SECONDS = 60
ACK_SECONDS = 24 * 3600
REASON_LIMIT_CHARACTERS = 200
SUBJECT_LIMIT_CHARACTERS = 1_000
NAMES_MOST = 20
FEED_CODES = frozenset(
    {"feed_late", "feed_stale", "feed_fault", "feed_stuck", "feed_paused", "snapshot_due", "stale_feed"}
)
MUTABLE = (*CODES, *EXCEPTION_KINDS)


class AlertDesk:
    """Answers `alerts`, `mute`, `ack`, `mutes` and `unmute`."""

    def __init__(self, daemon: Daemon, status: StatusDesk) -> None:
        self._daemon = daemon
        self._status = status

    async def listed(self, arguments: Arguments) -> dict[str, Any]:
        """The newest messages with what became of them by each way."""
        limit = arguments.whole("limit", 1, LIST_MOST, LIST_LIMIT)
        arguments.finish()
        found = await self._daemon.store.alerts.listed(limit + 1)
        rows, cut = fitting(
            {
                "id": each["id"],
                **plain(each["message"]),
                "deliveries": [
                    way | {"at": None if way["at_ms"] is None else rfc3339(way["at_ms"])}
                    for way in each["deliveries"]
                ],
            }
            for each in found[:limit]
        )
        for row in rows:
            for way in row["deliveries"]:
                del way["at_ms"]
        return {"rows": rows, "more": cut or len(found) > limit}

    async def test(self, arguments: Arguments) -> dict[str, Any]:
        """Send one message by each way, or by one, now; what came of it."""
        wanted = arguments.choice("way", ("", *WAYS), "")
        arguments.finish()
        ways = {name: way for name, way in self._daemon.alert_ways.items() if wanted in {"", name}}
        if not ways:
            what = f"The way {wanted}" if wanted else "No way"
            raise Refusal(
                f"{what} is{' not' if wanted else ''} configured: see [alerts] in the configuration."
            )
        now_ms = self._daemon.clock.wall_ms()
        number = f"msg_{self._daemon.store.ledger.id}_test_{now_ms}"
        results = await try_ways(ways, number, trial(now_ms, arguments.by))
        rows = [
            {"way": name, "target": ways[name].target, "done": done, "says": says}
            for name, (done, says) in results.items()
        ]
        failed = [name for name, (done, _) in results.items() if not done]
        says = f"It did not go by {', '.join(failed)}." if failed else "It went by every way."
        return {"done": not failed, "says": says, "rows": rows}

    async def mute(self, arguments: Arguments) -> dict[str, Any]:
        """Have a cause neither count nor be told until a time."""
        return await self._put(arguments, MuteKind.MUTE, 0)

    async def acknowledge(self, arguments: Arguments) -> dict[str, Any]:
        """The same until the cause is gone, and only for one that is there."""
        return await self._put(arguments, MuteKind.ACK, ACK_SECONDS)

    async def _put(self, arguments: Arguments, kind: MuteKind, usual_seconds: int) -> dict[str, Any]:
        code, subject = _code(arguments), _subject(arguments)
        self._check_subject(code, subject)
        until_ms = self._until(arguments, usual_seconds)
        reason = arguments.text("reason", limit=REASON_LIMIT_CHARACTERS)
        arguments.finish()
        if not reason.strip() or not reason.isprintable():
            raise Refusal("The reason must be a line of printable text.", EXIT_USAGE)
        level, count = await self._now(code, subject)
        if kind is MuteKind.ACK and not level:
            raise Refusal(f"There is no {_named(code, subject)} now that could be acknowledged.")
        now_ms = self._daemon.clock.wall_ms()
        mute = Mute(code, subject, kind, level, count, now_ms, until_ms, reason.strip(), arguments.by)
        if not await self._daemon.store.mutes.put(mute):
            raise Refusal(f"There are {MUTES_MOST} mutes already: end one with archsyncctl unmute CODE.")
        self._status.forget()
        gone = ", or until it is gone," if kind is MuteKind.ACK else ""
        says = f"{_named(code, subject)} is muted until {rfc3339(until_ms)}{gone} and ends earlier when it gets worse."
        return {"done": True, "says": says, "until": rfc3339(until_ms)}

    def _check_subject(self, code: str, subject: str) -> None:
        """Raises Refusal for a feed or channel that is none: such a mute would cover nothing."""
        known: Collection[str]
        if code in FEED_CODES:
            what, known = "feed", [feed.name for feed in self._daemon.settings.feeds]
        elif code == "channel_paused":
            what, known = "channel", self._daemon.store.rules.policies.channels
        else:
            return
        if subject and subject not in known:
            names = ", ".join(sorted(known)[:NAMES_MOST]) or "none"
            raise Refusal(f"There is no {what} {subject!r} that {code} could be of; there is {names}.")

    def _until(self, arguments: Arguments, usual_seconds: int) -> int:
        longest_seconds = LONGEST_MS // 1000
        seconds = arguments.whole("for_seconds", 0, 10 * longest_seconds, usual_seconds) or usual_seconds
        text = arguments.text("until", limit=64, default="")
        now_ms = self._daemon.clock.wall_ms()
        told_ms = utc_ms(text) if text else now_ms + seconds * 1000
        if told_ms is None:
            raise Refusal(
                "--until takes a time like 2026-05-01T18:00:00Z or 2026-05-01T18:00:00+02:00.", EXIT_USAGE
            )
        if not SHORTEST_SECONDS * 1000 <= told_ms - now_ms <= LONGEST_MS:
            raise Refusal(
                "A mute must end, in a minute at the earliest and in 7 days at the latest.", EXIT_USAGE
            )
        return told_ms

    async def _now(self, code: str, subject: str) -> tuple[int, int]:
        """How bad it is now and how much of it there is; 0 where it is not there."""
        if subject and code in EXCEPTION_KINDS:
            found = await self._daemon.store.alerts.subject_figures(code, [subject])
            critical = TEXTS[CaseKind(code)].severity is Severity.CRITICAL
            level = Level.CRITICAL if critical else Level.DEGRADED
            return (int(level), found[subject].rows) if subject in found else (0, 0)
        self._status.forget()
        await self._status.status()
        verdict = self._status.verdict
        there = [*verdict.reasons, *(reason for reason, _ in verdict.muted)]
        return figures_of(
            reason
            for reason in there
            if root_of(reason.code) == root_of(code) and subject in {"", reason.subject}
        )

    async def mutes(self, arguments: Arguments) -> dict[str, Any]:
        """Mutes and acknowledgements that hold, the one that ends first at the head."""
        arguments.finish()
        rows = [
            {
                "code": mute.code,
                "subject": mute.subject or None,
                "kind": mute.kind.value,
                "until": rfc3339(mute.until_ms),
                "left_seconds": round((mute.until_ms - self._daemon.clock.wall_ms()) / 1000, 1),
                "since": rfc3339(mute.at_ms),
                "level": Level(mute.level).word if mute.level else None,
                "count": mute.count,
                "by": mute.by,
                "reason": mute.reason,
            }
            for mute in await self._daemon.store.mutes.holding()
        ]
        return {"rows": rows}

    async def unmute(self, arguments: Arguments) -> dict[str, Any]:
        """End a mute, or an acknowledgement."""
        code, subject = _code(arguments), _subject(arguments)
        arguments.finish()
        done = await self._daemon.store.mutes.drop(code, subject)
        self._status.forget()
        named = _named(code, subject)
        return {"done": done, "says": f"{named} {'counts and is told again' if done else 'was not muted'}."}


def _code(arguments: Arguments) -> str:
    code = arguments.text("code", limit=64)
    if code == STORE_BROKEN:
        raise Refusal("store_broken cannot be muted: without its database the daemon does nothing.")
    if code not in MUTABLE:
        near = difflib.get_close_matches(code, MUTABLE, n=1)
        hint = (
            f" Did you mean {near[0]}?"
            if near
            else " `archsyncctl status --json` tells codes, and kinds of exceptions are codes."
        )
        raise Refusal(f"There is no code {code!r}.{hint}", EXIT_USAGE)
    return code


def _subject(arguments: Arguments) -> str:
    return arguments.text("subject", limit=SUBJECT_LIMIT_CHARACTERS, default="")


def _named(code: str, subject: str) -> str:
    return f"{code} of {subject!r}" if subject else code

"""What the daemon says of itself: transitions into the journal, one line for systemd. Decides nothing."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Mapping

from archsyncd.adapters.journal import say
from archsyncd.domain.cases import CaseKind, CaseNews
from archsyncd.domain.events import Event
from archsyncd.domain.mutes import covering
from archsyncd.domain.priority import DueClass
from archsyncd.domain.reconciling import HELD_SCOPE, HELD_SUBJECT, Found, Mode, Run
from archsyncd.domain.report import Backlog
from archsyncd.engine.limiter import Limiter
from archsyncd.engine.orders import MESSAGES
from archsyncd.engine.ports import StoreFull
from archsyncd.engine.shared import Shared
from archsyncd.engine.supervise import Restart
from archsyncd.engine.tenure import LeaseChange, LeaseNews
from archsyncd.operator.looking import Look

_EVENT_OF_CASE = {
    CaseKind.FOREIGN_WRITER: Event.FOREIGN_WRITER,
    CaseKind.DRIFT: Event.DRIFT,
    CaseKind.HELD_SNAPSHOT: Event.SNAPSHOT_HELD,
    CaseKind.STALE_FEED: Event.FEED_STALE,
}
_EVENT_OF_LEASE = {
    LeaseChange.HELD: Event.LEASE_HELD,
    LeaseChange.STANDBY: Event.LEASE_STANDBY,
    LeaseChange.UNREACHABLE: Event.LEASE_UNREACHABLE,
    LeaseChange.REGAINED: Event.LEASE_REGAINED,
}
_FEED_SCOPED = frozenset({CaseKind.INVALID_RECORD, CaseKind.NEEDS_RESYNC, CaseKind.HELD_LEVEL})
_ORDER_SCOPED = frozenset(
    {
        CaseKind.UNPROVEN_REFLECTION,
        CaseKind.ORDER_UNMAPPED_LINE,
        CaseKind.ORDER_REJECTED,
        CaseKind.ORDER_IN_DOUBT,
        CaseKind.STALLED_ORDERS,
        CaseKind.STATUS_CONFLICT,
    }
)
_ADVICE_SCOPED = frozenset(
    {
        CaseKind.FULFILMENT_MISMATCH,
        CaseKind.FULFILMENT_UNKNOWN_ORDER,
        CaseKind.OVER_SHIPMENT,
        CaseKind.KIT_INCOMPLETE,
        CaseKind.SHORT_PICK,
    }
)
_KINDS = frozenset(kind.value for kind in CaseKind)
# Notes that a cause of the verdict tells as well.
_CODE_OF_NOTE = {"marker": ("marker_type", ""), "host": ("copied", "")}
_SECONDS = 1000


class Announcer:
    """Tells each thing once when it begins and once when it is over."""

    def __init__(
        self,
        logger: logging.Logger,
        shared: Shared,
        limiter: Limiter,
        owner: Callable[[CaseKind], str] = lambda _kind: "",
    ) -> None:
        """`owner`: whose a kind of exception is."""
        self._logger = logger
        self._owner = owner
        self._shared = shared
        self._limiter = limiter
        self._notes: dict[str, str] = {}
        self._blocked: str | None = None
        self._throttled = 0
        self._slow = False

    def case(self, news: CaseNews) -> None:
        """An exception opened or closed."""
        fields = _fields(news) | {"owner": self._owner(news.kind) or None}
        if news.note is not None:
            message = f"exception {news.id} {news.kind} {news.subject}: closed, {news.note}"
            say(self._logger, Event.CASE_RESOLVED, message, **fields)
            return
        event = _EVENT_OF_CASE.get(news.kind, Event.CASE_OPENED)
        say(self._logger, event, f"exception {news.id} {news.kind}: {news.reason}", **fields)

    def reconciled(self, run: Run) -> None:
        """A comparison of the inventory has ended."""
        scope = "".join(f", {name}" for name in (run.wanted.channel, run.wanted.sku) if name)
        found = ", ".join(f"{run.counted(kind)} {kind.value}" for kind in Found if run.counted(kind))
        reason = f": {run.reason}" if run.reason else ""
        unsure = f", {run.undecided} could not be judged" if run.undecided else ""
        after = f"{run.planned} are read once more and corrected; " if run.wanted.mode is Mode.APPLY else ""
        message = (
            f"{run.wanted.cause} run {run.id} over the inventory ({run.wanted.mode.value}{scope}) is {run.state.value}{reason}; "
            f"{run.entries} entries compared, {run.differing} differ{unsure}, {after}{found or 'nothing found'}"
        )
        say(self._logger, Event.RECONCILED, message, count=run.differing)

    def lease(self, news: LeaseNews) -> None:
        """The lease changed hands or cannot be reached."""
        say(self._logger, _EVENT_OF_LEASE[news.change], news.sentence)

    def restart(self, restart: Restart) -> None:
        """A pump failed and is started again."""
        if isinstance(restart.error, StoreFull):
            message = f"there is no room on the disk ({restart.error}): {restart.pump} waits, nothing is lost"
            say(self._logger, Event.STORE_FULL, message, pump=restart.pump)
            return
        why = (
            "it ended by itself"
            if restart.error is None
            else f"{type(restart.error).__name__}: {restart.error}{_place_of(restart.error)}"
        )
        message = f"{restart.pump} failed ({why}) and is started again in {restart.delay_seconds:.1f} s"
        say(self._logger, Event.PUMP_FAILED, message, pump=restart.pump, count=restart.failures)

    def look(self) -> None:
        """Tell what changed since the last look: notes, commercetools' state."""
        notes = dict(self._shared.notes)
        for name, text in notes.items():
            if name not in self._notes:
                self._note(name, text)
        for name in self._notes.keys() - notes.keys():
            feed = name.removeprefix("feed ") if name.startswith("feed ") else None
            over = "it is over" if name.startswith("replay ") else "well again"
            say(self._logger, Event.FEED_RECOVERED if feed else Event.OTHER, f"{name}: {over}", feed=feed)
        self._notes = notes
        self._commercetools()

    def _note(self, name: str, text: str) -> None:
        if name.startswith("feed "):
            feed = name.removeprefix("feed ")
            say(self._logger, Event.FEED_FAILING, f"feed {feed}: {text}", feed=feed)
        elif name == "marker":
            say(self._logger, Event.SCOPE_MISSING, text)
        else:
            say(self._logger, Event.OTHER, f"{name}: {text}")

    def _commercetools(self) -> None:
        state = self._limiter.state()
        if state.blocked_reason != self._blocked:
            if state.blocked_reason is not None:
                say(self._logger, Event.COMMERCETOOLS_DOWN, state.blocked_reason)
            else:
                say(self._logger, Event.COMMERCETOOLS_RECOVERED, "commercetools answers again")
            self._blocked = state.blocked_reason
        throttled = state.throttled_total > self._throttled
        self._throttled = state.throttled_total
        if throttled and not self._slow:
            self._slow = True
            message = (
                f"commercetools turns requests away; down to {state.rate_now:.1f} requests/s, decreases first"
            )
            say(self._logger, Event.COMMERCETOOLS_THROTTLED, message)
        elif self._slow and not throttled and state.retry_at_monotonic is None:
            self._slow = False
            say(self._logger, Event.COMMERCETOOLS_RECOVERED, "commercetools takes our requests again")


def _fields(news: CaseNews) -> dict[str, object]:
    """What a case is about, each thing under its own name: nobody finds a location by looking for a SKU."""
    return {
        "case": news.id,
        "kind": news.kind.value,
        "correlation": news.correlation or None,
        **about(news),
    }


def about(news: CaseNews) -> dict[str, object]:
    """The journal's fields of what a case is about."""
    if news.kind in _ORDER_SCOPED:
        return {"order": news.subject}
    if news.kind in _ADVICE_SCOPED:
        return {"order": news.order or None}
    if news.kind is CaseKind.INVALID_RECORD and news.scope == MESSAGES:
        return {}  # commercetools' own list, and nobody can tell which order it was about
    if news.kind is CaseKind.LOCATION_UNMAPPED:
        return {"feed": news.scope, "location": news.subject}
    if news.kind in _FEED_SCOPED:
        sku, at, rest = news.subject.partition(" at ")
        return {"feed": news.scope, "sku": sku if at else None, "location": rest.split(" ", 1)[0] or None}
    if news.kind in {
        CaseKind.STALE_FEED,
        CaseKind.HELD_SNAPSHOT,
        CaseKind.REFUSED_FILE,
        CaseKind.AWAITED_FILE,
    }:
        return {"feed": news.scope}
    if news.kind is CaseKind.CHANNEL_MISSING:
        return {"channel": news.scope}
    if news.kind is CaseKind.DRIFT and (news.scope, news.subject) == (HELD_SCOPE, HELD_SUBJECT):
        return {}  # about many keys
    return {} if news.kind is CaseKind.HELD_RULES else {"channel": news.scope, "sku": news.subject}


def status_line(look: Look, notes: Mapping[str, str], now_ms: int, *, throttled: bool) -> str:
    """One line for STATUS=: the verdict's root cause, else what was noted, else how much there is; then what waits.

    `throttled`: commercetools turns requests away just now, which alone spoils no verdict.
    """
    backlog, facts = look.backlog, look.facts
    waiting = sum(count for count, _ in backlog.classes.values())
    open_cases = sum(each.cases for each in facts.cases) - sum(
        reason.count for reason, _ in look.verdict.muted if reason.code in _KINDS
    )
    exceptions = "1 exception" if open_cases == 1 else f"{open_cases:,} exceptions"
    doubt = "" if covering(facts.mutes, "in_doubt", "") else _doubt(backlog, now_ms)
    parts = [*_causes(look, notes, throttled=throttled)]
    if not parts and not waiting:
        parts.append(_settled(look, doubt))
    if waiting:
        parts.append(_waiting(look, waiting, now_ms))
    return "; ".join(part for part in (*parts, doubt, exceptions) if part)


def _causes(look: Look, notes: Mapping[str, str], *, throttled: bool) -> list[str]:
    verdict = look.verdict
    parts = [verdict.sentence] if verdict.reasons else []
    told = " ".join(reason.says for reason in verdict.reasons)
    muted = [reason.says for reason, _ in verdict.muted]
    parts += [
        f"{name}: {text}"
        for name, text in notes.items()
        if text not in told and not _is_muted(look, name) and not any(text in says for says in muted)
    ][:1]
    return parts or (["commercetools turns requests away"] if throttled else [])


def _is_muted(look: Look, note: str) -> bool:
    code, subject = _CODE_OF_NOTE.get(note, ("feed_fault", note.removeprefix("feed ")))
    return covering(look.facts.mutes, code, subject) is not None


def _settled(look: Look, doubt: str) -> str:
    if look.backlog.unlooked:
        return "keys that are new here are looked up"
    return "" if doubt else f"in step: {look.keys.total:,} keys"


def _waiting(look: Look, waiting: int, now_ms: int) -> str:
    classes = look.backlog.classes
    decreases = sum(count for due_class, (count, _) in classes.items() if due_class <= DueClass.DECREASE)
    oldest = min((since for _, since in classes.values()), default=None)
    changes = "1 change waits" if waiting == 1 else f"{waiting:,} changes wait"
    return (
        f"{changes} ({decreases:,} decreases, which go first), the oldest for {_waited(oldest, now_ms):.1f} s"
    )


def _doubt(backlog: Backlog, now_ms: int) -> str:
    """Writes in doubt wait in no class: said whatever else is, since nothing goes out for their keys meanwhile."""
    count, since = backlog.doubts
    if not count:
        return ""
    writes = "1 write" if count == 1 else f"{count} writes"
    return f"{writes} in doubt, the oldest for {_waited(since, now_ms):.1f} s"


def _waited(since_ms: int | None, now_ms: int) -> float:
    return 0.0 if since_ms is None else max(0.0, (now_ms - since_ms) / _SECONDS)


def _place_of(error: BaseException) -> str:
    """Where an error that nobody expected was raised, for whoever reports it."""
    places = traceback.extract_tb(error.__traceback__)
    return f", at {places[-1].filename.rpartition('/archsyncd/')[2]}:{places[-1].lineno}" if places else ""

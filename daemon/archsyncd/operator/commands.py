"""The verbs on the daemon's side: each takes arguments and answers with plain values. Knows no socket and no text layout."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from archsyncd.adapters.journal import say
from archsyncd.config import ConfigurationFaults
from archsyncd.domain.cases import CaseKind
from archsyncd.domain.events import Event
from archsyncd.domain.fatal import Fatal
from archsyncd.domain.inventory import StockKey
from archsyncd.engine.ports import FencedOff, StoreBroken, StoreFull
from archsyncd.operator.actions import ActionDesk, kept_text
from archsyncd.operator.alerts import AlertDesk
from archsyncd.operator.auditing import AuditDesk
from archsyncd.operator.backlog import BacklogDesk
from archsyncd.operator.backups import backup_path, write_backup
from archsyncd.operator.bulk import BulkDesk
from archsyncd.operator.daemon import Daemon, OperatedStore
from archsyncd.operator.exceptions import ExceptionDesk, briefs
from archsyncd.operator.history import NEWEST_MOST, NEWEST_ROWS, HistoryDesk
from archsyncd.operator.orders import OrderVerbs
from archsyncd.operator.paging import fitting
from archsyncd.operator.plan import planned
from archsyncd.operator.protocol import EXIT_CRITICAL, EXIT_USAGE, Arguments, Refusal
from archsyncd.operator.reconciling import ReconcileDesk
from archsyncd.operator.replays import ReplayDesk
from archsyncd.operator.reports import ReportDesk
from archsyncd.operator.samples import SampleDesk
from archsyncd.operator.snapshots import SnapshotDesk
from archsyncd.operator.story import Story

__all__ = ["Commands", "Daemon", "OperatedStore"]

PLAN_PAGE = 500
UNREAD_CASES = 500
PATH_LIMIT_CHARACTERS = 1_000
CHANGING = frozenset(
    {
        "exceptions.retry",
        "exceptions.dismiss",
        "exceptions.bulk",
        "snapshot.approve",
        "snapshot.reject",
        "pause",
        "resume",
        "backup",
        "reload",
        "mute",
        "ack",
        "unmute",
        "alerts.test",
        "reconcile",
        "reconcile.stop",
        "reconcile.allow",
        "audit.start",
        "replay",
        "snapshot.request",
    }
)
_LOG = logging.getLogger("archsyncd.operator")
Verb: TypeAlias = Callable[[Arguments], Awaitable[dict[str, Any]]]


class Commands:
    """All verbs of one daemon."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        alerts, self._actions = AlertDesk(daemon, daemon.desk), ActionDesk(daemon)
        exceptions, snapshots, orders = ExceptionDesk(daemon), SnapshotDesk(daemon), OrderVerbs(daemon)
        reconciling = ReconcileDesk(daemon)
        self._history = HistoryDesk(daemon)
        audits, replays = AuditDesk(daemon), ReplayDesk(daemon)
        self.backlog_desk = BacklogDesk(daemon)
        reports = ReportDesk(daemon, daemon.desk)
        self._verbs: Mapping[str, Verb] = {
            "status": self._status,
            "sku": self._sku,
            "history": self._history.page,
            "order": orders.order,
            "orders.list": orders.listed,
            "plan": self._plan,
            "backlog": self.backlog_desk.backlog,
            "exceptions.list": exceptions.listed,
            "exceptions.export": exceptions.exported,
            "exceptions.show": exceptions.show,
            "exceptions.retry": exceptions.retry,
            "exceptions.dismiss": exceptions.dismiss,
            "exceptions.bulk": BulkDesk(daemon, exceptions).act,
            "snapshot.list": snapshots.listed,
            "snapshot.show": snapshots.show,
            "snapshot.approve": snapshots.approve,
            "snapshot.reject": snapshots.reject,
            "report.daily": reports.daily,
            "report.weekly": reports.weekly,
            "report.finance": reports.finance,
            "pause": self._pause,
            "resume": self._resume,
            "backup": self._backup,
            "reload": self._reload,
            "alerts.list": alerts.listed,
            "alerts.test": alerts.test,
            "mute": alerts.mute,
            "ack": alerts.acknowledge,
            "mutes": alerts.mutes,
            "unmute": alerts.unmute,
            "actions": self._actions.listed,
            "samples": SampleDesk(daemon).listed,
            "reconcile": reconciling.begin,
            "reconcile.show": reconciling.show,
            "reconcile.stop": reconciling.stop,
            "reconcile.allow": reconciling.allow,
            "replay": replays.replay,
            "snapshot.request": replays.request,
            "audit.start": audits.start,
            "audit.look": audits.look,
            "audit.rows": audits.rows,
        }

    async def answer(self, verb: str, arguments: Mapping[str, Any], by: str = "") -> dict[str, Any]:
        """Do what is asked; `by`: who asks, as they say. Raises Refusal, also for whatever the store cannot do now."""
        known = self._verbs.get(verb)
        if known is None:
            raise Refusal(
                f"There is no verb {verb[:64]!r}; this daemon is version {self._daemon.version}.", EXIT_USAGE
            )
        if verb not in CHANGING:
            return await self._done(known, Arguments(arguments, by))
        told = kept_text(arguments)
        who = by or "an operator"
        say(_LOG, Event.OPERATOR, f"{who} asked for {verb} {told}")
        return await self._actions.kept(by, verb, told, lambda: self._done(known, Arguments(arguments, by)))

    async def _done(self, known: Verb, arguments: Arguments) -> dict[str, Any]:
        try:
            return await known(arguments)
        except StoreFull as full:
            raise Refusal(
                f"The disk is full ({full}): nothing was changed. Make room and try again."
            ) from full
        except StoreBroken as broken:
            raise Refusal(
                f"The database cannot be used ({broken}): restart archsyncd.", EXIT_CRITICAL
            ) from broken
        except FencedOff as fenced:
            raise Refusal(f"This host may not write any more ({fenced}): ask the one that does.") from fenced

    async def _status(self, arguments: Arguments) -> dict[str, Any]:
        arguments.finish()
        return await self._daemon.desk.status()

    async def _sku(self, arguments: Arguments) -> dict[str, Any]:
        sku = arguments.text("sku")
        newest = arguments.whole("history", 0, NEWEST_MOST, NEWEST_ROWS)
        arguments.finish()
        story = await self._story(sku)
        if story.empty:
            near = await self._near(sku)
            hint = f"Did you mean {near!r}?" if near else await self._unknown(sku)
            raise Refusal(f"Nothing is known of the SKU {sku!r}. {hint}", near=near)
        told = story.told(self._daemon.clock.wall_ms())
        deliveries = await self._daemon.store.deliveries.of(sku)
        for key in told["keys"]:
            key["expected_delivery"], key["expected_written"] = deliveries.get(key["channel"], (None, None))
        told["archean_sku"] = (await self._daemon.store.names.owners([sku])).get(sku, sku)
        told["timelines"] = await self._history.newest(sku, newest)
        cases = {case.id: case for case in story.found.cases}
        for location in story.levels:
            subject = f"{sku} at {location}"
            for case in await self._daemon.store.cases.listed(subject=subject, limit=20):
                cases[case.id] = case
        told["cases"], _ = fitting(briefs(self._daemon, sorted(cases.values(), key=lambda case: case.id)))
        return told

    async def _unknown(self, sku: str) -> str:
        for case in await self._daemon.store.cases.listed(
            kind=CaseKind.INVALID_RECORD.value, limit=UNREAD_CASES
        ):
            if case.subject.startswith(f"{sku} "):
                return f"What Archean told of it could not be used: archsyncctl exceptions show {case.id}"
        return "Archean has not told of it, and no order names it."

    async def _story(self, sku: str) -> Story:
        return Story(await self._daemon.store.report.story(sku), self._daemon.store.rules)

    async def _near(self, sku: str) -> str:
        """What commercetools calls it, or the usual slips: spaces around, upper and lower case, leading zeros."""
        called = await self._daemon.store.names.called(sku)
        if called:
            return called
        for other in dict.fromkeys((sku.strip(), sku.upper(), sku.lower(), sku.lstrip("0"))):
            if other and other != sku and not (await self._story(other)).empty:
                return other
        return ""

    async def _plan(self, arguments: Arguments) -> dict[str, Any]:
        channel = arguments.text("channel", limit=256, default="")
        sku = arguments.text("sku", default="")
        arguments.finish()
        after = StockKey(channel, sku) if channel or sku else None
        found = await self._daemon.store.report.plan(after, PLAN_PAGE)
        rows, cut = fitting([planned(row).told() for row in found])
        last = rows[-1] if rows else {}
        more = cut or len(found) == PLAN_PAGE
        place = {"channel": last["channel"], "sku": last["sku"]} if more else None
        return {"rows": rows, "next": place, "writes": self._daemon.drain.options.writes}

    async def _pause(self, arguments: Arguments) -> dict[str, Any]:
        paused, name, what = self._target(arguments)
        fresh = name not in paused
        paused.add(name)
        effect = "nothing is written to it" if what == "channel" else "it is not read"
        said = f"{what} {name} is paused: {effect}" if fresh else f"{what} {name} was paused already"
        return {"done": fresh, "says": f"{said}, until it is resumed or the daemon is restarted."}

    async def _resume(self, arguments: Arguments) -> dict[str, Any]:
        paused, name, what = self._target(arguments)
        done = name in paused
        paused.discard(name)
        self._daemon.shared.work.set()
        return {"done": done, "says": f"{what} {name} {'goes on' if done else 'was not paused'}."}

    def _target(self, arguments: Arguments) -> tuple[set[str], str, str]:
        what, name = arguments.choice("what", ("channel", "feed")), arguments.text("name")
        arguments.finish()
        daemon = self._daemon
        known = list(daemon.store.rules.policies.channels if what == "channel" else daemon.tails)
        if name not in known:
            raise Refusal(f"There is no {what} {name!r}; there is {', '.join(sorted(known)[:20]) or 'none'}.")
        paused = daemon.shared.paused_channels if what == "channel" else daemon.shared.paused_feeds
        return paused, name, what

    async def _backup(self, arguments: Arguments) -> dict[str, Any]:
        wanted = arguments.text("file", limit=PATH_LIMIT_CHARACTERS)
        arguments.finish()
        target = backup_path(self._daemon.settings.daemon.state_dir, wanted)
        size = await write_backup(target, self._daemon.store.backup)
        return {
            "done": True,
            "file": str(target),
            "bytes": size,
            "says": f"The backup {target} ({size} bytes) was written and verified.",
        }

    async def _reload(self, arguments: Arguments) -> dict[str, Any]:
        arguments.finish()
        try:
            restart = await self._daemon.reload()
        except (ConfigurationFaults, Fatal) as faults:
            told = str(faults)[:20_000]
            raise Refusal(
                f"The configuration has faults; the one in force stays:\n{told}", EXIT_USAGE
            ) from faults
        waits = f" These need a restart: {', '.join(restart[:20])}." if restart else ""
        held = self._daemon.shared.notes.get("rules", "")
        if held:
            waits += f" Held until you decide: {held}. See archsyncctl exceptions list --kind held_rules."
        return {"done": True, "restart": restart[:500], "says": f"The configuration was read again.{waits}"}

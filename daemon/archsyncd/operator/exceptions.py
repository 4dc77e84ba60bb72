"""The verbs about exceptions: the list, one case, a retry, a dismissal. Decides nothing about stock itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from archsyncd.domain.cases import FOLDED, Case, CaseKind
from archsyncd.domain.concerned import Concerned
from archsyncd.domain.counting import counted
from archsyncd.domain.inventory import StockKey
from archsyncd.domain.lookup import AWAITING_ENTRY
from archsyncd.domain.reconciling import HELD_CODE
from archsyncd.domain.times import rfc3339
from archsyncd.operator.daemon import Daemon
from archsyncd.operator.explain import ADVICE_KINDS, ORDER_KINDS, explained_case, names_an_order
from archsyncd.operator.paging import fitting
from archsyncd.operator.protocol import EXIT_ACT, EXIT_USAGE, NUMBER_LIMIT, Arguments, Refusal, near

STATES = ("open", "waiting", "resolved", "dismissed", "all")
LIST_LIMIT = 100
LIST_MOST = 500
SCAN_LIMIT = 5_000
REASON_LIMIT_CHARACTERS = 500
FREED_BY_HAND = (CaseKind.STOCK_UPDATE_FAILED, *AWAITING_ENTRY)


class ExceptionDesk:
    """Answers the `exceptions` verbs."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon

    async def listed(self, arguments: Arguments) -> dict[str, Any]:
        """A page of cases, oldest first: `rows`, `next` to go on `after` (None: no more), and `at`, when it was looked."""
        return await self._page(arguments, whole=False)

    async def exported(self, arguments: Arguments) -> dict[str, Any]:
        """A page of cases as `listed` tells it, each of them whole."""
        return await self._page(arguments, whole=True)

    async def _page(self, arguments: Arguments, *, whole: bool) -> dict[str, Any]:
        kind = arguments.choice("kind", ("", *(each.value for each in CaseKind)), "")
        state = arguments.choice("state", STATES, "open")
        owner = arguments.text("owner", limit=64, default="")
        after = arguments.whole("after", 0, NUMBER_LIMIT, 0)
        limit = arguments.whole("limit", 1, LIST_MOST, LIST_LIMIT)
        arguments.finish()
        self._require_team(owner)
        at_ms = self._daemon.clock.wall_ms()
        cases, place = await self._matching("" if state == "all" else state, kind, owner, after, limit)
        if whole:
            concerned = await self._concerned(cases)
            rows, cut = fitting(self._whole(case, concerned.get(case.subject)) for case in cases)
        else:
            rows, cut = fitting(self._brief(case) for case in cases)
        if cut:
            place = rows[-1]["id"]
        return {"rows": rows, "next": place, "at": rfc3339(at_ms)}

    def _require_team(self, owner: str) -> None:
        """A team that owns nothing has no cases: to say so of a slip would read as good news."""
        teams = sorted({each.team for each in self._daemon.settings.owners.values()})
        if owner and owner not in teams:
            told = ", ".join(teams[:20])
            raise Refusal(
                f"No kind of exception belongs to {owner!r}; [owners] names {told}.{near(owner, teams)}",
                EXIT_USAGE,
            )

    async def _matching(
        self, state: str, kind: str, owner: str, after: int, limit: int
    ) -> tuple[list[Case], int | None]:
        """Cases of one owner; a bounded number of rows is looked at, and the place reached is told."""
        found: list[Case] = []
        scanned = 0
        while len(found) < limit and scanned < SCAN_LIMIT:
            page = await self._daemon.store.cases.listed(state=state, kind=kind, after=after, limit=limit)
            for case in page:
                after = case.id
                if not owner or self._owner(case) == owner:
                    found.append(case)
                if len(found) == limit:
                    return found, after
            scanned += len(page)
            if len(page) < limit:
                return found, None
        return found, after

    async def show(self, arguments: Arguments) -> dict[str, Any]:
        """One case whole."""
        case = await self._find(arguments)
        arguments.finish()
        return self._whole(case, (await self._concerned([case])).get(case.subject))

    async def _concerned(self, cases: Sequence[Case]) -> Mapping[str, Concerned]:
        """By subject, the orders that cases are about."""
        names = {case.subject for case in cases if names_an_order(case)}
        return await self._daemon.store.handovers.concerned(names) if names else {}

    async def retry(self, arguments: Arguments) -> dict[str, Any]:
        """Do again what a case is about: `done`, and `says` what happened or what happens by itself."""
        case = await self._find(arguments)
        arguments.finish()
        reopened = case.state == "dismissed" and case.kind in FREED_BY_HAND
        if case.state not in {"open", "waiting"} and not reopened:
            raise Refusal(f"Case {case.id} is {case.state} already: nothing is left to retry.")
        if case.kind is CaseKind.HELD_LEVEL:
            return await self._apply_level(case)
        if case.kind is CaseKind.HELD_RULES:
            return await self._approve_rules(case)
        if case.kind is CaseKind.DRIFT and case.code == HELD_CODE:
            keys = await self._daemon.store.reconciles.allow_raises()
            self._daemon.shared.bases.set()
            return {
                "done": True,
                "says": f"{counted(keys, 'key')} will be raised once read again; case {case.id} is closed.",
            }
        if case.kind in FREED_BY_HAND:
            return await self._free(case)
        if case.kind in {*ORDER_KINDS, *ADVICE_KINDS, CaseKind.SHORT_PICK}:
            return await self._again(case)
        if case.kind is CaseKind.UNPROVEN_REFLECTION and self._daemon.hand_over is not None:
            return await self._send_anew(case)
        if case.kind is CaseKind.RESTOCKABLE_IN_DAYS:
            return await self._look_now(case)
        return {"done": False, "says": f"Nothing to retry for {case.kind.value}: {case.text.closes}"}

    async def _look_now(self, case: Case) -> dict[str, Any]:
        """Read the entry that a case is about: what was put right there closes it."""
        found = await self._daemon.store.outbox.check_now(StockKey(case.scope, case.subject))
        self._daemon.shared.bases.set()
        if not found:
            return {"done": False, "says": f"{case.subject} is not kept in {case.scope}: dismiss the case."}
        says = f"The entry of {case.subject} in {case.scope} is read now: case {case.id} closes if the field is unset."
        return {"done": True, "says": says}

    async def _send_anew(self, case: Case) -> dict[str, Any]:
        """An order that Archean had and does not know any more."""
        assert self._daemon.hand_over is not None
        objection = await self._daemon.hand_over.send_anew(case.subject)
        if objection is not None:
            says = f"{objection[0].upper()}{objection[1:]}: nothing was sent. {case.text.closes}"
            return {"done": False, "says": says}
        await self._daemon.store.cases.close(case.id, "resolved", "sent again, as a person asked")
        says = f"Archean does not know order {case.subject} any more: it is sent again now. Case {case.id} is closed."
        return {"done": True, "says": says}

    async def _again(self, case: Case) -> dict[str, Any]:
        """Carry on with an order or a dispatch as a person says."""
        store, note = self._daemon.store, "tried again as a person asked"
        if case.kind is CaseKind.SHORT_PICK:
            done = await store.advices.close_short_by_name(case.subject)
            says = f"What is short of {case.subject} is closed for good; refund it in commercetools."
        elif case.kind in ADVICE_KINDS:
            done = await store.advices.again(case.subject)
            says = f"{case.subject} is booked again now; a new case opens if it still does not fit."
        else:
            done = await store.handovers.again(case.subject, note)
            says = f"Order {case.subject} is looked at again now; a new case opens if it still cannot go."
        if not done:
            return {"done": False, "says": f"Nothing to retry for {case.kind.value}: {case.text.closes}"}
        await store.cases.close(case.id, "resolved", note)
        return {"done": True, "says": f"{says} Case {case.id} is closed."}

    async def _apply_level(self, case: Case) -> dict[str, Any]:
        if not case.payload or case.subject.startswith(FOLDED):
            raise Refusal(f"Case {case.id} stands for several levels; have Archean send them again.")
        applied = await self._daemon.store.cases.apply_held_level(case)
        self._daemon.shared.work.set()
        self._daemon.shared.bases.set()
        said = "is applied as it came" if applied else "was not applied: a newer level had taken its place"
        return {
            "done": applied,
            "says": f"The held level of {case.subject} {said}; case {case.id} is closed.",
        }

    async def _approve_rules(self, case: Case) -> dict[str, Any]:
        if not await self._daemon.reckoning.approve(case.subject):
            raise Refusal(
                f"Case {case.id} is about other rules than the configuration has now; `archsyncctl exceptions list` shows these."
            )
        return {"done": True, "says": f"The new rules are in force; case {case.id} is closed."}

    async def _free(self, case: Case) -> dict[str, Any]:
        store, note = self._daemon.store, "tried again as a person asked"
        if case.subject.startswith(FOLDED):
            freed = await store.outbox.free(case.kind.value, note, case.scope)
        else:
            freed = 1
            await store.outbox.free_key(StockKey(case.scope, case.subject))
        await store.cases.close(case.id, "resolved", note)
        self._daemon.shared.work.set()
        self._daemon.shared.bases.set()
        keys = case.subject if freed == 1 else f"{freed} keys"
        if case.kind in AWAITING_ENTRY:
            says = f"{keys} in {case.scope}: looked up again now; a new case opens if nothing has changed."
        else:
            says = f"{keys} in {case.scope}: written again now; a new case opens if commercetools refuses it again."
        return {"done": True, "says": f"{says} Case {case.id} is closed."}

    async def dismiss(self, arguments: Arguments) -> dict[str, Any]:
        """Close a case with a person's reason."""
        case = await self._find(arguments)
        reason = arguments.text("reason", limit=REASON_LIMIT_CHARACTERS)
        arguments.finish()
        if not reason.strip() or not reason.isprintable():
            raise Refusal("The reason must be a line of printable text.")
        if case.kind is CaseKind.HELD_SNAPSHOT and case.state == "open":
            raise Refusal(
                f"A held snapshot is decided: archsyncctl snapshot reject {case.subject} --reason TEXT"
            )
        if not await self._daemon.store.cases.close(case.id, "dismissed", reason):
            raise Refusal(f"Case {case.id} is {case.state} already.")
        settled = await self._settle(case, reason)
        return {"done": True, "says": f"Case {case.id} is dismissed.{settled or _after_dismissal(case)}"}

    async def _settle(self, case: Case, reason: str) -> str:
        """Let go of an order or a dispatch that somebody has settled by hand; what that means, "" where nothing was held."""
        store = self._daemon.store
        if case.kind in {*ORDER_KINDS, CaseKind.STALLED_ORDERS}:
            if await store.handovers.dismiss(case.subject, reason):
                return (
                    f" Order {case.subject} is not handed over from here any more; its pieces stay counted until Archean says "
                    "that it has taken them, or the order is cancelled."
                )
            if case.code == "edited" and await store.handovers.as_it_is(case.subject):
                return f" What Archean says of order {case.subject} counts for the pieces that the edit added, too."
        elif case.kind in {*ADVICE_KINDS, CaseKind.FULFILMENT_UNKNOWN_ORDER} and await store.advices.dismiss(
            case.subject, reason
        ):
            return f" {case.subject} counts as settled by hand; nothing more is booked for it unless Archean tells of it anew."
        return ""

    async def _find(self, arguments: Arguments) -> Case:
        number = arguments.whole("id", 1, NUMBER_LIMIT)
        case = await self._daemon.store.cases.find(number)
        if case is None:
            raise Refusal(
                f"There is no case {number}; `archsyncctl exceptions list` shows what is open.", EXIT_ACT
            )
        return case

    def _owner(self, case: Case) -> str:
        return self._daemon.settings.owner(case.kind).team

    def _brief(self, case: Case) -> dict[str, Any]:
        return brief(self._daemon, case)

    def _whole(self, case: Case, concerned: Concerned | None) -> dict[str, Any]:
        owner = self._daemon.settings.owner(case.kind)
        due_ms = case.first_seen_ms + owner.escalate_minutes * 60_000
        return (
            self._brief(case)
            | {
                "code": case.code,
                "payload": case.payload.decode("utf-8", "backslashreplace"),
                "correlation": case.correlation,
                "note": case.note,
                "escalates_at": rfc3339(due_ms),
            }
            | explained_case(case, concerned if names_an_order(case) else None)
            | _of_many(case)
        )


def _of_many(case: Case) -> dict[str, Any]:
    """What is held of very many keys is no single entry's difference."""
    if case.kind is not CaseKind.DRIFT or case.code != HELD_CODE:
        return {}
    allow = "archsyncctl reconcile --allow-raises"
    return {
        "by_itself": "Raises none of these keys and cuts what is too much, until a person has looked.",
        "next": f"Look at some of these keys in both systems, then let all of them be raised: {allow}",
        "look": ["archsyncctl reconcile --show"],
        "remedy": [allow],
        "closes": "It closes when a person allows the raises, or when nothing is held any more.",
        "retry": f"retry lets what is held be raised, as `{allow}` does.",
    }


def brief(daemon: Daemon, case: Case) -> dict[str, Any]:
    """A case as lists tell it."""
    owner = daemon.settings.owner(case.kind)
    age = max(daemon.clock.wall_ms() - case.first_seen_ms, 0) / 1000
    is_open = case.state in {"open", "waiting"}
    return {
        "id": case.id,
        "kind": case.kind.value,
        "severity": case.text.severity.value,
        "owner": owner.team,
        "state": case.state,
        "scope": case.scope,
        "subject": case.subject,
        "reason": case.reason,
        "count": case.count,
        "first_seen": rfc3339(case.first_seen_ms),
        "last_seen": rfc3339(case.last_seen_ms),
        "age_seconds": round(age, 1),
        "overdue": is_open and age > owner.escalate_minutes * 60,
    }


def briefs(daemon: Daemon, cases: Sequence[Case]) -> list[dict[str, Any]]:
    """Several cases as lists tell them."""
    return [brief(daemon, case) for case in cases]


def _after_dismissal(case: Case) -> str:
    if case.kind is CaseKind.STOCK_UPDATE_FAILED:
        return f" Nothing is written for {case.subject} until you run: archsyncctl exceptions retry {case.id}"
    if case.kind is CaseKind.HELD_RULES:
        return " The new rules stay out of force until the configuration changes or the daemon is restarted."
    if case.kind is CaseKind.HELD_LEVEL:
        return " The level is dropped; the published quantity stays as it was."
    if case.kind in AWAITING_ENTRY:
        return " The SKU is still looked up by itself and goes on sale when what was missing is there."
    return ""

"""What a person checks each day and each week, judged from plain figures: what is to do, by whom, worst first. Asks nobody."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from archsyncd.domain.cases import TEXTS, CaseKind, Severity
from archsyncd.domain.mutes import REPEATED, told_already
from archsyncd.domain.reporting import CasePeriod, PlaceUse
from archsyncd.operator.tables import age, counted

DECREASE_LATE_SECONDS = 60
# A backup a week is what the guide asks for; a day more is no news.
BACKUP_OLD_SECONDS = 8 * 86_400
UNBOOKED_LATE_SECONDS = 3_600
WAITING_LATE_SECONDS = 86_400
NAMED = 5
MISSED = "report_missed"
# Parked on purpose: the rollout has not come to these keys.
ROLLOUT = "rollout"
Status = Mapping[str, Any]


class Need(IntEnum):
    """How much something needs a person."""

    ACT = 0
    LOOK = 1
    FINE = 2

    @property
    def word(self) -> str:
        """The word that people and programs read."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Item:
    """One line of a report. `next_step`: what to do, "" where nothing is to be done. `worse`: sorts items that need the same."""

    need: Need
    topic: str
    owner: str
    says: str
    next_step: str = ""
    worse: float = 0.0

    def told(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "need": self.need.word,
            "topic": self.topic,
            "owner": self.owner,
            "says": self.says,
            "next": self.next_step,
        }


@dataclass(frozen=True, slots=True)
class Figures:
    """What a report rests on. `owners`: the team of each kind. `backup_seconds`: the newest one's age, None without one."""

    status: Status
    periods: Sequence[CasePeriod]
    owners: Mapping[str, str]
    default_owner: str
    now_ms: int
    backup_seconds: float | None

    def period(self, kind: CaseKind) -> CasePeriod:
        """One kind's figures."""
        return next((each for each in self.periods if each.kind == kind), CasePeriod(kind.value))

    def owner(self, kind: str) -> str:
        """The team that acts on a kind."""
        return self.owners.get(kind, self.default_owner)


def items_of(figures: Figures) -> list[Item]:
    """Everything a person checks: first what must be done, by owner, the worst and its owner first; then what is looked at."""
    acts = sorted([*_reasons(figures), *_cases(figures)], key=lambda item: item.worse)
    order = {owner: place for place, owner in reversed(list(enumerate(item.owner for item in acts)))}
    acts.sort(key=lambda item: order[item.owner])
    checks = [
        _feeds(figures),
        _decreases(figures),
        _orders(figures),
        _dispatches(figures),
        _parked(figures),
        _drift(figures),
        _snapshots(figures),
        _paused(figures),
        _backup(figures),
    ]
    return acts + sorted(checks, key=lambda item: item.need)


def _reasons(figures: Figures) -> Iterator[Item]:
    """Causes of the verdict that are no exceptions; the report itself is what a missed one asks for."""
    kinds = {kind.value for kind in CaseKind}
    owners = {root: figures.owner(kind) for kind, root in REPEATED.items()}
    for reason in figures.status["reasons"]:
        if reason["code"] not in kinds | {MISSED}:
            worse = 0.0 if reason["level"] == "critical" else 2.0
            owner = owners.get(reason["code"], figures.default_owner)
            yield Item(Need.ACT, reason["code"], owner, reason["says"], reason["next"], worse)


def _cases(figures: Figures) -> Iterator[Item]:
    causes = [(reason["code"], reason["subject"]) for reason in figures.status["reasons"]]
    for each in figures.periods:
        # A cause of the verdict has told of these already.
        if each.open <= len(told_already(each.kind, causes)):
            continue
        oldest = max(figures.now_ms - (each.oldest_ms or figures.now_ms), 0) / 1000
        says = f"{each.open:,} open"
        says += f", {each.overdue:,} overdue" if each.overdue else ""
        says += f", {each.new:,} new" if each.new else ""
        says += f", the oldest {age(oldest)} old"
        critical = TEXTS[CaseKind(each.kind)].severity is Severity.CRITICAL
        # Critical before overdue before the rest, and the older one first: always below one.
        worse = (1.0 if critical else 3.0) - (0.5 if each.overdue else 0.0) - oldest / (oldest + 86_400) / 4
        step = f"archsyncctl exceptions list --kind {each.kind}"
        yield Item(Need.ACT, each.kind, figures.owner(each.kind), says, step, worse)


def _check(figures: Figures, topic: str, says: str, *, look: bool, step: str = "") -> Item:
    need = Need.LOOK if look else Need.FINE
    return Item(need, topic, figures.default_owner, says, step if look else "")


def _feeds(figures: Figures) -> Item:
    feeds = figures.status.get("feeds", [])
    fresh = [feed for feed in feeds if feed["verdict"] == "fresh"]
    ages = [feed["age_seconds"] for feed in feeds if feed["age_seconds"] is not None]
    quiet = f"; the quietest told something {age(max(ages))} ago" if ages else ""
    says = f"{len(fresh)} of {counted(len(feeds), 'feed')} fresh{quiet}"
    return _check(figures, "feeds", says, look=len(fresh) < len(feeds), step="archsyncctl status")


def _decreases(figures: Figures) -> Item:
    oldest = figures.status.get("oldest_decrease_seconds")
    says = "none waits" if oldest is None else f"the oldest has waited {age(oldest)}"
    late = oldest is not None and oldest > DECREASE_LATE_SECONDS
    return _check(figures, "decreases", says, look=late, step="archsyncctl backlog")


def _orders(figures: Figures) -> Item:
    carrying = figures.status.get("hand_over")
    if carrying is None:
        orders = figures.status.get("orders", {"open": 0, "complete_to": None})
        known = orders["complete_to"] or "not completely yet"
        says = f"{orders['open']:,} open, known up to {known}; another system hands them over"
        return _check(figures, "orders", says, look=orders["complete_to"] is None)
    states = {each["state"]: each for each in carrying["states"]}
    told = [
        f"{states[name]['orders']:,} {name.replace('_', ' ')} ({age(states[name]['oldest_seconds'])})"
        for name in ("in_doubt", "held", "waiting", "ready", "sending", "received")
        if name in states
    ]
    stalled = figures.period(CaseKind.STALLED_ORDERS).open
    told += [f"{stalled:,} stalled"] if stalled else []
    long = states.get("waiting", {}).get("oldest_seconds", 0.0) > WAITING_LATE_SECONDS
    look = bool(stalled or long or {"in_doubt", "held"} & set(states))
    says = ", ".join(told) or "none waits for Archean"
    return _check(figures, "orders", says, look=look, step="archsyncctl orders list")


def _dispatches(figures: Figures) -> Item:
    carrying = figures.status.get("hand_over")
    if carrying is None:
        return _check(figures, "dispatches", "another system books them", look=False)
    words = {"held": "held", "parked": "without an order", "due": "not booked", "booked": "not acknowledged"}
    told, look = [], False
    for stage, word in words.items():
        found = [each for each in carrying["dispatches"] if each["stage"] == stage]
        if found:
            oldest = max(each["oldest_seconds"] for each in found)
            told.append(f"{sum(each['count'] for each in found):,} {word} ({age(oldest)})")
            look = look or stage == "held" or oldest > UNBOOKED_LATE_SECONDS
    says = ", ".join(told) or "all are booked and acknowledged"
    return _check(figures, "dispatches", says, look=look, step="archsyncctl report finance")


def _parked(figures: Figures) -> Item:
    parked = figures.status.get("parked", {})
    told = ", ".join(f"{count:,} {reason.replace('_', ' ')}" for reason, count in sorted(parked.items()))
    look = any(reason != ROLLOUT for reason in parked)
    says = f"SKUs that nothing is written for: {told}" if told else "none"
    return _check(figures, "parked", says, look=look, step="archsyncctl backlog")


def _drift(figures: Figures) -> Item:
    drift = figures.period(CaseKind.DRIFT)
    says = f"{drift.resolved:,} corrected in this time, {drift.open:,} open"
    return _check(
        figures,
        "drift",
        says,
        look=bool(drift.resolved or drift.open),
        step="archsyncctl exceptions list --kind drift --state all",
    )


def _snapshots(figures: Figures) -> Item:
    held = figures.period(CaseKind.HELD_SNAPSHOT).open
    due = [feed["name"] for feed in figures.status.get("feeds", []) if feed["snapshot_due"]]
    says = f"{held:,} held for a person" if held else "none is held"
    says += f"; feed {', '.join(due[:NAMED])} waits for one" if due else ""
    return _check(figures, "snapshots", says, look=bool(held or due), step="archsyncctl snapshot list")


def _paused(figures: Figures) -> Item:
    paused = figures.status["paused"]
    names = [f"feed {name}" for name in paused["feeds"]] + [f"channel {name}" for name in paused["channels"]]
    says = ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
    step = f"archsyncctl resume {names[0]}" if names else ""
    return _check(figures, "paused", says or "nothing", look=bool(names), step=step)


def _backup(figures: Figures) -> Item:
    seconds = figures.backup_seconds
    says = "there is none here" if seconds is None else f"the newest is {age(seconds)} old"
    look = seconds is None or seconds > BACKUP_OLD_SECONDS
    return _check(figures, "backup", says, look=look, step="archsyncctl backup NAME.db")


def tidying(figures: Figures, unused: Iterable[str], rollout: str) -> list[Item]:
    """What has been left lying: dismissed and folded cases, paused things, mappings that fill nothing."""
    found = []
    for each in figures.periods:
        owner, listing = figures.owner(each.kind), f"archsyncctl exceptions list --kind {each.kind}"
        if each.dismissed:
            says = f"{each.dismissed:,} {each.kind} dismissed: what was the cause?"
            found.append(Item(Need.LOOK, "dismissed", owner, says, f"{listing} --state dismissed"))
        if each.folded:
            says = f"{counted(each.folded, 'case')} of {each.kind} {'stands' if each.folded == 1 else 'stand'} for many others"
            found.append(Item(Need.LOOK, "folded", owner, says, listing))
    paused = _paused(figures)
    found += [paused] if paused.need is Need.LOOK else []
    for location in unused:
        says = f"location {location} is mapped and told of nothing for 7 days"
        step = "Correct its name under [locations], ignore it, or ask why Archean is silent about it."
        found.append(Item(Need.LOOK, "mapping", figures.default_owner, says, step))
    if rollout != "all":
        says = f"the rollout stands at {rollout}"
        found.append(
            Item(Need.LOOK, "rollout", figures.default_owner, says, "[rollout] in the configuration")
        )
    return found


def unused_places(mapped: Iterable[str], uses: Mapping[str, PlaceUse], since_ms: int) -> list[str]:
    """Mapped locations without a level that is newer; where the source tells no times, any level will do."""
    unused = []
    for location in mapped:
        use = uses.get(location)
        silent = use is not None and use.dated == use.levels and (use.newest_ms or 0) < since_ms
        if use is None or silent:
            unused.append(location)
    return unused

"""What would be written: a key that is not as it should be, as an action with its reason. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from archsyncd.domain.ledger import Base
from archsyncd.domain.report import PlanRow
from archsyncd.domain.rules import LET_GO, ROLLOUT


class Action(StrEnum):
    """What happens to a key next."""

    CREATE = "create"
    DECREASE = "decrease"
    INCREASE = "increase"
    WAIT = "wait"
    CHECK = "check"
    PARKED = "parked"


@dataclass(frozen=True, slots=True)
class Planned:
    """One key of the plan. Quantities as commercetools shows them, in pieces; `current` None: not known yet."""

    channel: str
    sku: str
    action: Action
    current: int | None
    wanted: int
    reason: str

    def told(self) -> dict[str, Any]:
        """The row as plain values."""
        change = None if self.current is None else self.wanted - self.current
        return {
            "channel": self.channel,
            "sku": self.sku,
            "action": self.action.value,
            "current": self.current,
            "wanted": self.wanted,
            "change": change,
            "reason": self.reason,
        }


def planned(row: PlanRow) -> Planned:
    """Say what would be written for a key and why; a key parked only by the rollout is told as if it were not."""
    current = None if row.applied is None else row.applied - row.known
    wanted = row.x_target - row.known
    action, reason = _action(row, current, wanted)
    if row.parked == ROLLOUT and action is not Action.PARKED:
        reason += "; not before the rollout reaches it"
    return Planned(row.key.channel, row.key.sku, action, current, wanted, reason)


def _action(row: PlanRow, current: int | None, wanted: int) -> tuple[Action, str]:
    if row.parked == LET_GO:
        return Action.PARKED, "no location fills its channel any more: it stays as it is"
    if row.parked is not None and row.parked != ROLLOUT:
        return Action.PARKED, f"nothing is sent while the case {row.parked} is open"
    if row.base == Base.UNKNOWN:
        return Action.WAIT, "its entry is about to be looked up"
    if row.entry_id is None:
        if row.base == Base.PROVISIONAL and wanted > 0:
            return (
                Action.CREATE,
                "there is no entry; it is created with nothing to sell and raised after a clean read",
            )
        return Action.CREATE, "there is no entry"
    if current is None:
        return Action.WAIT, "its entry is about to be read"
    if wanted == current:
        return Action.CHECK, "the figure is right; its base waits for a clean read"
    if wanted < current:
        return _unless_in_flight(row, Action.DECREASE, f"{current - wanted} fewer to sell")
    if row.base == Base.PROVISIONAL:
        return Action.WAIT, f"{wanted - current} more to sell, once a clean read has proven its base"
    return _unless_in_flight(row, Action.INCREASE, f"{wanted - current} more to sell")


def _unless_in_flight(row: PlanRow, action: Action, reason: str) -> tuple[Action, str]:
    if row.due_class is None and row.parked is None:
        return Action.WAIT, f"{reason}; a write of it is in flight"
    return action, reason

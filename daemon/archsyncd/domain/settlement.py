"""How an operation in flight may end, as values that the drain hands to the store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from archsyncd.domain.cases import CaseKind
from archsyncd.domain.inventory import Entry, StockKey


@dataclass(frozen=True, slots=True)
class Booked:
    """It took effect; the entry stands at `version`. `created_at_ms`: told when it was created by this write."""

    entry_id: str
    version: int
    created_at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class PutBack:
    """It certainly took no effect: again after `delay_ms`, on `version` where a newer one was read.

    `check`: what was read does not fit what we know, so the entry is to be read once more in peace. `needs_type`: whether
    the entry as read has no custom type; None where it was not read.
    """

    delay_ms: int = 0
    version: int | None = None
    check: bool = False
    needs_type: bool | None = None


@dataclass(frozen=True, slots=True)
class Doubted:
    """The outcome is unknown: the entry is to be read after `delay_ms`."""

    delay_ms: int = 0


@dataclass(frozen=True, slots=True)
class GivenUp:
    """A read-back at `version` did not show it; it may still land late. `needs_type`: the entry has no custom type."""

    version: int
    delay_ms: int = 0
    needs_type: bool = False


@dataclass(frozen=True, slots=True)
class Retaken:
    """Untracked mode: whatever became of it, the quantity that the entry shows is what stands there now.

    `may_land`: it may yet be accepted, so the entry is read once more when it cannot be any more. The next write goes out
    after `delay_ms`.
    """

    entry: Entry
    may_land: bool
    delay_ms: int = 0


@dataclass(frozen=True, slots=True)
class LandedLate:
    """An earlier operation of ours, given up before, shows on the entry: x_applied is `x`.

    `op_id` names it; `created_at_ms` is told where it created the entry.
    """

    x: int
    entry_id: str
    version: int
    op_id: str = ""
    created_at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Foreign:
    """The entry's marker is not from this ledger's history; the entry as read."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class Vanished:
    """The entry is gone: look it up anew before anything is written."""


@dataclass(frozen=True, slots=True)
class Parked:
    """commercetools refuses it for good: an exception, and nothing more is sent for this key until it is closed."""

    kind: CaseKind
    code: str
    message: str
    correlation: str = ""


Settlement: TypeAlias = (
    Booked | PutBack | Doubted | GivenUp | Retaken | LandedLate | Foreign | Vanished | Parked
)


@dataclass(frozen=True, slots=True)
class Settled:
    """One settlement of one operation."""

    key: StockKey
    op_id: str
    settlement: Settlement

"""Exceptions: cases set aside for a person, with an owner's next step. Knows neither storage nor display."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from archsyncd.domain.explained import KINDS, Explained, Severity

__all__ = [
    "CLOSED_LIMIT_CASES",
    "FOLDED",
    "FOLD_LIMIT_CASES",
    "TEXTS",
    "Case",
    "CaseKind",
    "CaseNews",
    "NewCase",
    "Severity",
]

FOLD_LIMIT_CASES = 1000
# Closed cases kept of each kind and scope: the newest.
CLOSED_LIMIT_CASES = 1000
# Begins the subject of a case that stands for all further ones of its kind and scope.
FOLDED = "(folded)"


class CaseKind(StrEnum):
    """Kinds of exceptions; the names are part of the contract with reports and configuration."""

    SKU_NOT_FOUND = "sku_not_found"
    ENTRY_MISSING = "entry_missing"
    LOCATION_UNMAPPED = "location_unmapped"
    CHANNEL_MISSING = "channel_missing"
    INVALID_RECORD = "invalid_record"
    REFUSED_FILE = "refused_file"
    AWAITED_FILE = "awaited_file"
    SKU_COLLISION = "sku_collision"
    UNIT_CHANGED = "unit_changed"
    HELD_SNAPSHOT = "held_snapshot"
    HELD_LEVEL = "held_level"
    HELD_RULES = "held_rules"
    NEEDS_RESYNC = "needs_resync"
    STOCK_UPDATE_FAILED = "stock_update_failed"
    FOREIGN_WRITER = "foreign_writer"
    RESTOCKABLE_IN_DAYS = "restockable_in_days"
    UNTRACKED_DEMAND = "untracked_demand"
    UNPROVEN_REFLECTION = "unproven_reflection"
    ORDER_UNMAPPED_LINE = "order_unmapped_line"
    ORDER_REJECTED = "order_rejected"
    ORDER_IN_DOUBT = "order_in_doubt"
    STALLED_ORDERS = "stalled_orders"
    STATUS_CONFLICT = "status_conflict"
    FULFILMENT_MISMATCH = "fulfilment_mismatch"
    FULFILMENT_UNKNOWN_ORDER = "fulfilment_unknown_order"
    SHORT_PICK = "short_pick"
    OVER_SHIPMENT = "over_shipment"
    KIT_INCOMPLETE = "kit_incomplete"
    KIT_COMPONENT_UNTOLD = "kit_component_untold"
    DRIFT = "drift"
    STALE_FEED = "stale_feed"
    SUSPECTED_OVERSELL = "suspected_oversell"
    STRAY_ENTRY = "stray_entry"


# A kind that has no entry in domain/explained yet is named by tests/domain/test_explained.py.
TEXTS: dict[CaseKind, Explained] = {kind: KINDS[kind.value] for kind in CaseKind if kind.value in KINDS}


@dataclass(frozen=True, slots=True)
class NewCase:
    """A case to open or to count again. `scope` is the feed or channel it folds under, `subject` what it is about.

    The same kind, scope and subject is the same case. `payload` is what was received, at most 4 KiB. `order`: what people call
    the order that it concerns, where its subject is another.
    """

    kind: CaseKind
    scope: str
    subject: str
    reason: str
    payload: bytes = b""
    code: str = ""
    correlation: str = ""
    order: str = ""


@dataclass(frozen=True, slots=True)
class CaseNews:
    """A case was opened (`note` None), or closed for the reason in `note`; told once its transaction is durable.

    `correlation`: the id of the call that the case is from, "" where there was none. `order`: as in NewCase, at its opening.
    """

    id: int
    kind: CaseKind
    scope: str
    subject: str
    reason: str
    note: str | None = None
    correlation: str = ""
    order: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """A case as kept: its number, its state (open, resolved, dismissed), when and how often it was seen."""

    id: int
    kind: CaseKind
    scope: str
    subject: str
    reason: str
    code: str
    state: str
    count: int
    first_seen_ms: int
    last_seen_ms: int
    payload: bytes
    correlation: str
    note: str

    @property
    def text(self) -> Explained:
        """What its kind means: severity, next step, and all the rest."""
        return TEXTS[self.kind]

"""Exceptions: cases set aside for a person, with an owner's next step. Knows neither storage nor display."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

FOLD_LIMIT_CASES = 1000
# Closed cases kept of each kind and scope: the newest.
CLOSED_LIMIT_CASES = 1000


class CaseKind(StrEnum):
    """Kinds of exceptions; the names are part of the contract with reports and configuration."""

    SKU_NOT_FOUND = "sku_not_found"
    ENTRY_MISSING = "entry_missing"
    LOCATION_UNMAPPED = "location_unmapped"
    CHANNEL_MISSING = "channel_missing"
    INVALID_RECORD = "invalid_record"
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
    DRIFT = "drift"
    STALE_FEED = "stale_feed"


class Severity(StrEnum):
    """How soon somebody must look: stock may be wrong, or something is stuck."""

    CRITICAL = "critical"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class CaseText:
    """What a kind means to people: how severe it is and what to do first."""

    severity: Severity
    next_step: str


TEXTS: dict[CaseKind, CaseText] = {
    CaseKind.SKU_NOT_FOUND: CaseText(
        Severity.WARNING,
        "Create or publish the product with this SKU in commercetools, or correct the SKU in Archean; "
        "the case closes itself when the product appears.",
    ),
    CaseKind.ENTRY_MISSING: CaseText(
        Severity.WARNING,
        "Do what the reason says, or create the inventory entry in commercetools; it is looked for by itself, at "
        "first every 30 seconds, later every 15 minutes, and the case closes itself when it is there.",
    ),
    CaseKind.LOCATION_UNMAPPED: CaseText(
        Severity.WARNING,
        "Map the location under [locations] in the configuration (or ignore it), then `archsyncctl reload`: its levels are kept "
        "until then and count at once, so that nothing has to be sent again. `archsyncctl plan` shows which SKUs come on sale.",
    ),
    CaseKind.CHANNEL_MISSING: CaseText(
        Severity.CRITICAL,
        "Create the supply channel in commercetools with the role InventorySupply, or correct its key in [locations].",
    ),
    CaseKind.INVALID_RECORD: CaseText(
        Severity.WARNING,
        "Correct the record in Archean and have it sent again; the published quantity stays as it was.",
    ),
    CaseKind.HELD_SNAPSHOT: CaseText(
        Severity.CRITICAL,
        "Look at it with `archsyncctl snapshot show ID`, then approve it by its digest or reject it.",
    ),
    CaseKind.HELD_LEVEL: CaseText(
        Severity.WARNING,
        "Check the figure in Archean: `archsyncctl exceptions retry ID` applies it as it is, dismiss drops it.",
    ),
    CaseKind.HELD_RULES: CaseText(
        Severity.CRITICAL,
        "Check the change of [locations] and [channels]: `archsyncctl exceptions retry ID` puts it in force as it is; or correct "
        "the configuration and reload.",
    ),
    CaseKind.NEEDS_RESYNC: CaseText(
        Severity.WARNING,
        "Nothing to do if the source answers single-key reads; else have Archean send a level or a full for this SKU.",
    ),
    CaseKind.STOCK_UPDATE_FAILED: CaseText(
        Severity.CRITICAL,
        "Read commercetools' answer below, correct the entry or the product, then `archsyncctl exceptions retry ID`.",
    ),
    CaseKind.FOREIGN_WRITER: CaseText(
        Severity.WARNING,
        "Find out who else writes this entry's stock (Merchant Center, import, another daemon) and stop it.",
    ),
    CaseKind.RESTOCKABLE_IN_DAYS: CaseText(
        Severity.CRITICAL,
        "Unset restockableInDays on the entry: while it is set, commercetools sells this SKU without stock.",
    ),
    CaseKind.UNTRACKED_DEMAND: CaseText(
        Severity.WARNING,
        "Set the cart's or the import's inventory mode to ReserveOnOrder; until then such orders are subtracted by us, late.",
    ),
    CaseKind.UNPROVEN_REFLECTION: CaseText(
        Severity.WARNING,
        "Check whether Archean has imported this order: until it says so, its pieces are held back from sale.",
    ),
    CaseKind.ORDER_UNMAPPED_LINE: CaseText(
        Severity.WARNING,
        "Give the line a managed supply channel, or set orders.default_location; its stock cannot be counted until then.",
    ),
    CaseKind.ORDER_REJECTED: CaseText(
        Severity.WARNING,
        "Correct what Archean objects to and have the order imported again, or cancel it in commercetools.",
    ),
    CaseKind.ORDER_IN_DOUBT: CaseText(
        Severity.CRITICAL,
        "Look in Archean whether it has this order. If it has not: `archsyncctl exceptions retry ID`; if it has, it is told by "
        "its records, or dismiss the case.",
    ),
    CaseKind.STALLED_ORDERS: CaseText(
        Severity.WARNING,
        "`archsyncctl order NUMBER` says what it waits for; the case closes itself when Archean has the order.",
    ),
    CaseKind.STATUS_CONFLICT: CaseText(
        Severity.WARNING,
        "The two systems disagree about this order: set right the one that is wrong, then dismiss the case.",
    ),
    CaseKind.FULFILMENT_MISMATCH: CaseText(
        Severity.WARNING,
        "Compare the dispatch with the order in both systems, and have Archean send it again once it is right.",
    ),
    CaseKind.FULFILMENT_UNKNOWN_ORDER: CaseText(
        Severity.WARNING,
        "Find out which order the goods were for: nobody is told that they are on their way. The case closes itself when the "
        "order appears in commercetools; dismiss it where the order is not the storefront's.",
    ),
    CaseKind.SHORT_PICK: CaseText(
        Severity.WARNING,
        "Decide what the shopper gets: `archsyncctl exceptions retry ID` closes the missing pieces for good (refund them in "
        "commercetools); left alone, the order stays open until Archean ships them.",
    ),
    CaseKind.OVER_SHIPMENT: CaseText(
        Severity.WARNING,
        "Find out what was sent beyond the order: ask for it back, or have it ordered and paid.",
    ),
    CaseKind.DRIFT: CaseText(
        Severity.WARNING,
        "Find out who changed the entry; the difference is being corrected by marked increments.",
    ),
    CaseKind.STALE_FEED: CaseText(
        Severity.CRITICAL,
        "Check the Archean side and the network: until the feed is back, published stock grows old.",
    ),
}


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
    def text(self) -> CaseText:
        """Severity and next step of its kind."""
        return TEXTS[self.kind]

"""Brings back times that an earlier, wrong clock has put out of reach. Knows what is kept, and not what rests on it."""

from __future__ import annotations

from archsyncd.adapters.sqlite.scope import Scope
from archsyncd.domain.outbox import LATE_LANDING_MS

# No due time is set further ahead than this.
FURTHEST_MS = 2 * 3600 * 1000
# A clock before this was never set: what has happened did not happen before it, and would be forgotten as very old.
SET_MS = 1_735_689_600_000
_DUE = ("mend_checks", "mend_waits", "mend_heads", "mend_resyncs", "mend_early")
_STOCK = (
    "mend_ledger",
    "mend_feeds",
    "mend_locations",
    "mend_snapshots",
    "mend_sendings",
    "mend_walks",
    "mend_raises",
    "mend_held",
    "mend_deliveries",
    "mend_resyncs_since",
    "mend_pool_waits",
    "mend_expected",
)
_ORDERS = (
    "mend_handovers",
    "mend_handovers_due",
    "mend_handovers_to_note",
    "mend_claims",
    "mend_steps",
    "mend_advices",
    "mend_advices_due",
)
_PEOPLE = ("mend_cases", "mend_causes", "mend_messages", "mend_mutes", "mend_reports")


async def mend(scope: Scope) -> int:
    """No time of what has happened lies ahead afterwards, and no due time far ahead; since when there is the ledger.

    By a clock that was never set only what is due is brought back.
    """
    now_ms = scope.now_ms
    times = {"now": now_ms, "soon": now_ms + LATE_LANDING_MS, "beyond": now_ms + FURTHEST_MS}
    for name in _DUE if now_ms < SET_MS else (*_DUE, *_STOCK, *_ORDERS, *_PEOPLE):
        await scope.tx.run(name, times)
    row = await scope.tx.row("ledger")
    return int(row[3]) if row else now_ms

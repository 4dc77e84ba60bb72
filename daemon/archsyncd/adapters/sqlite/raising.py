"""The breaker in the store: how many keys reconciliation raises within a day by itself, and which wait for a person.

A few entries that show too few were edited by somebody. Very many of them rather tell that what we compare with is wrong,
and to raise them all would oversell. Cuts are never counted nor held.
"""

from __future__ import annotations

from archsyncd.adapters.sqlite.cases import open_case, resolve_case
from archsyncd.adapters.sqlite.scope import Scope, pairs
from archsyncd.domain.cases import CaseKind, NewCase
from archsyncd.domain.inventory import StockKey
from archsyncd.domain.ledger import Base
from archsyncd.domain.outbox import OutboxRow
from archsyncd.domain.reconciling import DAY_MS, HELD_CODE, HELD_SCOPE, HELD_SUBJECT, RaiseGuard

# A key that is held is looked at so often: it may agree again by itself, and what is too much is cut all the same.
HELD_AGAIN_MS = 3_600_000
# The code of a foreign writer's case where the marker is not even from this ledger's history.
ANOTHER_WRITER = "another-writer"
ALLOW_KEYS = 2_000


async def may_raise(scope: Scope, key: StockKey, pieces: int, guard: RaiseGuard | None) -> bool:
    """Whether a key that shows too few may be raised now; if not it is held, and a person is told.

    Once something is held all that follows is, until a person allows it or nothing is held any more. A key that was raised
    within the day counts once.
    """
    if guard is None:
        return True
    place = (key.channel, key.sku)
    held = await scope.tx.row("held_known", place)
    if held is not None and held[0]:
        await scope.tx.run("held_drop", place)
        return True
    await scope.tx.run("raises_over", (scope.now_ms - DAY_MS,))
    if await scope.tx.row("held_any") is None and await _has_room(scope, key, guard):
        await scope.tx.run("raise_put", (*place, scope.now_ms))
        return True
    await scope.tx.run("held_put", (*place, pieces, scope.now_ms))
    return False


async def _has_room(scope: Scope, key: StockKey, guard: RaiseGuard) -> bool:
    if await scope.tx.row("raise_known", (key.channel, key.sku)) is not None:
        return True
    raised = await _number(scope, "raise_count")
    if raised < guard.least:
        return True
    return raised < guard.limit(await _number(scope, "outbox_count"))


async def may_raise_after(scope: Scope, row: OutboxRow, after: OutboxRow, guard: RaiseGuard | None) -> bool:
    """The same for a key whose base was taken anew because somebody else wrote its entry, where `after` would raise it."""
    applied = after.applied
    raises = row.base is Base.PROVISIONAL and applied is not None and applied < after.x_target
    if guard is None or not raises or applied is None:
        return True
    place = (CaseKind.FOREIGN_WRITER, row.key.channel, row.key.sku)
    if await scope.tx.row("case_code", place) != (ANOTHER_WRITER,):
        # A first look at the entry, or what our own ledger wrote after the copy that was put back: nothing to be wary of.
        return True
    return await may_raise(scope, row.key, after.x_target - applied, guard)


async def no_longer_lacking(scope: Scope, key: StockKey) -> None:
    """A key does not show too few any more; where it was the last one held, the breaker closes."""
    if await scope.tx.run("held_drop", (key.channel, key.sku)):
        await close_if_empty(scope, "nothing is held any more")


async def close_if_empty(scope: Scope, note: str) -> None:
    """Close the breaker's case once nothing is held."""
    if await scope.tx.row("held_any") is None:
        await resolve_case(scope.tx, CaseKind.DRIFT, HELD_SCOPE, HELD_SUBJECT, note, scope.now_ms)


async def tell_held(scope: Scope, guard: RaiseGuard) -> None:
    """Tell people what is held, in one case for all of it."""
    found = await scope.tx.row("held_count")
    if found is None or not found[0]:
        return
    limit = guard.limit(await _number(scope, "outbox_count"))
    reason = (
        f"{found[0]} keys show too few ({found[1]} pieces in all) and are not raised: more than {limit} within a day may mean "
        "that the comparison is wrong, not the entries. What is too much is still cut. Look at some of them, then let all of "
        "these be raised with archsyncctl reconcile --allow-raises"
    )
    case = NewCase(CaseKind.DRIFT, HELD_SCOPE, HELD_SUBJECT, reason, code=HELD_CODE)
    await open_case(scope.tx, case, scope.now_ms)


async def allow_some(scope: Scope) -> int:
    """Let some of what is held be raised, and have it looked at now; how many keys. What follows counts anew."""
    rows = await scope.tx.rows("held_some", (ALLOW_KEYS,))
    keys = pairs(StockKey(row[0], row[1]) for row in rows)
    await scope.tx.run("held_allowed_over", (scope.now_ms - DAY_MS,))
    await scope.tx.run("held_allow", (scope.now_ms, keys))
    await scope.tx.run("outbox_check_now", (scope.now_ms, keys))
    if len(rows) < ALLOW_KEYS:
        await scope.tx.run("raises_forget")
        await close_if_empty(scope, "a person has let these keys be raised")
    return len(rows)


async def _number(scope: Scope, name: str) -> int:
    found = await scope.tx.row(name)
    return int(found[0]) if found else 0

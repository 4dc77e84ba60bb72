"""The breaker in the store: how many keys reconciliation raises within a day by itself, and which wait for a person.

A few entries that show too few were edited by somebody. Very many of them rather tell that what we compare with is wrong,
and to raise them all would oversell. Cuts are never counted nor held.
"""

from __future__ import annotations

from archsyncd.adapters.sqlite.cases import open_case, resolve_case
from archsyncd.adapters.sqlite.scope import Scope, pairs
from archsyncd.domain.cases import CaseKind, NewCase
from archsyncd.domain.counting import counted
from archsyncd.domain.inventory import StockKey
from archsyncd.domain.ledger import Base
from archsyncd.domain.outbox import OutboxRow
from archsyncd.domain.reconciling import DAY_MS, HELD_CODE, HELD_SCOPE, HELD_SUBJECT, RaiseGuard

# A key that is held is looked at so often: it may agree again by itself, and what is too much is cut all the same.
HELD_AGAIN_MS = 3_600_000
# The code of a foreign writer's case where the marker is not even from this ledger's history.
ANOTHER_WRITER = "another-writer"
ALLOW_KEYS = 2_000


class Breaker:
    """The limit as it stands in one transaction; what it costs to know is asked once. `guard` None: nothing is held."""

    def __init__(self, scope: Scope, guard: RaiseGuard | None) -> None:
        self._scope = scope
        self._guard = guard
        self._limit: int | None = None
        self._raised: int | None = None

    async def may_raise(self, key: StockKey, pieces: int) -> bool:
        """Whether a key that shows too few may be raised now; if not it is held, and a person is told.

        Once something is held all that follows is, until a person allows it or nothing is held any more. A key that was
        raised within the day counts once.
        """
        if self._guard is None:
            return True
        scope, place = self._scope, (key.channel, key.sku)
        held = await scope.tx.row("held_known", place)
        if held is not None and held[0]:
            await scope.tx.run("held_drop", place)
            return True
        if await scope.tx.row("held_any") is None and await self._has_room(key, self._guard):
            await scope.tx.run("raise_put", (*place, scope.now_ms))
            return True
        await scope.tx.run("held_put", (*place, pieces, scope.now_ms))
        return False

    async def may_raise_after(self, row: OutboxRow, after: OutboxRow) -> bool:
        """The same for a key whose base was taken anew because another program wrote its entry, where `after` would raise it.

        A first look at an entry, or what our own ledger wrote after the copy that was put back, is nothing to be wary of.
        """
        applied = after.applied
        raises = row.base is Base.PROVISIONAL and applied is not None and applied < after.x_target
        if self._guard is None or not raises or applied is None:
            return True
        known = await self._scope.tx.row("suspicion", (row.key.channel, row.key.sku))
        if known is None or not known[2]:
            return True
        return await self.may_raise(row.key, after.x_target - applied)

    async def tell_held(self) -> None:
        """Tell people what is held, in one case for all of it."""
        scope, found = self._scope, await self._scope.tx.row("held_count")
        if self._guard is None or found is None or not found[0]:
            return
        limit = await self._most(self._guard)
        keys = f"{counted(found[0], 'key')} {'shows' if found[0] == 1 else 'show'}"
        reason = (
            f"{keys} too few ({counted(found[1], 'piece')} in all) and nothing of it is raised: more than {limit} within a day "
            "may mean that the comparison is wrong, not the entries. What is too much is still cut. Look at some of "
            "them, then have all of them raised: archsyncctl reconcile --allow-raises"
        )
        case = NewCase(CaseKind.DRIFT, HELD_SCOPE, HELD_SUBJECT, reason, code=HELD_CODE)
        await open_case(scope.tx, case, scope.now_ms)

    async def _has_room(self, key: StockKey, guard: RaiseGuard) -> bool:
        if self._raised is None:
            await self._scope.tx.run("raises_over", (self._scope.now_ms - DAY_MS,))
            self._raised = await _number(self._scope, "raise_count")
        if await self._scope.tx.row("raise_known", (key.channel, key.sku)) is not None:
            return True
        if self._raised < guard.least or self._raised < await self._most(guard):
            self._raised += 1
            return True
        return False

    async def _most(self, guard: RaiseGuard) -> int:
        """The limit. All keys are counted only where no run has done so: that is no work for every transaction."""
        if self._limit is None:
            keys = await _number(self._scope, "keys_lately") or await _number(self._scope, "outbox_count")
            self._limit = guard.limit(keys)
        return self._limit


async def seen_twice(scope: Scope, key: StockKey, off: int, read_at_ms: int) -> bool:
    """Whether a clean read before this one, within a day, saw the same difference; this one is remembered."""
    place = (key.channel, key.sku)
    known = await scope.tx.row("suspicion", place)
    await scope.tx.run("suspicion_off", (*place, off, read_at_ms))
    return known is not None and known[0] == off and 0 < read_at_ms - known[1] <= DAY_MS


async def suspect_another(scope: Scope, key: StockKey) -> None:
    """Another program wrote the entry of this key: a raise of it counts, until its base is proven."""
    await scope.tx.run("suspicion_another", (key.channel, key.sku, scope.now_ms))


async def no_longer_suspect(scope: Scope, key: StockKey) -> None:
    """A key's base is proven, or its entry is gone: nothing speaks against it, and nothing of it is held."""
    await scope.tx.run("suspicion_drop", (key.channel, key.sku))
    await no_longer_lacking(scope, key)


async def no_longer_lacking(scope: Scope, key: StockKey) -> None:
    """A key does not show too few any more; where it was the last one held, the breaker closes."""
    if await scope.tx.run("held_drop", (key.channel, key.sku)):
        await close_if_empty(scope, "nothing is held any more")


async def close_if_empty(scope: Scope, note: str) -> None:
    """Close the breaker's case once nothing is held."""
    if await scope.tx.row("held_any") is None:
        await resolve_case(scope.tx, CaseKind.DRIFT, HELD_SCOPE, HELD_SUBJECT, note, scope.now_ms)


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

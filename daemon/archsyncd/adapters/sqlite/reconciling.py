"""A page of the inventory against the outbox, in one transaction: what differs is noted, and planned to be read by its id.

Corrects nothing itself: a key that agrees costs no write, and one that does not goes the way of every other check.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from archsyncd.adapters.sqlite.cases import open_case, resolve_case
from archsyncd.adapters.sqlite.codec import outbox_rows
from archsyncd.adapters.sqlite.outbox import watch_restockable
from archsyncd.adapters.sqlite.scope import Scope, array, pairs
from archsyncd.domain.cases import CaseKind, NewCase
from archsyncd.domain.counting import counted
from archsyncd.domain.inventory import Entry, EntryFault, StockKey
from archsyncd.domain.ledger import Base
from archsyncd.domain.outbox import OutboxRow
from archsyncd.domain.reconciling import (
    DIFFERING,
    END,
    NO_CHANNEL,
    UNLISTED,
    Compared,
    Found,
    Listing,
    Mode,
    Run,
    Stray,
    compared,
)

# So many keys at most are looked at in one transaction; more only lie in a page's range where entries have vanished.
SLICE_KEYS = 2_000
# Findings of one kind that a run keeps by name; all are counted.
FINDINGS_OF_A_KIND = 1_000


@dataclass(slots=True)
class Tally:
    """What one slice of a page comes to."""

    run: Run
    totals: dict[tuple[str, Found], tuple[int, int]] = field(default_factory=dict)
    findings: list[tuple[str, ...]] = field(default_factory=list)
    shown: list[tuple[int | None, int | None]] = field(default_factory=list)
    doubtful: list[StockKey] = field(default_factory=list)

    def add(
        self,
        found: Found,
        key: StockKey,
        entry_id: str = "",
        says: str = "",
        shown: int | None = None,
        compared_with: Compared | None = None,
    ) -> None:
        """Count one finding, keep it by name where that is wanted, and plan a look where its key is in doubt."""
        told = compared_with or Compared(found)
        keys, pieces = self.totals.get((key.channel, found), (0, 0))
        counted = abs(told.off) if found in DIFFERING else 0
        self.totals[key.channel, found] = (keys + 1, pieces + counted)
        if found not in UNLISTED:
            self.findings.append((found.value, key.channel, key.sku, entry_id, says))
            self.shown.append((shown, told.expected))
        if found in DIFFERING or told.off:
            self.doubtful.append(key)


async def judge_slice(scope: Scope, run: Run, page: Listing, after: str, lag_ms: int) -> tuple[int, str]:
    """Compare what a page shows beyond `after`; for how many keys a read was planned, and up to where it was judged.

    The place is END once the page, and with it the walk, is over.
    """
    upto = page.last if page.full else END
    rows = await _expected(scope, run, page, after, upto)
    cut = not run.wanted.sku and len(rows) == SLICE_KEYS
    upto = rows[-1][0] if cut else upto
    tally = Tally(run)
    entries = [entry for entry in page.entries if after < entry.id <= upto]
    await _entries(scope, tally, page, entries, lag_ms)
    strays = [stray for stray in page.strays if after < stray.id <= upto]
    await _strays(scope, tally, strays)
    faults = [fault for fault in page.faults if after < fault.id <= upto]
    _unreadable(tally, faults)
    # An entry under another key was moved to another channel, and the key has none; a stray is told of as such.
    there = {(entry.id, entry.key) for entry in entries}
    told = {stray.id for stray in strays} | {fault.id for fault in faults}
    owned = [(row[0], StockKey(row[1], row[2])) for row in rows if row[0] not in told]
    gone = [key for entry_id, key in owned if (entry_id, key) not in there]
    await _missing(scope, tally, gone, page.server_ms - lag_ms)
    planned = await _plan(scope, tally)
    await _note(scope, tally)
    moved = (upto, 0 if cut else 1, len(entries) + len(page.strays), planned, run.id)
    await scope.tx.run("reconcile_move", moved)
    return planned, upto


async def _expected(
    scope: Scope, run: Run, page: Listing, after: str, upto: str
) -> list[tuple[str, str, str]]:
    """Keys whose entries lie in this part of the inventory by their ids."""
    if not page.ordered:
        return []
    if run.wanted.sku:
        of = (run.wanted.sku, array(scope.policies.channels), run.wanted.channel, after, upto)
        return [(*row,) for row in await scope.tx.rows("reconcile_of_sku", of)]
    asked = (after, upto, run.wanted.channel, SLICE_KEYS)
    return [(*row,) for row in await scope.tx.rows("reconcile_between", asked)]


async def _entries(scope: Scope, tally: Tally, page: Listing, entries: Sequence[Entry], lag_ms: int) -> None:
    keys = [entry.key for entry in entries]
    rows = await outbox_rows(scope, keys)
    orders = await scope.tx.rows("reconcile_orders", (pairs(keys), page.server_ms, lag_ms))
    near = {StockKey(row[0], row[1]): (int(row[2]), bool(row[3])) for row in orders}
    for entry in entries:
        row = rows.get(entry.key)
        if entry.key.channel not in scope.policies.channels:
            _elsewhere(tally, entry)
        elif row is None:
            await _unmanaged(scope, tally, entry)
        else:
            later, around = near.get(entry.key, (0, False))
            result = compared(row, entry, later, around=around, tracked=scope.policies.tracked)
            says = _says(result, row, entry)
            tally.add(result.found, entry.key, entry.id, says, entry.quantity_on_stock, result)
    await _restockable(scope, tally, [entry for entry in entries if entry.key in rows])


def _says(result: Compared, row: OutboxRow, entry: Entry) -> str:
    if result.found is Found.FOREIGN:
        if entry.id != row.entry_id:
            return "the key has another entry than the one we wrote last: it was deleted and made again"
        who = f" by {entry.written_by}" if entry.written_by else ""
        return f"written{who}, without the marker that we left there"
    if result.found in {Found.TOO_MANY, Found.TOO_FEW}:
        way = "more" if result.off > 0 else "fewer"
        return f"{counted(abs(result.off), 'piece')} {way} than our writes and the known orders explain"
    return ""


def _elsewhere(tally: Tally, entry: Entry) -> None:
    says = "an entry of a channel that no location of the configuration sells in"
    tally.add(Found.UNKNOWN_CHANNEL, entry.key, entry.id, says, entry.quantity_on_stock)


async def _unmanaged(scope: Scope, tally: Tally, entry: Entry) -> None:
    """Nobody told of the goods, and the shop sells them."""
    if entry.quantity_on_stock <= 0:
        return
    says = f"offers {entry.quantity_on_stock} pieces, and Archean has never told of this SKU there"
    tally.add(Found.UNMANAGED, entry.key, entry.id, says, entry.quantity_on_stock)
    reason = (
        f"{entry.key.sku} in {entry.key.channel} offers {entry.quantity_on_stock} pieces, and Archean has never told of this SKU "
        "there: the shop may sell goods that nobody has; nothing is written to it"
    )
    await _stray_case(scope, tally, entry.key, reason, Found.UNMANAGED)


async def _stray_case(scope: Scope, tally: Tally, key: StockKey, reason: str, code: Found) -> None:
    if tally.run.wanted.mode is Mode.APPLY:
        case = NewCase(CaseKind.STRAY_ENTRY, key.channel, key.sku, reason, code=code.value)
        await open_case(scope.tx, case, scope.now_ms)


async def _strays(scope: Scope, tally: Tally, strays: Sequence[Stray]) -> None:
    bare = [stray.sku for stray in strays if stray.channel_id is None]
    known: set[str] = set()
    if bare:
        asked = (array(scope.policies.channels), array(dict.fromkeys(bare)))
        known = {row[0] for row in await scope.tx.rows("reconcile_known_skus", asked)}
    for stray in strays:
        if stray.channel_id is not None:
            key = StockKey(stray.channel_id, stray.sku)
            says = "an entry of a channel that the project does not show"
            tally.add(Found.UNKNOWN_CHANNEL, key, stray.id, says, stray.quantity)
        elif stray.sku in known:
            key = StockKey(NO_CHANNEL, stray.sku)
            says = "an entry without a supply channel, of a SKU that we publish"
            tally.add(Found.NO_CHANNEL, key, stray.id, says, stray.quantity)
            reason = (
                f"{stray.sku} has an inventory entry without a supply channel, showing {stray.quantity} pieces, beside those "
                "that we publish: a cart without a channel sells from it; nothing is written to it"
            )
            await _stray_case(scope, tally, key, reason, Found.NO_CHANNEL)


def _unreadable(tally: Tally, faults: Sequence[EntryFault]) -> None:
    for fault in faults:
        tally.add(Found.UNREADABLE, fault.key or StockKey("", ""), fault.id, fault.reason[:300])


async def _restockable(scope: Scope, tally: Tally, entries: Sequence[Entry]) -> None:
    """What sells without stock; told whether or not a check of it is due."""
    apply = tally.run.wanted.mode is Mode.APPLY
    asked = (CaseKind.RESTOCKABLE_IN_DAYS, pairs(entry.key for entry in entries))
    told = {(row[0], row[1]) for row in await scope.tx.rows("cases_among", asked)} if apply else set()
    for entry in entries:
        if entry.restockable_in_days is not None:
            says = f"restockableInDays is {entry.restockable_in_days}: it is sold without stock"
            tally.add(Found.RESTOCKABLE, entry.key, entry.id, says, entry.quantity_on_stock)
        if apply and (entry.restockable_in_days is not None or (entry.key.channel, entry.key.sku) in told):
            await watch_restockable(scope, entry)


async def _missing(scope: Scope, tally: Tally, keys: Collection[StockKey], before_ms: int) -> None:
    """Keys whose entry the listing did not show; one that was made about then may not be listed yet."""
    for key, row in (await outbox_rows(scope, keys)).items():
        made_ms = row.entry_created_ms
        if row.base is Base.UNKNOWN or row.op_id is not None or (made_ms is not None and made_ms > before_ms):
            continue
        says = "its entry is not listed any more"
        tally.add(Found.MISSING, key, row.entry_id or "", says)


async def _plan(scope: Scope, tally: Tally) -> int:
    """Have what is in doubt read by its id, where the run may correct; a read that is planned for later stays there."""
    if tally.run.wanted.mode is not Mode.APPLY or not tally.doubtful:
        return 0
    await scope.tx.run("outbox_check_some", (scope.now_ms, pairs(tally.doubtful)))
    return len(tally.doubtful)


async def _note(scope: Scope, tally: Tally) -> None:
    run_id = tally.run.id
    rows = [
        (run_id, channel, found.value, keys, pieces)
        for (channel, found), (keys, pieces) in tally.totals.items()
    ]
    await scope.tx.run_many("reconcile_total_add", rows)
    if not tally.findings:
        return
    room = await _room(scope, run_id, {each[0] for each in tally.findings})
    last = await scope.tx.row("reconcile_finding_last", (run_id,))
    number = int(last[0]) if last else 0
    kept = []
    for (kind, *about, says), shown in zip(tally.findings, tally.shown, strict=True):
        if room[kind] > 0:
            room[kind] -= 1
            number += 1
            kept.append((run_id, number, kind, *about, *shown, says))
    await scope.tx.run_many("reconcile_finding_put", kept)


async def _room(scope: Scope, run_id: int, kinds: Collection[str]) -> dict[str, int]:
    left = {}
    for kind in kinds:
        found = await scope.tx.row("reconcile_finding_count", (run_id, kind))
        left[kind] = FINDINGS_OF_A_KIND - (int(found[0]) if found else 0)
    return left


async def close_unseen(scope: Scope, before_ms: int, limit: int) -> int:
    """Close some cases of strays that a whole walk begun then did not meet again; how many."""
    rows = await scope.tx.rows("cases_unseen", (CaseKind.STRAY_ENTRY, before_ms, limit))
    for channel, subject in rows:
        note = "the newest walk over the inventory did not meet it any more"
        await resolve_case(scope.tx, CaseKind.STRAY_ENTRY, channel, subject, note, scope.now_ms)
    return len(rows)


def totals_of(rows: Sequence[Sequence[object]]) -> Mapping[tuple[str, Found], tuple[int, int]]:
    """Totals from the rows of the query `reconcile_totals`."""
    return {
        (str(channel), Found(str(kind))): (int(str(keys)), int(str(pieces)))
        for channel, kind, keys, pieces in rows
    }

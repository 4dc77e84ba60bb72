"""The resolver: settles operations whose outcome is unknown by reading their entries, many in one request."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from archsyncd.domain.cases import CaseKind
from archsyncd.domain.inventory import Entry, EntryPage, StockKey, WriteKind, entry_key
from archsyncd.domain.ledger import Finding, drift, judge
from archsyncd.domain.outbox import OutboxRow
from archsyncd.domain.retry import delay
from archsyncd.domain.settlement import (
    Booked,
    Doubted,
    Foreign,
    GivenUp,
    LandedLate,
    Parked,
    PutBack,
    Retaken,
    Settled,
    Settlement,
    Vanished,
)
from archsyncd.engine.drain import Drain
from archsyncd.engine.entry_reader import EntryReader
from archsyncd.engine.fencing import fenced_by
from archsyncd.engine.limiter import Limiter, Priority, Quiesced
from archsyncd.engine.marker_types import MarkerTypes
from archsyncd.engine.ports import Commercetools
from archsyncd.engine.shared import Shared, wait_for
from archsyncd.engine.store import Store

IDLE_SECONDS = 1.0
RETRY_BASE_SECONDS = 0.05
RETRY_LIMIT_SECONDS = 30.0
UNREADABLE_MS = 30_000


class Resolver:
    """Reads entries in doubt and settles their operations."""

    def __init__(
        self,
        store: Store,
        client: Commercetools,
        limiter: Limiter,
        shared: Shared,
        drain: Drain,
        types: MarkerTypes,
        chance: Callable[[], float],
        beat: Callable[[], None],
    ) -> None:
        self._store = store
        self._client = client
        self._shared = shared
        self._drain = drain
        self._types = types
        self._chance = chance
        self._beat = beat
        self._reader = EntryReader(store, client, limiter, shared, Priority.RESOLVE, beat)

    async def run(self) -> None:
        """Resolve until the limiter lets nothing more begin. Raises FencedOff when a newer tenure has written."""
        try:
            while not self._shared.stopping:
                self._beat()
                # Who only plans settles nothing either: what is in doubt is for who may write again.
                if not self._drain.options.writes or not await self.resolve_some():
                    await wait_for(self._shared.doubt, IDLE_SECONDS)
        except Quiesced:
            pass

    async def resolve_some(self) -> int:
        """Read and settle one request's worth of operations in doubt; how many were settled."""
        if not self._shared.channels_read:
            # Entries can be told apart only below channels that are known: after a start they are read first.
            self._shared.bases.set()
            return 0
        channels = set(self._shared.channel_keys.values())
        found = await self._store.outbox.in_doubt(self._client.entries_per_request)
        rows = [row for row in found if row.key.channel in channels]
        if len(rows) < len(found):
            self._shared.bases.set()
            await self._put_off([row for row in found if row.key.channel not in channels])
        done = 0
        async for asked, page in self._reader.by_id([row for row in rows if row.entry_id is not None]):
            done += await self._settle(asked, page)
        by_key = {row.key: row for row in rows if row.entry_id is None}
        async for keys, page in self._reader.by_key(list(by_key)):
            done += await self._settle([by_key[key] for key in keys], page)
        return done

    async def _put_off(self, rows: Sequence[OutboxRow]) -> None:
        """Operations of a channel that commercetools does not have (any more) must not stand before all others."""
        settled = [Settled(row.key, row.op_id, Doubted(UNREADABLE_MS)) for row in rows if row.op_id]
        await self._store.outbox.settle(settled, self._drain.settle_rules())

    async def _settle(self, rows: Sequence[OutboxRow], page: EntryPage) -> int:
        self._beat()
        await self._types.learn(page.entries)
        entries = {entry.key: entry for entry in page.entries}
        unread = {fault.id for fault in page.faults} | {fault.key for fault in page.faults}
        settled = []
        for row in rows:
            if row.op_id is None:
                continue
            if row.entry_id in unread or row.key in unread:
                # It is there, and cannot be read: neither gone nor settled.
                settlement: Settlement = Doubted(UNREADABLE_MS)
            else:
                settlement = self._verdict(row, entries.get(row.key))
            settled.append(Settled(row.key, row.op_id, settlement))
        await self._store.outbox.settle(settled, self._drain.settle_rules())
        self._shared.count("resolved", len(settled))
        self._shared.work.set()
        if any(isinstance(item.settlement, Vanished) for item in settled):
            self._shared.bases.set()
        return len(settled)

    def _verdict(self, row: OutboxRow, entry: Entry | None) -> Settlement:
        operation = row.operation
        again_ms = int(
            1000
            * delay(
                row.attempts,
                self._chance(),
                base_seconds=RETRY_BASE_SECONDS,
                limit_seconds=RETRY_LIMIT_SECONDS,
            )
        )
        taken = self._drain.key_taken.pop(row.op_id or "", None)
        if entry is None or operation is None:
            if row.op_kind is WriteKind.CREATE:
                return GivenUp(0, again_ms) if taken is None else _key_taken(row.key, taken)
            return Vanished()
        if row.op_kind is WriteKind.SET or not self._drain.options.tracked:
            # Untracked: what the entry shows is what we go on from. On the version it was sent on, it may still land.
            may_land = entry.version == row.version
            return Retaken(entry, may_land=may_land, delay_ms=again_ms if row.attempts else 0)
        finding = judge(
            entry.marker,
            self._store.ledger.id,
            self._drain.options.fence,
            operation,
            row.superseded,
            row.seen,
        )
        if finding is Finding.FENCED:
            raise fenced_by(entry, self._drain.options.fence)
        created = entry.created_at_ms if row.op_kind is WriteKind.CREATE else None
        if finding is Finding.APPLIED:
            return Booked(entry.id, entry.version, created)
        if finding is Finding.LATE_OWN and entry.marker.x is not None:
            return LandedLate(entry.marker.x, entry.id, entry.version, entry.marker.op_id or "", created)
        if finding is Finding.NOT_APPLIED and row.op_kind is not WriteKind.CREATE:
            return self._not_applied(row, entry, again_ms if row.attempts else 0)
        return Foreign(entry)

    def _not_applied(self, row: OutboxRow, entry: Entry, delay_ms: int) -> Settlement:
        """Not on the entry now. A lost request may still land until a later write of ours has moved the version on."""
        if row.version is not None and entry.version != row.version and not row.superseded:
            # The version it was sent on is gone, so it can never be accepted: it took no effect for good.
            off = drift(entry.quantity_on_stock, row.x_applied or 0, row.known)
            check = off != 0 and row.attempts > 0
            return PutBack(delay_ms, entry.version, check=check, needs_type=entry.type_id is None)
        return GivenUp(entry.version, delay_ms, needs_type=entry.type_id is None)


def _key_taken(key: StockKey, correlation: str) -> Parked:
    """Our entry is not there, so another one carries the key that it is to have: sent again it would be refused again."""
    reason = (
        f"the entry of {key.sku} in {key.channel} cannot be created: another inventory entry carries its key "
        f"{entry_key(key)}, perhaps since its supply channel was changed; set another key on that entry or delete it, then "
        "have this tried again; until then nothing is sent for it"
    )
    return Parked(CaseKind.STOCK_UPDATE_FAILED, "DuplicateField", reason, correlation)

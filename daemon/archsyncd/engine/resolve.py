"""The resolver: settles operations whose outcome is unknown by reading their entries, many in one request."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from archsyncd.domain.inventory import Entry, EntryPage, Failure, StockKey, WriteKind
from archsyncd.domain.ledger import Finding, drift, judge
from archsyncd.domain.outbox import OutboxRow
from archsyncd.domain.retry import delay
from archsyncd.domain.settlement import (
    Booked,
    Doubted,
    Foreign,
    GivenUp,
    LandedLate,
    PutBack,
    Settled,
    Settlement,
    Vanished,
)
from archsyncd.engine.drain import Drain
from archsyncd.engine.limiter import Limiter, Priority, Quiesced
from archsyncd.engine.ports import Commercetools, FencedOff
from archsyncd.engine.shared import Shared, wait_for
from archsyncd.engine.store import Store
from archsyncd.engine.unreadable import UnreadableEntries

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
        chance: Callable[[], float],
        beat: Callable[[], None],
    ) -> None:
        self._store = store
        self._client = client
        self._limiter = limiter
        self._shared = shared
        self._drain = drain
        self._chance = chance
        self._beat = beat
        self._unreadable = UnreadableEntries(store)

    async def run(self) -> None:
        """Resolve until the limiter lets nothing more begin. Raises FencedOff when a newer tenure has written."""
        try:
            while not self._shared.stopping:
                self._beat()
                if not await self.resolve_some():
                    await wait_for(self._shared.doubt, IDLE_SECONDS)
        except Quiesced:
            pass

    async def resolve_some(self) -> int:
        """Read and settle one request's worth of operations in doubt; how many were settled."""
        channels = set(self._shared.channel_keys.values())
        found = await self._store.outbox.in_doubt(self._client.entries_per_request)
        # Entries can be told apart only below channels that are known: after a start they are read first.
        rows = [row for row in found if row.key.channel in channels]
        if len(rows) < len(found):
            self._shared.bases.set()
            await self._put_off([row for row in found if row.key.channel not in channels])
        by_id = [row for row in rows if row.entry_id is not None]
        by_key = [row for row in rows if row.entry_id is None]
        done = await self._resolve_by_id(by_id) if by_id else 0
        return done + (await self._resolve_by_key(by_key) if by_key else 0)

    async def _put_off(self, rows: Sequence[OutboxRow]) -> None:
        """Operations of a channel that commercetools does not have (any more) must not stand before all others."""
        if self._shared.channels_read:
            settled = [Settled(row.key, row.op_id, Doubted(UNREADABLE_MS)) for row in rows if row.op_id]
            await self._store.outbox.settle(settled, self._drain.settle_rules())

    async def _resolve_by_id(self, rows: Sequence[OutboxRow]) -> int:
        ids = [row.entry_id for row in rows if row.entry_id is not None]
        page = await self._limiter.call(Priority.RESOLVE, 1.0, lambda: self._client.entries_by_id(ids))
        return await self._settle(rows, page, {row.key for row in rows})

    async def _resolve_by_key(self, rows: Sequence[OutboxRow]) -> int:
        done = 0
        for part in self._client.split_keys([row.key for row in rows]):
            page = await self._read_keys(part)
            wanted = set(part)
            done += await self._settle([row for row in rows if row.key in wanted], page, wanted)
        return done

    async def _read_keys(self, part: Sequence[StockKey]) -> EntryPage | Failure:
        return await self._limiter.call(Priority.RESOLVE, 1.0, lambda: self._client.entries_by_key(part))

    async def _settle(
        self, rows: Sequence[OutboxRow], page: EntryPage | Failure, asked: set[StockKey]
    ) -> int:
        if not isinstance(page, EntryPage):
            return 0
        self._shared.saw_server_time(page.server_ms)
        entries = {entry.key: entry for entry in page.entries if entry.key in asked}
        unread = {fault.id for fault in page.faults} | {fault.key for fault in page.faults}
        await self._unreadable.tell(page.faults, entries)
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
        if entry is None or operation is None:
            return GivenUp(0, again_ms) if row.op_kind is WriteKind.CREATE else Vanished()
        if row.op_kind is WriteKind.SET:
            # Untracked: absolute under the version, so writing it again is right whatever became of it.
            return PutBack(again_ms if row.attempts else 0, entry.version)
        finding = judge(
            entry.marker,
            self._store.ledger.id,
            self._drain.options.fence,
            operation,
            row.superseded,
            row.seen,
        )
        if finding is Finding.FENCED:
            raise FencedOff(
                f"the entry of {row.key.sku} in {row.key.channel} carries the fence {entry.marker.fence}, newer than ours"
            )
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
            return PutBack(delay_ms, entry.version, check=off != 0 and row.attempts > 0)
        return GivenUp(entry.version, delay_ms)

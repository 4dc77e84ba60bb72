"""Wrong parts for the machine of `test_machine`, one for each rule of the stock ledger that somebody might leave out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from dataclasses import replace
from typing import cast

from archsyncd.domain.feed import Batch, Fulfilment, OrderAccepted, Outcome, Record
from archsyncd.domain.inventory import (
    Entry,
    EntryPage,
    EntryWrite,
    Failure,
    StockKey,
    Unknown,
    WriteAnswer,
    WriteKind,
)
from archsyncd.domain.lookup import Unentered
from archsyncd.domain.rules import SettleRules
from archsyncd.engine.ports import Commercetools, Feed
from archsyncd.engine.store import Store
from tests.system.host import Around, Bent

FOR_EVER_MS = 2**53


def absolute_push() -> Bent:
    """Writes the warehouse's figure, as connectors do, instead of what it changed by."""

    def bend(client: Commercetools, store: Store) -> Commercetools:
        async def absolute(write: EntryWrite) -> EntryWrite:
            if write.kind is not WriteKind.INCREMENT:
                return write
            row = (await store.outbox.rows([write.key]))[write.key]
            return replace(write, kind=WriteKind.SET, quantity=row.f)

        async def one(write: EntryWrite) -> WriteAnswer:
            return await client.write(await absolute(write))

        async def many(writes: Sequence[EntryWrite]) -> tuple[WriteAnswer, ...] | Failure:
            return await client.write_many([await absolute(write) for write in writes])

        return cast("Commercetools", Around(client, write=one, write_many=many))

    return Bent(client=bend)


def blind_retry() -> Bent:
    """Sends an increment again under the current version when its outcome is unknown, without a look at the marker."""

    def bend(client: Commercetools, _store: Store) -> Commercetools:
        async def one(write: EntryWrite) -> WriteAnswer:
            answer = await client.write(write)
            if not isinstance(answer, Unknown) or write.entry_id is None:
                return answer
            page = await client.entries_by_id([write.entry_id])
            if not isinstance(page, EntryPage) or not page.entries:
                return answer
            return await client.write(replace(write, version=page.entries[0].version))

        return cast("Commercetools", Around(client, write=one))

    return Bent(client=bend)


def early_acknowledgement() -> Bent:
    """Tells the source that a batch is safe before it is, and goes on behind it after a restart."""
    told: list[str] = []

    def bend(feed: Feed) -> Feed:
        async def batches(after: str | None) -> AsyncIterator[object]:
            async for event in feed.batches(told[-1] if told else after):
                if isinstance(event, Batch):
                    await feed.acknowledge(event.checkpoint, Outcome())
                    told.append(event.checkpoint)
                yield event

        async def acknowledge(_checkpoint: str, _outcome: Outcome) -> None:
            pass

        return cast("Feed", Around(feed, batches=batches, acknowledge=acknowledge))

    return Bent(feed=bend)


def foreign_adoption() -> Bent:
    """Takes anybody's archX for its own, whatever orders were counted in it."""

    def bend(client: Commercetools, store: Store) -> Commercetools:
        def ours(page: EntryPage | Failure) -> EntryPage | Failure:
            if not isinstance(page, EntryPage):
                return page
            entries = [
                replace(entry, marker=replace(entry.marker, ledger=store.ledger.id))
                if entry.marker.ledger
                else entry
                for entry in page.entries
            ]
            return replace(page, entries=tuple(entries))

        async def by_key(keys: Sequence[StockKey]) -> EntryPage | Failure:
            return ours(await client.entries_by_key(keys))

        async def by_id(ids: Sequence[str]) -> EntryPage | Failure:
            return ours(await client.entries_by_id(ids))

        return cast("Commercetools", Around(client, entries_by_key=by_key, entries_by_id=by_id))

    def believe(store: Store, _client: Commercetools) -> Store:
        async def book(
            entries: Sequence[Entry],
            creatable: Collection[StockKey],
            withheld: Collection[Unentered],
            rules: SettleRules,
        ) -> None:
            surely = replace(rules, orders_complete_ms=FOR_EVER_MS, tenure_since_ms=1)
            await store.outbox.book_lookups(entries, creatable, withheld, surely)

        return cast("Store", Around(store, outbox=Around(store.outbox, book_lookups=book)))

    return Bent(client=bend, store=believe)


def unproven_raise() -> Bent:
    """Takes the first look at an entry for a clean read, and raises from it."""

    def bend(store: Store, _client: Commercetools) -> Store:
        async def book(
            entries: Sequence[Entry],
            creatable: Collection[StockKey],
            withheld: Collection[Unentered],
            rules: SettleRules,
        ) -> None:
            await store.outbox.book_lookups(entries, creatable, withheld, rules)
            await store.outbox.book_reads(entries, [])
            await store.outbox.judge_reads(FOR_EVER_MS, 0, len(entries))

        return cast("Store", Around(store, outbox=Around(store.outbox, book_lookups=book)))

    return Bent(store=bend)


def _reading(change: Callable[[Batch], Batch]) -> Bent:
    """Reads what the feed tells as something else."""

    def bend(feed: Feed) -> Feed:
        async def batches(after: str | None) -> AsyncIterator[object]:
            async for event in feed.batches(after):
                yield change(event) if isinstance(event, Batch) else event

        return cast("Feed", Around(feed, batches=batches))

    return Bent(feed=bend)


def accepted_for_shipped() -> Bent:
    """Takes an accepted order for one that has left the shelf, whatever figure its location sells by."""

    def left(record: Record) -> Record:
        if not isinstance(record, OrderAccepted):
            return record
        return Fulfilment(
            id=record.id,
            seq=record.seq,
            fulfilment_id=f"of {record.source_order}",
            order_id=record.order_id,
            order_number=record.order_number,
            status="shipped",
            location=None,
            lines=record.lines,
        )

    return _reading(lambda batch: replace(batch, records=tuple(left(record) for record in batch.records)))


def first_word_of_a_dispatch() -> Bent:
    """Believes the first word about a dispatch and none that corrects it."""
    shipped: set[str] = set()

    def told(record: Record) -> bool:
        if not isinstance(record, Fulfilment) or record.status != "shipped":
            return not isinstance(record, Fulfilment) or record.fulfilment_id not in shipped
        known = record.fulfilment_id in shipped
        shipped.add(record.fulfilment_id)
        return not known

    return _reading(lambda batch: replace(batch, records=tuple(filter(told, batch.records))))


def proofs_of_an_older_epoch() -> Bent:
    """Goes on believing, in a new epoch, what was proven in the one before."""
    epochs: list[str] = []
    accepted: list[OrderAccepted] = []

    def kept(batch: Batch) -> Batch:
        accepted.extend(record for record in batch.records if isinstance(record, OrderAccepted))
        if batch.epoch in epochs:
            return batch
        epochs.append(batch.epoch)
        known = [replace(record, seq=0) for record in accepted]
        return replace(batch, records=(*known, *batch.records))

    return _reading(kept)


def no_confirm_read() -> Bent:
    """Proves a base taken over at once, though something of its predecessor may still land."""
    return Bent(confirm_seconds=0.0)

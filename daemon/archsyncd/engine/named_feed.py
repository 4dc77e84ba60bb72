"""Where a source's own terms end: a feed whose records, snapshots and single-key reads are in ours. Reads nothing by itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import aclosing
from dataclasses import replace
from fractions import Fraction

from archsyncd.domain.feed import (
    Batch,
    KeyReading,
    Level,
    OrderLookup,
    Outcome,
    SnapshotDue,
    SnapshotEnd,
    SnapshotHead,
    SnapshotPage,
    SnapshotPart,
    SnapshotStatus,
)
from archsyncd.domain.handover import PlacedLine
from archsyncd.engine.naming import Naming
from archsyncd.engine.ports import Feed, SnapshotSource


class NamedFeed:
    """A feed in our terms; `source` is the one that it wraps."""

    def __init__(self, source: Feed, naming: Naming) -> None:
        self.source = source
        self._naming = naming

    @property
    def name(self) -> str:
        """The feed's name in the configuration."""
        return self.source.name

    @property
    def step_seconds(self) -> float:
        """How long one step may take by right."""
        return self.source.step_seconds

    @property
    def offers_lookup(self) -> bool:
        """Whether the source can be asked at all."""
        return self.source.offers_lookup

    async def batches(self, after: str | None) -> AsyncIterator[Batch | SnapshotDue | SnapshotSource]:
        """As the source's, in our terms."""
        async with aclosing(self.source.batches(after)) as events:  # type: ignore[type-var]
            async for event in events:
                if isinstance(event, Batch):
                    yield await self._batch(event)
                elif isinstance(event, SnapshotDue):
                    yield event
                else:
                    yield NamedSnapshot(event, self.name, self._naming)

    async def _batch(self, batch: Batch) -> Batch:
        while True:
            terms = self._naming.terms
            found = await self._translated(batch)
            if terms is self._naming.terms:
                return replace(found, terms=terms.fingerprint)

    async def _translated(self, batch: Batch) -> Batch:
        records, rejects = await self._naming.records(self.name, batch.records)
        # Told in the order of reading: what was set aside here stands beside what could not be read.
        return replace(
            batch,
            records=tuple(records),
            rejects=(*self._naming.rejects(batch.rejects), *rejects),
            skus=self._naming.ours(batch.skus),
            parts=tuple([await self._part(part) for part in batch.parts]),
            # Counted in the source's units: only where its terms are ours can it be checked against what is kept.
            closings=tuple(replace(each, sum_on_hand=None) for each in batch.closings)
            if self._naming.terms.fingerprint
            else batch.closings,
        )

    async def _part(self, part: SnapshotPart) -> SnapshotPart:
        items, rejects = await self._naming.levels(self.name, part.items)
        return replace(part, items=items, rejects=(*self._naming.rejects(part.rejects), *rejects))

    async def acknowledge(self, checkpoint: str, outcome: Outcome) -> None:
        """Tell the source that everything up to `checkpoint` is durable here."""
        await self.source.acknowledge(checkpoint, outcome)

    async def take_snapshot(self, locations: Collection[str]) -> SnapshotSource | None:
        """Ask the source for a snapshot."""
        found = await self.source.take_snapshot(locations)
        return None if found is None else NamedSnapshot(found, self.name, self._naming)

    async def read_key(self, sku: str) -> KeyReading | None:
        """Read one of our SKUs under the source's name for it."""
        archean = (await self._naming.archean_of([sku]))[sku]
        reading = await self.source.read_key(archean)
        if reading is None:
            return None
        levels, rejects = await self._naming.levels(self.name, reading.levels)
        # Nothing is waited for behind the translation, so that these are its terms.
        terms = self._naming.terms.fingerprint
        rejects = [*self._naming.rejects(reading.rejects), *rejects]
        return replace(reading, levels=levels, rejects=tuple(rejects), terms=terms)

    async def look_up_order(self, reference: str) -> OrderLookup | None:
        """Ask the source for an order."""
        return await self.source.look_up_order(reference)

    async def archean_lines(self, lines: Sequence[PlacedLine]) -> Sequence[PlacedLine]:
        """Lines of an order as the source calls their SKUs."""
        return await self._naming.archean_lines(lines)

    async def close(self) -> None:
        """Release what the source holds."""
        await self.source.close()


class NamedSnapshot:
    """A snapshot in our terms. Its trailer's sum is checked in the source's units, and told on in ours."""

    def __init__(self, source: SnapshotSource, feed: str, naming: Naming) -> None:
        self._source = source
        self._feed = feed
        self._naming = naming
        self._told = Fraction(0)
        self._kept = 0

    async def head(self) -> SnapshotHead:
        """What the snapshot is."""
        return replace(await self._source.head(), terms=self._naming.terms.fingerprint)

    async def pages(self) -> AsyncIterator[SnapshotPage]:
        """The items in our terms."""
        async with aclosing(self._source.pages()) as pages:  # type: ignore[type-var]
            async for page in pages:
                items, rejects = await self._naming.levels(self._feed, page.items)
                terms = self._naming.terms.fingerprint
                self._told += sum((_on_hand(item) for item in page.items), Fraction(0))
                self._kept += sum(item.on_hand or 0 for item in items)
                yield SnapshotPage(items, (*self._naming.rejects(page.rejects), *rejects), terms=terms)

    def end(self) -> SnapshotEnd:
        """The trailer. What was told beyond the items, or not at all, is as wrong in our units as in the source's."""
        end = self._source.end()
        missing = None if end.sum_on_hand is None else end.sum_on_hand - self._told
        if missing is None or missing.denominator != 1:
            return replace(end, sum_on_hand=None)
        return replace(end, sum_on_hand=self._kept + int(missing))

    async def finish(self, status: SnapshotStatus, outcome: Outcome, reasons: Sequence[str]) -> None:
        """Tell the source what became of it."""
        await self._source.finish(status, outcome, reasons)


def _on_hand(item: Level) -> Fraction:
    return Fraction(dict(item.decimals).get("onHand", item.on_hand or 0))


async def archean_lines(feed: Feed, lines: Sequence[PlacedLine]) -> Sequence[PlacedLine]:
    """Lines of an order as a feed's source calls their SKUs."""
    return await feed.archean_lines(lines) if isinstance(feed, NamedFeed) else lines

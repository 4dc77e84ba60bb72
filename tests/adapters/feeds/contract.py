"""What every feed does, whatever carries it: a transport joins by a `Site` that can tell records and break off.

The promises are those of `engine.ports.Feed`; the numbers are rows of the fault catalogue.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Protocol

import pytest

from archsyncd.domain.feed import Batch, Level, Outcome, Record, Reject
from archsyncd.engine.ports import Feed, FeedFault
from tests.support.virtual_time import virtual

PATIENCE_BATCHES = 20


class Site(Protocol):
    """A source with one feed that reads it."""

    @property
    def feed(self) -> Feed:
        """The feed as it is now; `reopen` makes another."""
        ...

    async def begin(self) -> str:
        """Start reading as a new installation does; return the checkpoint that stands then."""
        ...

    async def tell(self, *levels: tuple[str, int]) -> None:
        """The source records (SKU, on hand) at its only location, in this order."""
        ...

    async def poison(self) -> None:
        """The source records something that is no level."""
        ...

    async def vanish(self) -> None:
        """The source cannot be reached any more."""
        ...

    async def reopen(self) -> Feed:
        """Close the feed and open another, as after a restart."""
        ...


async def read(
    feed: Feed, after: str, records: int, *, rejects: int = 0, acknowledge: bool = True
) -> list[Batch]:
    """Read batches until so many records and rejects came."""
    batches: list[Batch] = []
    async with aclosing(feed.batches(after)) as reading:  # type: ignore[type-var]
        async for one in reading:
            assert isinstance(one, Batch), one
            batches.append(one)
            if acknowledge:
                await feed.acknowledge(
                    one.checkpoint, Outcome(read=len(one.records), applied=len(one.records))
                )
            told = sum(len(batch.records) for batch in batches)
            if told >= records and sum(len(batch.rejects) for batch in batches) >= rejects:
                return batches
            assert len(batches) < PATIENCE_BATCHES, f"{told} records only"
    raise AssertionError("the feed ended")


def levels(batches: Sequence[Batch]) -> list[tuple[str, int | None]]:
    """What the batches say, in their order."""
    found: list[Record] = [record for batch in batches for record in batch.records]
    return [(record.sku, record.on_hand) for record in found if isinstance(record, Level)]


def set_aside(batches: Sequence[Batch]) -> list[Reject]:
    """What the batches could not read."""
    return [reject for batch in batches for reject in batch.rejects]


class FeedContract:
    """Subclass and give a site; every transport passes all of it."""

    def site(self) -> AbstractAsyncContextManager[Site]:
        """Open a source and its feed."""
        raise NotImplementedError

    @virtual
    async def test_records_arrive_in_their_order_under_the_configured_name(self) -> None:
        """What the source tells after the checkpoint arrives once, in order, at rising positions."""
        async with self.site() as site:
            checkpoint = await site.begin()
            await site.tell(("A", 5), ("B", -2))
            await site.tell(("A", 4))
            batches = await read(site.feed, checkpoint, 3)
            assert levels(batches) == [("A", 5), ("B", -2), ("A", 4)]
            positions = [record.seq for batch in batches for record in batch.records]
            assert positions == sorted(set(positions))
            assert {batch.feed for batch in batches} == {site.feed.name}
            assert {bool(batch.epoch) for batch in batches} == {True}

    @virtual
    async def test_a_restart_goes_on_behind_the_checkpoint(self) -> None:
        """Another instance given the last checkpoint tells what came later, and nothing is missing."""
        async with self.site() as site:
            checkpoint = await site.begin()
            await site.tell(("A", 1), ("B", 2))
            first = await read(site.feed, checkpoint, 2)
            feed = await site.reopen()
            await site.tell(("C", 3))
            assert levels(await read(feed, first[-1].checkpoint, 1)) == [("C", 3)]

    @virtual
    async def test_f094_what_was_not_committed_is_read_again(self) -> None:
        """Without a commit the checkpoint stays, and the same records with the same ids and positions come again."""
        async with self.site() as site:
            checkpoint = await site.begin()
            await site.tell(("A", 1), ("B", 2))
            first = await read(site.feed, checkpoint, 2, acknowledge=False)
            again = await read(await site.reopen(), checkpoint, 2)
            assert [batch.records for batch in again] == [batch.records for batch in first]

    @virtual
    async def test_f104_a_poison_record_is_set_aside_and_passed(self) -> None:
        """The record next to it counts, and the checkpoint stands behind both."""
        async with self.site() as site:
            checkpoint = await site.begin()
            await site.tell(("A", 1))
            await site.poison()
            await site.tell(("B", 2))
            batches = await read(site.feed, checkpoint, 2, rejects=1)
            assert levels(batches) == [("A", 1), ("B", 2)]
            (fault,) = set_aside(batches)
            assert fault.code
            assert fault.payload
            feed = await site.reopen()
            await site.tell(("C", 3))
            later = await read(feed, batches[-1].checkpoint, 1)
            assert (levels(later), set_aside(later)) == ([("C", 3)], [])

    @virtual
    async def test_a_reader_may_stop_at_any_batch_and_come_back(self) -> None:
        """An iterator given up leaves the feed in order; the next one goes on from the checkpoint."""
        async with self.site() as site:
            checkpoint = await site.begin()
            for place in range(4):
                await site.tell((f"S{place}", place))
                batches = await read(site.feed, checkpoint, 1)
                assert levels(batches) == [(f"S{place}", place)]
                checkpoint = batches[-1].checkpoint

    @virtual
    async def test_a_source_out_of_reach_is_a_feed_fault(self) -> None:
        """Nothing else is raised, and it is no reason to think the credentials wrong."""
        async with self.site() as site:
            checkpoint = await site.begin()
            await site.vanish()
            with pytest.raises(FeedFault) as refused:
                await read(site.feed, checkpoint, 1)
            assert refused.value.reason
            assert not refused.value.blind

    @virtual
    async def test_closing_twice_is_closing_once(self) -> None:
        """Handles and connections are released, and saying so again does no harm."""
        async with self.site() as site:
            checkpoint = await site.begin()
            await site.tell(("A", 1))
            await read(site.feed, checkpoint, 1)
            await site.feed.close()
            await site.feed.close()

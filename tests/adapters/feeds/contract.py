"""What every feed does, whatever carries it: a transport joins by a `Site` that can tell records and break off.

The promises are those of `engine.ports.Feed`; the numbers are rows of the fault catalogue. Feeds that speak `r247/1` join by a
`RecordSite` and owe more: whatever disorder a source may make by the contract, and records of every kind.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Protocol

import pytest

from archsyncd.domain.feed import (
    Batch,
    Heartbeat,
    Level,
    Outcome,
    Record,
    Reject,
    SnapshotCause,
    SnapshotDue,
)
from archsyncd.engine.ports import Feed, FeedFault, SnapshotSource
from tests.support.virtual_time import virtual

PATIENCE_BATCHES = 20
PATIENCE_SECONDS = 60.0
FLOOD, PORTION, BATCH_RECORDS = 1_500, 100, 1_000


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


class RecordSite(Site, Protocol):
    """A source that speaks `r247/1`."""

    async def say(self, kind: str, **fields: object) -> None:
        """The source records something of this type, at the next number."""
        ...

    async def repeat(self) -> None:
        """What was told last is brought once more, in the way in which that happens to this transport."""
        ...

    async def overtake(self, *levels: tuple[str, int]) -> None:
        """The source records these in this order, and they arrive in another, with times that say so."""
        ...

    async def skip(self, count: int) -> None:
        """The source leaves numbers out, as it may."""
        ...

    async def restore(self) -> None:
        """The source comes back under another epoch, counting from one."""
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


class RecordContract(FeedContract):
    """What a feed of `r247/1` owes beyond: positions and ids that hold whatever happens on the way, and nothing passed over."""

    def site(self) -> AbstractAsyncContextManager[RecordSite]:
        """Open a source and its feed."""
        raise NotImplementedError

    @virtual
    async def test_f094_f110_what_is_brought_twice_is_one_statement(self) -> None:
        """It has the same id and the same position each time, by which the store knows it."""
        async with self.site() as site:
            checkpoint = await site.begin()
            await site.tell(("A", 5))
            await site.repeat()
            await site.tell(("B", 6))
            found = [one for batch in await until_told(site.feed, checkpoint, "B") for one in batch.records]
            assert len({(one.id, one.seq) for one in found if isinstance(one, Level) and one.sku == "A"}) == 1

    @virtual
    async def test_f095_f111_positions_tell_what_is_newest_and_neither_arrival_nor_times(self) -> None:
        """Whatever overtook what: by the positions each key ends where the source left it."""
        async with self.site() as site:
            checkpoint = await site.begin()
            await site.overtake(("A", 1), ("B", 7), ("A", 2), ("C", 3), ("A", 4), ("B", 8))
            batches = await read(site.feed, checkpoint, 6)
            found = [one for batch in batches for one in batch.records if isinstance(one, Level)]
            placed = sorted(found, key=lambda one: one.seq)
            assert {one.sku: one.on_hand for one in placed} == {"A": 4, "B": 8, "C": 3}
            assert len({one.seq for one in placed}) == 6

    @virtual
    async def test_f096_numbers_that_are_left_out_are_no_fault(self) -> None:
        """Levels are absolute: the feed goes on behind the gap."""
        async with self.site() as site:
            checkpoint = await site.begin()
            await site.tell(("A", 1))
            await site.skip(7)
            await site.tell(("B", 2))
            assert levels(await read(site.feed, checkpoint, 2)) == [("A", 1), ("B", 2)]

    @virtual
    async def test_f105_a_flood_arrives_whole_and_in_bounded_portions(self) -> None:
        """No batch is beyond what is committed at once, and none of it is left out."""
        async with self.site() as site:
            checkpoint = await site.begin()
            for first in range(0, FLOOD, PORTION):
                await site.tell(*[(f"S{number % 7}", number) for number in range(first, first + PORTION)])
            batches = await read(site.feed, checkpoint, FLOOD)
            assert sorted(on_hand or 0 for _, on_hand in levels(batches)) == list(range(FLOOD))
            assert max(len(batch.records) for batch in batches) <= BATCH_RECORDS

    @virtual
    async def test_f106_unknown_fields_are_ignored_and_unknown_types_set_aside(self) -> None:
        """A source may say more than we know; a kind that nobody knows is a person's to look at."""
        async with self.site() as site:
            checkpoint = await site.begin()
            await site.say("stock.level", sku="A", location="WH1", onHand=5, colour="green")
            await site.say("stock.riddle", sku="A", location="WH1", onHand=6)
            await site.tell(("B", 2))
            batches = await read(site.feed, checkpoint, 2, rejects=1)
            assert levels(batches) == [("A", 5), ("B", 2)]
            assert [one.code for one in set_aside(batches)] == ["unknown_type"]

    @virtual
    async def test_f118_a_heartbeat_arrives_and_is_nothing_else(self) -> None:
        """By it the source is known to live while no stock moves."""
        async with self.site() as site:
            checkpoint = await site.begin()
            await site.say("feed.heartbeat", at="2026-01-01T00:00:00Z")
            found = await read(site.feed, checkpoint, 1)
            assert [type(one) for batch in found for one in batch.records] == [Heartbeat]

    @virtual
    async def test_f118_while_nothing_is_told_the_checkpoint_stands_still(self) -> None:
        """That the way is open says nothing of the source: what arrives is empty and at the same place."""
        async with self.site() as site:
            checkpoint = await site.begin()
            found: list[Batch] = []
            with contextlib.suppress(TimeoutError):
                async with (
                    asyncio.timeout(PATIENCE_SECONDS),
                    aclosing(site.feed.batches(checkpoint)) as reading,  # type: ignore[type-var]
                ):
                    async for one in reading:
                        assert isinstance(one, Batch), one
                        found.append(one)
            assert {(one.records, one.rejects, one.checkpoint) for one in found} <= {((), (), checkpoint)}
            assert len({(one.head_seq, one.head_at) for one in found}) <= 1

    @virtual
    async def test_f031_a_new_epoch_is_never_taken_for_the_one_before(self) -> None:
        """Its numbers begin anew: either records come under its name, or a full picture is due first."""
        async with self.site() as site:
            checkpoint = await site.begin()
            await site.tell(("A", 5), ("B", 6))
            before = await read(site.feed, checkpoint, 2)
            await site.restore()
            await site.tell(("A", 9))
            async with (
                asyncio.timeout(PATIENCE_SECONDS),
                aclosing(site.feed.batches(before[-1].checkpoint)) as reading,  # type: ignore[type-var]
            ):
                async for one in reading:
                    if isinstance(one, Batch) and not one.records:
                        continue
                    assert (await _epoch_of(one)) not in {batch.epoch for batch in before}
                    break
                else:
                    raise AssertionError("the feed ended")


async def until_told(feed: Feed, after: str, sku: str) -> list[Batch]:
    """Read batches until this SKU was told of."""
    batches: list[Batch] = []
    async with aclosing(feed.batches(after)) as reading:  # type: ignore[type-var]
        async for one in reading:
            assert isinstance(one, Batch), one
            batches.append(one)
            await feed.acknowledge(one.checkpoint, Outcome(len(one.records), len(one.records)))
            if sku in {name for name, _ in levels([one])}:
                return batches
            assert len(batches) < PATIENCE_BATCHES, f"{sku} is not told of"
    raise AssertionError("the feed ended")


async def _epoch_of(event: Batch | SnapshotDue | SnapshotSource) -> str | None:
    """The epoch that something tells of; None where it only says that a full is due because of a new one."""
    if isinstance(event, Batch):
        return event.epoch
    if isinstance(event, SnapshotDue):
        assert event.cause is SnapshotCause.EPOCH_CHANGED
        return None
    return (await event.head()).epoch

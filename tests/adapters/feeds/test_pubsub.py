"""What a feed over Pub/Sub does beyond the contract of feeds: deadlines, bounds, refusals, epochs, parts."""

from __future__ import annotations

import asyncio
import gzip
import json
from contextlib import aclosing

import pytest
from aiohttp import web

from archsyncd.adapters.pubsub import PubsubFeed
from archsyncd.domain.feed import Batch, Level, Outcome
from archsyncd.engine.ports import FeedFault
from tests.adapters.feeds.contract import levels, read
from tests.adapters.feeds.servers import raw_server, scripted
from tests.adapters.feeds.subscribing import attributes, encoded, feed_at, level, stand
from tests.support.virtual_time import VirtualClock, virtual


async def begun(feed: PubsubFeed, after: str | None = None) -> Batch:
    """The first batch with anything in it, which is not acknowledged."""
    async with aclosing(feed.batches(after)) as reading:  # type: ignore[type-var]
        async for one in reading:
            assert isinstance(one, Batch)
            if one.records or one.rejects or one.parts or one.closings:
                return one
    raise AssertionError("the feed ended")


async def fault_of(feed: PubsubFeed) -> FeedFault:
    with pytest.raises(FeedFault) as fault:
        await begun(feed)
    return fault.value


@virtual
async def test_f114_a_deadline_is_put_off_while_the_store_is_slow() -> None:
    """Minutes pass before the commit: nobody else is given the message meanwhile, and one acknowledgement ends it."""
    async with stand() as here:
        here.say(level(1))
        feed = here.open()
        batch = await begun(feed)
        await VirtualClock().sleep(300)
        assert [len(here.inside.out), len(here.inside.backlog)] == [1, 0]
        await feed.acknowledge(batch.checkpoint, Outcome())
        await VirtualClock().sleep(120)
        assert (here.inside.out, here.inside.backlog, here.inside.acknowledged) == ({}, [], ["1"])


@virtual
async def test_f114_a_message_that_is_held_for_too_long_is_given_back() -> None:
    """Half an hour without a commit: somebody else may have it, and this reader gets it again as new."""
    async with stand(hold_seconds=100.0) as here:
        here.say(level(1))
        feed = here.open()
        await begun(feed)
        await VirtualClock().sleep(90)
        assert here.inside.backlog == []
        await VirtualClock().sleep(30)
        assert [one.attempts for one in here.inside.backlog] == [1]
        assert levels([await begun(feed)]) == [("A", 1)]


@virtual
async def test_f114_what_was_not_committed_is_told_again_without_a_delivery() -> None:
    """A full disk ends the reading: the next one begins with what is held, at no cost of an attempt."""
    async with stand(attempts=5) as here:
        here.say(level(1))
        feed = here.open()
        for _ in range(20):
            assert levels([await begun(feed)]) == [("A", 1)]
            await VirtualClock().sleep(5)
        assert [lease.message.attempts for lease in here.inside.out.values()] == [1]


@virtual
async def test_f114_an_acknowledgement_that_failed_is_made_up_for_by_the_next() -> None:
    """503 to the first: the second names the messages of both."""
    async with stand(page_limit=1) as here:
        here.say(level(1))
        here.say(level(2, "B"))
        here.inside.switches.refuse["acknowledge"] = [(503, "7")]
        feed = here.open()
        async with aclosing(feed.batches(None)) as reading:  # type: ignore[type-var]
            first = await anext(reading)
            assert isinstance(first, Batch)
            with pytest.raises(FeedFault) as fault:
                await feed.acknowledge(first.checkpoint, Outcome())
            assert fault.value.retry_after_seconds == 7
            second = await anext(reading)
            assert isinstance(second, Batch)
            await feed.acknowledge(second.checkpoint, Outcome())
        assert here.inside.acknowledged == ["1", "2"]


@virtual
async def test_f114_acknowledgements_that_are_refused_for_good_hold_up_no_later_one() -> None:
    """Delivered exactly once, a name whose deadline has passed is answered 400: it is delivered again, the rest goes on."""
    async with stand(page_limit=1) as here:
        here.say(level(1))
        here.say(level(2, "B"))
        here.inside.switches.refuse["acknowledge"] = [(400, "")]
        feed = here.open()
        async with aclosing(feed.batches(None)) as reading:  # type: ignore[type-var]
            first = await anext(reading)
            assert isinstance(first, Batch)
            with pytest.raises(FeedFault, match="400"):
                await feed.acknowledge(first.checkpoint, Outcome())
            second = await anext(reading)
            assert isinstance(second, Batch)
            await feed.acknowledge(second.checkpoint, Outcome())
        assert here.inside.acknowledged == ["2"]
        again = await read(here.open(), second.checkpoint, 1)
        assert levels(again) == [("A", 1)]


@virtual
async def test_f114_a_backlog_of_many_megabytes_is_read_a_bounded_part_at_a_time() -> None:
    """However much waits, no more is out than was asked for at once, and answers that are too large are asked for smaller."""
    async with stand(page_limit=100, response_limit_bytes=1_000_000) as here:
        padding = "x" * 30_000
        for seq in range(1, 201):
            here.say(level(seq, f"S{seq}", note=padding))
        feed = here.open()
        told: list[Batch] = []
        checkpoint: str | None = None
        while sum(len(batch.records) for batch in told) < 200:
            batch = await begun(feed, checkpoint)
            await feed.acknowledge(batch.checkpoint, Outcome())
            told.append(batch)
            checkpoint = batch.checkpoint
        assert {one[0] for one in levels(told)} == {f"S{seq}" for seq in range(1, 201)}
        assert max(len(batch.records) for batch in told) <= 25


@virtual
async def test_f105_a_flood_is_committed_in_portions() -> None:
    """A thousand messages pulled at once are told in batches of about the size that is committed together."""
    async with stand(page_limit=1_000, batch_records=100) as here:
        for seq in range(1, 501):
            here.say({"items": [level(2 * seq), level(2 * seq + 1, "B")]})
        batches = await read(here.open(), "", 1_000)
        assert {len(batch.records) for batch in batches} <= {100, 101}
        assert batches[0].more
        assert not batches[-1].more


@virtual
async def test_f095_messages_out_of_order_are_told_by_their_places() -> None:
    """Within a batch records stand in the order of seq; between batches the store decides."""
    async with stand() as here:
        here.inside.switches.shuffle = True
        for seq in range(1, 20):
            here.say(level(seq))
        (batch,) = await read(here.open(), "", 19)
        assert [record.seq for record in batch.records] == list(range(1, 20))
        assert not batch.ordered


@virtual
async def test_a_message_of_another_epoch_begins_a_batch_of_its_own() -> None:
    """The epoch counts that was published last; once it was left it stays so, whatever the order of delivery."""
    async with stand() as here:
        for seq, epoch in ((1, "e1"), (2, "e1"), (1, "e2"), (3, "e1"), (2, "e2")):
            here.say(level(seq), attributes(epoch=epoch))
            await VirtualClock().sleep(1)
        batches = await read(here.open(), "", 5)
        assert [(one.epoch, len(one.records), one.void) for one in batches] == [
            ("e1", 2, False),
            ("e2", 1, False),
            ("e1", 1, False),
            ("e2", 1, False),
        ]


@virtual
async def test_an_older_epoch_that_is_met_later_counts_for_nothing() -> None:
    """Its first message overtakes nothing: it was published before the epoch that counts, so it must not retire that."""
    async with stand() as here:
        here.say(level(9), attributes(epoch="old"))
        await VirtualClock().sleep(5)
        here.say(level(1), attributes(epoch="new"))
        here.inside.backlog.reverse()
        batches = await read(here.open(), "", 2)
        assert [(one.epoch, one.void) for one in batches] == [("new", False), ("old", True)]
        checkpoint = batches[-1].checkpoint
        here.inside.backlog.clear()
        here.say(level(2), attributes(epoch="new"))
        assert [(one.epoch, one.void) for one in await read(here.open(), checkpoint, 1)] == [("new", False)]
        here.inside.backlog.clear()
        here.say(level(10), attributes(epoch="old"))
        here.say(level(3), attributes(epoch="new"))
        later = await read(here.open(), checkpoint, 2)
        assert [(one.epoch, one.void) for one in later] == [("old", True), ("new", False)]


@virtual
async def test_a_message_of_another_feed_is_set_aside() -> None:
    """Places of two feeds cannot be compared; the feed is remembered by the checkpoint."""
    async with stand() as here:
        here.say(level(1))
        (batch,) = await read(here.open(), "", 1)
        here.say(level(2), attributes() | {"feed": "other"})
        (later,) = await read(here.open(), batch.checkpoint, 0, rejects=1)
        assert [one.code for one in later.rejects] == ["other_feed"]
        here.say(level(3), attributes() | {"feed": "other"})
        (named,) = await read(here.open(source_feed="other"), later.checkpoint, 1)
        assert [record.seq for record in named.records] == [3]


@virtual
async def test_what_a_message_does_not_say_its_attributes_say() -> None:
    """Its place by the attribute seq, gzip by contentEncoding, a batch of many records."""
    async with stand() as here:
        record = {name: value for name, value in level(1, on_hand=4).items() if name != "seq"}
        here.say(record, attributes(41))
        here.say(
            gzip.compress(json.dumps({"items": [level(42, "B"), level(43, "C")]}).encode()),
            attributes() | {"contentEncoding": "gzip"},
        )
        batches = await read(here.open(), "", 3)
        told = [record for batch in batches for record in batch.records if isinstance(record, Level)]
        assert [(one.seq, one.sku) for one in told] == [(41, "A"), (42, "B"), (43, "C")]


@virtual
async def test_pieces_of_a_snapshot_are_told_with_the_batch() -> None:
    """Part and trailer ride beside records; an item without a seq stands where the snapshot does."""
    async with stand() as here:
        here.say(
            {
                "type": "snapshot.part",
                "snapshotId": "s",
                "part": 1,
                "items": [{"sku": "A", "location": "WH1", "onHand": 1}],
            }
        )
        here.say(
            {
                "type": "snapshot.end",
                "snapshotId": "s",
                "parts": 1,
                "seqAt": "9",
                "check": {"records": 1, "sumOnHand": "1"},
            }
        )
        batch = await begun(here.open())
        assert [(part.part, part.items[0].seq) for part in batch.parts] == [(1, 0)]
        assert [(closing.parts, closing.seq_at, closing.sum_on_hand) for closing in batch.closings] == [
            (1, 9, 1)
        ]


@virtual
async def test_f118_an_answer_without_messages_moves_nothing() -> None:
    """The checkpoint stays, so the store sees no sign of life of the source; and Pub/Sub is not asked again at once."""
    async with stand() as here:
        here.broker.pull_seconds = 0.0
        clock = VirtualClock()
        began = clock.monotonic()
        feed = here.open()
        seen = set()
        async with aclosing(feed.batches('{"feed":"main","epoch":"e1","n":3}')) as reading:  # type: ignore[type-var]
            for _ in range(5):
                one = await anext(reading)
                assert isinstance(one, Batch)
                seen.add((one.checkpoint, one.epoch, one.records))
        assert len(seen) == 1
        assert clock.monotonic() - began >= 4


@pytest.mark.parametrize(("status", "after"), [(429, "30"), (503, None), (500, None)])
@virtual
async def test_an_answer_of_no_use_is_a_fault_to_wait_out(status: int, after: str | None) -> None:
    """No person is needed, and the source's own wish to wait is passed on."""
    async with stand() as here:
        here.inside.switches.refuse["pull"] = [(status, after)]
        fault = await fault_of(here.open())
        assert (fault.blind, fault.retry_after_seconds) == (False, None if after is None else 30)


@virtual
async def test_f117_a_missing_role_or_subscription_is_for_a_person() -> None:
    """The reason says which role, and that a subscription is never made here."""
    async with stand() as here:
        here.inside.switches.forbidden.add("pull")
        fault = await fault_of(here.open())
        assert (fault.blind, "roles/pubsub.subscriber" in fault.reason) == (True, True)
        fault = await fault_of(here.open(subscription="projects/site/subscriptions/nothing"))
        assert (fault.blind, "must exist" in fault.reason) == (True, True)


@virtual
async def test_redirects_and_hostile_answers_are_refused() -> None:
    """Nothing leads our token elsewhere, and what is no answer to a pull is a fault."""
    answers = [
        web.Response(status=307, headers={"Location": "http://127.0.0.1:9/"}),
        web.Response(body=b"[]"),
        web.Response(body=b'{"receivedMessages":{}}'),
        web.Response(body=b'{"receivedMessages":[{"message":{}}]}'),
        web.Response(body=b"{", content_type="application/json"),
    ]
    asked = []

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        return answers[min(len(asked), len(answers)) - 1]

    async with scripted(answer) as url:
        for wanted in (
            "redirects are not followed",
            "no JSON object",
            "no list",
            "without a name",
            "no JSON",
        ):
            feed = feed_at(url)
            assert wanted in (await fault_of(feed)).reason
            # What it gives back at the end is answered as before.
            await feed.close()


@virtual
async def test_f108_an_answer_that_breaks_off_is_not_read_and_nothing_of_it_acknowledged() -> None:
    """Half of what was delivered may be readable; all of it comes again."""
    asked: list[str] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        asked.append(head.split(b" ")[1].decode().rpartition(":")[2])
        message = {"ackId": "a1", "message": {"data": encoded(level(1)), "attributes": attributes()}}
        body = json.dumps({"receivedMessages": [message]}).encode()
        announced = (
            f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        writer.write(announced.encode() + body[:-2])
        await writer.drain()

    async with raw_server(talk) as url:
        feed = feed_at(url)
        assert not (await fault_of(feed)).blind
        await feed.close()
    assert set(asked) == {"pull"}


@virtual
async def test_closing_gives_back_what_is_held() -> None:
    """Whoever reads next need not wait for a deadline."""
    async with stand(deadline=600.0) as here:
        here.say(level(1))
        await begun(here.open())
        await here.feeds[0].close()
        assert [one.id for one in here.inside.backlog] == ["1"]


def test_only_safe_addresses_and_whole_names_are_taken() -> None:
    """Records and tokens travel in the clear on this machine alone."""
    for wrong in (
        {"url": "http://pubsub.test"},
        {"url": "https://u:p@pubsub.test"},
        {"subscription": "sub"},
        {"page_limit": 0},
    ):
        with pytest.raises(ValueError, match=":"):
            feed_at(**{"url": "https://pubsub.test", **wrong})  # type: ignore[arg-type]

"""A site whose warehouse publishes to Pub/Sub: the whole daemon against a queue that keeps no order and forgets nothing."""

from __future__ import annotations

import pytest

from archsyncd.assembly import placement_of, rules_of, tail_options
from archsyncd.domain.cases import CaseKind
from archsyncd.domain.times import rfc3339
from archsyncd.operator.protocol import Refusal
from tests.adapters.feeds.subscribing import NAME
from tests.support.virtual_time import virtual
from tests.system.circling import ask
from tests.system.inside import inside
from tests.system.queueing import publishing

STOCK = {"A": 5, "B": 6, "C": 7}
NONE_ACCEPTED = 'snapshot_from = "none-accepted"'


@virtual
async def test_a_snapshot_in_parts_and_records_in_any_order_end_in_step() -> None:
    """The parts come shuffled among records, some of which are newer; orders are counted once."""
    async with inside(seed=301) as (site, house), publishing(site) as queue:
        site.open(STOCK)
        queue.inside.switches.shuffle = True
        async with house.daemon(feed=queue.table()) as daemon:
            site.house.warehouse.receipt("A", "WH1", 3)
            await queue.send_snapshot()
            site.house.warehouse.store_sale("B", "WH1", 1)
            await site.until_stock({"A": 8, "B": 5, "C": 7})
            site.order("C", 2)
            site.house.warehouse.store_sale("C", "WH1", 1)
            # The level may overtake the acceptance that explains it: fewer are offered until that has come, never more.
            await site.stays(lambda: (site.stock("C") or 0) <= 5, "a piece is offered twice", 30)
            await site.stays(lambda: site.stock("C") == 4, "an order is counted twice", 60)
            await site.until(lambda: not queue.inside.out and not queue.inside.backlog, "all is acknowledged")
            assert [one.state for one in await daemon.app.store.snapshots.listed()] == ["applied"]
            assert await daemon.app.store.cases.listed() == []


@virtual
async def test_f094_f095_f114_lost_acknowledgements_and_redelivery_change_nothing() -> None:
    """Each message comes twice and shuffled, acknowledgements are lost, and the daemon is restarted in between."""
    async with inside(seed=302) as (site, house), publishing(site) as queue:
        site.open(STOCK)
        queue.inside.switches.shuffle = queue.inside.switches.twice = True
        async with house.daemon(feed=queue.table()):
            await queue.send_snapshot()
            await site.until_stock(STOCK)
            queue.inside.switches.lose_acknowledgements = 6
            for _ in range(5):
                site.house.warehouse.store_sale("A", "WH1", 1)
                site.house.warehouse.receipt("B", "WH1", 1)
                await site.clock.sleep(2)
        site.house.warehouse.receipt("A", "WH1", 9)
        async with house.daemon() as daemon:
            await site.until_stock({"A": 9, "B": 11})
            await site.stays(lambda: site.stock("A") == 9, "an old level came back", 60)
            state = await daemon.app.store.feeds.state("queue")
            assert state.stale_total > 0
            await site.until(lambda: not queue.inside.out and not queue.inside.backlog, "all is acknowledged")


@virtual
async def test_f114_while_nothing_can_be_stored_nothing_is_lost_to_the_dead_letters() -> None:
    """A disk that is full for two minutes uses up no attempts: messages are held, their deadlines put off."""
    async with inside(seed=303) as (site, house), publishing(site) as queue:
        site.open(STOCK)
        queue.inside.attempts = 5
        async with house.daemon(feed=queue.table()) as daemon:
            await queue.send_snapshot()
            await site.until_stock(STOCK)
            session = daemon.app.store._session
            session.free_space_floor_bytes, floor = 1 << 62, session.free_space_floor_bytes
            site.house.warehouse.store_sale("A", "WH1", 4)
            await site.until(lambda: "feed queue" in daemon.app.shared.notes, "it says that nothing is read")
            await site.stays(
                lambda: site.stock("A") == 5 and not queue.inside.dead, "a message is given up", 600
            )
            session.free_space_floor_bytes = floor
            await site.until_stock({"A": 1})
            assert queue.inside.dead == []


@virtual
async def test_f114_messages_that_come_again_and_again_are_a_case_until_that_ends() -> None:
    """Before the dead-letter topic takes anything away somebody is told, and nobody any more once all is well."""
    async with inside(seed=304) as (site, house), publishing(site) as queue:
        site.open(STOCK)
        queue.inside.attempts = 20
        queue.repeats = 0.0
        async with house.daemon(feed=queue.table()) as daemon:
            queue.inside.switches.lose_acknowledgements = 12
            await queue.send_snapshot()
            await site.until_stock(STOCK)
            case = await daemon.until_case(CaseKind.STALE_FEED, seconds=600)
            assert case is not None
            assert (case.code, "dead-letter" in case.reason) == ("delivered_again", True)
            site.house.warehouse.receipt("A", "WH1", 1)
            await daemon.until_case(CaseKind.STALE_FEED, open_=False, seconds=600)


@virtual
async def test_f100_a_snapshot_of_which_a_part_is_missing_is_given_up_and_told() -> None:
    """Its other parts are acknowledged and kept until the time-out, across a restart; the next one closes the case."""
    async with inside(seed=305) as (site, house), publishing(site) as queue:
        site.open(STOCK)
        table = queue.table(f"{NONE_ACCEPTED}\nsnapshot_timeout_minutes = 2")
        async with house.daemon(feed=table):
            for message in (await queue.snapshot(size=1))[1:]:
                queue.say(message)
            await site.until(lambda: not queue.inside.out and not queue.inside.backlog, "all is acknowledged")
        async with house.daemon() as daemon:
            case = await daemon.until_case(CaseKind.INVALID_RECORD, seconds=300)
            assert case is not None
            assert (case.code, "2 minutes" in case.reason) == ("unfinished_full", True)
            assert site.stock("A") is None
            await queue.send_snapshot()
            await site.until_stock(STOCK)
            await daemon.until_case(CaseKind.INVALID_RECORD, open_=False)


@virtual
async def test_f100_f102_a_snapshot_in_parts_that_does_not_add_up_is_refused_as_a_whole() -> None:
    """A wrong count rejects it, an empty one is held, and records go on."""
    async with inside(seed=306) as (site, house), publishing(site) as queue:
        site.open(STOCK)
        async with house.daemon(feed=queue.table()) as daemon:
            await queue.send_snapshot(check={"records": 99})
            await daemon.until_case(CaseKind.INVALID_RECORD)
            assert site.stock("A") is None
            await queue.send_snapshot()
            await site.until_stock(STOCK)
            site.house.warehouse.store_sale("A", "WH1", 1)
            await site.until_stock({"A": 4})
            state = await daemon.app.store.feeds.state("queue")
            empty = {"parts": 1, "check": {"records": 0, "sumOnHand": "0"}, "seqAt": str(state.seq)}
            queue.say({"type": "snapshot.part", "snapshotId": "empty", "part": 1, "items": []})
            queue.say({"type": "snapshot.end", "snapshotId": "empty", **empty})
            await daemon.until_case(CaseKind.HELD_SNAPSHOT)
            assert site.stock("B") == 6


@virtual
async def test_f110_a_snapshot_whose_last_part_comes_behind_newer_records_is_used() -> None:
    """They were applied before it by right: it fills in the other keys, and theirs stay as they are."""
    async with inside(seed=314) as (site, house), publishing(site) as queue:
        site.open(STOCK)
        async with house.daemon(feed=queue.table()) as daemon:
            last, *others = await queue.snapshot(size=1)
            for message in others:
                queue.say(message)
            site.house.warehouse.store_sale("A", "WH1", 1)
            await site.until_stock({"A": 4})
            queue.say(last)
            await site.until_stock({"A": 4, "B": 6, "C": 7})
            assert [one.state for one in await daemon.app.store.snapshots.listed()] == ["applied"]
            assert await daemon.app.store.cases.listed() == []


@virtual
async def test_f096_a_movement_without_its_balance_waits_and_the_partner_is_asked() -> None:
    """Over a queue it may have overtaken another: the key is read from the feed that has full pictures."""
    async with inside(seed=307) as (site, house), publishing(site, live=False) as queue:
        site.open(STOCK)
        pull = f'[[feed]]\nname = "main"\nurl = "{site.house_url}"\nauth = "none"\nlocations = ["WH1"]\n'
        async with house.daemon(feed=pull + queue.table('snapshot_from = "main"')) as daemon:
            await site.until_stock(STOCK)
            daemon.app.shared.paused_feeds.add("main")
            site.house.warehouse.store_sale("A", "WH1", 2)
            movement = {"id": "m1", "type": "stock.movement", "seq": "900", "sku": "A", "location": "WH1"}
            queue.say(movement | {"delta": -2, "state": "onHand"})
            await site.until_stock({"A": 3})
            assert await daemon.cases(CaseKind.NEEDS_RESYNC) == []


@virtual
async def test_f096_many_keys_are_read_at_once_and_not_some_at_each_answer() -> None:
    """A queue says nothing for long: whatever waits for a read does not wait for its next message as well."""
    stock = {f"S{number:02}": 5 for number in range(50)}
    async with inside(seed=317) as (site, house), publishing(site, live=False) as queue:
        site.open(stock)
        pull = f'[[feed]]\nname = "main"\nurl = "{site.house_url}"\nauth = "none"\nlocations = ["WH1"]\n'
        async with house.daemon(feed=pull + queue.table('snapshot_from = "main"')) as daemon:
            await site.until_stock(stock)
            daemon.app.shared.paused_feeds.add("main")
            for place, sku in enumerate(stock):
                site.house.warehouse.store_sale(sku, "WH1", 1)
                movement = {"id": f"m{place}", "type": "stock.movement", "seq": str(900 + place), "sku": sku}
                queue.say(movement | {"location": "WH1", "delta": -1, "state": "onHand"})
            await site.until_stock(dict.fromkeys(stock, 4), patience_seconds=30)
            assert await daemon.cases(CaseKind.NEEDS_RESYNC) == []


@virtual
async def test_f031_a_new_epoch_asks_the_partner_for_a_full_and_late_messages_of_the_old_one_count_nothing() -> (
    None
):
    """A source that was restored begins an epoch; what of the old one is still in the queue is stale."""
    async with inside(seed=308) as (site, house), publishing(site, live=False) as queue:
        site.open(STOCK)
        pull = f'[[feed]]\nname = "main"\nurl = "{site.house_url}"\nauth = "none"\nlocations = ["WH1"]\n'

        def level(seq: int, pieces: int) -> dict[str, object]:
            figures = {"onHand": pieces, "available": pieces, "asOf": rfc3339(int(site.clock.now() * 1000))}
            return {
                "id": f"l{seq}",
                "type": "stock.level",
                "seq": str(seq),
                "sku": "A",
                "location": "WH1",
                **figures,
            }

        async with house.daemon(feed=pull + queue.table('snapshot_from = "main"')) as daemon:
            await site.until_stock(STOCK)
            await site.clock.sleep(10)
            queue.say(level(900, 4))
            await site.until_stock({"A": 4})
            snapshots = daemon.app.shared.counters["snapshots"]
            queue.say(level(5, 3), epoch="new")
            await site.until(
                lambda: daemon.app.shared.counters["snapshots"] > snapshots, "the partner takes a full"
            )
            await site.until_stock({"A": 3})
            queue.say(level(901, 9))
            await site.stays(lambda: site.stock("A") == 3, "a retired epoch counts", 60)
            queue.say(level(6, 2), epoch="new")
            await site.until_stock({"A": 2})


@virtual
async def test_f097_f110_what_a_seek_skipped_is_in_the_partner_s_next_full_and_one_back_changes_nothing() -> (
    None
):
    """Nothing shows that messages are gone: the partner's full has what they said, and old ones delivered anew are stale."""
    async with inside(seed=315) as (site, house), publishing(site) as queue:
        site.open(STOCK)
        pull = f'[[feed]]\nname = "main"\nurl = "{site.house_url}"\nauth = "none"\nlocations = ["WH1"]\n'
        async with house.daemon(feed=pull + queue.table('snapshot_from = "main"')) as daemon:
            await site.until_stock(STOCK)
            daemon.app.shared.paused_feeds.add("main")
            site.house.warehouse.store_sale("A", "WH1", 1)
            await site.until_stock({"A": 4})
            old = list(site.house.log.after(0, 100, None, None).records)
            site.house.warehouse.store_sale("A", "WH1", 3)
            queue.publish_new()
            assert queue.inside.backlog
            queue.inside.backlog.clear()
            await site.stays(lambda: site.stock("A") == 4, "nobody can know of it", 20)
            site.house.log.forget_through(site.house.log.head_seq)
            daemon.app.shared.paused_feeds.discard("main")
            daemon.app.tails["main"].wake()
            await site.until_stock({"A": 1})
            stale = (await daemon.app.store.feeds.state("queue")).stale_total
            for record in old:
                queue.say(record.body)
            await site.until(lambda: not queue.inside.out and not queue.inside.backlog, "all is acknowledged")
            await site.stays(lambda: site.stock("A") == 1, "an old level came back", 20)
            assert (await daemon.app.store.feeds.state("queue")).stale_total > stale
            assert await daemon.app.store.cases.listed() == []


@virtual
async def test_f101_a_key_that_a_snapshot_in_parts_lacks_stays_as_it_is_and_is_told() -> None:
    """Absent is not zero: the shop goes on selling it, and somebody looks why it was left out."""
    async with inside(seed=316) as (site, house), publishing(site, live=False) as queue:
        site.open(STOCK | {f"S{number}": 5 for number in range(4)})
        async with house.daemon(feed=queue.table()) as daemon:
            await queue.send_snapshot()
            await site.until_stock(STOCK)
            site.house.warehouse.store_sale("A", "WH1", 1)
            del site.house.warehouse.room.holdings["B", "WH1"]
            await queue.send_snapshot()
            await site.until_stock({"A": 4})
            case = await daemon.until_case(CaseKind.NEEDS_RESYNC)
            assert case is not None
            assert case.subject == "B at WH1"
            assert site.stock("B") == 6


@virtual
async def test_f104_f106_poison_is_an_exception_and_acknowledged() -> None:
    """Whatever cannot be read is set aside with its reason, and what is beside it counts."""
    async with inside(seed=309) as (site, house), publishing(site) as queue:
        site.open(STOCK)
        async with house.daemon(feed=queue.table()) as daemon:
            await queue.send_snapshot()
            await site.until_stock(STOCK)
            queue.say(b"\xff\xfe no JSON")
            queue.say({"id": "x", "type": "stock.riddle", "seq": "901"})
            queue.say(
                {"items": [{"id": "y", "type": "stock.level", "seq": "902", "sku": "A", "location": "WH1"}]}
            )
            site.house.warehouse.store_sale("A", "WH1", 1)
            await site.until_stock({"A": 4})
            await site.until(lambda: not queue.inside.out and not queue.inside.backlog, "all is acknowledged")
            codes = {case.code for case in await daemon.cases(CaseKind.INVALID_RECORD)}
            assert {"not_json", "unknown_type"} <= codes


@virtual
async def test_f117_a_subscription_that_may_not_be_pulled_is_told_with_the_role_that_is_missing() -> None:
    """The feed is blind until the role is granted; the case closes by itself."""
    async with inside(seed=310) as (site, house), publishing(site) as queue:
        site.open(STOCK)
        queue.inside.switches.forbidden.add("pull")
        async with house.daemon(feed=queue.table()) as daemon:
            await queue.send_snapshot()
            case = await daemon.until_case(CaseKind.STALE_FEED)
            assert case is not None
            assert "roles/pubsub.subscriber" in case.reason
            queue.inside.switches.forbidden.clear()
            await site.until_stock(STOCK)
            await daemon.until_case(CaseKind.STALE_FEED, open_=False)


@virtual
async def test_f118_a_queue_that_answers_and_brings_nothing_is_called_stale() -> None:
    """That Pub/Sub answers says nothing of the source; a heartbeat does."""
    async with inside(seed=311) as (site, house), publishing(site, live=False) as queue:
        site.open(STOCK)
        async with house.daemon(feed=queue.table()) as daemon:
            await queue.send_snapshot()
            await site.until_stock(STOCK)
            await daemon.until_case(CaseKind.STALE_FEED, seconds=300)
            at = {"at": "2026-01-01T00:00:00Z"}
            queue.say({"id": "h", "type": "feed.heartbeat", "seq": "950", **at})
            await daemon.until_case(CaseKind.STALE_FEED, open_=False)


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [("replay", {"place": "6h"}), ("replay", {"sku": "A"}), ("snapshot.request", {})],
)
@virtual
async def test_a_queue_cannot_be_read_again_and_says_what_can(verb: str, arguments: dict[str, str]) -> None:
    """Its partner may be asked, and Google can deliver once more."""
    async with inside(seed=312) as (site, house), publishing(site, live=False) as queue:
        site.open(STOCK)
        async with house.daemon(feed=queue.table()) as daemon:
            with pytest.raises(Refusal) as refused:
                await ask(daemon, verb, feed="queue", **arguments)
            assert f"seek {NAME} --time" in str(refused.value)


@virtual
async def test_orders_of_a_queues_locations_go_to_its_partner() -> None:
    """The queue tells of the warehouse and takes no orders: whoever has the full pictures does."""
    async with inside(seed=313) as (site, house), publishing(site, live=False) as queue:
        pull = f'[[feed]]\nname = "main"\nurl = "{site.house_url}"\nauth = "none"\n'
        house.write(feed=pull + queue.table('snapshot_from = "main"\nlocations = ["WH1"]'))
        settings = house.settings()
        placement = placement_of(settings, {}, rules_of(settings).policies)
        assert placement.sources == {"WH1": "main"}
        assert tail_options(settings, "queue").parts_seconds == 1800
        assert tail_options(settings, "main").parts_seconds is None

"""Orders carried to Archean: the real store, clients and loops against both simulators, over sockets, in virtual time."""

from __future__ import annotations

import asyncio
import contextlib
import random
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest

from archsyncd.adapters.clock import SteadyClock
from archsyncd.adapters.r247_drop import DropFeed, DropOptions
from archsyncd.adapters.r247_pull.feed import PullFeed
from archsyncd.adapters.sqlite.store import DATABASE_NAME, SqliteStore, open_store
from archsyncd.assembly import order_options, rules_of, tail_options
from archsyncd.connections import commercetools_client, feed_of
from archsyncd.domain.cases import Case, CaseKind
from archsyncd.domain.handover import EligibleRule, OrderStory, Placement, Stage
from archsyncd.domain.tenure import Tenure
from archsyncd.engine.handing_over import HandOver, HandOverOptions
from archsyncd.engine.limiter import Limiter
from archsyncd.engine.noting import Noting
from archsyncd.engine.orders import Orders
from archsyncd.engine.ports import Commercetools
from archsyncd.engine.shared import Shared
from archsyncd.engine.tail import Tail
from archsyncd.simulators.commercetools import OrderLine
from archsyncd.simulators.r247 import Fault, FaultKind
from tests.process.site import CHANNEL, Site
from tests.support.virtual_time import virtual
from tests.system.inside import House, Notes, inside

RULE = EligibleRule(frozenset({"Open", "Confirmed"}), frozenset({"Paid", "absent"}))


def _beat() -> None:
    pass


def bought(site: Site, sku: str, pieces: int, *, channel: str = CHANNEL, **purchase: Any) -> str:
    """A shopper buys; nobody but us tells Archean. Returns the order's id."""
    return site.shop.place_order([OrderLine(sku, pieces, channel)], mode="None", **purchase)


@dataclass
class Carrier:
    """What learns orders, reads the feed and hands over, in one process that can be killed."""

    site: Site
    store: SqliteStore
    file: Path
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def story(self, reference: str) -> OrderStory:
        found = await self.store.handovers.story(reference)
        assert found is not None, reference
        return found

    async def until(self, reference: str, *stages: Stage, seconds: float = 200.0) -> OrderStory:
        """Wait until an order is in one of these states."""
        end = self.site.clock.now() + seconds
        while True:
            found = await self.store.handovers.story(reference)
            if found is not None and found.carried.stage in stages:
                return found
            now = None if found is None else (found.carried.stage, found.carried.reason)
            assert self.site.clock.now() < end, f"{reference} is {now}, not {stages}"
            await self.site.clock.sleep(0.2)

    def kill(self) -> None:
        """As -9: nothing is finished."""
        for task in self.tasks:
            task.cancel()


@asynccontextmanager
async def carrier(
    site: Site,
    house: House,
    *,
    channel: str = "",
    rule: EligibleRule = RULE,
    files: Path | None = None,
    **changes: Any,
) -> AsyncIterator[Carrier]:
    """A process that carries orders; the store of the directory goes on from one to the next.

    `files`: the source is read and written by the files of this directory.
    """
    house.write(**changes)
    settings, world = house.settings(), house.world("one", Notes(), "one")
    clock = SteadyClock(world.clock)
    rules = rules_of(settings)
    store = await open_store(
        settings.daemon.state_dir, clock, rules, project="demo", host="one", new_ledger_id="ledger"
    )
    fence = max(await store.fence() + 1, clock.wall_ms() // 1000)
    await store.take_tenure(Tenure("one", fence, store.ledger.id))
    await store.use_rules(rules)
    shared = Shared(clock)
    limiter = Limiter(50.0, 50.0, 16, clock, world.chance)
    client = commercetools_client(settings, world, limiter)
    feed = feed_of(settings.feeds[0], world, _beat)
    if files is not None:
        await feed.close()
        feed = DropFeed(DropOptions(name=feed.name, directory=files, source_feed="main"), clock, _beat)
    assert isinstance(feed, PullFeed | DropFeed)
    found = await client.channels(None)
    assert isinstance(found, tuple)
    client.use_channels(found[0])
    shared.channel_keys, shared.channels_read = {each.id: each.key for each in found[0]}, 1
    shared.export_channels = frozenset(each.key for each in found[0] if each.exports)
    asking = replace(order_options(settings), poll_seconds=1.0, hands_over=True)
    orders = Orders(store, cast("Commercetools", client), limiter, shared, asking, _beat)

    def placement() -> Placement:
        return Placement(shared.channel_keys, store.rules.policies, "", feed.name)

    options = HandOverOptions(rule, "key", 600.0)
    hand_over = HandOver(
        store, client, feed, feed.desk, limiter, shared, options, placement, world.chance, _beat
    )
    noting = Noting(store, client, limiter, shared, channel, world.chance, _beat)
    tail = Tail(feed, store, shared, tail_options(settings, feed.name), world.chance, _beat)
    running = Carrier(site, store, settings.daemon.state_dir / DATABASE_NAME)
    for part in (orders, hand_over, noting, tail):
        running.tasks.append(asyncio.create_task(part.run(), name=type(part).__name__))
    try:
        yield running
        for task in running.tasks:
            if task.done() and not task.cancelled():
                task.result()
    finally:
        running.kill()
        await asyncio.gather(*running.tasks, return_exceptions=True)
        with contextlib.suppress(Exception):
            await feed.close()
        await client.close()
        await store.close()


def held_there(site: Site) -> dict[str, str]:
    """What Archean's books say of each order."""
    return {name: order.status.value for name, order in site.house.warehouse.book.orders.items()}


@virtual
async def test_an_order_reaches_archean_whole_and_its_number_comes_back() -> None:
    """Learnt, judged, sent under its id, accepted; the number stands on the order, and no name is kept."""
    async with inside(seed=301) as (site, house):
        site.open({"A": 10, "B": 5})
        site.shop.add_channel("archean", roles=["OrderExport"])
        async with carrier(site, house, channel="archean") as at:
            order_id = bought(site, "A", 3, order_number="CT-1")
            story = await at.until("CT-1", Stage.ACCEPTED)
            await site.until(lambda: site.shop.order(order_id)["syncInfo"], "the number on the order")
            assert held_there(site) == {order_id: "accepted"}
            assert site.shop.order(order_id)["syncInfo"][0]["externalId"] == story.carried.source_order
            assert [stage for _, stage, _ in story.events] == [
                Stage.LEARNED,
                Stage.READY,
                Stage.SENDING,
                Stage.ACCEPTED,
            ]
            assert await at.store.handovers.due(10) == []


@virtual
async def test_f134_an_answer_that_is_lost_makes_no_second_order() -> None:
    """Archean has it or has it not: it is asked, and in the end it has it once."""
    async with inside(seed=302) as (site, house):
        site.open({"A": 100})
        async with carrier(site, house) as at:
            for number, kind in enumerate((FaultKind.DROP_AFTER, FaultKind.DROP_BEFORE, FaultKind.GARBAGE)):
                site.house.script.add(Fault(kind, endpoint="orders"))
                order_id = bought(site, "A", 1)
                await at.until(order_id, Stage.ACCEPTED, seconds=600)
                assert len(held_there(site)) == number + 1
            assert site.house.warehouse.book.duplicates == []


@virtual
async def test_f145_an_order_waits_until_it_is_paid() -> None:
    """It counts from the moment it is learnt, and goes when its payment is confirmed."""
    async with inside(seed=303) as (site, house):
        site.open({"A": 10})
        async with carrier(site, house) as at:
            order_id = bought(site, "A", 1, payment_state="Pending")
            story = await at.until(order_id, Stage.WAITING)
            assert "payment state is Pending" in story.carried.reason
            assert held_there(site) == {}
            site.shop.update_order(order_id, {"action": "changePaymentState", "paymentState": "Paid"})
            await at.until(order_id, Stage.ACCEPTED)


@virtual
async def test_f140_an_order_cancelled_before_it_was_sent_is_never_sent() -> None:
    """Its pieces are free with that."""
    async with inside(seed=304) as (site, house):
        site.open({"A": 10})
        never = EligibleRule(frozenset({"Open"}), frozenset({"Paid"}))
        async with carrier(site, house, rule=never) as at:
            order_id = bought(site, "A", 2)
            await at.until(order_id, Stage.WAITING)
            site.shop.cancel_order(order_id)
            await at.until(order_id, Stage.CANCELLED)
            assert held_there(site) == {}
            assert [event[1] for event in (await at.story(order_id)).events][-1] is Stage.CANCELLED


@virtual
async def test_f141_a_cancellation_after_the_hand_over_is_archeans_to_confirm() -> None:
    """Not packed yet: Archean cancels it too. Shipped: somebody must know, and nothing is given back."""
    async with inside(seed=305) as (site, house):
        site.open({"A": 10})
        async with carrier(site, house) as at:
            early, late = bought(site, "A", 1), bought(site, "A", 1)
            await at.until(early, Stage.ACCEPTED)
            await at.until(late, Stage.ACCEPTED)
            site.house.warehouse.dispatch.ship(late)
            for order_id in (early, late):
                site.shop.cancel_order(order_id)
            await at.until(early, Stage.CANCELLED)
            end = site.clock.now() + 100
            while not (found := await at.store.cases.listed(kind=CaseKind.STATUS_CONFLICT)):
                assert site.clock.now() < end
                await site.clock.sleep(0.5)
            assert [case.code for case in found] == ["already_shipped"]
            assert held_there(site) == {early: "cancelled", late: "accepted"}


@virtual
async def test_one_bad_line_holds_the_whole_order() -> None:
    """Never a part of an order: it waits for a person, and says which line."""
    async with inside(seed=306) as (site, house):
        site.open({"A": 10})
        site.shop.add_channel("elsewhere")
        site.shop.add_products(["C"])
        async with carrier(site, house) as at:
            good, bad = bought(site, "A", 1), bought(site, "C", 1, channel="elsewhere")
            story = await at.until(bad, Stage.HELD)
            assert "elsewhere" in story.carried.reason
            await at.until(good, Stage.ACCEPTED)
            assert held_there(site) == {good: "accepted"}
            assert await at.store.cases.listed(kind=CaseKind.ORDER_UNMAPPED_LINE)


@virtual
async def test_f010_f134_a_process_that_dies_while_sending_leaves_one_order() -> None:
    """Killed at seeded moments around the PUT; the next one asks before it tells anything again."""
    async with inside(seed=307) as (site, house):
        site.open({"A": 100})
        wanted = []
        for number in range(6):
            async with carrier(site, house) as at:
                wanted.append(bought(site, "A", 1))
                await site.clock.sleep(0.4 + 0.35 * number)
                at.kill()
        async with carrier(site, house) as at:
            for order_id in wanted:
                await at.until(order_id, Stage.ACCEPTED, seconds=900)
        assert sorted(held_there(site)) == sorted(wanted)
        assert site.house.warehouse.book.duplicates == []


CANARY = "canary-4711@example.com"


@virtual
async def test_f148_no_name_and_no_address_stays_once_archean_has_the_order() -> None:
    """The body is in the row while it may have to be sent again, and in none after that."""
    async with inside(seed=308) as (site, house):
        site.open({"A": 10})
        site.house.script.add(Fault(FaultKind.STATUS, endpoint="orders", times=2))
        async with carrier(site, house) as at:
            order_id = bought(site, "A", 1, email=CANARY)
            await at.until(order_id, Stage.IN_DOUBT, Stage.READY)
            await at.until(order_id, Stage.ACCEPTED, seconds=600)
            assert CANARY in site.house.warehouse.book.orders[order_id].asked.content
            with sqlite3.connect(at.file) as look:
                rows = look.execute("SELECT * FROM handover").fetchall()
            look.close()
            assert len(rows) == 1
            assert CANARY not in repr(rows)


@virtual
async def test_f136_an_order_that_archean_rejects_is_held_whole() -> None:
    """With its reason; cancelled in commercetools it is over."""
    async with inside(seed=309) as (site, house):
        site.open({"A": 10})
        site.shop.add_products(["Z"])
        async with carrier(site, house) as at:
            order_id = bought(site, "Z", 1)
            story = await at.until(order_id, Stage.HELD)
            assert "unknown_sku" in story.carried.reason
            assert await at.store.cases.listed(kind=CaseKind.ORDER_REJECTED)
            site.shop.cancel_order(order_id)
            await at.until(order_id, Stage.CANCELLED)
            assert await at.store.cases.listed(kind=CaseKind.ORDER_REJECTED) == []


async def conflict(at: Carrier, code: str) -> Case:
    """Wait until the two systems are said to disagree about an order."""
    end = at.site.clock.now() + 200
    while not (found := await at.store.cases.listed(kind=CaseKind.STATUS_CONFLICT)):
        assert at.site.clock.now() < end
        await at.site.clock.sleep(0.5)
    assert [case.code for case in found] == [code]
    return found[0]


@virtual
async def test_f138_lines_of_one_sku_stay_two_lines() -> None:
    """O3: the lines that Archean has are those of the order, by their ids."""
    async with inside(seed=311) as (site, house):
        site.open({"A": 10})
        async with carrier(site, house) as at:
            lines = [OrderLine("A", 1, CHANNEL), OrderLine("A", 2, CHANNEL, gift=True)]
            order_id = site.shop.place_order(lines, mode="None")
            await at.until(order_id, Stage.ACCEPTED)
            asked = site.house.warehouse.book.orders[order_id].asked.lines
            ids = [line["id"] for line in site.shop.order(order_id)["lineItems"]]
            assert [(line.line_ref, line.sku, line.quantity) for line in asked] == [
                (ids[0], "A", 1),
                (ids[1], "A", 2),
            ]


@virtual
async def test_f139_a_very_long_order_goes_whole() -> None:
    """Gifts and all, in one body."""
    async with inside(seed=312) as (site, house):
        site.open({"A": 10_000})
        async with carrier(site, house) as at:
            lines = [OrderLine("A", 1, CHANNEL, gift=number % 7 == 0) for number in range(2_000)]
            order_id = site.shop.place_order(lines, mode="None")
            await at.until(order_id, Stage.ACCEPTED)
            assert len(site.house.warehouse.book.orders[order_id].asked.lines) == 2_000


@virtual
async def test_f142_an_order_that_is_edited_after_the_hand_over_is_told_and_never_sent_twice() -> None:
    """Archean has it as it was; a change of its address or payment alone is nothing."""
    async with inside(seed=313) as (site, house):
        site.open({"A": 10})
        async with carrier(site, house) as at:
            order_id = bought(site, "A", 3)
            await at.until(order_id, Stage.ACCEPTED)
            site.shop.update_order(order_id, {"action": "changePaymentState", "paymentState": "Paid"})
            await site.clock.sleep(20)
            assert await at.store.cases.listed(kind=CaseKind.STATUS_CONFLICT) == []
            line = site.shop.order(order_id)["lineItems"][0]["id"]
            site.shop.edit_order(order_id, {line: 1})
            await conflict(at, "edited")
            assert site.house.requests["orders"] <= 2
            assert site.house.warehouse.book.duplicates == []


@virtual
async def test_f142_an_order_that_is_edited_while_it_waits_goes_as_it_is_then() -> None:
    """Nothing was sent before."""
    async with inside(seed=314) as (site, house):
        site.open({"A": 10})
        async with carrier(site, house) as at:
            order_id = bought(site, "A", 3, payment_state="Pending")
            await at.until(order_id, Stage.WAITING)
            site.shop.edit_order(order_id, {site.shop.order(order_id)["lineItems"][0]["id"]: 1})
            _pay(site, order_id, [])
            await at.until(order_id, Stage.ACCEPTED)
            assert [line.quantity for line in site.house.warehouse.book.orders[order_id].asked.lines] == [1]


@virtual
async def test_f143_an_order_that_is_deleted_is_not_sent_or_is_for_a_person() -> None:
    """Deleting is not cancelling: what Archean has is nobody's to take back by itself."""
    async with inside(seed=315) as (site, house):
        site.open({"A": 10})
        async with carrier(site, house) as at:
            waiting, taken = bought(site, "A", 1, payment_state="Pending"), bought(site, "A", 1)
            await at.until(waiting, Stage.WAITING)
            await at.until(taken, Stage.ACCEPTED)
            site.shop.delete_order(waiting)
            await at.until(waiting, Stage.CANCELLED)
            site.shop.delete_order(taken)
            case = await conflict(at, "deleted")
            assert taken in case.reason
            assert held_there(site) == {taken: "accepted"}


@pytest.mark.parametrize("kind", ["checkout", "import", "recurring"])
def test_f144_an_order_of_any_kind_is_handed_over(kind: str) -> None:
    """However it was made."""

    @virtual
    async def run() -> None:
        async with inside(seed=316) as (site, house):
            site.open({"A": 10})
            async with carrier(site, house) as at:
                order_id = bought(site, "A", 1, kind=kind)
                await at.until(order_id, Stage.ACCEPTED)

    run()


@virtual
async def test_f144_an_order_that_ships_apart_to_one_address_is_handed_over() -> None:
    """Its receiver stands with its shippings."""
    async with inside(seed=317) as (site, house):
        site.open({"A": 10})
        async with carrier(site, house) as at:
            order_id = bought(site, "A", 1, shipping_mode="Multiple", email=CANARY)
            await at.until(order_id, Stage.ACCEPTED)
            assert CANARY in site.house.warehouse.book.orders[order_id].asked.content


TROUBLES = (
    FaultKind.DROP_AFTER,
    FaultKind.DROP_BEFORE,
    FaultKind.GARBAGE,
    FaultKind.STATUS,
    FaultKind.CUT_BODY,
    FaultKind.SLOW,
)


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_o1_o6_whatever_happens_each_order_is_there_once_or_explained(seed: int) -> None:
    """Random faults at the order desk, kills, late payments and cancellations; in the end nothing is lost or doubled."""

    @virtual
    async def run() -> None:
        chance = random.Random(seed)
        async with inside(
            seed=320 + seed,
            house={"acceptance": chance.choice(["at-once", "later"]), "idempotent": chance.random() < 0.5},
        ) as (
            site,
            house,
        ):
            site.open({"A": 1_000})
            bought_: list[str] = []
            unpaid: list[str] = []
            cancelled: list[str] = []
            for _ in range(6):
                async with carrier(site, house) as at:
                    for _ in range(8):
                        if chance.random() < 0.5:
                            site.house.script.add(Fault(chance.choice(TROUBLES), endpoint="orders"))
                        if chance.random() < 0.4:
                            # The feed's own word of an acceptance must not be what every doubt is settled by.
                            times = chance.randint(2, 8)
                            site.house.script.add(Fault(FaultKind.STATUS, endpoint="changes", times=times))
                        paid = chance.random() < 0.7
                        bought_.append(bought(site, "A", 1, payment_state="Paid" if paid else "Pending"))
                        unpaid += [] if paid else bought_[-1:]
                        if chance.random() < 0.2:
                            cancelled.append(
                                chance.choice([each for each in bought_ if each not in cancelled])
                            )
                            site.shop.cancel_order(cancelled[-1])
                        if unpaid and chance.random() < 0.3:
                            _pay(site, unpaid.pop(), cancelled)
                        await site.clock.sleep(chance.uniform(0.1, 4.0))
                    at.kill()
            site.house.script.clear()
            for order_id in unpaid:
                _pay(site, order_id, cancelled)
            async with carrier(site, house) as at:
                for order_id in bought_:
                    ends = (Stage.CANCELLED,) if order_id in cancelled else (Stage.ACCEPTED,)
                    await at.until(order_id, *ends, seconds=2_000)
            there = held_there(site)
            assert site.house.warehouse.book.duplicates == []
            assert {name for name, status in there.items() if status == "accepted"} == set(bought_) - set(
                cancelled
            )

    run()


def _pay(site: Site, order_id: str, cancelled: list[str]) -> None:
    if order_id not in cancelled:
        site.shop.update_order(order_id, {"action": "changePaymentState", "paymentState": "Paid"})


@virtual
async def test_o5_an_order_that_was_cancelled_since_it_was_looked_at_is_not_sent() -> None:
    """What was read as due may be cancelled by the time its turn comes: then nothing is sent of it."""
    async with inside(seed=311) as (site, house):
        site.open({"A": 10})
        async with carrier(site, house) as at:
            order_id = bought(site, "A", 1, payment_state="Pending")
            waiting = (await at.until(order_id, Stage.WAITING)).carried
            at.kill()
            await at.store.orders.forget(order_id)  # a deletion ends what was not sent
            assert await at.store.handovers.ready(waiting, "{}", "", 2) is None
            assert (await at.story(order_id)).carried.sent == 0

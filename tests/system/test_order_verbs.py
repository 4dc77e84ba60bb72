"""What people see and do about orders: the verbs of archsyncctl against a daemon that carries them."""

from __future__ import annotations

import pytest

from archsyncd.domain.cases import CaseKind, NewCase
from archsyncd.domain.handover import Stage
from archsyncd.operator.protocol import Refusal
from archsyncd.operator.screens import order_lines, status_lines
from archsyncd.simulators.commercetools import OrderLine
from archsyncd.simulators.r247 import Fault, FaultKind
from tests.process.site import CHANNEL, LOCATION
from tests.support.virtual_time import virtual
from tests.system.circling import HAND_OVER, accepted, ask, buys, refs, state, until
from tests.system.inside import inside


@virtual
async def test_one_orders_story_has_both_sides_and_the_next_step() -> None:
    """By number or by id: where it stands, what either system says, its dispatches and its history, and no name."""
    async with accepted(451, 3, order_number="CT-1", email="canary@example.com") as (site, running, order_id):
        site.house.warehouse.dispatch.ship(order_id, {refs(site, order_id)[0]: 2})
        await until(running, "CT-1", Stage.PART_SHIPPED)
        await site.until(
            lambda: site.house.warehouse.dispatch.fulfilments["F-1"][1].acknowledgement, "the word of it"
        )
        await site.clock.sleep(1)
        story = await ask(running, "order", reference="CT-1")
        assert story == await ask(running, "order", reference=order_id) | {
            "age_seconds": story["age_seconds"]
        }
        assert (story["state"], story["archean"]["status"]) == ("part_shipped", "accepted")
        assert story["commercetools"]["shipment_state"] == "Partial"
        assert story["commercetools"]["lines"] == [{"sku": "A", "quantity": 3, "delivered": 2}]
        (dispatch,) = story["dispatches"]
        assert (dispatch["id"], dispatch["stage"], dispatch["acknowledged"]) == ("F-1", "done", True)
        text = "\n".join(order_lines(story))
        assert "order CT-1" in text
        assert "Archean knows" in text
        assert "the rest is waited for" in text
        assert "canary" not in text + repr(story)
        states = [event["state"] for event in story["history"]]
        assert states[:4] == ["learned", "ready", "sending", "accepted"]


@virtual
async def test_orders_are_listed_by_state_and_counted_in_the_status() -> None:
    """What waits says why; the status has the counts and how long things took."""
    async with inside(seed=452) as (site, house):
        site.open({"A": 10})
        async with house.daemon(orders=HAND_OVER) as running:
            await site.until_stock({"A": 10})
            unpaid, paid = buys(site, ("A", 1), payment_state="Pending"), buys(site, ("A", 1))
            await until(running, unpaid, Stage.WAITING)
            await until(running, paid, Stage.ACCEPTED)
            site.house.warehouse.dispatch.ship(paid)
            await until(running, paid, Stage.CLOSED)
            listed = await ask(running, "orders.list", state="waiting")
            assert [row["order"] for row in listed["rows"]] == [unpaid]
            assert "payment state is Pending" in listed["rows"][0]["reason"]
            assert [each["state"] for each in listed["states"]] == ["waiting"]
            await site.clock.sleep(6)
            status = await ask(running, "status")
            assert status["hand_over"]["lags"]["handed_over"]["count"] == 1
            assert status["hand_over"]["lags"]["booked"]["count"] == 1
            text = "\n".join(status_lines(status))
            assert "hand-over   waiting 1" in text
            assert "dispatches  none waits" in text


@virtual
async def test_an_unknown_order_is_said_to_be_unknown() -> None:
    """With a near match where a space slipped in."""
    async with inside(seed=453) as (site, house):
        site.open({"A": 10})
        async with house.daemon(orders=HAND_OVER) as running:
            await site.until_stock({"A": 10})
            await until(running, buys(site, ("A", 1), order_number="CT-5"), Stage.ACCEPTED)
            with pytest.raises(Refusal, match="Did you mean 'CT-5'"):
                await ask(running, "order", reference="CT-5 ")
            with pytest.raises(Refusal, match="Nothing is known"):
                await ask(running, "order", reference="CT-6")


@virtual
async def test_a_person_has_an_order_tried_again_or_lets_go_of_it() -> None:
    """Rejected by Archean: retried once it is set right; dismissed it is nobody's here any more, and Archean's word counts."""
    async with inside(seed=454) as (site, house):
        site.open({"A": 10})
        site.shop.add_products(["Z"])
        async with house.daemon(orders=HAND_OVER) as running:
            await site.until_stock({"A": 10})
            first, second = buys(site, ("Z", 1), mode="None"), buys(site, ("Z", 1), mode="None")
            await until(running, first, Stage.HELD)
            await until(running, second, Stage.HELD)
            cases = {case.subject: case for case in await running.cases(CaseKind.ORDER_REJECTED)}
            site.house.warehouse.seed("Z", LOCATION, 5)
            answer = await ask(running, "exceptions.retry", id=cases[first].id)
            assert answer["done"]
            await until(running, first, Stage.ACCEPTED)
            said = await ask(running, "exceptions.dismiss", id=cases[second].id, reason="told by phone")
            assert "not handed over from here" in said["says"]
            await until(running, second, Stage.DISMISSED)
            assert set(site.house.warehouse.book.orders) == {first}
            site.tell_house(second, 0.0)
            await until(running, second, Stage.ACCEPTED)


@virtual
async def test_f134_without_protection_an_order_in_doubt_waits_for_a_person_and_is_never_sent_blindly() -> (
    None
):
    """Neither after the lost answer nor after a restart; a person who has looked has it sent, once."""
    async with inside(seed=455, house={"offers_lookup": False, "idempotent": False}) as (site, house):
        site.open({"A": 10})
        orders = HAND_OVER + 'duplicate_protection = "none"\nstalled_minutes = 1'
        async with house.daemon(orders=orders) as running:
            await site.until_stock({"A": 10})
            site.house.script.add(Fault(FaultKind.DROP_BEFORE, endpoint="orders"))
            order_id = buys(site, ("A", 1))
            await until(running, order_id, Stage.IN_DOUBT)
            assert await running.until_case(CaseKind.ORDER_IN_DOUBT) is not None
        async with house.daemon() as running:
            await site.clock.sleep(120)
            await until(running, order_id, Stage.IN_DOUBT)
            assert site.house.warehouse.book.orders == {}
            assert await running.cases(CaseKind.STALLED_ORDERS)
            (case,) = await running.cases(CaseKind.ORDER_IN_DOUBT)
            assert "exceptions retry" in (await ask(running, "order", reference=order_id))["next"]
            assert "retry" in (await ask(running, "exceptions.show", id=case.id))["remedy"][0]
            assert (await ask(running, "exceptions.retry", id=case.id))["done"]
            await until(running, order_id, Stage.ACCEPTED)
            assert site.house.warehouse.book.duplicates == []
            await running.until_case(CaseKind.STALLED_ORDERS, open_=False)


@virtual
async def test_a_short_pick_is_closed_by_retrying_its_exception() -> None:
    """And an exception about a dispatch that somebody settled by hand lets the order be closed."""
    async with accepted(456, 2) as (site, running, order_id):
        site.house.warehouse.dispatch.short(order_id, refs(site, order_id)[0], 1)
        site.house.warehouse.dispatch.ship(order_id)
        case = await running.until_case(CaseKind.SHORT_PICK)
        assert case is not None
        said = await ask(running, "exceptions.retry", id=case.id)
        assert "closed for good" in said["says"]
        await until(running, order_id, Stage.CLOSED_SHORT)
        assert state(site, order_id) == "Shipped"
        other = buys(site, ("A", 1))
        await until(running, other, Stage.ACCEPTED)
        site.house.log.append(
            "fulfilment",
            {
                "orderId": other,
                "fulfilmentId": "F-odd",
                "status": "shipped",
                "lines": [{"sku": "B", "quantity": 1}],
            },
            location=LOCATION,
        )
        case = await running.until_case(CaseKind.FULFILMENT_MISMATCH)
        assert case is not None
        site.house.warehouse.dispatch.ship(other)
        await until(running, other, Stage.SHIPPED)
        said = await ask(running, "exceptions.dismiss", id=case.id, reason="a slip of the scanner")
        assert "settled by hand" in said["says"]
        await until(running, other, Stage.CLOSED)


@virtual
async def test_orders_that_another_system_hands_over_are_told_so() -> None:
    """In mode observe an order is counted, and nothing is carried."""
    async with inside(seed=457) as (site, house):
        site.open({"A": 10})
        async with house.daemon() as running:
            await site.until_stock({"A": 10})
            order_id = site.order("A", 1)
            await site.until_stock({"A": 9})
            await site.clock.sleep(5)
            with pytest.raises(Refusal, match="another system hands orders over"):
                await ask(running, "order", reference=order_id)
            assert (await ask(running, "status"))["hand_over"] is None


@virtual
async def test_going_over_to_handing_over_asks_about_what_is_open() -> None:
    """What was placed before is looked up: what Archean has is carried on, what it does not know waits for a person."""
    async with inside(seed=458) as (site, house):
        site.open({"A": 20})
        async with house.daemon() as running:
            await site.until_stock({"A": 20})
            known = site.order("A", 1)
            untold = site.order("A", 1, import_seconds=None)
            await site.clock.sleep(20)
        async with house.daemon(orders=HAND_OVER) as running:
            await until(running, known, Stage.ACCEPTED)
            await until(running, untold, Stage.HELD)
            fresh = buys(site, ("A", 1))
            await until(running, fresh, Stage.ACCEPTED)
            (case,) = await running.cases(CaseKind.ORDER_IN_DOUBT)
            assert (await ask(running, "exceptions.retry", id=case.id))["done"]
            await until(running, untold, Stage.ACCEPTED)
            assert site.house.warehouse.book.duplicates == []
            assert CHANNEL in running.app.store.rules.policies.channels
            for order_id in (known, untold, fresh):
                site.house.warehouse.dispatch.ship(order_id)
                await until(running, order_id, Stage.CLOSED)
            await site.until_stock({"A": 17})


@virtual
async def test_a_held_order_goes_once_the_rules_let_it() -> None:
    """A location that is mapped, a payment state that is enough: a reload has what waits and what is held judged anew."""
    async with inside(seed=459, house={"locations": ("WH1", "WH2"), "channels": {"WH1": CHANNEL}}) as (
        site,
        house,
    ):
        site.open({"A": 10})
        site.shop.add_channel("warehouse-2")
        site.house.warehouse.seed("A", "WH2", 5)
        strict = 'eligible = { payment_state = ["Paid"] }'
        async with house.daemon(orders=HAND_OVER + strict) as running:
            await site.until_stock({"A": 10})
            line = OrderLine("A", 1, "warehouse-2", mode="None")
            far = site.shop.place_order([line], payment_state="Paid")
            pending = buys(site, ("A", 1), payment_state="Pending")
            await until(running, far, Stage.HELD)
            await until(running, pending, Stage.WAITING)
            locations = f'{LOCATION} = {{ channel = "{CHANNEL}" }}\nWH2 = {{ channel = "warehouse-2" }}'
            lax = 'eligible = { payment_state = ["Paid", "Pending"] }'
            house.write(orders=HAND_OVER + lax, locations=locations)
            assert await running.app.reload() == []
            await until(running, far, Stage.ACCEPTED)
            await until(running, pending, Stage.ACCEPTED)
            await running.until_case(CaseKind.ORDER_UNMAPPED_LINE, open_=False)


@virtual
async def test_while_the_rollout_only_plans_nothing_is_handed_over() -> None:
    """Neither order nor booking leaves. Beyond planning what is placed from then on goes, and another system had the rest."""
    async with inside(seed=460) as (site, house):
        site.open({"A": 10})
        plan = '[rollout]\nstage = "plan"'
        async with house.daemon(orders=HAND_OVER, more=plan) as running:
            planned = buys(site, ("A", 1), mode="None")
            await site.clock.sleep(60)
            assert not site.house.warehouse.book.orders
            assert await running.app.store.handovers.story(planned) is None
            house.write(orders=HAND_OVER)
            assert await running.app.reload() == []
            await until(running, planned, Stage.HELD)
            await running.until_case(CaseKind.ORDER_IN_DOUBT)
            await until(running, buys(site, ("A", 1), mode="None"), Stage.ACCEPTED)


@virtual
async def test_what_was_closed_long_ago_is_dropped_and_what_is_open_stays() -> None:
    """Orders and dispatches go four months after their end."""
    async with inside(seed=461) as (site, house):
        site.open({"A": 10})
        async with house.daemon(orders=HAND_OVER) as running:
            await site.until_stock({"A": 10})
            done, open_ = buys(site, ("A", 1)), buys(site, ("A", 1))
            await until(running, done, Stage.ACCEPTED)
            await until(running, open_, Stage.ACCEPTED)
            site.house.warehouse.dispatch.ship(done)
            await until(running, done, Stage.CLOSED)
            story = await running.app.store.handovers.story(done)
            assert story is not None
        house.clock.jump_wall(121 * 24 * 3600)
        async with house.daemon() as running:
            await site.clock.sleep(60)
            assert await running.app.store.handovers.story(done) is None
            assert await running.app.store.advices.of_order(done) == []
            assert await running.app.store.handovers.story(open_) is not None


@virtual
async def test_an_order_that_a_restored_archean_has_lost_is_sent_again_by_a_persons_word() -> None:
    """As long as Archean has it nothing is sent twice; once it does not know it, retry brings it back, and stock agrees."""
    async with accepted(457, 3, orders="unproven_minutes = 1\n", order_number="CT-9") as (
        site,
        running,
        order_id,
    ):
        await site.until_stock({"A": 7})
        await running.app.store.cases.open(
            NewCase(CaseKind.UNPROVEN_REFLECTION, "orders", "CT-9", "a case left from before")
        )
        (early,) = await running.app.store.cases.listed(kind=CaseKind.UNPROVEN_REFLECTION)
        refused = await ask(running, "exceptions.retry", id=early.id)
        assert (refused["done"], "Archean has order CT-9" in refused["says"]) == (False, True)
        await running.app.store.cases.close(early.id, "dismissed", "only to see that it is refused")
        site.house.warehouse.forget_imports([order_id], "restored")

        async def unproven() -> bool:
            return bool(await running.app.store.cases.listed(kind=CaseKind.UNPROVEN_REFLECTION))

        end = running.app.clock.monotonic() + 600
        while not await unproven():
            assert running.app.clock.monotonic() < end, "nobody was told"
            await site.clock.sleep(5)
        (case,) = await running.app.store.cases.listed(kind=CaseKind.UNPROVEN_REFLECTION)
        done = await ask(running, "exceptions.retry", id=case.id)
        assert done["done"], done["says"]
        await until(running, order_id, Stage.ACCEPTED)
        assert list(site.house.warehouse.book.orders) == [order_id]
        await site.until_stock({"A": 7})
        assert [event["state"] for event in (await ask(running, "order", reference="CT-9"))["history"]][
            -4:
        ] == [
            "waiting",
            "ready",
            "sending",
            "accepted",
        ]

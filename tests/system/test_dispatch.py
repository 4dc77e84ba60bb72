"""Dispatches and returns carried back: the whole daemon against both simulators, over sockets, in virtual time."""

from __future__ import annotations

import json

from archsyncd.domain.cases import CaseKind
from archsyncd.domain.handover import Stage
from archsyncd.simulators.commercetools import FaultKind, OrderLine
from archsyncd.simulators.r247 import Fault
from archsyncd.simulators.r247 import FaultKind as HouseFault
from tests.process.harness import DROP
from tests.process.site import CHANNEL, LOCATION
from tests.support.virtual_time import virtual
from tests.system.circling import HAND_OVER, accepted, again, buys, deliveries, refs, returned, state, until
from tests.system.inside import inside
from tests.system.test_hand_over_files import source

RETURNS = "WH1-RET"


@virtual
async def test_f151_parts_are_partial_and_the_last_makes_it_shipped() -> None:
    """One delivery a fulfilment under its id, Partial until every line has left, and Archean knows of each booking."""
    async with inside(seed=401) as (site, house):
        site.open({"A": 10, "B": 5})
        async with house.daemon(orders=HAND_OVER) as running:
            await site.until_stock({"A": 10, "B": 5})
            order_id = buys(site, ("A", 3), ("B", 1), order_number="CT-1")
            await until(running, "CT-1", Stage.ACCEPTED)
            dispatch = site.house.warehouse.dispatch
            dispatch.ship(order_id, {refs(site, order_id)[0]: 2})
            await until(running, "CT-1", Stage.PART_SHIPPED)
            assert state(site, order_id) == "Partial"
            dispatch.ship(order_id)
            await until(running, "CT-1", Stage.CLOSED)
            assert state(site, order_id) == "Shipped"
            booked = deliveries(site, order_id)
            assert [each["key"] for each in booked] == ["F-1", "F-2"]
            assert [[item["quantity"] for item in each["items"]] for each in booked] == [[2], [1, 1]]
            assert booked[0]["parcels"][0]["key"] == "P-1"
            assert booked[0]["parcels"][0]["trackingData"]["carrier"] == "DPD"
            told = [each.acknowledgement for _, each in dispatch.fulfilments.values()]
            assert [one and one["shipmentState"] for one in told] == ["Partial", "Shipped"]
            await site.until_stock({"A": 7, "B": 4})


@virtual
async def test_p1_nothing_is_called_shipped_before_it_has_left() -> None:
    """Allocated, picked and packed goods change nothing in commercetools."""
    async with accepted(402, 1) as (site, _running, order_id):
        for status in ("allocated", "picking", "picked", "packed"):
            site.house.warehouse.dispatch.progress(order_id, status)
            await site.clock.sleep(5)
            assert state(site, order_id) is None
            assert deliveries(site, order_id) == []


@virtual
async def test_picked_goods_are_ready_where_that_is_configured() -> None:
    """And never called shipped by that."""
    async with accepted(403, 1, more="[fulfilment]\nready_state = true") as (site, _running, order_id):
        site.house.warehouse.dispatch.progress(order_id, "picked")
        await site.until(lambda: state(site, order_id) == "Ready", "the state Ready")
        site.house.warehouse.dispatch.ship(order_id)
        await site.until(lambda: state(site, order_id) == "Shipped", "the state Shipped")


@virtual
async def test_f149_a_dispatch_that_is_told_twice_is_one_delivery() -> None:
    """The same record again, and the same fulfilment restated unchanged."""
    async with accepted(404, 2) as (site, running, order_id):
        site.house.warehouse.dispatch.ship(order_id)
        await until(running, order_id, Stage.CLOSED)
        version = site.shop.order(order_id)["version"]
        site.house.script.add(Fault(HouseFault.DUPLICATE, times=5))
        told = deliveries(site, order_id)[0]["parcels"][0]
        parcel = {"parcelId": "P-1", **told["trackingData"]}
        parcel["trackingNumber"] = parcel.pop("trackingId")
        again(site, order_id, "F-1", parcels=[parcel])
        await site.clock.sleep(30)
        assert len(deliveries(site, order_id)) == 1
        assert site.shop.order(order_id)["version"] == version
        assert await running.cases(CaseKind.FULFILMENT_MISMATCH) == []


@virtual
async def test_f158_tracking_that_comes_later_and_looks_odd_is_kept_as_text() -> None:
    """A newer record of the same fulfilment adds a parcel and tracking: capped, without control signs, never a reason to stop."""
    async with accepted(405, 2) as (site, running, order_id):
        site.house.warehouse.dispatch.ship(order_id, parcels=[{"parcelId": "P-1"}])
        await until(running, order_id, Stage.CLOSED)
        odd = "<b>1550</b>\n" + "9" * 5_000
        parcels = [{"parcelId": "P-1", "trackingNumber": odd, "carrier": "DPD"}, {"parcelId": "P-2"}]
        again(site, order_id, "F-1", parcels=parcels)
        await site.until(lambda: len(deliveries(site, order_id)[0]["parcels"]) == 2, "the second parcel")
        tracked = deliveries(site, order_id)[0]["parcels"][0]["trackingData"]["trackingId"]
        assert tracked.startswith("<b>1550</b>9")
        assert len(tracked) == 256
        assert len(deliveries(site, order_id)) == 1


@virtual
async def test_f153_a_dispatch_before_its_order_waits_for_it() -> None:
    """P5: parked, told of when it lasts, and booked when the order appears."""
    async with inside(seed=406) as (site, house):
        site.open({"A": 10})
        more = "[fulfilment]\nunknown_minutes = 1"
        async with house.daemon(orders=HAND_OVER, more=more) as running:
            await site.until_stock({"A": 10})
            fields = {
                "orderNumber": "CT-77",
                "fulfilmentId": "F-1",
                "status": "shipped",
                "location": LOCATION,
                "lines": [{"sku": "A", "quantity": 1}],
            }
            site.house.log.append("fulfilment", fields, location=LOCATION)
            case = await running.until_case(CaseKind.FULFILMENT_UNKNOWN_ORDER, seconds=300)
            assert case is not None
            assert "CT-77" in case.reason
            order_id = buys(site, ("A", 1), order_number="CT-77")
            await site.until(lambda: state(site, order_id) == "Shipped", "the state Shipped")
            await running.until_case(CaseKind.FULFILMENT_UNKNOWN_ORDER, open_=False)


@virtual
async def test_f056_an_answer_of_commercetools_that_is_lost_books_once() -> None:
    """P2: whether the lost request took effect or not, there is one delivery in the end."""
    async with inside(seed=407) as (site, house):
        site.open({"A": 100})
        async with house.daemon(orders=HAND_OVER) as running:
            await site.until_stock({"A": 100})
            kinds = (FaultKind.LOST_ANSWER, FaultKind.SERVER_ERROR_APPLIED, FaultKind.CONFLICT)
            for kind in kinds:
                order_id = buys(site, ("A", 1))
                await until(running, order_id, Stage.ACCEPTED)
                site.shop.faults.add("orders.update", kind)
                site.house.warehouse.dispatch.ship(order_id)
                await until(running, order_id, Stage.CLOSED, seconds=900)
                assert len(deliveries(site, order_id)) == 1
            assert [rule.hits for rule in site.shop.faults.rules.values()] == [1, 1, 1]


@virtual
async def test_the_word_of_the_booking_is_repeated_until_archean_takes_it() -> None:
    """Refused connections, errors and lost answers put it off; the order is closed with the acknowledgement."""
    async with inside(seed=408) as (site, house):
        site.open({"A": 100})
        async with house.daemon(orders=HAND_OVER + "stalled_minutes = 1") as running:
            await site.until_stock({"A": 100})
            order_id = buys(site, ("A", 1))
            await until(running, order_id, Stage.ACCEPTED)
            site.house.script.add(Fault(HouseFault.STATUS, endpoint="fulfilments", times=9))
            site.house.script.add(Fault(HouseFault.DROP_AFTER, endpoint="fulfilments"))
            site.house.warehouse.dispatch.ship(order_id)
            await until(running, order_id, Stage.SHIPPED)
            case = await running.until_case(CaseKind.STALLED_ORDERS, seconds=600)
            assert case is not None
            assert "Archean has not taken notice" in case.reason
            await until(running, order_id, Stage.CLOSED, seconds=3_000)
            await running.until_case(CaseKind.STALLED_ORDERS, open_=False)
            ((_, fulfilment),) = site.house.warehouse.dispatch.fulfilments.values()
            assert fulfilment.acknowledgement is not None
            assert fulfilment.acknowledgement["deliveryKey"] == "F-1"


@virtual
async def test_f155_a_short_pick_is_a_persons_to_decide() -> None:
    """hold: the order stays Partial and somebody is told; closing it makes it Shipped, and the stock is right."""
    async with accepted(409, 3) as (site, running, order_id):
        dispatch = site.house.warehouse.dispatch
        dispatch.short(order_id, refs(site, order_id)[0], 1)
        dispatch.ship(order_id)
        await until(running, order_id, Stage.PART_SHIPPED)
        case = await running.until_case(CaseKind.SHORT_PICK)
        assert case is not None
        assert "1 of A" in case.reason
        assert state(site, order_id) == "Partial"
        assert await running.app.store.advices.close_short_by_name(case.subject)
        await until(running, order_id, Stage.CLOSED_SHORT)
        assert state(site, order_id) == "Shipped"
        await running.until_case(CaseKind.SHORT_PICK, open_=False)
        # Three were bought and one of them was not there.
        await site.until_stock({"A": 7})


@virtual
async def test_f155_a_short_pick_closes_by_rule() -> None:
    """close: what is missing is closed at once; a location that sells on hand has its pieces free again."""
    async with inside(seed=410) as (site, house):
        site.open({"A": 10})
        locations = f'{LOCATION} = {{ channel = "{CHANNEL}", sellable = "onHand" }}'
        more = '[fulfilment]\nshort = "close"'
        async with house.daemon(orders=HAND_OVER, more=more, locations=locations) as running:
            await site.until_stock({"A": 10})
            order_id = buys(site, ("A", 3), mode="ReserveOnOrder")
            await until(running, order_id, Stage.ACCEPTED)
            dispatch = site.house.warehouse.dispatch
            dispatch.short(order_id, refs(site, order_id)[0], 1)
            dispatch.ship(order_id)
            await until(running, order_id, Stage.CLOSED_SHORT)
            assert state(site, order_id) == "Shipped"
            assert await running.cases(CaseKind.SHORT_PICK) == []
            await site.until_stock({"A": 7})


@virtual
async def test_f156_another_sku_than_was_ordered_is_held() -> None:
    """A substitution is for a person; corrected by Archean it is booked."""
    async with inside(seed=411) as (site, house):
        site.open({"A": 10, "B": 10})
        async with house.daemon(orders=HAND_OVER) as running:
            await site.until_stock({"A": 10, "B": 10})
            order_id = buys(site, ("A", 2))
            await until(running, order_id, Stage.ACCEPTED)
            again(site, order_id, "F-1", lines=[{"sku": "B", "quantity": 2}])
            case = await running.until_case(CaseKind.FULFILMENT_MISMATCH)
            assert case is not None
            assert "nobody ordered" in case.reason
            assert deliveries(site, order_id) == []
            again(site, order_id, "F-1")
            await until(running, order_id, Stage.SHIPPED)
            assert [item["quantity"] for item in deliveries(site, order_id)[0]["items"]] == [2]
            # The books of the warehouse know nothing of what was only told: its objection is somebody's to see.
            await site.clock.sleep(5)
            (case,) = await running.cases(CaseKind.FULFILMENT_MISMATCH)
            assert case.code == "not_acknowledged"
            assert "unknown_fulfilment" in case.reason


@virtual
async def test_p3_more_than_was_ordered_is_told_and_the_rest_is_booked() -> None:
    """Nobody else would mind: commercetools takes it, so the guard is ours."""
    async with accepted(412, 2) as (site, running, order_id):
        again(site, order_id, "F-1", lines=[{"sku": "A", "quantity": 5}])
        assert await running.until_case(CaseKind.OVER_SHIPMENT) is not None
        assert [item["quantity"] for item in deliveries(site, order_id)[0]["items"]] == [2]


@virtual
async def test_f160_a_dispatch_of_a_cancelled_order_is_booked_as_a_fact() -> None:
    """Somebody is told, and the order's state stays what it was."""
    async with accepted(413, 2) as (site, running, order_id):
        site.house.warehouse.dispatch.ship(order_id)
        site.shop.cancel_order(order_id)
        await site.until(lambda: deliveries(site, order_id), "the delivery")
        assert await running.until_case(CaseKind.STATUS_CONFLICT) is not None
        assert site.shop.order(order_id)["orderState"] == "Cancelled"
        assert state(site, order_id) is None


@virtual
async def test_f141_an_order_that_is_cancelled_when_part_of_it_has_left_is_told() -> None:
    """Nothing is taken back, and the number of Archean is on it all the same."""
    async with inside(seed=419) as (site, house):
        site.open({"A": 10})
        site.shop.add_channel("archean", roles=["OrderExport"])
        async with house.daemon(orders=HAND_OVER + 'sync_channel = "archean"') as running:
            await site.until_stock({"A": 10})
            order_id = buys(site, ("A", 2))
            await until(running, order_id, Stage.ACCEPTED)
            site.house.warehouse.dispatch.ship(order_id, {refs(site, order_id)[0]: 1})
            await until(running, order_id, Stage.PART_SHIPPED)
            await site.until(lambda: site.shop.order(order_id)["syncInfo"], "Archean's number")
            assert site.shop.order(order_id)["syncInfo"][0]["externalId"] == "SO-991"
            site.shop.cancel_order(order_id)
            case = await running.until_case(CaseKind.STATUS_CONFLICT)
            assert case is not None
            assert case.code == "already_shipped"
            assert site.house.warehouse.book.orders[order_id].status.value == "accepted"


@virtual
async def test_shipped_by_somebody_is_checked_before_anything_is_confirmed() -> None:
    """Without a dispatch of Archean it is a conflict; with one it is in order."""
    async with inside(seed=414) as (site, house):
        site.open({"A": 10})
        async with house.daemon(orders=HAND_OVER) as running:
            await site.until_stock({"A": 10})
            wrong, right = buys(site, ("A", 1)), buys(site, ("A", 1))
            for order_id in (wrong, right):
                await until(running, order_id, Stage.ACCEPTED)
                site.shop.update_order(
                    order_id, {"action": "changeShipmentState", "shipmentState": "Shipped"}
                )
            site.house.warehouse.dispatch.ship(right)
            case = await running.until_case(CaseKind.STATUS_CONFLICT, seconds=200)
            assert case is not None
            assert wrong in case.reason
            assert case.code == "shipped_here"
            await until(running, right, Stage.CLOSED)
            assert len(await running.cases(CaseKind.STATUS_CONFLICT)) == 1
            site.house.warehouse.dispatch.ship(wrong)
            await until(running, wrong, Stage.CLOSED)
            await running.until_case(CaseKind.STATUS_CONFLICT, open_=False)


@virtual
async def test_f157_goods_that_come_back_are_booked_once_and_stock_moves_by_levels() -> None:
    """P6: sellable ones are back in stock, damaged ones unusable, and what waits is decided by a newer record."""
    async with inside(seed=415) as (site, house):
        site.open({"A": 10, "B": 10})
        async with house.daemon(orders=HAND_OVER) as running:
            await site.until_stock({"A": 10, "B": 10})
            order_id = buys(site, ("A", 3), ("B", 1))
            await until(running, order_id, Stage.ACCEPTED)
            site.house.warehouse.dispatch.ship(order_id)
            await until(running, order_id, Stage.CLOSED)
            await site.until_stock({"A": 7, "B": 9})
            lines = [
                {"sku": "A", "quantity": 1, "disposition": "sellable"},
                {"sku": "A", "quantity": 1, "disposition": "quarantine"},
                {"sku": "B", "quantity": 1, "disposition": "damaged"},
            ]
            site.house.warehouse.dispatch.receive_return(order_id, LOCATION, lines)
            await site.until(lambda: len(returned(site, order_id)) == 3, "three return items")
            await site.until(
                lambda: sorted(returned(site, order_id)) == ["BackInStock", "Returned", "Unusable"],
                "their states",
            )
            await site.until_stock({"A": 8, "B": 9})
            lines[1]["disposition"] = "scrap"
            told = {"returnId": "R-1", "orderId": order_id, "location": LOCATION, "lines": lines}
            site.house.log.append("return.received", told, location=LOCATION)
            await site.until(
                lambda: sorted(returned(site, order_id)) == ["BackInStock", "Unusable", "Unusable"],
                "the decision",
            )
            assert await running.cases(CaseKind.FULFILMENT_MISMATCH) == []
            await site.clock.sleep(60)
            await site.until_stock({"A": 8, "B": 9})


@virtual
async def test_f157_spoilt_goods_that_come_back_hold_no_raise_back() -> None:
    """Only what is back in stock may have moved an entry: what a lorry brings is offered at once."""
    async with accepted(418, 3, mode="ReserveOnOrder") as (site, running, order_id):
        site.house.warehouse.dispatch.ship(order_id)
        await until(running, order_id, Stage.CLOSED)
        lines = [{"sku": "A", "quantity": 1, "disposition": "damaged"}]
        site.house.warehouse.dispatch.receive_return(order_id, LOCATION, lines)
        await site.until(lambda: returned(site, order_id) == ["Unusable"], "the return")
        await site.clock.sleep(2)
        site.house.warehouse.receipt("A", LOCATION, 5)
        await site.until_stock({"A": 12}, patience_seconds=10)


@virtual
async def test_f157_a_project_that_restocks_on_return_is_not_oversold() -> None:
    """Where commercetools itself gives stock back the base is read anew: the piece is not counted twice."""
    shop = {"restores_stock_on": frozenset({"back_in_stock"})}
    async with accepted(416, 3, shop=shop, mode="ReserveOnOrder") as (site, running, order_id):
        site.house.warehouse.dispatch.ship(order_id)
        await until(running, order_id, Stage.CLOSED)
        await site.until_stock({"A": 7})
        lines = [{"sku": "A", "quantity": 2, "disposition": "sellable"}]
        site.house.warehouse.dispatch.receive_return(order_id, LOCATION, lines)
        await site.until(lambda: returned(site, order_id) == ["BackInStock"], "the return")
        await site.clock.sleep(120)
        await site.until_stock({"A": 9})


@virtual
async def test_the_circle_closes_in_files_as_well() -> None:
    """A source behind a directory: order, dispatch and the word of the booking, each as a file."""
    async with inside(seed=418) as (site, house):
        site.open({"A": 10})
        files = house.directory / "files"
        feed = DROP.format(drop=files)
        async with source(site, files), house.daemon(orders=HAND_OVER, feed=feed) as running:
            await site.until_stock({"A": 10})
            order_id = buys(site, ("A", 3), order_number="CT-9")
            await until(running, "CT-9", Stage.ACCEPTED)
            site.house.warehouse.dispatch.ship(order_id, {refs(site, order_id)[0]: 1})
            await until(running, "CT-9", Stage.PART_SHIPPED)
            site.house.warehouse.dispatch.ship(order_id)
            await until(running, "CT-9", Stage.CLOSED)
            told = [each.acknowledgement for _, each in site.house.warehouse.dispatch.fulfilments.values()]
            assert [one and one["shipmentState"] for one in told] == ["Partial", "Shipped"]
            await site.until_stock({"A": 7})


@virtual
async def test_an_order_of_downloads_needs_no_warehouse() -> None:
    """SKUs that no warehouse ships are neither counted nor handed over; with goods the goods go alone."""
    async with inside(seed=417) as (site, house):
        site.open({"A": 10})
        site.shop.add_products(["E-1"])
        async with house.daemon(orders=HAND_OVER + 'not_goods = ["E-*"]') as running:
            await site.until_stock({"A": 10})
            pure, mixed = (
                buys(site, OrderLine("E-1", 1, mode="None")),
                buys(site, ("A", 2), OrderLine("E-1", 1, mode="None")),
            )
            await until(running, pure, Stage.DISMISSED)
            await until(running, mixed, Stage.ACCEPTED)
            site.house.warehouse.dispatch.ship(mixed)
            await until(running, mixed, Stage.CLOSED)
            assert state(site, mixed) == "Shipped"
            asked = json.loads(site.house.warehouse.book.orders[mixed].asked.content)
            assert [line["sku"] for line in asked["lines"]] == ["A"]
            assert await running.cases(CaseKind.ORDER_UNMAPPED_LINE) == []


@virtual
async def test_o1_an_order_whose_dispatch_came_first_is_not_sent() -> None:
    """Archean has it by another way: a source that does not know our ids would make a second one of it."""
    async with inside(seed=418, house={"idempotent": False}) as (site, house):
        site.open({"A": 10})
        async with house.daemon(orders=HAND_OVER + 'duplicate_protection = "lookup"') as running:
            await site.until_stock({"A": 10})
            fields = {
                "orderNumber": "CT-78",
                "fulfilmentId": "F-9",
                "status": "packed",
                "location": LOCATION,
                "lines": [{"sku": "A", "quantity": 1, "shortQuantity": 1}],
            }
            site.house.log.append("fulfilment", fields, location=LOCATION)
            await site.clock.sleep(10)
            order_id = buys(site, ("A", 1), order_number="CT-78")
            await until(running, order_id, Stage.ACCEPTED)
            await site.clock.sleep(30)
            assert site.house.warehouse.book.orders == {}
            story = await running.app.store.handovers.story(order_id)
            assert story is not None
            assert story.carried.sent == 0


@virtual
async def test_a_cancellation_by_archean_after_a_dispatch_is_told() -> None:
    """The table of states knows no such step: it is a conflict, for a person to look at."""
    async with accepted(419, 1) as (site, running, order_id):
        site.house.warehouse.dispatch.ship(order_id)
        await until(running, order_id, Stage.CLOSED)
        site.house.log.append("order.cancelled", {"orderId": order_id, "imported": True})
        case = await running.until_case(CaseKind.STATUS_CONFLICT)
        assert case is not None
        assert case.code == "cancelled_after_dispatch"
        await until(running, order_id, Stage.CLOSED)

"""The Messages Query endpoint: polling, lateness, duplicates, losses."""

from typing import Any

from archsyncd.simulators.commercetools.clock import stamp
from tests.simulators.commercetools.caller import Caller, Json


def _shop(**config: Any) -> Caller:
    caller = Caller(**config)
    caller.simulator.add_entry("A", None, 1_000)
    return caller


async def _head(caller: Caller, **query: Any) -> list[Json]:
    found = await caller.get(
        "/messages",
        where='type in ("OrderCreated","OrderImported","OrderCreatedFromRecurringOrder")',
        sort=["createdAt asc", "id asc"],
        limit=500,
        **query,
    )
    return list(found["results"])


async def test_each_kind_of_created_order_announces_itself() -> None:
    """Three message types, each with the order in it."""
    caller = _shop()
    orders = [caller.order(("A", 1), kind=kind) for kind in ("checkout", "import", "recurring")]
    messages = await _head(caller)
    assert {message["type"]: message["order"]["id"] for message in messages} == dict(
        zip(("OrderCreated", "OrderImported", "OrderCreatedFromRecurringOrder"), orders, strict=True)
    )
    assert all(
        message["resource"] == {"typeId": "order", "id": message["order"]["id"]} for message in messages
    )


async def test_f086_keyset_polling_finds_all_messages_that_come_late() -> None:
    """With the recipe's lag behind the server's clock nothing is missed and nothing seen twice."""
    caller = _shop(message_lag_seconds=50.0, seed=3)
    placed, seen = set(), []
    last = ("2020-01-01T00:00:00.000Z", "")
    for step in range(120):
        if step < 60:
            placed |= {caller.order(("A", 1)) for _ in range(step % 3)}
        caller.clock.advance(2)
        until = caller.simulator.clock.now() - 60
        where = (
            f'(createdAt > "{last[0]}" or (createdAt = "{last[0]}" and id > "{last[1]}"))'
            f' and createdAt <= "{stamp(until)}" and type in ("OrderCreated")'
        )
        page = await caller.get("/messages", where=where, sort=["createdAt asc", "id asc"], limit=500)
        for message in page["results"]:
            last = (message["createdAt"], message["id"])
            seen.append(message["resource"]["id"])
    assert len(seen) == len(set(seen))
    assert set(seen) == placed


async def test_f086_messages_become_visible_out_of_order() -> None:
    """A later message may be readable before an earlier one."""
    caller = _shop(message_lag_seconds=20.0)
    order = {}
    for number in range(20):
        order[caller.order(("A", 1))] = number
        caller.clock.advance(0.1)
    gaps = False
    for _ in range(60):
        caller.clock.advance(0.5)
        shown = [order[message["resource"]["id"]] for message in await _head(caller)]
        gaps = gaps or shown != list(range(len(shown)))
    assert gaps
    assert shown == list(range(20))


async def test_f086_duplicates_and_losses_are_switched_on() -> None:
    """A duplicate shares resource and sequence number; a loss leaves a gap in them."""
    caller = _shop(message_duplicates=1.0)
    caller.order(("A", 1))
    twice = await _head(caller)
    assert len(twice) == 2
    assert len({(message["resource"]["id"], message["sequenceNumber"]) for message in twice}) == 1
    caller.simulator.configure(message_duplicates=0.0, message_losses=1.0)
    lost = caller.order(("A", 1))
    caller.simulator.configure(message_losses=0.0)
    caller.simulator.cancel_order(lost)
    told = await caller.get("/messages", where=f'resource(id="{lost}")')
    assert [message["sequenceNumber"] for message in told["results"]] == [2]


async def test_project_without_messages_answers_an_empty_list() -> None:
    """Messages that were switched off are not kept for later."""
    caller = _shop(messages_enabled=False)
    caller.order(("A", 1))
    assert (await caller.get(""))["messages"]["enabled"] is False
    assert await _head(caller) == []
    caller.simulator.configure(messages_enabled=True)
    assert await _head(caller) == []


async def test_retention_ends_a_message() -> None:
    """After the retention a message is gone, by id as well."""
    caller = _shop(message_retention_days=1)
    caller.order(("A", 1))
    (message,) = await _head(caller)
    assert (await caller.get(f"/messages/{message['id']}"))["id"] == message["id"]
    caller.clock.advance(86_400)
    await caller.token()
    assert await _head(caller) == []
    assert await caller.refused("GET", f"/messages/{message['id']}") == (404, "ResourceNotFound")


async def test_direct_stock_writes_are_told_and_orders_effects_are_not() -> None:
    """InventoryEntryQuantitySet names the writer; an order's effect on the entry makes no such message."""
    caller = _shop()
    caller.order(("A", 1))
    caller.clock.advance(10)
    entry = caller.simulator.entry_document("A")
    await caller.update(entry, {"action": "addQuantity", "quantity": 5})
    told = await caller.get("/messages", where='type = "InventoryEntryQuantitySet"')
    (message,) = told["results"]
    assert (message["oldQuantityOnStock"], message["newQuantityOnStock"]) == (999, 1004)
    assert message["createdBy"]["clientId"] == "archsyncd"
    others = await caller.get("/messages", where='createdBy(clientId != "archsyncd")')
    assert "InventoryEntryQuantitySet" not in {one["type"] for one in others["results"]}

"""The questions of a probe: each makes what it needs, watches it, and answers with what follows for the configuration."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from archsyncd.domain.inventory import (
    Conflict,
    EntryWrite,
    Failure,
    Refused,
    StockKey,
    TooLarge,
    WriteKind,
    entry_key,
)
from archsyncd.engine.shared import describe
from archsyncd.probe_site import WATCH_SECONDS, ProbeSite, Unsettled
from archsyncd.wire.commercetools import probing

STOCK, SOLD, MORE = 10, 4, 5
BATCHES = (100, 50, 20, 10, 5)
# What the platform states; beyond it the daemon's waits are too short.
LAG_STATED_SECONDS = 10.0
LAG_KEPT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer. `alarm`: the daemon relies on the contrary. `sets`: configuration keys that follow from it."""

    question: str
    answer: str
    says: str
    alarm: bool = False
    sets: Mapping[str, object] | None = None


Question = Callable[[ProbeSite], Awaitable[Reply]]


async def order_effect(site: ProbeSite) -> Reply:
    """How late an order shows on its entry, and whether an increment written meanwhile and the marker survive it."""
    path = await site.entry("effect", STOCK)
    await site.ordered("effect", SOLD)
    began = site.clock.monotonic()
    for _ in range(3):
        entry = await site.must(probing.read(path))
        added = await site.ask(
            probing.change(path, entry["version"], [{"action": "addQuantity", "quantity": MORE}])
        )
        if not isinstance(added, Conflict):
            break
    if isinstance(added, Failure):
        raise Unsettled(f"the entry cannot be raised ({describe(added)})")
    waited, entry = await site.stock_becomes(path, STOCK - SOLD + MORE)
    late = site.clock.monotonic() - began
    fields = (entry.get("custom") or {}).get("fields") or {}
    if waited is None:
        told = (
            f"after {late:.0f} s the stock is {entry.get('quantityOnStock')} instead of {STOCK - SOLD + MORE}"
        )
        return Reply(
            "order_effect", "wrong", f"an order and an increment beside it do not add up: {told}", alarm=True
        )
    if fields.get(probing.FIELD) != site.sku("effect"):
        says = "an order takes our marker off its entry: the daemon could not tell its own writes, do not go live"
        return Reply("order_effect", "marker lost", says, alarm=True)
    says = f"an order showed on its entry {late:.1f} s later at most; an increment beside it and the marker survived it"
    sets = {"reconcile.settle_seconds": int(late) + 5} if late > LAG_STATED_SECONDS else None
    return Reply("order_effect", f"{late:.1f} s", says, late > LAG_STATED_SECONDS, sets)


async def order_listed(site: ProbeSite) -> Reply:
    """How late an order shows in the query of orders and in messages."""
    await site.entry("listed", STOCK)
    order = await site.ordered("listed", 1)
    began = site.clock.monotonic()
    seen: dict[str, float] = {}
    asked = {"orders": probing.listed_order(site.sku("listed")), "messages": probing.messages_of(order["id"])}
    while len(seen) < len(asked) and site.clock.monotonic() - began <= WATCH_SECONDS:
        for name, request in asked.items():
            if name not in seen and (await site.must(request)).get("results"):
                seen[name] = site.clock.monotonic() - began
        await site.clock.sleep(0.5)
    if "orders" not in seen:
        says = f"a new order was not in the query of orders after {WATCH_SECONDS:.0f} s"
        return Reply(
            "order_listed",
            "late",
            says,
            alarm=True,
            sets={"orders.settle_seconds": int(LAG_KEPT_SECONDS * 2)},
        )
    told = (
        f"in messages after {seen['messages']:.1f} s"
        if "messages" in seen
        else "in no message: are they switched on?"
    )
    says = f"a new order was in the query of orders after {seen['orders']:.1f} s, {told}"
    return Reply("order_listed", f"{max(seen.values()):.1f} s", says, "messages" not in seen)


async def stale_version(site: ProbeSite) -> Reply:
    """Whether a write at an old version is refused."""
    path = await site.entry("stale", STOCK)
    version = (await site.must(probing.read(path)))["version"]
    await site.must(probing.change(path, version, [{"action": "addQuantity", "quantity": 1}]))
    second = await site.ask(probing.change(path, version, [{"action": "addQuantity", "quantity": 1}]))
    if isinstance(second, Conflict):
        return Reply(
            "stale_version",
            "409",
            "a write at an old version is refused: two writers cannot overwrite each other",
        )
    if isinstance(second, Failure):
        raise Unsettled(f"a write at an old version is answered by {describe(second)}")
    says = "a write at an old version took effect: every increment could be written twice, do not go live"
    return Reply("stale_version", "taken", says, alarm=True)


async def stale_without_change(site: ProbeSite) -> Reply:
    """Whether a write at an old version that would change nothing is refused."""
    path = await site.entry("noop", STOCK)
    version = (await site.must(probing.read(path)))["version"]
    await site.must(probing.change(path, version, [{"action": "changeQuantity", "quantity": STOCK + 1}]))
    same = await site.ask(
        probing.change(path, version, [{"action": "changeQuantity", "quantity": STOCK + 1}])
    )
    if isinstance(same, Failure) and not isinstance(same, Conflict):
        raise Unsettled(f"it is answered by {describe(same)}")
    refused = isinstance(same, Conflict)
    says = "one that changes nothing is " + (
        "refused as well" if refused else "answered 200, which proves nothing"
    )
    return Reply(
        "stale_without_change", "409" if refused else "200", f"{says}; the daemon writes no such thing"
    )


async def _bought(site: ProbeSite, name: str) -> tuple[str, Any]:
    """An entry, an order that shows on it, and the order as it is now."""
    path = await site.entry(name, STOCK)
    await site.ordered(name, SOLD)
    waited, entry = await site.stock_becomes(path, STOCK - SOLD)
    if waited is None:
        raise Unsettled(
            f"an imported order of {SOLD} pieces left the stock at {entry.get('quantityOnStock')}: imports take none here"
        )
    return path, await site.must(probing.read(probing.by_number(site.sku(name))))


async def _restored(site: ProbeSite, question: str, event: str, path: str, what: str) -> Reply:
    waited, entry = await site.stock_becomes(path, STOCK)
    if waited is not None:
        says = f"{what} gave the stock back by itself, {waited:.1f} s later at most"
        return Reply(question, "restores", says, sets={"commercetools.restores_stock_on": event})
    if entry.get("quantityOnStock") == STOCK - SOLD:
        return Reply(question, "does not", f"{what} gave no stock back within {WATCH_SECONDS:.0f} s")
    told = f"the stock went from {STOCK - SOLD} to {entry.get('quantityOnStock')}"
    return Reply(
        question, "wrong", f"{what} moved stock by another figure than the order's: {told}", alarm=True
    )


async def cancel(site: ProbeSite) -> Reply:
    """Whether a cancelled order gives its stock back."""
    path, order = await _bought(site, "cancel")
    action = {"action": "changeOrderState", "orderState": "Cancelled"}
    await site.must(probing.change(probing.by_number(order["orderNumber"]), order["version"], [action]))
    return await _restored(site, "cancel", "cancel", path, "cancelling an order")


async def delete(site: ProbeSite) -> Reply:
    """Whether a deleted order gives its stock back."""
    path, order = await _bought(site, "delete")
    await site.must(probing.remove(probing.by_number(order["orderNumber"]), order["version"]))
    return await _restored(site, "delete", "delete", path, "deleting an order")


async def back_in_stock(site: ProbeSite) -> Reply:
    """Whether a return that is back in stock gives its stock back."""
    path, order = await _bought(site, "return")
    at = probing.by_number(order["orderNumber"])
    line = order["lineItems"][0]["id"]
    item = {"lineItemId": line, "quantity": SOLD, "shipmentState": "Returned"}
    shipped = {"action": "changeShipmentState", "shipmentState": "Shipped"}
    order = await site.must(
        probing.change(at, order["version"], [shipped, {"action": "addReturnInfo", "items": [item]}])
    )
    returned = order["returnInfo"][-1]["items"][0]["id"]
    action = {"action": "setReturnShipmentState", "returnItemId": returned, "shipmentState": "BackInStock"}
    await site.must(probing.change(at, order["version"], [action]))
    return await _restored(site, "back_in_stock", "back_in_stock", path, "a return set to BackInStock")


async def restockable(site: ProbeSite) -> Reply:
    """Whether an entry with restockableInDays sells without stock; one without it must not."""
    await site.entry("empty", 0)
    plain = await site.order("empty", 1)
    if not isinstance(plain, Failure):
        raise Unsettled(
            "an order was imported of an entry without stock: imports are not checked here, so nothing follows"
        )
    if not (isinstance(plain, Refused) and plain.code == "OutOfStock"):
        raise Unsettled(f"an order of an entry without stock is answered by {describe(plain)}")
    await site.entry("restock", 0, restockableInDays=7)
    sold = await site.order("restock", 1)
    if isinstance(sold, Failure) and not (isinstance(sold, Refused) and sold.code == "OutOfStock"):
        raise Unsettled(f"an order of it is answered by {describe(sold)}")
    if isinstance(sold, Failure):
        return Reply(
            "restockable", "does not sell", "an entry with restockableInDays does not sell without stock here"
        )
    says = "an entry with restockableInDays sells without stock: the daemon opens an exception for every such entry"
    return Reply("restockable", "sells", says)


async def batch(site: ProbeSite) -> Reply:
    """How many writes one request may carry, and what that takes beside single ones."""
    for size in BATCHES:
        keys = [StockKey(site.channel, site.sku(f"batch{size}-{number}")) for number in range(size)]
        for key in keys:
            site.will_make(probing.by_key("inventory", entry_key(key)))
        writes = [EntryWrite(WriteKind.CREATE, key, 1, None) for key in keys]
        began = site.clock.monotonic()
        answers = await site.call(lambda writes=writes: site.client.write_many(writes))  # type: ignore[misc]
        seconds = site.clock.monotonic() - began
        if isinstance(answers, TooLarge):
            continue
        if isinstance(answers, Failure):
            raise Unsettled(f"a batch of {size} is answered by {describe(answers)}")
        bad = [each for each in answers if isinstance(each, Failure)]
        if bad:
            raise Unsettled(f"of a batch of {size}, {len(bad)} are answered by {describe(bad[0])}")
        says = (
            f"one request wrote {size} entries in {seconds:.1f} s; whether it counts as one request no answer tells: keep "
            "batch_token_cost at 1 as long as nothing is turned away"
        )
        return Reply("batch", str(size), says, sets={"commercetools.write_batch": size})
    return Reply("batch", "none", "no batch is taken", alarm=True, sets={"commercetools.write_batch": 1})


QUESTIONS: Mapping[str, Question] = {
    "order_effect": order_effect,
    "order_listed": order_listed,
    "stale_version": stale_version,
    "stale_without_change": stale_without_change,
    "cancel": cancel,
    "delete": delete,
    "back_in_stock": back_in_stock,
    "restockable": restockable,
    "batch": batch,
}

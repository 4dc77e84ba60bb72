"""The administrative API: what another process can do and read."""

from typing import Any

import orjson
import pytest

from archsyncd.simulators.commercetools.admin import Administration
from tests.simulators.commercetools.caller import Caller


class Remote:
    """Speaks to the administration as a separate process would."""

    def __init__(self, caller: Caller) -> None:
        self._administration = Administration(caller.simulator)

    def send(self, method: str, name: str, query: str = "", **body: Any) -> tuple[int, Any]:
        content = orjson.dumps(body) if body else b""
        status, answer = self._administration.answer(method, f"/_simulator/{name}", query, content)
        return status, orjson.loads(answer)

    def ask(self, method: str, name: str, query: str = "", **body: Any) -> Any:
        status, answer = self.send(method, name, query, **body)
        assert status == 200, answer
        return answer["result"]


def test_project_is_seeded_shopped_and_judged_from_outside() -> None:
    """Channels, products, entries and orders are made; stock, journal and admissions are read."""
    caller = Caller()
    remote = Remote(caller)
    remote.ask("POST", "channels", key="wh-1", roles=["InventorySupply"])
    remote.ask("POST", "products", skus=["A", "B"])
    remote.ask("DELETE", "products", skus=["B"])
    remote.ask("POST", "entries", sku="A", channel="wh-1", quantity=5)
    order_id = remote.ask(
        "POST", "orders", lines=[{"sku": "A", "quantity": 2, "channel": "wh-1"}], mode="TrackOnly"
    )
    assert remote.ask("GET", "order", f"id={order_id}")["inventoryMode"] == "TrackOnly"
    stock = remote.ask("GET", "stock", "sku=A&channel=wh-1")
    assert (stock["trueStock"], stock["soldUnits"], stock["document"]["quantityOnStock"]) == (3, 2, 5)
    (seeded, sold) = remote.ask("GET", "journal", "sku=A&channel=wh-1")
    assert (seeded["delta"], sold["delta"], sold["stock_after"]) == (5, -2, 3)
    assert remote.ask("GET", "admissions")[0]["channel"] == "wh-1"
    assert remote.ask("GET", "entries")[0]["trueStock"] == 3
    summary = remote.ask("GET", "summary")
    assert (summary["admittedUnits"], summary["oversoldUnits"], summary["entries"]) == (2, 0, 1)


def test_orders_are_changed_from_outside() -> None:
    """Cancel, edit and delete reach the order."""
    caller = Caller()
    remote = Remote(caller)
    remote.ask("POST", "entries", sku="A", quantity=9)
    order_id = remote.ask("POST", "orders", lines=[{"sku": "A", "quantity": 2}], custom_lines=[["wrap", 1]])
    line = caller.simulator.order(order_id)["lineItems"][0]["id"]
    remote.ask("POST", "order-edits", id=order_id, quantities={line: 3})
    remote.ask("POST", "order-cancellations", id=order_id)
    assert caller.simulator.order(order_id)["orderState"] == "Cancelled"
    remote.ask("DELETE", "orders", id=order_id)
    assert [event["what"] for event in remote.ask("GET", "order-events")] == [
        "placed",
        "OrderEditApplied",
        "OrderStateChanged",
        "OrderDeleted",
    ]


async def test_faults_limits_and_clients_are_set_from_outside() -> None:
    """A scripted fault hits, is listed and cleared; settings and secrets change."""
    caller = Caller()
    remote = Remote(caller)
    number = remote.ask(
        "POST", "faults", route="channels.query", kind="throttled", retry_after="seconds", seconds=3
    )
    assert (await caller.call("GET", "/channels"))[0] == 429
    (rule,) = remote.ask("GET", "faults")
    assert (rule["number"], rule["hits"]) == (number, 1)
    remote.ask("DELETE", "faults", number=number)
    assert remote.ask("GET", "faults") == []
    remote.ask(
        "POST", "settings", requests_per_second=1.0, burst=1, retry_after="date", restores_stock_on=["cancel"]
    )
    assert caller.simulator.config.restores_stock_on == {"cancel"}
    assert [(await caller.call("GET", "/channels"))[0] for _ in range(2)] == [200, 429]
    remote.ask("DELETE", "tokens")
    remote.ask("POST", "settings", requests_per_second=None)
    assert await caller.refused("GET", "/channels") == (401, "invalid_token")
    remote.ask("POST", "clients", client_id="archsyncd", secret="rotated", scopes=["view_channels"])
    with pytest.raises(AssertionError, match="invalid_client"):
        await caller.token()


def test_entry_is_edited_and_deleted_from_outside() -> None:
    """A person's edit names the person in the journal."""
    caller = Caller()
    remote = Remote(caller)
    remote.ask("POST", "entries", sku="A", quantity=5)
    remote.ask("POST", "entry-updates", sku="A", actions=[{"action": "changeQuantity", "quantity": 50}])
    assert [line["who"] for line in remote.ask("GET", "journal", "sku=A")] == ["person", "person"]
    remote.ask("DELETE", "entries", sku="A")
    assert not caller.simulator.has_entry("A")


@pytest.mark.parametrize(
    ("method", "name", "body", "status"),
    [
        ("GET", "nothing", {}, 404),
        ("POST", "faults", {"kind": "explode"}, 400),
        ("POST", "orders", {"lines": [{"sku": "A", "quantity": 1}]}, 400),
        ("POST", "settings", {"nonsense": 1}, 400),
        ("POST", "settings", {"project_key": "other"}, 400),
        ("GET", "stock", {}, 400),
    ],
)
def test_mistakes_are_told(method: str, name: str, body: dict[str, Any], status: int) -> None:
    """A wrong name or value gets an error, not silence."""
    assert Remote(Caller()).send(method, name, **body)[0] == status

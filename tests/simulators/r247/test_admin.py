"""`/_simulator/…`: a warehouse driven by another process."""

import json
from typing import Any

import pytest

from archsyncd.simulators.r247 import Admin, Asked
from archsyncd.simulators.r247.log import stamp
from tests.simulators.r247.houses import ORDER_ID, House


class Office:
    """A house and its administration."""

    def __init__(self, **settings: Any) -> None:
        self.house = House(**settings)
        self.admin = Admin(self.house.simulator)

    def ask(self, method: str, act: str, body: Any = None) -> tuple[int, Any]:
        """Do one administrative request."""
        raw = b"" if body is None else json.dumps(body).encode()
        answer = self.admin.handle(Asked(method, f"/_simulator/{act}", body=raw))
        return answer.status, answer.json()

    def act(self, act: str, **body: Any) -> Any:
        """Do something that must succeed."""
        status, said = self.ask("POST", act, body)
        assert status == 200, said
        return said


def office(**settings: Any) -> Office:
    made = Office(**settings)
    made.act("seed", stock=[{"sku": "X", "location": "WH1", "onHand": 10}])
    return made


KEY = {"sku": "X", "location": "WH1"}
BACK = {"sku": "X", "quantity": 1, "disposition": "sellable"}


@pytest.mark.parametrize(
    ("line", "status", "says"),
    [
        ({"sku": "X", "quantity": 1}, 400, "lines.'disposition' is needed"),
        ({**BACK, "quantity": "1"}, 400, "lines.'quantity' has a wrong type"),
        ({**BACK, "colour": "red"}, 400, "lines.'colour' is no field here"),
        ("X", 400, "lines. is no JSON object"),
        ({**BACK, "disposition": "eaten"}, 409, "'eaten' is no disposition"),
        (BACK, 200, ""),
    ],
)
def test_a_return_that_cannot_be_taken_is_refused_in_a_sentence(line: Any, status: int, says: str) -> None:
    """Nothing moves then."""
    made = office()
    answered, said = made.ask("POST", "returns", {"reference": "R", "location": "WH1", "lines": [line]})
    assert answered == status, said
    assert says in str(said)
    assert made.ask("GET", "levels")[1][0]["onHand"] == 10 + (status == 200)


@pytest.mark.parametrize(
    ("act", "body", "on_hand", "available"),
    [
        ("store-sales", {"quantity": 2}, 8, 8),
        ("breakages", {"quantity": 2}, 8, 8),
        ("receipts", {"quantity": 2}, 12, 12),
        ("adjustments", {"delta": -3, "reason": "write_off"}, 7, 7),
        ("quarantine", {"quantity": 4}, 10, 6),
        ("recounts", {"on_hand": 9}, 9, 9),
        ("recounts", {}, 10, 10),
    ],
)
def test_stock_is_moved(act: str, body: dict[str, Any], on_hand: int, available: int) -> None:
    """Each act changes the figures as the same act in the house does, and names its seq."""
    made = office()
    assert made.act(act, **KEY, **body) == {"seq": 1}
    assert made.ask("GET", "levels")[1] == [{**KEY, "onHand": on_hand, "available": available}]


def test_an_order_is_told_imported_and_dispatched() -> None:
    """The whole life of an order can be driven from outside."""
    made = office()
    line = {"lineRef": "l1", "sku": "X", "quantity": 3, "location": "WH1"}
    told = {"orderId": ORDER_ID, "orderNumber": "CT-1", "createdAt": "2026-07-25T17:00:00Z"}
    made.act("orders", **told, lines=[line], delay_seconds=1)
    made.house.clock.advance(1)
    made.house.simulator.tick()
    assert made.act("progress", reference="CT-1", status="picking") == {"fulfilmentIds": ["F-1"]}
    assert made.act("shorts", reference=ORDER_ID, line_ref="l1", quantity=1) == {"fulfilmentId": "F-1"}
    assert made.act("shipments", reference=ORDER_ID) == {"fulfilmentIds": ["F-1"]}
    _, (order,) = made.ask("GET", "orders")
    assert (order["orderId"], order["status"], order["sourceOrder"]) == (ORDER_ID, "accepted", "SO-991")
    assert made.ask("GET", "levels")[1][0]["onHand"] == 7
    status, said = made.ask("POST", "cancellations", {"reference": ORDER_ID})
    assert (status, said["code"]) == (409, "already_shipped")
    assert made.ask("GET", "state")[1]["fulfilments"] == 1


async def test_faults_are_scripted_listed_and_cleared() -> None:
    """A fault set from outside strikes, and is gone when cleared."""
    made = office()
    made.act("faults", kind="status", endpoint="changes", times=None, status=429, retry_after="7")
    assert (await made.house.ask("GET", "/v1/changes")).status == 429
    assert made.ask("GET", "faults")[1][0]["kind"] == "status"
    assert made.ask("GET", "state")[1]["faultsStruck"] == {"status": 1}
    made.ask("DELETE", "faults")
    assert (await made.house.ask("GET", "/v1/changes")).status == 200


async def test_the_feed_is_frozen_thawed_poisoned_flooded_and_cut() -> None:
    """What the feed does wrong by itself can be asked for too."""
    made = office()
    made.act("freeze")
    made.act("floods", copies=3)
    assert (await made.house.page())["items"] == []
    made.act("thaw")
    made.act("poison", **KEY, kind="3.7")
    made.act("heartbeats")
    assert [item["seq"] for item in (await made.house.page())["items"]] == ["1", "2", "3", "4", "5"]
    made.act("expiry", through=3)
    assert (await made.house.page())["oldest"]["seq"] == "4"


def test_a_dispatch_is_corrected_and_recalled() -> None:
    """Both acts name the fulfilment by its id and put its pieces back."""
    made = office()
    made.house.imported(("X", 4), order_id="o")
    (sent,) = made.act("shipments", reference="o")["fulfilmentIds"]
    assert made.act("restatements", fulfilment_id=sent, quantities={"l1": 1}) == {"fulfilmentId": sent}
    assert made.ask("GET", "levels")[1] == [{**KEY, "onHand": 9, "available": 6}]
    assert made.act("recalls", fulfilment_id=sent) == {"fulfilmentId": sent}
    assert made.ask("GET", "levels")[1] == [{**KEY, "onHand": 10, "available": 6}]
    assert made.ask("POST", "recalls", {"fulfilment_id": sent})[0] == 409


def test_a_backup_is_restored() -> None:
    """The state comes back by the backup's name under the epoch that is given."""
    made = office()
    made.act("backups", name="noon")
    made.act("store-sales", **KEY, quantity=4)
    assert made.act("restores", name="noon", epoch="b") == {"told": 0}
    assert made.ask("GET", "levels")[1][0]["onHand"] == 10
    assert made.ask("GET", "state")[1]["epoch"] == "b"
    assert made.ask("POST", "restores", {"name": "evening", "epoch": "c"})[0] == 404


def test_the_judge_is_asked_from_outside() -> None:
    """Commitments and published quantities go in, sums and guilty pools come out."""
    made = office()
    at = "2026-07-25T17:20:00Z"
    sold = {"orderId": "o", "at": at, "sku": "X", "channel": "WH1", "quantity": 12}
    published = [{"sku": "X", "channel": "WH1", "quantityOnStock": -5}]
    said = made.act("verdict", commitments=[sold], published=published)
    pool = said.pop("pools")[0]
    assert said == {
        "oversold_total": 2,
        "oversold_beyond_physics": 2,
        "oversold_at_rest": 2,
        "unimported_units": 12,
        "hidden_units": 3,
        "excess_units": 0,
        "duplicate_orders": 0,
    }
    assert (pool["sku"], pool["published"]) == ("X", -5)


def test_the_judge_is_told_of_outages_from_outside() -> None:
    """A fall told in an outage excuses until there was time to drain it after the outage."""
    made = office()
    made.act("store-sales", **KEY, quantity=4)
    made.house.log.mark_served(made.house.log.head_seq)
    began = made.house.clock.now()
    at = stamp(int((began + 20) * 1000))
    sold = {"orderId": "o", "at": at, "sku": "X", "channel": "WH1", "quantity": 10}
    blind = {"from": stamp(int(began * 1000)), "to": stamp(int((began + 18) * 1000))}
    assert made.act("verdict", commitments=[sold])["oversold_beyond_physics"] == 4
    assert made.act("verdict", commitments=[sold], outages=[blind])["oversold_beyond_physics"] == 0
    assert made.ask("POST", "verdict", {"commitments": [], "outages": [{"from": at}]})[0] == 400


@pytest.mark.parametrize(
    ("act", "body", "status"),
    [
        ("teleport", {}, 404),
        ("receipts", KEY, 400),
        ("receipts", KEY | {"quantity": "2"}, 400),
        ("receipts", KEY | {"quantity": 2, "colour": "red"}, 400),
        ("receipts", {"sku": "Q", "location": "WH1", "quantity": 2}, 409),
        ("store-sales", KEY | {"quantity": 99}, 409),
        ("faults", {"kind": "earthquake"}, 400),
        ("faults", {"kind": "status", "endpoint": "kitchen"}, 400),
        ("poison", KEY | {"kind": "arsenic"}, 400),
        ("cancellations", {"reference": "nobody"}, 409),
    ],
)
def test_mistakes_are_told(act: str, body: dict[str, Any], status: int) -> None:
    """Wrong acts, bodies and references are refused with a reason, and nothing happens."""
    made = office()
    answered, said = made.ask("POST", act, body)
    assert answered == status
    assert said["detail"]
    assert made.ask("GET", "levels")[1] == [{**KEY, "onHand": 10, "available": 10}]

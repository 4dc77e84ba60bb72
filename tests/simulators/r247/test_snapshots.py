"""Snapshots, the paged stock and single keys (r247/1, section 2)."""

from typing import Any

import pytest

from archsyncd.simulators.r247 import Fault, FaultKind
from tests.simulators.r247.houses import House, sku_path


def stocked(keys: int = 5, **settings: Any) -> House:
    house = House(**settings)
    return house.stock(**{f"K{number}": number for number in range(1, keys + 1)})


async def taken(house: House, **body: Any) -> str:
    answer = await house.ask("POST", "/v1/snapshots", {"locations": None, "skus": None} | body)
    said = answer.json()
    assert (answer.status, said["status"]) == (202, "running")
    return str(said["snapshotId"])


async def pages_of(house: House, path: str, limit: int = 2) -> list[dict[str, Any]]:
    pages: list[dict[str, Any]] = []
    query: dict[str, Any] = {"limit": limit}
    while True:
        answer = await house.ask("GET", path, query=query)
        assert answer.status == 200, answer.body
        pages.append(answer.json())
        if pages[-1]["nextPage"] is None:
            return pages
        query["page"] = pages[-1]["nextPage"]


async def test_a_snapshot_is_paged_and_checked_by_its_trailer() -> None:
    """All levels come in pages; only the last is complete and carries count and sum."""
    house = stocked()
    pages = await pages_of(house, f"/v1/snapshots/{await taken(house)}")
    assert [len(page["items"]) for page in pages] == [2, 2, 1]
    assert [page["complete"] for page in pages] == [False, False, True]
    assert pages[-1]["check"] == {"records": 5, "sumOnHand": "15"}
    assert all("check" not in page for page in pages[:-1])
    assert {page["total"] for page in pages} == {5}
    assert all(item["type"] == "stock.level" for page in pages for item in page["items"])


async def test_a_snapshot_shows_one_moment() -> None:
    """What happens between two pages is not in the snapshot, and follows from its cursor."""
    house = stocked()
    before = house.warehouse.receipt("K1", "WH1", 10)
    path = f"/v1/snapshots/{await taken(house)}"
    house.warehouse.receipt("K5", "WH1", 100)
    pages = await pages_of(house, path)
    levels = {item["sku"]: item for page in pages for item in page["items"]}
    assert (levels["K1"]["onHand"], levels["K5"]["onHand"]) == (11, 5)
    assert {page["seqAt"] for page in pages} == {str(before)}
    rest = await house.page(pages[0]["cursor"])
    assert [(item["sku"], item["onHand"]) for item in rest["items"]] == [("K5", 105)]


async def test_an_item_never_stands_above_the_state_it_shows() -> None:
    """An item's own seq is its last change's, or the snapshot's; never later."""
    house = stocked(2)
    house.warehouse.receipt("K1", "WH1", 1)
    house.warehouse.heartbeat()
    (page,) = await pages_of(house, f"/v1/snapshots/{await taken(house)}")
    assert {item["sku"]: item["seq"] for item in page["items"]} == {"K1": "1", "K2": "2"}
    assert page["seqAt"] == "2"


async def test_a_snapshot_may_be_scoped() -> None:
    """Locations and SKUs narrow what is in it."""
    house = House(locations=("WH1", "WH2")).stock(A=1, B=2)
    house.warehouse.seed("A", "WH2", 3)
    by_place = await pages_of(house, f"/v1/snapshots/{await taken(house, locations=['WH2'])}")
    by_sku = await pages_of(house, f"/v1/snapshots/{await taken(house, skus=['A'])}")
    assert [(item["sku"], item["onHand"]) for item in by_place[0]["items"]] == [("A", 3)]
    assert [item["location"] for item in by_sku[0]["items"]] == ["WH1", "WH2"]


async def test_a_snapshot_needs_its_time() -> None:
    """Until it is ready it is answered as running."""
    house = stocked(snapshot_seconds=3)
    path = f"/v1/snapshots/{await taken(house)}"
    running = await house.ask("GET", path)
    house.clock.advance(3)
    ready = await house.ask("GET", path)
    assert (running.status, running.json()["status"]) == (202, "running")
    assert (ready.status, ready.json()["status"]) == (200, "ready")


async def test_old_snapshots_are_let_go() -> None:
    """Only the last few are kept: older ones are 410, unknown ones 404."""
    house = stocked(snapshots_kept=1)
    first, second = await taken(house), await taken(house)
    assert (await house.ask("GET", f"/v1/snapshots/{first}")).json()["code"] == "snapshot_expired"
    assert (await house.ask("GET", f"/v1/snapshots/{second}")).status == 200
    for unknown in ("s-99", "s-", "x", "s-\u0661"):
        assert (await house.ask("GET", f"/v1/snapshots/{unknown}")).status == 404


async def test_a_new_epoch_ends_a_snapshot() -> None:
    """A snapshot of an ended epoch is 410."""
    house = stocked()
    path = f"/v1/snapshots/{await taken(house)}"
    house.warehouse.restore(house.warehouse.backup(), "b")
    answer = await house.ask("GET", path)
    assert (answer.status, answer.json()["code"]) == (410, "epoch_changed")


async def test_the_whole_stock_can_be_paged_without_a_snapshot() -> None:
    """The simple form has the same body, without an id, and is of one moment too."""
    house = stocked()
    first = (await house.ask("GET", "/v1/stock", query={"limit": 3})).json()
    house.warehouse.receipt("K5", "WH1", 100)
    last = (await house.ask("GET", "/v1/stock", query={"limit": 3, "page": first["nextPage"]})).json()
    assert "snapshotId" not in first
    assert [item["onHand"] for item in first["items"] + last["items"]] == [1, 2, 3, 4, 5]
    assert (last["complete"], last["check"]) == (True, {"records": 5, "sumOnHand": "15"})


@pytest.mark.parametrize("sku", ["K1", "A/B", "sp ace", "100%", "ü", "a?b#c"])
async def test_one_sku_is_read_as_a_snapshot_of_one_page(sku: str) -> None:
    """A single key is answered with its levels at all locations, whatever its name."""
    house = House(locations=("WH1", "WH2"))
    house.warehouse.seed(sku, "WH1", 4)
    house.warehouse.seed(sku, "WH2", 6)
    everywhere = (await house.ask("GET", sku_path(sku))).json()
    one = (await house.ask("GET", sku_path(sku), query={"location": "WH2"})).json()
    assert [(item["location"], item["onHand"]) for item in everywhere["items"]] == [("WH1", 4), ("WH2", 6)]
    assert everywhere["items"][0]["sku"] == sku
    assert (one["complete"], one["nextPage"], one["check"]) == (True, None, {"records": 1, "sumOnHand": "6"})
    assert {"schema", "feed", "epoch", "asOf", "seqAt", "cursor"} <= one.keys()


async def test_an_unknown_sku_has_no_levels() -> None:
    """Asking for a SKU that is not kept is no error: it has no items."""
    answer = await stocked().ask("GET", sku_path("nothing"))
    assert (answer.status, answer.json()["items"], answer.json()["total"]) == (200, [], 0)


async def test_locations_are_listed_for_mapping_checks() -> None:
    """The list names every location."""
    answer = await House(locations=("WH1", "WH2")).ask("GET", "/v1/locations")
    assert [entry["location"] for entry in answer.json()["locations"]] == ["WH1", "WH2"]


@pytest.mark.parametrize(
    ("method", "path", "body", "query"),
    [
        ("POST", "/v1/snapshots", {"places": []}, {}),
        ("POST", "/v1/snapshots", {"locations": "WH1"}, {}),
        ("POST", "/v1/snapshots", {"skus": [1]}, {}),
        ("POST", "/v1/snapshots", {"locations": ["NOWHERE"]}, {}),
        ("GET", "/v1/stock", None, {"page": "bogus"}),
        ("GET", "/v1/stock", None, {"limit": "0"}),
        ("GET", "/v1/stock/K1", None, {"location": "NOWHERE"}),
        ("GET", "/v1/stock/K1", None, {"place": "WH1"}),
        ("GET", "/v1/locations", None, {"page": "1"}),
    ],
)
async def test_what_is_not_in_the_contract_is_refused(
    method: str, path: str, body: Any, query: dict[str, str]
) -> None:
    """Unknown fields, parameters, locations and pages are 400."""
    assert (await stocked().ask(method, path, body, query)).status == 400


async def spoilt(kind: FaultKind, **details: Any) -> list[dict[str, Any]]:
    house = stocked()
    house.simulator.script.add(Fault(kind, "snapshots", **details))
    return await pages_of(house, f"/v1/snapshots/{await taken(house)}")


async def test_f100_a_truncated_snapshot_never_says_complete() -> None:
    """It ends early, without trailer, and is not complete."""
    pages = await spoilt(FaultKind.TRUNCATED)
    assert sum(len(page["items"]) for page in pages) == 2
    assert not pages[-1]["complete"]
    assert "check" not in pages[-1]


async def test_f100_a_snapshot_may_lack_its_trailer() -> None:
    """All items, complete by its word, but nothing to check it by."""
    pages = await spoilt(FaultKind.NO_TRAILER)
    assert sum(len(page["items"]) for page in pages) == 5
    assert pages[-1]["complete"]
    assert "check" not in pages[-1]


@pytest.mark.parametrize(
    ("kind", "check"),
    [
        (FaultKind.MISCOUNT, {"records": 6, "sumOnHand": "15"}),
        (FaultKind.MISSUM, {"records": 5, "sumOnHand": "16"}),
    ],
)
async def test_f100_a_trailer_may_be_wrong(kind: FaultKind, check: dict[str, Any]) -> None:
    """Count or sum do not fit the five items that came."""
    pages = await spoilt(kind)
    assert sum(len(page["items"]) for page in pages) == 5
    assert pages[-1]["check"] == check


async def test_f102_a_snapshot_may_be_empty_and_sure_of_itself() -> None:
    """200, complete, nothing in it."""
    (page,) = await spoilt(FaultKind.EMPTY)
    assert (page["items"], page["total"], page["complete"]) == ([], 0, True)
    assert page["check"] == {"records": 0, "sumOnHand": "0"}


async def test_f101_a_snapshot_may_lack_keys_and_add_up() -> None:
    """Some SKUs are absent while count and sum fit what came."""
    pages = await spoilt(FaultKind.LACKS_KEYS, skus=("K2", "K5"))
    assert [item["sku"] for page in pages for item in page["items"]] == ["K1", "K3", "K4"]
    assert pages[-1]["check"] == {"records": 3, "sumOnHand": "8"}

"""The stage: what counts as a write, and what the simulated project counts."""

import asyncio
from pathlib import Path

import pytest
from multidict import CIMultiDict

from archsyncd.config import load
from archsyncd.demo.stage import LOCATIONS, SECRET, Stage, day, is_write
from archsyncd.demo.workspace import workspace
from archsyncd.simulators.commercetools.exchange import Request
from archsyncd.simulators.r247 import Asked


def request(method: str, path: str, body: bytes = b"") -> Request:
    return Request(method, path, "", CIMultiDict(), body)


@pytest.mark.parametrize(
    ("method", "path", "body", "write"),
    [
        ("POST", "/demo/inventory", b"{}", True),
        ("POST", "/demo/inventory/id-1", b"{}", True),
        ("POST", "/demo/inventory/key=a", b"{}", True),
        ("GET", "/demo/inventory", b"", False),
        ("POST", "/demo/graphql", b'{"query":"mutation { a0: x }"}', True),
        ("POST", "/demo/graphql", b'{"query":"query { products }"}', False),
        ("POST", "/demo/custom-objects", b"{}", False),
        ("POST", "/oauth/token", b"grant_type=client_credentials", False),
    ],
)
def test_a_write_is_what_moves_stock(method: str, path: str, body: bytes, write: bool) -> None:
    """Creates and updates of entries and mutating batches, not look-ups, the lease or tokens."""
    assert is_write(request(method, path, body)) is write


async def test_requests_and_refusals_are_counted() -> None:
    """Refused requests count as sent, and those answered 429 by themselves."""
    staged = Stage(1)
    await staged.shop.respond(request("POST", "/demo/inventory", b"{}"))
    staged.shop.configure(requests_per_second=0.001, burst=1)
    for _ in range(3):
        await staged.shop.respond(request("GET", "/demo/inventory"))
    assert (staged.shop.requests, staged.shop.throttled) == (4, 2)
    assert (staged.shop.writes, staged.shop.writes_under_way) == (1, 0)


async def test_changes_are_markers_by_entry() -> None:
    """Each marker counts once per entry: orders, which leave it as it is, do not count; nor does an unmarked entry."""
    staged = Stage(1)
    journal = staged.shop.journal
    for place in (("A", "c1"), ("B", "c1")):
        journal.stock_moved(place, 1.0, {"archOp": "l/1"}, 5, 5, "archsyncd")
        journal.stock_moved(place, 2.0, {"archOp": "l/1"}, -1, 4, "an order")
    journal.stock_moved(("A", "c1"), 3.0, {"archOp": "l/2"}, 2, 6, "archsyncd")
    journal.stock_moved(("C", "c1"), 3.0, {}, 2, 2, "somebody")
    assert staged.shop.changes == 3
    assert staged.shop.empty_changes == 0
    journal.stock_moved(("A", "c1"), 4.0, {"archOp": "l/3"}, 0, 6, "archsyncd")
    assert staged.shop.empty_changes == 1


async def test_an_act_that_is_refused_is_raised() -> None:
    """The show does not go on over a simulator's refusal."""
    staged = Stage(1)
    with pytest.raises(RuntimeError, match="store-sales"):
        await staged.act("store-sales", sku="NONE", location="WH1", quantity=1)


def test_the_day_has_hundreds_of_keys() -> None:
    """200 SKUs in two warehouses."""
    config = day(40)
    assert len(config.skus) * len(config.locations) == 400


async def test_the_workspace_is_a_configuration_that_the_daemon_takes(place: Path) -> None:
    """It loads without a fault, its secret is nobody else's to read, and it goes with everything in it."""
    staged = Stage(1)
    staged.shop_url, staged.house_url = "http://127.0.0.1:1", "http://127.0.0.1:2"
    with workspace(staged, place, page="127.0.0.1:9470") as made:
        settings = load(made.config, made.credentials, {})
        assert str(settings.status.listen) == made.page
        assert {name: each.channel for name, each in settings.locations.items()} == LOCATIONS
        assert settings.daemon.control_socket == made.control
        assert settings.orders.mode == "hand-over"
        secret = made.credentials / "commercetools-client-secret"
        assert (secret.read_text(), secret.stat().st_mode & 0o077) == (SECRET, 0)
        assert made.directory.stat().st_mode & 0o077 == 0
        made.log.write_text("a line\n")
        kept = made.keep_log()
    assert not made.directory.exists()
    assert kept.read_text() == "a line\n"
    assert kept.parent == place


async def test_both_administrations_answer() -> None:
    """A look by GET and an act by POST reach the simulators without a socket."""
    staged = Stage(1)
    status, said = await staged.ask_shop("POST", "channels", {"key": "warehouse-1"})
    assert (status, bool(said["result"])) == (200, True)
    status, said = await staged.ask_house("GET", "state")
    assert (status, said["holdings"]) == (200, 0)


async def test_orders_under_way_to_archean_are_counted() -> None:
    """From the first byte to the answer; looking an order up is none."""
    staged = Stage(1)
    await staged.act("faults", kind="stall", endpoint="orders", times=2)
    asked = [
        asyncio.ensure_future(staged.house.handle(Asked(method, "/v1/orders/o1")))
        for method in ("PUT", "GET")
    ]
    await asyncio.sleep(0)
    assert staged.house.orders_under_way == 1
    staged.house.script.clear()
    await asyncio.gather(*asked)
    assert staged.house.orders_under_way == 0


async def test_lost_answers_are_counted_on_both_sides() -> None:
    """Those that struck, not those that are still scripted."""
    staged = Stage(1)
    await staged.act("faults", kind="drop_after", endpoint="orders", times=3)
    await staged.house.handle(Asked("GET", "/v1/orders/o1"))
    fault = {"route": "orders.update", "kind": "lost_answer", "count": 3}
    await staged.ask_shop("POST", "faults", fault)
    assert staged.answers_lost == 1


async def test_orders_are_followed_and_exceptions_named_by_their_subject() -> None:
    """Two orders nobody handed over: one has an exception, the other is astray; without the daemon's word nothing is known."""
    staged = Stage(1)
    staged.shop.add_entry("A", None, 5)
    for number in ("CT-1001", "CT-1002"):
        staged.shop.place_order([("A", 1)], order_number=number)
    orders = staged.orders({"CT-1001", "SKU-00001"})
    assert orders.as_json() == {
        "orders": 2,
        "handed_over": 0,
        "duplicates": 0,
        "deliveries": 0,
        "shipped_too_early": 0,
        "orders_in_exceptions": 1,
    }
    assert orders.unexplained == ("CT-1002: not in the warehouse",)
    assert staged.orders(None).in_exceptions is None
    assert not staged.at_work

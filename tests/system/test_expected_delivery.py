"""Goods to come shown on entries: by the earliest date, riding or alone, cleared when gone, and no quantity ever moves by it."""

from __future__ import annotations

from typing import Any

from archsyncd.engine.deliveries import FOREIGN_NOTE
from archsyncd.operator.sku_screen import sku_lines
from archsyncd.simulators.commercetools import FaultKind
from tests.process.site import CHANNEL, LOCATION, Site
from tests.support.virtual_time import virtual
from tests.system.circling import ask
from tests.system.inside import inside

TWO = {"locations": (LOCATION, "WH2"), "channels": {LOCATION: CHANNEL, "WH2": CHANNEL}}
MAPPED = f'{LOCATION} = {{ channel = "{CHANNEL}" }}\nWH2 = {{ channel = "{CHANNEL}" }}'
MORE = f'[channels."{CHANNEL}"]\norder_location = "{LOCATION}"\nexpected_delivery = true\n'
FIRST, SECOND = "2026-12-01T00:00:00.000Z", "2026-12-20T08:00:00.000Z"


def future(*told: tuple[int, str]) -> list[dict[str, Any]]:
    return [{"quantity": quantity, "expectedAt": at, "ref": "PO-1"} for quantity, at in told]


def expects(site: Site, sku: str, *told: tuple[int, str], location: str = LOCATION) -> None:
    """From the next level on Archean tells of these."""
    site.house.warehouse.room.future[sku, location] = future(*told)
    site.house.warehouse.room.tell_level(sku, location)


def shown(site: Site, sku: str) -> str | None:
    """What the entry shows."""
    return site.shop.entry_document(sku, CHANNEL).get("expectedDelivery")


async def until_shown(site: Site, sku: str, wanted: str | None, seconds: float = 90) -> None:
    await site.until(lambda: shown(site, sku) == wanted, f"{sku} shows {wanted}", seconds)


@virtual
async def test_the_earliest_date_of_a_channels_locations_is_shown_and_cleared_when_it_is_gone() -> None:
    """It has a write of its own, which no quantity waits for, and leaves the next increment its version."""
    async with inside(seed=840, house=TWO) as (site, house):
        site.open({"A": 10, "B": 5})
        for sku in ("A", "B"):
            site.house.warehouse.seed(sku, "WH2", 0)
        async with house.daemon(locations=MAPPED, more=MORE) as running:
            await site.until_stock({"A": 10, "B": 5})
            expects(site, "A", (100, "2026-12-20T09:00:00+01:00"), (0, "2026-11-30"))
            await until_shown(site, "A", SECOND)
            expects(site, "A", (5, "2026-12-01"), location="WH2")
            await until_shown(site, "A", FIRST, 200)
            conflicts = running.app.shared.counters.get("conflicts", 0)
            site.house.warehouse.receipt("A", LOCATION, 2)
            await site.until_stock({"A": 12})
            assert running.app.shared.counters.get("conflicts", 0) == conflicts
            story = await ask(running, "sku", sku="A")
            assert story["keys"][0]["expected_written"] == FIRST
            assert any("expected" in line for line in sku_lines(story))
            assert story["keys"][0]["adds_up"]
            expects(site, "A", location="WH2")
            await until_shown(site, "A", SECOND, 200)
            expects(site, "A")
            await until_shown(site, "A", None, 200)
            assert site.stock("A") == 12
            assert shown(site, "B") is None


@virtual
async def test_it_rides_with_an_increment_that_is_due() -> None:
    """One request for both; a quantity that is refused for it goes alone."""
    async with inside(seed=841) as (site, house):
        site.open({"A": 10})
        async with house.daemon(more=MORE) as running:
            await site.until_stock({"A": 10})
            site.house.warehouse.room.future["A", LOCATION] = future((9, "2026-12-01"))
            site.house.warehouse.receipt("A", LOCATION, 1)
            await site.until_stock({"A": 11})
            assert shown(site, "A") == FIRST
            site.house.warehouse.room.future["A", LOCATION] = future((9, "2026-12-20T08:00:00Z"))
            site.shop.faults.add("inventory.update", FaultKind.INVALID_INPUT, count=1)
            site.house.warehouse.receipt("A", LOCATION, 1)
            await site.until_stock({"A": 12})
            assert await running.app.store.cases.listed(kind="stock_update_failed") == []


@virtual
async def test_lost_answers_and_orders_at_the_same_time_leave_every_quantity_right() -> None:
    """Writes of it meet orders, edits of versions and errors that were applied; in the end both are as they should be."""
    async with inside(seed=842) as (site, house):
        site.open({f"S{n}": 20 for n in range(6)})
        async with house.daemon(more=MORE) as running:
            await site.until_stock({f"S{n}": 20 for n in range(6)})
            for kind in (FaultKind.SERVER_ERROR_APPLIED, FaultKind.CONFLICT, FaultKind.SERVER_ERROR_APPLIED):
                site.shop.faults.add("inventory.update", kind, count=2)
            for n in range(6):
                expects(site, f"S{n}", (1, "2026-12-01"))
                site.order(f"S{n}", 2)
                site.house.warehouse.store_sale(f"S{n}", LOCATION, 1)
            await site.until_stock({f"S{n}": 17 for n in range(6)}, 300)
            for n in range(6):
                await until_shown(site, f"S{n}", FIRST, 300)
            # An order's import may be told before its acceptance: its pieces are hidden for a moment.
            await site.clock.sleep(10)
            await site.stays(lambda: all(site.stock(f"S{n}") == 17 for n in range(6)), "a quantity moved", 60)
            assert (await ask(running, "status"))["keys"]["out_of_step"] == 0


@virtual
async def test_nothing_is_shown_unless_a_channel_wants_it_and_what_was_told_before_counts_then() -> None:
    """Off by default; switched on by a reload, entries show what Archean had told. Switched off, it stays and is left alone."""
    async with inside(seed=843) as (site, house):
        site.open({"A": 10})
        plain = MORE.replace("true", "false")
        async with house.daemon(more=plain) as running:
            await site.until_stock({"A": 10})
            expects(site, "A", (9, "2026-12-01"))
            await site.stays(lambda: shown(site, "A") is None, "it was shown", 60)
            house.write(more=MORE)
            await ask(running, "reload")
            await until_shown(site, "A", FIRST)
            house.write(more=plain)
            await ask(running, "reload")
            expects(site, "A")
            await site.stays(lambda: shown(site, "A") == FIRST, "it was cleared", 120)


@virtual
async def test_a_date_that_somebody_else_set_is_told_and_left() -> None:
    """The walk over the inventory notices it; it is information, and no exception."""
    async with inside(seed=844) as (site, house):
        site.open({"A": 10})
        async with house.daemon(more=MORE) as running:
            await site.until_stock({"A": 10})
            expects(site, "A", (9, "2026-12-01"))
            await until_shown(site, "A", FIRST)
            other = {"action": "setExpectedDelivery", "expectedDelivery": SECOND}
            site.shop.update_entry("A", CHANNEL, other)
            await ask(running, "reconcile", mode="dry-run")
            notes = running.app.shared.notes
            await site.until(lambda: FOREIGN_NOTE in notes, "it is told")
            assert "1 entries" in notes[FOREIGN_NOTE]
            assert shown(site, "A") == SECOND
            expects(site, "A", (9, "2026-12-24"))
            await until_shown(site, "A", "2026-12-24T00:00:00.000Z", 200)

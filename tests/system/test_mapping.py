"""A location that was left out of the configuration, from its case to the SKU on sale, by the verbs alone."""

from __future__ import annotations

from archsyncd.operator.screens import case_lines
from tests.process.site import CHANNEL
from tests.support.virtual_time import virtual
from tests.system.circling import ask
from tests.system.inside import House, Running, inside

PLACES = {"locations": ("WH1", "WH2"), "channels": {"WH1": CHANNEL, "WH2": CHANNEL}}
MAPPED = f'WH1 = {{ channel = "{CHANNEL}" }}\nWH2 = {{ channel = "{CHANNEL}" }}'
POLICY = f'[channels."{CHANNEL}"]\norder_location = "WH1"'


async def found(running: Running, kind: str) -> list[str]:
    """The audit's findings of a kind, by name, made anew."""
    started = await ask(running, "audit.start")
    progress = started
    while progress["state"] == "running":
        progress = await ask(running, "audit.look", seen=progress["revision"])
    assert progress["state"] == "done", progress
    rows = (await ask(running, "audit.rows"))["rows"]
    return [row["name"] for row in rows if row["kind"] == kind]


async def until_told(running: Running) -> int:
    """Wait for the case of the location; its number."""
    for _ in range(300):
        rows = (await ask(running, "exceptions.list", kind="location_unmapped"))["rows"]
        if rows:
            return int(rows[0]["id"])
        await running.app.clock.sleep(0.2)
    raise AssertionError("the location was never told of")


async def remap(house: House, running: Running, locations: str, more: str = "") -> None:
    house.write(locations=locations, more=more)
    assert (await ask(running, "reload"))["done"]


@virtual
async def test_what_was_set_aside_comes_on_sale_when_its_location_is_mapped() -> None:
    """The case names the location and the step; after it the kept level is sold, the case closed, nothing sent again."""
    async with inside(seed=620, house=PLACES) as (site, house), house.daemon() as running:
        site.open({"A": 10})
        site.shop.add_products(["NEW"])
        await site.until_stock({"A": 10})
        site.house.warehouse.seed("NEW", "WH2", 0)
        site.house.warehouse.receipt("NEW", "WH2", 7)
        number = await until_told(running)
        told = "\n".join(case_lines(await ask(running, "exceptions.show", id=number)))
        assert "WH2" in told
        assert "archsyncctl reload" in told
        assert "which SKUs come on sale" in told
        await site.clock.sleep(30)
        assert not site.shop.has_entry("NEW", CHANNEL)
        assert await found(running, "location_unmapped") == ["WH2"]
        read = (await running.app.store.feeds.state("main")).read_total
        await remap(house, running, MAPPED, POLICY)
        plan = {row["sku"]: row for row in (await ask(running, "plan"))["rows"]}
        assert plan["NEW"]["wanted"] == 7
        await site.until_stock({"NEW": 7, "A": 10}, 60)
        case = await ask(running, "exceptions.show", id=number)
        assert (case["state"], case["note"]) == ("resolved", "the location is mapped now")
        state = await running.app.store.feeds.state("main")
        assert state.read_total - read <= 2, "the levels were read again"
        assert await found(running, "location_unmapped") == []


@virtual
async def test_an_ignored_location_closes_its_case_and_sells_nothing() -> None:
    """To leave it out on purpose is an answer as well."""
    async with inside(seed=621, house=PLACES) as (site, house), house.daemon() as running:
        site.open({"A": 10})
        await site.until_stock({"A": 10})
        site.house.warehouse.seed("A", "WH2", 0)
        site.house.warehouse.receipt("A", "WH2", 7)
        number = await until_told(running)
        await remap(house, running, f'WH1 = {{ channel = "{CHANNEL}" }}\nWH2 = {{ ignore = true }}')
        assert (await ask(running, "exceptions.show", id=number))["state"] == "resolved"
        await site.clock.sleep(30)
        assert site.stock("A") == 10
        assert await found(running, "location_unmapped") == []

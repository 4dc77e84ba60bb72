"""Going live in steps, changing the configuration while it runs, and the other ways of receiving and publishing."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import pytest

from archsyncd.config import ConfigurationFaults
from archsyncd.domain.cases import CaseKind
from archsyncd.domain.fatal import Fatal
from archsyncd.holding import NOT_TAKEN
from archsyncd.operator.plan import planned as planned_row
from archsyncd.simulators.commercetools import ApiClient
from archsyncd.simulators.r247.drop import DropExporter, DropFault, DropStyle, DropWriter, Form
from tests.process.harness import DROP
from tests.process.site import CHANNEL, LOCATION, SECRET, Site
from tests.support.virtual_time import virtual
from tests.system.inside import House, Running, inside

STOCK = {f"S{number:02}": 10 + number for number in range(6)}
PLAN = '[rollout]\nstage = "plan"'
SHOPS_OWN = {
    "key": "shops-own",
    "name": {"en": "the shop's own"},
    "resourceTypeIds": ["inventory-entry"],
    "fieldDefinitions": [],
}


def allow(house: House, *skus: str) -> str:
    """A rollout of these SKUs only."""
    path = house.place() / "skus.txt"
    path.write_text("# first ones\n" + "\n".join(skus) + "\n")
    return f'[rollout]\nstage = "allow-list"\nskus_file = "{path}"'


def written(site: Site) -> dict[str, int]:
    """Every request so far that was meant to change something in commercetools."""
    changing = (".create", ".update", ".put", ".delete")
    counts = site.shop.journal.requests
    return {name: count for name, count in counts.items() if name.endswith(changing)} | {
        kind: count for kind, count in site.watcher.counts.items() if kind.startswith("POST graphql-mutation")
    }


READS = ("view_products", "view_orders", "view_messages", "view_project_settings", "view_channels")


async def planned(daemon: Running) -> dict[str, tuple[str, int | None, int]]:
    """What `archsyncctl plan` shows: action, current and wanted by SKU."""
    rows = [planned_row(row) for row in await daemon.app.store.report.plan(None, 100)]
    return {row.sku: (row.action.value, row.current, row.wanted) for row in rows}


@pytest.mark.parametrize("lease_seconds", [0, 30])
@virtual
async def test_planning_writes_nothing_whatever_and_shows_what_it_would(lease_seconds: int) -> None:
    """With read scopes only: no lease, no type, no entry; and the plan knows what each entry shows now."""
    async with inside(seed=66) as (site, house):
        site.open(STOCK)
        site.shop.replace_client(ApiClient(secret=SECRET, scopes=READS))
        site.shop.add_entry("S00", CHANNEL, 4)
        async with house.daemon(more=PLAN, lease_seconds=lease_seconds) as daemon:
            await site.until(lambda: daemon.app.shared.orders_known, "orders read")
            await site.clock.sleep(300)
            assert written(site) == {}
            plan = await planned(daemon)
            assert plan["S00"] == ("increase", 4, 10)
            assert plan["S01"] == ("create", None, 11)
            assert daemon.app.tenure_text == NOT_TAKEN
            assert daemon.notes.status.startswith("planning")
        assert written(site) == {}


@pytest.mark.parametrize("by_reload", [True, False])
@virtual
async def test_leaving_the_plan_takes_the_lease_and_makes_the_type_before_the_first_write(
    by_reload: bool,
) -> None:
    """Entries of the shop's own type are completed too, and what others wrote while planning is not overwritten."""
    async with inside(seed=67) as (site, house):
        site.open(STOCK)
        site.shop.add_type(SHOPS_OWN)
        custom = {"type": {"typeId": "type", "key": "shops-own"}, "fields": {}}
        site.shop.add_entry("S00", CHANNEL, 4, custom=custom)
        async with contextlib.AsyncExitStack() as stack:
            first = house.daemon(more=PLAN, lease_seconds=30)
            daemon = await stack.enter_async_context(first)
            await site.clock.sleep(200)
            assert (await planned(daemon))["S00"] == ("increase", 4, 10)
            site.shop.update_entry("S00", CHANNEL, {"action": "changeQuantity", "quantity": 6})
            house.write(lease_seconds=30)
            if by_reload:
                await daemon.app.reload()
            else:
                await stack.aclose()
                daemon = await stack.enter_async_context(house.daemon())
            await site.until_stock(STOCK, 200)
            assert daemon.app.tenure_text.startswith("held by ")
            assert written(site)["custom-objects.put"] > 0
            assert await daemon.cases(CaseKind.STOCK_UPDATE_FAILED) == []


@virtual
async def test_going_back_to_the_plan_lets_the_lease_go_and_writes_nothing_more() -> None:
    """A standby takes over at once; back from planning this host stands by in its turn, and nothing dies of it."""
    async with inside(seed=68) as (site, house):
        site.open(STOCK)
        house.write("one", lease_seconds=30)
        house.write("two", lease_seconds=30)
        async with (
            house.daemon("one", host="a") as first,
            house.daemon("two", host="b", ready=False) as second,
        ):
            await site.until_stock(STOCK)
            house.write("one", more=PLAN, lease_seconds=30)
            await first.app.reload()
            await asyncio.wait_for(second.app.ready.wait(), 60)
            site.house.warehouse.store_sale("S00", LOCATION, 1)
            await site.until_stock({"S00": 9}, 60)
            await site.clock.sleep(300)
            assert not first.app.drain.options.writes
            house.write("one", lease_seconds=30)
            await first.app.reload()
            await site.clock.sleep(600)
            assert "stands by" in first.app.tenure_text
            assert not first.task.done()
        site.house.warehouse.store_sale("S01", LOCATION, 1)
        async with house.daemon("one", host="a"):
            await site.until_stock({"S00": 9, "S01": 10}, 200)


@virtual
async def test_rollout_goes_from_plan_to_some_skus_to_all_and_back_by_reload() -> None:
    """Planned: nothing is written. Allowed: those only. All: the rest. Back: the rest stands still again."""
    async with inside(seed=60) as (site, house), house.daemon(more=PLAN) as daemon:
        site.open(STOCK)
        await site.until(lambda: daemon.app.shared.orders_known, "orders read")
        await site.stays(lambda: site.stock("S00") is None, "written though only planned", 30)
        assert written(site) == {}
        house.write(more=allow(house, "S00", "S01"))
        await daemon.app.reload()
        await site.until_stock({"S00": 10, "S01": 11}, 30)
        await site.stays(lambda: site.stock("S02") is None, "written though not allowed", 20)
        house.write(more="")
        await daemon.app.reload()
        await site.until_stock(STOCK, 30)
        house.write(more=allow(house, "S00"))
        await daemon.app.reload()
        for sku in STOCK:
            site.house.warehouse.store_sale(sku, LOCATION, 1)
        await site.until_stock({"S00": 9}, 30)
        await site.stays(lambda: site.stock("S05") == 15, "written though not allowed any more", 20)
        house.write(more="")
        await daemon.app.reload()
        await site.until_stock({sku: pieces - 1 for sku, pieces in STOCK.items()}, 60)


@pytest.mark.parametrize(
    "wrong", ["[commercetools", '[rollout]\nstage = "half"', '[rollout]\nstage = "allow-list"']
)
@virtual
async def test_f013_a_reload_of_a_faulty_file_changes_nothing(wrong: str) -> None:
    """The configuration before stays in force, the faults are told, and a right file is taken afterwards."""
    async with inside(seed=61) as (site, house), house.daemon() as daemon:
        site.open(STOCK)
        await site.until_stock(STOCK)
        house.write(more=wrong)
        with pytest.raises((ConfigurationFaults, Fatal)):
            await daemon.app.reload()
        assert daemon.journal.line("stays in force")
        site.house.warehouse.store_sale("S00", LOCATION, 1)
        await site.until_stock({"S00": 9})
        house.write(more=f'[channels."{CHANNEL}"]\nsafety_stock = 2')
        assert await daemon.app.reload() == []
        await site.until_stock({sku: pieces - 2 for sku, pieces in STOCK.items()} | {"S00": 7}, 60)


@virtual
async def test_a_reload_names_what_only_a_restart_changes() -> None:
    """Such a value stays what it was."""
    async with inside(seed=62) as (site, house), house.daemon() as daemon:
        site.open(STOCK)
        await site.until_stock(STOCK)
        house.write(project="demo-2", lease_seconds=30)
        assert set(await daemon.app.reload()) >= {"commercetools.project_key", "lease.seconds"}
        site.house.warehouse.store_sale("S00", LOCATION, 1)
        await site.until_stock({"S00": 9})


@virtual
async def test_a_reload_leaves_the_rules_as_they_are_where_only_a_restart_changes_them() -> None:
    """The ledger goes on by the mode in which its entries were written, not half by another one."""
    async with inside(seed=66) as (site, house), house.daemon() as daemon:
        site.open(STOCK)
        await site.until_stock(STOCK)
        house.write(commercetools='inventory_mode = "untracked"')
        assert "commercetools.inventory_mode" in await daemon.app.reload()
        assert daemon.app.store.rules.policies.tracked
        assert daemon.app.drain.options.tracked


@virtual
async def test_a_percentage_a_safety_stock_and_a_buffer_are_in_force_after_a_reload() -> None:
    """F of everything known is reckoned anew, orders that are open included, and goes back exactly."""
    async with inside(seed=63) as (site, house), house.daemon() as daemon:
        site.open(STOCK)
        await site.until_stock(STOCK)
        site.order("S05", 3, import_seconds=200)
        await site.until_stock({"S05": 12})
        rules = f'[channels."{CHANNEL}"]\npercentage = 50\nsafety_stock = 1'
        house.write(more=rules, locations=f'{LOCATION} = {{ channel = "{CHANNEL}", buffer = 1 }}')
        await daemon.app.reload()
        # f(15) = (15 - 1) * 50 % - 1 = 6, and three pieces of it are promised.
        await site.until_stock({"S05": 3, "S00": 3}, 60)
        house.write()
        await daemon.app.reload()
        # Everything would rise: that is for a person to allow.
        case = await daemon.until_case(CaseKind.HELD_RULES)
        assert case is not None
        told = [line for line in daemon.journal.lines if line.startswith("in force now")]
        assert [("held" in line, "locations" in line.partition(";")[0]) for line in told] == [
            (False, True),
            (True, False),
        ]
        await site.stays(lambda: site.stock("S00") == 3, "raised without a word", 30)
        assert await daemon.app.reckoning.approve(case.subject)
        await site.until_stock({"S05": 12, "S00": 10}, 60)


@virtual
async def test_a_reload_says_which_files_beside_the_configuration_it_took(tmp_path: Path) -> None:
    """One that holds something else is named; nothing new is said only where nothing is."""
    rules = tmp_path / "rules.csv"
    rules.write_text("sku,safety_stock,percentage,offer\nS00,,,\n")
    more = f'[channels."{CHANNEL}"]\nskus_file = "{rules}"'
    async with inside(seed=64) as (site, house), house.daemon(more=more) as daemon:
        site.open(STOCK)
        await site.until_stock(STOCK)
        await daemon.app.reload()
        rules.write_text("sku,safety_stock,percentage,offer\nS00,4,,\n")
        await daemon.app.reload()
        await site.until_stock({"S00": 6})
        told = [line for line in daemon.journal.lines if line.startswith("in force now")]
        assert told[0] == "in force now: nothing new"
        assert told[1] == f"in force now: the content of channels.{CHANNEL}.skus_file"


class Files:
    """An Archean that writes files."""

    def __init__(self, site: Site, house: House, style: DropStyle) -> None:
        self.root = house.directory / "drop"
        self.root.mkdir()
        self.writer = DropWriter(self.root, style, "main", site.house.log)
        self.exporter = DropExporter(site.house.warehouse, self.writer)

    def receipts(self) -> int:
        return len(list((self.root / "receipts").iterdir()))


@pytest.mark.parametrize("form", list(Form))
@virtual
async def test_a_drop_directory_is_followed_from_the_first_full_to_receipts(form: Form) -> None:
    """Full, deltas, an order imported, a gap that a late file fills, a broken file, and the restart between."""
    async with inside(seed=64) as (site, house):
        files = Files(site, house, DropStyle(form=form, compress=form is Form.CSV))
        changes: dict[str, Any] = {"feed": DROP.format(drop=files.root)}
        site.open(STOCK)
        async with house.daemon(**changes):
            files.exporter.full()
            await site.until_stock(STOCK, 60)
            site.house.warehouse.store_sale("S00", LOCATION, 1)
            files.exporter.new()
            await site.until_stock({"S00": 9}, 60)
            site.order("S01", 2, import_seconds=5)
            await site.until_stock({"S01": 9})
            await site.clock.sleep(10)
            files.exporter.new()
            await site.clock.sleep(10)
            site.house.warehouse.store_sale("S02", LOCATION, 1)
            files.exporter.new(DropFault.WITHHELD)
            site.house.warehouse.store_sale("S02", LOCATION, 1)
            files.exporter.new()
            files.writer.release()
            await site.until_stock({"S02": 10}, 120)
        site.house.warehouse.store_sale("S03", LOCATION, 1)
        files.exporter.new()
        async with house.daemon(**changes) as daemon:
            await site.until_stock({"S03": 12}, 60)
            row = await daemon.row("S01")
            assert (row.known, row.refl) == (2, 2)
            await site.until(lambda: files.receipts() >= len(files.writer.written), "a receipt for each file")
            assert site.stock("S01") == 9


@virtual
async def test_an_untracked_project_is_written_absolutely_and_orders_are_subtracted() -> None:
    """Every cart has mode None: the figure less what is open, corrected when somebody edits it, and said as its window."""
    async with inside(seed=65, shop={"inventory_mode": "None"}) as (site, house):
        site.open(STOCK)
        async with house.daemon(commercetools='inventory_mode = "untracked"') as daemon:
            await site.until_stock(STOCK)
            site.order("S00", 3, mode="None", import_seconds=30)
            await site.until_stock({"S00": 7}, 20)
            await site.clock.sleep(60)
            assert site.stock("S00") == 7
            site.order("S01", 2, mode="None", import_seconds=None)
            await site.until_stock({"S01": 9}, 20)
            site.house.warehouse.receipt("S01", LOCATION, 1)
            await site.until_stock({"S01": 10}, 20)
            site.shop.update_entry("S02", CHANNEL, {"action": "changeQuantity", "quantity": 99})
            site.house.warehouse.store_sale("S02", LOCATION, 1)
            await site.until_stock({"S02": 11}, 30)
            site.order("S03", 1, mode="ReserveOnOrder", import_seconds=None)
            assert await daemon.until_case(CaseKind.UNTRACKED_DEMAND)


@virtual
async def test_f034_untracked_nothing_is_written_at_first_before_the_open_orders_are_known() -> None:
    """Orders that Archean has not imported are in no figure of its: each would be for sale a second time."""
    async with inside(seed=67, shop={"inventory_mode": "None"}) as (site, house):
        site.open(STOCK)
        for sku in STOCK:
            site.order(sku, 4, mode="None", import_seconds=None)
        await site.clock.sleep(30)
        highest: dict[str, int] = {}

        def look() -> bool:
            for sku in STOCK:
                highest[sku] = max(highest.get(sku, 0), site.stock(sku) or 0)
            return all(site.stock(sku) == pieces - 4 for sku, pieces in STOCK.items())

        async with house.daemon(commercetools='inventory_mode = "untracked"'):
            await site.until(look, "in step")
        assert highest == {sku: pieces - 4 for sku, pieces in STOCK.items()}


@virtual
async def test_orders_that_are_off_are_not_read() -> None:
    """Archean's figures are published as they are, through a start, and nobody asks commercetools about orders."""
    async with inside(seed=68, shop={"inventory_mode": "None"}) as (site, house):
        site.open(STOCK)
        house.write(commercetools='inventory_mode = "untracked"', orders='mode = "off"')
        async with house.daemon() as daemon:
            await site.until_stock(STOCK)
            site.order("S00", 3, mode="None", import_seconds=None)
            site.house.warehouse.receipt("S01", LOCATION, 1)
            await site.until_stock({"S00": 10, "S01": 12}, 20)
            await site.stays(lambda: site.stock("S00") == 10, "an order was counted", 60)
            assert daemon.app.watch.late() == ()
        async with house.daemon():
            site.house.warehouse.store_sale("S01", LOCATION, 2)
            await site.until_stock({"S00": 10, "S01": 10}, 60)
        asked = set(site.shop.journal.requests)
        assert not {name for name in asked if "order" in name or "message" in name}, asked

"""Lost state, restored copies and take-over, in virtual time: nothing is oversold and nothing stays hidden."""

from __future__ import annotations

import asyncio

import pytest

from archsyncd.adapters.sqlite.store import DATABASE_NAME
from archsyncd.domain.cases import CaseKind
from archsyncd.domain.fatal import Fatal
from archsyncd.domain.ledger import Base
from archsyncd.opening import adopt
from archsyncd.simulators.commercetools.exchange import Request
from archsyncd.simulators.r247.drop import DropExporter, DropStyle, DropWriter, Form
from archsyncd.simulators.trade import Trade, TradeConfig
from archsyncd.wire.commercetools.projects import LEASE_CONTAINER, LEASE_KEY
from tests.process.harness import DROP
from tests.process.site import CHANNEL, Site, assert_right, in_step
from tests.support.virtual_time import virtual
from tests.system.inside import House, Notes, Running, inside

DAY = TradeConfig(
    seconds=240,
    keys=20,
    hot_keys=3,
    shoppers=4,
    orders_per_second=0.5,
    store_sales_per_second=0.15,
    throttled_requests=4,
)

# A process with nothing of its own to go by reads channels, orders and entries before it lowers anything.
TAKE_OVER_SECONDS = 8.0


async def play(trade: Trade) -> None:
    async for _ in trade.run():
        pass


async def ends_right(site: Site, trade: Trade, *outages: tuple[float, float]) -> None:
    await trade.settle()
    assert_right(await in_step(site, trade, 300, outages=outages))


def lose(house: House, name: str = "one") -> None:
    for path in house.database(name).parent.glob(f"{DATABASE_NAME}*"):
        path.unlink()


@virtual
async def test_a_day_of_trade_ends_in_step() -> None:
    """An ordinary day, as the measure of the others."""
    async with inside(seed=3) as (site, house), house.daemon():
        trade = site.trade(DAY, 3)
        await trade.open()
        await play(trade)
        await ends_right(site, trade)


@pytest.mark.parametrize("seed", [4, 5])
@pytest.mark.parametrize("pause_seconds", [0, 20])
@virtual
async def test_f034_a_lost_database_is_rebuilt_while_trade_goes_on(seed: int, pause_seconds: int) -> None:
    """The file is deleted in the middle of the day; orders come in before, while and after."""
    async with inside(seed=seed) as (site, house):
        trade = site.trade(DAY, seed)
        await trade.open()
        day = asyncio.create_task(play(trade))
        async with house.daemon():
            await site.clock.sleep(100)
        lost = site.clock.now()
        lose(house)
        await site.clock.sleep(pause_seconds)
        async with house.daemon():
            knows_all = site.clock.now() + TAKE_OVER_SECONDS
            await day
            await ends_right(site, trade, (lost, knows_all))


@pytest.mark.parametrize("seed", [6, 7])
@virtual
async def test_f032_f039_an_old_copy_put_back_catches_up_while_trade_goes_on(seed: int) -> None:
    """The file of an earlier hour comes back, behind its own markers, its feed cursor and its order list."""
    async with inside(seed=seed) as (site, house):
        trade = site.trade(DAY, seed)
        await trade.open()
        day = asyncio.create_task(play(trade))
        async with house.daemon():
            await site.clock.sleep(60)
        house.keep_copy("copy")
        async with house.daemon():
            await site.clock.sleep(80)
        house.keep_copy("one", "copy")
        async with house.daemon():
            await day
            await ends_right(site, trade)


@virtual
async def test_f032_a_copy_taken_before_the_entries_were_made_finds_them() -> None:
    """Everything the copy knows is older than the entries that its later self made."""
    async with inside(seed=8) as (site, house):
        site.open({"A": 5, "B": 7})
        async with house.daemon(more='[rollout]\nstage = "plan"'):
            await site.until(lambda: site.watcher.counts, "the first request")
        house.keep_copy("copy")
        house.write()
        async with house.daemon():
            await site.until_stock({"A": 5, "B": 7})
            site.order("A", 2)
            await site.until_stock({"A": 3})
        house.keep_copy("one", "copy")
        async with house.daemon():
            site.house.warehouse.receipt("A", "WH1", 4)
            await site.until_stock({"A": 7, "B": 7}, 200)
            await site.stays(lambda: (site.stock("A"), site.stock("B")) == (7, 7), "it moved again", 60)


@virtual
async def test_f162_of_two_databases_one_writes_and_the_other_stands_by_and_takes_over() -> None:
    """The first host dies without a word; the second takes its lease, keeps every base provisional and proves it."""
    async with inside(seed=9) as (site, house):
        trade = site.trade(DAY, 9)
        await trade.open()
        day = asyncio.create_task(play(trade))
        house.write("one", lease_seconds=30)
        house.write("two", lease_seconds=30)
        async with house.daemon("one", host="a", quiet=False) as first:
            await site.clock.sleep(30)
            async with house.daemon("two", host="b", ready=False) as second:
                await site.clock.sleep(30)
                assert not second.app.ready.is_set()
                assert "stands by" in second.app.tenure_text
                silent = site.clock.now()
                await silence(site, first)
                await asyncio.wait_for(second.app.ready.wait(), 120)
                knows_all = site.clock.now() + TAKE_OVER_SECONDS
                await day
                await ends_right(site, trade, (silent, knows_all))


async def silence(site: Site, running: Running) -> None:
    """The host dies: nothing it sends arrives any more, and its process is gone."""
    silent = f"/{running.app.world.host_name}"

    async def swallow(request: Request) -> None:
        if silent in request.headers.get("X-External-User-ID", ""):
            await asyncio.get_running_loop().create_future()

    site.watcher.before = swallow
    running.task.cancel()
    await asyncio.wait({running.task})


@virtual
async def test_f162_a_dead_hosts_request_that_lands_late_is_found_and_undone() -> None:
    """An increment of the dead host lands after the take-over, on an entry that the new host had no reason to write."""
    async with inside(seed=10) as (site, house):
        site.open({"A": 5})
        house.write("one", lease_seconds=30)
        house.write("two", lease_seconds=30)
        held = Held(site)
        async with house.daemon("one", host="a", quiet=False) as first:
            await site.until_stock({"A": 5})
            held.arm("host-a")
            seq = site.house.warehouse.receipt("A", "WH1", 3)
            await asyncio.wait_for(held.holds.wait(), 60)
            assert seq
            first.task.cancel()
            await asyncio.wait({first.task})
        site.house.warehouse.store_sale("A", "WH1", 3)
        async with house.daemon("two", host="b"):
            await site.clock.sleep(20)
            assert site.stock("A") == 5
            held.release()
            await site.clock.sleep(1)
            assert site.stock("A") == 8, "the late request was not accepted, so this shows nothing"
            await site.until_stock({"A": 5}, 240)
            await site.stays(lambda: site.stock("A") == 5, "it moved again", 60)


class Held:
    """Holds the next write of one host back until it is let go; its sender does not wait for it."""

    def __init__(self, site: Site) -> None:
        self._host = ""
        self._free = asyncio.Event()
        self.holds = asyncio.Event()
        site.watcher.before = self._before

    def arm(self, host: str) -> None:
        self._host = host

    def release(self) -> None:
        self._free.set()

    async def _before(self, request: Request) -> None:
        user = request.headers.get("X-External-User-ID", "")
        if self._host and self._host in user and request.method == "POST" and "/inventory/" in request.path:
            self._host = ""
            self.holds.set()
            await self._free.wait()


@virtual
async def test_f162_without_a_lease_two_ledgers_do_not_write_side_by_side() -> None:
    """Both believe to be alone; the younger fence wins at the first entry both want to write, and nothing is oversold."""
    async with inside(seed=11) as (site, house):
        trade = site.trade(DAY, 11)
        await trade.open()
        day = asyncio.create_task(play(trade))
        house.write("one", lease_seconds=0)
        house.write("two", lease_seconds=0)
        async with house.daemon("one", host="a", quiet=False) as first:
            await site.clock.sleep(60)
            async with house.daemon("two", host="b") as second:
                with pytest.raises(Fatal) as ended:
                    await asyncio.wait_for(first.task, 200)
                assert ended.value.code == 73
                await day
                await ends_right(site, trade)
                assert not second.task.done()


@pytest.mark.parametrize("lease_seconds", [0, 30])
@virtual
async def test_f164_a_copied_database_touches_nothing_on_another_host_until_it_is_adopted(
    lease_seconds: int,
) -> None:
    """A clone of the machine asks nobody anything and says why; the original beside it goes on."""
    async with inside(seed=12) as (site, house):
        site.open({"A": 5})
        house.write("one", lease_seconds=lease_seconds)
        house.write("two", lease_seconds=lease_seconds)
        async with house.daemon("one", host="a"):
            await site.until_stock({"A": 5})
        house.keep_copy("two")
        await site.clock.sleep(60)
        site.house.warehouse.store_sale("A", "WH1", 1)
        asked, told = dict(site.shop.journal.requests), dict(site.house.requests)
        async with house.daemon("two", host="b", ready=False) as clone:
            await site.clock.sleep(120)
            assert (dict(site.shop.journal.requests), site.house.requests) == (asked, told)
            assert "archsyncd adopt" in clone.notes.status
            assert clone.journal.line("archsyncd adopt")
            async with house.daemon("one", host="a"):
                await site.until_stock({"A": 4})
                await site.clock.sleep(60)
        said = await adopt(house.settings("two"), house.world("two", clone.notes, "b"))
        assert "belongs to this host now" in said
        site.house.warehouse.store_sale("A", "WH1", 1)
        async with house.daemon("two", host="b"):
            await site.until_stock({"A": 3})


@virtual
async def test_f164_a_copied_database_leaves_the_files_of_a_drop_alone() -> None:
    """What the original is to read is neither claimed nor moved."""
    async with inside(seed=20) as (site, house):
        drop = house.directory / "drop"
        drop.mkdir()
        writer = DropWriter(drop, DropStyle(form=Form.NDJSON), "main", site.house.log)
        exporter = DropExporter(site.house.warehouse, writer)
        site.open({"A": 5})
        house.write("one", feed=DROP.format(drop=drop))
        house.write("two", feed=DROP.format(drop=drop))
        async with house.daemon("one", host="a"):
            exporter.full()
            await site.until_stock({"A": 5})
        house.keep_copy("two")
        site.house.warehouse.store_sale("A", "WH1", 1)
        exporter.new()
        before = sorted(drop.rglob("*"))
        async with house.daemon("two", host="b", ready=False):
            await site.clock.sleep(120)
        assert sorted(drop.rglob("*")) == before


@virtual
async def test_f164_an_adopted_copy_waits_for_the_lease_of_its_original() -> None:
    """Two databases of one ledger: the original goes on, and the copy takes over when it stops."""
    async with inside(seed=17) as (site, house):
        site.open({"A": 5})
        house.write("one", lease_seconds=30)
        house.write("two", lease_seconds=30)
        async with house.daemon("one", host="a"):
            await site.until_stock({"A": 5})
        house.keep_copy("two")
        await adopt(house.settings("two"), house.world("two", Notes(), "b"))
        async with house.daemon("two", host="b", ready=False) as copy:
            async with house.daemon("one", host="a") as original:
                await site.clock.sleep(120)
                assert "stands by" in copy.app.tenure_text
                site.house.warehouse.store_sale("A", "WH1", 1)
                await site.until_stock({"A": 4})
                assert not original.task.done()
            await asyncio.wait_for(copy.app.ready.wait(), 60)
            site.house.warehouse.store_sale("A", "WH1", 1)
            await site.until_stock({"A": 3}, 200)


@pytest.mark.parametrize(
    ("before", "after", "lease_too"), [(0, 30, False), (30, 30, False), (30, 30, True), (30, 0, True)]
)
@virtual
async def test_f034_a_lost_database_begins_above_every_fence_before_it(
    before: int, after: int, lease_too: bool
) -> None:
    """With a lease or without, with its object lost too: entries written under any fence are written again."""
    async with inside(seed=18) as (site, house):
        site.open({"A": 5})
        async with house.daemon(lease_seconds=before):
            await site.until_stock({"A": 5})
        site.house.warehouse.store_sale("A", "WH1", 1)
        async with house.daemon():
            await site.until_stock({"A": 4})
        await site.clock.sleep(5)
        lose(house)
        if lease_too and before:
            site.shop.project.objects.delete(LEASE_CONTAINER, LEASE_KEY, None)
        site.house.warehouse.store_sale("A", "WH1", 1)
        async with house.daemon(lease_seconds=after):
            await site.until_stock({"A": 3})


@virtual
async def test_f034_a_fence_from_a_wrong_clock_is_passed_by_the_next_start() -> None:
    """Written under a clock ten years ahead, then lost: 73 once, told with its remedy, and the next start takes over."""
    async with inside(seed=19) as (site, house):
        site.open({"A": 5})
        house.clock.jump_wall(315_360_000)
        async with house.daemon():
            await site.until_stock({"A": 5})
        house.clock.jump_wall(-315_360_000)
        lose(house)
        site.house.warehouse.store_sale("A", "WH1", 1)
        house.write(lease_seconds=30)
        with pytest.raises(Fatal) as ended:
            async with house.daemon(quiet=False) as first:
                await asyncio.wait_for(first.task, 60)
        assert ended.value.code == 73
        assert "start this one again" in ended.value.sentence
        async with house.daemon():
            await site.until_stock({"A": 4}, 200)


@virtual
async def test_f031_f093_a_database_of_another_project_is_refused() -> None:
    """Credentials of a sandbox beside the database of production end the start with 78."""
    async with inside(seed=13) as (site, house):
        site.open({"A": 5})
        async with house.daemon():
            await site.until_stock({"A": 5})
        house.write(project="demo-2")
        with pytest.raises(Fatal) as ended:
            async with house.daemon(quiet=False):
                pass
        assert ended.value.code == 78
        assert "belongs to the project demo at" in ended.value.sentence


@virtual
async def test_f093_the_same_project_by_another_address_is_taken_on_by_adopt() -> None:
    """From a region to a private link: refused with the verb that repairs it, and nothing is lost by it."""
    async with inside(seed=17) as (site, house):
        site.open({"A": 5})
        async with house.daemon() as before:
            await site.until_stock({"A": 5})
        address = site.shop_url.replace("127.0.0.1", "localhost")
        config = house.place() / "config.toml"
        config.write_text(
            config.read_text().replace(f'api_url = "{site.shop_url}"', f'api_url = "{address}"')
        )
        with pytest.raises(Fatal, match="archsyncd adopt") as ended:
            async with house.daemon(quiet=False):
                pass
        assert ended.value.code == 78
        said = await adopt(house.settings(), house.world("one", before.notes, "a"))
        assert address in said
        assert site.shop_url in said
        async with house.daemon():
            site.house.warehouse.store_sale("A", "WH1", 1)
            await site.until_stock({"A": 4})


@virtual
async def test_f093_adopt_takes_neither_another_projects_database_nor_makes_one() -> None:
    """The key of the project decides, and where there is nothing to adopt nothing is left behind."""
    async with inside(seed=18) as (site, house):
        site.open({"A": 5})
        house.write()
        world = house.world("one", Notes(), "a")
        with pytest.raises(Fatal, match="to adopt") as ended:
            await adopt(house.settings(), world)
        assert ended.value.code == 78
        assert not house.database().exists()
        async with house.daemon():
            await site.until_stock({"A": 5})
        house.write(project="demo-2")
        with pytest.raises(Fatal, match="its own state_dir"):
            await adopt(house.settings(), world)


@virtual
async def test_f091_a_take_over_finds_a_foreign_marker_and_raises_only_after_a_clean_read() -> None:
    """Another ledger's marker proves nothing: its base is provisional, and reported."""
    async with inside(seed=14) as (site, house):
        site.open({"A": 5, "B": 5})
        async with house.daemon("one"):
            await site.until_stock({"A": 5, "B": 5})
        lose(house)
        site.house.warehouse.receipt("A", "WH1", 2)
        site.house.warehouse.store_sale("B", "WH1", 2)
        async with house.daemon("one") as taken:
            await site.until_stock({"B": 3}, 30)
            assert site.stock("A") == 5, "raised on a base that nothing proves"
            await site.until_stock({"A": 7}, 240)
            await taken.until_case(CaseKind.FOREIGN_WRITER, open_=False)


@virtual
async def test_f034_an_order_that_the_entry_shows_before_the_list_does_hides_no_decrease() -> None:
    """The base is read with the order's effect and without the order; a store sale after it must not wait for proof."""
    shop = {"stock_lag_seconds": 0, "message_lag_seconds": 4, "order_list_lag_seconds": 4}
    async with inside(seed=16, shop=shop) as (site, house):
        site.open({"A": 10})
        async with house.daemon():
            await site.until_stock({"A": 10})
        lose(house)

        async def sold_at_the_last_moment(request: Request) -> None:
            if request.path.endswith("/inventory") and "A" in request.query:
                site.watcher.before = None
                site.order("A", 2, import_seconds=None)
                site.house.warehouse.store_sale("A", "WH1", 2)

        site.watcher.before = sold_at_the_last_moment
        async with house.daemon() as taken:
            await site.until(lambda: site.watcher.before is None, "the entry being read")
            await site.until_stock({"A": 6}, 30)
            assert (await taken.row("A")).base is Base.PROVISIONAL
            await taken.until_case(CaseKind.FOREIGN_WRITER, open_=False, seconds=240)
            await site.stays(lambda: site.stock("A") == 6, "it moved again", 60)


@virtual
async def test_f070_an_entry_deleted_behind_us_comes_back_without_its_old_orders() -> None:
    """Made anew with what may be sold; an order that the old entry had taken is not sold again."""
    async with inside(seed=15) as (site, house):
        site.open({"A": 5})
        async with house.daemon():
            await site.until_stock({"A": 5})
            site.order("A", 2, import_seconds=60)
            site.shop.delete_entry("A", CHANNEL)
            site.house.warehouse.receipt("A", "WH1", 1)
            await site.until(lambda: site.shop.has_entry("A", CHANNEL), "a new entry")
            await site.until_stock({"A": 4}, 240)
            await site.clock.sleep(60)
            await site.until_stock({"A": 4}, 120)

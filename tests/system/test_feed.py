"""What the warehouse's side does wrong, and the daemon whole: nothing believed too early, nothing forgotten."""

from __future__ import annotations

import pytest

from archsyncd.domain.cases import CaseKind
from archsyncd.domain.snapshot import Snapshot
from archsyncd.simulators.r247 import POISONS, Fault, FaultKind, Movements, Reflection
from archsyncd.simulators.trade import TradeConfig
from tests.process.site import CHANNEL, LOCATION, Site, assert_right, in_step
from tests.support.virtual_time import virtual
from tests.system.inside import Running, inside

STOCK = {f"S{number:02}": 10 + number for number in range(20)}


async def started(site: Site) -> None:
    site.open(STOCK)
    await site.until_stock(STOCK)
    for change, shown in ((1, 11), (-1, 10)):
        site.house.warehouse.adjustment("S00", LOCATION, change)
        await site.until_stock({"S00": shown})


async def held(site: Site, daemon: Running) -> Snapshot:
    """The newest snapshot that waits for a person."""
    found: list[Snapshot] = []
    end = site.clock.now() + 120
    while not found:
        assert site.clock.now() < end, "no snapshot is held"
        await site.clock.sleep(0.5)
        found = [one for one in await daemon.app.store.snapshots.listed(20) if one.state == "held"]
    return found[0]


async def decide(daemon: Running, snapshot: Snapshot, *, approve: bool) -> None:
    """As a person does at the control socket."""
    assert await daemon.app.store.snapshots.decide(snapshot, "looked at", approve=approve)
    if approve:
        daemon.app.keeper.approve(snapshot.id)


@pytest.mark.parametrize("kind", [FaultKind.EXPIRED, FaultKind.EPOCH])
@virtual
async def test_f097_an_expired_cursor_is_made_up_for_by_a_snapshot(kind: FaultKind) -> None:
    """The place to go on from is gone; a full picture is taken and reading goes on behind it."""
    async with inside(seed=40) as (site, house), house.daemon() as daemon:
        await started(site)
        site.house.script.add(Fault(kind))
        site.house.warehouse.store_sale("S05", LOCATION, 5)
        await site.until_stock({"S05": 10})
        assert daemon.app.shared.counters["snapshots"] == 2
        site.house.warehouse.receipt("S05", LOCATION, 1)
        await site.until_stock({"S05": 11})


@virtual
async def test_f097_a_cursor_that_expired_while_we_were_away() -> None:
    """What happened meanwhile is in the snapshot, and what the log still has is not applied again."""
    async with inside(seed=41) as (site, house):
        async with house.daemon():
            await started(site)
        gone = list(STOCK)[:5]
        for sku in gone:
            site.house.warehouse.store_sale(sku, LOCATION, 1)
        site.house.log.forget_through(site.house.log.head_seq)
        site.house.warehouse.receipt("S00", LOCATION, 3)
        async with house.daemon():
            await site.until_stock(STOCK | {sku: STOCK[sku] - 1 for sku in gone} | {"S00": 12})


@pytest.mark.parametrize(
    "kind",
    [FaultKind.TRUNCATED, FaultKind.NO_TRAILER, FaultKind.MISCOUNT, FaultKind.MISSUM, FaultKind.CUT_BODY],
)
@virtual
async def test_f100_a_broken_snapshot_is_refused_as_a_whole_and_asked_for_again(kind: FaultKind) -> None:
    """Nothing of it is published; the next one is taken."""
    async with inside(seed=42, house={"snapshot_limit": 5}) as (site, house):
        site.open(STOCK)
        site.house.script.add(
            Fault(kind, endpoint="snapshots", times=1, after=1 if kind is FaultKind.CUT_BODY else 0)
        )
        async with house.daemon():
            await site.until_stock(STOCK, 120)
            for sku, pieces in STOCK.items():
                assert [line.stock_after for line in site.shop.stock_lines(sku, CHANNEL)] == [pieces]


@pytest.mark.parametrize("approved", [True, False])
@virtual
async def test_f101_f102_an_empty_snapshot_is_held_and_deltas_go_on(approved: bool) -> None:
    """Empty and sure of itself: nothing becomes zero until a person says so, and records meanwhile count."""
    async with inside(seed=43) as (site, house), house.daemon(more='[guards]\nabsent = "zero"') as daemon:
        await started(site)
        site.house.script.add(Fault(FaultKind.EMPTY, endpoint="snapshots"))
        site.house.script.add(Fault(FaultKind.EXPIRED))
        snapshot = await held(site, daemon)
        assert (await daemon.until_case(CaseKind.HELD_SNAPSHOT)) is not None
        site.house.warehouse.store_sale("S05", LOCATION, 5)
        await site.until_stock(STOCK | {"S05": 10}, 60)
        await decide(daemon, snapshot, approve=approved)
        await daemon.until_case(CaseKind.HELD_SNAPSHOT, open_=False)
        if approved:
            # S00's own record is as young as the full that lacks it: the two contradict each other, and it stays.
            await site.until_stock(dict.fromkeys(STOCK, 0) | {"S00": 10, "S05": 10}, 60)
        else:
            await site.stays(lambda: site.stock("S00") == 10, "a rejected snapshot was applied", 30)


@virtual
async def test_f101_keys_that_a_snapshot_lacks_stay_as_they_are() -> None:
    """Absent is not zero."""
    async with inside(seed=44) as (site, house), house.daemon() as daemon:
        await started(site)
        site.house.script.add(Fault(FaultKind.LACKS_KEYS, endpoint="snapshots", times=None, skus=("S03",)))
        site.house.script.add(Fault(FaultKind.EXPIRED))
        await site.until(lambda: daemon.app.shared.counters["snapshots"] >= 2, "a second snapshot")
        await site.stays(lambda: site.stock("S03") == 13, "absent became zero", 30)


@virtual
async def test_f104_f120_f124_poison_among_good_records_delays_nothing() -> None:
    """Every kind of bad record is set aside, the good ones around it arrive, and no published figure moves for it."""
    async with inside(seed=45) as (site, house), house.daemon() as daemon:
        await started(site)
        for kind in POISONS:
            if kind != "unknown_fields":
                site.house.poison(kind, "S01", LOCATION)
                site.house.warehouse.receipt("S19", LOCATION, 1)
        await site.until_stock(STOCK | {"S19": STOCK["S19"] + len(POISONS) - 1}, 30)
        cases = await daemon.cases(CaseKind.INVALID_RECORD)
        assert cases
        assert all(len(case.payload) <= 4096 for case in cases)
        assert site.stock("S01") == STOCK["S01"]


@virtual
async def test_f105_a_flood_of_recounts_costs_no_writes_and_delays_no_sale() -> None:
    """Twenty thousand records that change nothing, and one sale among them."""
    async with inside(seed=46) as (site, house), house.daemon() as daemon:
        await started(site)
        writes = site.shop.journal.requests["inventory.update"] + site.shop.journal.requests["graphql"]
        site.house.flood(500)
        site.house.warehouse.store_sale("S07", LOCATION, 7)
        site.house.flood(500)
        await site.until_stock({"S07": 10}, 60)
        head = site.house.log.head_seq
        await site.until(lambda: daemon.app.shared.counters.get("records", 0) >= head - 1, "the flood's end")
        assert (
            site.shop.journal.requests["inventory.update"] + site.shop.journal.requests["graphql"]
            <= writes + 2
        )


@virtual
async def test_f105_movements_of_one_key_in_a_burst_cost_few_writes() -> None:
    """A hundred changes of one key are coalesced to what it is in the end."""
    async with inside(seed=47) as (site, house), house.daemon():
        await started(site)
        writes = site.shop.journal.requests["inventory.update"]
        for _ in range(100):
            site.house.warehouse.receipt("S01", LOCATION, 1)
        await site.until_stock({"S01": 111}, 60)
        assert site.shop.journal.requests["inventory.update"] - writes <= 3


@virtual
async def test_f117_a_feed_that_refuses_our_credential_is_an_alarm_until_it_takes_it() -> None:
    """A blind feed is told at once, not after its interval; the case closes by itself."""
    async with inside(seed=48) as (site, house), house.daemon() as daemon:
        await started(site)
        site.house.script.add(Fault(FaultKind.STATUS, endpoint="any", times=None, status=401))
        case = await daemon.until_case(CaseKind.STALE_FEED, seconds=20)
        assert case is not None
        assert "credential" in case.reason
        site.house.script.clear()
        site.house.warehouse.store_sale("S01", LOCATION, 1)
        await site.until_stock({"S01": 10}, 120)
        await daemon.until_case(CaseKind.STALE_FEED, open_=False, seconds=60)


@virtual
async def test_f118_a_frozen_feed_is_told_and_resolved_when_it_moves_again() -> None:
    """It answers every poll and nothing moves, not even its heartbeat."""
    async with inside(seed=49) as (site, house), house.daemon() as daemon:
        await started(site)
        site.house.log.freeze()
        site.house.warehouse.store_sale("S01", LOCATION, 1)
        case = await daemon.until_case(CaseKind.STALE_FEED, seconds=100)
        assert case is not None
        site.house.log.thaw()
        await site.until_stock({"S01": 10}, 60)
        await daemon.until_case(CaseKind.STALE_FEED, open_=False)


@virtual
async def test_f119_a_debt_is_published_as_a_debt_and_paid_back_exactly() -> None:
    """The warehouse has promised more than it has: the entry goes below nothing and comes back without a clamp."""
    async with inside(seed=50) as (site, house), house.daemon():
        await started(site)
        site.house.warehouse.adjustment("S00", LOCATION, -13)
        await site.until_stock({"S00": -3})
        site.house.warehouse.receipt("S00", LOCATION, 4)
        await site.until_stock({"S00": 1})


@virtual
async def test_f121_an_unbelievable_raise_waits_for_a_person_and_a_fall_does_not() -> None:
    """Above the maximum nothing is raised; the old figure stays on sale, and smaller ones are applied."""
    rules = f'[channels."{CHANNEL}"]\nmaximum = 1000'
    async with inside(seed=51) as (site, house), house.daemon(more=rules) as daemon:
        await started(site)
        site.house.warehouse.receipt("S00", LOCATION, 5000)
        case = await daemon.until_case(CaseKind.HELD_LEVEL)
        assert case is not None
        await site.stays(lambda: site.stock("S00") == 10, "raised above the maximum", 20)
        site.house.warehouse.adjustment("S00", LOCATION, -5008)
        await site.until_stock({"S00": 2}, 30)
        await daemon.until_case(CaseKind.HELD_LEVEL, open_=False)


@virtual
async def test_f121_a_held_raise_that_a_person_accepts_is_published() -> None:
    """It was right after all."""
    rules = f'[channels."{CHANNEL}"]\nmaximum = 1000'
    async with inside(seed=52) as (site, house), house.daemon(more=rules) as daemon:
        await started(site)
        site.house.warehouse.receipt("S00", LOCATION, 5000)
        case = await daemon.until_case(CaseKind.HELD_LEVEL)
        assert case is not None
        assert await daemon.app.store.cases.apply_held_level(case)
        daemon.app.shared.work.set()
        await site.until_stock({"S00": 5010}, 30)


@virtual
async def test_f125_an_unknown_sku_is_set_aside_and_released_when_its_product_appears() -> None:
    """No entry without a product; within a minute after it was made, the stock is on sale and the case closed."""
    async with inside(seed=53) as (site, house), house.daemon() as daemon:
        await started(site)
        site.house.warehouse.seed("NEW", LOCATION, 0)
        site.house.warehouse.receipt("NEW", LOCATION, 4)
        case = await daemon.until_case(CaseKind.SKU_NOT_FOUND)
        assert case is not None
        assert case.subject == "NEW"
        await site.stays(lambda: not site.shop.has_entry("NEW", CHANNEL), "an entry without a product", 100)
        site.shop.add_product("NEW")
        await site.until_stock({"NEW": 4}, 60)
        await daemon.until_case(CaseKind.SKU_NOT_FOUND, open_=False, seconds=5)


@virtual
async def test_f126_a_channel_that_may_not_supply_stock_is_written_when_it_may() -> None:
    """Its role is missing: nothing is written to it, nor without a channel; set right, everything arrives."""
    async with inside(seed=54) as (site, house):
        site.open(STOCK)
        site.shop.set_channel_roles(CHANNEL, [])
        async with house.daemon() as daemon:
            await daemon.until_case(CaseKind.CHANNEL_MISSING)
            await site.stays(lambda: site.stock("S00") is None, "written to a channel without the role", 30)
            assert not site.shop.has_entry("S00", None)
            site.shop.set_channel_roles(CHANNEL, ["InventorySupply"])
            await site.until_stock(STOCK, 120)
            await daemon.until_case(CaseKind.CHANNEL_MISSING, open_=False)


@virtual
async def test_f126_an_unmapped_location_waits_for_its_mapping() -> None:
    """Its levels are kept, and count as soon as a reload maps it."""
    both = {"locations": ("WH1", "WH2"), "channels": {"WH1": CHANNEL, "WH2": CHANNEL}}
    async with inside(seed=55, house=both) as (site, house), house.daemon() as daemon:
        await started(site)
        site.house.warehouse.seed("S00", "WH2", 0)
        site.house.warehouse.receipt("S00", "WH2", 7)
        case = await daemon.until_case(CaseKind.LOCATION_UNMAPPED)
        assert case is not None
        assert site.stock("S00") == 10
        mapped = f'WH1 = {{ channel = "{CHANNEL}" }}\nWH2 = {{ channel = "{CHANNEL}" }}'
        house.write(locations=mapped, more=f'[channels."{CHANNEL}"]\norder_location = "WH1"')
        await daemon.app.reload()
        await site.until_stock({"S00": 17}, 60)
        await daemon.until_case(CaseKind.LOCATION_UNMAPPED, open_=False)


SMALL = TradeConfig(
    seconds=90,
    keys=12,
    hot_keys=2,
    shoppers=3,
    orders_per_second=0.6,
    store_sales_per_second=0.2,
    throttled_requests=0,
)


@pytest.mark.parametrize(
    "house",
    [
        *({"reflection": proof} for proof in Reflection if proof is not Reflection.NONE),
        {"movements": Movements.BARE},
        {"movements": Movements.BALANCE},
        {"seq_gap_chance": 0.3},
    ],
    ids=lambda house: "-".join(str(value) for value in house.values()),
)
@virtual
async def test_f096_every_kind_of_source_and_proof_ends_in_step(house: dict[str, object]) -> None:
    """A day of trade with each way in which Archean may say what it knows."""
    async with inside(seed=56, house=house) as (site, place), place.daemon():
        trade = site.trade(SMALL, 56)
        await trade.open()
        async for _ in trade.run():
            pass
        await trade.settle()
        assert_right(await in_step(site, trade, 300))


@pytest.mark.parametrize(
    "kind", [FaultKind.DUPLICATE, FaultKind.REPEAT, FaultKind.REORDER, FaultKind.CUT_BODY]
)
@virtual
async def test_f094_f095_records_twice_or_out_of_order_change_nothing(kind: FaultKind) -> None:
    """A day of trade over a feed that repeats, shuffles and breaks off."""
    async with inside(seed=57) as (site, house), house.daemon():
        trade = site.trade(SMALL, 57)
        await trade.open()
        site.house.script.add(Fault(kind, times=15, after=2))
        async for _ in trade.run():
            pass
        await trade.settle()
        assert_right(await in_step(site, trade, 300))


@virtual
async def test_an_ndjson_stream_is_followed_line_by_line() -> None:
    """The same day over one long answer."""
    async with inside(seed=58) as (site, house), house.daemon(feed_more="stream = true\nacknowledge = true"):
        trade = site.trade(SMALL, 58)
        await trade.open()
        site.house.script.add(Fault(FaultKind.HALF_LINE, times=3, after=1))
        async for _ in trade.run():
            pass
        await trade.settle()
        assert_right(await in_step(site, trade, 300))


@virtual
async def test_f117_a_location_whose_feed_is_silent_for_too_long_is_not_offered_until_it_is_back() -> None:
    """Configured to fail closed: an ordinary decrease, kept over a restart, and an ordinary increase once the feed is heard."""
    async with inside(seed=70) as (site, house):
        site.open({"A": 10})
        closed = "[health]\nfail_closed_minutes = 2"
        async with house.daemon(more=closed) as daemon:
            await site.until_stock({"A": 10})
            site.house.script.add(Fault(FaultKind.STATUS, endpoint="any", times=None, status=503))
            site.order("A", 1, import_seconds=None)
            await site.stays(lambda: site.stock("A") == 9, "withheld too early", 100)
            await site.until_stock({"A": -1}, 200)
            assert "WH1" in daemon.app.shared.notes["withheld"]
            assert await daemon.cases(CaseKind.HELD_RULES) == []
        async with house.daemon() as again:
            await site.stays(lambda: site.stock("A") == -1, "offered before its feed was heard of", 60)
            site.house.script.clear()
            await site.until_stock({"A": 9}, 120)
            assert "withheld" not in again.app.shared.notes


@virtual
async def test_f117_without_the_setting_a_silent_feed_withholds_nothing() -> None:
    """Closed is a choice: by default an exception says that stock grows old."""
    async with inside(seed=71) as (site, house):
        site.open({"A": 10})
        async with house.daemon() as daemon:
            await site.until_stock({"A": 10})
            site.house.script.add(Fault(FaultKind.STATUS, endpoint="any", times=None, status=503))
            await daemon.until_case(CaseKind.STALE_FEED, seconds=200)
            await site.stays(lambda: site.stock("A") == 10, "withheld", 600)


@virtual
async def test_f126_a_mistyped_channel_is_forgotten_once_its_key_is_corrected() -> None:
    """The case says to correct the key; then nobody misses the channel that never was."""
    async with inside(seed=107) as (site, house):
        site.open({"A": 10})
        async with house.daemon(locations='WH1 = { channel = "warehose-1" }') as daemon:
            await daemon.until_case(CaseKind.CHANNEL_MISSING)
            house.write(locations=f'WH1 = {{ channel = "{CHANNEL}" }}')
            await daemon.app.reload()
            await site.until_stock({"A": 10}, 200)
            await daemon.until_case(CaseKind.CHANNEL_MISSING, open_=False, seconds=200)
            await site.clock.sleep(200)
            assert await daemon.cases(CaseKind.CHANNEL_MISSING) == []
            assert not [name for name in daemon.app.shared.notes if name.startswith("channel ")]

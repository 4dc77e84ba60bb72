"""The whole inventory is compared with the ledger: what people and programs did to entries is found and healed."""

from __future__ import annotations

from datetime import datetime, timedelta

from archsyncd.domain.cases import CaseKind
from archsyncd.domain.reconciling import Found, Mode, Run, RunState, Wanted
from archsyncd.simulators.commercetools import FaultKind
from tests.process.site import CHANNEL
from tests.support.virtual_time import virtual
from tests.system.inside import Running, inside

HEALED_SECONDS = 240.0
NO_SAMPLE = "sample_keys_per_minute = 0"


async def walked(daemon: Running, mode: Mode = Mode.APPLY, *, channel: str = "", sku: str = "") -> Run:
    """Have a run made and wait for its end."""
    store, clock = daemon.app.store, daemon.app.clock
    begun = await store.reconciles.begin(Wanted(mode, "operator", channel, sku))
    assert begun is not None
    end = clock.monotonic() + HEALED_SECONDS
    while True:
        run = await store.reconciles.run(begun.id)
        assert run is not None
        if run.state is not RunState.RUNNING:
            return run
        assert clock.monotonic() < end, run
        await clock.sleep(0.5)


@virtual
async def test_f089_a_walk_finds_and_heals_edits_up_and_down() -> None:
    """Too much is cut, too little raised after two clean reads; a walk afterwards finds nothing, and the cases are closed."""
    stock = {f"S{number:02}": 10 for number in range(30)}
    async with inside(seed=200) as (site, house), house.daemon(reconcile=NO_SAMPLE) as daemon:
        site.open(stock)
        await site.until_stock(stock)
        site.shop.update_entry("S03", CHANNEL, {"action": "addQuantity", "quantity": 5})
        site.shop.update_entry("S17", CHANNEL, {"action": "changeQuantity", "quantity": 4})
        run = await walked(daemon)
        assert (run.state, run.entries, run.keys) == (RunState.DONE, 30, 30)
        assert run.totals == {
            (CHANNEL, Found.AGREES): (28, 0),
            (CHANNEL, Found.TOO_MANY): (1, 5),
            (CHANNEL, Found.TOO_FEW): (1, 6),
        }
        await site.until_stock(stock, HEALED_SECONDS)
        await daemon.until_case(CaseKind.DRIFT, open_=False, seconds=HEALED_SECONDS)
        assert (await walked(daemon)).differing == 0
        assert daemon.journal.line("2 differ, 2 are read once more")


@virtual
async def test_a_dry_run_lists_and_changes_nothing() -> None:
    """What differs is told by name with what it should show; nothing is corrected, and no case is opened."""
    async with inside(seed=201) as (site, house), house.daemon(reconcile=NO_SAMPLE) as daemon:
        site.open({"A": 10, "B": 10})
        await site.until_stock({"A": 10, "B": 10})
        site.shop.update_entry("A", CHANNEL, {"action": "addQuantity", "quantity": 5})
        run = await walked(daemon, Mode.DRY_RUN)
        (found,) = await daemon.app.store.reconciles.findings(run.id, 0, 10)
        assert (found.found, found.sku, found.shown, found.expected) == (Found.TOO_MANY, "A", 15, 10)
        await site.stays(lambda: site.stock("A") == 15, "it was corrected", 120)
        assert await daemon.cases(CaseKind.DRIFT) == []


@virtual
async def test_f089_the_walk_is_made_every_night() -> None:
    """By itself at its time in the host's zone, and once."""
    async with inside(seed=202) as (site, house):
        at = datetime.fromtimestamp(house.clock.wall_ms() / 1000) + timedelta(minutes=5)  # noqa: DTZ006 - the host's
        nightly = f'nightly_at = "{at:%H:%M}"\n{NO_SAMPLE}'
        async with house.daemon(reconcile=nightly) as daemon:
            site.open({"A": 10})
            await site.until_stock({"A": 10})
            site.shop.update_entry("A", CHANNEL, {"action": "addQuantity", "quantity": 5})
            await site.until_stock({"A": 10}, 600)
            await site.clock.sleep(120)
            run = await daemon.app.store.reconciles.run()
        assert run is not None
        assert (run.wanted, run.id) == (Wanted(Mode.APPLY, "nightly"), 1)


@virtual
async def test_f070_f090_f091_what_befell_entries_that_no_check_is_due_for_is_found() -> None:
    """A cleared marker, restockableInDays, and an entry that was deleted: each is found by the walk alone."""
    async with inside(seed=203) as (site, house), house.daemon(reconcile=NO_SAMPLE) as daemon:
        stock = {"A": 10, "B": 10, "C": 10, "D": 10}
        site.open(stock)
        await site.until_stock(stock)
        await site.clock.sleep(30)
        site.shop.clear_marker("A", CHANNEL)
        site.shop.update_entry("B", CHANNEL, {"action": "setRestockableInDays", "restockableInDays": 3})
        site.shop.delete_entry("C", CHANNEL)
        run = await walked(daemon)
        assert {found: run.counted(found) for found in (Found.FOREIGN, Found.RESTOCKABLE, Found.MISSING)} == {
            Found.FOREIGN: 1,
            Found.RESTOCKABLE: 1,
            Found.MISSING: 1,
        }
        await daemon.until_case(CaseKind.FOREIGN_WRITER)
        await daemon.until_case(CaseKind.RESTOCKABLE_IN_DAYS)
        await site.until_stock(stock, 2 * HEALED_SECONDS)
        site.shop.update_entry("B", CHANNEL, {"action": "setRestockableInDays"})
        await walked(daemon)
        assert await daemon.cases(CaseKind.RESTOCKABLE_IN_DAYS) == []


@virtual
async def test_strays_are_told_and_their_cases_close_themselves() -> None:
    """Entries beside those that we publish: without a channel, of goods nobody told of, and in a channel of somebody else."""
    async with inside(seed=204) as (site, house), house.daemon(reconcile=NO_SAMPLE) as daemon:
        site.open({"A": 10})
        site.shop.add_channel("elsewhere")
        await site.until_stock({"A": 10})
        site.shop.add_entry("A", None, 7)
        site.shop.add_entry("X", CHANNEL, 3)
        site.shop.add_entry("Y", CHANNEL, 0)
        site.shop.add_entry("Z", None, 4)
        site.shop.add_entry("A", "elsewhere", 5)
        run = await walked(daemon)
        found = {
            (one.found, one.channel, one.sku)
            for one in await daemon.app.store.reconciles.findings(run.id, 0, 10)
        }
        assert found == {
            (Found.NO_CHANNEL, "no-channel", "A"),
            (Found.UNMANAGED, CHANNEL, "X"),
            (Found.UNKNOWN_CHANNEL, "elsewhere", "A"),
        }
        cases = {(case.subject, case.code) for case in await daemon.cases(CaseKind.STRAY_ENTRY)}
        assert cases == {("A", "no-channel"), ("X", "unmanaged")}
        site.shop.delete_entry("X", CHANNEL)
        await walked(daemon)
        assert [case.subject for case in await daemon.cases(CaseKind.STRAY_ENTRY)] == ["A"]
        assert site.stock("A") == 10


@virtual
async def test_one_channel_or_one_sku_is_compared_alone() -> None:
    """A bounded run looks at nothing else."""
    async with inside(seed=205) as (site, house), house.daemon(reconcile=NO_SAMPLE) as daemon:
        site.open({"A": 10, "B": 10})
        await site.until_stock({"A": 10, "B": 10})
        for sku in ("A", "B"):
            site.shop.update_entry(sku, CHANNEL, {"action": "addQuantity", "quantity": 5})
        run = await walked(daemon, sku="A")
        assert (run.entries, run.counted(Found.TOO_MANY), run.counted(Found.MISSING)) == (1, 1, 0)
        await site.until_stock({"A": 10, "B": 15}, HEALED_SECONDS)
        run = await walked(daemon, channel=CHANNEL)
        assert (run.entries, run.counted(Found.TOO_MANY)) == (2, 1)
        await site.until_stock({"A": 10, "B": 10}, HEALED_SECONDS)


@virtual
async def test_orders_that_the_list_shows_late_are_no_drift() -> None:
    """While shoppers buy, and orders show late in the list as well as on entries, no walk takes them for an edit."""
    late = {"stock_lag_seconds": 10.0, "message_lag_seconds": 5.0}
    stock = {f"S{number}": 40 for number in range(6)}
    async with inside(seed=206, shop=late) as (site, house), house.daemon(reconcile=NO_SAMPLE) as daemon:
        site.open(stock)
        await site.until_stock(stock)
        for turn in range(6):
            begun = await daemon.app.store.reconciles.begin(Wanted(Mode.APPLY))
            assert begun is not None
            for second in range(40):
                if second % 4 == turn % 4:
                    site.order(f"S{second % 5}", 1, import_seconds=3.0)
                await site.clock.sleep(1)
            run = await daemon.app.store.reconciles.run(begun.id)
            assert run is not None
            assert (run.state, run.differing) == (RunState.DONE, 0), run
        assert await daemon.cases(CaseKind.DRIFT) == []


@virtual
async def test_f034_a_first_start_on_live_entries_comes_right_without_an_oversell_and_the_walk_tells_so() -> (
    None
):
    """Two thousand entries that somebody else has filled, some of them ordered from: every one ends as it should be."""
    names = [f"S{number:04}" for number in range(2_000)]
    stock = {name: 5 + number % 7 for number, name in enumerate(names)}
    sold = {name: 1 + number % 2 for number, name in enumerate(names[:200])}
    async with inside(seed=207, shop={"stock_lag_seconds": 10.0}) as (site, house):
        site.open(stock)
        for number, name in enumerate(names):
            # Too many, too few, and right: whoever published before us did not count the orders.
            site.shop.add_entry(name, CHANNEL, max(stock[name] + number % 3 - 1, 2))
        for name, pieces in sold.items():
            site.order(name, pieces, import_seconds=None)
        async with house.daemon(reconcile=NO_SAMPLE) as daemon:
            wanted = {name: stock[name] - sold.get(name, 0) for name in names}
            await site.clock.sleep(5)
            run = await walked(daemon, Mode.DRY_RUN)
            assert run.entries == 2_000
            await site.until_stock(wanted, 900)
            run = await walked(daemon)
            assert run.totals == {(CHANNEL, Found.AGREES): (2_000, 0)}
            assert await daemon.app.store.reconciles.held() == 0


@virtual
async def test_a_walk_goes_on_after_a_restart() -> None:
    """What was judged is not judged again; the run ends under the next process."""
    stock = {f"S{number:04}": 3 for number in range(1_200)}
    async with inside(seed=208) as (site, house):
        async with house.daemon(reconcile=NO_SAMPLE) as daemon:
            site.open(stock)
            await site.until_stock(stock, 600)
            begun = await daemon.app.store.reconciles.begin(Wanted(Mode.APPLY))
            assert begun is not None
            await daemon.app.clock.sleep(3)
        async with house.daemon() as daemon:
            end = daemon.app.clock.monotonic() + HEALED_SECONDS
            while (run := await daemon.app.store.reconciles.run(begun.id)) and run.state is RunState.RUNNING:
                assert daemon.app.clock.monotonic() < end, run
                await daemon.app.clock.sleep(1)
            assert run is not None
            assert (run.state, run.entries, run.pages) == (RunState.DONE, 1_200, 3)


@virtual
async def test_nothing_is_corrected_while_the_rollout_only_plans_and_a_dry_run_is_made_all_the_same() -> None:
    """No night's run either: it would correct nothing."""
    async with inside(seed=209) as (site, house):
        site.open({"A": 10})
        site.shop.add_entry("A", CHANNEL, 12)
        async with house.daemon(more='[rollout]\nstage = "plan"', reconcile=NO_SAMPLE) as daemon:
            await site.clock.sleep(5)
            run = await walked(daemon, Mode.DRY_RUN)
            assert (run.state, run.entries) == (RunState.DONE, 1)
            begun = await daemon.app.store.reconciles.begin(Wanted(Mode.APPLY))
            assert begun is not None
            await site.clock.sleep(120)
            kept = await daemon.app.store.reconciles.current()
            assert kept is not None
            assert kept.pages == 0


@virtual
async def test_a_project_that_does_not_show_its_inventory_ends_the_run_and_is_told() -> None:
    """A refusal is final for this run; the next one may find what was missing."""
    async with inside(seed=210) as (site, house), house.daemon(reconcile=NO_SAMPLE) as daemon:
        site.open({"A": 10})
        await site.until_stock({"A": 10})
        site.shop.faults.add("inventory.query", FaultKind.INSUFFICIENT_SCOPE)
        run = await walked(daemon)
        assert run.state is RunState.FAILED
        assert "commercetools does not list its inventory" in run.reason
        assert "reconcile" in daemon.app.shared.notes
        site.shop.faults.clear()
        assert (await walked(daemon)).state is RunState.DONE
        assert "reconcile" not in daemon.app.shared.notes

"""What commercetools does wrong, and the daemon whole: exactly one effect, no starving, no hidden stock afterwards."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from archsyncd.domain.cases import CaseKind
from archsyncd.simulators.commercetools import SCOPES, ApiClient, FaultKind, RetryAfter
from archsyncd.simulators.commercetools.exchange import Request
from tests.process.site import CHANNEL, Site
from tests.support.virtual_time import virtual
from tests.system.circling import ask
from tests.system.inside import Running, inside

STOCK = {"A": 50, "B": 40, "C": 30}
# Everything that may be said of a write without telling whether it took effect.
LOST = (
    FaultKind.LOST_ANSWER,
    FaultKind.LOST_ANSWER_APPLIED_LATE,
    FaultKind.SERVER_ERROR,
    FaultKind.SERVER_ERROR_APPLIED,
    FaultKind.SERVER_ERROR_APPLIED_LATE,
    FaultKind.BAD_GATEWAY,
    FaultKind.BAD_GATEWAY_APPLIED,
    FaultKind.GATEWAY_TIMEOUT,
    FaultKind.GATEWAY_TIMEOUT_APPLIED,
    FaultKind.UNKNOWN_ERROR,
    FaultKind.PENDING_OPERATION,
    FaultKind.OVER_CAPACITY,
    FaultKind.UNAVAILABLE_TEXT,
    FaultKind.DROP,
    FaultKind.STALL,
    FaultKind.TRUNCATED,
    FaultKind.NOT_JSON,
)


def effects(site: Site, sku: str) -> list[int]:
    """Every effect of the daemon on one entry, its opening quantity first."""
    return [
        line.delta
        for line in site.shop.stock_lines(sku, CHANNEL)
        if line.operation is not None and line.delta
    ]


async def started(site: Site) -> None:
    site.open(STOCK)
    await site.until_stock(STOCK)


@pytest.mark.parametrize("kind", LOST)
@virtual
async def test_f006_f056_f074_f078_an_update_whose_outcome_is_unknown_takes_effect_once(
    kind: FaultKind,
) -> None:
    """An answer is lost, or lies, or comes too late: read back, and never counted twice."""
    async with inside(seed=20) as (site, house), house.daemon():
        await started(site)
        details: dict[str, Any] = {"seconds": 4.0} if kind.value.endswith("late") else {}
        site.shop.faults.add("inventory.update", kind, count=2, **details)
        site.house.warehouse.receipt("A", "WH1", 5)
        site.order("A", 2)
        site.house.warehouse.store_sale("B", "WH1", 7)
        await site.until_stock({"A": 53, "B": 33, "C": 30}, 200)
        await site.clock.sleep(100)
        assert (site.stock("A"), site.stock("B"), site.stock("C")) == (53, 33, 30)


@pytest.mark.parametrize("kind", LOST)
@virtual
async def test_f006_f056_an_entry_whose_creation_has_an_unknown_outcome_exists_once(kind: FaultKind) -> None:
    """Creations and batches of them, with the same faults."""
    async with inside(seed=21) as (site, house), house.daemon(commercetools="max_in_flight = 2"):
        details: dict[str, Any] = {"seconds": 4.0} if kind.value.endswith("late") else {}
        site.shop.faults.add("inventory.create", kind, count=2, **details)
        site.shop.faults.add("graphql", kind, count=2, contains="createInventoryEntry", **details)
        stock = {f"S{number}": number for number in range(1, 9)}
        site.open(stock)
        await site.until_stock(stock, 240)
        await site.clock.sleep(60)
        await site.until_stock(stock, 200)
        for sku, pieces in stock.items():
            assert sum(effects(site, sku)) == pieces


@pytest.mark.parametrize("kind", LOST)
@virtual
async def test_f006_f056_a_batch_whose_outcome_is_unknown_takes_effect_once(kind: FaultKind) -> None:
    """A backlog is written in batches, and whole batches are in doubt."""
    async with inside(seed=22) as (site, house), house.daemon(commercetools="max_in_flight = 2") as daemon:
        stock = {f"S{number}": 10 + number for number in range(12)}
        site.open(stock)
        await site.until_stock(stock)
        daemon.app.shared.paused_channels.add(CHANNEL)
        for number, sku in enumerate(stock):
            site.house.warehouse.receipt(sku, "WH1", number + 1)
        details: dict[str, Any] = {"seconds": 4.0} if kind.value.endswith("late") else {}
        site.shop.faults.add("graphql", kind, count=2, contains="updateInventoryEntry", **details)
        await site.clock.sleep(10)
        daemon.app.shared.paused_channels.clear()
        wanted = {sku: 11 + 2 * number for number, sku in enumerate(stock)}
        await site.until_stock(wanted, 240)
        await site.clock.sleep(100)
        await site.until_stock(wanted, 1)


@virtual
async def test_f066_an_expired_token_costs_one_refresh_and_one_replay() -> None:
    """A token is refused in the middle of the work; many calls need a new one, one is fetched."""
    async with inside(seed=23) as (site, house), house.daemon():
        await started(site)
        tokens = site.shop.journal.requests["oauth.token"]
        site.shop.tokens.revoke_all()
        for sku in STOCK:
            site.house.warehouse.store_sale(sku, "WH1", 1)
        await site.until_stock({"A": 49, "B": 39, "C": 29}, 20)
        assert site.shop.journal.requests["oauth.token"] == tokens + 1


@virtual
async def test_f067_a_rotated_secret_stops_everything_and_names_the_restart() -> None:
    """The old secret is refused: no storm of attempts, a sentence in the status, and a restart with the new one works."""
    async with inside(seed=24) as (site, house):
        async with house.daemon() as daemon:
            await started(site)
            site.shop.replace_client(ApiClient(secret="a-new-one"))
            site.shop.tokens.revoke_all()
            site.house.warehouse.store_sale("A", "WH1", 1)
            await site.until(
                lambda: any("restart" in one for one in daemon.notes.told), "a status that says restart"
            )
            requests = sum(site.shop.journal.requests.values())
            await site.clock.sleep(600)
            assert sum(site.shop.journal.requests.values()) - requests <= 2
            assert site.stock("A") == 50
        (house.place() / "credentials" / "commercetools-client-secret").write_text("a-new-one")
        async with house.daemon():
            await site.until_stock({"A": 49})


@pytest.mark.parametrize("kind", [FaultKind.SERVER_ERROR, FaultKind.THROTTLED, FaultKind.GARBAGE_TOKEN])
@virtual
async def test_f068_a_token_endpoint_that_fails_is_asked_ever_more_rarely(kind: FaultKind) -> None:
    """Down at the start for minutes; then everything goes on by itself."""
    async with inside(seed=25) as (site, house):
        site.open(STOCK)
        site.shop.faults.add("oauth.token", kind, count=None)
        async with house.daemon(ready=False, lease_seconds=30) as daemon:
            await site.clock.sleep(300)
            assert site.shop.journal.requests["oauth.token"] <= 60
            site.shop.faults.clear()
            await site.until_stock(STOCK, 120)
            assert daemon.app.ready.is_set()


@virtual
async def test_f068_without_a_token_what_is_due_waits_and_costs_no_commits() -> None:
    """A start with changes due and no token: they are not leased and put back as fast as the disk allows."""
    async with inside(seed=39) as (site, house):
        async with house.daemon():
            await started(site)
        for sku in STOCK:
            site.house.warehouse.store_sale(sku, "WH1", 1)
        site.shop.faults.add("oauth.token", FaultKind.THROTTLED, count=None)
        async with house.daemon() as daemon:
            await site.clock.sleep(60)
            assert daemon.app.shared.counters.get("settled", 0) < 100
            assert "marker" not in daemon.app.shared.notes
            site.shop.faults.clear()
            await site.until_stock({"A": 49, "B": 39, "C": 29}, 90)


@virtual
async def test_f069_without_the_scope_for_orders_stock_is_lowered_and_says_what_is_missing() -> None:
    """One missing scope parks what needs it, and the sentence names the scope."""
    scopes = tuple(scope for scope in SCOPES if scope != "manage_types")
    async with inside(seed=26, shop={"clients": (ApiClient(scopes=scopes),)}) as (site, house):
        site.open(STOCK)
        async with house.daemon() as daemon:
            await site.until(
                lambda: "manage_types" in daemon.app.shared.notes.get("marker", ""), "the scope named"
            )
            await site.stays(lambda: site.stock("A") is None, "an entry without a marker", 30)
            site.shop.replace_client(ApiClient())
            site.shop.tokens.revoke_all()
            await site.until_stock(STOCK, 120)
            assert "marker" not in daemon.app.shared.notes


@virtual
async def test_f072_f073_conflicts_without_end_on_one_sku_starve_no_other() -> None:
    """Orders and people keep changing one entry; the others are written at once, and the hot one in the end."""
    async with inside(seed=27) as (site, house), house.daemon():
        await started(site)
        hot = site.shop.entry_document("A", CHANNEL)["id"]
        site.shop.faults.add("inventory.update", FaultKind.CONFLICT, count=None, contains=hot)
        site.house.warehouse.store_sale("A", "WH1", 1)
        for step in range(10):
            began = site.clock.now()
            site.house.warehouse.store_sale("B", "WH1", 1)
            site.order("A", 1)
            await site.until_stock({"B": 39 - step}, 10)
            assert site.clock.now() - began < 3
            await site.clock.sleep(6)
        assert site.shop.journal.requests["inventory.update"] < 150
        site.shop.faults.clear()
        await site.until_stock({"A": 39, "B": 30}, 120)


@virtual
async def test_f075_f076_nothing_is_sent_before_retry_after_and_all_arrives() -> None:
    """A 429 with seven seconds to wait is kept to the second, for every kind of call."""
    async with inside(seed=28) as (site, house), house.daemon():
        await started(site)
        times: list[float] = []

        async def note(_request: Request) -> None:
            times.append(site.clock.now())

        site.shop.faults.add("*", FaultKind.THROTTLED, retry_after=RetryAfter.SECONDS, seconds=7)
        site.watcher.before = note
        site.house.warehouse.store_sale("A", "WH1", 1)
        await site.until_stock({"A": 49}, 60)
        pauses = [after - before for before, after in itertools.pairwise(times)]
        assert max(pauses[:20]) >= 7


def refusals(site: Site) -> int:
    """How many updates were answered by a 5xx."""
    return sum(
        count for name, count in site.shop.journal.answers.items() if name.startswith("inventory.update 5")
    )


@pytest.mark.parametrize(
    "kind", [FaultKind.UNAVAILABLE_TEXT, FaultKind.GATEWAY_TIMEOUT, FaultKind.BAD_GATEWAY]
)
@virtual
async def test_f076_f078_a_write_without_a_known_outcome_is_not_followed_before_retry_after(
    kind: FaultKind,
) -> None:
    """A front end answers a write in its own words and says when to come back: nothing is sent before, not even a read."""
    async with inside(seed=41) as (site, house), house.daemon():
        await started(site)
        times: list[float] = []

        async def note(_request: Request) -> None:
            times.append(site.clock.now())

        site.shop.faults.add("inventory.update", kind, retry_after=RetryAfter.SECONDS, seconds=120)
        site.house.warehouse.store_sale("A", "WH1", 1)
        await site.until(lambda: refusals(site), "the refusal", 60)
        refused = site.clock.now()
        site.watcher.before = note
        await site.until_stock({"A": 49}, 180)
        assert times[0] >= refused + 119


@virtual
async def test_f075_a_throttling_service_is_asked_less_and_all_arrives() -> None:
    """Every third request is turned away without a word when to come back."""
    async with inside(seed=29) as (site, house), house.daemon():
        await started(site)
        site.shop.faults.add("*", FaultKind.THROTTLED, count=None, probability=0.3)
        for _ in range(5):
            for sku in STOCK:
                site.house.warehouse.store_sale(sku, "WH1", 1)
            await site.clock.sleep(2)
        await site.until_stock({"A": 45, "B": 35, "C": 25}, 240)


@virtual
async def test_f080_a_long_outage_is_survived_quietly() -> None:
    """Twenty minutes of 502: few probes, few lines, a bounded outbox, and the newest figures at once afterwards."""
    async with inside(seed=30) as (site, house), house.daemon() as daemon:
        await started(site)
        site.shop.faults.add("*", FaultKind.BAD_GATEWAY, count=None)
        requests = sum(site.shop.journal.requests.values())
        for _ in range(12):
            site.house.warehouse.store_sale("A", "WH1", 1)
            site.house.warehouse.receipt("A", "WH1", 1)
            site.house.warehouse.receipt("B", "WH1", 1)
            await site.clock.sleep(100)
        asked = sum(site.shop.journal.requests.values()) - requests
        assert asked < 350
        assert len(daemon.journal.lines) < 60
        assert any("critical: commercetools does not answer" in one for one in daemon.notes.told[-20:])
        site.shop.faults.clear()
        await site.until_stock({"A": 50, "B": 52, "C": 30}, 180)


@virtual
async def test_f081_a_refused_sku_is_set_aside_and_the_others_go_on() -> None:
    """Commercetools' code is told, nothing of its body; a person has it tried again once the cause is gone."""
    async with inside(seed=31) as (site, house), house.daemon() as daemon:
        await started(site)
        bad = site.shop.entry_document("A", CHANNEL)["id"]
        site.shop.faults.add("inventory.update", FaultKind.INVALID_INPUT, count=None, contains=bad)
        for sku in STOCK:
            site.house.warehouse.store_sale(sku, "WH1", 1)
        await site.until_stock({"B": 39, "C": 29}, 20)
        case = await daemon.until_case(CaseKind.STOCK_UPDATE_FAILED)
        assert case is not None
        assert (case.subject, case.code) == ("A", "InvalidInput")
        told = [
            fields for fields in daemon.journal.fields if fields.get("correlation") == case.correlation != ""
        ]
        assert [fields.get("sku") for fields in told] == [None, "A"], "the call's line, and the case's"
        sent = site.shop.journal.requests["inventory.update"]
        await site.clock.sleep(120)
        assert site.shop.journal.requests["inventory.update"] == sent, "sent again unchanged"
        site.shop.faults.clear()
        await daemon.app.store.outbox.free_key((await daemon.row("A")).key)
        await daemon.app.store.cases.close(case.id, "resolved", "tried again")
        daemon.app.shared.work.set()
        await site.until_stock({"A": 49}, 30)
        assert await daemon.cases(CaseKind.STOCK_UPDATE_FAILED) == []


async def backlog(site: Site, daemon: Running, pieces: int) -> dict[str, int]:
    """Forty changes that become due together; what the entries must show then."""
    daemon.app.shared.paused_channels.add(CHANNEL)
    for number in range(40):
        site.house.warehouse.receipt(f"S{number}", "WH1", pieces)
    await site.clock.sleep(6)
    daemon.app.shared.paused_channels.clear()
    daemon.app.shared.work.set()
    return {f"S{number}": 10 + pieces for number in range(40)}


@pytest.mark.parametrize(
    "kind", [FaultKind.CONTENT_TOO_LARGE, FaultKind.INVALID_INPUT, FaultKind.INSUFFICIENT_SCOPE]
)
@virtual
async def test_f082_a_batch_that_is_refused_becomes_smaller_or_single_writes(kind: FaultKind) -> None:
    """Too large: halved. GraphQL refused altogether: entries are written one by one."""
    async with inside(seed=32) as (site, house), house.daemon(commercetools="max_in_flight = 2") as daemon:
        site.open({f"S{number}": 10 for number in range(40)})
        await site.until_stock({f"S{number}": 10 for number in range(40)})
        site.shop.faults.add("graphql", kind, count=None, contains="updateInventoryEntry")
        await site.until_stock(await backlog(site, daemon, 5), 120)
        assert daemon.app.drain.batch_now < 20


def noting_batches(site: Site) -> list[int]:
    """How many updates each GraphQL request carries from now on."""
    sizes: list[int] = []

    async def note(request: Request) -> None:
        count = request.body.count(b": updateInventoryEntry(")
        if count:
            sizes.append(count)

    site.watcher.before = note
    return sizes


@virtual
async def test_f082_a_batch_that_is_too_complex_is_halved_until_it_fits_and_grows_again() -> None:
    """Twenty, ten, five at the project's limit; once more is allowed, twice as many every ten minutes."""
    async with inside(seed=42) as (site, house), house.daemon(commercetools="max_in_flight = 2") as daemon:
        site.open({f"S{number}": 10 for number in range(40)})
        await site.until_stock({f"S{number}": 10 for number in range(40)})
        site.shop.configure(graphql_complexity_limit=100)
        sizes = noting_batches(site)
        wanted = await backlog(site, daemon, 5)
        await site.until_stock(wanted, 120)
        assert list(dict.fromkeys(sizes)) == [20, 10, 5], sizes
        assert sizes.count(20) <= 2
        assert sizes.count(10) <= 2
        site.shop.configure(graphql_complexity_limit=20_000)
        for size in (10, 20):
            await site.clock.sleep(610)
            sizes.clear()
            wanted = await backlog(site, daemon, 5)
            await site.until_stock(
                {sku: pieces + (5 if size == 10 else 10) for sku, pieces in wanted.items()}, 120
            )
            assert max(sizes) == size == daemon.app.drain.batch_now


@virtual
async def test_f082_a_project_without_graphql_is_written_singly() -> None:
    """Batches are a convenience, not a need: one is refused, everything goes as one POST for each entry."""
    async with inside(seed=33, shop={"graphql_enabled": False}) as (site, house):
        site.open({f"S{number}": 10 for number in range(40)})
        async with house.daemon(commercetools="max_in_flight = 2\ncheck_products = false") as daemon:
            await site.until_stock({f"S{number}": 10 for number in range(40)}, 120)
            sizes = noting_batches(site)
            daemon.app.drain.batch_now = 20
            before = site.shop.journal.requests["inventory.update"]
            await site.until_stock(await backlog(site, daemon, 5), 120)
            assert len(sizes) <= 2
            assert daemon.app.drain.batch_now == 1
            assert site.shop.journal.requests["inventory.update"] - before == 40
            assert "writing singly" in daemon.app.shared.notes["graphql"]


@pytest.mark.parametrize(
    "kind", [FaultKind.REDIRECT, FaultKind.HUGE, FaultKind.ENDLESS, FaultKind.QUERY_TIMED_OUT]
)
@virtual
async def test_f054_f061_f078_reads_that_go_wrong_are_read_again(kind: FaultKind) -> None:
    """Redirects are not followed, endless bodies are cut off, and each kind of read goes on afterwards."""
    async with inside(seed=34) as (site, house):
        site.open(STOCK)
        for route in ("channels.query", "inventory.query", "orders.query", "messages.query", "types.get"):
            site.shop.faults.add(route, kind, count=2, size_bytes=40_000_000)
        async with house.daemon():
            await site.until_stock(STOCK, 240)


@virtual
async def test_f051_f064_a_flapping_link_is_left_in_step() -> None:
    """For a minute every third answer or request is lost, whatever it was."""
    async with inside(seed=35) as (site, house), house.daemon():
        await started(site)
        for kind in (FaultKind.DROP, FaultKind.LOST_ANSWER, FaultKind.TRUNCATED):
            site.shop.faults.add("*", kind, count=None, probability=0.15)
        for _ in range(20):
            site.house.warehouse.store_sale("A", "WH1", 1)
            site.house.warehouse.receipt("B", "WH1", 1)
            site.order("C", 1)
            await site.clock.sleep(3)
        site.shop.faults.clear()
        await site.until_stock({"A": 30, "B": 60, "C": 10}, 240)
        await site.clock.sleep(100)
        await site.until_stock({"A": 30, "B": 60, "C": 10}, 1)


@pytest.mark.parametrize(
    "shop",
    [
        {"order_list_lag_seconds": 9.0},
        {"message_lag_seconds": 9.0, "message_duplicates": 0.5},
        {"message_losses": 0.5},
        {"message_losses": 1.0},
        {"messages_enabled": False},
        {"stock_lag_seconds": 10.0},
        {"order_effect_raises_version": False},
        {"largest_version_step": 7},
    ],
)
@virtual
async def test_f084_f085_f086_however_late_orders_show_none_is_missed(shop: dict[str, object]) -> None:
    """Messages lag, come twice or never; the order list lags: every order is counted in the end."""
    async with inside(seed=36, shop=shop) as (site, house), house.daemon() as daemon:
        await started(site)
        for step in range(20):
            site.order("A", 1, import_seconds=None if step % 4 == 0 else 2.0)
            site.house.warehouse.store_sale("B", "WH1", 1)
            await site.clock.sleep(2)
        end = site.clock.now() + 700
        while ((row := await daemon.row("A")).known, row.refl) != (20, 15):
            assert site.clock.now() < end, row
            await site.clock.sleep(1)
        await site.until_stock({"A": 30, "B": 20}, 60)


@virtual
async def test_f092_orders_that_commercetools_does_not_track_are_subtracted_here() -> None:
    """Mode None never touches the entry: counted until Archean's figure excludes it, and reported."""
    async with inside(seed=37) as (site, house), house.daemon() as daemon:
        await started(site)
        site.order("A", 3, mode="None", import_seconds=40.0)
        await site.until_stock({"A": 47}, 20)
        await daemon.until_case(CaseKind.UNTRACKED_DEMAND)
        await site.stays(lambda: site.stock("A") == 47, "subtracted twice or given back", 120)
        assert (await daemon.row("A")).ntrk == 0


@virtual
async def test_f090_restockable_in_days_is_told() -> None:
    """An entry that sells without stock is found when it is looked at, and the case names it."""
    async with inside(seed=38) as (site, house):
        site.open({"A": 5})
        site.shop.add_entry("A", CHANNEL, 5, restockableInDays=0)
        async with house.daemon() as daemon:
            case = await daemon.until_case(CaseKind.RESTOCKABLE_IN_DAYS)
            assert case is not None
            assert case.subject == "A"
            await daemon.until_case(CaseKind.RESTOCKABLE_IN_DAYS)
            await site.clock.sleep(300)
            site.shop.update_entry("A", CHANNEL, {"action": "setRestockableInDays"})
            assert (await ask(daemon, "exceptions.retry", id=case.id))["done"]
            await daemon.until_case(CaseKind.RESTOCKABLE_IN_DAYS, open_=False, seconds=30)


@pytest.mark.parametrize("kind", [FaultKind.CONTENT_TOO_LARGE, FaultKind.QUERY_TIMED_OUT])
@virtual
async def test_f082_reads_that_are_too_large_become_smaller_down_to_the_one_that_is_set_aside(
    kind: FaultKind,
) -> None:
    """One SKU's answer is too large whoever asks with it: all others are published, it is a case, and closes itself."""
    async with inside(seed=40) as (site, house):
        stock = {f"S{number}": 10 for number in range(60)}
        site.open(stock)
        for sku in stock:
            site.shop.add_entry(sku, CHANNEL, 3)
        poison = site.shop.faults.add("inventory.query", kind, count=None, contains="%22S7%22")
        async with house.daemon(reconcile="sample_keys_per_minute = 0") as daemon:
            others = {sku: pieces for sku, pieces in stock.items() if sku != "S7"}
            await site.until_stock(others, 240)
            case = await daemon.until_case(CaseKind.STOCK_UPDATE_FAILED)
            assert case is not None
            assert (case.subject, case.code) == ("S7", "unreadable")
            assert case.correlation
            assert site.stock("S7") == 3
            asked = site.shop.journal.requests["inventory.query"]
            await site.clock.sleep(600)
            assert site.shop.journal.requests["inventory.query"] - asked < 20
            site.shop.faults.clear(poison)
            await site.until_stock(stock, 900)
            await daemon.until_case(CaseKind.STOCK_UPDATE_FAILED, open_=False)


@virtual
async def test_f019_f082_a_look_up_that_needs_many_slow_requests_counts_as_progress() -> None:
    """Each refusal takes 20 s, as a query that times out does: halving goes on, and the watchdog is fed meanwhile."""
    async with inside(seed=50) as (site, house):
        stock = {f"S{number}": 10 for number in range(40)}
        site.open(stock)

        async def slowly(request: Request) -> None:
            if request.path.endswith("/inventory") and request.method == "GET" and "S7" in request.query:
                await site.clock.sleep(20)

        site.watcher.before = slowly
        site.shop.faults.add("inventory.query", FaultKind.QUERY_TIMED_OUT, count=None, contains="%22S7%22")
        async with house.daemon() as daemon:
            end = site.clock.now() + 300
            while site.clock.now() < end:
                assert daemon.app.watch.late() == ()
                await site.clock.sleep(1)
            await site.until_stock({sku: pieces for sku, pieces in stock.items() if sku != "S7"}, 1)


@virtual
async def test_f082_when_no_read_is_small_enough_every_key_is_a_case_asked_for_ever_more_rarely() -> None:
    """Constant 413 for look-ups: nothing is published, which everybody can see, and the requests stay bounded."""
    async with inside(seed=41) as (site, house):
        stock = {"A": 5, "B": 6, "C": 7}
        site.open(stock)
        site.shop.faults.add("inventory.query", FaultKind.CONTENT_TOO_LARGE, count=None)
        async with house.daemon() as daemon:
            await daemon.until_case(CaseKind.STOCK_UPDATE_FAILED)
            await site.clock.sleep(600)
            subjects = {case.subject for case in await daemon.cases(CaseKind.STOCK_UPDATE_FAILED)}
            assert subjects == set(stock)
            assert site.shop.journal.requests["inventory.query"] < 40
            site.shop.faults.clear()
            await site.until_stock(stock, 1200)


@pytest.mark.parametrize("route", ["orders.query", "messages.query"])
@virtual
async def test_f082_order_lists_that_are_too_large_are_read_in_smaller_pages(route: str) -> None:
    """Pages shrink until commercetools answers; a list that gives nothing at all is told, and the others go on."""
    async with inside(seed=42) as (site, house):
        site.open(STOCK)
        big = [f"limit={number}" for number in (500, 250, 200, 125, 62)]
        for limit in big:
            site.shop.faults.add(route, FaultKind.CONTENT_TOO_LARGE, count=None, contains=limit)
        async with house.daemon() as daemon:
            await site.until_stock(STOCK, 120)
            for _ in range(5):
                site.order("A", 1)
                await site.clock.sleep(2)
            await site.until_stock({"A": 45}, 60)
            await site.until(lambda: "orders" not in daemon.app.shared.notes, "the lists read to their end")


@virtual
async def test_f082_orders_are_learnt_by_sweep_where_messages_are_too_large_one_by_one() -> None:
    """A messages query that never answers holds nothing up."""
    async with inside(seed=43) as (site, house):
        site.open(STOCK)
        site.shop.faults.add("messages.query", FaultKind.CONTENT_TOO_LARGE, count=None)
        async with house.daemon() as daemon:
            await site.until_stock(STOCK, 120)
            site.order("A", 3)
            await site.until_stock({"A": 47}, 60)
            assert "sweep" in daemon.app.shared.notes["messages"]


@virtual
async def test_f082_an_order_that_is_too_large_alone_is_a_case_and_the_next_ones_are_learnt() -> None:
    """Messages speak of it, and it can be read neither in a list nor by itself."""
    async with inside(seed=48) as (site, house), house.daemon() as daemon:
        await started(site)
        big = site.order("B", 1)
        for route in ("orders.query", "orders.get"):
            site.shop.faults.add(route, FaultKind.CONTENT_TOO_LARGE, count=None, contains=big)
        site.order("A", 3)
        case = await daemon.until_case(CaseKind.ORDER_UNMAPPED_LINE)
        assert case is not None
        assert case.subject == big
        assert case.correlation
        await site.until_stock({"A": 47}, 30)


@virtual
async def test_f082_a_catalogue_that_answers_little_at_once_is_asked_in_small_portions() -> None:
    """Product look-ups shrink; a SKU whose answer is too large alone is a case, and nothing is created for it."""
    async with inside(seed=49) as (site, house):
        stock = {f"S{number}": 5 for number in range(30)}
        site.open(stock)
        too_large = site.shop.faults.add(
            "graphql", FaultKind.CONTENT_TOO_LARGE, count=None, contains='\\"S7\\"'
        )
        async with house.daemon(commercetools="write_batch = 1") as daemon:
            await site.until_stock({sku: pieces for sku, pieces in stock.items() if sku != "S7"}, 120)
            case = await daemon.until_case(CaseKind.ENTRY_MISSING)
            assert case is not None
            assert case.subject == "S7"
            site.shop.faults.clear(too_large)
            await site.until_stock(stock, 120)


@pytest.mark.parametrize("kind", [FaultKind.INSUFFICIENT_SCOPE, FaultKind.INVALID_INPUT])
@virtual
async def test_f125_where_the_catalogue_is_not_to_be_asked_nothing_is_created_and_everybody_is_told(
    kind: FaultKind,
) -> None:
    """GraphQL refused while products are to be checked: entries that exist are written, the others are cases and a note."""
    async with inside(seed=44) as (site, house):
        site.open(STOCK)
        site.shop.add_entry("A", CHANNEL, 1)
        refusal = site.shop.faults.add("graphql", kind, count=None)
        async with house.daemon() as daemon:
            await site.until_stock({"A": 50})
            case = await daemon.until_case(CaseKind.ENTRY_MISSING)
            assert case is not None
            assert "check_products" in case.reason
            assert case.correlation
            assert {each.subject for each in await daemon.cases(CaseKind.ENTRY_MISSING)} == {"B", "C"}
            assert "/graphql" in daemon.app.shared.notes["catalogue"]
            await site.stays(lambda: site.stock("B") is None, "created blindly", 120)
            site.shop.faults.clear(refusal)
            await site.until_stock(STOCK, 60)
            await daemon.until_case(CaseKind.ENTRY_MISSING, open_=False)
            assert "catalogue" not in daemon.app.shared.notes


@virtual
async def test_f125_an_entry_that_is_left_to_others_is_told_as_such_and_used_when_it_is_there() -> None:
    """create_missing_entries = false: the product exists, so the case speaks of the entry and of the setting."""
    async with inside(seed=45) as (site, house):
        site.open({"A": 5})
        site.house.warehouse.seed("NONE", "WH1", 1)
        async with house.daemon(commercetools="create_missing_entries = false") as daemon:
            case = await daemon.until_case(CaseKind.ENTRY_MISSING)
            assert case is not None
            assert case.subject == "A"
            assert "create_missing_entries" in case.reason
            assert [each.subject for each in await daemon.cases(CaseKind.SKU_NOT_FOUND)] == ["NONE"]
            site.shop.add_entry("A", CHANNEL, 1)
            await site.until_stock({"A": 5}, 120)
            assert await daemon.cases(CaseKind.ENTRY_MISSING) == []


@virtual
async def test_f081_a_create_whose_key_another_entry_carries_is_set_aside() -> None:
    """Our entry was moved to another channel and kept its key: one case that names it, and no loop of creates."""
    async with inside(seed=46) as (site, house), house.daemon() as daemon:
        await started(site)
        other = site.shop.add_channel("elsewhere")
        move = {"action": "setSupplyChannel", "supplyChannel": {"typeId": "channel", "id": other}}
        site.shop.update_entry("A", CHANNEL, move)
        site.house.warehouse.store_sale("A", "WH1", 1)
        case = await daemon.until_case(CaseKind.STOCK_UPDATE_FAILED)
        assert case is not None
        assert (case.subject, case.code) == ("A", "DuplicateField")
        assert f"{CHANNEL}__A" in case.reason
        assert case.correlation
        created = site.shop.journal.requests["inventory.create"]
        await site.clock.sleep(600)
        assert site.shop.journal.requests["inventory.create"] == created <= 5
        site.shop.delete_entry("A", "elsewhere")
        await daemon.app.store.outbox.free_key((await daemon.row("A")).key)
        await daemon.app.store.cases.close(case.id, "resolved", "tried again")
        daemon.app.shared.work.set()
        await site.until_stock({"A": 49}, 120)


@virtual
async def test_f081_a_key_that_is_taken_by_our_own_lost_create_is_no_clash() -> None:
    """The answer of a create is lost and the repetition meets its key: the entry is found and goes on."""
    async with inside(seed=47) as (site, house), house.daemon() as daemon:
        site.shop.faults.add("inventory.create", FaultKind.LOST_ANSWER_APPLIED_LATE, count=1, seconds=4.0)
        site.open({"A": 5})
        await site.until_stock({"A": 5}, 240)
        await site.stays(lambda: site.stock("A") == 5, "twice", 60)
        assert await daemon.cases(CaseKind.STOCK_UPDATE_FAILED) == []

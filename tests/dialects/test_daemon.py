"""Three foreign warehouses, each connected by a profile alone, through the whole daemon to the right stock in the shop."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from aiohttp import web

from archsyncd.domain.cases import CaseKind
from tests.adapters.feeds.dropping import Drop
from tests.adapters.feeds.servers import scripted
from tests.dialects.houses import House as Foreign
from tests.dialects.houses import Ledger, Shelf, ledger_profile, shelf_profile, written
from tests.process.site import CHANNEL, Site
from tests.support.virtual_time import virtual
from tests.system.inside import House, Running, inside

ON_HAND = f'WH1 = {{ channel = "{CHANNEL}", sellable = "onHand" }}'
PULL = """
[[feed]]
name = "main"
url = "{url}"
auth = "none"
interval_seconds = 600
profile = "site.json"
{more}
"""
NIGHTLY = """
[[feed]]
name = "nightly"
transport = "drop"
directory = "{root}"
ready = "rename"
interval_seconds = 86400
profile = "nightly.json"
"""
SKUS = ("A", "B", "C")
# What never moves: a guard counts in percent.
STILL = tuple(f"Z{number}" for number in range(20))


@asynccontextmanager
async def connected(
    house: Foreign, profile: dict[str, Any], place: House, more: str = "", locations: str = ON_HAND
) -> AsyncIterator[Running]:
    """The daemon beside a foreign house that is there for the length of the block."""
    async with scripted(house.handle) as url:
        (place.place() / "site.json").write_bytes(written(profile))
        feed = PULL.format(url=url, more=more)
        async with place.daemon(feed=feed, locations=locations) as daemon:
            yield daemon


def opened(site: Site) -> None:
    """A shop with products and no stock yet."""
    site.shop.add_channel(CHANNEL)
    site.shop.add_products((*SKUS, *STILL))


@virtual
async def test_an_xml_change_list_keeps_the_shop_in_step() -> None:
    """From its stock list on, through changes, a restart, a removal and a cursor that has expired."""
    async with inside(seed=301) as (site, place):
        opened(site)
        house = Ledger(place.clock.wall_ms)
        for sku, pieces in [("A", 5), ("B", 7), *((sku, 1) for sku in STILL)]:
            house.put(sku, pieces)
        async with connected(house, ledger_profile(), place) as daemon:
            await site.until_stock({"A": 5, "B": 7})
            house.put("A", 4)
            house.put("C", 2)
            await site.until_stock({"A": 4, "C": 2})
            house.put("B", "sieben")
            await site.until(
                lambda: daemon.journal.line("closed, a newer record of it"), "B was read by itself"
            )
            assert daemon.journal.line(
                'site.json:11 onHand: is not a whole number at /Menge/Ist (it is "sieben")'
            )
            house.put("B", 6)
            await site.until_stock({"B": 6})
        house.put("A", 3)
        async with connected(house, ledger_profile(), place) as daemon:
            await site.until_stock({"A": 3, "B": 6, "C": 2})
            house.put("C", 9)
            house.put("C", 1)
            house.dropped = len(house.log)
            await site.until_stock({"A": 3, "C": 1})
            house.remove("C")
            await site.until_stock({"C": 0})
            assert daemon.app.shared.counters["snapshots"] == 1


@virtual
async def test_f101_a_list_by_modified_time_keeps_the_shop_in_step_and_a_missing_row_zeroes_nothing() -> None:
    """Equal times, rows that show late, a restart; a row that is gone shows once the whole stock is read."""
    async with inside(seed=302) as (site, place):
        opened(site)
        house = Shelf(place.clock.wall_ms)
        for sku in (*SKUS, *STILL):
            house.put(sku, 9)
        async with connected(house, shelf_profile(), place) as daemon:
            await site.until_stock(dict.fromkeys(SKUS, 9))
            now = place.clock.wall_ms()
            house.put("A", 5, at_ms=now)
            await site.until_stock({"A": 5})
            house.put("A", 4, at_ms=now)
            house.put("B", 3, at_ms=now - 60_000)
            await site.until_stock({"A": 4, "B": 3, "C": 9})
            house.remove("C")
            await site.stays(lambda: site.stock("C") == 9, "nobody has told that it is gone", 60)
            await daemon.app.store.feeds.needs_snapshot("main", "operator")
            daemon.app.tails["main"].wake()
            case = await daemon.until_case(CaseKind.NEEDS_RESYNC)
            assert case is not None
            assert "C at WH1 is not in the full" in case.reason
            assert site.stock("C") == 9
        house.put("B", 2)
        async with connected(house, shelf_profile(), place):
            await site.until_stock({"A": 4, "B": 2})


@virtual
async def test_the_shop_sells_while_a_foreign_source_is_read() -> None:
    """An order between two rounds is never put back on sale by a row that was read before it was imported."""
    async with inside(seed=303) as (site, place):
        opened(site)
        house = Shelf(place.clock.wall_ms)
        house.put("A", 9)
        async with connected(house, shelf_profile(), place, locations=f'WH1 = {{ channel = "{CHANNEL}" }}'):
            await site.until_stock({"A": 9})
            site.order("A", 2, import_seconds=None)
            house.put("A", 8)  # one was sold over the counter; the order is not imported yet
            await site.until_stock({"A": 6})
            await site.stays(lambda: (site.stock("A") or 0) <= 6, "sold pieces are offered again", 60)


@pytest.mark.parametrize("rows", [1, 4])
@virtual
async def test_f102_an_emptied_source_is_held_for_a_person(rows: int) -> None:
    """A stock list that suddenly holds next to nothing changes nothing before somebody allows it."""
    profile = shelf_profile()
    profile["request"] = {
        "mode": "page",
        "path": "/api/stock",
        "query": {"page": "{page}", "size": "{limit}"},
        "pages": {"by": "number", "first": 0, "until": "short"},
        "every": "60s",
    }
    async with inside(seed=304) as (site, place):
        opened(site)
        house = Shelf(place.clock.wall_ms)
        for number in range(40):
            house.put(f"S{number}", 9)
        house.put("A", 9)
        async with connected(house, profile, place) as daemon:
            await site.until_stock({"A": 9})
            house.put("A", 8)
            await site.until_stock({"A": 8})
            for number in range(rows - 1, 40):
                house.remove(f"S{number}")
            house.put("A", 7)
            case = await daemon.until_case(CaseKind.HELD_SNAPSHOT)
            assert case is not None
            assert "records" in case.reason
            await site.stays(lambda: site.stock("A") == 8, "what is held was applied", 30)


@virtual
async def test_f117_a_source_that_refuses_the_credential_raises_the_alarm() -> None:
    """The feed is blind, and says so; it sees again by itself."""
    async with inside(seed=305) as (site, place):
        opened(site)
        house = Ledger(place.clock.wall_ms)
        house.put("A", 5)
        async with connected(house, ledger_profile(), place) as daemon:
            await site.until_stock({"A": 5})

            async def refuse(_: web.Request) -> web.StreamResponse:
                return web.Response(status=401)

            house.first = refuse
            case = await daemon.until_case(CaseKind.STALE_FEED)
            assert case is not None
            assert "cannot be read with our credential" in case.reason
            house.first = None
            house.put("A", 4)
            await site.until_stock({"A": 4})
            await daemon.until_case(CaseKind.STALE_FEED, open_=False)


LOCAL: dict[str, Any] = {
    "profile": "nightly",
    "format": "csv",
    "csv": {"delimiter": ";"},
    "encoding": "windows-1252",
    "decimal": ",",
    "thousands": ".",
    "names": {
        "pattern": "BESTAND_{time:yyyyMMdd_HHmm}.csv",
        "kind": "full",
        "tz": "Europe/Berlin",
        "locations": ["WH1"],
    },
    "const": {"type": "stock.level", "location": "WH1"},
    "fields": {"sku": "/Artikel", "onHand": "/Bestand"},
}
BERLIN = ZoneInfo("Europe/Berlin")


def file_at(drop: Drop, moment_ms: int, text: str) -> str:
    """Drop a nightly file of this moment, complete under its name."""
    local = datetime.fromtimestamp(moment_ms / 1000, UTC).astimezone(BERLIN)
    name = f"BESTAND_{local:%Y%m%d_%H%M}.csv"
    text = "Artikel;Bestand\n" + text + "".join(f"{sku};1\n" for sku in STILL)
    (drop.root / "in" / name).write_bytes(text.encode("windows-1252"))
    return name


@virtual
async def test_a_nightly_file_with_local_dates_keeps_the_shop_in_step() -> None:
    """One file a night; a row that nobody can read is told by its line, and an older file changes nothing."""
    async with inside(seed=306) as (site, place):
        opened(site)
        root = place.place() / "drop"
        root.mkdir()
        drop = Drop(root, feed="nightly")
        (place.place() / "nightly.json").write_bytes(written(LOCAL))
        feed = NIGHTLY.format(root=root)
        async with place.daemon(feed=feed, locations=ON_HAND) as daemon:
            now = place.clock.wall_ms()
            file_at(drop, now, 'A;1.005\n"B";7,0\n')
            await site.until_stock({"A": 1_005, "B": 7})
            file_at(drop, now + 3_600_000, "A;1.004\nB;7,5\n")
            await site.until_stock({"A": 1_004})
            case = await daemon.until_case(CaseKind.INVALID_RECORD)
            assert case is not None
            assert "B" in case.subject
            assert site.stock("B") == 7
            file_at(drop, now - 3_600_000, "A;3\nB;3\n")
            await site.stays(lambda: site.stock("A") == 1_004, "an older file was applied", 60)


@virtual
async def test_an_order_is_handed_over_in_the_source_s_own_words() -> None:
    """Accepted with its number, noted in the shop's books, and proven by what the source says of it."""
    taken: dict[str, dict[str, Any]] = {}

    async def desk(request: web.Request) -> web.StreamResponse | None:
        order_id = request.path.rpartition("/")[2]
        if not request.path.startswith("/api/orders/"):
            return None
        if request.method == "PUT":
            taken[order_id] = await request.json()
        if order_id not in taken:
            return web.json_response({"error": {"code": "NO_ORDER"}}, status=404)
        return web.json_response({"state": "BOOKED", "id": f"SO-{len(taken)}"})

    orders = {
        "place": {
            "path": "/api/orders/{order}",
            "order": {
                "ref": "/orderId",
                "items": {"each": "/lines", "as": {"code": "/sku", "qty": "/quantity"}},
            },
        },
        "answer": {
            "status": "/state",
            "words": {"accepted": "BOOKED"},
            "sourceOrder": "/id",
            "code": "/error/code",
        },
        "lookUp": {"path": "/api/orders/{order}", "unknown": {"status": 404, "code": "NO_ORDER"}},
    }
    async with inside(seed=307) as (site, place):
        opened(site)
        house = Shelf(place.clock.wall_ms, first=desk)
        house.put("A", 9)
        (place.place() / "site.json").write_bytes(written(shelf_profile(orders=orders)))
        async with scripted(house.handle) as url:
            feed = PULL.format(url=url, more="")
            said = 'mode = "hand-over"\nreflection = "accepted+5"'
            async with place.daemon(feed=feed, locations=f'WH1 = {{ channel = "{CHANNEL}" }}', orders=said):
                await site.until_stock({"A": 9})
                order_id = site.order("A", 2, import_seconds=None)
                await site.until(lambda: order_id in taken, "the order arrived")
                assert taken[order_id] == {"ref": order_id, "items": [{"code": "A", "qty": 2}]}
                await site.clock.sleep(20)
                house.put("A", 7)  # the warehouse has booked it
                await site.stays(lambda: (site.stock("A") or 0) <= 7, "sold pieces are offered again", 30)
                await site.until_stock({"A": 7})


@virtual
async def test_a_nightly_full_of_another_feed_heals_what_a_list_by_time_cannot_tell() -> None:
    """Both say when their figures were taken: the newer one counts, whichever feed it comes by."""
    nightly = LOCAL | {"fields": {**LOCAL["fields"], "asOf": {"part": "time"}}}
    async with inside(seed=308) as (site, place):
        opened(site)
        root = place.place() / "drop"
        root.mkdir()
        drop = Drop(root, feed="nightly")
        (place.place() / "nightly.json").write_bytes(written(nightly))
        house = Shelf(place.clock.wall_ms)
        more = 'snapshot_from = "nightly"\n' + NIGHTLY.format(root=root)
        async with connected(house, shelf_profile(snapshot=None), place, more=more):
            file_at(drop, place.clock.wall_ms(), "A;5\nB;7\n")
            await site.until_stock({"A": 5, "B": 7})
            await site.clock.sleep(120)
            house.put("A", 4)
            await site.until_stock({"A": 4})
            await site.clock.sleep(120)
            house.put("B", 6, at_ms=place.clock.wall_ms() - 600_000)  # too late for the overlap
            await site.stays(lambda: site.stock("B") == 7, "it was told after all", 60)
            file_at(drop, place.clock.wall_ms(), "A;4\nB;6\n")
            await site.until_stock({"A": 4, "B": 6})
            house.put("B", 5)
            await site.until_stock({"B": 5})


def beside() -> tuple[dict[str, Any], dict[str, Any]]:
    """Two profiles of one shelf: changes alone, and the whole stock and single articles alone."""
    changes = shelf_profile(snapshot=None)
    whole = shelf_profile()
    whole["request"] = {
        "mode": "page",
        **whole["request"]["snapshot"],
        "every": "24h",
        "key": {"path": "/api/stock/{sku}"},
    }
    return changes, whole


@virtual
async def test_a_feed_that_gives_no_fulls_has_its_partner_asked_for_them_and_for_single_skus() -> None:
    """By a person's wish the partner reads the whole stock at once, a day early; a row that is spoilt it reads alone."""
    async with inside(seed=309) as (site, place):
        opened(site)
        house = Shelf(place.clock.wall_ms)
        for sku in (*SKUS, *STILL):
            house.put(sku, 9)
        changes, whole = beside()
        (place.place() / "whole.json").write_bytes(written(whole))
        async with scripted(house.handle) as url:
            partner = PULL.format(url=url, more="").replace('"main"', '"whole"').replace("site", "whole")
            async with connected(house, changes, place, f'snapshot_from = "whole"\n{partner}') as daemon:
                await site.until_stock(dict.fromkeys(SKUS, 9))
                assert "/api/stock/A" not in {one.path for one in house.asked}
                house.put("A", "neun")
                await site.until(
                    lambda: "/api/stock/A" in {one.path for one in house.asked}, "A was read by itself", 120
                )
                read = sum(one.path == "/api/stock" for one in house.asked)
                await daemon.app.store.feeds.needs_snapshot("main", "operator")
                daemon.app.tails["main"].wake()
                await site.until(
                    lambda: sum(one.path == "/api/stock" for one in house.asked) > read,
                    "a full was read",
                    120,
                )
                house.put("A", 6)
                await site.until_stock({"A": 6})

"""`archsyncd check-config` on a source that is read by a profile: what is asked, and what was understood."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from archsyncd.checking import check
from tests.adapters.feeds.servers import scripted
from tests.dialects.houses import House, Ledger, Shelf, ledger_profile, shelf_profile, written
from tests.operator.test_checking import Site, site
from tests.support.virtual_time import VirtualClock, virtual


@asynccontextmanager
async def checked(tmp_path: Path, house: House, profile: dict[str, Any]) -> AsyncIterator[Site]:
    """A site whose source is a foreign house."""
    async with site(tmp_path) as here, scripted(house.handle) as url:
        (tmp_path / "site.json").write_bytes(written(profile))
        text = here.config.read_text()
        before = text[text.index('url = "http', text.index("[[feed]]")) :].partition("\n")[0]
        here.write((before, f'url = "{url}"\nprofile = "site.json"'), ('auth = "bearer"', 'auth = "none"'))
        yield here


async def report(here: Site) -> tuple[int, str]:
    """The exit status, and what is said of the source."""
    code, text = await here.check()
    return code, text


@virtual
async def test_a_source_is_asked_once_and_its_first_records_are_shown(tmp_path: Path) -> None:
    """Every list that can be asked for without a SKU, with what it goes on with."""
    house = Ledger(VirtualClock().wall_ms)
    for number in range(5):
        house.put(f"S{number}", number)
    house.remove("S4")
    async with checked(tmp_path, house, ledger_profile()) as here:
        _, text = await report(here)
        assert "6 records, understood as 5 levels, 1 stock.removed; it goes on with '6'" in text
        assert "reads S0 at WH1: onHand 0" in text
        assert "feed.main snapshot: GET /wms/bestand" in text
        assert len(house.asked) == 3
        assert "a deletion that the list does not tell is noticed when somebody asks" in text


@virtual
async def test_what_cannot_be_read_is_wrong_and_names_the_profile_s_line(tmp_path: Path) -> None:
    """A few of them, and how many more there are."""
    house = Shelf(VirtualClock().wall_ms)
    for number in range(6):
        house.put(f"S{number}", "viele")
    async with checked(tmp_path, house, shelf_profile()) as here:
        code, text = await report(here)
        assert code == 1
        assert "!! feed.main changes: cannot read record 1:" in text
        assert "site.json:11" in text
        assert "and 3 more that cannot be read" in text


@virtual
async def test_a_time_zone_that_cannot_be_right_is_noticed(tmp_path: Path) -> None:
    """Rows that were changed in the future, by the source's own clock."""
    house = Shelf(VirtualClock().wall_ms)
    house.put("A", 1, at_ms=VirtualClock().wall_ms() + 3_600_000)
    async with checked(tmp_path, house, shelf_profile()) as here:
        _, text = await report(here)
        assert "60 min ahead of the source's own clock: is the zone (tz) of its times" in text


@virtual
async def test_a_source_that_gives_fewer_rows_than_asked_for_is_noticed(tmp_path: Path) -> None:
    """Its first page would be taken for the last one, and what follows be lost without a word."""
    house = Shelf(VirtualClock().wall_ms)
    for number in range(7):
        house.put(f"S{number}", 1)

    async def capped(request: web.Request) -> web.StreamResponse | None:
        if not request.path.startswith("/api/stock/modified") or request.query["size"] == "3":
            return None
        return house.answer(request.clone(rel_url=request.rel_url.update_query(size="3")))

    house.first = capped
    async with checked(tmp_path, house, shelf_profile()) as here:
        _, text = await report(here)
        assert "feed.main changes: gives 3 rows a page although more were asked for" in text
        assert "feed.main snapshot: gives" not in text


@virtual
async def test_locations_that_nobody_has_mapped_are_told(tmp_path: Path) -> None:
    """Each of their records would become part of an exception."""
    house = Shelf(VirtualClock().wall_ms)
    house.put("A", 1, place="WH9")
    async with checked(tmp_path, house, shelf_profile()) as here:
        _, text = await report(here)
        assert "locations.WH9: is told by this source and not mapped" in text


@pytest.mark.parametrize(("status", "mark"), [(401, "!!"), (500, "!!"), (404, "? ")])
@virtual
async def test_a_source_that_does_not_answer_is_told_with_its_status(
    tmp_path: Path, status: int, mark: str
) -> None:
    """The check ends, and says what was asked."""

    async def refuse(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status)

    house = Shelf(VirtualClock().wall_ms, first=refuse)
    async with checked(tmp_path, house, shelf_profile()) as here:
        _, text = await report(here)
        (line,) = [line for line in text.splitlines() if "/api/stock/modified" in line]
        assert line.strip().startswith(mark)
        assert str(status) in line


@virtual
async def test_offline_it_is_said_what_a_way_of_asking_cannot_notice(tmp_path: Path) -> None:
    """Whoever connects a site knows before the first sale."""
    house = Shelf(VirtualClock().wall_ms)
    for changes, said in (
        ({}, "is noticed when the whole stock is read, every 24 h"),
        ({"snapshot": {"path": "/api/stock", "every": "6h"}}, "every 6 h"),
    ):
        async with checked(tmp_path, house, shelf_profile(**changes)) as here:
            _, text = await check(here.config, None, online=False, environment={})
            assert "a deletion, and what shows more than 2 min after its time" in text
            assert said in text
            assert house.asked == []
        (tmp_path / "credentials").rename(tmp_path / f"credentials-{said[:3]}")

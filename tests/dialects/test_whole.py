"""A source that can only list its whole stock, page by page: every round is a full picture, judged like every other."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

import pytest
from aiohttp import web

from archsyncd.domain.feed import SnapshotPage
from archsyncd.engine.ports import FeedFault
from tests.dialects.houses import Shelf, shelf_profile
from tests.dialects.reading import reading
from tests.support.virtual_time import VirtualClock, virtual


def whole_profile(**changes: Any) -> dict[str, Any]:
    """A Shelf of which only the list of everything is known."""
    profile = shelf_profile()
    profile["request"] = {
        "mode": "page",
        "path": "/api/stock",
        "query": {"page": "{page}", "size": "{limit}"},
        "pages": {"by": "number", "first": 0, "until": "short"},
        "every": "15m",
        **changes,
    }
    return profile


async def fulls(
    site: Any, after: str | None, count: int
) -> tuple[list[list[tuple[str, int | None]]], str, list[int]]:
    """The next full pictures, the checkpoint behind the last, and where each stands."""
    found: list[list[tuple[str, int | None]]] = []
    places: list[int] = []
    async with aclosing(site.feed.batches(after)) as reading_:
        async for one in reading_:
            head = await one.head()
            pages: list[SnapshotPage] = [page async for page in one.pages()]
            assert one.end().complete
            found.append([(level.sku, level.on_hand) for page in pages for level in page.items])
            places.append(head.seq_at)
            if len(found) == count:
                return found, head.cursor or "", places
    raise AssertionError("the feed ended")


@virtual
async def test_every_round_is_a_full_picture_in_which_a_deletion_shows() -> None:
    """At the pace that is stated, each at a later position than the one before, over a restart as well."""
    async with reading(Shelf(VirtualClock().wall_ms), whole_profile(), page_limit=2) as site:
        for number in range(3):
            site.house.put(f"S{number}", number)
        began = VirtualClock().monotonic()
        (one, two), after, places = await fulls(site, None, 2)
        assert VirtualClock().monotonic() - began == pytest.approx(900, abs=1)
        assert one == two == [("S0", 0), ("S1", 1), ("S2", 2)]
        site.house.remove("S1")
        await site.reopen()
        (three,), _, later = await fulls(site, after, 1)
        assert three == [("S0", 0), ("S2", 2)]
        assert [*places, *later] == sorted({*places, *later})


@pytest.mark.parametrize(
    ("pages", "query"),
    [
        ({"by": "offset", "until": "empty"}, {"skip": "{page}", "top": "{limit}"}),
        ({"by": "offset", "until": "total", "total": "/total"}, {"skip": "{page}", "top": "{limit}"}),
        ({"by": "next", "next": "/next"}, {"token": "{page}", "top": "{limit}"}),
        ({"by": "next", "next": {"path": "/link", "link": True}}, {"top": "{limit}"}),
    ],
)
@virtual
async def test_lists_are_read_by_offset_by_token_and_by_link(
    pages: dict[str, Any], query: dict[str, str]
) -> None:
    """To their end, whatever says that it is the end."""
    async with reading(
        Shelf(VirtualClock().wall_ms), whole_profile(pages=pages, query=query), page_limit=2
    ) as site:
        rows = [{"itemCode": f"S{number}", "site": "WH1", "qty": {"physical": number}} for number in range(5)]

        async def listed(request: web.Request) -> web.StreamResponse:
            start, top = (
                int(request.query.get("skip") or request.query.get("token") or 0),
                int(request.query["top"]),
            )
            body: dict[str, Any] = {"total": 5, "rows": rows[start : start + top]}
            if start + top < len(rows):
                body |= {"next": str(start + top), "link": f"/api/stock?skip={start + top}&top=2"}
            return web.json_response(body)

        site.house.first = listed
        (found,), _, _ = await fulls(site, None, 1)
        assert found == [(f"S{number}", number) for number in range(5)]


@virtual
async def test_one_list_for_each_location() -> None:
    """Where the profile asks for a {location}, the feed's locations are asked for one after the other."""
    profile = whole_profile(query={"page": "{page}", "size": "{limit}", "site": "{location}"})
    with pytest.raises(ValueError, match="state the feed's locations"):
        async with reading(Shelf(VirtualClock().wall_ms), profile):
            pass
    async with reading(Shelf(VirtualClock().wall_ms), profile, locations=("WH1", "WH2")) as site:
        site.house.put("A", 1)
        await fulls(site, None, 1)
        assert [request.query["site"] for request in site.house.asked] == ["WH1", "WH2"]


@virtual
async def test_f100_a_total_that_is_not_reached_is_a_fault() -> None:
    """Half of the stock is never taken for all of it."""
    pages = {"by": "number", "first": 0, "until": "total", "total": "/total"}
    async with reading(Shelf(VirtualClock().wall_ms), whole_profile(pages=pages), page_limit=2) as site:

        async def short(_: web.Request) -> web.StreamResponse:
            return web.json_response({"total": 9, "rows": []})

        site.house.first = short
        with pytest.raises(FeedFault, match="end at 0 of 9 records"):
            await fulls(site, None, 1)

"""A source that numbers its changes, in XML, read by cursor: what its reader promises, and what it cannot."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any

import pytest
from aiohttp import web

from archsyncd.domain.feed import Batch, Level, Removal, SnapshotCause, SnapshotDue
from archsyncd.engine.ports import FeedFault
from tests.adapters.feeds.servers import scripted
from tests.dialects.houses import Ledger, ledger_profile
from tests.dialects.reading import ForeignSite, reading
from tests.support.virtual_time import VirtualClock, virtual


def ledger() -> Ledger:
    return Ledger(VirtualClock().wall_ms)


def told(batches: list[Batch]) -> list[tuple[str, int | None]]:
    """What the batches say; None: gone."""
    found: list[tuple[str, int | None]] = []
    for batch in batches:
        for record in batch.records:
            assert isinstance(record, Level | Removal)
            found.append((record.sku, record.on_hand if isinstance(record, Level) else None))
    return found


async def fault_of(site: ForeignSite[Ledger], after: str) -> FeedFault:
    with pytest.raises(FeedFault) as refused:
        await site.next(after)
    return refused.value


async def due_of(site: ForeignSite[Ledger], after: str) -> SnapshotDue:
    found = [one async for one in site.feed.batches(after)]
    (due,) = found
    assert isinstance(due, SnapshotDue)
    return due


def says(answer: Callable[[web.Request], web.Response | None]) -> Callable[[web.Request], Awaitable[Any]]:
    async def say(request: web.Request) -> web.StreamResponse | None:
        return answer(request)

    return say


def always(status: int) -> Callable[[web.Request], Awaitable[Any]]:
    return says(lambda _: web.Response(status=status))


@virtual
async def test_deletions_are_told_where_the_profile_says_how_they_look() -> None:
    """A change that takes a SKU away is a removal at its place in the list."""
    async with reading(ledger(), ledger_profile()) as site:
        site.house.put("A", 5)
        after, pages = await site.whole()
        assert [level.on_hand for page in pages for level in page.items] == [5]
        site.house.remove("A")
        assert told(await site.next(after)) == [("A", None)]


@virtual
async def test_more_than_one_page_is_read_without_a_pause() -> None:
    """A full page means that more is ready; the checkpoint moves with every page."""
    async with reading(ledger(), ledger_profile(), page_limit=2) as site:
        after = await site.begin()
        for number in range(5):
            site.house.put(f"S{number}", number)
        began = VirtualClock().monotonic()
        batches = await site.next(after)
        assert [len(batch.records) for batch in batches] == [2, 2, 1]
        assert VirtualClock().monotonic() - began < 1
        assert len({batch.checkpoint for batch in batches}) == 3
        assert told(await site.next(batches[0].checkpoint)) == [("S2", 2), ("S3", 3), ("S4", 4)]


@virtual
async def test_f097_an_expired_cursor_asks_for_a_snapshot_and_reading_goes_on_behind_it() -> None:
    """The source has forgotten what lay between; what came before the snapshot is not applied over it."""
    async with reading(ledger(), ledger_profile()) as site:
        after = await site.begin()
        site.house.put("A", 5)
        site.house.put("A", 4)
        site.house.dropped = 2
        assert (await due_of(site, after)).cause is SnapshotCause.CURSOR_EXPIRED
        after, pages = await site.whole()
        assert [(level.sku, level.on_hand) for page in pages for level in page.items] == [("A", 4)]
        site.house.put("A", 3)
        batches = await site.next(after)
        assert told(batches) == [("A", 3)]
        assert batches[0].records[0].seq > pages[0].items[0].seq


@virtual
async def test_f097_without_a_snapshot_of_its_own_the_list_is_read_from_its_start() -> None:
    """Another feed gives the full picture; a source that does not know its own start either is a fault."""
    async with reading(ledger(), ledger_profile(snapshot=None, head=None, start="0")) as site:
        site.house.put("A", 5)
        (first,) = await site.next(None)
        assert told([first]) == [("A", 5)]
        site.house.first = says(
            lambda request: web.Response(status=410) if request.query["ab"] == "1" else None
        )
        site.house.put("B", 1)
        assert told(await site.next(first.checkpoint)) == [("A", 5), ("B", 1)]
        site.house.first = says(lambda _: web.Response(status=410))
        assert "does not know the cursor either" in (await fault_of(site, first.checkpoint)).reason


@virtual
async def test_f100_a_snapshot_that_is_cut_off_or_moves_is_a_fault() -> None:
    """Where the source counts its rows, pages that end early and rows that come and go meanwhile are noticed."""
    async with reading(ledger(), ledger_profile(), page_limit=2) as site:
        for number in range(5):
            site.house.put(f"S{number}", number)

        def cut(request: web.Request) -> web.Response | None:
            if request.query.get("seite") != "3":
                return None
            return web.Response(text='<Bestand anzahl="5" stand="5"/>', content_type="application/xml")

        site.house.first = says(cut)
        with pytest.raises(FeedFault, match="its pages end at 4 of 5 records"):
            await site.whole()

        def moved(request: web.Request) -> web.Response | None:
            if request.query.get("seite") == "2":
                site.house.remove("S0")
            return None

        site.house.first = says(moved)
        with pytest.raises(FeedFault, match="of 4 records, and of 5 a page before"):
            await site.whole()


@virtual
async def test_f117_a_refused_credential_is_for_a_person() -> None:
    """Every other status is tried again."""
    async with reading(ledger(), ledger_profile()) as site:
        after = await site.begin()
        for status, blind in ((401, True), (403, True), (500, False), (404, False)):
            site.house.first = always(status)
            assert (await fault_of(site, after)).blind is blind
        site.house.first = says(lambda _: web.Response(status=429, headers={"Retry-After": "7"}))
        assert (await fault_of(site, after)).retry_after_seconds == 7


@virtual
async def test_f118_a_list_without_news_moves_no_checkpoint() -> None:
    """It looks like a source that stands still, whatever it answers; nothing counts it as a sign of life."""
    async with reading(ledger(), ledger_profile(key=None)) as site:
        site.house.put("A", 5)
        after = await site.begin()
        batches = await site.next(after, rounds=4)
        assert {(batch.checkpoint, batch.records) for batch in batches} == {(after, ())}


@virtual
async def test_rounds_without_news_are_asked_for_at_their_pace() -> None:
    """`every` is kept, and a long one beats all the while."""
    async with reading(ledger(), ledger_profile(every="5s")) as site:
        after = await site.begin()
        began, asked = VirtualClock().monotonic(), len(site.house.asked)
        await site.next(after, rounds=4)
        assert VirtualClock().monotonic() - began == pytest.approx(15, abs=0.5)
        assert len(site.house.asked) - asked == 4


@virtual
async def test_f177_a_link_that_leads_elsewhere_is_not_followed() -> None:
    """Another host, another scheme, a way out of the url: nothing of ours goes there, the credential least of all."""
    asked: list[str] = []

    async def trap(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        return web.Response(text="<Aenderungen/>", content_type="application/xml")

    profile = ledger_profile(next={"link": "next"}, snapshot=None, head=None, start="0")
    async with scripted(trap) as elsewhere, reading(ledger(), profile) as site:
        targets = (
            f"{elsewhere}/wms/x",
            "//evil.example/x",
            "http://[",
            "/wms/../x",
            "/wms//x",
            "/wms/%2e%2e/x",
            "x?y",
            "?y",
        )
        for target in targets:
            site.house.first = linking(target)
            with pytest.raises(FeedFault, match="leads away from the feed's url"):
                await site.next(None)
        assert asked == []


@virtual
async def test_a_link_that_leads_back_is_followed_with_its_query() -> None:
    """Relative to the host, or with the host written out."""
    profile = ledger_profile(next={"link": "next"}, snapshot=None, head=None, start="0")
    async with reading(ledger(), profile) as site:
        for scheme in ("", site.url):
            target = f"{scheme}/wms/aenderungen?ab=1&anzahl=500&x=a%2Fb"
            site.house.first = linking(target, unless="x")
            site.house.put("A", 1)
            site.house.put("B", 2)
            batches = await site.next(None, rounds=2)
            assert told(batches)[:1] == [("B", 2)]
            assert site.house.asked[-1].query["x"] == "a/b"
            await site.reopen()


def linking(target: str, unless: str = "") -> Callable[[web.Request], Awaitable[Any]]:
    """Answer with a link, but for requests that have a parameter."""
    headers = {"Link": f'<{target}>; rel="next"'}

    def link(request: web.Request) -> web.Response | None:
        if unless and unless in request.query:
            return None
        return web.Response(text="<Aenderungen/>", content_type="application/xml", headers=headers)

    return says(link)


@virtual
async def test_f177_a_redirect_is_not_followed() -> None:
    """Wherever it leads."""
    async with reading(ledger(), ledger_profile()) as site:
        after = await site.begin()
        site.house.first = says(lambda _: web.Response(status=302, headers={"Location": "/wms/aenderungen"}))
        assert "redirects are not followed" in (await fault_of(site, after)).reason


@virtual
async def test_cursors_that_lead_in_a_circle_are_a_fault() -> None:
    """A source must not keep its reader busy for ever."""
    async with reading(ledger(), ledger_profile(more="/Aenderungen/@weitere")) as site:
        after = await site.begin()
        turn = iter(range(10**6))

        def around(_: web.Request) -> web.Response:
            text = f'<Aenderungen letzte="{next(turn) % 3 + 1}" weitere="true"/>'
            return web.Response(text=text, content_type="application/xml")

        site.house.first = says(around)
        assert "lead in a circle" in (await fault_of(site, after)).reason


@virtual
async def test_f096_a_gap_in_the_source_s_numbers_stops_nobody() -> None:
    """Levels are absolute: what comes behind the gap counts, at the source's own position."""
    profile = ledger_profile(positions="source", snapshot=None, head=None, key=None, start="0")
    profile["fields"]["seq"] = "/@nr"
    async with reading(ledger(), profile) as site:
        row = (
            '<Aenderung nr="{}"><Artikel code="A"/><Lager>WH1</Lager><Menge><Ist>{}</Ist></Menge></Aenderung>'
        )
        text = f'<Aenderungen letzte="9">{row.format(3, 5)}{row.format(9, 4)}</Aenderungen>'
        site.house.first = says(lambda _: web.Response(text=text, content_type="application/xml"))
        (batch,) = await site.next(None)
        assert [(record.seq, told([batch])[place][1]) for place, record in enumerate(batch.records)] == [
            (3, 5),
            (9, 4),
        ]


@virtual
async def test_a_single_sku_stands_behind_what_was_asked_before_and_before_what_comes_later() -> None:
    """Over a restart as well: what was read once is never overtaken by what is older."""
    async with reading(ledger(), ledger_profile()) as site:
        after = await site.begin()
        with pytest.raises(FeedFault, match="not read yet"):
            await site.feed.read_key("A")
        site.house.put("A", 5)
        positions = []
        for _ in range(2):
            async with aclosing(site.feed.batches(after)) as batches:  # type: ignore[type-var]
                first = await anext(batches)
                assert isinstance(first, Batch)
                await anext(batches)
                positions += [record.seq for record in first.records]
                for _ in range(2):
                    found = await site.feed.read_key("A")
                    assert found is not None
                    assert [level.on_hand for level in found.levels] == [site.house.goods["A", "WH1"]]
                    positions.append(found.seq_at)
            after = first.checkpoint
            await site.reopen()
            site.house.put("A", 4)
        assert positions == sorted(set(positions))


@virtual
async def test_a_source_that_tells_the_last_record_again_tells_it_once() -> None:
    """Where records have ids of their own, a cursor that includes its record repeats nothing."""
    profile = ledger_profile(key=None)
    profile["fields"]["id"] = "/@nr"
    async with reading(ledger(), profile) as site:
        site.house.put("A", 1)
        after = await site.begin()

        def inclusive(request: web.Request) -> web.Response | None:
            if request.path != "/wms/aenderungen":
                return None
            return site.house._changes(max(int(request.query["ab"]) - 1, 0), 500)

        site.house.first = says(inclusive)
        site.house.put("B", 2)
        batches = await site.next(after)
        site.house.put("C", 3)
        assert told(await site.next(batches[-1].checkpoint)) == [("C", 3)]


@virtual
async def test_an_id_from_the_wrong_field_swallows_no_change() -> None:
    """Somebody took the SKU for it: a record with the id of the one before it and other content is told."""
    profile = ledger_profile(key=None)
    profile["fields"]["id"] = "/Artikel/@code"
    async with reading(ledger(), profile) as site:
        after = await site.begin()
        for pieces in (3, 2, 1):
            site.house.put("A", pieces)
            (batch,) = await site.next(after)
            assert told([batch]) == [("A", pieces)]
            after = batch.checkpoint


@virtual
async def test_a_last_page_that_is_asked_for_again_tells_only_what_was_added() -> None:
    """Links that end at the last page leave the cursor there; one that was rewritten asks for a snapshot."""
    async with reading(
        ledger(), ledger_profile(next={"link": "next"}, head=None, snapshot=None, start="0")
    ) as site:
        site.house.put("A", 1)
        (first,) = await site.next(None)
        site.house.put("B", 2)
        (second,) = await site.next(first.checkpoint)
        assert (told([first]), told([second])) == ([("A", 1)], [("B", 2)])
        (third,) = await site.next(second.checkpoint)
        assert told([third]) == []
        site.house.log[0] = ("Z", "WH1", 9)
        assert told(await site.next(third.checkpoint)) == [("Z", 9), ("B", 2)]


@virtual
async def test_what_has_no_positions_of_its_own_is_not_read_again_from_an_earlier_place() -> None:
    """A replay would number old records anew, over what is newer; a snapshot is the way."""
    async with reading(ledger(), ledger_profile()) as site:
        after = await site.begin()
        place = after
        for number in range(5):
            site.house.put("A", number)
            (batch,) = await site.next(place)
            place = batch.checkpoint
        assert "have no positions of their own" in (await due_of(site, after)).detail


@virtual
async def test_a_checkpoint_of_another_way_of_reading_asks_for_a_snapshot() -> None:
    """Such as r247/1's own cursor, or the same source by time."""
    async with reading(ledger(), ledger_profile()) as site:
        for place in (
            "c2VxOjEwNw",
            "{}",
            '{"v":1,"m":"time-overlap","e":"x","r":1}',
            '{"v":1,"m":"cursor","e":5,"r":1}',
        ):
            assert (await due_of(site, place)).cause is SnapshotCause.EPOCH_CHANGED


@virtual
async def test_f095_positions_of_the_source_are_kept_where_it_has_them() -> None:
    """They decide by key whatever the order of the list; a snapshot stands where the source says."""
    profile = ledger_profile(positions="source")
    profile["fields"]["seq"] = "/@nr"
    profile["request"]["snapshot"]["seqAt"] = "/Bestand/@stand"
    profile["request"]["key"]["seqAt"] = "/Bestand/@stand"
    async with reading(ledger(), profile) as site:
        site.house.put("A", 5)
        site.house.put("A", 4)
        snapshot = await site.feed.take_snapshot(["WH1"])
        assert snapshot is not None
        head = await snapshot.head()
        assert head.seq_at == 2
        site.house.put("B", 1)
        (batch,) = await site.next(head.cursor or "")
        assert [record.seq for record in batch.records] == [3]
        found = await site.feed.read_key("A")
        assert found is not None
        assert (found.epoch, found.seq_at) == (head.epoch, 3)
        assert batch.epoch == head.epoch

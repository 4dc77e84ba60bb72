"""A source that takes orders in words of its own: its desk keeps the contract of desks, and understands nothing wrongly."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from archsyncd.adapters.r247_pull import PullOptions, Sessions
from archsyncd.adapters.r247_pull.foreign import ForeignFeed
from archsyncd.adapters.r247_pull.foreign.desk import ForeignDesk
from archsyncd.domain.feed import OrderLookup
from archsyncd.domain.handover import CancelAnswer, Objection, Taken
from archsyncd.engine.ports import FeedFault
from archsyncd.simulators.r247 import Asked, R247Config, R247Simulator
from archsyncd.wire.foreign.source import read_source
from tests.adapters.feeds.desk_contract import DeskContract, Site, booked
from tests.adapters.feeds.servers import Handler, SimulatorClock, nothing, scripted
from tests.dialects.houses import shelf_profile, written
from tests.simulators.r247.houses import ORDER_ID
from tests.support.virtual_time import VirtualClock, virtual

WORDS = {
    "accepted": "ANGENOMMEN",
    "received": "EINGEGANGEN",
    "rejected": "ABGELEHNT",
    "cancelled": "STORNIERT",
}
ORDERS: dict[str, Any] = {
    "place": {
        "path": "/auftraege/{order}",
        "different": ["different_content"],
        "order": {
            "Referenz": "/orderNumber",
            "Kennung": "/orderId",
            "Kanal": {"const": "SHOP"},
            "Datum": {"path": "/createdAt", "format": "dd.MM.yyyy HH:mm", "tz": "Europe/Berlin"},
            "Positionen": {
                "each": "/lines",
                "as": {
                    "Artikel": "/sku",
                    "Menge": "/quantity",
                    "Lager": "/location",
                    "Preis": {"path": "/unitPrice", "as": "decimal"},
                },
            },
            "Empfaenger": {"Name": "/shipTo/lastName", "Ort": "/shipTo/city"},
        },
    },
    "answer": {
        "status": "/Ergebnis/Status",
        "words": {ours: [theirs] for ours, theirs in WORDS.items()},
        "sourceOrder": "/Ergebnis/Auftrag",
        "code": "/Ergebnis/Fehler",
        "detail": "/Ergebnis/Text",
        "epoch": "/Ergebnis/Lauf",
        "seq": "/Ergebnis/Nr",
    },
    "lookUp": {"path": "/auftraege/{order}", "unknown": {"status": 404, "code": ["unknown_order"]}},
    "cancel": {
        "path": "/auftraege/{order}/storno",
        "wish": {"Grund": "/reason"},
        "shipped": ["already_shipped"],
        "unknown": ["unknown_order"],
    },
    "shipped": {
        "path": "/lieferungen/{fulfilment}/gebucht",
        "unknown": ["unknown_fulfilment"],
        "booking": {
            "orderId": "/orderId",
            "deliveryKey": "/deliveryKey",
            "shipmentState": "/shipmentState",
            "at": "/at",
        },
    },
}
_PATHS = (("/storno", "/cancellation"), ("/gebucht", "/acknowledgement"))


def translating(house: R247Simulator) -> Handler:
    """The house behind the words of the dialect."""

    async def answer(request: web.Request) -> web.StreamResponse:
        path = request.raw_path.replace("/auftraege/", "/v1/orders/").replace(
            "/lieferungen/", "/v1/fulfilments/"
        )
        for theirs, ours in _PATHS:
            path = path.replace(theirs, ours)
        body = await request.read()
        if path.endswith("/cancellation"):
            body = json.dumps({"reason": json.loads(body)["Grund"]}).encode()
        found = await house.handle(Asked(request.method, path, body=body))
        return web.json_response(_told(json.loads(found.body or b"{}")), status=found.status)

    return answer


def _told(said: dict[str, Any]) -> dict[str, Any]:
    position = said.get("position") or {}
    status = said.get("status")
    result = {
        "Status": WORDS.get(status) if isinstance(status, str) else None,
        "Auftrag": said.get("sourceOrder"),
        "Fehler": said.get("code"),
        "Text": said.get("detail"),
        "Lauf": position.get("epoch"),
        "Nr": position.get("seq"),
    }
    return {"Ergebnis": {name: value for name, value in result.items() if value is not None}}


def profile(orders: dict[str, Any] | None = None) -> bytes:
    return written(shelf_profile(orders=ORDERS if orders is None else orders))


class ForeignSite:
    """A simulated source that is told in its own words."""

    def __init__(self, house: R247Simulator, url: str, leave: AsyncExitStack) -> None:
        self.house = house
        self._url = url
        self._leave = leave
        self.feed = self._open()

    def _open(self) -> ForeignFeed:
        options = PullOptions(name="site", url=self._url, wait_seconds=0)
        source = read_source(profile(), "site.json")
        return ForeignFeed(options, source, lambda: "", VirtualClock(), Sessions(), nothing)

    @property
    def desk(self) -> ForeignDesk:
        return self.feed.desk

    async def settle(self) -> None:
        """It has answered already; what it decides later it decides now."""
        self.house.tick()

    async def vanish(self) -> None:
        await self._leave.aclose()

    async def reopen(self) -> None:
        await self.feed.close()
        self.feed = self._open()


@asynccontextmanager
async def foreign_site(**settings: Any) -> AsyncIterator[ForeignSite]:
    async with AsyncExitStack() as leave:
        house = R247Simulator(R247Config(**settings), SimulatorClock(), random.Random(7))
        house.warehouse.seed("X", "WH1", 10)
        url = await leave.enter_async_context(scripted(translating(house)))
        site = ForeignSite(house, url, leave)
        try:
            yield site
        finally:
            await site.feed.close()


class TestForeignDesk(DeskContract):
    """Over HTTP, in words of the source's own."""

    def site(self, **settings: Any) -> AbstractAsyncContextManager[Site]:
        return foreign_site(**settings)


@asynccontextmanager
async def asked(handler: Handler, **changes: Any) -> AsyncIterator[ForeignDesk]:
    """A desk at which a scripted source answers; `changes` replace members of the section, None takes one away."""
    orders = {name: one for name, one in {**ORDERS, **changes}.items() if one is not None}
    async with scripted(handler) as url:
        options = PullOptions(name="site", url=url, wait_seconds=0)
        source = read_source(profile(orders), "site.json")
        feed = ForeignFeed(options, source, lambda: "", VirtualClock(), Sessions(), nothing)
        try:
            yield feed.desk
        finally:
            await feed.close()


def saying(body: Any, status: int = 200) -> Handler:
    async def answer(_: web.Request) -> web.StreamResponse:
        if isinstance(body, str):
            return web.Response(text=body, status=status, content_type="application/json")
        return web.json_response(body, status=status)

    return answer


ORDER = json.dumps({"Kennung": ORDER_ID, "Empfaenger": {"Name": "Brontë", "Ort": "Haworth"}, "Kanal": "SHOP"})


@pytest.mark.parametrize(
    "said",
    [
        "no json",
        "",
        "[]",
        {},
        {"Ergebnis": {}},
        {"Ergebnis": {"Status": "VIELLEICHT"}},
        {"Ergebnis": {"Status": ["ANGENOMMEN"]}},
        {"Ergebnis": {"Status": "ANGENOMMEN", "Auftrag": {"x": 1}}},
        {"Ergebnis": {"Status": "ANGENOMMEN", "Lauf": "e", "Nr": "x"}},
    ],
)
@virtual
async def test_an_answer_that_cannot_be_understood_leaves_the_order_in_doubt(said: Any) -> None:
    """Never taken, never refused: it may have arrived, so it is looked up before anything is sent again."""
    async with asked(saying(said)) as desk:
        with pytest.raises(FeedFault) as fault:
            await desk.hand_over(ORDER_ID, ORDER)
        assert not fault.value.unreached


@virtual
async def test_the_words_of_the_source_say_what_became_of_an_order() -> None:
    """Whatever its status: a 200 that says "turned down" turns it down."""
    async with asked(saying({"Ergebnis": {"Status": "ABGELEHNT", "Fehler": "SPERRE"}})) as desk:
        assert await desk.hand_over(ORDER_ID, ORDER) == Objection("SPERRE")
    async with asked(saying({"Ergebnis": {"Status": "EINGEGANGEN"}}, 201)) as desk:
        assert await desk.hand_over(ORDER_ID, ORDER) == OrderLookup("received")
    async with asked(saying("", 202), answer=None, lookUp=None) as desk:
        assert await desk.hand_over(ORDER_ID, ORDER) == OrderLookup("received")
    async with asked(saying("", 201), answer=None, lookUp=None) as desk:
        assert await desk.hand_over(ORDER_ID, ORDER) == OrderLookup("accepted")


@virtual
async def test_what_names_the_receiver_is_blotted_out_of_an_objection() -> None:
    """A source may quote what it was sent; it goes into no list and no journal."""
    said = {"Ergebnis": {"Fehler": "ADRESSE", "Text": "no way to BRONTË in Haworth, channel SHOP"}}
    async with asked(saying(said, 422)) as desk:
        found = await desk.hand_over(ORDER_ID, ORDER)
    assert found == Objection("ADRESSE", "no way to … in …, channel SHOP")


@pytest.mark.parametrize(
    ("status", "said", "unknown"),
    [
        (404, {"Ergebnis": {"Fehler": "unknown_order"}}, True),
        (404, {"Ergebnis": {"Fehler": "no_route"}}, False),
        (404, "<html>not found</html>", False),
        (404, "", False),
        (200, {"Ergebnis": {"Fehler": "unknown_order"}}, False),
        (500, {"Ergebnis": {"Fehler": "unknown_order"}}, False),
    ],
)
@virtual
async def test_only_the_source_s_own_word_means_that_it_has_no_such_order(
    status: int, said: Any, unknown: bool
) -> None:
    """A gateway says 404 as well, and an order that is thought unknown is sent once more."""
    async with asked(saying(said, status)) as desk:
        if unknown:
            assert await desk.look_up(ORDER_ID) is None
            return
        with pytest.raises(FeedFault):
            await desk.look_up(ORDER_ID)


@virtual
async def test_an_empty_list_may_mean_that_an_order_is_unknown() -> None:
    """Where the profile says so: 200, and nothing at the path."""
    look_up = {
        "path": "/auftraege",
        "query": {"id": "{order}"},
        "unknown": {"status": 200, "without": "/Ergebnis/Auftrag"},
    }
    async with asked(saying({"Ergebnis": {}}), lookUp=look_up) as desk:
        assert await desk.look_up(ORDER_ID) is None
    told = {"Ergebnis": {"Status": "ANGENOMMEN", "Auftrag": "SO-1"}}
    async with asked(saying(told), lookUp=look_up) as desk:
        assert await desk.look_up(ORDER_ID) == OrderLookup("accepted", "SO-1")


@virtual
async def test_what_the_profile_does_not_describe_is_said_and_not_guessed() -> None:
    """Look-up and cancellation are told to be missing; a booking that nobody wants to hear of is done."""
    async with asked(saying({}), lookUp=None, cancel=None, shipped=None) as desk:
        with pytest.raises(FeedFault, match="cannot be looked up") as fault:
            await desk.look_up(ORDER_ID)
        assert fault.value.answered
        with pytest.raises(FeedFault, match="cancel it in Archean"):
            await desk.ask_to_cancel(ORDER_ID, "shopper")
        assert await desk.acknowledge_dispatch(booked()) is Taken.TAKEN


@virtual
async def test_a_cancellation_that_is_only_taken_in_is_asked_for_again() -> None:
    """Until the source says that it is done."""
    async with asked(saying({"Ergebnis": {"Status": "EINGEGANGEN"}})) as desk:
        assert await desk.ask_to_cancel(ORDER_ID, "shopper") is CancelAnswer.PENDING
    async with asked(saying("", 204)) as desk:
        assert await desk.ask_to_cancel(ORDER_ID, "shopper") is CancelAnswer.CANCELLED

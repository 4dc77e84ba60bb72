"""The client against the commercetools simulator: the same judge that the loops are tested with."""

from __future__ import annotations

import os
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

import orjson
import pytest

from archsyncd.adapters.commercetools import HttpCommercetools
from archsyncd.domain.inventory import (
    Conflict,
    Entry,
    EntryPage,
    EntryWrite,
    Exists,
    Forbidden,
    LineMode,
    Marker,
    MarkerType,
    MessagePage,
    Missing,
    Order,
    OrderPage,
    Project,
    Refused,
    StockKey,
    SupplyChannel,
    TenureRecord,
    Throttled,
    TooLarge,
    Unauthorised,
    Unknown,
    WriteKind,
    Written,
)
from archsyncd.simulators.commercetools import (
    SCOPES,
    ApiClient,
    CommercetoolsSimulator,
    FaultKind,
    HandClock,
    OrderLine,
    RetryAfter,
    SimulatorConfig,
    serve,
)
from archsyncd.simulators.commercetools.exchange import Reply, Request
from tests import vendor_api
from tests.adapters.commercetools.bench import SECRET, ManualClock, open_client, options_for

SKU = 'S"1 ä'
NORTH, SOUTH = "warehouse-1", "warehouse-2"
KEY = StockKey(NORTH, SKU)


class RecordingSimulator(CommercetoolsSimulator):
    """The simulator, remembering what it was asked."""

    def __init__(self, config: SimulatorConfig) -> None:
        super().__init__(config, HandClock(), random.Random(7))
        self.asked: list[Request] = []

    async def respond(self, request: Request) -> Reply:
        self.asked.append(request)
        return await super().respond(request)

    @property
    def hand(self) -> HandClock:
        assert isinstance(self.clock, HandClock)
        return self.clock


class Shop:
    """A simulated shop with two warehouses and a client of it."""

    def __init__(self, simulator: RecordingSimulator, client: HttpCommercetools, clock: ManualClock) -> None:
        self.simulator = simulator
        self.client = client
        self.clock = clock
        self._operations = 0

    async def prepare(self) -> None:
        """Learn the channels and make the marker's type, as a first start does."""
        page = await self.client.channels(None)
        assert isinstance(page, tuple)
        channels, after = page
        assert after is None
        self.client.use_channels(channels)
        created = await self.client.create_marker_type()
        assert isinstance(created, MarkerType)
        assert created.missing == ()

    async def entry(self, key: StockKey = KEY) -> Entry:
        page = await self.client.entries_by_key([key])
        assert isinstance(page, EntryPage), page
        (entry,) = page.entries
        return entry

    def create(self, quantity: int, key: StockKey = KEY) -> EntryWrite:
        return EntryWrite(WriteKind.CREATE, key, quantity, self.marker(quantity))

    def move(self, entry: Entry, delta: int) -> EntryWrite:
        marker = self.marker((entry.marker.x or 0) + delta)
        needs_type = entry.type_id is None
        return EntryWrite(WriteKind.INCREMENT, entry.key, delta, marker, entry.id, entry.version, needs_type)

    def marker(self, x: int) -> Marker:
        self._operations += 1
        return Marker("ledger-1", f"op-{self._operations}", x, f"1:{self._operations}", 1)


@asynccontextmanager
async def open_shop(**config: Any) -> AsyncIterator[Shop]:
    """A served simulator, its channels and products, and a client."""
    api_client = ApiClient("client-1", SECRET, config.pop("scopes", SCOPES))
    simulator = RecordingSimulator(SimulatorConfig(project_key="shop", clients=(api_client,), **config))
    for key in (NORTH, SOUTH):
        simulator.add_channel(key)
    simulator.add_channel("shop-front", ["ProductDistribution"])
    simulator.add_products([SKU, "S-2", "S-3"])
    async with serve(simulator) as url, open_client(options_for(1, api_url=url, auth_url=url)) as opened:
        yield Shop(simulator, opened[0], opened[1])


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with open_shop() as opened:
        await opened.prepare()
        yield opened


async def test_an_entry_is_created_found_and_moved(shop: Shop) -> None:
    """Create, find by key, move up and down: stock, marker and author stand as written."""
    created = await shop.client.write(shop.create(10))
    assert isinstance(created, Written), created
    entry = await shop.entry()
    assert created.created_at_ms == entry.created_at_ms
    assert (entry.id, entry.version, entry.quantity_on_stock) == (created.entry_id, created.version, 10)
    assert entry.marker == Marker("ledger-1", "op-1", 10, "1:1", 1)
    assert entry.written_by == "archsyncd@host.example"
    assert entry.read_at_ms // 1000 == int(shop.simulator.clock.now())
    moved = await shop.client.write(shop.move(entry, -14))
    assert isinstance(moved, Written)
    assert moved.quantity_on_stock == -4
    assert (await shop.entry()).marker.x == -4
    assert shop.simulator.true_stock(SKU, NORTH) == -4


async def test_the_same_sku_in_two_channels_is_two_entries(shop: Shop) -> None:
    """A look-up in one channel never finds the other's entry."""
    await shop.client.write(shop.create(1))
    await shop.client.write(shop.create(2, StockKey(SOUTH, SKU)))
    assert (await shop.entry()).quantity_on_stock == 1
    assert (await shop.entry(StockKey(SOUTH, SKU))).quantity_on_stock == 2
    page = await shop.client.entries_by_key([KEY, StockKey(SOUTH, SKU), StockKey(SOUTH, "S-2")])
    assert isinstance(page, EntryPage)
    assert {each.key: each.quantity_on_stock for each in page.entries} == {KEY: 1, StockKey(SOUTH, SKU): 2}


async def test_a_second_create_finds_that_the_entry_exists(shop: Shop) -> None:
    """DuplicateField is told as such, and nothing was changed."""
    await shop.client.write(shop.create(10))
    assert isinstance(await shop.client.write(shop.create(99)), Exists)
    assert shop.simulator.true_stock(SKU, NORTH) == 10


async def test_an_entry_without_a_type_is_signed_with_its_first_increment(shop: Shop) -> None:
    """A shop's bare entry gets type and marker in the same request as the quantity."""
    shop.simulator.add_entry("S-2", NORTH, 5)
    bare = await shop.entry(StockKey(NORTH, "S-2"))
    assert bare.type_id is None
    written = await shop.client.write(shop.move(bare, 3))
    assert isinstance(written, Written), written
    signed = await shop.entry(StockKey(NORTH, "S-2"))
    assert (signed.quantity_on_stock, signed.marker.op_id) == (8, "op-1")


async def test_a_shops_own_type_is_extended_and_kept(shop: Shop) -> None:
    """An entry with another type keeps it: our fields are added to that type."""
    type_id = shop.simulator.add_type(
        {
            "key": "shop-type",
            "name": {"en": "x"},
            "resourceTypeIds": ["inventory-entry"],
            "fieldDefinitions": [
                {"name": "shelf", "label": {"en": "Shelf"}, "required": False, "type": {"name": "String"}}
            ],
        }
    )
    custom = {"type": {"typeId": "type", "id": type_id}, "fields": {"shelf": "A1"}}
    shop.simulator.add_entry("S-3", NORTH, 5, custom=custom)
    extended = await shop.client.extend_type(type_id)
    assert isinstance(extended, MarkerType), extended
    assert extended.missing == ()
    key = StockKey(NORTH, "S-3")
    assert isinstance(await shop.client.write(shop.move(await shop.entry(key), 1)), Written)
    assert shop.simulator.entry_document("S-3", NORTH)["custom"]["fields"]["shelf"] == "A1"
    again = await shop.client.extend_type(type_id)
    assert again == extended


async def test_a_stale_version_is_a_conflict(shop: Shop) -> None:
    """The second write of the same version changes nothing and tells the current one."""
    await shop.client.write(shop.create(10))
    entry = await shop.entry()
    first = await shop.client.write(shop.move(entry, 1))
    assert isinstance(first, Written)
    assert await shop.client.write(shop.move(entry, 1)) == Conflict(first.version)
    assert shop.simulator.true_stock(SKU, NORTH) == 11


async def test_f070_a_deleted_entry_is_missing_and_absent(shop: Shop) -> None:
    """Its update answers 404, a look-up finds nothing, and a create brings it back."""
    await shop.client.write(shop.create(10))
    entry = await shop.entry()
    shop.simulator.delete_entry(SKU, NORTH)
    assert await shop.client.write(shop.move(entry, 1)) == Missing()
    page = await shop.client.entries_by_id([entry.id])
    assert isinstance(page, EntryPage)
    assert page.entries == ()
    assert isinstance(await shop.client.write(shop.create(4)), Written)


async def test_untracked_mode_sets_absolutely(shop: Shop) -> None:
    """ChangeQuantity under the version, without a marker."""
    await shop.client.write(shop.create(10))
    entry = await shop.entry()
    write = EntryWrite(WriteKind.SET, KEY, 3, None, entry.id, entry.version)
    assert isinstance(await shop.client.write(write), Written)
    assert shop.simulator.true_stock(SKU, NORTH) == 3


async def test_a_batch_succeeds_and_fails_alias_by_alias(shop: Shop) -> None:
    """One GraphQL request: a good write, a stale one, one to a deleted entry, one to a bare entry."""
    for sku in (SKU, "S-2", "S-3"):
        await shop.client.write(shop.create(10, StockKey(NORTH, sku)))
    shop.simulator.add_entry("S-2", SOUTH, 1)
    good, stale, gone = [await shop.entry(StockKey(NORTH, sku)) for sku in (SKU, "S-2", "S-3")]
    bare = await shop.entry(StockKey(SOUTH, "S-2"))
    await shop.client.write(shop.move(stale, 1))
    shop.simulator.delete_entry("S-3", NORTH)
    asked = len(shop.simulator.asked)
    answers = await shop.client.write_many(
        [shop.move(good, 5), shop.move(stale, 5), shop.move(gone, 5), shop.move(bare, 5)]
    )
    assert isinstance(answers, tuple), answers
    assert isinstance(answers[0], Written)
    assert isinstance(answers[1], Conflict)
    assert isinstance(answers[2], Missing)
    assert isinstance(answers[3], Written)
    assert len(shop.simulator.asked) == asked + 1
    assert shop.simulator.true_stock(SKU, NORTH) == 15
    assert shop.simulator.true_stock("S-2", NORTH) == 11
    signed = await shop.entry(StockKey(SOUTH, "S-2"))
    assert (signed.quantity_on_stock, signed.marker.x) == (6, 5)
    assert signed.written_by == "archsyncd@host.example"


async def test_f082_a_batch_that_is_too_complex_is_told_as_a_whole() -> None:
    """Beyond the complexity limit nothing is applied and half of it may be asked."""
    async with open_shop(graphql_complexity_limit=40) as shop:
        await shop.prepare()
        await shop.client.write(shop.create(10))
        entry = await shop.entry()
        answer = await shop.client.write_many([shop.move(entry, 1) for _ in range(50)])
        assert isinstance(answer, TooLarge), answer
        assert shop.simulator.true_stock(SKU, NORTH) == 10


async def test_a_page_of_entries_is_read_by_one_request(shop: Shop) -> None:
    """What no URL holds goes as a GraphQL query and reads the same, markers and all; an entry that is gone is absent."""
    await shop.client.write(shop.create(10))
    signed = await shop.entry()
    ids = [signed.id] + [shop.simulator.add_entry(f"N-{number}", NORTH, number) for number in range(498)]
    assert len(ids) < shop.client.entries_per_request == 500
    before = len(shop.simulator.asked)
    page = await shop.client.entries_by_id([*ids, "7c1b4d8e-0000-4000-8000-000000000000"])
    assert len(shop.simulator.asked) == before + 1
    assert isinstance(page, EntryPage), page
    by_url: list[Entry] = []
    for start in range(0, len(ids), shop.client.ids_per_request):
        part = await shop.client.entries_by_id(ids[start : start + shop.client.ids_per_request])
        assert isinstance(part, EntryPage), part
        by_url.extend(part.entries)
    assert {entry.id: entry for entry in page.entries} == {entry.id: entry for entry in by_url}
    assert signed in page.entries
    assert page.faults == ()


async def test_where_graphql_refuses_entries_are_read_by_what_a_url_holds() -> None:
    """The next call asks for fewer, and after a while one page is tried again."""
    async with open_shop(graphql_enabled=False) as shop:
        await shop.prepare()
        ids = [shop.simulator.add_entry(f"N-{number}", NORTH, number) for number in range(200)]
        assert isinstance(await shop.client.entries_by_id(ids), Refused)
        assert shop.client.entries_per_request == shop.client.ids_per_request < 200
        page = await shop.client.entries_by_id(ids[: shop.client.entries_per_request])
        assert isinstance(page, EntryPage)
        shop.clock.now += 601
        assert shop.client.entries_per_request == 500


async def test_products_are_told_from_entries(shop: Shop) -> None:
    """Only SKUs of the catalogue are found, whatever stands in them."""
    assert await shop.client.products([SKU, "S-2", "no-such"]) == frozenset({SKU, "S-2"})


async def test_channels_carry_their_roles(shop: Shop) -> None:
    """The channel without the supply role says so."""
    page = await shop.client.channels(None)
    assert isinstance(page, tuple)
    assert {each.key: each.supplies for each in page[0]} == {NORTH: True, SOUTH: True, "shop-front": False}


async def test_many_channels_are_walked_page_by_page() -> None:
    """More than one page of channels is read without losing or repeating any."""
    async with open_shop() as shop:
        for n in range(600):
            shop.simulator.add_channel(f"extra-{n}")
        found: list[SupplyChannel] = []
        after: str | None = None
        pages = 0
        while True:
            page = await shop.client.channels(after)
            assert isinstance(page, tuple)
            channels, after = page
            found += channels
            pages += 1
            if after is None:
                break
        assert pages == 2
        assert len({each.key for each in found}) == len(found) == 603


async def test_the_project_and_its_type_are_read(shop: Shop) -> None:
    """Settings and type as a first start needs them; a second creation finds the first."""
    project = await shop.client.project()
    assert isinstance(project, Project)
    assert (project.key, project.messages_enabled) == ("shop", True)
    found = await shop.client.marker_type()
    assert isinstance(found, MarkerType)
    assert found.type_id is not None
    assert isinstance(await shop.client.create_marker_type(), Exists)


async def test_a_project_without_the_type_says_so() -> None:
    """Before the first start there is no type, and all four fields are missing."""
    async with open_shop() as shop:
        found = await shop.client.marker_type()
        assert found == MarkerType(None, None, ("archOp", "archX", "archSeq", "archFence"))


async def test_orders_and_their_messages_are_read(shop: Shop) -> None:
    """A shopper's order is found by message, by id, by moment and among the open ones."""
    await shop.client.write(shop.create(10))
    order_id = shop.simulator.place_order([OrderLine(SKU, 2, NORTH)], mode="ReserveOnOrder")
    messages = await shop.client.messages(None, None, 500)
    assert isinstance(messages, MessagePage), messages
    assert [(each.type, each.order_id) for each in messages.messages] == [("OrderCreated", order_id)]
    assert await shop.client.messages(messages.last, None, 500) == replace(messages, messages=(), last=None)
    head = await shop.client.newest_messages(messages.messages[0].created_at, 500)
    assert isinstance(head, MessagePage)
    assert head.messages == messages.messages
    order = await shop.client.order(order_id)
    assert isinstance(order, Order), order
    assert [(line.sku, line.quantity, line.mode) for line in order.lines] == [
        (SKU, 2, LineMode.RESERVE_ON_ORDER)
    ]
    created_at = messages.messages[0].created_at
    shop.simulator.hand.advance(1)
    until = "2030-01-01T00:00:00.000Z"
    for page in (
        await shop.client.orders_by_id([order_id]),
        await shop.client.orders_created(None, created_at, until, 500),
        await shop.client.orders_open_before(None, until, 500),
    ):
        assert isinstance(page, OrderPage), page
        assert [each.id for each in page.orders] == [order_id]
        behind = await shop.client.orders_created(page.last, created_at, until, 500)
        assert isinstance(behind, OrderPage)
        assert behind.orders == ()
    assert await shop.client.order("7c1b4d8e-0000-4000-8000-000000000001") == Missing()


async def test_f146_a_backlog_of_one_moment_is_walked_whole(shop: Shop) -> None:
    """Orders of the same millisecond, more than a page of them, are each found once, by messages and by sweep."""
    await shop.client.write(shop.create(100))
    placed = {shop.simulator.place_order([OrderLine(SKU, 1, NORTH)]) for _ in range(23)}
    by_message: list[str] = []
    cursor = None
    while True:
        page = await shop.client.messages(cursor, None, 5)
        assert isinstance(page, MessagePage)
        by_message += [each.order_id for each in page.messages]
        cursor = page.last or cursor
        if not page.full:
            break
    swept: list[str] = []
    cursor = None
    while True:
        orders = await shop.client.orders_created(
            cursor, "2020-01-01T00:00:00.000Z", "2030-01-01T00:00:00.000Z", 5
        )
        assert isinstance(orders, OrderPage)
        swept += [each.id for each in orders.orders]
        cursor = orders.last or cursor
        if not orders.full:
            break
    assert sorted(by_message) == sorted(swept) == sorted(placed)


async def test_f162_the_lease_has_one_holder(shop: Shop) -> None:
    """Create, renew, and lose to whoever wrote in between."""
    wanted = TenureRecord(None, "ledger-1", "host-a", 1, 30.0, 0, 0, "machine-1")
    assert await shop.client.read_tenure() is None
    mine = await shop.client.write_tenure(wanted)
    assert isinstance(mine, TenureRecord), mine
    renewed = await shop.client.write_tenure(mine)
    assert isinstance(renewed, TenureRecord)
    assert isinstance(await shop.client.write_tenure(replace(mine, holder="host-b")), Conflict)
    held = await shop.client.read_tenure()
    assert isinstance(held, TenureRecord)
    told = (held.holder, held.host, held.version, held.seconds)
    assert told == ("host-a", "machine-1", renewed.version, 30.0)
    # A second first write replaces the first: its writer must not take that for a win.
    assert isinstance(await shop.client.write_tenure(replace(wanted, holder="host-c")), Conflict)


@pytest.mark.parametrize(
    ("kind", "wanted", "applied"),
    [
        (FaultKind.CONFLICT, Conflict, False),
        (FaultKind.INVALID_INPUT, Refused, False),
        (FaultKind.INSUFFICIENT_SCOPE, Forbidden, False),
        (FaultKind.THROTTLED, Throttled, False),
        (FaultKind.OVER_CAPACITY, Throttled, False),
        (FaultKind.PENDING_OPERATION, Throttled, False),
        (FaultKind.SERVER_ERROR, Unknown, False),
        (FaultKind.SERVER_ERROR_APPLIED, Unknown, True),
        (FaultKind.BAD_GATEWAY, Unknown, False),
        (FaultKind.BAD_GATEWAY_APPLIED, Unknown, True),
        (FaultKind.UNAVAILABLE_TEXT, Unknown, False),
        (FaultKind.GATEWAY_TIMEOUT_APPLIED, Unknown, True),
        (FaultKind.UNKNOWN_ERROR, Unknown, False),
        (FaultKind.LOST_ANSWER, Unknown, True),
        (FaultKind.DROP, Unknown, False),
        (FaultKind.TRUNCATED, Unknown, True),
        (FaultKind.NOT_JSON, Unknown, True),
        (FaultKind.REDIRECT, Unknown, False),
        (FaultKind.INVALID_TOKEN, Written, True),
    ],
)
async def test_f056_f078_each_scripted_fault_of_a_write_is_told_for_what_it_is(
    shop: Shop, kind: FaultKind, wanted: type, applied: bool
) -> None:
    """No fault whose effect may have happened is told as undone, and after it the next write is answered."""
    await shop.client.write(shop.create(10))
    entry = await shop.entry()
    shop.simulator.faults.add("inventory.update", kind)
    answer = await shop.client.write(shop.move(entry, 5))
    assert isinstance(answer, wanted), answer
    assert (shop.simulator.true_stock(SKU, NORTH) == 15) == applied
    again = await shop.entry()
    assert (again.marker.x == 15) == applied
    assert isinstance(await shop.client.write(shop.move(again, 1)), Written)


@pytest.mark.parametrize("form", [RetryAfter.SECONDS, RetryAfter.DATE])
async def test_f076_retry_after_is_read_in_either_form(form: RetryAfter) -> None:
    """Seconds and dates tell the same wait, the date by the simulator's own clock."""
    async with open_shop() as shop:
        await shop.prepare()
        shop.simulator.faults.add("inventory.query", FaultKind.THROTTLED, retry_after=form, seconds=7)
        answer = await shop.client.entries_by_key([KEY])
    assert isinstance(answer, Throttled)
    assert answer.retry_after_seconds == 7.0


async def test_f067_a_rotated_secret_stops_the_client_when_its_token_ends(shop: Shop) -> None:
    """The token serves to its end; then the refused secret opens the circuit."""
    shop.simulator.replace_client(ApiClient("client-1", "rotated"))
    assert isinstance(await shop.client.write(shop.create(10)), Written)
    shop.clock.now += 400_000
    assert isinstance(await shop.client.project(), Unauthorised)
    assert shop.client.unauthorised is not None


async def test_f069_a_client_with_too_few_scopes_says_which() -> None:
    """The first token tells what is missing, before anything fails."""
    async with open_shop(scopes=("manage_products", "view_channels", "manage_types")) as shop:
        await shop.prepare()
        assert {scope.split(":")[0] for scope in shop.client.missing_scopes} == {
            "view_orders",
            "view_messages",
            "manage_key_value_documents",
            "view_project_settings",
        }
        assert isinstance(await shop.client.messages(None, None, 500), Forbidden)
        assert isinstance(await shop.client.write(shop.create(1)), Written)


async def test_everything_the_client_sends_is_in_the_vendors_description() -> None:
    """Each path, query parameter, body and GraphQL document fits the vendor's own description of the API."""
    folder = os.environ.get(vendor_api.VARIABLE)
    if not folder:
        pytest.skip(f"{vendor_api.VARIABLE} names no folder with the vendor's API description")
    async with open_shop() as shop:
        await shop.prepare()
        await _use_everything(shop)
        asked = shop.simulator.asked
    vendor = vendor_api.load(folder)
    checked = 0
    for request in asked:
        if request.path.startswith("/oauth"):
            continue
        body = orjson.loads(request.body) if request.body else None
        vendor.check_request(request.method, request.path, body, parse_qs(request.query))
        if request.path.endswith("/graphql"):
            assert body is not None
            vendor.check_graphql(body["query"], body["variables"])
        checked += 1
    assert checked >= 20


async def _use_everything(shop: Shop) -> None:
    """Call every method of the port once or more."""
    client = shop.client
    await client.project()
    await client.marker_type()
    await client.write(shop.create(10))
    shop.simulator.add_entry("S-2", NORTH, 1)
    tracked, bare = await shop.entry(), await shop.entry(StockKey(NORTH, "S-2"))
    await client.write_many([shop.move(tracked, -1), shop.move(bare, 1)])
    tracked = await shop.entry()
    await client.write(EntryWrite(WriteKind.SET, KEY, 5, None, tracked.id, tracked.version))
    shop.simulator.clear_marker("S-2", NORTH)
    await client.write(shop.move(await shop.entry(StockKey(NORTH, "S-2")), 1))
    await client.entries_by_id([tracked.id])
    await client.entries_by_id([tracked.id] * 300)
    await client.products([SKU])
    type_id = shop.simulator.add_type(
        {"key": "other", "name": {"en": "x"}, "resourceTypeIds": ["inventory-entry"], "fieldDefinitions": []}
    )
    await client.extend_type(type_id)
    shop.simulator.place_order([OrderLine(SKU, 1, NORTH)])
    page = await client.messages(None, "2030-01-01T00:00:00.000Z", 500)
    assert isinstance(page, MessagePage)
    await client.messages(page.last, None, 500)
    await client.newest_messages("2020-01-01T00:00:00.000Z", 500)
    await client.orders_by_id([page.messages[0].order_id])
    await client.order(page.messages[0].order_id)
    await client.orders_created(page.last, "2020-01-01T00:00:00.000Z", "2030-01-01T00:00:00.000Z", 500)
    await client.orders_open_before(page.last, "2030-01-01T00:00:00.000Z", 500)
    lease = await client.write_tenure(TenureRecord(None, "l", "h", 1, 30.0, 0, 0))
    assert isinstance(lease, TenureRecord)
    await client.write_tenure(lease)
    await client.read_tenure()

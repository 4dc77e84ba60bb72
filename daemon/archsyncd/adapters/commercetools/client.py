"""The port to commercetools: which wire request each question is, and which reader its answer. Decides nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from archsyncd.adapters.commercetools.calls import Answer, Calls
from archsyncd.adapters.commercetools.options import ClientOptions
from archsyncd.adapters.commercetools.tokens import Tokens
from archsyncd.adapters.commercetools.transport import ConnectorFactory, Transport, tcp_connector
from archsyncd.domain.audit import SkuPage
from archsyncd.domain.booking import OrderAction
from archsyncd.domain.inventory import (
    Conflict,
    EntryPage,
    EntryWrite,
    Failure,
    MarkerType,
    MessageCursor,
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
    Unauthorised,
    Unreached,
    WriteAnswer,
)
from archsyncd.domain.reconciling import Listing
from archsyncd.domain.whole_order import WholeOrder, WholePage
from archsyncd.engine.ports import Clock
from archsyncd.wire.commercetools import entries, graphql, listing, orders, projects, whole_orders
from archsyncd.wire.commercetools.exchange import URL_LIMIT_BYTES, Request, encoded_bytes
from archsyncd.wire.commercetools.predicates import PAGE_LIMIT, split_keys
from archsyncd.wire.commercetools.strict import MalformedAnswer
from archsyncd.wire.commercetools.token import excess_scopes, missing_scopes, needed_scopes

_Value = TypeVar("_Value")

# What a query adds to its predicate: sorts, limit, withTotal.
_FRAME_BYTES = 200
_ID_BYTES = 36 + encoded_bytes('"",')
# For so long entries are asked for by URLs after GraphQL refused a page of them.
WIDE_AGAIN_SECONDS = 600.0


class HttpCommercetools:
    """Implements the port `Commercetools`. A call is one HTTP request; all others take their place from `budget`."""

    def __init__(
        self,
        options: ClientOptions,
        *,
        secret: Callable[[], str],
        clock: Clock,
        chance: Callable[[], float],
        budget: Callable[[], Awaitable[None]],
        correlation: Callable[[], str],
        connector: ConnectorFactory = tcp_connector,
    ) -> None:
        """`secret` is asked at each token call and never kept; `chance` draws in [0, 1); `correlation` makes an id per call.

        Opens nothing before the first call. Raises TrustMissing.
        """
        self._options = options
        self._clock = clock
        self._wide_again_at = 0.0
        self._budget = budget
        self._transport = Transport(options, connector)
        self._tokens = Tokens(
            options,
            self._transport,
            secret=secret,
            clock=clock,
            chance=chance,
            budget=budget,
            correlation=correlation,
        )
        self._calls = Calls(
            options, self._transport, self._tokens, clock=clock, budget=budget, correlation=correlation
        )
        self._channels = entries.ChannelMap.of(())
        self._predicate_bytes = URL_LIMIT_BYTES - _FRAME_BYTES - len(options.project_url)

    def use_channels(self, channels: Iterable[SupplyChannel]) -> None:
        """Learn the project's channels; entries can be asked for and read only below known ones."""
        self._channels = entries.ChannelMap.of(tuple(channels))

    def reload_trust(self) -> None:
        """Read the certificate authorities again. Raises TrustMissing and keeps the old ones."""
        self._transport.reload_trust()

    @property
    def unauthorised(self) -> Unauthorised | None:
        """Why nobody may call until a restart, None while all is well."""
        return self._calls.open_circuit

    @property
    def granted_scopes(self) -> frozenset[str]:
        """What the last token may do; empty before the first call."""
        return self._tokens.granted_scopes

    @property
    def _needed_scopes(self) -> frozenset[str]:
        return needed_scopes(self._options.project_key, carries=self._options.carries_orders)

    @property
    def missing_scopes(self) -> frozenset[str]:
        """Scopes that the daemon's calls need and the client does not have."""
        return missing_scopes(self._needed_scopes, self.granted_scopes)

    @property
    def excess_scopes(self) -> frozenset[str]:
        """Scopes that the client has and no call needs."""
        return excess_scopes(self._needed_scopes, self.granted_scopes)

    @property
    def ids_per_request(self) -> int:
        """How many ids fit the URL of one `…_by_id` call."""
        return min(self._predicate_bytes // _ID_BYTES, PAGE_LIMIT)

    @property
    def entries_per_request(self) -> int:
        """How many ids fit one `entries_by_id` call: a page of answer, or what a URL holds where GraphQL refuses."""
        return PAGE_LIMIT if self._clock.monotonic() >= self._wide_again_at else self.ids_per_request

    async def close(self) -> None:
        """Stop a token call under way and close every connection."""
        await self._tokens.close()
        await self._transport.close()

    async def raw(self, request: Request) -> Any | Failure:
        """The JSON that answers a request of the caller's own making: for a probe, which settles what no reader knows yet."""
        return await self._calls.ask(request, lambda answer: answer.tree)

    async def write(self, write: EntryWrite) -> WriteAnswer:
        """One REST POST: create, increment or set one entry with its marker. Raises ValueError for no write at all."""
        request = entries.write_request(write, self._options.marker_type_key)
        return await self._calls.ask(request, lambda answer: entries.written(answer.tree, write.entry_id))

    async def write_many(self, writes: Sequence[EntryWrite]) -> tuple[WriteAnswer, ...] | Failure:
        """One GraphQL POST of aliased writes, answered in the order given."""
        if not writes:
            return ()
        places = graphql.batch_order(writes)
        ordered = [writes[place] for place in places]
        request = graphql.writes_request(ordered, self._options.marker_type_key)
        answers = await self._calls.ask(request, lambda answer: _each_answer(answer, ordered))
        if not isinstance(answers, tuple):
            return answers
        by_place = dict(zip(places, answers, strict=True))
        return tuple(by_place[place] for place in range(len(writes)))

    def split_keys(self, keys: Sequence[StockKey]) -> tuple[tuple[StockKey, ...], ...]:
        """Cut keys into look-ups whose URLs stay within bounds and whose answers fit one page."""
        return split_keys(keys, self._channels.ids, self._predicate_bytes)

    async def entries_by_key(self, keys: Sequence[StockKey]) -> EntryPage | Failure:
        """Entries of these keys (one part of `split_keys`). Refused for a channel that the project does not have."""
        unknown = sorted({key.channel for key in keys} - self._channels.ids.keys())
        if unknown:
            return Refused("UnknownChannel", f"no channel of the project has the key {unknown[0]}")
        return await self._entries(entries.entries_by_key_request(keys, self._channels))

    async def entries_by_id(self, ids: Sequence[str]) -> EntryPage | Failure:
        """Entries by id, at most `entries_per_request`: by GET where the URL holds them, else by a GraphQL query."""
        if len(ids) <= self.ids_per_request:
            return await self._entries(entries.entries_by_id_request(ids))
        page = await self._calls.ask(
            graphql.entries_request(ids),
            lambda answer: graphql.entries_answer(answer.tree, self._channels, answer.server_ms),
        )
        if not isinstance(page, EntryPage | Throttled | Unreached | Unauthorised):
            self._wide_again_at = self._clock.monotonic() + WIDE_AGAIN_SECONDS
        return page

    async def _entries(self, request: Request) -> EntryPage | Failure:
        return await self._calls.ask(
            request, lambda answer: entries.entry_page(answer.tree, self._channels, answer.server_ms)
        )

    async def inventory(
        self, after_id: str, *, channel: str = "", sku: str = "", limit: int = PAGE_LIMIT
    ) -> Listing | Failure:
        """A page of all entries by id. Refused for a channel that the project does not have."""
        channel_id = self._channels.ids.get(channel)
        if channel and channel_id is None:
            return Refused("UnknownChannel", f"no channel of the project has the key {channel}")
        channels = self._channels
        return await self._calls.ask(
            entries.inventory_request(after_id, channel_id, sku, limit),
            lambda answer: entries.listing_of(answer.tree, channels, after_id, limit, answer.server_ms),
        )

    async def products(self, skus: Sequence[str]) -> frozenset[str] | Failure:
        """Which of these SKUs (at most 500) some product's current data carries."""
        if not skus:
            return frozenset()
        request = graphql.products_request(skus)
        return await self._calls.ask(request, lambda answer: graphql.products_answer(answer.tree, skus))

    async def catalogue(
        self, after_id: str | None, limit: int, *, counted: bool = False
    ) -> SkuPage | Failure:
        """SKUs of the next published products (at most 500) after an id, by id; a page without items is beyond the last."""
        request = listing.catalogue_request(after_id, limit, counted=counted)
        return await self._calls.ask(request, lambda answer: listing.catalogue_page(answer.tree, after_id))

    async def stocked(
        self, channel: str, after_id: str | None, limit: int, *, counted: bool = False
    ) -> SkuPage | Failure:
        """SKUs of the next entries (at most 500) of a channel after an id. Refused for one that the project does not have."""
        channel_id = self._channels.ids.get(channel)
        if channel_id is None:
            return Refused("UnknownChannel", f"no channel of the project has the key {channel}")
        request = listing.stocked_request(channel_id, after_id, limit, counted=counted)
        return await self._calls.ask(request, lambda answer: listing.stocked_page(answer.tree, after_id))

    async def channels(self, after_id: str | None) -> tuple[tuple[SupplyChannel, ...], str | None] | Failure:
        """One page of channels and the id to go on from (None: no more)."""
        request = projects.channels_request(after_id)
        return await self._calls.ask(request, lambda answer: projects.channels_of(answer.tree))

    async def project(self) -> Project | Failure:
        """The project's settings."""
        return await self._calls.ask(
            projects.project_request(), lambda answer: projects.project_of(answer.tree)
        )

    async def marker_type(self) -> MarkerType | Failure:
        """The marker type as it is; without an id when there is none. Refused when it cannot carry our fields."""
        found = await self._type(projects.marker_type_request(self._options.marker_type_key))
        return MarkerType(None, None, tuple(projects.FIELD_TYPES)) if isinstance(found, Missing) else found

    async def create_marker_type(self) -> MarkerType | Failure:
        """Create the marker type with its four fields; Exists when somebody was first."""
        return await self._type(projects.create_type_request(self._options.marker_type_key))

    async def extend_type(self, type_id: str) -> MarkerType | Failure:
        """Add our fields to a type that entries already use: a read and, where fields are missing, a write."""
        found = await self._type(projects.type_request(type_id))
        if not isinstance(found, MarkerType) or not found.missing or found.version is None:
            return found
        await self._budget()
        return await self._type(projects.extend_type_request(type_id, found.version, found.missing))

    async def _type(self, request: Request) -> MarkerType | Failure:
        return await self._calls.ask(request, lambda answer: projects.marker_type_of(answer.tree))

    async def messages(
        self, after: MessageCursor | None, until: str | None, limit: int
    ) -> MessagePage | Failure:
        """Order messages after the cursor with createdAt ≤ `until` (None: no bound)."""
        request = orders.messages_request(after, until, limit)
        return await self._calls.ask(
            request, lambda answer: orders.message_page(answer.tree, limit, answer.server_ms)
        )

    async def newest_messages(self, since: str, limit: int) -> MessagePage | Failure:
        """Order messages with createdAt ≥ `since`, newest first: the fast head read without the lag."""
        request = orders.newest_messages_request(since, limit)
        return await self._calls.ask(
            request, lambda answer: orders.message_page(answer.tree, limit, answer.server_ms)
        )

    async def orders_by_id(self, ids: Sequence[str]) -> OrderPage | Failure:
        """Orders by id through the query endpoint, which may lag: absent ones are read singly."""
        return await self._orders(orders.orders_by_id_request(ids), PAGE_LIMIT)

    async def order(self, order_id: str) -> Order | Failure:
        """One order by id, strongly consistent. Refused when it cannot be read: asking again would not help."""
        return await self._calls.ask(orders.order_request(order_id), _order)

    async def whole_order(self, order_id: str) -> WholeOrder | Failure:
        """One order with everything that handing it over and booking its dispatch need, strongly consistent."""
        return await self._calls.ask(orders.order_request(order_id), _whole_order)

    async def whole_orders(self, ids: Sequence[str]) -> WholePage | Failure:
        """Orders whole, through the query endpoint, which may lag or leave some out; at most `ids_per_request`."""
        return await self._calls.ask(
            orders.orders_by_id_request(ids), lambda answer: whole_orders.whole_page(answer.tree)
        )

    async def note_source_order(
        self, order_id: str, version: int, channel: str, source_order: str
    ) -> WholeOrder | Failure:
        """Note on the order under which number another system has it, under a channel's key; Conflict when it changed."""
        actions = [whole_orders.note_action(channel, source_order)]
        return await self._calls.ask(whole_orders.update_request(order_id, version, actions), _whole_order)

    async def book_dispatch(
        self, order_id: str, version: int, actions: Sequence[OrderAction]
    ) -> WholeOrder | Failure:
        """Book what a dispatch makes of an order, all or none; Conflict when it has another version by now."""
        told = whole_orders.booking_actions(actions)
        return await self._calls.ask(whole_orders.update_request(order_id, version, told), _whole_order)

    async def orders_created(
        self, after: MessageCursor | None, since: str, until: str, limit: int
    ) -> OrderPage | Failure:
        """Orders with since ≤ createdAt ≤ until after the cursor, by (createdAt, id)."""
        return await self._orders(orders.orders_created_request(after, since, until, limit), limit)

    async def orders_open_before(
        self, after: MessageCursor | None, before: str, limit: int
    ) -> OrderPage | Failure:
        """Orders created before `before` that are not Complete or Cancelled, by (createdAt, id)."""
        return await self._orders(orders.orders_open_before_request(after, before, limit), limit)

    async def _orders(self, request: Request, limit: int) -> OrderPage | Failure:
        return await self._calls.ask(
            request, lambda answer: orders.order_page(answer.tree, limit, answer.server_ms)
        )

    async def read_tenure(self) -> TenureRecord | Failure | None:
        """The lease's Custom Object; None when there is none. Refused when its value is not a lease."""
        found = await self._calls.ask(projects.tenure_request(), _tenure)
        return None if isinstance(found, Missing) else found

    async def write_tenure(self, record: TenureRecord) -> TenureRecord | Failure:
        """Compare-and-set the lease on `record.version` (None: create); Conflict when somebody was first.

        commercetools offers no create-only write: of two creates at once the later replaces the earlier, which a
        version above the first tells. Its writer gets a Conflict and finds by reading that it holds the lease.
        """
        stored = await self._calls.ask(projects.write_tenure_request(record), _tenure)
        if record.version is None and isinstance(stored, TenureRecord) and stored.version != 1:
            return Conflict(stored.version)
        return stored


def _each_answer(answer: Answer, writes: Sequence[EntryWrite]) -> tuple[WriteAnswer, ...] | Failure:
    """What became of each write; the failures among them carry the id of the one call that they shared."""
    answers = graphql.writes_answer(answer.tree, writes)
    if not isinstance(answers, tuple):
        return answers
    return tuple(
        replace(each, correlation=answer.correlation) if isinstance(each, Failure) else each
        for each in answers
    )


def _order(answer: Answer) -> Order | Refused:
    return _permanent("OrderUnreadable", orders.order_of, answer.tree)


def _whole_order(answer: Answer) -> WholeOrder | Refused:
    return _permanent("OrderUnreadable", whole_orders.whole_order_of, answer.tree)


def _tenure(answer: Answer) -> TenureRecord | Refused:
    now_ms = answer.server_ms
    return _permanent("LeaseUnreadable", lambda tree: projects.tenure_of(tree, now_ms), answer.tree)


def _permanent(code: str, read: Callable[[Any], _Value], tree: Any) -> _Value | Refused:
    """What is stored will not read better the next time."""
    try:
        return read(tree)
    except MalformedAnswer as error:
        return Refused(code, str(error))

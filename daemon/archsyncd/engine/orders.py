"""Learning orders: the messages' head for speed, their complete read for changes, a sweep for certainty.

All three are at least once and unordered; an order counts from the moment it is learnt. Only the sweep over the orders
themselves says up to when they are known completely: a message can be missing, and a base that was proven without the
order it spoke of would sell its pieces twice.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from archsyncd.domain.cases import CaseKind, NewCase
from archsyncd.domain.inventory import (
    Failure,
    Forbidden,
    MessageCursor,
    MessagePage,
    Missing,
    Order,
    OrderMessage,
    OrderPage,
    Project,
    Refused,
    TooLarge,
)
from archsyncd.domain.report import Cursor
from archsyncd.domain.rules import LearnRules
from archsyncd.domain.times import rfc3339
from archsyncd.engine.limiter import Limiter, Priority, Quiesced
from archsyncd.engine.order_reader import OrderReader
from archsyncd.engine.portions import Portion
from archsyncd.engine.ports import Commercetools, StoreFull
from archsyncd.engine.rereading import Rereading
from archsyncd.engine.shared import Shared, describe
from archsyncd.engine.store import Store

Page = TypeVar("Page", MessagePage, OrderPage)

MESSAGES = "messages"
SWEEP = "sweep"
OPEN_SWEEP = "open_sweep"
BOOTSTRAP = "bootstrap"
HISTORY = "history"
HAND_OVER = "hand_over"
PAGE_LIMIT = 500
HEAD_LIMIT = 200
SEEN_LIMIT = 20_000
DELETED = "OrderDeleted"
OWN = frozenset({"OrderShipmentStateChanged", "ReturnInfoAdded", "OrderReturnShipmentStateChanged"})
CREATED = frozenset({"OrderCreated", "OrderImported", "OrderCreatedFromRecurringOrder"})
RETRY_SECONDS = 2.0
CHANNELS_SECONDS = 0.1
SWEEP_OVERLAP_MS = 10_000
DEEP_SWEEP_SECONDS = 600.0
DEEP_OVERLAP_MS = 900_000


@dataclass(frozen=True, slots=True)
class OrderOptions:
    """How orders are learnt. `settle_seconds`: how far behind the server's clock their list is taken as complete.

    `hands_over`: those that are learnt are ours to carry to Archean. `client_id`: under which we write to orders ourselves.
    """

    poll_seconds: float
    settle_seconds: float
    history_days: int
    sweep_every_seconds: float
    reflected_before_ms: int
    lookup_after_seconds: float
    refresh_after_seconds: float
    restores_on_cancel: bool
    hands_over: bool = False
    client_id: str | None = None


class Orders:
    """Keeps the order list in the store complete up to a little behind commercetools' clock."""

    def __init__(
        self,
        store: Store,
        client: Commercetools,
        limiter: Limiter,
        shared: Shared,
        options: OrderOptions,
        beat: Callable[[], None],
        may_write: Callable[[], bool] = lambda: True,
    ) -> None:
        """`may_write`: whether anything may be written at all."""
        self._store = store
        self._may_write = may_write
        self._client = client
        self._limiter = limiter
        self._shared = shared
        self.options = options
        self._beat = beat
        self._messages: bool | None = None
        self._messages_doubted = False
        self._bootstrap_ms = 0
        self._history_ms = 0
        self._hand_over_ms: int | None = None
        self._seen: dict[str, None] = {}
        self._swept_at = float("-inf")
        self._deep_at = float("-inf")
        self._rereading = Rereading(options.settle_seconds)
        self._head_since_ms = 0
        self._strange: dict[str, int] = {}
        self._portions = {SWEEP: Portion(PAGE_LIMIT), MESSAGES: Portion(PAGE_LIMIT)}
        self.reader = OrderReader(store, client, limiter, self._channels_known)

    async def run(self) -> None:
        """Learn until the limiter lets nothing more begin."""
        try:
            while not self._shared.stopping:
                self._beat()
                pause = self.options.poll_seconds
                try:
                    if not await self.poll():
                        pause = max(pause, RETRY_SECONDS) if self._shared.channels_read else CHANNELS_SECONDS
                except StoreFull:
                    pause = max(pause, RETRY_SECONDS)
                await self._shared.rest(pause)
        except Quiesced:
            pass

    async def poll(self) -> bool:
        """One round: head, complete read, and a sweep when one is due. False when commercetools did not answer."""
        if not await self._prepare():
            return False
        if self.options.hands_over and self._hand_over_ms is None and self._may_write():
            # Not while nothing may be written: whoever hands over until then is another system.
            self._hand_over_ms = await self._fixed(HAND_OVER, self._shared.server_now_ms())
        if not await self._round():
            return False
        self._shared.notes.pop("orders", None)
        if not self._shared.orders_known:
            self._shared.orders_known = True
            self._shared.bases.set()
        return True

    async def notice(self, ids: Sequence[str], beat: Callable[[], None]) -> bool:
        """Learn orders of which somebody said that something happened to them; False while that cannot be.

        Each is read; one that the strongly consistent read does not know was deleted. `beat`: before each request.
        """
        if self._messages is None or not self._shared.channels_read:
            return False
        found = await self.reader.fetch(ids, beat)
        if found is None:
            return False
        for order_id in sorted(found.missing):
            await self._store.orders.forget(order_id)
        await self._learn_fetched(found.orders, None)
        return True

    async def _round(self) -> bool:
        now = self._shared.clock.monotonic()
        if self._rereading.due(now):
            await self._store.orders.refresh_soon()
            self._rereading.done(now)
            self._swept_at = self._deep_at = float("-inf")
        if now - self._swept_at >= self.options.sweep_every_seconds:
            if not await self._sweep():
                return False
            self._swept_at = now
        if not self._messages:
            return await self._sweep_head()
        return await self._read_head() and await self._read_complete()

    async def _prepare(self) -> bool:
        """Learn whether messages may be queried, and once per run commercetools' clock and when this ledger began."""
        if not self._shared.channels_read:
            self._shared.bases.set()
            return False
        if self._messages is not None and not self._messages_doubted:
            return True
        enabled = await self._messages_enabled()
        enabled = self._messages if enabled is None else enabled
        if enabled is None or not await self._ask_the_time():
            return False
        if not self._shared.tenure_since_ms:
            self._shared.tenure_since_ms = self._shared.server_now_ms()
        self._bootstrap_ms = await self._fixed(BOOTSTRAP, self._shared.server_now_ms())
        history_ms = self.options.history_days * 24 * 3600 * 1000
        self._history_ms = await self._fixed(HISTORY, self._bootstrap_ms - history_ms)
        self._messages, self._messages_doubted = enabled, False
        if self._messages:
            self._shared.notes.pop("messages", None)
        else:
            self._shared.notes["messages"] = (
                "the project's messages cannot be queried: orders are learnt by sweep alone, a little later"
            )
        return True

    async def _fixed(self, name: str, time_ms: int) -> int:
        """A time that stays for this ledger what it was at its first start: orders are counted by it."""
        before = (await self._store.orders.cursor(name)).complete_ms
        if not before:
            cursor = Cursor(name, MessageCursor("", ""), time_ms)
            await self._store.orders.learn((), self.learn_rules(), cursor)
        return before or time_ms

    async def _messages_enabled(self) -> bool | None:
        """Whether messages may be queried, None when commercetools does not say; its clock comes with the answer."""
        project = await self._limiter.call(Priority.ORDERS, 1.0, self._client.project)
        since = rfc3339(self._shared.server_now_ms())
        page = await self._limiter.call(Priority.ORDERS, 1.0, lambda: self._client.newest_messages(since, 1))
        if not isinstance(page, MessagePage):
            # An overload now says nothing about the rest of the run: only a plain refusal does.
            off = isinstance(project, Project) and not project.messages_enabled
            return False if off or isinstance(page, Forbidden | Refused | Missing | TooLarge) else None
        self._shared.saw_server_time(page.server_ms)
        # Without the scope to read project settings the messages query itself tells.
        return project.messages_enabled if isinstance(project, Project) else True

    async def _ask_the_time(self) -> bool:
        """Commercetools' clock from its orders, where messages do not tell it: ours may be wrong by hours."""
        if not self._shared.server_time_known:
            now = rfc3339(self._shared.server_now_ms())
            page = await self._limiter.call(
                Priority.ORDERS, 1.0, lambda: self._client.orders_created(None, now, now, 1)
            )
            if isinstance(page, OrderPage):
                self._shared.saw_server_time(page.server_ms)
        return self._shared.server_time_known

    def learn_rules(self) -> LearnRules:
        """What learning needs to know now.

        Orders that were done before the history begins, or before the site's statement, count nowhere. A statement covers
        no more here than what was placed before this ledger: what came later was taken out of entries that were read.
        """
        stated_ms = min(self.options.reflected_before_ms, self._bootstrap_ms)
        return LearnRules(
            self._shared.channel_keys,
            self.options.reflected_before_ms,
            max(self._history_ms, stated_ms),
            int(self.options.lookup_after_seconds * 1000),
            int(self.options.refresh_after_seconds * 1000),
            self.options.restores_on_cancel,
            self._hand_over_ms,
            self._shared.tenure_since_ms,
        )

    def _channels_known(self, orders: Iterable[Order]) -> bool:
        """Whether every line's channel can be told. An order is counted once, so a new channel is read first.

        Ids that are still unknown after the channels were read anew are of channels that are gone.
        """
        ids = {line.channel_id for order in orders for line in order.lines if line.channel_id is not None}
        read = self._shared.channels_read
        for channel_id in ids - self._shared.channel_keys.keys():
            if len(self._strange) < SEEN_LIMIT and self._strange.setdefault(channel_id, read) == read:
                self._shared.channels_stale = True
        if self._shared.channels_stale:
            self._shared.bases.set()
        return not self._shared.channels_stale

    def _settled_ms(self) -> int:
        return self._shared.server_now_ms() - int(self.options.settle_seconds * 1000)

    async def _read_head(self) -> bool:
        """The newest messages, without the lag that completeness needs: most orders are learnt here."""
        since = rfc3339(self._settled_ms() - 1000)
        page = await self._listed(
            MESSAGES, lambda limit: self._client.newest_messages(since, min(limit, HEAD_LIMIT))
        )
        if not isinstance(page, MessagePage):
            self._messages_doubted = isinstance(page, Forbidden | Refused | Missing)
            return False
        self._shared.saw_server_time(page.server_ms)
        await self._tell_unreadable(page.faults)
        fresh = [message for message in page.messages if message.id not in self._seen]
        if not await self._take_messages(fresh, None):
            return False
        self._remember(message.id for message in fresh)
        return True

    async def _tell_unreadable(self, ids: Sequence[str]) -> None:
        """A message that cannot be read may have told of a change: somebody must know, once."""
        for message_id in ids:
            if message_id in self._seen:
                continue
            reason = (
                f"the message {message_id} of commercetools cannot be read; if it told of a new order the sweep finds that, and "
                "every open order is read again soon for a change that it may have told of"
            )
            case = NewCase(CaseKind.INVALID_RECORD, MESSAGES, f"message {message_id}", reason, code="message")
            await self._store.cases.open(case)
            self._rereading.tell(self._shared.clock.monotonic())
        self._remember(ids)

    def _is_own(self, message: OrderMessage) -> bool:
        """Whether we made it ourselves by booking a dispatch or a return: what came of that was learnt from the answer."""
        return message.type in OWN and message.client_id == self.options.client_id

    def _remember(self, ids: Iterable[str]) -> None:
        for message_id in ids:
            self._seen[message_id] = None
        while len(self._seen) > SEEN_LIMIT:
            del self._seen[next(iter(self._seen))]

    async def _read_complete(self) -> bool:
        """Every message up to a little behind the server's clock, page by page, the checkpoint with each."""
        while True:
            self._beat()
            place = (await self._store.orders.cursor(MESSAGES)).place
            until_ms = self._settled_ms()
            after = place if place.created_at else MessageCursor(rfc3339(self._start_ms()), "")
            page = await self._complete_page(after, rfc3339(until_ms))
            if not isinstance(page, MessagePage):
                return False
            await self._tell_unreadable(page.faults)
            reached = page.last or after
            cursor = Cursor(MESSAGES, reached, 0 if page.full else until_ms)
            # What the head showed of a change may have been the order before it: its list lags, so changes are read twice.
            fresh = [one for one in page.messages if one.id not in self._seen or one.type not in CREATED]
            if not await self._take_messages(fresh, cursor):
                return False
            if not page.full:
                return True
            if reached == after:
                return self._stuck(MESSAGES)

    async def _complete_page(self, after: MessageCursor, until: str) -> MessagePage | Failure:
        return await self._listed(MESSAGES, lambda limit: self._client.messages(after, until, limit))

    async def _listed(self, what: str, ask: Callable[[int], Awaitable[Page | Failure]]) -> Page | Failure:
        """A page of a list, of as many rows as commercetools gives at once; rows follow each other, so none is left out."""
        portion = self._portions[what]
        while True:
            self._beat()
            limit = portion.now
            page = await self._limiter.call(Priority.ORDERS, 1.0, partial(ask, limit))
            if not isinstance(page, TooLarge):
                if not isinstance(page, Failure):
                    portion.went_well(limit)
                return page
            if limit == 1:
                self._stuck(what, f": even one alone is too large ({describe(page)})")
                return page
            portion.too_large(limit)

    def _start_ms(self) -> int:
        """Where the messages' read begins: before the sweep that came first, so that nothing falls between."""
        return self._bootstrap_ms - int(self.options.settle_seconds * 1000) - DEEP_OVERLAP_MS

    def _complete_to(self, until_ms: int) -> None:
        self._shared.orders_complete_ms = max(self._shared.orders_complete_ms, until_ms)

    async def _take_messages(self, messages: Sequence[OrderMessage], cursor: Cursor | None) -> bool:
        """Fetch the orders that messages speak of, learn them, and move the cursor with them."""
        for order_id in dict.fromkeys(m.order_id for m in messages if m.type == DELETED):
            await self._store.orders.forget(order_id)
        ids = list(dict.fromkeys(m.order_id for m in messages if m.type != DELETED and not self._is_own(m)))
        found = await self.reader.fetch(ids, self._beat)
        if found is None:
            return False
        await self._learn_fetched(found.orders, cursor)
        return True

    async def _learn_fetched(self, orders: Sequence[Order], cursor: Cursor | None) -> None:
        if not orders and cursor is None:
            return  # most looks at the head: a transaction for nothing would sync the disk each time
        fresh = await self._store.orders.learn(orders, self.learn_rules(), cursor)
        if orders:
            self._shared.handing.set()
        if fresh:
            self._shared.count("orders", fresh)
            self._shared.work.set()
            self._shared.booking.set()

    def _stuck(self, what: str, why: str = "") -> bool:
        """A list that gives no row to go on from: not asked for again and again without a pause."""
        name = "messages" if what == MESSAGES else "orders"
        self._shared.notes["orders"] = (
            f"commercetools' list of {name} cannot be read any further{why}; it is asked for again, and nothing is raised "
            "that orders beyond it might have taken"
        )
        return False

    async def _sweep(self) -> bool:
        """Orders by creation time from where the last sweep ended; at first the history and all open ones before it."""
        done = await self._store.orders.cursor(SWEEP)
        until_ms = self._settled_ms()
        if not done.complete_ms:
            since_ms = self._history_ms
            if not await self._sweep_open(rfc3339(since_ms)):
                return False
        else:
            now = self._shared.clock.monotonic()
            deep = now - self._deep_at >= DEEP_SWEEP_SECONDS
            since_ms = done.complete_ms - (DEEP_OVERLAP_MS if deep else SWEEP_OVERLAP_MS)
            self._deep_at = now if deep else self._deep_at
            # Somebody may have read our note and switched them on.
            self._messages_doubted |= deep and not self._messages
        if not await self._sweep_created(since_ms, until_ms):
            return False
        self._complete_to(until_ms)
        return True

    async def _sweep_created(self, since_ms: int, until_ms: int) -> bool:
        """Page through orders created between; a crash goes on from the page it had reached."""
        since, until = rfc3339(since_ms), rfc3339(until_ms)
        place = (await self._store.orders.cursor(SWEEP)).place
        after = place if place.created_at > since else None
        while True:
            self._beat()
            page = await self._sweep_page(after, since, until)
            if not isinstance(page, OrderPage) or not self._channels_known(page.orders):
                return False
            reached = page.last or after
            if page.full and reached == after:
                return self._stuck(SWEEP)
            after = reached
            await self.reader.tell_unreadable(page.faults, (order.id for order in page.orders))
            # A place is kept only while a sweep is under way; a finished one leaves the time it reached.
            under_way = after if page.full and after is not None else MessageCursor("", "")
            cursor = Cursor(SWEEP, under_way, 0 if page.full else until_ms)
            fresh = await self._store.orders.learn(page.orders, self.learn_rules(), cursor)
            self._shared.count("orders", fresh)
            self._shared.count("swept", len(page.orders))
            if not page.full:
                return True

    async def _sweep_page(self, after: MessageCursor | None, since: str, until: str) -> OrderPage | Failure:
        return await self._listed(
            SWEEP, lambda limit: self._client.orders_created(after, since, until, limit)
        )

    async def _sweep_open(self, before: str) -> bool:
        place = (await self._store.orders.cursor(OPEN_SWEEP)).place
        after = place if place.created_at else None
        while True:
            self._beat()
            page = await self._open_page(after, before)
            if not isinstance(page, OrderPage) or not self._channels_known(page.orders):
                return False
            reached = page.last or after
            if page.full and reached == after:
                return self._stuck(SWEEP)
            after = reached
            await self.reader.tell_unreadable(page.faults, (order.id for order in page.orders))
            cursor = Cursor(OPEN_SWEEP, after or MessageCursor("", ""), 0)
            self._shared.count(
                "orders", await self._store.orders.learn(page.orders, self.learn_rules(), cursor)
            )
            if not page.full:
                return True

    async def _open_page(self, after: MessageCursor | None, before: str) -> OrderPage | Failure:
        return await self._listed(SWEEP, lambda limit: self._client.orders_open_before(after, before, limit))

    async def _sweep_head(self) -> bool:
        """Without messages: the newest orders by creation time, learnt without moving the place of completeness."""
        until_ms = self._settled_ms()
        page = await self._sweep_page(None, rfc3339(until_ms), rfc3339(self._shared.server_now_ms() + 60_000))
        if not isinstance(page, OrderPage) or not self._channels_known(page.orders):
            return False
        self._shared.saw_server_time(page.server_ms)
        await self.reader.tell_unreadable(page.faults, (order.id for order in page.orders))
        self._shared.count("orders", await self._store.orders.learn(page.orders, self.learn_rules()))
        return await self._sweep()

"""The warehouse as a whole: stock, orders, dispatch, and the restores that make it forget; knows no transport."""

import copy
import random
from collections.abc import Sequence
from dataclasses import dataclass

from archsyncd.simulators.r247.config import Clock, R247Config
from archsyncd.simulators.r247.dispatch import Dispatch
from archsyncd.simulators.r247.held import OrderStatus
from archsyncd.simulators.r247.log import FeedLog, stamp
from archsyncd.simulators.r247.orderbook import OrderBook
from archsyncd.simulators.r247.stockroom import Change, HoldingFigures, Refused, Stockroom

# Links between the parts stay; journal and numbers belong to the world outside, which forgets nothing.
NOT_RESTORED = frozenset(
    {
        "_log",
        "_config",
        "_room",
        "_book",
        "journal",
        "journal_of_returns",
        "listeners",
        "_numbers",
        "_fulfilment_numbers",
        "_return_numbers",
    }
)


@dataclass(frozen=True, slots=True)
class Backup:
    """A copy of the books at a moment; what happened since is forgotten by a restore."""

    room: dict[str, object]
    book: dict[str, object]
    dispatch: dict[str, object]


class Warehouse:
    """Everything that can happen in the house, each as one call; every change appends records to `log`.

    Pieces are whole numbers; a sale beyond what is there is refused, an import beyond it is not: that is what an
    oversold order looks like from here (available falls below zero).
    """

    def __init__(self, config: R247Config, clock: Clock, chance: random.Random) -> None:
        self.config = config
        self.log = FeedLog(
            clock,
            chance,
            epoch=config.epoch,
            first_seq=config.first_seq,
            gap_chance=config.seq_gap_chance,
            retain_seconds=config.retain_seconds,
            retain_records=config.retain_records,
        )
        self.room = Stockroom(config, self.log)
        self.book = OrderBook(config, self.log, self.room)
        self.dispatch = Dispatch(self.log, self.room, self.book)

    def seed(self, sku: str, location: str, on_hand: int, unavailable: int = 0) -> None:
        """Put stock there before opening; no record tells of it."""
        self.room.seed(sku, location, on_hand, unavailable)

    def available(self, sku: str, location: str) -> int:
        """Tell the true available figure."""
        return self.room.holding(sku, location).available

    def store_sale(self, sku: str, location: str, quantity: int) -> int:
        """Sell over the counter: on hand and available fall. Raises Refused not_there beyond what lies there."""
        return self._leave(sku, location, quantity, "sale")

    def breakage(self, sku: str, location: str, quantity: int) -> int:
        """Write off what broke. Raises Refused not_there beyond what lies there."""
        return self._leave(sku, location, quantity, "write_off")

    def receipt(self, sku: str, location: str, quantity: int) -> int:
        """Goods arrive."""
        return self._move(Change(sku, location, quantity), "receipt")

    def adjustment(self, sku: str, location: str, delta: int, reason: str = "adjustment") -> int:
        """Correct on hand by a difference, whatever the outcome."""
        return self._move(Change(sku, location, delta), reason)

    def quarantine(self, sku: str, location: str, quantity: int) -> int:
        """Make pieces unavailable where they lie (negative: release them)."""
        return self._move(Change(sku, location, unavailable=quantity), "adjustment")

    def transfer(self, sku: str, source: str, target: str, quantity: int) -> int:
        """Move goods between locations: out, then in."""
        self.room.holding(sku, target)
        self._move(Change(sku, source, -quantity), "transfer_out")
        return self._move(Change(sku, target, quantity), "transfer_in")

    def heartbeat(self) -> int:
        """Say that the feed is alive."""
        return self.log.append("feed.heartbeat", {"at": stamp(self.log.now_ms())})

    def cancel_unseen(self, order_id: str, order_number: str | None) -> int:
        """Tell of an order that was cancelled before it was ever imported."""
        names = {"orderId": order_id} | ({} if order_number is None else {"orderNumber": order_number})
        return self.log.append("order.cancelled", names | {"imported": False})

    def backup(self) -> Backup:
        """Copy the books."""
        return Backup(*copy.deepcopy((_state(self.room), _state(self.book), _state(self.dispatch))))

    def restore(self, backup: Backup, epoch: str, first_seq: int = 1) -> None:
        """Come back with the books of a backup under a new epoch: imports and sales since are forgotten."""
        before = self.room.figures()
        fresh = copy.deepcopy((backup.room, backup.book, backup.dispatch))
        for part, state in zip((self.room, self.book, self.dispatch), fresh, strict=True):
            part.__dict__.update(state)
        self._reopen(before, epoch, first_seq)

    def forget_imports(self, references: Sequence[str], epoch: str, first_seq: int = 1) -> None:
        """Come back under a new epoch without these orders; everything else is as it was."""
        before = self.room.figures()
        for order in self.book.forget(references):
            for fulfilment_id in order.fulfilments:
                del self.dispatch.fulfilments[fulfilment_id]
        self._reopen(before, epoch, first_seq)

    def tell_again(self) -> None:
        """Say once more what is in the books: orders where this source announces them, dispatches, then every level."""
        if self.config.reflection.announces:
            for order in self.book.orders.values():
                if order.status is OrderStatus.ACCEPTED:
                    self.book.announce(order)
        for fulfilment_id, (_, fulfilment) in self.dispatch.fulfilments.items():
            if fulfilment.status == "shipped":
                self.dispatch.restate(fulfilment_id)
        for (sku, location), holding in self.room.holdings.items():
            self.room.recount(sku, location, holding.on_hand)

    def _reopen(self, before: dict[tuple[str, str], HoldingFigures], epoch: str, first_seq: int) -> None:
        self.log.begin_epoch(epoch, first_seq)
        for holding in self.room.holdings.values():
            holding.last_seq = None
        for order in self.book.orders.values():
            if order.position is not None:
                order.position = (epoch, max(first_seq - 1, 0))
        self.room.journal_restore(before)

    def _leave(self, sku: str, location: str, quantity: int, reason: str) -> int:
        if quantity > self.room.holding(sku, location).on_hand:
            raise Refused("not_there", "more than lies there")
        return self._move(Change(sku, location, -quantity), reason)

    def _move(self, change: Change, reason: str) -> int:
        seq = self.room.apply([change], reason)
        assert seq is not None
        return seq


def _state(part: object) -> dict[str, object]:
    return {name: value for name, value in vars(part).items() if name not in NOT_RESTORED}

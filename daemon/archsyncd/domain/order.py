"""How an order's lines enter the ledger, and what a source's statements prove of them. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from archsyncd.domain.cases import CaseKind
from archsyncd.domain.feed import Figure, LineShare
from archsyncd.domain.inventory import LineMode, Order, OrderLine, StockKey
from archsyncd.domain.ledger import Line, Proof
from archsyncd.domain.stock import ChannelPolicy, Policies, StoredLevel

FINAL_ORDER_STATES = frozenset({"Complete", "Cancelled"})
FINAL_SHIPMENT_STATES = frozenset({"Shipped", "Delivered"})
CANCELLED = "Cancelled"
DELETED = "Deleted"  # our word: commercetools does not know such an order any more
GONE_ORDER_STATES = frozenset({CANCELLED, DELETED})
ELSEWHERE = "/"
# Between a kit's line and the component that a line of its own is about; see domain/kit_lines.py.
COMPONENT = "+"
# Nobody orders more pieces in one line; sums of lines stay within 64 bits below it.
LINE_LIMIT_PIECES = 10**9


def is_final(order: Order) -> bool:
    """Whether commercetools considers the order done: nothing more will be shipped for it."""
    return order.order_state in FINAL_ORDER_STATES or order.shipment_state in FINAL_SHIPMENT_STATES


def says_shipped(order: Order) -> bool:
    """Whether commercetools says that every piece of the order has left."""
    return order.shipment_state in FINAL_SHIPMENT_STATES


def goods_of(order: Order, not_goods: Sequence[str]) -> Order:
    """The order without lines whose SKU fits a pattern of what no warehouse ships."""
    if not not_goods:
        return order
    kept = tuple(
        line
        for line in order.lines
        if line.sku is None or not any(fnmatchcase(line.sku, pattern) for pattern in not_goods)
    )
    return order if len(kept) == len(order.lines) else replace(order, lines=kept)


@dataclass(frozen=True, slots=True)
class CountedLine:
    """A line as it counts in one key."""

    key: StockKey
    line_id: str
    quantity: int
    tracked: bool


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something about a line that a person must know."""

    kind: CaseKind
    scope: str
    subject: str
    reason: str


def count_lines(
    order: Order,
    channel_keys: Mapping[str, str],
    policies: Policies,
    entry_created_ms: Mapping[StockKey, int],
) -> tuple[tuple[CountedLine, ...], tuple[Trouble, ...]]:
    """Say in which key each line counts, and whether commercetools took its units out of that key's entry.

    `channel_keys`: supply channel id to key. A line whose supply channel is not one of ours is debited elsewhere: it counts
    untracked where it will be fulfilled. A line older than its entry never touched it.
    """
    lines: list[CountedLine] = []
    troubles: list[Trouble] = []
    for line in order.lines:
        if line.quantity <= 0:
            continue
        if line.sku is None or line.quantity > LINE_LIMIT_PIECES:
            troubles.append(_no_sku(order, line) if line.sku is None else _too_many(order, line))
            continue
        own = channel_keys.get(line.channel_id or "")
        channel = own if own in policies.channels else policies.fallback_channel
        if channel is None:
            troubles.append(_no_channel(order, line, own))
            continue
        key = StockKey(channel, line.sku)
        older = order.created_at_ms < entry_created_ms.get(key, order.created_at_ms)
        tracked = policies.tracked and line.mode is not LineMode.NONE and channel == own and not older
        lines.append(CountedLine(key, line.line_id, line.quantity, tracked))
        trouble = _mode_trouble(order, line, key, policies)
        if trouble is not None:
            troubles.append(trouble)
    return tuple(lines), tuple(troubles)


def _name(order: Order) -> str:
    return order.number or order.id


def _no_sku(order: Order, line: OrderLine) -> Trouble:
    return Trouble(
        CaseKind.ORDER_UNMAPPED_LINE,
        "orders",
        f"{_name(order)}/{line.line_id}",
        f"line {line.line_id} of order {_name(order)} has no SKU: its {line.quantity} pieces cannot be counted",
    )


def _too_many(order: Order, line: OrderLine) -> Trouble:
    return Trouble(
        CaseKind.ORDER_UNMAPPED_LINE,
        "orders",
        f"{_name(order)}/{line.line_id}",
        f"line {line.line_id} of order {_name(order)} is about {line.quantity} pieces of {line.sku}, more than can be meant: "
        "it is not counted",
    )


def _no_channel(order: Order, line: OrderLine, own: str | None) -> Trouble:
    where = f"the supply channel {own}, which no location is mapped to" if own else "no supply channel"
    return Trouble(
        CaseKind.ORDER_UNMAPPED_LINE,
        "orders",
        f"{_name(order)}/{line.line_id}",
        f"line {line.line_id} of order {_name(order)} ({line.quantity} of {line.sku}) has {where}, "
        "and no orders.default_location is configured",
    )


def _mode_trouble(order: Order, line: OrderLine, key: StockKey, policies: Policies) -> Trouble | None:
    if policies.tracked and line.mode is LineMode.NONE:
        how = "does not track"
    elif not policies.tracked and line.mode is not LineMode.NONE:
        how = "tracks, although inventory_mode is untracked,"
    else:
        return None
    return Trouble(
        CaseKind.UNTRACKED_DEMAND,
        key.channel,
        key.sku,
        f"commercetools {how} the stock of {line.quantity} of {line.sku} in order {_name(order)}; "
        "they are subtracted from the published quantity here, once the order was learnt",
    )


@dataclass(frozen=True, slots=True)
class Part:
    """Pieces of one line that a statement speaks of, at a place of `channel`; `location` None: not told where."""

    line_id: str
    channel: str
    location: str | None
    pieces: int


def assign(
    shares: Iterable[LineShare], lines: Sequence[CountedLine], taken: Mapping[str, int], policies: Policies
) -> tuple[Part, ...]:
    """Say which lines a statement's shares are about, no piece twice.

    A share names its line, or only a SKU: then it fills the lines of that SKU one after the other, first those whose own
    channel has the location, and of these first what was ordered by that SKU, then components of kits. `taken`: pieces by line
    that other statements of the kind speak of already. What a location fulfils for another channel's line is a part in the
    location's channel (the first of them where several share it); a location that is not mapped proves nothing.
    """
    parts: dict[tuple[str, str, str | None], int] = {}
    left = {line.line_id: max(line.quantity - taken.get(line.line_id, 0), 0) for line in lines}
    for share in sorted(shares, key=lambda told: told.line_ref not in left):
        filled = sorted(policies.channels_of(share.location or ""))
        if share.location and not filled:
            continue
        rest = share.quantity
        for line in _meant(share, lines, filled):
            pieces = min(rest, left[line.line_id])
            channel = policies.channels.get(line.key.channel)
            if pieces <= 0 or channel is None:
                continue
            rest -= pieces
            left[line.line_id] -= pieces
            own = not filled or line.key.channel in filled
            place = share.location if filled else channel.place_of(None)
            at = (line.line_id, line.key.channel if own else filled[0], place)
            parts[at] = parts.get(at, 0) + pieces
    return tuple(Part(*at, pieces) for at, pieces in parts.items())


def _meant(share: LineShare, lines: Sequence[CountedLine], channels: Sequence[str]) -> list[CountedLine]:
    named = [line for line in lines if share.line_ref == line.line_id]
    if named:
        return named
    alike = [line for line in lines if line.key.sku == share.sku]
    return sorted(
        alike, key=lambda line: (line.key.channel not in channels, COMPONENT in line.line_id, line.line_id)
    )


def implied_proofs(
    line: Line,
    policy: ChannelPolicy,
    levels: Mapping[str, StoredLevel],
    reflection_seconds: int | None,
    now_ms: int,
    fresh: Collection[str],
) -> tuple[Proof, ...]:
    """What the levels' own times prove of a line that Archean is known to have accepted.

    `ordersThrough` covers orders created up to its time, of those that were known as accepted before the level came: an
    older order may be imported after a level that names a later time. So it is asked only of the locations whose level is
    `fresh` at `now_ms`. The weaker configured form trusts a level captured long enough after the acceptance. Without a
    known location every location's level must say so, on one feed.
    """
    if line.accepted_ms is None or line.released:
        return ()

    def covers(level: StoredLevel | None) -> bool:
        if level is None or line.accepted_ms is None:
            return False
        through = (
            level.location in fresh
            and line.accepted_ms < now_ms
            and level.orders_through_ms is not None
            and level.orders_through_ms >= line.created_ms
        )
        waited = (
            reflection_seconds is not None
            and level.as_of_ms is not None
            and level.as_of_ms >= line.accepted_ms + reflection_seconds * 1000
        )
        return through or waited

    place = policy.place_of(None)
    if place is not None:
        level = levels.get(place)
        if level is None or not covers(level):
            return ()
        return (Proof(level.feed, level.position, Figure.AVAILABLE, line.quantity, place, "times"),)
    found = [levels[name] for name in policy.locations if covers(levels.get(name))]
    places = {(level.feed, level.position.epoch) for level in found}
    if len(found) != len(policy.locations) or len(places) != 1:
        return ()
    oldest = min(found, key=lambda level: level.position.seq)
    return (Proof(oldest.feed, oldest.position, Figure.AVAILABLE, line.quantity, None, "times"),)

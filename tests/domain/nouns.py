"""Short builders of the trade's nouns, shared by the tests of the domain and of the store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archsyncd.domain.feed import (
    Figure,
    Fulfilment,
    Level,
    LineShare,
    Movement,
    OrderAccepted,
    OrderCancelled,
    OrderRejected,
    Removal,
)
from archsyncd.domain.inventory import LineMode, Order, OrderLine, StockKey
from archsyncd.domain.rules import LearnRules, Rules
from archsyncd.domain.stock import ChannelPolicy, LocationPolicy, Policies

CHANNEL_IDS = {"id-web": "web", "id-shop": "shop", "id-foreign": "foreign"}
BORN_MS = 1_767_225_600_000  # 2026-01-01T00:00:00Z
ON_HAND, AVAILABLE = Figure.ON_HAND, Figure.AVAILABLE


def key(sku: str = "A", channel: str = "web") -> StockKey:
    return StockKey(channel, sku)


def place(name: str, channel: str = "web", sells: Figure = AVAILABLE, buffer: int = 0) -> LocationPolicy:
    return LocationPolicy(name, channel, sells, buffer)


def channel(*places: LocationPolicy, name: str = "web", **settings: Any) -> ChannelPolicy:
    return ChannelPolicy(name, {spot.location: spot for spot in places}, **settings)


def policies(*channels: ChannelPolicy, **settings: Any) -> Policies:
    return Policies({policy.channel: policy for policy in channels}, **settings)


def rules(*channels: ChannelPolicy, rollout: frozenset[str] | None = None, **settings: Any) -> Rules:
    """Rules of these channels; by default one channel `web` with one location `WH1`."""
    return Rules(policies(*(channels or (channel(place("WH1")),)), **settings), rollout)


def learn_rules(
    *,
    reflected_before_ms: int = 0,
    settled_before_ms: int = 0,
    restores: bool = False,
    channel_keys: Mapping[str, str] = CHANNEL_IDS,
) -> LearnRules:
    return LearnRules(channel_keys, reflected_before_ms, settled_before_ms, 30_000, 300_000, restores)


def level(
    seq: int,
    quantity: int | None,
    location: str = "WH1",
    sku: str = "A",
    *,
    on_hand: int | None = None,
    **more: Any,
) -> Level:
    return Level(f"l{seq}", seq, sku, location, on_hand, quantity, **more)


def movement(seq: int, delta: int, location: str = "WH1", sku: str = "A", **more: Any) -> Movement:
    return Movement(f"m{seq}", seq, sku, location, delta, more.pop("figure", AVAILABLE), **more)


def removal(seq: int, location: str = "WH1", sku: str = "A") -> Removal:
    return Removal(f"r{seq}", seq, sku, location)


def accepted(seq: int, order: str = "o1", *lines: LineShare) -> OrderAccepted:
    return OrderAccepted(f"a{seq}", seq, order, None, f"SO-{order}", lines)


def rejected(seq: int, order: str = "o1") -> OrderRejected:
    return OrderRejected(f"j{seq}", seq, order, None, "unknown_sku")


def cancelled(seq: int, order: str = "o1", *, imported: bool = False) -> OrderCancelled:
    return OrderCancelled(f"c{seq}", seq, order, None, imported)


def share(quantity: int, location: str | None = None, sku: str = "A", line: str | None = None) -> LineShare:
    return LineShare(sku, quantity, line, location)


def shipped(
    seq: int,
    *lines: LineShare,
    order: str = "o1",
    fulfilment: str = "F1",
    location: str | None = "WH1",
    status: str = "shipped",
) -> Fulfilment:
    return Fulfilment(f"f{seq}", seq, fulfilment, order, None, status, location, lines)


def line(
    quantity: int,
    sku: str | None = "A",
    line_id: str = "n1",
    *,
    at: str | None = "id-web",
    mode: LineMode = LineMode.RESERVE_ON_ORDER,
) -> OrderLine:
    return OrderLine(line_id, sku, quantity, at, mode)


def order(
    *lines: OrderLine,
    name: str = "o1",
    version: int = 1,
    created_ms: int = BORN_MS,
    state: str = "Open",
    shipment: str | None = None,
    number: str | None = None,
) -> Order:
    return Order(name, version, number, created_ms, state, shipment, lines)

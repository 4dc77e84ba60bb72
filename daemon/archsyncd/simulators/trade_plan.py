"""The plan of a day of trade: every act with its time, SKUs and quantities, drawn beforehand; acts on nothing."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Act(StrEnum):
    """What can happen in a day."""

    ORDER = "order"
    CANCEL = "cancel"
    STORE_SALE = "store_sale"
    BREAKAGE = "breakage"
    RECEIPT = "receipt"
    RECOUNT = "recount"
    RETURN = "return"
    THROTTLE = "throttle"


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of the day: `until` as a fraction of it, the share of all orders, and of these on hot SKUs."""

    name: str
    until: float
    orders_share: float
    hot_share: float = 0.1


PHASES = (
    Phase("morning", 0.15, 0.10),
    Phase("delivery", 0.28, 0.08),
    Phase("recount", 0.38, 0.07),
    Phase("flash sale", 0.62, 0.60, 0.8),
    Phase("afternoon", 0.85, 0.15),
    Phase("closing", 1.0, 0.0),
)
# How long after its order a cancellation comes: before anybody can have learnt of the order, or while goods are picked.
AT_ONCE_SECONDS, AT_WORK_SECONDS = (0.02, 0.3), (1.5, 5.0)
FLASH_SALE, DELIVERY, RECOUNT, AFTERNOON = (0.38, 0.62), (0.15, 0.28), (0.28, 0.38), (0.62, 0.85)


@dataclass(frozen=True, slots=True)
class TradeConfig:
    """One day. `seconds` is its length; numbers of acts per second are averages over it.

    `locations` maps Archean's locations to channel keys; orders are fulfilled from the first location of their channel.
    `imports_late` lets R247 import the orders by itself; otherwise the daemon is to hand them over, and shoppers cancel soon
    after they ordered: half of them at once, the others while the warehouse is at work. What comes back can be sold again,
    or is spoilt. `throttled_requests`: so many answers 429 are scripted in the middle of the flash sale, whatever the rate.
    """

    seconds: float = 60.0
    keys: int = 200
    hot_keys: int = 5
    shoppers: int = 20
    orders_per_second: float = 15.0
    store_sales_per_second: float = 2.0
    pieces_per_key: int = 40
    recount_copies: int = 3
    throttled_requests: int = 0
    cancel_share: float = 0.05
    return_share: float = 0.05
    returns_sellable: bool = True
    report_seconds: float = 0.25
    locations: Mapping[str, str] = field(default_factory=lambda: {"WH1": "warehouse-1"})
    imports_late: bool = True

    @property
    def skus(self) -> tuple[str, ...]:
        """All SKUs; the first `hot_keys` of them are what the flash sale is about."""
        return tuple(f"SKU-{number:05d}" for number in range(self.keys))


@dataclass(frozen=True, slots=True)
class Step:
    """One act of the plan at `at_seconds` of the day; `lines` are (SKU, location, pieces)."""

    at_seconds: float
    act: Act
    lines: tuple[tuple[str, str, int], ...] = ()
    number: int = 0


def plan(config: TradeConfig, chance: random.Random) -> tuple[Step, ...]:
    """Draw the day: every act with its time, SKUs and quantities, in order of time."""
    ordered = _orders(config, chance)
    orders = len(ordered)
    steps = list(ordered)
    steps += _store(config, chance)
    steps += _deliveries(config, chance)
    for number in range(config.recount_copies):
        begin, end = RECOUNT
        share = begin + (end - begin) * number / max(1, config.recount_copies)
        steps.append(Step(share * config.seconds, Act.RECOUNT, number=1))
    if config.throttled_requests:
        middle = sum(FLASH_SALE) / 2 * config.seconds
        steps.append(Step(middle, Act.THROTTLE, number=config.throttled_requests))
    acts = [(Act.CANCEL, config.cancel_share), (Act.RETURN, config.return_share)]
    if not config.imports_late:
        del acts[0]
        steps += _regrets(config, chance, ordered)
    for act, share in acts:
        steps += [
            Step(_time(config, chance, AFTERNOON), act, number=chance.randrange(orders))
            for _ in range(round(orders * share))
        ]
    return tuple(sorted(steps, key=lambda step: step.at_seconds))


def _orders(config: TradeConfig, chance: random.Random) -> list[Step]:
    steps: list[Step] = []
    begin, total = 0.0, max(1, round(config.orders_per_second * config.seconds))
    for phase in PHASES:
        for _ in range(round(total * phase.orders_share)):
            lines = tuple(
                _line(config, chance, phase.hot_share, 3) for _ in range(chance.choice((1, 1, 1, 2)))
            )
            steps.append(Step(_time(config, chance, (begin, phase.until)), Act.ORDER, lines, len(steps)))
        begin = phase.until
    return steps


def _regrets(config: TradeConfig, chance: random.Random, orders: list[Step]) -> list[Step]:
    steps = []
    for index, order in enumerate(chance.sample(orders, round(len(orders) * config.cancel_share))):
        seconds = chance.uniform(*(AT_ONCE_SECONDS if index % 2 == 0 else AT_WORK_SECONDS))
        at_seconds = min(order.at_seconds + seconds, config.seconds)
        steps.append(Step(at_seconds, Act.CANCEL, number=order.number))
    return steps


def _store(config: TradeConfig, chance: random.Random) -> list[Step]:
    steps = []
    for _ in range(round(config.store_sales_per_second * config.seconds)):
        act = Act.BREAKAGE if chance.random() < 0.1 else Act.STORE_SALE  # noqa: PLR2004 - a tenth breaks
        at_seconds = _time(config, chance, (0.0, AFTERNOON[1]))
        steps.append(Step(at_seconds, act, (_line(config, chance, 0.3, 2),)))
    return steps


def _deliveries(config: TradeConfig, chance: random.Random) -> list[Step]:
    lorry = [
        Step(
            _time(config, chance, DELIVERY), Act.RECEIPT, (_line(config, chance, 0.0, config.pieces_per_key),)
        )
        for _ in range(max(1, config.keys // 4))
    ]
    begin, end = FLASH_SALE
    late = (begin + (end - begin) * 0.7, end)
    places = tuple(config.locations)
    return lorry + [
        Step(_time(config, chance, late), Act.RECEIPT, ((sku, places[0], config.pieces_per_key),))
        for sku in config.skus[: config.hot_keys]
    ]


def _line(config: TradeConfig, chance: random.Random, hot_share: float, most: int) -> tuple[str, str, int]:
    hot = chance.random() < hot_share
    sku = chance.choice(config.skus[: config.hot_keys] if hot else config.skus)
    return sku, chance.choice(tuple(config.locations)), chance.randint(1, most)


def _time(config: TradeConfig, chance: random.Random, part: tuple[float, float]) -> float:
    return chance.uniform(*part) * config.seconds

"""The table that every implementation of f and refl must pass: what happens, and what the key's figures then are.

The figures are reckoned by hand from the definitions, never by the code under test.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from archsyncd.domain.feed import Record
from archsyncd.domain.inventory import LineMode, Order, StockKey
from archsyncd.domain.ledger import Figures
from archsyncd.domain.stock import Policies
from tests.domain import nouns
from tests.domain.nouns import (
    BORN_MS,
    ON_HAND,
    accepted,
    channel,
    key,
    level,
    line,
    order,
    place,
    policies,
    share,
)


@dataclass(frozen=True)
class Told:
    """A batch of one feed."""

    records: Sequence[Record]
    feed: str = "main"
    epoch: str = "e1"


@dataclass(frozen=True)
class Row:
    """One row of the table. `expected` is (f, refl, N, all tracked units known) by key."""

    name: str
    policies: Policies
    story: Sequence[Told | Order]
    expected: dict[StockKey, tuple[int, int, int, int]]
    entry_born_ms: dict[StockKey, int] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name

    def figures(self, at: StockKey) -> Figures:
        return Figures(*self.expected[at])


WEB = channel(place("WH1"))
TWO = channel(place("WH1"), place("WH2"))
HANDS = channel(place("WH1", sells=ON_HAND))
MIXED = channel(place("WH1"), place("WH2", sells=ON_HAND))
BOTH = policies(channel(place("WH1")), channel(place("SH1", "shop"), name="shop"))
BOUGHT = order(line(3))

TABLE: tuple[Row, ...] = (
    Row("negative W stays a debt", policies(WEB), [Told([level(1, -7)])], {key(): (-7, 0, 0, 0)}),
    Row(
        "a percentage of a negative is the negative itself",
        policies(channel(place("WH1", buffer=1), percentage=50, safety_stock=2)),
        [Told([level(1, -4)])],
        {key(): (-7, 0, 0, 0)},
    ),
    Row(
        "a percentage is floored after the buffers and before the safety stock",
        policies(channel(place("WH1", buffer=1), place("WH2", buffer=2), percentage=50, safety_stock=2)),
        [Told([level(1, 6), level(2, 8, "WH2")])],
        {key(): (3, 0, 0, 0)},
    ),
    Row(
        "two locations of one channel on one feed, positions interleaved",
        policies(TWO),
        [Told([level(1, 5), level(2, 3, "WH2"), level(4, 4), level(3, 9, "WH2"), level(2, 99)])],
        {key(): (13, 0, 0, 0)},
    ),
    Row(
        "two locations on two feeds keep their own positions",
        policies(TWO),
        [
            Told([level(900, 5)]),
            Told([level(1, 3, "WH2")], feed="north"),
            Told([level(2, 2, "WH2")], feed="north"),
            Told([level(899, 50)]),
        ],
        {key(): (7, 0, 0, 0)},
    ),
    Row(
        "an acceptance on one feed proves nothing at a location of another",
        policies(TWO),
        [
            BOUGHT,
            Told([level(10, 5)]),
            Told([level(10, 5, "WH2")], feed="north"),
            Told([accepted(5, "o1", share(2, "WH1"), share(1, "WH2"))]),
        ],
        {key(): (10, 2, 0, 3)},
    ),
    Row(
        "an acceptance that names no location waits for every location's level",
        policies(TWO),
        [BOUGHT, Told([level(1, 5), level(2, 5, "WH2"), accepted(3), level(4, 2)])],
        {key(): (7, 0, 0, 3)},
    ),
    Row(
        "an acceptance that names no location holds once every location has passed it",
        policies(TWO),
        [BOUGHT, Told([level(1, 5), level(2, 5, "WH2"), accepted(3), level(4, 2), level(5, 5, "WH2")])],
        {key(): (7, 3, 0, 3)},
    ),
    Row(
        "an acceptance after the level proves nothing of it",
        policies(WEB),
        [BOUGHT, Told([level(3, 10), accepted(4)])],
        {key(): (10, 0, 0, 3)},
    ),
    Row(
        "an acceptance before the level is reflected in it",
        policies(WEB),
        [BOUGHT, Told([accepted(4), level(5, 7)])],
        {key(): (7, 3, 0, 3)},
    ),
    Row(
        "a quantity split over two locations is reflected location by location",
        policies(TWO),
        [
            BOUGHT,
            Told(
                [
                    level(1, 5),
                    level(2, 5, "WH2"),
                    accepted(3, "o1", share(2, "WH1"), share(1, "WH2")),
                    level(4, 3),
                ]
            ),
        ],
        {key(): (8, 2, 0, 3)},
    ),
    Row(
        "an acceptance proves nothing where on hand is sold",
        policies(HANDS),
        [BOUGHT, Told([accepted(1), level(2, None, on_hand=10)])],
        {key(): (10, 0, 0, 3)},
    ),
    Row(
        "a shipment proves what it ships where on hand is sold",
        policies(HANDS),
        [
            BOUGHT,
            Told([accepted(1), nouns.shipped(3, share(2, line="n1")), level(4, None, on_hand=8)]),
        ],
        {key(): (8, 2, 0, 3)},
    ),
    Row(
        "shipments add up, acceptances do not",
        policies(WEB),
        [
            order(line(5)),
            Told(
                [
                    accepted(1, "o1", share(2, "WH1")),
                    accepted(2, "o1", share(2, "WH1")),
                    nouns.shipped(3, share(1), fulfilment="F1"),
                    nouns.shipped(4, share(2), fulfilment="F2"),
                    level(5, 8),
                ]
            ),
        ],
        {key(): (8, 3, 0, 5)},
    ),
    Row(
        "an acceptance without location is not proven while a location sells on hand",
        policies(MIXED),
        [BOUGHT, Told([accepted(1), level(2, 5), level(3, None, "WH2", on_hand=5)])],
        {key(): (10, 0, 0, 3)},
    ),
    Row(
        "a new epoch of one of two feeds withdraws that feed's proofs only",
        policies(TWO),
        [
            BOUGHT,
            Told([accepted(1, "o1", share(2, "WH1")), level(2, 5)]),
            Told([accepted(1, "o1", share(1, "WH2")), level(2, 5, "WH2")], feed="north"),
            Told([level(1, 6)], epoch="e2"),
        ],
        {key(): (11, 1, 0, 3)},
    ),
    Row(
        "a fresh acceptance in the new epoch proves again",
        policies(WEB),
        [
            BOUGHT,
            Told([accepted(1), level(2, 7)]),
            Told([level(1, 7), accepted(2), level(3, 7)], epoch="e2"),
        ],
        {key(): (7, 3, 0, 3)},
    ),
    Row(
        "an order older than its entry counts in N, for it never touched the entry",
        policies(WEB),
        [
            Told([level(1, 10)]),
            order(line(3), created_ms=BORN_MS - 1),
            order(line(2, line_id="n2"), name="o2"),
        ],
        {key(): (10, 0, 3, 2)},
        entry_born_ms={key(): BORN_MS},
    ),
    Row(
        "a line that commercetools does not track counts in N until it is reflected",
        policies(WEB),
        [
            Told([level(1, 10)]),
            order(line(3, mode=LineMode.NONE)),
            order(line(2, mode=LineMode.NONE), name="o2"),
            Told([accepted(2), level(3, 7)]),
        ],
        {key(): (7, 0, 2, 0)},
    ),
    Row(
        "a line without a channel counts in N of the default location's channel",
        policies(WEB, fallback_channel="web"),
        [Told([level(1, 10)]), order(line(4, at=None))],
        {key(): (10, 0, 4, 0)},
    ),
    Row(
        "a line on a channel that is not ours counts in N where it is fulfilled",
        policies(WEB, fallback_channel="web"),
        [Told([level(1, 10)]), order(line(4, at="id-foreign"))],
        {key(): (10, 0, 4, 0)},
    ),
    Row(
        "the level that names the order carries it",
        policies(WEB),
        [BOUGHT, Told([level(1, 10), level(2, 7, orders_included=("o1",))])],
        {key(): (7, 3, 0, 3)},
    ),
    Row(
        "a cancelled order that never left the figures is given back",
        policies(WEB),
        [BOUGHT, Told([level(1, 10), nouns.cancelled(2)])],
        {key(): (10, 3, 0, 3)},
    ),
    Row(
        "one share by SKU is about as many pieces as it says, however many lines have that SKU",
        policies(WEB),
        [
            order(line(1), line(2, line_id="n2")),
            Told([nouns.shipped(1, share(2)), level(2, 8)]),
        ],
        {key(): (8, 2, 0, 3)},
    ),
)

# Through the store only: a line fulfilled from another channel's location, whose parts the paper ledger does not move.
ELSEWHERE: tuple[Row, ...] = (
    Row(
        "a line on another channel than its location's: given back there, counted untracked here",
        BOTH,
        [
            Told([level(1, 10), level(2, 20, "SH1")]),
            BOUGHT,
            Told([accepted(3, "o1", share(3, "SH1"))]),
        ],
        {key(): (10, 3, 0, 3), key(channel="shop"): (20, 0, 3, 0)},
    ),
    Row(
        "told again, nothing moves a second time",
        BOTH,
        [
            Told([level(1, 10), level(2, 20, "SH1")]),
            BOUGHT,
            Told([accepted(3, "o1", share(2, "SH1"), share(1, "WH1")), level(4, 9)]),
            Told([accepted(3, "o1", share(2, "SH1"), share(1, "WH1"))]),
            Told([accepted(5, "o1", share(2, "SH1", line="n1"), share(1, "WH1", line="n1"))]),
        ],
        {key(): (9, 3, 0, 3), key(channel="shop"): (20, 0, 2, 0)},
    ),
    Row(
        "the part is reflected where it is fulfilled, and then counts nowhere",
        BOTH,
        [
            Told([level(1, 10), level(2, 20, "SH1")]),
            BOUGHT,
            Told([accepted(3, "o1", share(3, "SH1")), level(4, 17, "SH1")]),
        ],
        {key(): (10, 3, 0, 3), key(channel="shop"): (17, 0, 0, 0)},
    ),
    Row(
        "shipments from there add up to one part",
        BOTH,
        [
            Told([level(1, 10), level(2, 20, "SH1")]),
            BOUGHT,
            Told([nouns.shipped(3, share(1), fulfilment="F1", location="SH1"), level(4, 19, "SH1")]),
            Told([nouns.shipped(5, share(1), fulfilment="F2", location="SH1")]),
            Told([nouns.shipped(5, share(1), fulfilment="F2", location="SH1")]),
        ],
        {key(): (10, 2, 0, 3), key(channel="shop"): (19, 0, 1, 0)},
    ),
    Row(
        "an untracked line fulfilled elsewhere counts there alone",
        BOTH,
        [
            Told([level(1, 10), level(2, 20, "SH1")]),
            order(line(3, mode=LineMode.NONE)),
            Told([accepted(3, "o1", share(2, "SH1"))]),
        ],
        {key(): (10, 0, 1, 0), key(channel="shop"): (20, 0, 2, 0)},
    ),
)

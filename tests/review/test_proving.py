"""Seeking proofs: whom to believe that an order is unknown, what is sought again, and what a fresh read proves."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Mapping
from dataclasses import dataclass, field

import pytest

from archsyncd.domain.cases import CaseKind
from archsyncd.domain.feed import Batch, KeyReading, LineShare, OrderLookup, Outcome, SnapshotDue
from archsyncd.engine.ports import FeedFault, SnapshotSource
from archsyncd.engine.proving import LOOKUPS_AT_ONCE, Proving, ProvingOptions
from tests.adapters.sqlite.shelf import Shelf
from tests.domain.nouns import (
    BORN_MS,
    ON_HAND,
    accepted,
    cancelled,
    channel,
    level,
    line,
    order,
    place,
    rules,
    share,
    shipped,
)
from tests.review.shop import Desk

UNPROVEN = CaseKind.UNPROVEN_REFLECTION.value
HOUR = 3_600.0
TWO_PLACES = rules(channel(place("WH1"), place("WH2")))


@dataclass
class House:
    """A source that is only asked. `mute`: it answers no questions; `says` and `shows` may raise FeedFault."""

    name: str = "main"
    mute: bool = False
    step_seconds: float = 0.0
    says: Callable[[str], OrderLookup | None] = lambda _: None
    shows: Callable[[str], KeyReading | None] = lambda _: None
    asked: list[str] = field(default_factory=list)
    read: list[str] = field(default_factory=list)

    @property
    def offers_lookup(self) -> bool:
        return not self.mute

    async def look_up_order(self, reference: str) -> OrderLookup | None:
        self.asked.append(reference)
        return self.says(reference)

    async def read_key(self, sku: str) -> KeyReading | None:
        self.read.append(sku)
        return self.shows(sku)

    def batches(self, after: str | None) -> AsyncIterator[Batch | SnapshotDue | SnapshotSource]:
        raise NotImplementedError(after)

    async def acknowledge(self, checkpoint: str, outcome: Outcome) -> None:
        raise NotImplementedError

    async def take_snapshot(self, locations: Collection[str]) -> SnapshotSource | None:
        raise NotImplementedError

    async def close(self) -> None:
        pass


def down(_: str) -> OrderLookup | None:
    raise FeedFault("the connection was refused")


def not_offered(_: str) -> OrderLookup | None:
    raise FeedFault("GET /v1/orders/o1: 404 not_offered")


def proving(
    shelf: Shelf,
    *houses: House,
    linearizable: Collection[str] = (),
    before_ms: int = 0,
    desk: Desk | None = None,
    beside: Mapping[str, str] = {},
) -> Proving:
    desk = desk or Desk.of(shelf)
    options = ProvingOptions(60.0, 60.0, 2.0, HOUR, frozenset(linearizable), before_ms, beside)
    return Proving(shelf.store, houses, desk.orders, desk.shared, options, lambda: None)


async def seek(shelf: Shelf, by: Proving, seconds: float = 40.0, step: float = 2.0) -> None:
    """Let time pass, asking on the way."""
    end = shelf.clock.seconds + seconds
    while shelf.clock.seconds < end:
        shelf.clock.pass_by(step)
        while await by.prove_some():
            pass


async def cancelled_order_at_two_places(shelf: Shelf) -> None:
    """Cancelled in commercetools; its channel is fed by `main` at WH1 and by `other` at WH2."""
    await shelf.store.use_rules(TWO_PLACES)
    await shelf.read(level(1, 10))
    await shelf.read(level(1, 5, "WH2"), feed="other")
    await shelf.learn(order(line(2), state="Cancelled"))


async def test_f141_one_source_that_does_not_know_an_order_speaks_for_itself_alone(shelf: Shelf) -> None:
    """The source that may have shipped it is down: nothing is released before it, too, says that it knows nothing."""
    await cancelled_order_at_two_places(shelf)
    right, wrong = House("main", says=down), House("other")
    by = proving(shelf, right, wrong)
    await seek(shelf, by, 300)
    assert wrong.asked
    assert (await shelf.figures()).refl == 0
    right.says = lambda _: OrderLookup("accepted", "SO-1", "e1", 2)
    await seek(shelf, by, 700)
    assert (await shelf.figures()).refl == 0
    await shelf.read(level(3, 8))
    assert (await shelf.figures()).refl == 0, "WH2 may hold it as well: its level is of another feed"


async def test_f141_an_order_that_no_source_knows_is_released(shelf: Shelf) -> None:
    """Every source that feeds the channel was asked after the time that imports may take."""
    await cancelled_order_at_two_places(shelf)
    await seek(shelf, proving(shelf, House("main"), House("other")), 300)
    assert (await shelf.figures()).refl == 2
    assert await shelf.cases(UNPROVEN) == []


async def test_f141_a_directory_of_files_cannot_say_that_it_does_not_know_an_order(shelf: Shelf) -> None:
    """It feeds a location of the channel, so another source's answer proves nothing; a person is told in the end."""
    await cancelled_order_at_two_places(shelf)
    by = proving(shelf, House("main"), House("other", mute=True))
    await seek(shelf, by, 2 * HOUR, 30)
    assert (await shelf.figures()).refl == 0
    (case,) = await shelf.cases(UNPROVEN)
    assert "o1" in case.reason
    await shelf.read(cancelled(9), feed="other")
    assert (await shelf.figures()).refl == 2
    assert await shelf.cases(UNPROVEN) == []


@pytest.mark.parametrize("beside", [{"other": "main"}, {}], ids=["one source", "two sources"])
async def test_f141_the_feed_that_can_be_asked_speaks_for_one_of_its_source_that_cannot(
    shelf: Shelf, beside: dict[str, str]
) -> None:
    """Calls tell the levels, and the same source's other half answers about orders; a stranger's word would not count."""
    await cancelled_order_at_two_places(shelf)
    await seek(shelf, proving(shelf, House("main"), House("other", mute=True), beside=beside), 300)
    assert (await shelf.figures()).refl == (2 if beside else 0)


async def test_f141_a_source_that_feeds_other_channels_is_not_waited_for(shelf: Shelf) -> None:
    """Files that feed another channel say nothing of this one's orders."""
    await shelf.store.use_rules(rules(channel(place("WH1")), channel(place("SH1", "shop"), name="shop")))
    await shelf.read(level(1, 10))
    await shelf.read(level(1, 5, "SH1"), feed="files")
    await shelf.learn(order(line(2), state="Cancelled"))
    await seek(shelf, proving(shelf, House("main"), House("files", mute=True)), 300)
    assert (await shelf.figures()).refl == 2


@pytest.mark.parametrize("told", [True, False], ids=["other-skus", "nothing"])
async def test_f141_files_that_may_feed_a_location_are_waited_for(shelf: Shelf, told: bool) -> None:
    """A location without a level of this SKU is its feed's all the same, or nobody's that we know."""
    await shelf.store.use_rules(TWO_PLACES)
    await shelf.read(level(1, 10))
    if told:
        await shelf.read(level(1, 5, "WH2", "B"), feed="files")
    await shelf.learn(order(line(2), state="Cancelled"))
    await seek(shelf, proving(shelf, House("main"), House("files", mute=True)), 300)
    assert (await shelf.figures()).refl == 0


async def test_f142_pieces_that_an_edit_adds_are_sought_told_and_proven_by_a_later_word(shelf: Shelf) -> None:
    """2 become 5 after the proof: the answer that stands at the old place proves no more than it did (F3)."""
    house = House(says=lambda _: OrderLookup("accepted", "SO-1", "e1", 2))
    by = proving(shelf, house)
    await shelf.learn(order(line(2)))
    await shelf.read(level(1, 10), accepted(2), level(3, 8))
    await seek(shelf, by)
    assert house.asked == []
    shelf.clock.pass_by(24 * HOUR)
    await shelf.learn(order(line(5), version=2))
    await seek(shelf, by, 600)
    assert "o1" in house.asked
    assert (await shelf.figures()).refl == 2
    await shelf.read(accepted(2))
    assert (await shelf.figures()).refl == 2
    assert await shelf.cases(UNPROVEN) == [], "an hour has not passed since the edit"
    await seek(shelf, by, HOUR, 30)
    assert [case.subject for case in await shelf.cases(UNPROVEN)] == ["o1"]
    house.says = lambda _: OrderLookup("accepted", "SO-1", "e1", 7)
    await shelf.read(level(8, 5))
    await seek(shelf, by, 700)
    assert (await shelf.figures()).refl == 5
    assert await shelf.cases(UNPROVEN) == []
    assert await shelf.store.orders.lookups_due(10) == []
    await shelf.learn(order(line(5), version=3, state="Complete"))
    assert await shelf.store.orders.fold(["o1"], 0) == 1


async def test_a_feed_of_a_new_name_has_every_proof_sought_anew(shelf: Shelf) -> None:
    """The same warehouse under another name or transport: its levels hold none of the proofs that came before."""
    await shelf.learn(order(line(2)), order(line(1), name="o2"))
    await shelf.read(level(1, 10), accepted(2), accepted(3, "o2"), level(4, 7))
    before = House("main")
    await seek(shelf, proving(shelf, before))
    assert before.asked == []
    shelf.clock.pass_by(24 * HOUR)
    await shelf.read(level(1, 7, as_of="2026-01-02T00:00:00Z"), feed="wh1", epoch="n1")
    assert (await shelf.figures()).refl == 0
    await shelf.again()
    house = House("wh1", says=down)
    by = proving(shelf, house)
    await seek(shelf, by, 1.5 * HOUR, 30)
    assert {case.subject for case in await shelf.cases(UNPROVEN)} == {"o1", "o2"}
    house.says = lambda _: OrderLookup("accepted", "SO-1", "n1", 1)
    await seek(shelf, by, 700)
    assert (await shelf.figures()).refl == 3
    assert await shelf.cases(UNPROVEN) == []


async def test_proofs_that_stop_holding_under_new_rules_are_sought(shelf: Shelf) -> None:
    """A location that sells on hand from now on: what was accepted is no proof any more, only the dispatch is."""
    await shelf.learn(order(line(2)))
    await shelf.read(level(1, 8, on_hand=10), accepted(2), level(3, 8, on_hand=10))
    house = House(says=lambda _: OrderLookup("accepted"))
    await seek(shelf, proving(shelf, house))
    assert house.asked == []
    await shelf.store.use_rules(rules(channel(place("WH1", sells=ON_HAND))))
    by = proving(shelf, house)
    await seek(shelf, by, 1.5 * HOUR, 30)
    assert house.asked
    assert len(await shelf.cases(UNPROVEN)) == 1
    await shelf.read(shipped(4, share(2, line="n1")), level(5, 8, on_hand=8))
    await seek(shelf, by, 700)
    assert await shelf.cases(UNPROVEN) == []


@pytest.mark.parametrize("way", ["released", "folded"])
async def test_a_case_ends_with_its_order(shelf: Shelf, way: str) -> None:
    """Whatever ends the doubt closes the exception: Archean's word of a cancellation, or the order being done."""
    await shelf.read(level(1, 10))
    await shelf.learn(order(line(2)))
    await seek(shelf, proving(shelf, House(says=down)), 1.5 * HOUR, 30)
    assert len(await shelf.cases(UNPROVEN)) == 1
    if way == "released":
        await shelf.read(cancelled(2))
    else:
        await shelf.learn(order(line(2), version=2, state="Complete"))
        await shelf.read(accepted(2), level(3, 8))
        assert await shelf.store.orders.fold(["o1"], 0) == 1
    assert await shelf.cases(UNPROVEN) == []


async def test_a_statement_of_the_site_settles_orders_known_already(shelf: Shelf) -> None:
    """`reflected_before` is stated once a person was told: the orders that it covers need no proof any more."""
    await shelf.read(level(1, 10))
    await shelf.learn(order(line(2)), order(line(3), name="young", created_ms=BORN_MS + 5_000))
    await seek(shelf, proving(shelf, House(says=down)), 1.5 * HOUR, 30)
    assert len(await shelf.cases(UNPROVEN)) == 2
    await seek(shelf, proving(shelf, House(says=down), before_ms=BORN_MS + 1), 700)
    assert (await shelf.figures()).stock_target == 7
    assert [case.subject for case in await shelf.cases(UNPROVEN)] == ["young"]
    await shelf.learn(order(line(2), version=2, state="Complete"))
    assert await shelf.store.orders.fold(["o1"], 0) == 1
    assert (await shelf.figures()).stock_target == 7


def shows(seq: int, quantity: int) -> Callable[[str], KeyReading]:
    return lambda sku: KeyReading("main", "e1", seq, (level(seq, quantity, sku=sku),))


async def test_a_known_acceptance_is_proven_by_a_fresh_read_where_no_order_can_be_asked_for(
    shelf: Shelf,
) -> None:
    """`order.accepted` was told, its level was not, and the source answers no look-ups of orders."""
    house = House(says=not_offered)
    by = proving(shelf, house, linearizable={"main"})
    await shelf.learn(order(line(2), line(1, "B", "n2")))
    await shelf.read(level(1, 10), level(2, 4, sku="B"), accepted(5))
    assert (await shelf.figures()).refl == 0
    house.shows = lambda sku: KeyReading("main", "e1", 5, (level(1, 8 if sku == "A" else 3, sku=sku),))
    await seek(shelf, by)
    assert sorted(house.read) == ["A", "B"]
    assert (await shelf.figures()).refl == 2
    assert (await shelf.figures()).stock_target == 8


async def test_a_fresh_read_that_stands_before_the_acceptance_proves_what_was_accepted(shelf: Shelf) -> None:
    """A source may name the place of the key's last record: the read began after the acceptance was known."""
    house = House(says=not_offered, shows=shows(4, 8))
    await shelf.learn(order(line(3)))
    await shelf.read(level(1, 10), accepted(5, "o1", LineShare("A", 2, "n1", None)))
    await seek(shelf, proving(shelf, house, linearizable={"main"}))
    assert (await shelf.figures()).refl == 2, "one of the three was never said to be taken"


@pytest.mark.parametrize("why", ["not linearizable", "not accepted", "accepted elsewhere"])
async def test_a_fresh_read_proves_nothing_otherwise(shelf: Shelf, why: str) -> None:
    """From a replica, of an order nobody took, or at a source that was not the one that took it."""
    house = House(says=not_offered, shows=shows(9, 8))
    await shelf.learn(order(line(2)))
    await shelf.read(level(1, 10))
    if why != "not accepted":
        feed = "other" if why == "accepted elsewhere" else "main"
        await shelf.read(accepted(5), feed=feed)
    sure = {"other"} if why == "not linearizable" else {"main", "other"}
    await seek(shelf, proving(shelf, house, linearizable=sure))
    assert house.read == []
    assert (await shelf.figures()).refl == 0


async def test_a_fresh_read_proves_the_sku_that_was_read_and_no_other(shelf: Shelf) -> None:
    """The order's other line waits for its own read: here it fails."""

    def only_a(sku: str) -> KeyReading:
        if sku == "B":
            raise FeedFault("it timed out")
        return KeyReading("main", "e1", 6, (level(6, 8),))

    house = House(says=lambda _: OrderLookup("accepted"), shows=only_a)
    await shelf.learn(order(line(2), line(1, "B", "n2")))
    await shelf.read(level(1, 10), level(9, 4, sku="B"))
    await seek(shelf, proving(shelf, house, linearizable={"main"}))
    assert (await shelf.figures()).refl == 2
    assert list(await shelf.store.orders.unproven_lines(["o1"])) == ["o1"]


async def test_one_order_or_sku_that_a_source_chokes_on_keeps_no_other_from_being_asked_for(
    shelf: Shelf,
) -> None:
    """The first of the list fails for ever; the rest are proven."""

    def says(reference: str) -> OrderLookup:
        if reference == "o00":
            raise FeedFault("500")
        return OrderLookup("accepted")

    def shows(sku: str) -> KeyReading:
        if sku == "S01":
            raise FeedFault("500")
        return KeyReading("main", "e1", 100, (level(100, 9, sku=sku),))

    house = House(says=says, shows=shows)
    skus = [f"S{number:02}" for number in range(12)]
    await shelf.read(*(level(number + 1, 10, sku=sku) for number, sku in enumerate(skus)))
    await shelf.learn(*(order(line(1, sku), name=f"o{sku[1:]}") for sku in skus))
    await seek(shelf, proving(shelf, house, linearizable={"main"}))
    left = await shelf.store.orders.unproven_lines([f"o{sku[1:]}" for sku in skus])
    assert sorted(left) == ["o00", "o01"]


async def test_a_source_that_is_down_is_not_waited_for_by_every_order_of_a_round(shelf: Shelf) -> None:
    """Two hundred waits for one that is down would keep the others from being asked."""
    house, other = House(says=down), House("other")
    by = proving(shelf, house, other)
    await shelf.read(level(1, 100))
    await shelf.learn(*(order(line(1), name=f"o{number:02}") for number in range(20)))
    shelf.clock.pass_by(31)
    assert await by.prove_some() == 20
    assert len(house.asked) <= LOOKUPS_AT_ONCE
    assert len(other.asked) == 20
    assert "main" in " ".join(by._shared.notes.values())


async def test_f031_a_new_epoch_has_old_orders_sought_at_once_and_told_an_hour_later(shelf: Shelf) -> None:
    """The wait counts from when the proof was withdrawn, not from when the order was learnt."""
    house = House(says=lambda _: OrderLookup("accepted"))
    by = proving(shelf, house)
    await shelf.learn(order(line(2)))
    await shelf.read(level(1, 10), accepted(2), level(3, 8))
    await seek(shelf, by)
    shelf.clock.pass_by(24 * HOUR)
    await shelf.read(level(1, 8), epoch="e2")
    await seek(shelf, by, 4)
    assert house.asked == ["o1"]
    await seek(shelf, by, 0.9 * HOUR, 30)
    assert await shelf.cases(UNPROVEN) == []
    await seek(shelf, by, 0.3 * HOUR, 30)
    assert len(await shelf.cases(UNPROVEN)) == 1
    await shelf.read(accepted(2), level(3, 8), epoch="e2")
    await seek(shelf, by, 700)
    assert await shelf.cases(UNPROVEN) == []
    assert (await shelf.figures()).refl == 2


async def test_f136_a_rejection_told_in_answer_to_a_look_up_gives_nothing_back_while_the_order_stands(
    shelf: Shelf,
) -> None:
    """A person is told; cancelled in commercetools, too, its pieces come back."""
    await shelf.read(level(1, 10))
    await shelf.learn(order(line(2)))
    await seek(shelf, proving(shelf, House(says=lambda _: OrderLookup("rejected"))))
    assert (await shelf.figures()).refl == 0
    assert len(await shelf.cases(CaseKind.ORDER_REJECTED.value)) == 1
    await shelf.learn(order(line(2), version=2, state="Cancelled"))
    assert (await shelf.figures()).refl == 2
    assert await shelf.cases(CaseKind.ORDER_REJECTED.value) == []


async def test_a_source_that_has_no_word_for_an_unknown_order_is_still_asked_about_the_others(
    shelf: Shelf,
) -> None:
    """Its plain 404 says nothing, and is no reason to wait for it: what it has accepted is proven all the same."""
    unknown = [f"o{number}" for number in range(LOOKUPS_AT_ONCE * 3)]
    await shelf.read(level(1, 10))
    await shelf.learn(*(order(line(1), name=name) for name in unknown), order(line(3), name="z"))
    shelf.clock.pass_by(60)

    def says(reference: str) -> OrderLookup | None:
        if reference == "z":
            return OrderLookup("accepted", "SO", "e1", 1)
        raise FeedFault("GET /v1/orders: 404", answered=True)

    house = House(says=says)
    await proving(shelf, house).prove_some()
    assert "z" in house.asked
    assert (await shelf.figures()).refl == 3

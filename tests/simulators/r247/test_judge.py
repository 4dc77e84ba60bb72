"""The judge's verdicts on histories small enough to check by hand."""

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsyncd.simulators.r247 import Commitment, Judge, Verdict
from archsyncd.simulators.r247.held import SourceOrder
from archsyncd.simulators.r247.warehouse import Warehouse
from tests.simulators.r247.houses import House

POOL = ("X", "WH1")


class Court:
    """A house with a shop beside it whose orders are written down as commitments."""

    def __init__(self, on_hand: int = 5, *, by_on_hand: bool = False, **settings: object) -> None:
        self.house = House(**settings).stock(X=on_hand)
        self.by_on_hand = ("WH1",) if by_on_hand else ()
        self.commitments: list[Commitment] = []

    def sell(self, quantity: int, order_id: str | None = None) -> str:
        """Accept an order in the shop."""
        name = order_id or f"o{len(self.commitments)}"
        at_ms = int(self.house.clock.now() * 1000)
        self.commitments.append(Commitment(name, at_ms, "X", "WH1", quantity))
        return name

    def bring(self, order_id: str) -> None:
        """Import an accepted order."""
        sold = next(one for one in self.commitments if one.order_id == order_id)
        self.house.warehouse.book.take(self.house.order(("X", sold.quantity), order_id=order_id, number=None))

    def serve(self) -> None:
        """Send everything written so far to a reader."""
        self.house.log.mark_served(self.house.log.head_seq)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.house.clock.advance(seconds)

    def verdict(self, published: int | None = None) -> Verdict:
        """Ask the judge, with five seconds to drain."""
        offered = None if published is None else {POOL: published}
        judge = Judge(self.house.warehouse, drain_seconds=5, on_hand=self.by_on_hand)
        return judge.verdict(self.commitments, offered)


def figures(verdict: Verdict) -> tuple[int, int, int]:
    return verdict.oversold_total, verdict.oversold_beyond_physics, verdict.oversold_at_rest


@pytest.mark.parametrize("imports", [0, 1, 2])
def test_what_fits_is_not_oversold_whenever_it_is_imported(imports: int) -> None:
    """Five pieces, five sold: nothing is oversold, however many imports happened."""
    court = Court(5)
    names = [court.sell(3), court.sell(2)]
    for name in names[:imports]:
        court.bring(name)
    assert figures(court.verdict()) == (0, 0, 0)


def test_selling_more_than_there_is_is_beyond_physics() -> None:
    """Re-adding an order that is not imported yet sells a piece twice."""
    court = Court(5)
    court.sell(5)
    court.wait(60)
    court.sell(2)
    assert figures(court.verdict()) == (2, 2, 2)


def test_a_store_sale_that_could_not_be_drained_yet_is_physics() -> None:
    """An order that meets a fall nobody was told of yet is oversold, and nobody's fault."""
    court = Court(5)
    court.house.warehouse.store_sale("X", "WH1", 2)
    court.wait(60)
    court.sell(5)
    assert figures(court.verdict()) == (2, 0, 2)


@pytest.mark.parametrize(("seconds", "beyond"), [(4, 0), (6, 2)])
def test_a_fall_excuses_only_until_it_can_be_drained(seconds: float, beyond: int) -> None:
    """Five seconds after the record was sent, the published quantity must have followed."""
    court = Court(5)
    court.house.warehouse.store_sale("X", "WH1", 2)
    court.serve()
    court.wait(seconds)
    court.sell(5)
    assert figures(court.verdict()) == (2, beyond, 2)


@pytest.mark.parametrize(("seconds", "room"), [(4, 4), (6, 2)])
def test_what_may_be_for_sale_now_is_told_before_anybody_buys_it(seconds: float, room: int) -> None:
    """Five there, one sold, two broken: four may be offered until the fall was drained, then two."""
    court = Court(5)
    court.sell(1)
    court.house.warehouse.breakage("X", "WH1", 2)
    court.serve()
    court.wait(seconds)
    judge = Judge(court.house.warehouse, drain_seconds=5)
    assert judge.headroom(court.commitments, int(court.house.clock.now() * 1000)) == {POOL: room}


@pytest.mark.parametrize(
    ("outages", "seconds", "beyond"),
    [
        ([(0, 20)], 24, 0),
        ([(0, 20)], 26, 2),
        ([(4, 20)], 20.5, 0),
        ([(4, 20)], 21.5, 2),
        ([(6, 20)], 7, 2),
        ([(-9, -1)], 6, 2),
        ([(1, 3), (2, 6), (4, 5), (7, 10)], 12.5, 0),
        ([(1, 3), (2, 6), (4, 5), (7, 10)], 13.5, 2),
    ],
)
def test_time_in_which_nobody_could_act_is_no_time_to_drain(
    outages: list[tuple[int, int]], seconds: float, beyond: int
) -> None:
    """Five seconds of work are what is asked for, however often they were interrupted; outages may overlap."""
    court = Court(5)
    court.house.warehouse.store_sale("X", "WH1", 2)
    court.serve()
    now_ms = int(court.house.clock.now() * 1000)
    court.wait(seconds)
    court.sell(5)
    blind = [(now_ms + begin * 1000, now_ms + end * 1000) for begin, end in outages]
    verdict = Judge(court.house.warehouse, drain_seconds=5, outages=blind).verdict(court.commitments)
    assert figures(verdict) == (2, beyond, 2)


def test_a_fall_excuses_no_more_than_it_took() -> None:
    """A sale beyond the supply before the fall is an error even while the fall is on its way."""
    court = Court(5)
    court.house.warehouse.store_sale("X", "WH1", 2)
    court.sell(6)
    assert figures(court.verdict()) == (3, 1, 3)


def test_a_fall_after_the_orders_is_physics() -> None:
    """What was promised rightly and sold in the store afterwards is counted, not blamed."""
    court = Court(5)
    court.sell(5)
    court.wait(1)
    court.house.warehouse.store_sale("X", "WH1", 1)
    assert figures(court.verdict()) == (1, 0, 1)


def test_a_receipt_heals_the_rest_and_not_the_past() -> None:
    """Goods that arrive later make the promise good; that it was once broken stays counted."""
    court = Court(5)
    court.sell(6)
    court.wait(1)
    court.house.warehouse.receipt("X", "WH1", 10)
    assert figures(court.verdict()) == (1, 1, 0)


def test_a_dispatch_changes_no_verdict() -> None:
    """Shipping what was imported neither frees nor takes a piece."""
    court = Court(5)
    name = court.sell(5)
    court.bring(name)
    court.house.warehouse.dispatch.ship(name)
    court.wait(60)
    court.sell(1)
    assert figures(court.verdict()) == (1, 1, 1)


def test_a_cancelled_order_frees_its_pieces_once_the_house_lets_go() -> None:
    """A piece may be sold again after the cancellation in the house, not before it."""
    early, late = Court(5), Court(5)
    for court, before in ((early, True), (late, False)):
        name = court.sell(5)
        court.bring(name)
        if before:
            court.wait(10)
            court.sell(5)
        court.wait(10)
        court.house.warehouse.dispatch.cancel(name)
        if not before:
            court.wait(10)
            court.sell(5)
    assert figures(early.verdict()) == (5, 5, 0)
    assert figures(late.verdict()) == (0, 0, 0)


def test_an_order_cancelled_before_its_import_frees_its_pieces_at_once() -> None:
    """Commercetools' cancellation counts where the house never knew the order."""
    court = Court(5)
    court.sell(5)
    sold = court.commitments.pop()
    court.wait(10)
    court.commitments.append(replace(sold, released_ms=sold.at_ms + 5_000))
    court.sell(5)
    assert figures(court.verdict()) == (0, 0, 0)


def test_a_second_copy_of_an_order_is_a_fall() -> None:
    """An order made twice takes pieces for nothing, and is counted as a duplicate."""
    court = Court(5, idempotent=False)
    name = court.sell(2)
    court.bring(name)
    book = court.house.warehouse.book
    book.accept(book.receive(court.house.order(("X", 2), order_id=name, number=None)))
    verdict = court.verdict(published=1)
    assert verdict.duplicate_orders == 1
    assert (verdict.hidden_units, verdict.excess_units) == (0, 0)


@pytest.mark.parametrize(
    ("published", "hidden", "excess"), [(3, 0, 0), (1, 2, 0), (0, 3, 0), (5, 0, 2), (-1, 4, 0)]
)
def test_hidden_and_excess_are_measured_against_what_is_free(
    published: int, hidden: int, excess: int
) -> None:
    """At rest the published quantity is what is available minus what is not imported yet."""
    court = Court(5)
    court.sell(2)
    verdict = court.verdict(published)
    assert (verdict.unimported_units, verdict.hidden_units, verdict.excess_units) == (2, hidden, excess)


def test_f_of_w_may_be_less_than_w() -> None:
    """A safety stock is no hidden unit when the judge knows of it."""
    court = Court(5)
    judge = Judge(court.house.warehouse)
    verdict = judge.verdict([], {POOL: 2}, sellable=lambda _, available: available - 3)
    assert (verdict.hidden_units, verdict.excess_units) == (0, 0)


def test_locations_of_one_channel_are_one_pool() -> None:
    """Five pieces in two houses are five pieces of one channel."""
    house = House(locations=("WH1", "WH2"), channels={"WH1": "web", "WH2": "web"}).stock(X=2)
    house.warehouse.seed("X", "WH2", 3)
    sold = [Commitment("o", int(house.clock.now() * 1000), "X", "web", 5)]
    verdict = Judge(house.warehouse).verdict(sold, {("X", "web"): 0})
    assert figures(verdict) == (0, 0, 0)
    assert (verdict.hidden_units, len(verdict.pools)) == (0, 1)


def test_a_restored_source_changes_what_is_there_not_what_was_promised() -> None:
    """Forgotten imports raise available and are unimported again: nothing is oversold by that."""
    court = Court(5)
    name = court.sell(4)
    court.bring(name)
    court.house.warehouse.forget_imports([name], "b")
    verdict = court.verdict(published=1)
    assert court.house.warehouse.available("X", "WH1") == 5
    assert figures(verdict) == (0, 0, 0)
    assert (verdict.unimported_units, verdict.hidden_units, verdict.excess_units) == (4, 0, 0)


def test_where_on_hand_is_sold_an_order_is_subtracted_until_it_has_left() -> None:
    """Imported and on the shelf: three of five are free. Shipped in part, the rest of it still counts; recalled, all."""
    court = Court(5, by_on_hand=True)
    name = court.sell(2)
    court.bring(name)
    assert (
        court.verdict(3).unimported_units,
        court.verdict(3).hidden_units,
        court.verdict(5).excess_units,
    ) == (
        2,
        0,
        2,
    )
    dispatch = court.house.warehouse.dispatch
    (sent,) = dispatch.ship(name, {"l1": 1})
    assert (court.verdict(3).unimported_units, court.verdict(3).excess_units) == (1, 0)
    dispatch.recall(sent.id)
    verdict = court.verdict(3)
    assert (verdict.unimported_units, verdict.hidden_units, verdict.excess_units) == (2, 0, 0)
    assert figures(verdict) == (0, 0, 0)


def test_where_on_hand_is_sold_a_cancelled_order_is_free_at_once() -> None:
    """On hand never excluded it, so nothing comes back by a level."""
    court = Court(5, by_on_hand=True)
    name = court.sell(2)
    court.bring(name)
    court.house.warehouse.dispatch.cancel(name)
    verdict = court.verdict(5)
    assert (verdict.unimported_units, verdict.hidden_units, verdict.excess_units) == (0, 0, 0)


def test_an_import_of_a_stranger_that_is_forgotten_is_a_rise() -> None:
    """An order that commercetools does not track takes pieces when it is imported, and gives them back when it is forgotten."""
    court = Court(5)
    warehouse = court.house.warehouse
    for epoch in ("b", "c"):
        warehouse.book.take(court.house.order(("X", 2), order_id="stranger", number=None))
        warehouse.forget_imports(["stranger"], epoch)
    judge = Judge(warehouse)
    court.serve()
    court.wait(60)
    assert judge.headroom([], int(court.house.clock.now() * 1000)) == {POOL: 5}


ACTS = st.lists(
    st.tuples(
        st.sampled_from(
            ["sell", "bring", "ship", "correct", "recall", "cancel", "store", "receipt", "restore", "forget"]
        ),
        st.integers(1, 3),
        st.integers(0, 10),
    ),
    max_size=25,
)


def do(court: Court, act: str, quantity: int, which: int, epoch: str) -> None:
    """Do one act where it is possible; which order it concerns is drawn."""
    warehouse = court.house.warehouse
    names = [one.order_id for one in court.commitments]
    name = names[which % len(names)] if names else ""
    held = warehouse.book.find(name)
    if act == "sell":
        court.sell(quantity)
    elif act == "store" and warehouse.room.holding("X", "WH1").on_hand >= quantity:
        warehouse.store_sale("X", "WH1", quantity)
    elif act == "receipt":
        warehouse.receipt("X", "WH1", quantity)
    elif act == "bring" and names and held is None:
        court.bring(name)
    elif held is not None and held.status == "accepted":
        handle(warehouse, held, act, epoch)


def handle(warehouse: Warehouse, held: SourceOrder, act: str, epoch: str) -> None:
    """Do something with an imported order, as far as it has left or has not."""
    name, sent = held.asked.order_id, [one for one in held.fulfilments.values() if one.status == "shipped"]
    if act == "recall" and sent:
        warehouse.dispatch.recall(sent[0].id)
    elif act == "correct" and sent and sent[0].lines[0][1] > 1:
        warehouse.dispatch.restate(sent[0].id, {"l1": 1})
    elif act == "ship" and not sent:
        warehouse.dispatch.ship(name)
    elif act == "cancel" and not sent:
        warehouse.dispatch.cancel(name)
    elif act == "forget" and not sent:
        warehouse.forget_imports([name], epoch)


@given(acts=ACTS, by_on_hand=st.booleans())
def test_the_books_balance(acts: list[tuple[str, int, int]], *, by_on_hand: bool) -> None:
    """Whatever happens, the shortage at rest is what the house lacks now, and blame is part of the total."""
    court = Court(6, by_on_hand=by_on_hand)
    warehouse, backup = court.house.warehouse, court.house.warehouse.backup()
    for number, (act, quantity, which) in enumerate(acts):
        court.wait(1)
        if act == "restore":
            warehouse.restore(backup, f"r{number}")
        else:
            do(court, act, quantity, which, f"f{number}")
    verdict = court.verdict()
    there = warehouse.room.holding("X", "WH1").on_hand if by_on_hand else warehouse.available("X", "WH1")
    free = there - verdict.unimported_units
    assert verdict.oversold_at_rest == max(0, -free)
    assert verdict.oversold_beyond_physics <= verdict.oversold_total
    assert verdict.oversold_at_rest <= verdict.oversold_total


def test_a_right_ledger_is_never_blamed() -> None:
    """Increments that follow what was sent, with orders admitted on them, oversell nothing beyond physics."""
    chance = random.Random(3)
    court = Court(20)
    warehouse, published, seen = court.house.warehouse, 20, 20
    for _ in range(300):
        court.wait(1)
        act = chance.choice(("sell", "sell", "store", "receipt", "bring"))
        quantity = chance.randint(1, 3)
        if act == "sell" and published >= quantity:
            court.sell(quantity)
            published -= quantity
        elif act == "store" and warehouse.room.holding("X", "WH1").on_hand >= quantity:
            warehouse.store_sale("X", "WH1", quantity)
        elif act == "receipt":
            warehouse.receipt("X", "WH1", quantity)
        elif act == "bring":
            waiting = [one for one in court.commitments if one.order_id not in warehouse.book.orders]
            if waiting:
                court.bring(waiting[0].order_id)
        if chance.random() < 0.3:
            court.serve()
            taken = sum(order.asked.lines[0].quantity for order in warehouse.book.orders.values())
            supply = warehouse.available("X", "WH1") + taken
            published, seen = published + supply - seen, supply
    verdict = court.verdict()
    assert verdict.oversold_total > 0
    assert verdict.oversold_beyond_physics == 0

"""Kits that came back: whole with their last piece, as good as the worst of them, and told while they are not whole."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsyncd.domain.booking import Booking, SetReturnState
from archsyncd.domain.cases import CaseKind
from archsyncd.domain.feed import Disposition, ReturnedLine
from archsyncd.domain.kit_lines import component_name
from archsyncd.domain.kits import Kit
from archsyncd.domain.returning import KIT_RETURNED, OtherReturns, book_return
from archsyncd.domain.whole_order import WholeOrder
from tests.domain.nouns import line, order
from tests.domain.test_returning import after, states

D = Disposition
KITS = {"n1": Kit("KIT", (("A", 1), ("B", 2)))}


def part(sku: str, quantity: int, fate: Disposition, *, named: bool = True) -> ReturnedLine:
    return ReturnedLine(sku, quantity, fate, component_name("n1", sku) if named else None)


class Back:
    """An order of some kits and one A beside them, and its returns as they are booked one after the other."""

    def __init__(self, kits: int = 2) -> None:
        bought = order(line(kits, "KIT"), line(1, "A", "n2"))
        self.order = WholeOrder(bought, "2026-01-01T00:00:00.000Z", "EUR")
        self.before: dict[str, Sequence[ReturnedLine]] = {}

    def book(self, name: str, *lines: ReturnedLine) -> Booking:
        others = {other: told for other, told in self.before.items() if other != name}
        booking = book_return(self.order, name, lines, OtherReturns(KITS, others))
        if not booking.refused:
            self.order = after(self.order, booking)
            self.before[name] = lines
        return booking

    @property
    def items(self) -> list[tuple[str, int, str]]:
        return states(self.order)


def test_pieces_of_a_kit_are_told_until_it_is_whole() -> None:
    """The return that brings the last piece carries the kit, and nothing is left to be told."""
    its = Back()
    (finding,) = its.book("R-1", part("A", 1, D.SELLABLE)).findings
    assert (finding.kind, finding.code) == (CaseKind.KIT_INCOMPLETE, KIT_RETURNED)
    assert "1 of A of the kit KIT" in finding.reason
    assert its.items == []
    assert its.book("R-2", part("B", 2, D.SELLABLE)).findings == ()
    assert its.items == [("n1", 1, "BackInStock")]
    assert its.book("R-1", part("A", 1, D.SELLABLE)).actions == ()
    assert its.book("R-2", part("B", 2, D.SELLABLE)).actions == ()


@pytest.mark.parametrize(
    ("first", "second", "state"),
    [
        (D.SELLABLE, D.DAMAGED, "Unusable"),
        (D.SCRAP, D.SELLABLE, "Unusable"),
        (D.SELLABLE, D.QUARANTINE, "Returned"),
        (D.QUARANTINE, D.DAMAGED, "Unusable"),
    ],
)
def test_a_kit_is_as_its_worst_piece(first: Disposition, second: Disposition, state: str) -> None:
    """Whichever return told of that."""
    its = Back()
    its.book("R-1", part("A", 1, first))
    its.book("R-2", part("B", 2, second))
    assert its.items == [("n1", 1, state)]


def test_of_several_kits_each_is_as_its_own_pieces() -> None:
    """Three B are fine and one is broken: one kit can be sold again, and one cannot."""
    its = Back()
    its.book("R-1", part("A", 2, D.SELLABLE), part("B", 3, D.SELLABLE), part("B", 1, D.DAMAGED))
    assert its.items == [("n1", 1, "BackInStock"), ("n1", 1, "Unusable")]


def test_what_was_undecided_is_decided_by_whichever_return_says_so() -> None:
    """The kit's item is of the second return, and the first one's newer record carries it on."""
    its = Back()
    its.book("R-1", part("A", 1, D.QUARANTINE))
    its.book("R-2", part("B", 2, D.SELLABLE))
    assert its.items == [("n1", 1, "Returned")]
    decided = its.book("R-1", part("A", 1, D.SELLABLE))
    assert [type(action) for action in decided.actions] == [SetReturnState]
    assert its.items == [("n1", 1, "BackInStock")]


def test_what_was_decided_is_not_taken_back() -> None:
    """A kit that stands as sellable of which a piece is broken after all: a person compares."""
    its = Back()
    its.book("R-1", part("A", 1, D.SELLABLE))
    its.book("R-2", part("B", 2, D.SELLABLE))
    again = its.book("R-1", part("A", 1, D.DAMAGED))
    assert again.refused
    assert "another fate of its pieces" in again.findings[0].reason


def test_by_sku_alone_what_was_ordered_by_that_sku_comes_first() -> None:
    """Then the kits' pieces; more than was ordered of both is for a person."""
    its = Back(1)
    its.book("R-1", part("A", 1, D.SELLABLE, named=False))
    assert its.items == [("n2", 1, "BackInStock")]
    its.book("R-2", part("A", 1, D.SELLABLE), part("B", 2, D.SELLABLE, named=False))
    assert its.items == [("n1", 1, "BackInStock"), ("n2", 1, "BackInStock")]
    more = its.book("R-3", part("B", 1, D.SELLABLE))
    assert more.refused
    assert "1 pieces of kits came back beyond" in more.findings[0].reason


told = st.lists(
    st.tuples(st.sampled_from(["A", "B"]), st.integers(1, 3), st.sampled_from([D.SELLABLE, D.DAMAGED])),
    max_size=3,
)


@settings(max_examples=60)
@given(st.integers(1, 3), st.lists(told, max_size=5))
def test_p6_so_many_kits_are_back_as_all_of_their_pieces_make(
    kits: int, returns: list[list[tuple[str, int, Disposition]]]
) -> None:
    """In any order of returns: the floor of the scarcest component, each kit once, and told while pieces are over."""
    its = Back(kits)
    for number, each in enumerate(returns):
        booking = its.book(f"R-{number}", *(part(*one) for one in each))
        if booking.refused:
            continue
        count = {
            sku: sum(one.quantity for lines in its.before.values() for one in lines if one.sku == sku)
            for sku in "AB"
        }
        whole = min(kits, count["A"], count["B"] // 2)
        assert sum(quantity for _, quantity, _ in its.items) == whole
        over = count["A"] > whole or count["B"] > 2 * whole
        assert [finding.kind for finding in booking.findings] == ([CaseKind.KIT_INCOMPLETE] if over else [])

"""Booking returns: each piece once (P6), what is undecided carried on, and contradictions told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsyncd.domain.booking import AddReturn, Booking, SetReturnState
from archsyncd.domain.feed import Disposition, ReturnedLine
from archsyncd.domain.returning import FATES, RETURNED, book_return
from archsyncd.domain.whole_order import ReturnItem, WholeOrder
from tests.domain.nouns import line, order

D = Disposition
FOLLOWS = {RETURNED: {"BackInStock", "Unusable"}}


def whole(*items: ReturnItem, pieces: int = 3) -> WholeOrder:
    bought = order(line(pieces), line(2, "B", "n2"))
    return WholeOrder(bought, "2026-01-01T00:00:00.000Z", "EUR", returns=items)


def came(*lines: tuple[str, int, Disposition]) -> tuple[ReturnedLine, ...]:
    return tuple(ReturnedLine(*each) for each in lines)


def after(before: WholeOrder, booking: Booking) -> WholeOrder:
    """The order once commercetools has done what was asked; it refuses keys that are taken and states out of turn."""
    items = {item.key: item for item in before.returns}
    for action in booking.actions:
        if isinstance(action, AddReturn):
            for draft in action.items:
                assert draft.key not in items
                assert len(draft.key) <= 256
                items[draft.key] = ReturnItem(
                    f"id-{draft.key}", draft.key, draft.line_id, draft.pieces, RETURNED
                )
        else:
            assert isinstance(action, SetReturnState)
            there = items[action.item_key]
            assert action.state in FOLLOWS[there.state]
            items[action.item_key] = replace(there, state=action.state)
    return replace(before, returns=tuple(items.values()))


def states(found: WholeOrder) -> list[tuple[str, int, str]]:
    return sorted((item.line_id, item.quantity, item.state) for item in found.returns)


def test_each_fate_has_its_state() -> None:
    """Sellable goods are back in stock, damaged and scrapped ones unusable, and what is undecided stays returned."""
    told = came(("A", 1, D.SELLABLE), ("A", 1, D.QUARANTINE), ("B", 1, D.DAMAGED), ("B", 1, D.SCRAP))
    booked = after(whole(), book_return(whole(), "R-1", told))
    assert states(booked) == [
        ("n1", 1, "BackInStock"),
        ("n1", 1, "Returned"),
        ("n2", 2, "Unusable"),
    ]


def test_p6_told_again_it_is_booked_already() -> None:
    """Nothing is done twice, whoever repeats it."""
    told = came(("A", 2, D.SELLABLE), ("B", 1, D.QUARANTINE))
    booked = after(whole(), book_return(whole(), "R-1", told))
    assert book_return(booked, "R-1", told) == Booking((), (), None)


def test_what_was_undecided_is_carried_on() -> None:
    """A newer record decides it: the same item goes on, no new one is made."""
    booked = after(whole(), book_return(whole(), "R-1", came(("A", 2, D.QUARANTINE))))
    decided = book_return(booked, "R-1", came(("A", 2, D.SELLABLE)))
    assert [type(action) for action in decided.actions] == [SetReturnState, SetReturnState]
    assert states(after(booked, decided)) == [("n1", 1, "BackInStock"), ("n1", 1, "BackInStock")]


def test_pieces_that_were_undecided_may_have_different_fates() -> None:
    """One is sold again and one is not."""
    booked = after(whole(), book_return(whole(), "R-1", came(("A", 2, D.QUARANTINE))))
    decided = book_return(booked, "R-1", came(("A", 1, D.SELLABLE), ("A", 1, D.SCRAP)))
    assert states(after(booked, decided)) == [("n1", 1, "BackInStock"), ("n1", 1, "Unusable")]


def test_two_returns_of_one_order_stand_beside_each_other() -> None:
    """Each under its own keys."""
    first = after(whole(), book_return(whole(), "R-1", came(("A", 1, D.SELLABLE))))
    second = after(first, book_return(first, "R-2", came(("A", 1, D.SELLABLE))))
    assert states(second) == [("n1", 1, "BackInStock"), ("n1", 1, "BackInStock")]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (came(("Z", 1, D.SELLABLE)), "nobody ordered"),
        (came(("A", 4, D.SELLABLE)), "4 pieces of a line came back of which 3 were ordered"),
        ((ReturnedLine("B", 1, D.SELLABLE, "n1"),), "nobody ordered"),
    ],
)
def test_what_does_not_fit_the_order_is_for_a_person(lines: Sequence[ReturnedLine], words: str) -> None:
    """Nothing of it is booked."""
    found = book_return(whole(), "R-1", lines)
    assert found.refused
    assert found.actions == ()
    assert words in found.findings[0].reason


def test_a_fate_that_is_taken_back_is_for_a_person() -> None:
    """Commercetools knows no way back from BackInStock."""
    booked = after(whole(), book_return(whole(), "R-1", came(("A", 2, D.SELLABLE))))
    found = book_return(booked, "R-1", came(("A", 2, D.SCRAP)))
    assert found.refused
    assert "another fate" in found.findings[0].reason


def test_what_came_back_by_another_return_counts() -> None:
    """Together they are no more than was ordered."""
    booked = after(whole(), book_return(whole(), "R-1", came(("A", 2, D.SELLABLE))))
    assert book_return(booked, "R-2", came(("A", 2, D.SELLABLE))).refused


lines = st.lists(
    st.tuples(st.sampled_from(["A", "B"]), st.integers(0, 2), st.sampled_from(list(Disposition))), max_size=4
)


@given(st.lists(st.tuples(st.sampled_from(["R-1", "R-2", "R__3"]), lines), max_size=6))
def test_p6_whatever_is_told_no_piece_is_booked_twice_and_no_more_than_ordered(
    told: list[tuple[str, list[tuple[str, int, Disposition]]]],
) -> None:
    """Any sequence of returns, restated at will: what is booked of a return is what it said, or it was refused."""
    now = whole()
    for name, each in told:
        booking = book_return(now, name, came(*each))
        if booking.refused:
            assert booking.actions == ()
            continue
        now = after(now, booking)
        assert book_return(now, name, came(*each)).actions == ()
        for bought in now.order.lines:
            held = [item for item in now.returns if item.line_id == bought.line_id]
            assert sum(item.quantity for item in held) <= bought.quantity
        wanted = {fate: sum(n for _, n, d in each if FATES[d] == fate) for fate in FATES.values()}
        prefix = {item.key for item in now.returns if item.key is not None and _is_of(item.key, name)}
        booked = dict.fromkeys(FATES.values(), 0)
        for item in now.returns:
            if item.key in prefix:
                booked[item.state] += item.quantity
        assert booked == wanted


def _is_of(key: str, name: str) -> bool:
    if "__" in name:
        return key.startswith("sha256-")
    return key.startswith(f"{name}__")

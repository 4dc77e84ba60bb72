"""What Archean advises: the newest record counts, a repeat changes nothing, and only what is worth booking is due."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsyncd.domain.advice import Advice, AdviceKind, AdviceStage, merged, met, told_by
from archsyncd.domain.feed import (
    DispatchedParcel,
    Disposition,
    Fulfilment,
    LineShare,
    Position,
    ReturnedLine,
    ReturnReceived,
)

STATUSES = ("allocated", "picking", "picked", "packed", "shipped", "short", "cancelled")


def record(seq: int, status: str = "shipped", pieces: int = 1, short: int = 0, **more: object) -> Fulfilment:
    lines = (LineShare("A", pieces, "n1", None, short),)
    made = Fulfilment(f"r{seq}", seq, "F-1", "o1", "CT-1", status, "WH1", lines)
    return replace(made, **more)  # type: ignore[arg-type]


def told(of: Fulfilment | ReturnReceived, epoch: int = 1) -> Advice:
    found = told_by(of, "main", epoch)
    assert found is not None
    return found


def take(
    before: Advice | None, of: Fulfilment | ReturnReceived, *, known: bool = True, ready: bool = False
) -> Advice | None:
    return merged(before, told(of), known=known, ready_state=ready, now_ms=1_000)


@pytest.mark.parametrize(
    ("status", "short", "ready", "stage"),
    [
        ("allocated", 0, True, AdviceStage.OPEN),
        ("picking", 0, True, AdviceStage.OPEN),
        ("picked", 0, False, AdviceStage.OPEN),
        ("picked", 0, True, AdviceStage.DUE),
        ("packed", 0, True, AdviceStage.DUE),
        ("shipped", 0, False, AdviceStage.DUE),
        ("short", 1, False, AdviceStage.DUE),
        ("cancelled", 0, False, AdviceStage.VOID),
    ],
)
def test_only_what_is_worth_booking_is_due(status: str, short: int, ready: bool, stage: AdviceStage) -> None:
    """P1: work in the warehouse is nothing to tell, but for goods that are ready where that is wanted."""
    found = take(None, record(1, status, short=short), ready=ready)
    assert found is not None
    assert found.stage is stage


def test_f153_an_advice_waits_for_its_order() -> None:
    """Parked until the order is known, then due under its id."""
    parked = take(None, record(1), known=False)
    assert parked is not None
    assert (parked.stage, parked.due_ms) == (AdviceStage.PARKED, 1_000)
    due = met(parked, "o1", 2_000)
    assert (due.stage, due.order_id, due.due_ms) == (AdviceStage.DUE, "o1", 2_000)


def test_a_repeat_moves_the_position_and_nothing_else() -> None:
    """P2: the same content under a newer position books nothing again; an older record is nothing at all."""
    first = take(None, record(5))
    assert first is not None
    booked = replace(first, stage=AdviceStage.DONE, due_ms=None, delivery_key="F-1", acknowledged=True)
    again = take(booked, record(9))
    assert again == replace(booked, position=Position(1, 9))
    assert take(again, record(7, pieces=3)) is None
    assert take(again, record(9, pieces=3)) is None


def test_f158_other_content_is_due_again_and_stays_acknowledged() -> None:
    """Tracking that comes later is booked; Archean was told of the booking once."""
    first = take(None, record(1))
    assert first is not None
    booked = replace(first, stage=AdviceStage.DONE, due_ms=None, delivery_key="F-1", acknowledged=True)
    more = take(booked, record(2, parcels=(DispatchedParcel("P1", "DPD", "t1"),)))
    assert more is not None
    assert (more.stage, more.acknowledged, more.delivery_key) == (AdviceStage.DUE, True, "F-1")


def test_a_dispatch_that_is_taken_back_once_it_may_be_booked_is_looked_at() -> None:
    """Before it left it is void; what left may have been booked, though no answer has come yet."""
    packed = take(None, record(1, "packed"))
    assert packed is not None
    gone = take(packed, record(2, "cancelled"))
    assert gone is not None
    assert gone.stage is AdviceStage.VOID
    first = take(None, record(1))
    assert first is not None
    on_its_way = take(first, record(2, "cancelled"))
    assert on_its_way is not None
    assert on_its_way.stage is AdviceStage.DUE
    booked = replace(first, stage=AdviceStage.DONE, delivery_key="F-1")
    taken_back = take(booked, record(2, "cancelled"))
    assert taken_back is not None
    assert taken_back.stage is AdviceStage.DUE


def test_what_was_closed_short_is_open_again_once_other_pieces_are_short() -> None:
    """A person's word is about the pieces that were short then."""
    first = take(None, record(1, "short", pieces=2, short=1))
    assert first is not None
    closed = replace(first, short_closed=True)
    same = take(closed, record(2, "shipped", pieces=2, short=1))
    other = take(closed, record(2, "shipped", pieces=1, short=2))
    assert same is not None
    assert same.short_closed
    assert other is not None
    assert not other.short_closed


def test_lines_are_at_the_fulfilments_location_unless_they_say_otherwise() -> None:
    """For the ledger a closed piece is one of its location."""
    lines = (LineShare("A", 1), LineShare("B", 1, None, "WH2"))
    assert [line.location for line in told(record(1, lines=lines)).shares] == ["WH1", "WH2"]


def test_a_record_without_an_order_advises_nothing() -> None:
    """There is nothing to book it on."""
    assert told_by(ReturnReceived("r", 1, "R-1", None, None), "main", 1) is None


@given(
    st.lists(st.tuples(st.integers(1, 6), st.sampled_from(STATUSES), st.integers(0, 3)), max_size=8),
    st.randoms(),
)
def test_the_newest_record_decides_whatever_order_they_come_in(
    rows: list[tuple[int, str, int]], chance: random.Random
) -> None:
    """F4: any permutation, with repeats, ends with the same content."""
    by_seq = {seq: (status, pieces) for seq, status, pieces in rows}
    records = [record(seq, *rest) for seq, rest in by_seq.items()]
    shuffled = [*records, *records]
    chance.shuffle(shuffled)

    def end(some: list[Fulfilment]) -> object:
        kept: Advice | None = None
        for each in some:
            kept = take(kept, each) or kept
        return None if kept is None else (kept.position, kept.status, kept.lines, kept.kind)

    assert end(shuffled) == end(sorted(records, key=lambda each: each.seq))


def test_a_return_is_due_as_soon_as_its_order_is_known() -> None:
    """Its lines keep what becomes of them."""
    lines = (ReturnedLine("A", 1, Disposition.SELLABLE),)
    found = take(None, ReturnReceived("r", 1, "R-1", "o1", None, lines))
    assert found is not None
    assert (found.kind, found.stage, found.returned) == (AdviceKind.RETURN, AdviceStage.DUE, lines)

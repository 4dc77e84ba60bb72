"""The way of an order to Archean: its states, when it may go, and whether it can go whole."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsyncd.domain.handover import (
    FINAL,
    NEXT,
    UNSENT,
    Carried,
    EligibleRule,
    Flaw,
    ImpossibleMove,
    PlacedLine,
    Placement,
    Stage,
    asked_for,
    judge_unsent,
    may_move,
    moved,
    place_lines,
    waits_for,
)
from archsyncd.domain.inventory import Order
from archsyncd.domain.whole_order import WholeOrder
from tests.domain.nouns import CHANNEL_IDS, channel, line, order, place, rules

RULE = EligibleRule(frozenset({"Open", "Confirmed"}), frozenset({"Paid", "absent"}))
PLACEMENT = Placement(CHANNEL_IDS, rules(channel(place("WH1"))).policies, "", "main")
CARRIED = Carried("o1", "CT-1", 1, 1, Stage.LEARNED, 1)


def whole(of: Order | None = None, **more: object) -> WholeOrder:
    return replace(WholeOrder(of or order(line(2)), "2026-01-01T00:00:00.000Z", "EUR"), **more)  # type: ignore[arg-type]


def test_every_state_leads_somewhere_unless_it_is_final() -> None:
    """The table is whole: no state is unknown to it, and only an end has no way on; what we let go of Archean may tell of."""
    assert set(NEXT) == set(Stage)
    assert {stage for stage, then in NEXT.items() if not then} == FINAL - {Stage.DISMISSED}
    assert not NEXT[Stage.DISMISSED] & {Stage.READY, Stage.SENDING, Stage.HELD}
    assert set().union(*NEXT.values()) | {Stage.LEARNED} == set(Stage)


def test_nothing_is_sent_that_was_not_ready_and_nothing_sent_goes_back_to_unsent() -> None:
    """O1: the first byte follows the intent; what Archean may have is never taken for new."""
    assert {stage for stage, then in NEXT.items() if Stage.SENDING in then} == {Stage.READY}
    for stage in (Stage.IN_DOUBT, Stage.RECEIVED, Stage.ACCEPTED, Stage.PART_SHIPPED, Stage.SHIPPED):
        assert not NEXT[stage] & {Stage.LEARNED, Stage.WAITING}
    assert not NEXT[Stage.SENDING] & UNSENT - {Stage.READY}


@given(st.sampled_from(list(Stage)), st.sampled_from(list(Stage)))
def test_a_step_that_the_table_does_not_know_is_refused(now: Stage, then: Stage) -> None:
    """And what names a person goes with the last state in which it may have to be sent."""
    carried = replace(CARRIED, stage=now, body="to a person", attempts=3)
    if now is not then and not may_move(now, then):
        with pytest.raises(ImpossibleMove, match="CT-1"):
            moved(carried, then, 5)
        return
    after = moved(carried, then, 5)
    assert (after.stage, after.attempts) == (then, 0)
    sendable = then in {Stage.READY, Stage.SENDING, Stage.IN_DOUBT, Stage.RECEIVED}
    assert (after.body is not None) is sendable


@pytest.mark.parametrize(
    ("order_", "rule", "why"),
    [
        (whole(), RULE, None),
        (whole(payment_state="Paid"), RULE, None),
        (whole(payment_state="Pending"), RULE, "payment state is Pending"),
        (whole(order(line(1), state="Complete")), RULE, "order state is Complete"),
        (whole(), replace(RULE, stores=frozenset({"de"})), "store is absent"),
        (whole(store="de"), replace(RULE, stores=frozenset({"de"})), None),
        (whole(), replace(RULE, custom_field="free", custom_values=frozenset({"true"})), "free is absent"),
        (
            whole(custom={"free": True}),
            replace(RULE, custom_field="free", custom_values=frozenset({"true"})),
            None,
        ),
    ],
)
def test_f145_an_order_waits_for_what_the_rule_asks(
    order_: WholeOrder, rule: EligibleRule, why: str | None
) -> None:
    """And says what that is."""
    found = waits_for(order_, rule)
    assert (found is None) if why is None else why in (found or "")


@pytest.mark.parametrize(
    ("lines", "placement", "why"),
    [
        ((line(2, None),), PLACEMENT, "has no SKU"),
        ((line(2, at=None),), PLACEMENT, "has no supply channel"),
        ((line(2, at="id-elsewhere"),), PLACEMENT, "which no location is mapped to"),
        ((line(10**10),), PLACEMENT, "more than can be meant"),
        ((line(0),), PLACEMENT, "no line that a warehouse could fulfil"),
        ((line(2),), replace(PLACEMENT, sources={"WH1": "other"}), "orders go to main"),
    ],
)
def test_f139_one_line_that_cannot_go_holds_the_whole_order(
    lines: tuple[object, ...], placement: Placement, why: str
) -> None:
    """Never a part of an order, whatever stands beside it."""
    good = line(1, line_id="good")
    beside = [] if "no line" in why else [good]
    bought = whole(order(*beside, *lines))  # type: ignore[arg-type]
    found = place_lines(bought, placement)
    assert isinstance(found, Flaw)
    assert why in found.reason


def test_f138_each_line_goes_to_the_place_that_fulfils_it() -> None:
    """Two lines of one SKU stay two; a line of nothing asks for nothing; without a channel the configured place."""
    bought = whole(
        order(line(1), line(2, line_id="n2"), line(0, line_id="n3"), line(1, line_id="n4", at=None))
    )
    found = place_lines(bought, replace(PLACEMENT, default_location="WH7"))
    assert isinstance(found, tuple)
    assert [(placed.line.line_id, placed.location) for placed in found] == [
        ("n1", "WH1"),
        ("n2", "WH1"),
        ("n4", "WH7"),
    ]


def test_where_archean_may_choose_no_location_is_told() -> None:
    """Several locations share the channel, and the configuration leaves the choice to Archean."""
    shared = replace(PLACEMENT, policies=rules(channel(place("WH1"), place("WH2"))).policies)
    (placed,) = place_lines(whole(), shared)  # type: ignore[misc]
    assert isinstance(placed, PlacedLine)
    assert placed.location is None


def test_the_verdict_is_cancelled_before_anything_else() -> None:
    """An order that nobody wants any more is neither waited for nor held."""
    gone = whole(order(line(2, None), state="Cancelled"), payment_state="Pending")
    assert judge_unsent(gone, RULE, PLACEMENT).stage is Stage.CANCELLED
    assert judge_unsent(whole(payment_state="Pending"), RULE, PLACEMENT).stage is Stage.WAITING
    assert judge_unsent(whole(order(line(2, None))), RULE, PLACEMENT).stage is Stage.HELD
    assert judge_unsent(whole(), RULE, PLACEMENT).stage is Stage.READY


def test_what_is_asked_for_changes_with_its_lines_alone() -> None:
    """A payment or a state changes nothing for the warehouse; a piece does."""
    first = order(line(2), line(1, line_id="n2"))
    assert asked_for(first) == asked_for(replace(first, version=9, order_state="Confirmed"))
    assert asked_for(first) == asked_for(replace(first, lines=tuple(reversed(first.lines))))
    assert asked_for(first) != asked_for(replace(first, lines=first.lines[:1]))
    assert asked_for(first) != asked_for(order(line(3), line(1, line_id="n2")))


def test_f148_an_address_is_in_no_representation() -> None:
    """Neither the order nor what is kept to be sent shows it to a log."""
    assert "Sesame" not in repr(whole(ship_to={"streetName": "Sesame"}))
    assert "Sesame" not in repr(replace(CARRIED, body="Sesame"))

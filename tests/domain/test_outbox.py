"""The steps of an outbox row: what is in flight stays known, and what is booked is exact (faults 5 to 7, 56)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsyncd.domain import outbox
from archsyncd.domain.inventory import Entry, Marker, WriteKind
from archsyncd.domain.ledger import Base
from archsyncd.domain.outbox import (
    LATE_LANDING_MS,
    READ_TIME_SLACK_MS,
    SUPERSEDED_LIMIT,
    Lease,
    OutboxRow,
)
from tests.domain.nouns import key

LEDGER = "ledger-1"
PIECES = st.integers(-20, 20)


def row(applied: int | None = 10, target: int = 7, base: Base = Base.PROVEN, **more: Any) -> OutboxRow:
    """A row of an entry that exists, with its place in the drain order."""
    start = OutboxRow(key(), f=target, x_target=target, x_applied=applied, base=base, entry_id="E", version=3)
    return outbox.scheduled(replace(start, **more), 1_000)


def entry(stock: int = 10, version: int = 4, marker: Marker | None = None, born_ms: int = 50) -> Entry:
    return Entry("E", version, key(), stock, stock, marker or Marker(), "type", born_ms, 900)


def sent(before: OutboxRow, op_id: str = "7.1", *, absolute: bool = False) -> tuple[OutboxRow, Lease]:
    return outbox.leased(before, op_id, absolute=absolute)


@given(PIECES, PIECES)
def test_s5_booking_moves_what_is_applied_by_exactly_what_was_sent(applied: int, target: int) -> None:
    """S5, S14: after a write took effect, x_applied is the archX that it wrote."""
    flying, lease = sent(row(applied, target))
    assert lease.operation.x_after == target
    done = outbox.booked(flying, "E", 4, 2_000, LEDGER)
    assert (done.x_applied, done.op_id, done.version) == (lease.operation.x_after, None, 4)
    assert done.seen == f"{LEDGER}/7.1"


@given(PIECES, PIECES, PIECES)
def test_s6_a_newer_target_leaves_the_operation_in_flight_alone(
    applied: int, target: int, newer: int
) -> None:
    """S6: one operation at most, and the one that is durable is the one that was sent."""
    flying, lease = sent(row(applied, target))
    moved = outbox.scheduled(replace(flying, f=newer, x_target=newer), 3_000)
    assert moved.operation == lease.operation
    assert moved.due_class is None
    done = outbox.booked(moved, "E", 4, 4_000, LEDGER)
    assert done.x_applied == target
    assert (done.due_class is None) == (newer == target)


@given(PIECES, PIECES)
def test_f074_an_operation_that_took_no_effect_is_forgotten_and_due_again(applied: int, target: int) -> None:
    """Refused, turned away or never sent: the next operation is a new one on the same base."""
    before = row(applied, target)
    after = outbox.put_back(sent(before)[0], 2_000, version=9)
    assert (after.op_id, after.x_applied, after.version) == (None, applied, 9)
    assert after.due_class == before.due_class


def test_f074_an_overload_is_no_attempt_of_the_key_that_met_it() -> None:
    """Turned away with everybody else, a key does not wait longer for it the next time."""
    flying, _ = sent(row())
    assert outbox.put_back(flying, 2_000, its_own_fault=False).attempts == flying.attempts
    assert outbox.put_back(flying, 2_000, version=9).attempts == flying.attempts + 1


def test_f056_an_operation_given_up_is_remembered_until_a_later_write_has_landed() -> None:
    """Its request may still land; only a later versioned write of ours rules that out."""
    flying, _ = sent(row())
    given_up = outbox.given_up(flying, 3, 2_000)
    assert (given_up.op_id, given_up.superseded) == (None, ("7.1",))
    again, _ = sent(given_up, "7.2")
    assert again.superseded == ("7.1",)
    assert outbox.booked(again, "E", 4, 3_000, LEDGER).superseded == ()


def test_f056_what_is_read_while_a_request_may_land_proves_nothing() -> None:
    """The entry is read once more when nothing given up can land any more, and pending reads are dropped."""
    reading = replace(row(), check_due_ms=1_000, read_stock=10, read_version=3, read_at_ms=900)
    given_up = outbox.given_up(sent(reading)[0], 3, 2_000)
    assert (given_up.read_at_ms, given_up.check_due_ms) == (None, 2_000 + LATE_LANDING_MS)


def test_f056_a_late_landing_is_where_we_go_on_from() -> None:
    """What lands late took the version with it, so nothing else of ours can land any more."""
    given_up = outbox.given_up(sent(row())[0], 3, 2_000)
    again, _ = sent(replace(given_up, f=2, x_target=2), "7.2")
    late = outbox.landed_late(again, 7, "E", 4, 3_000, f"{LEDGER}/7.1")
    assert (late.x_applied, late.op_id, late.superseded, late.version) == (7, None, (), 4)
    assert late.due_class is not None


def test_f080_with_too_many_to_remember_the_same_operation_goes_out_again() -> None:
    """No op id is ever forgotten that may still land; and the row keeps its place when its target moves meanwhile."""
    current = row()
    for number in range(SUPERSEDED_LIMIT):
        current = outbox.given_up(sent(current, f"7.{number}")[0], 3, 2_000)
    flying, lease = sent(current, "7.99")
    kept = outbox.given_up(flying, 3, 2_000)
    assert (kept.op_id, kept.in_doubt) == ("7.99", False)
    assert kept.due_class is not None
    moved = outbox.scheduled(replace(kept, f=-5, x_target=-5), 3_000)
    assert moved.due_class == kept.due_class
    again, repeated = sent(moved, "7.100")
    assert repeated.operation == lease.operation
    assert again.op_id == "7.99"
    assert again.due_class is None


def test_s2_a_provisional_base_lowers_and_marks_its_operations() -> None:
    """Whoever finds such a marker must not adopt it."""
    lower = row(10, 7, Base.PROVISIONAL)
    assert lower.due_class is not None
    assert sent(lower)[1].operation.op_id == "7.1p"
    assert row(7, 10, Base.PROVISIONAL).due_class is None
    assert sent(row(10, 7))[1].operation.op_id == "7.1"


def test_s2_an_entry_made_anew_offers_nothing_until_a_clean_read() -> None:
    """Where lines are known, an order on the entry that is gone may be unknown to us."""
    fresh = outbox.absent(OutboxRow(key(), f=9, x_target=9, known=2, x_applied=9, entry_created_ms=1), 1_000)
    assert (fresh.base, fresh.to_create) == (Base.PROVISIONAL, True)
    flying, lease = sent(fresh)
    assert (lease.kind, lease.quantity) == (WriteKind.CREATE, 0)
    made = outbox.booked(flying, "E2", 1, 2_000, LEDGER)
    assert (made.x_applied, made.base, made.check_due_ms) == (0, Base.PROVISIONAL, 2_000)
    assert made.due_class is None


def test_a_first_entry_is_created_with_all_of_its_target() -> None:
    """Nothing can have been ordered from an entry that never was."""
    first = outbox.absent(OutboxRow(key(), f=9, x_target=9), 1_000)
    assert first.base is Base.PROVEN
    assert sent(first)[1].quantity == 9
    debt = outbox.absent(OutboxRow(key(), f=-9, x_target=-9), 1_000)
    assert sent(debt)[1].quantity == -9


def test_in_untracked_mode_the_target_itself_is_written() -> None:
    """Absolute under the version, without a marker."""
    flying, lease = sent(row(10, 7), absolute=True)
    assert (lease.kind, lease.quantity) == (WriteKind.SET, 7)
    assert outbox.booked(flying, "E", 4, 2_000, LEDGER).seen is None


def test_a_base_taken_from_an_entry_explains_it_and_must_be_proven() -> None:
    """x_applied := S + known; lower at once, raise after a clean read."""
    based = outbox.based(replace(row(None, 7), known=4, base=Base.UNKNOWN), entry(stock=9), 1_000, 2_000)
    assert (based.x_applied, based.base, based.check_due_ms) == (13, Base.PROVISIONAL, 2_000)
    assert based.due_class is not None
    assert (based.entry_created_ms, based.seen) == (50, "")


@given(PIECES, PIECES, st.integers(1, 9), st.integers(-3_000, 3_000))
def test_pieces_learnt_after_a_base_was_read_lower_what_they_may_stand_for(
    stock: int, target: int, pieces: int, after_ms: int
) -> None:
    """The read may have shown them: without them a decrease that is owed would not be seen (S2)."""
    based = outbox.based(replace(row(None, target), base=Base.UNKNOWN), entry(stock), 1_000, 2_000)
    assert based.based_at_ms == 900
    known = outbox.learnt_late(based, pieces, 900 + after_ms, 1_500)
    counts = after_ms <= READ_TIME_SLACK_MS
    assert known.applied == stock + (pieces if counts else 0)
    assert (known.x_applied, known.due_class is not None) == (stock, target < (known.applied or 0))
    if known.due_class is not None:
        flying, lease = sent(known)
        assert lease.quantity == target - stock - (pieces if counts else 0)
        done = outbox.booked(flying, "E", 5, 2_000, LEDGER)
        assert (done.x_applied, done.applied, done.due_class) == (lease.operation.x_after, target, None)
    clean = outbox.proven(outbox.read_for_check(known, entry(stock - 1)), pieces, 3_000)
    assert (clean.applied, clean.late, clean.based_at_ms) == (stock - 1 + pieces, 0, None)
    assert outbox.learnt_late(clean, pieces, 0, 4_000) == clean


def test_an_adopted_value_is_proven_and_read_once_more() -> None:
    """The confirm read comes when nothing of a predecessor can land any more."""
    own = Marker(LEDGER, "6.5", 8, "", 6)
    adopted = outbox.adopted(replace(row(None, 7), base=Base.UNKNOWN), entry(marker=own), 8, 1_000, 91_000)
    assert (adopted.x_applied, adopted.base, adopted.check_due_ms) == (8, Base.PROVEN, 91_000)
    assert adopted.seen == f"{LEDGER}/6.5"


def test_f084_a_read_is_not_judged_once_a_write_came_between() -> None:
    """Another version, or an operation in flight: read again."""
    read = outbox.read_for_check(row(), entry())
    assert outbox.read_in(read, 10_000) is not None
    assert outbox.read_in(sent(read)[0], 10_000) is None
    assert outbox.read_in(outbox.booked(sent(read)[0], "E", 5, 2_000, LEDGER), 10_000) is None


@given(PIECES, PIECES, st.integers(0, 9))
def test_a_clean_read_makes_the_base_what_the_entry_showed(applied: int, stock: int, known: int) -> None:
    """x_applied := S read + the orders known then, beyond doubt."""
    read = outbox.read_for_check(row(applied, 7, Base.PROVISIONAL), entry(stock))
    after = outbox.proven(read, known, 2_000)
    assert (after.x_applied, after.base) == (stock + known, Base.PROVEN)
    assert (after.check_due_ms, after.read_at_ms) == (None, None)
    assert (after.due_class is None) == (stock + known == 7)


@pytest.mark.parametrize("step", [outbox.unbased, lambda found: outbox.parked(found, "channel_missing")])
def test_nothing_is_due_for_a_row_that_may_not_be_sent(step: object) -> None:
    """An entry that is gone, or a key that is parked, has no place in the drain order."""
    assert callable(step)
    after = step(sent(row())[0])
    assert isinstance(after, OutboxRow)
    assert (after.op_id, after.due_class) == (None, None)
    assert outbox.freed(outbox.parked(row(), "rollout"), 3_000).due_class is not None

"""The history of a key: every change is one row that says why, and folding loses no piece of any sum."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsyncd.domain import outbox
from archsyncd.domain.history import (
    DAY_MS,
    LASTING,
    STEPS,
    Cause,
    Change,
    Keeping,
    Kind,
    change_between,
    folded,
    next_step,
)
from archsyncd.domain.inventory import Entry, Marker
from archsyncd.domain.ledger import Base
from archsyncd.domain.outbox import OutboxRow
from tests.domain.nouns import BORN_MS, key

NOW_MS = BORN_MS + 1_000 * DAY_MS
RAW = [kind for kind in Kind if kind not in {Kind.OPENING, Kind.DAY}]
KEEPINGS = st.sampled_from(STEPS)


@st.composite
def histories(draw: st.DrawFn, *, clock_wrong: bool = False) -> list[Change]:
    """The rows of a key as the store writes them: numbered, with values that follow from each other."""
    backs = sorted(draw(st.lists(st.integers(0, 500 * 24), max_size=40)), reverse=True)
    stands, rows = 0, []
    for n, back in enumerate(backs, start=1):
        delta = draw(st.integers(-9, 9))
        stands += delta
        at_ms = NOW_MS - back * 3_600_000
        if clock_wrong and draw(st.booleans()):
            at_ms = draw(st.sampled_from([0, NOW_MS + 9_000 * DAY_MS]))
        kind = draw(st.sampled_from(RAW))
        rows.append(Change(at_ms, kind, delta, stands, op_id=f"1.{n}", who="anna", n=n))
    return rows


def row(**more: object) -> OutboxRow:
    return replace(OutboxRow(key(), f=7, x_target=7), **more)  # type: ignore[arg-type]


BASED = row(x_applied=10, base=Base.PROVEN, entry_id="E", version=3)
ENTRY = Entry("E", 4, key(), 12, 12, Marker(), "type", 50, 900)


@pytest.mark.parametrize(
    ("before", "after", "kind", "delta"),
    [
        (row(), outbox.based(row(), ENTRY, 1, 2), Kind.BASED, 12),
        (row(), outbox.adopted(row(), ENTRY, 11, 1, 2), Kind.ADOPTED, 11),
        (BASED, outbox.absent(BASED, 1), Kind.GONE, -10),
        (BASED, outbox.proven(replace(BASED, read_stock=8), 0, 1), Kind.DRIFT, -2),
        (BASED, outbox.narrowed(replace(BASED, read_stock=8), 0, 0, 1, 2), Kind.DRIFT, -2),
        (
            replace(BASED, base=Base.PROVISIONAL),
            outbox.proven(replace(BASED, base=Base.PROVISIONAL, read_stock=8), 0, 1),
            Kind.PROVEN,
            -2,
        ),
        (
            replace(BASED, base=Base.PROVISIONAL),
            outbox.narrowed(replace(BASED, base=Base.PROVISIONAL, read_stock=8), 0, 0, 1, 2),
            Kind.BOUNDED,
            -2,
        ),
        (
            replace(BASED, base=Base.PROVISIONAL, based_at_ms=900),
            outbox.learnt_late(replace(BASED, base=Base.PROVISIONAL, based_at_ms=900), 3, 1, 2),
            Kind.LEARNT_LATE,
            3,
        ),
        (replace(BASED, late=3), outbox.unbased(replace(BASED, late=3)), Kind.UNBASED, -3),
    ],
)
def test_the_rows_before_and_after_tell_the_cause(
    before: OutboxRow, after: OutboxRow, kind: Kind, delta: int
) -> None:
    """What a step of the outbox does to what is applied is told by its kind, its delta and where it led."""
    change = change_between(before, after, None, NOW_MS)
    assert change is not None
    assert (change.kind, change.delta, change.x_after) == (kind, delta, after.applied)


def test_a_write_that_took_effect_is_told_with_its_operation() -> None:
    """One row with the operation's id and the figures it was decided on; sending it alone is none."""
    sent, lease = outbox.leased(BASED, "7.1", absolute=False)
    assert change_between(BASED, sent, None, NOW_MS) is None
    done = outbox.booked(sent, "E", 4, 1, "ledger-1")
    change = change_between(sent, done, None, NOW_MS)
    assert change == Change(NOW_MS, Kind.INCREMENT, -3, 7, f=7, op_id=lease.operation.op_id)


def test_what_is_known_of_the_cause_goes_before_what_the_rows_tell() -> None:
    """A foreign write is told as such, with who wrote, cut to what the store takes."""
    after = outbox.based(BASED, ENTRY, 1, 2)
    change = change_between(BASED, after, Cause(Kind.FOREIGN, who="x" * 500), NOW_MS)
    assert change is not None
    assert (change.kind, change.delta, change.who) == (Kind.FOREIGN, 2, "x" * 200)


def test_an_entry_that_shows_nothing_is_a_change_from_no_entry() -> None:
    """From nothing known to zero pieces: a fact of its own, with no delta."""
    change = change_between(
        row(), outbox.based(row(), replace(ENTRY, quantity_on_stock=0), 1, 2), None, NOW_MS
    )
    assert change is not None
    assert (change.delta, change.x_after) == (0, 0)


@given(histories(), KEEPINGS)
def test_folding_keeps_sum_end_and_count_and_is_done_once(rows: list[Change], keeping: Keeping) -> None:
    """Whatever is folded or dropped, opening and deltas come to the same, and a second time changes nothing."""
    after = folded(rows, keeping, NOW_MS)
    assert sum(change.delta for change in after) == sum(change.delta for change in rows)
    assert sum(change.count for change in after) == len(rows)
    assert [change.x_after for change in after[-1:]] == [change.x_after for change in rows[-1:]]
    assert folded(after, keeping, NOW_MS) == after
    stands = 0
    for change in after:
        stands += change.delta
        assert stands == change.x_after


@given(histories(), KEEPINGS, st.integers(0, 40))
def test_folding_may_stop_anywhere(rows: list[Change], keeping: Keeping, cut: int) -> None:
    """A page that ends within a key, and the rest in the next one, comes to the same once all is folded together."""
    first = folded(rows[:cut], keeping, NOW_MS)
    rest = folded(rows[cut:], keeping, NOW_MS, from_start=not rows[:cut])
    assert sum(change.delta for change in [*first, *rest]) == sum(change.delta for change in rows)
    assert folded([*first, *rest], keeping, NOW_MS) == folded(rows, keeping, NOW_MS)


@given(histories(), KEEPINGS)
def test_folded_rows_are_bounded(rows: list[Change], keeping: Keeping) -> None:
    """Beyond the days that are told one by one there is one row a day, an opening, and what lasts; younger rows stay."""
    after = folded(rows, keeping, NOW_MS)
    edge_ms = keeping.fold_before_ms(NOW_MS)
    assert [change for change in after if change.at_ms >= edge_ms and change.n] == [
        change
        for change in rows
        if change.at_ms >= edge_ms and change.at_ms >= keeping.drop_before_ms(NOW_MS)
    ]
    old = [change for change in after if change.at_ms < edge_ms and change.n]
    assert all(change.at_ms >= keeping.drop_before_ms(NOW_MS) for change in old)
    plain = [change for change in old if not (keeping.lasting and change.kind in LASTING)]
    if not keeping.lasting:
        days = [change.at_ms // DAY_MS for change in plain]
        assert len(days) == len(set(days))
    runs = [lasts for lasts, _ in groupby(change in plain for change in old)]
    assert len(plain) <= len({change.at_ms // DAY_MS for change in plain}) + runs.count(False)


@given(histories(clock_wrong=True), KEEPINGS)
def test_f042_a_wrong_clock_drops_nothing_that_is_young(rows: list[Change], keeping: Keeping) -> None:
    """Rows stamped 1970 or years ahead go with their neighbours: what follows a young row is never dropped before its time."""
    after = folded(rows, keeping, NOW_MS)
    assert sum(change.delta for change in after) == sum(change.delta for change in rows)
    assert folded(after, keeping, NOW_MS) == after
    young = [change.n for change in rows if max(keeping.drop_before_ms(NOW_MS), 1) <= change.at_ms <= NOW_MS]
    opened_to = sum(change.count for change in after if change.n == 0)
    assert not young or opened_to < young[0]


def test_f042_what_a_clock_set_back_wrote_is_as_young_as_what_was_before_it() -> None:
    """It stays a row of its own for as long as its neighbours, and so does what a clock set ahead wrote."""
    young_ms = NOW_MS - DAY_MS
    stamps = (young_ms, 0, young_ms, NOW_MS + 9_000 * DAY_MS, young_ms)
    rows = [Change(at_ms, Kind.INCREMENT, 1, n, n=n) for n, at_ms in enumerate(stamps, start=1)]
    assert folded(rows, STEPS[0], NOW_MS) == rows
    assert len(folded(rows, STEPS[0], NOW_MS + 40 * DAY_MS)) == 1


def test_drift_stays_a_row_of_its_own_while_there_is_room() -> None:
    """A year later it is still told who had written; only where rows are short it goes into its day."""
    at_ms = NOW_MS - 100 * DAY_MS
    kinds = (Kind.INCREMENT, Kind.INCREMENT, Kind.DRIFT, Kind.INCREMENT)
    rows = [Change(at_ms, kind, 1, n, who="anna", n=n) for n, kind in enumerate(kinds, start=1)]
    assert [change.kind for change in folded(rows, STEPS[0], NOW_MS)] == [
        Kind.DAY,
        Kind.DRIFT,
        Kind.INCREMENT,
    ]
    (day,) = folded(rows, STEPS[1], NOW_MS)
    assert (day.kind, day.delta, day.count, day.x_after, day.who) == (Kind.DAY, 4, 4, 4, "")


def test_each_step_keeps_no_more_than_the_one_before_it() -> None:
    """Where rows are short, days are folded sooner first; what is dropped sooner comes last. With room it goes back."""
    assert STEPS[0] == Keeping(30, 400, lasting=True)
    for before, after in pairwise(STEPS):
        assert (after.fold_days, after.keep_days) < (before.fold_days + 1, before.keep_days + 1)
        assert after.keep_days == before.keep_days or before.fold_days == 0
    assert [next_step(0, 101, 100), next_step(len(STEPS) - 1, 101, 100)] == [1, len(STEPS) - 1]
    assert [next_step(3, 69, 100), next_step(3, 80, 100), next_step(0, 0, 100)] == [2, 3, 0]

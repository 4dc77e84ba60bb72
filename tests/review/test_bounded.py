"""A key that is ordered all the time after a take-over: raised as far as is safe, exact as soon as it is quiet."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from archsyncd.domain.cases import CaseKind
from archsyncd.domain.ledger import Base, bounded
from archsyncd.domain.outbox import OutboxRow
from tests.adapters.sqlite.shelf import LAG_MS, Shelf, entry
from tests.domain.nouns import level, line, order
from tests.models.control import must_oversell
from tests.models.explore import explore
from tests.models.takeover import Listing, Move, Standby, State, Step, Takeover

OLD = 1
RAISES, EXACT = 1, 2


@dataclass(frozen=True)
class Bounded(Takeover):
    """As the take-over, but a read amid listed orders that are not visible yet allows raises; it is read again until exact.

    `unlisted`: also with orders that are not listed, which is the rule's negative control.
    """

    unlisted: bool = False

    def _based(self, state: State, mine: Standby, listing: Listing) -> Standby:
        pending = state.committed & ~state.visible
        hidden = state.committed & ~listing.listed
        counted = listing.listed if self.standby_counts_old else listing.listed & ~OLD
        applied = state.stock + pending.bit_count() + counted.bit_count()
        sure = EXACT if not pending and not hidden else RAISES if not hidden or self.unlisted else 0
        return Standby("ready", applied, state.version, mine.position, sure, None, listing.gone)  # type: ignore[arg-type]

    def _standby_steps(self, found: list[Step], state: State) -> None:
        mine = state.standby
        if mine.phase != "ready" or mine.flight is not None or mine.clean == EXACT:
            super()._standby_steps(found, state)
            return
        if mine.position < len(state.levels) - 1:
            found.append(("B.feed", state._replace(standby=mine._replace(position=mine.position + 1))))
        gone = state.predecessor.life != "alive" and state.predecessor.flight is None
        listing = mine._replace(phase=Listing(state.listed, gone), clean=False)
        found.append(("B.list", state._replace(standby=listing)))
        target = state.levels[mine.position] + self._reflected(
            state, mine.position, old=self.standby_counts_old
        )
        delta = target - mine.applied
        if delta < 0 or (delta > 0 and mine.clean):
            found.append(("B.send", state._replace(standby=mine._replace(flight=Move(delta, mine.version)))))


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("model", "states"),
    [
        (Bounded("rebase", standby_counts_old=True, orders=2), 28_797),
        (Bounded("rebase", standby_counts_old=True, orders=2, lease_checked=False), 34_975),
        (Bounded("rebase", standby_counts_old=True, receipts=0), 2_974),
    ],
    ids=["one new order", "lease never checked", "two new orders"],
)
def test_raising_from_a_bounded_base_is_exact(model: Bounded, states: int) -> None:
    """In every interleaving; with two new orders and a receipt there are 1,054,030 states."""
    result = explore(model)
    result.require_exact()
    assert result.states == states


def test_raising_while_an_order_is_not_listed_oversells() -> None:
    """The list must cover the read: what is not in it is not undone."""
    result = explore(Bounded("rebase", standby_counts_old=True, receipts=0, unlisted=True))
    must_oversell(result, "order1 -> visible1 -> B.lease -> B.list -> B.read -> B.send -> B.lands -> order2")


def test_the_truth_lies_between_all_and_none_of_the_orders_under_way() -> None:
    """What is known before is kept where it fits; below all that fits it bounds nothing: somebody has raised the entry."""
    assert bounded(None, 10, 7, 3) == 17
    assert [bounded(before, 10, 7, 3) for before in (13, 14, 16, 17, 18)] == [17, 14, 16, 17, 17]
    assert bounded(10, 12, 3, 3) == 15


async def busy(shelf: Shelf, stock: int, known: int) -> OutboxRow:
    """One read with an order on each side of it, never clean; the stock shows all but the younger one."""
    at = shelf.clock.now_ms
    await shelf.store.outbox.book_reads([entry(stock, version=known + 1, read_ms=at)], ())
    await shelf.learn(
        order(line(1), name=f"o{known}", created_ms=at - 5_000),
        order(line(1), name=f"o{known + 1}", created_ms=at + 5_000),
    )
    proven, again = await shelf.store.outbox.judge_reads(at + LAG_MS, LAG_MS, 10)
    assert (proven, again) == (0, 1)
    return await shelf.row()


async def test_a_key_ordered_every_few_seconds_is_raised_all_the_same(shelf: Shelf) -> None:
    """Hidden is at most what was under way, never more on sale than there is (S2), and a quiet moment makes it exact."""
    await shelf.read(level(1, 50))
    await shelf.store.outbox.book_lookups([entry(10, version=1)], (), (), shelf.settle_rules)
    assert await shelf.lease() == []
    shelf.clock.pass_by(100)
    row = await busy(shelf, 9, 0)
    assert (row.base, row.x_applied) == (Base.BOUNDED, 11)
    (lease,) = await shelf.lease()
    assert lease.quantity == 39
    assert lease.operation.op_id.endswith("p")


async def test_a_quiet_moment_makes_a_bounded_base_exact(shelf: Shelf) -> None:
    """And without an exception: nobody else changed anything."""
    await shelf.read(level(1, 50))
    await shelf.store.outbox.book_lookups([entry(10)], (), (), shelf.settle_rules)
    shelf.clock.pass_by(100)
    assert (await busy(shelf, 9, 0)).x_applied == 11
    shelf.clock.pass_by(100)
    at = shelf.clock.now_ms
    await shelf.store.outbox.book_reads([entry(8, version=2, read_ms=at)], ())
    assert await shelf.store.outbox.judge_reads(at + LAG_MS, LAG_MS, 10) == (1, 0)
    row = await shelf.row()
    assert (row.base, row.x_applied, row.known) == (Base.PROVEN, 10, 2)
    assert await shelf.kinds() == []


async def test_f089_a_raise_by_somebody_on_a_key_ordered_all_the_time_is_cut_at_once(shelf: Shelf) -> None:
    """No read of it is ever clean, and what no order can explain is too much all the same; what is under way is left."""
    await shelf.read(level(1, 10))
    await shelf.based(10)
    assert await shelf.store.outbox.plan_checks(None, 10) is not None
    row = await busy(shelf, 9 + 50, 0)
    assert (row.base, row.x_applied, row.known) == (Base.BOUNDED, 61, 2)
    (case,) = await shelf.cases(CaseKind.DRIFT)
    assert "at least 49 pieces more" in case.reason
    (cut,) = await shelf.lease()
    assert cut.quantity == -51


async def test_f084_orders_around_a_read_of_a_proven_key_change_nothing(shelf: Shelf) -> None:
    """What they may explain is no drift, in either direction."""
    await shelf.read(level(1, 10))
    await shelf.based(10)
    await shelf.store.outbox.plan_checks(None, 10)
    row = await busy(shelf, 9, 0)
    assert (row.base, row.x_applied, row.read_at_ms) == (Base.PROVEN, 10, None)
    assert await shelf.kinds() == []

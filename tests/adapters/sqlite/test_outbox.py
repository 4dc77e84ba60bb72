"""The outbox in the store: intents before bytes, exact settlements, and bases that never raise unproven."""

from __future__ import annotations

from dataclasses import replace

import pytest

from archsyncd.domain.cases import CaseKind, NewCase
from archsyncd.domain.inventory import Marker, WriteKind
from archsyncd.domain.ledger import Base
from archsyncd.domain.lookup import unsold
from archsyncd.domain.outbox import LATE_LANDING_MS, SUPERSEDED_LIMIT
from archsyncd.domain.priority import DueClass
from archsyncd.domain.report import KeyCounts
from archsyncd.domain.rules import DrainLimits, SettleRules
from archsyncd.domain.settlement import (
    Booked,
    Doubted,
    Foreign,
    GivenUp,
    LandedLate,
    Parked,
    PutBack,
    Settled,
    Vanished,
)
from tests.adapters.sqlite.shelf import CONFIRM_MS, LAG_MS, LEDGER, QUIET, Shelf, entry
from tests.domain.nouns import BORN_MS, accepted, channel, key, level, line, order, place, rules

PACED = SettleRules(2_000, CONFIRM_MS, 0)
COMPLETE = SettleRules(0, CONFIRM_MS, orders_complete_ms=BORN_MS + 1, tenure_since_ms=BORN_MS)
OWN = Marker(LEDGER, "0.7", 8, "0.7", 0)


async def ready(shelf: Shelf, target: int = 7, stock: int = 10) -> None:
    """A key whose entry shows `stock` beyond doubt and should show `target`."""
    await shelf.read(level(1, target))
    await shelf.based(stock)


async def test_f005_an_intent_is_durable_before_the_lease_is_given(shelf: Shelf) -> None:
    """After a crash it is found in doubt, with its id, delta and base (S6)."""
    await ready(shelf)
    (lease,) = await shelf.lease()
    await shelf.again()
    (row,) = await shelf.store.outbox.in_doubt(10)
    assert row.operation == lease.operation
    assert await shelf.lease() == []


async def test_f007_a_booked_operation_stands_in_what_is_applied(shelf: Shelf) -> None:
    """S5, S14: found on the entry after a crash, it is booked once and for all."""
    await ready(shelf)
    (lease,) = await shelf.lease()
    await shelf.again()
    row = await shelf.settle(lease, Booked("E", 2))
    assert (row.x_applied, row.version, row.op_id, row.seen) == (
        7,
        2,
        None,
        f"{LEDGER}/{lease.operation.op_id}",
    )
    assert (await shelf.settle(lease, Booked("E", 3))).version == 2


async def test_s3_operation_numbers_only_rise(shelf: Shelf) -> None:
    """S3: across restarts the fence is newer, within one the counter rises."""
    await shelf.read(*(level(number, 5, sku=f"S{number}") for number in range(1, 9)))
    numbers = []
    for number in range(1, 9):
        await shelf.based(10, key(f"S{number}"), name=f"E{number}")
    for _ in range(2):
        for lease in await shelf.lease(3):
            numbers.append(tuple(int(part) for part in lease.operation.op_id.split(".")))
            await shelf.settle(lease, PutBack())
        await shelf.again()
    assert numbers == sorted(set(numbers))


async def test_f006_an_operation_in_doubt_is_neither_leased_nor_replaced(shelf: Shelf) -> None:
    """S6: whatever happens to the target meanwhile; it is resolved first, after its delay."""
    await ready(shelf)
    (lease,) = await shelf.lease()
    await shelf.settle(lease, Doubted(500))
    await shelf.read(level(2, 3))
    assert await shelf.lease() == []
    assert await shelf.store.outbox.in_doubt(10) == []
    shelf.clock.pass_by(1)
    (row,) = await shelf.store.outbox.in_doubt(10)
    assert row.operation == lease.operation
    await shelf.settle(lease, Booked("E", 2))
    (further,) = await shelf.lease()
    assert (further.operation.base, further.operation.x_after) == (7, 3)


async def test_f074_a_throttled_operation_waits_and_is_a_new_one(shelf: Shelf) -> None:
    """It took no effect: nothing stays in flight."""
    await ready(shelf)
    (lease,) = await shelf.lease()
    row = await shelf.settle(lease, PutBack(1_000, version=4))
    assert (row.op_id, row.version, row.attempts) == (None, 4, 1)
    assert await shelf.lease() == []
    assert await shelf.store.outbox.most_urgent(DrainLimits()) is None
    shelf.clock.pass_by(2)
    (again,) = await shelf.lease()
    assert again.version == 4
    assert again.operation.op_id != lease.operation.op_id


async def test_f048_a_restart_ends_every_wait_on_the_old_clock(shelf: Shelf) -> None:
    """Waits are kept in monotonic time of one run; another run's clock says nothing of them."""
    await ready(shelf)
    (lease,) = await shelf.lease()
    await shelf.settle(lease, PutBack(10_000_000))
    shelf.clock.seconds = 5.0
    await shelf.again()
    assert len(await shelf.lease()) == 1


async def test_f056_an_operation_given_up_is_followed_until_a_write_has_landed(shelf: Shelf) -> None:
    """Its id stays known; landing late it is recognised, and the base goes on from there."""
    await ready(shelf)
    (lost,) = await shelf.lease()
    await shelf.settle(lost, Doubted())
    row = await shelf.settle(lost, GivenUp(1))
    assert row.superseded == (lost.operation.op_id,)
    await shelf.read(level(2, 4))
    (second,) = await shelf.lease()
    await shelf.settle(second, Doubted())
    row = await shelf.settle(second, LandedLate(7, "E", 2, lost.operation.op_id))
    assert (row.x_applied, row.superseded, row.op_id, row.version) == (7, (), None, 2)
    (third,) = await shelf.lease()
    assert (third.operation.base, third.operation.x_after, third.version) == (7, 4, 2)


async def test_f056_no_check_proves_a_base_while_a_lost_request_may_land(shelf: Shelf) -> None:
    """The check that is due is put off beyond commercetools' own limit of a request."""
    await ready(shelf)
    (lost,) = await shelf.lease()
    await shelf.settle(lost, GivenUp(1))
    shelf.clock.pass_by(LATE_LANDING_MS / 1000 - 1)
    assert await shelf.store.outbox.checks_due(10) == []
    shelf.clock.pass_by(1)
    assert len(await shelf.store.outbox.checks_due(10)) == 1


async def test_f080_with_too_many_given_up_the_same_operation_goes_out_again(shelf: Shelf) -> None:
    """The list of ids that may land is bounded, and a level in between does not lose the row from the order."""
    await ready(shelf)
    for _ in range(SUPERSEDED_LIMIT):
        (lease,) = await shelf.lease()
        await shelf.settle(lease, GivenUp(1))
    (last,) = await shelf.lease()
    row = await shelf.settle(last, GivenUp(1))
    assert len(row.superseded) == SUPERSEDED_LIMIT
    await shelf.read(level(2, 3))
    (again,) = await shelf.lease()
    assert again.operation == last.operation
    row = await shelf.settle(again, Booked("E", 2))
    assert (row.x_applied, row.superseded) == (7, ())
    assert len(await shelf.lease()) == 1


async def test_f089_a_foreign_marker_takes_a_new_base_that_may_only_lower(shelf: Shelf) -> None:
    """Somebody else wrote: x_applied is what the entry shows with the known orders undone, provisional."""
    await ready(shelf, target=9)
    await shelf.learn(order(line(2)))
    (lease,) = await shelf.lease()
    foreign = entry(30, version=5, marker=Marker("other", "3.3", 33, "", 0))
    row = await shelf.settle(lease, Foreign(foreign))
    assert (row.x_applied, row.base, row.op_id, row.version) == (32, Base.PROVISIONAL, None, 5)
    assert await shelf.kinds() == [CaseKind.FOREIGN_WRITER]
    (cut,) = await shelf.lease()
    assert (cut.quantity, cut.operation.op_id[-1]) == (-23, "p")
    await shelf.settle(cut, Booked("E", 6))
    await shelf.read(level(2, 50))
    assert await shelf.lease() == []


async def test_f070_a_vanished_entry_is_looked_up_before_anything_is_written(shelf: Shelf) -> None:
    """And where lines are known, a new one starts with nothing to sell."""
    await ready(shelf)
    await shelf.learn(order(line(2), created_ms=BORN_MS + 1))
    (lease,) = await shelf.lease()
    row = await shelf.settle(lease, Vanished())
    assert (row.base, row.op_id) == (Base.UNKNOWN, None)
    assert await shelf.lease() == []
    assert [found.key for found in await shelf.store.outbox.unknown_bases(None, 10)] == [key()]
    await shelf.store.outbox.book_lookups([], [key()], (), QUIET)
    row = await shelf.row()
    assert (row.base, row.ntrk, row.known, row.x_target) == (Base.PROVISIONAL, 2, 0, 5)
    (create,) = await shelf.lease()
    assert (create.kind, create.quantity) == (WriteKind.CREATE, 0)
    row = await shelf.settle(create, Booked("E2", 1, BORN_MS + 5_000))
    assert (row.x_applied, row.due_class) == (0, None)
    shelf.clock.pass_by(20)
    read = entry(
        0, version=1, marker=Marker(LEDGER, create.operation.op_id, 0), name="E2", read_ms=shelf.clock.now_ms
    )
    await shelf.store.outbox.book_reads([read], ())
    assert await shelf.store.outbox.judge_reads(shelf.clock.now_ms + LAG_MS, LAG_MS, 10) == (1, 0)
    (raised,) = await shelf.lease()
    assert raised.quantity == 5


async def test_f081_a_permanent_refusal_parks_the_key_alone(shelf: Shelf) -> None:
    """An exception with commercetools' code; others go on; a person lets it go on."""
    await shelf.read(level(1, 7), level(2, 4, sku="B"))
    await shelf.based(10)
    await shelf.based(10, key("B"), name="EB")
    first, second = await shelf.lease()
    row = await shelf.settle(first, Parked(CaseKind.STOCK_UPDATE_FAILED, "InvalidField", "no"))
    assert (row.op_id, row.parked) == (None, "stock_update_failed")
    (case,) = await shelf.cases()
    assert (case.code, case.subject) == ("InvalidField", first.key.sku)
    await shelf.settle(second, Booked("EB", 2))
    assert await shelf.lease() == []
    await shelf.store.outbox.free_key(first.key)
    (again,) = await shelf.lease()
    assert again.key == first.key


async def test_a_write_accepted_after_failures_closes_the_exception(shelf: Shelf) -> None:
    """The case closes itself once its cause is gone."""
    await ready(shelf)
    (lease,) = await shelf.lease()
    await shelf.settle(lease, PutBack())
    await shelf.store.cases.open(NewCase(CaseKind.STOCK_UPDATE_FAILED, "web", "A", "failed"))
    (again,) = await shelf.lease()
    await shelf.settle(again, Booked("E", 2))
    assert await shelf.cases() == []


async def test_increases_are_paced_and_decreases_are_not(shelf: Shelf) -> None:
    """Several raises of a key within the interval cost one write; a fall in between goes at once."""
    await ready(shelf, target=12)
    (raised,) = await shelf.lease()
    await shelf.settle(raised, Booked("E", 2), PACED)
    await shelf.read(level(2, 15))
    assert await shelf.lease() == []
    await shelf.read(level(3, 6))
    (cut,) = await shelf.lease()
    assert cut.quantity == -6
    await shelf.settle(cut, Booked("E", 3), PACED)
    await shelf.read(level(4, 15))
    (again,) = await shelf.lease()
    assert again.quantity == 9
    await shelf.settle(again, Booked("E", 4), PACED)
    await shelf.read(level(5, 16))
    assert await shelf.lease() == []
    shelf.clock.pass_by(2)
    assert [lease.quantity for lease in await shelf.lease()] == [1]


async def test_a_backoff_holds_decreases_too(shelf: Shelf) -> None:
    """Pacing is a courtesy to raises; a refusal's wait is for every write of the key."""
    await ready(shelf)
    (lease,) = await shelf.lease()
    await shelf.settle(lease, PutBack(60_000))
    assert await shelf.lease() == []


async def spread(shelf: Shelf) -> None:
    """One key of each class, proven, and the row of each due."""
    await shelf.read(
        level(1, 2, sku="near"),
        level(2, 40, sku="far"),
        level(3, 9, sku="from-zero"),
        level(4, 90, sku="more"),
        level(5, 0, sku="empty"),
    )
    for number, (sku, stock) in enumerate(
        [("near", 30), ("far", 50), ("from-zero", 0), ("more", 80), ("empty", 3)], start=1
    ):
        await shelf.based(stock, key(sku), name=f"E{number}")


async def test_s7_decreases_go_first_and_the_nearest_to_empty_first_of_all(shelf: Shelf) -> None:
    """Class, then nearness to zero: an oversell is cheaper to prevent than a missed sale to regain."""
    await spread(shelf)
    leases = await shelf.lease()
    assert [lease.key.sku for lease in leases] == ["empty", "near", "far", "from-zero", "more"]


async def test_s7_only_decreases_are_leased_when_increases_must_stop(shelf: Shelf) -> None:
    """The lease service is out of reach: stopping decreases is the only thing that can oversell."""
    await spread(shelf)
    leases = await shelf.lease(increases=False)
    assert [lease.key.sku for lease in leases] == ["empty", "near", "far"]


async def test_s7_increases_that_waited_beyond_the_bound_get_their_share(shelf: Shelf) -> None:
    """So many places as the limits say, so that a stream of decreases cannot hold them back for ever."""
    await spread(shelf)
    shelf.clock.pass_by(120)
    before_ms = shelf.clock.now_ms - 60_000
    assert await shelf.store.outbox.increases_waiting(()) == 2
    leases = await shelf.lease(2, overdue_before_ms=before_ms, overdue_keys=1)
    assert [lease.increases for lease in leases] == [False, True]
    assert not any(lease.increases for lease in await shelf.lease(2, overdue_before_ms=before_ms))


async def test_s7_an_increase_that_waited_its_time_is_as_urgent_as_a_decrease(shelf: Shelf) -> None:
    """Else look-ups, which go before other increases, would hold it back."""
    await shelf.read(level(1, 12))
    await shelf.based(10)
    outbox = shelf.store.outbox
    assert await outbox.most_urgent(DrainLimits()) is DueClass.INCREASE
    late = DrainLimits(overdue_before_ms=shelf.clock.now_ms + 1)
    assert await outbox.most_urgent(late) is DueClass.DECREASE
    assert await outbox.most_urgent(replace(late, increases=False)) is None


async def test_f056_a_settlement_that_cannot_be_stored_takes_no_other_with_it(shelf: Shelf) -> None:
    """The others are booked; it stays in doubt, is read again after a while, and somebody is told."""
    names = [f"S{number}" for number in range(7)]
    await shelf.read(*(level(10 + number, 5, sku=sku) for number, sku in enumerate(names)))
    for sku in names:
        await shelf.based(9, key(sku), name=f"E-{sku}")
    leases = await shelf.lease()
    settled = [
        Settled(
            lease.key,
            lease.operation.op_id,
            # A version that no column holds stands for whatever a row refuses.
            Booked(lease.entry_id or "", 2**70 if lease.key.sku == "S3" else 2),
        )
        for lease in leases
    ]
    await shelf.store.outbox.settle(settled, QUIET)
    rows = {sku: await shelf.row(key(sku)) for sku in names}
    assert [sku for sku, row in rows.items() if row.op_id is not None] == ["S3"]
    assert rows["S3"].in_doubt
    assert await shelf.store.outbox.in_doubt(10) == []
    (case,) = await shelf.cases(CaseKind.STOCK_UPDATE_FAILED)
    assert (case.subject, case.code) == ("S3", "unbookable")
    shelf.clock.pass_by(30)
    (again,) = await shelf.store.outbox.in_doubt(10)
    assert again.key.sku == "S3"
    await shelf.store.outbox.settle([Settled(again.key, again.op_id or "", Booked("E-S3", 2))], QUIET)
    assert await shelf.cases() == []


async def test_a_paused_channel_is_left_alone(shelf: Shelf) -> None:
    """Its keys stay due."""
    await ready(shelf)
    assert await shelf.lease(paused=("web",)) == []
    assert await shelf.store.outbox.due_count(DrainLimits(paused=("web",)), 10) == 0
    assert await shelf.store.outbox.due_count(DrainLimits(), 10) == 1
    assert len(await shelf.lease(paused=("shop",))) == 1


async def test_what_must_still_wait_is_not_counted_as_due(shelf: Shelf) -> None:
    """An increase within its interval, or any while increases must stop, is nothing to take tokens for."""
    await ready(shelf, target=12)
    (lease,) = await shelf.lease()
    await shelf.settle(lease, Booked("E", 4), PACED)
    await shelf.read(level(2, 14))
    outbox = shelf.store.outbox
    assert await outbox.due_count(DrainLimits(), 10) == 0
    shelf.clock.pass_by(2)
    assert await outbox.due_count(DrainLimits(), 10) == 1
    assert await outbox.due_count(DrainLimits(increases=False), 10) == 0


async def test_f034_a_foreign_entry_gives_a_provisional_base(shelf: Shelf) -> None:
    """It lowers at once, raises only after a clean read, and its increments prove nothing."""
    await shelf.read(level(1, 7))
    await shelf.store.outbox.book_lookups([entry(10)], (), (), COMPLETE)
    row = await shelf.row()
    assert (row.base, row.x_applied) == (Base.PROVISIONAL, 10)
    (cut,) = await shelf.lease()
    await shelf.settle(cut, Booked("E", 2))
    await shelf.read(level(2, 20))
    assert await shelf.lease() == []
    read = entry(7, version=2, marker=Marker(LEDGER, cut.operation.op_id, 7), read_ms=shelf.clock.now_ms)
    assert len(await shelf.store.outbox.checks_due(10)) == 1
    await shelf.store.outbox.book_reads([read], ())
    assert await shelf.store.outbox.judge_reads(read.read_at_ms + LAG_MS - 1, LAG_MS, 10) == (0, 0)
    assert await shelf.store.outbox.judge_reads(read.read_at_ms + LAG_MS, LAG_MS, 10) == (1, 0)
    assert [lease.quantity for lease in await shelf.lease()] == [13]


async def test_f034_an_order_learnt_after_a_foreign_entry_was_read_lets_no_decrease_wait(
    shelf: Shelf,
) -> None:
    """The entry showed the order's effect, the list did not yet: the store sale of two must go out all the same."""
    await shelf.read(level(1, 10))
    await shelf.store.outbox.book_lookups([entry(8, read_ms=BORN_MS + 9_000)], (), (), COMPLETE)
    await shelf.read(level(2, 8))
    assert await shelf.lease() == []
    await shelf.learn(order(line(2), created_ms=BORN_MS + 8_000))
    (cut,) = await shelf.lease()
    assert cut.quantity == -2
    row = await shelf.settle(cut, Booked("E", 2))
    assert (row.x_applied, row.applied, row.x_target) == (6, 8, 8)
    await shelf.learn(order(line(3), name="o2", created_ms=BORN_MS + 11_000))
    assert await shelf.lease() == []


async def test_f142_an_edited_order_counts_late_as_well(shelf: Shelf) -> None:
    """What an edit adds may show in the read that a provisional base rests on."""
    await shelf.read(level(1, 10))
    await shelf.learn(order(line(1), created_ms=BORN_MS + 5_000))
    await shelf.store.outbox.book_lookups([entry(6, read_ms=BORN_MS + 9_000)], (), (), COMPLETE)
    assert (await shelf.row()).applied == 7
    await shelf.learn(order(line(4), created_ms=BORN_MS + 5_000, version=2))
    assert ((await shelf.row()).applied, (await shelf.row()).known) == (10, 4)


async def test_f032_our_own_marker_is_adopted_once_orders_are_complete(shelf: Shelf) -> None:
    """And read once more when nothing of a predecessor can land any more."""
    await shelf.read(level(1, 7))
    await shelf.store.outbox.book_lookups([entry(5, marker=OWN)], (), (), QUIET)
    assert (await shelf.row()).base is Base.PROVISIONAL
    await shelf.read(level(1, 7, sku="B"))
    await shelf.store.outbox.book_lookups([entry(5, key("B"), marker=OWN, name="EB")], (), (), COMPLETE)
    row = await shelf.row(key("B"))
    assert (row.base, row.x_applied, row.check_due_ms) == (Base.PROVEN, 8, shelf.clock.now_ms + CONFIRM_MS)
    await shelf.read(level(1, 7, sku="C"))
    weak = replace(OWN, op_id="0.7p")
    await shelf.store.outbox.book_lookups([entry(5, key("C"), marker=weak, name="EC")], (), (), COMPLETE)
    assert (await shelf.row(key("C"))).base is Base.PROVISIONAL


async def test_f032_a_confirm_read_that_finds_anothers_write_takes_the_base_anew(shelf: Shelf) -> None:
    """A late request of a dead predecessor is not blamed on drift: the marker tells."""
    await shelf.read(level(1, 7))
    await shelf.store.outbox.book_lookups([entry(5, marker=OWN)], (), (), COMPLETE)
    shelf.clock.pass_by(CONFIRM_MS / 1000)
    late = entry(9, version=2, marker=replace(OWN, op_id="0.8", x=12), read_ms=shelf.clock.now_ms)
    await shelf.store.outbox.book_reads([late], ())
    row = await shelf.row()
    assert (row.base, row.x_applied, row.version) == (Base.PROVISIONAL, 9, 2)


async def test_lines_older_than_the_entry_count_untracked(shelf: Shelf) -> None:
    """Whether learnt before the base or after it."""
    await shelf.learn(order(line(2), created_ms=BORN_MS - 1))
    await shelf.read(level(1, 10))
    await shelf.store.outbox.book_lookups([entry(10)], (), (), QUIET)
    await shelf.learn(order(line(1), name="o2", created_ms=BORN_MS - 1), order(line(4), name="o3"))
    row = await shelf.row()
    assert (row.ntrk, row.known, row.x_applied) == (3, 4, 10)


async def test_a_line_learnt_while_its_entry_is_being_created_counts_untracked(shelf: Shelf) -> None:
    """It was ordered before there was an entry that it could have touched."""
    await shelf.read(level(1, 10))
    await shelf.store.outbox.book_lookups([], [key()], (), QUIET)
    (create,) = await shelf.lease()
    await shelf.learn(order(line(2), created_ms=BORN_MS))
    row = await shelf.settle(create, Booked("E", 1, BORN_MS + 5_000))
    assert (row.ntrk, row.known, row.x_applied, row.x_target) == (2, 0, 10, 8)
    assert [lease.quantity for lease in await shelf.lease()] == [-2]


async def test_f125_an_unsold_sku_is_parked_and_released_when_the_product_appears(shelf: Shelf) -> None:
    """Looked for again slowly; nothing is created blindly; the case closes itself."""
    await shelf.read(level(1, 10))
    await shelf.store.outbox.book_lookups([], (), [unsold(key(), 10)], QUIET)
    assert (await shelf.row()).parked == "sku_not_found"
    assert await shelf.kinds() == [CaseKind.SKU_NOT_FOUND]
    assert await shelf.store.outbox.unknown_bases(None, 10) == []
    assert await shelf.lease() == []
    shelf.clock.pass_by(31)
    assert len(await shelf.store.outbox.unknown_bases(None, 10)) == 1
    await shelf.store.outbox.book_lookups([], (), [unsold(key(), 10)], QUIET)
    assert [case.count for case in await shelf.cases()] == [1]
    await shelf.store.outbox.book_lookups([], [key()], (), QUIET)
    assert await shelf.cases() == []
    assert [lease.kind for lease in await shelf.lease()] == [WriteKind.CREATE]


async def test_f090_restockable_in_days_is_told(shelf: Shelf) -> None:
    """While it is set, commercetools sells without stock."""
    await shelf.read(level(1, 10))
    await shelf.store.outbox.book_lookups([entry(10, restockable_in_days=0)], (), (), QUIET)
    assert await shelf.kinds() == [CaseKind.RESTOCKABLE_IN_DAYS]


async def test_f092_in_untracked_mode_the_target_is_written_as_it_is(shelf: Shelf) -> None:
    """Absolute and without a base to prove."""
    await shelf.store.use_rules(rules(tracked=False))
    await shelf.read(level(1, 10))
    await shelf.learn(order(line(3)))
    await shelf.store.outbox.book_lookups([entry(50)], (), (), QUIET)
    (lease,) = await shelf.lease(absolute=True)
    assert (lease.kind, lease.quantity) == (WriteKind.SET, 7)
    assert CaseKind.UNTRACKED_DEMAND in await shelf.kinds()


async def test_f084_a_read_with_an_order_in_its_window_is_made_again(shelf: Shelf) -> None:
    """The order may or may not show in it."""
    await shelf.read(level(1, 20))
    await shelf.store.outbox.book_lookups([entry(10)], (), (), QUIET)
    shelf.clock.pass_by(60)
    at = shelf.clock.now_ms
    await shelf.store.outbox.book_reads([entry(10, read_ms=at)], ())
    await shelf.learn(order(line(2), created_ms=at + 4_000))
    assert await shelf.store.outbox.judge_reads(at + LAG_MS, LAG_MS, 10) == (0, 1)
    assert (await shelf.row()).base is Base.BOUNDED
    assert await shelf.store.outbox.checks_due(10) == []
    shelf.clock.pass_by(60)
    await shelf.store.outbox.book_reads([entry(8, read_ms=shelf.clock.now_ms)], ())
    assert await shelf.store.outbox.judge_reads(shelf.clock.now_ms + LAG_MS, LAG_MS, 10) == (1, 0)
    assert [lease.quantity for lease in await shelf.lease()] == [10]


async def test_f084_orders_after_the_read_are_no_part_of_it(shelf: Shelf) -> None:
    """Known by the time of judging, created after the window: they were not in the stock that was read."""
    await shelf.read(level(1, 20))
    await shelf.store.outbox.book_lookups([entry(10)], (), (), QUIET)
    shelf.clock.pass_by(60)
    at = shelf.clock.now_ms
    await shelf.store.outbox.book_reads([entry(10, read_ms=at)], ())
    await shelf.learn(order(line(2), created_ms=at + LAG_MS + 1))
    assert await shelf.store.outbox.judge_reads(at + 60_000, LAG_MS, 10) == (1, 0)
    assert (await shelf.row()).x_applied == 10


async def test_f084_a_read_older_than_our_last_write_is_dropped(shelf: Shelf) -> None:
    """It was asked for before the write and answered after it: its version tells."""
    await ready(shelf, target=7, stock=10)
    await shelf.read(level(2, 6))
    shelf.clock.pass_by(60)
    (lease,) = await shelf.lease()
    await shelf.settle(lease, PutBack(version=2, check=True))
    (again,) = await shelf.lease()
    await shelf.settle(again, Booked("E", 3))
    await shelf.store.outbox.book_reads([entry(10, version=2, read_ms=shelf.clock.now_ms)], ())
    row = await shelf.row()
    assert (row.version, row.read_at_ms) == (3, None)


async def look(shelf: Shelf, stock: int) -> int | None:
    """Have the entry checked once, as after a conflict that nothing explains, and say what is applied then."""
    await shelf.read(level(shelf.checkpoints + 100, -50))
    (cut,) = await shelf.lease()
    row = await shelf.settle(cut, PutBack(check=True))
    ledger, _, op_id = (row.seen or "").partition("/")
    marker = Marker(ledger or None, op_id or None, row.x_applied)
    found = entry(stock, version=row.version or 0, marker=marker, read_ms=shelf.clock.now_ms)
    await shelf.store.outbox.book_reads([found], ())
    await shelf.store.outbox.judge_reads(shelf.clock.now_ms + LAG_MS, LAG_MS, 10)
    shelf.clock.pass_by(60)
    return (await shelf.row()).x_applied


async def test_s11_a_surplus_is_cut_on_the_first_clean_look(shelf: Shelf) -> None:
    """Somebody added pieces: an exception, and an ordinary marked decrease."""
    await ready(shelf, target=10, stock=10)
    assert await look(shelf, 13) == 13
    assert await shelf.kinds() == [CaseKind.DRIFT]
    await shelf.read(level(shelf.checkpoints + 100, 10))
    assert [lease.quantity for lease in await shelf.drain()] == [-3]


async def test_s11_a_shortfall_is_made_up_on_the_second_clean_look(shelf: Shelf) -> None:
    """S11: raising on one look is not safe; the same must be seen twice, and something else starts over."""
    await ready(shelf, target=10, stock=10)
    assert await look(shelf, 7) == 10
    assert await look(shelf, 8) == 10
    assert await look(shelf, 8) == 8
    await shelf.read(level(shelf.checkpoints + 100, 10))
    assert [lease.quantity for lease in await shelf.drain()] == [2]
    assert await look(shelf, 10) == 10
    assert await shelf.cases() == []


async def test_f070_an_entry_that_a_check_misses_is_looked_up(shelf: Shelf) -> None:
    """Gone behind our back: no write until it was looked for."""
    await shelf.read(level(1, 7))
    await shelf.store.outbox.book_lookups([entry(10)], (), (), QUIET)
    await shelf.store.outbox.book_reads([], [key()])
    assert (await shelf.row()).base is Base.UNKNOWN
    assert await shelf.lease() == []


async def test_parked_keys_of_one_channel_are_freed_without_the_others(shelf: Shelf) -> None:
    """However many of another channel stand before them."""
    await shelf.store.use_rules(rules(channel(place("WH1")), channel(place("A1", "aaa"), name="aaa")))
    skus = [f"S{number}" for number in range(2_100)]
    await shelf.read(*(level(1, 5, "A1", sku) for sku in skus), level(2, 7))
    unknown = [unsold(found, 5) for found in (*(key(sku, "aaa") for sku in skus), key())]
    await shelf.store.outbox.book_lookups((), (), unknown, shelf.settle_rules)
    assert await shelf.store.outbox.free("sku_not_found", "a person asks", "web") == 1
    assert (await shelf.row()).parked is None
    assert (await shelf.row(key("S1", "aaa"))).parked == "sku_not_found"
    assert await shelf.store.outbox.free("sku_not_found", "a person asks") == 2_100


async def test_the_rollout_parks_and_frees_keys_by_the_rules(shelf: Shelf) -> None:
    """Plan stage: everything is reckoned, nothing may be sent, until the SKU is on the list."""
    await shelf.store.use_rules(rules(rollout=frozenset({"B"})))
    await shelf.read(level(1, 7), level(2, 7, sku="B"))
    assert ((await shelf.row()).parked, (await shelf.row(key("B"))).parked) == ("rollout", None)
    await shelf.store.use_rules(rules(rollout=frozenset({"A"})))
    assert ((await shelf.row()).parked, (await shelf.row(key("B"))).parked) == (None, "rollout")
    await shelf.store.use_rules(rules())
    assert (await shelf.row(key("B"))).parked is None


async def test_the_plan_shows_what_would_be_written(shelf: Shelf) -> None:
    """Keys that are not as they should be, page by page; a key in step is not among them."""
    await shelf.read(level(1, 7), level(2, 5, sku="B"))
    assert [row.key.sku for row in await shelf.store.report.plan(None, 1)] == ["A"]
    assert [row.key.sku for row in await shelf.store.report.plan(key("A"), 9)] == ["B"]
    await shelf.based(7)
    assert [row.key.sku for row in await shelf.store.report.plan(None, 9)] == ["B"]
    assert await shelf.store.report.key_counts() == KeyCounts(2, to_read=1)


@pytest.mark.parametrize("learnt", [True, False])
async def test_s4_what_is_owed_is_what_the_proofs_say(shelf: Shelf, *, learnt: bool) -> None:
    """At rest S = A*: f less what is neither reflected nor tracked, orders seen or not."""
    await ready(shelf, target=10, stock=10)
    if learnt:
        await shelf.learn(order(line(3), created_ms=shelf.clock.now_ms))
    await shelf.read(accepted(2), level(3, 7))
    if not learnt:
        assert [lease.quantity for lease in await shelf.drain()] == [-3]
        await shelf.learn(order(line(3), created_ms=shelf.clock.now_ms))
        assert [lease.quantity for lease in await shelf.drain()] == [3]
    row = await shelf.row()
    assert (row.x_applied, row.x_target, row.known) == (10, 10, 3)

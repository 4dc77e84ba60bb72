"""What an entry's own custom type means for our marker, and what a read of another entry under the same key proves."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import cast

from archsyncd.domain.inventory import Failure, Forbidden, MarkerType, WriteKind
from archsyncd.domain.settlement import GivenUp, PutBack, Retaken, Vanished
from archsyncd.engine.marker_types import MarkerTypes
from archsyncd.engine.ports import Commercetools
from archsyncd.engine.shared import Shared
from tests.adapters.sqlite.shelf import LAG_MS, Shelf, entry
from tests.domain.nouns import key, level, rules
from tests.review.shop import LOST, limiter


async def test_f089_a_type_that_the_shop_gives_an_entry_later_is_never_replaced(shelf: Shelf) -> None:
    """A look at the entry takes its version: the next write must not set our type in the place of the shop's."""
    await shelf.read(level(1, 10))
    assert (await shelf.based(10)).needs_type
    await shelf.store.outbox.plan_checks(None, 10)
    seen = replace(entry(10, version=2, read_ms=shelf.clock.now_ms), type_id="the shop's")
    await shelf.store.outbox.book_reads([seen], ())
    await shelf.read(level(2, 4))
    (lease,) = await shelf.lease()
    assert (lease.version, lease.needs_type) == (2, False)


async def test_f089_a_type_met_when_an_outcome_is_resolved_is_never_replaced(shelf: Shelf) -> None:
    """Also where the version comes from the read that told that a write took no effect."""
    await shelf.read(level(1, 10))
    await shelf.based(10)
    await shelf.read(level(2, 4))
    (lease,) = await shelf.lease()
    assert lease.needs_type
    row = await shelf.settle(lease, PutBack(version=2, needs_type=False))
    assert not row.needs_type
    (lease,) = await shelf.lease()
    row = await shelf.settle(lease, GivenUp(3, needs_type=False))
    assert not row.needs_type


async def test_s4_a_read_proves_nothing_of_another_entry_under_the_same_key(shelf: Shelf) -> None:
    """Deleted and made anew by the shop, with the version that the read had: what was read of the old one is forgotten."""
    await shelf.read(level(1, 50))
    first = entry(0, version=1)
    await shelf.store.outbox.book_lookups([first], (), (), shelf.settle_rules)
    shelf.clock.pass_by(100)
    await shelf.store.outbox.book_reads([replace(first, read_at_ms=shelf.clock.now_ms)], ())
    await shelf.read(level(2, -1))
    (lease,) = await shelf.lease()
    row = await shelf.settle(lease, Vanished())
    assert row.read_stock is None
    await shelf.read(level(3, 50))
    now_ms = shelf.clock.now_ms
    second = entry(100, version=1, name="E2", read_ms=now_ms, born_ms=now_ms)
    await shelf.store.outbox.book_lookups([second], (), (), shelf.settle_rules)
    await shelf.store.outbox.judge_reads(now_ms + 10_000_000, LAG_MS, 10)
    assert (await shelf.row()).x_applied == 100


async def test_f007_untracked_a_write_that_was_lost_is_what_the_entry_shows(shelf: Shelf) -> None:
    """The level came back meanwhile: what the lost write left there is written over, not forgotten."""
    await shelf.store.use_rules(rules(tracked=False))
    await shelf.read(level(1, 5))
    await shelf.store.outbox.book_lookups([entry(5)], (), (), shelf.settle_rules)
    await shelf.read(level(2, 10))
    (lost,) = await shelf.lease(absolute=True)
    await shelf.read(level(3, 5))
    row = await shelf.settle(lost, Retaken(entry(10, version=2), may_land=False))
    assert (row.x_applied, row.check_due_ms) == (10, None)
    (again,) = await shelf.lease(absolute=True)
    assert (again.quantity, again.version) == (5, 2)


async def test_f007_untracked_a_write_that_may_still_land_is_looked_for_again(shelf: Shelf) -> None:
    """The entry stands where it was and shows what it should: what lands after that look is found by a later one."""
    await shelf.store.use_rules(rules(tracked=False))
    await shelf.read(level(1, 5))
    await shelf.store.outbox.book_lookups([entry(5)], (), (), shelf.settle_rules)
    await shelf.read(level(2, 10))
    (late,) = await shelf.lease(absolute=True)
    await shelf.read(level(3, 5))
    await shelf.settle(late, Retaken(entry(5), may_land=True))
    assert await shelf.lease(absolute=True) == []
    shelf.clock.pass_by(100)
    assert [row.key for row in await shelf.store.outbox.checks_due(10)] == [key()]
    await shelf.store.outbox.book_reads([entry(10, version=2)], ())
    (again,) = await shelf.lease(absolute=True)
    assert (again.quantity, again.version) == (5, 2)


async def test_untracked_an_entry_that_was_created_though_the_answer_was_lost_is_ours_to_write(
    shelf: Shelf,
) -> None:
    """It carries no marker there, and is no stranger's for that."""
    await shelf.store.use_rules(rules(tracked=False))
    await shelf.read(level(1, 5))
    await shelf.store.outbox.book_lookups((), [key()], (), shelf.settle_rules)
    (lost,) = await shelf.lease(absolute=True)
    await shelf.read(level(2, 7))
    row = await shelf.settle(lost, Retaken(entry(5), may_land=False))
    assert (row.entry_id, row.x_applied) == ("E", 5)
    (lease,) = await shelf.lease(absolute=True)
    assert (lease.kind, lease.quantity, lease.version) == (WriteKind.SET, 7, 1)
    assert await shelf.cases() == []


@dataclass
class Clerk:
    """Answers a wish to add our fields to the shop's type as it was told."""

    answer: MarkerType | Failure
    asked: list[str] = field(default_factory=list)

    async def extend_type(self, type_id: str) -> MarkerType | Failure:
        self.asked.append(type_id)
        return self.answer


async def test_a_type_that_lacked_our_fields_is_told_of_until_it_has_them(shelf: Shelf) -> None:
    """The note makes the verdict critical, which must not outlast its cause; an answer that was lost is no cause."""
    clerk, shared, requests = Clerk(LOST), Shared(shelf.clock), limiter(shelf.clock)
    types = MarkerTypes(cast("Commercetools", clerk), requests, shared, tracked=True, writes=lambda: True)
    types.ready = True
    typed = [replace(entry(1), type_id="the shop's")]
    await types.learn(typed)
    assert shared.notes == {}
    clerk.answer = Forbidden("manage_types", "a scope is missing")
    await types.learn(typed)
    assert "the shop's" in shared.notes["marker"]
    clerk.answer = MarkerType("the shop's", 2)
    await types.learn(typed)
    assert shared.notes == {}
    await types.learn(typed)
    assert clerk.asked == 3 * ["the shop's"]

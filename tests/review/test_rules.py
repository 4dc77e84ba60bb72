"""New rules while orders are open: lines count where the mapping says now, and a crash on the way is noticed."""

from __future__ import annotations

import asyncio

import pytest

from archsyncd.domain.cases import CaseKind
from archsyncd.domain.ledger import Base
from archsyncd.domain.lookup import unsold
from archsyncd.domain.rules import Rules
from archsyncd.domain.settlement import Booked
from tests.adapters.sqlite.shelf import QUIET, Shelf, entry
from tests.domain.nouns import BORN_MS, accepted, channel, key, level, line, order, place, rules

WEB = channel(place("WH1"))
FOREIGN = channel(place("F1", "foreign"), name="foreign")


async def fetched_again(shelf: Shelf) -> None:
    """As the refresh does: every order that is due is read and learnt once more."""
    assert await shelf.store.orders.refresh_due(10) == ["o1"]
    await shelf.learn(order(line(3, at="id-foreign"), version=4))


async def test_a_line_counts_in_its_own_channel_once_that_is_mapped(shelf: Shelf) -> None:
    """Until then it counted nowhere; its entry was lowered by commercetools all the same, and is not raised again."""
    await shelf.store.use_rules(rules(WEB))
    await shelf.read(level(1, 10, "F1"), level(2, 10))
    await shelf.learn(order(line(3, at="id-foreign"), version=4))
    assert await shelf.store.orders.fold(["o1"], shelf.clock.now_ms + 10**9) == 0
    await shelf.store.use_rules(rules(WEB, FOREIGN))
    await fetched_again(shelf)
    row = await shelf.based(7, key(channel="foreign"), born_ms=BORN_MS - 1)
    assert (row.known, row.x_applied, row.x_target) == (3, 10, 10)


async def test_a_line_leaves_the_default_channel_when_its_own_is_mapped(shelf: Shelf) -> None:
    """It was subtracted where nobody fulfils it any more; both keys come right, the new one after a clean read."""
    await shelf.store.use_rules(rules(WEB, fallback_channel="web"))
    await shelf.read(level(1, 10), level(2, 10, "F1"))
    await shelf.learn(order(line(3, at="id-foreign"), version=4))
    assert (await shelf.figures()).ntrk == 3
    await shelf.store.use_rules(rules(WEB, FOREIGN, fallback_channel="web"))
    await fetched_again(shelf)
    assert (await shelf.figures()).ntrk == 0
    assert (await shelf.figures(key(channel="foreign"))).known == 3


async def test_a_channel_mapped_again_is_read_before_it_is_raised(shelf: Shelf) -> None:
    """Orders of the time between were counted nowhere, and some are forgotten by now."""
    await shelf.store.use_rules(rules(WEB, FOREIGN))
    await shelf.read(level(1, 10, "F1"))
    await shelf.based(10, key(channel="foreign"))
    await shelf.store.use_rules(rules(WEB))
    await shelf.store.use_rules(rules(WEB, FOREIGN))
    row = await shelf.row(key(channel="foreign"))
    assert row.base is Base.PROVISIONAL
    assert row.check_due_ms is not None


async def test_what_is_committed_while_the_rules_change_counts_by_the_new_ones(shelf: Shelf) -> None:
    """The first level of a location, merged by a transaction that began under the rules before."""
    await shelf.store.use_rules(rules(WEB))
    corrected = rules(channel(place("WH1", "foreign"), name="foreign"))
    await asyncio.gather(shelf.store.use_rules(corrected), shelf.read(level(1, 10)))
    assert (await shelf.row(key(channel="foreign"))).x_target == 10


async def test_orders_are_not_counted_anew_for_rules_that_say_nothing_of_them(shelf: Shelf) -> None:
    """A buffer, a percentage, the rollout: nothing of where a line counts."""
    await shelf.store.use_rules(rules(WEB))
    await shelf.learn(order(line(3)))
    await shelf.store.use_rules(rules(channel(place("WH1", buffer=2), percentage=50)))
    assert await shelf.store.orders.refresh_due(10) == []


async def test_proofs_are_sought_again_where_a_location_joins_the_channel(shelf: Shelf) -> None:
    """An acceptance that named no place now needs both: what hangs in the air is asked for and told."""
    await shelf.store.use_rules(rules(WEB))
    await shelf.learn(order(line(3)))
    await shelf.read(accepted(1), level(2, 7))
    await shelf.store.orders.settle_lookups(["o1"])
    await shelf.store.use_rules(rules(channel(place("WH1"), place("WH2"))))
    assert [due.order_id for due in await shelf.store.orders.lookups_due(10)] == ["o1"]


@pytest.mark.parametrize("restarted_with", [rules(WEB), rules(channel(place("WH1", buffer=5)))])
async def test_f012_a_crash_in_the_middle_of_new_rules_is_noticed(
    shelf: Shelf, restarted_with: Rules
) -> None:
    """Whichever rules come next, those before or the new ones, no target of the others may stay."""
    await shelf.store.use_rules(rules(WEB))
    await shelf.read(level(1, 10))
    await shelf.store.begin_rules(rules(channel(place("WH1", buffer=5))))
    await shelf.again(restarted_with)
    assert shelf.store.ledger.rules != restarted_with.fingerprint()


async def test_d6_new_rules_give_signs_of_progress_on_the_way(shelf: Shelf) -> None:
    """A million keys take longer than a pump may be silent."""
    await shelf.store.use_rules(rules(WEB))
    for start in range(0, 6_000, 3_000):
        await shelf.read(*(level(start + n + 1, 1, sku=f"S{start + n:05}") for n in range(3_000)))
    beats: list[None] = []
    await shelf.store.use_rules(rules(channel(place("WH1", buffer=1))), lambda: beats.append(None))
    assert len(beats) >= 6
    assert (await shelf.row(key("S05999"))).f == 0


async def test_an_order_that_nothing_counts_of_is_told_and_kept_while_it_is_open(shelf: Shelf) -> None:
    """Folded, it could not be counted any more when its channel is mapped; once it is done it goes."""
    await shelf.learn(order(line(3, at="id-foreign"), version=4))
    assert len(await shelf.cases(CaseKind.ORDER_UNMAPPED_LINE.value)) == 1
    assert await shelf.store.orders.fold(["o1"], shelf.clock.now_ms) == 0
    await shelf.learn(order(line(3, at="id-foreign"), version=5, state="Complete"))
    assert await shelf.store.orders.fold(["o1"], shelf.clock.now_ms) == 1


async def test_f126_a_channel_whose_location_moved_is_drawn_down_before_the_other_is_raised(
    shelf: Shelf,
) -> None:
    """Its goods are on sale elsewhere now, but for those it has sold: whatever it still offered would be sold twice."""
    await shelf.store.use_rules(rules(WEB))
    await shelf.read(level(1, 100))
    await shelf.based(100)
    await shelf.learn(order(line(3)))
    shop = rules(channel(place("WH1", "shop"), name="shop"))
    await shelf.store.use_rules(shop)
    await shelf.learn(order(line(3), version=2))
    await shelf.based(0, key(channel="shop"))
    (first,) = await shelf.lease()
    assert (first.key, first.quantity) == (key(), -97)
    row = await shelf.settle(first, Booked("E", 2))
    assert (row.x_target, row.known) == (3, 3)
    (second,) = await shelf.lease(orders_complete_ms=2**60)
    assert (second.key, second.quantity) == (key(channel="shop"), 97)
    await shelf.again(shop)
    await shelf.store.use_rules(shop)
    assert (await shelf.row()).f == 0
    await shelf.store.use_rules(rules(WEB))
    assert ((await shelf.row()).f, (await shelf.row(key(channel="shop"))).f) == (100, 0)


async def test_f126_a_channel_whose_location_is_mapped_nowhere_stays_as_it_is(shelf: Shelf) -> None:
    """Unmapped is never zero."""
    await shelf.store.use_rules(rules(WEB))
    await shelf.read(level(1, 100))
    await shelf.store.use_rules(rules(FOREIGN))
    await shelf.store.use_rules(rules(FOREIGN, ignored=frozenset({"WH1"})))
    assert (await shelf.row()).f == 100


def only(*skus: str) -> Rules:
    return rules(WEB, rollout=frozenset(skus))


async def test_the_rollout_holds_whatever_frees_a_key_otherwise(shelf: Shelf) -> None:
    """A product that appears, an entry that is found, a person's retry: none writes what is not on the list."""
    await shelf.store.use_rules(only("B"))
    await shelf.read(level(1, 7))
    await shelf.store.outbox.book_lookups((), (), [unsold(key(), 7)], QUIET)
    assert ((await shelf.row()).parked, await shelf.kinds()) == ("rollout", [])
    await shelf.store.outbox.book_lookups((), [key()], (), QUIET)
    assert (await shelf.row()).to_create
    await shelf.store.outbox.free_key(key())
    assert ((await shelf.row()).parked, await shelf.lease()) == ("rollout", [])
    await shelf.store.use_rules(only("A"))
    assert len(await shelf.lease()) == 1


async def test_a_key_without_a_product_is_still_on_no_list_when_the_product_appears(shelf: Shelf) -> None:
    """It was parked for another reason when the list was made."""
    await shelf.store.use_rules(rules(WEB))
    await shelf.read(level(1, 7))
    await shelf.store.outbox.book_lookups((), (), [unsold(key(), 7)], QUIET)
    assert (await shelf.row()).parked == CaseKind.SKU_NOT_FOUND
    await shelf.store.use_rules(only("B"))
    await shelf.store.outbox.book_lookups([entry(9)], (), (), QUIET)
    assert ((await shelf.row()).parked, await shelf.lease()) == ("rollout", [])


async def test_a_key_in_flight_when_the_list_shrinks_comes_in_and_is_written_no_more(shelf: Shelf) -> None:
    """What went out is booked; the next change waits for the rollout."""
    await shelf.store.use_rules(rules(WEB))
    await shelf.read(level(1, 7))
    await shelf.based(10)
    (lease,) = await shelf.lease()
    await shelf.store.use_rules(only("B"))
    row = await shelf.settle(lease, Booked("E", 2))
    assert (row.x_applied, row.parked) == (7, "rollout")
    await shelf.read(level(2, 5))
    assert await shelf.lease() == []

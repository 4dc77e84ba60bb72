"""Suspected oversells and feeds that stand still, on the real store."""

from __future__ import annotations

from archsyncd.domain.cases import CaseKind
from archsyncd.domain.feed import Batch
from archsyncd.engine.shared import Shared
from archsyncd.engine.suspecting import Suspecting
from tests.adapters.sqlite.shelf import Shelf
from tests.domain.nouns import accepted, channel, level, line, order, place, rules

AFTER_SECONDS = 300.0
OVERSELL = CaseKind.SUSPECTED_OVERSELL.value


def suspecting(shelf: Shelf) -> Suspecting:
    return Suspecting(shelf.store, Shared(shelf.clock), AFTER_SECONDS, lambda: None)


async def oversold(shelf: Shelf) -> None:
    await shelf.read(level(1, 4))
    await shelf.learn(order(line(7)))


async def test_a_key_is_suspected_only_when_it_stays_so(shelf: Shelf) -> None:
    """An order that is on its way into Archean's figure looks the same for a while."""
    await oversold(shelf)
    watch = suspecting(shelf)
    await watch.look()
    shelf.clock.pass_by(AFTER_SECONDS - 1)
    await watch.look()
    assert await shelf.cases(OVERSELL) == []
    shelf.clock.pass_by(1)
    await watch.look()
    (case,) = await shelf.cases(OVERSELL)
    assert (case.scope, case.subject, case.count) == ("web", "A", 1)
    assert case.reason == (
        "3 pieces of A may be sold beyond the stock of channel web: Archean's figures come to 4, and 7 more are ordered that "
        "they do not exclude yet"
    )
    await watch.look()
    assert (await shelf.cases(OVERSELL))[0].count == 1


async def test_a_wait_that_was_interrupted_begins_anew(shelf: Shelf) -> None:
    """Twice too much for a while is not once for long."""
    await oversold(shelf)
    watch = suspecting(shelf)
    await watch.look()
    shelf.clock.pass_by(AFTER_SECONDS - 1)
    await shelf.read(level(2, 9))
    await watch.look()
    await shelf.read(level(3, 4))
    await watch.look()
    shelf.clock.pass_by(2)
    await watch.look()
    assert await shelf.cases(OVERSELL) == []


async def test_the_case_closes_when_the_stock_covers_what_was_ordered_also_after_a_restart(
    shelf: Shelf,
) -> None:
    """By a receipt, or when the order is excluded from a figure that is left."""
    await oversold(shelf)
    watch = suspecting(shelf)
    await watch.look()
    shelf.clock.pass_by(AFTER_SECONDS)
    await watch.look()
    await shelf.again()
    await shelf.read(accepted(2, "o1"), level(3, 0))
    again = suspecting(shelf)
    await again.look()
    assert await shelf.cases(OVERSELL) == []
    (closed,) = await shelf.cases(OVERSELL, "resolved")
    assert closed.note == "the stock covers what was ordered"


async def test_a_case_that_somebody_dismissed_is_not_opened_again_while_it_lasts(shelf: Shelf) -> None:
    """A person has decided; a new shortage is a new case."""
    await oversold(shelf)
    watch = suspecting(shelf)
    await watch.look()
    shelf.clock.pass_by(AFTER_SECONDS)
    await watch.look()
    (case,) = await shelf.cases(OVERSELL)
    await shelf.store.cases.close(case.id, "dismissed", "told the shopper")
    shelf.clock.pass_by(10 * AFTER_SECONDS)
    await watch.look()
    assert await shelf.cases(OVERSELL) == []
    await shelf.read(level(2, 9))
    await watch.look()
    await shelf.read(level(3, 4))
    await watch.look()
    shelf.clock.pass_by(AFTER_SECONDS)
    await watch.look()
    assert len(await shelf.cases(OVERSELL)) == 1


async def test_a_feed_that_tells_of_a_newer_head_and_gives_no_record_is_stuck(shelf: Shelf) -> None:
    """However often its head moves, which is a sign of life; one that is only slow is not."""
    watch = suspecting(shelf)

    async def told(head_seq: int, *records: int) -> None:
        await watch.look()
        await shelf.store.feeds.record(
            Batch("main", "e1", tuple(level(seq, 4) for seq in records), (), f"c{records}", head_seq=head_seq)
        )
        await watch.look()
        shelf.clock.pass_by(30)

    assert watch.stuck_seconds("main") is None
    await told(1, 1)
    assert watch.stuck_seconds("main") is None
    await told(5)
    await told(9)
    assert watch.stuck_seconds("main") == 60
    await told(12, 6)
    assert watch.stuck_seconds("main") == 30
    await told(12, 12)
    assert watch.stuck_seconds("main") is None


async def test_a_location_that_is_sold_from_now_on_and_was_told_before_is_no_stranger(shelf: Shelf) -> None:
    """Its levels were kept while nobody had mapped it."""
    await shelf.read(level(1, 4), level(2, 7, "WH2"))
    watch = suspecting(shelf)
    await watch.look()
    assert set(await shelf.store.health.told()) == {"WH1"}
    await shelf.store.use_rules(rules(channel(place("WH1"), place("WH2"))))
    await watch.look()
    assert await shelf.store.health.told() == {
        "WH1": {"main": shelf.clock.now_ms},
        "WH2": {"main": shelf.clock.now_ms},
    }

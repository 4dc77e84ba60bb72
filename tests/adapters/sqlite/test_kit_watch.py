"""Kits of which a component was never told, on the real store."""

from __future__ import annotations

from archsyncd.domain.cases import CaseKind
from archsyncd.domain.kits import Kit, Kits
from archsyncd.domain.rules import Rules
from archsyncd.engine.kit_watch import SETTLE_SECONDS, KitWatch
from archsyncd.engine.shared import Shared
from tests.adapters.sqlite.shelf import Shelf
from tests.domain.nouns import channel, level, place, rules

UNTOLD = CaseKind.KIT_COMPONENT_UNTOLD.value


def kitted(*skus: str, only: frozenset[str] = frozenset()) -> Rules:
    """Two channels with a location each; a kit of these SKUs."""
    kit = Kit("KIT", tuple((sku, 1) for sku in skus), 50, channels=only)
    return rules(channel(place("WH1")), channel(place("WH2", "shop"), name="shop"), kits=Kits({"KIT": kit}))


def watching(shelf: Shelf) -> KitWatch:
    return KitWatch(shelf.store, Shared(shelf.clock), lambda: None)


async def looks(shelf: Shelf, watch: KitWatch, seconds: float = SETTLE_SECONDS) -> list[tuple[str, str]]:
    """What is open after two looks with some time between them: channel and reason."""
    await watch.look()
    shelf.clock.pass_by(seconds)
    await watch.look()
    return [(case.scope, case.reason) for case in await shelf.cases(UNTOLD)]


async def test_a_component_is_missed_only_when_it_stays_unknown(shelf: Shelf) -> None:
    """A snapshot tells one SKU after the other; the case is opened once, and says what is missing."""
    await shelf.store.use_rules(kitted("A", "B", "C"))
    await shelf.read(level(1, 5))
    watch = watching(shelf)
    assert await looks(shelf, watch, SETTLE_SECONDS - 1) == []
    shelf.clock.pass_by(1)
    for _ in range(3):
        await watch.look()
    (case,) = await shelf.cases(UNTOLD)
    assert (case.scope, case.subject, case.count) == ("web", "KIT", 1)
    assert "never told a level of B, C at a location" in case.reason
    await shelf.read(level(2, 5, sku="B"))
    await watch.look()
    (case,) = await shelf.cases(UNTOLD)
    assert "never told a level of C at a location" in case.reason
    await shelf.read(level(3, 0, sku="C"))
    await watch.look()
    assert await shelf.cases(UNTOLD) == []


async def test_each_channel_that_is_told_of_is_looked_at_by_itself(shelf: Shelf) -> None:
    """Of one of which nothing at all was told it is the feed that somebody must look after."""
    await shelf.store.use_rules(kitted("A", "B"))
    await shelf.read(level(1, 5), level(2, 5, sku="B"))
    watch = watching(shelf)
    assert await looks(shelf, watch) == []
    await shelf.read(level(3, 5, "WH2"))
    assert [name for name, _ in await looks(shelf, watch)] == ["shop"]


async def test_a_case_of_an_earlier_run_closes_when_the_kit_is_none_any_more(shelf: Shelf) -> None:
    """There, or at all."""
    await shelf.store.use_rules(kitted("A", "Z"))
    await shelf.read(level(1, 5), level(2, 5, "WH2"))
    assert len(await looks(shelf, watching(shelf))) == 2
    await shelf.again()
    await shelf.store.use_rules(kitted("A", "Z", only=frozenset({"web"})))
    watch = watching(shelf)
    await watch.look()
    assert [case.scope for case in await shelf.cases(UNTOLD)] == ["web"]
    await shelf.store.use_rules(rules(channel(place("WH1")), channel(place("WH2", "shop"), name="shop")))
    await watch.look()
    assert await shelf.cases(UNTOLD) == []
    notes = {case.scope: case.note for case in await shelf.cases(UNTOLD, "resolved")}
    assert notes == dict.fromkeys(("web", "shop"), "it is no kit there any more")

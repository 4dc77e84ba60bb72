"""New rules are judged before they are in force: a slip in the mapping empties no shop (fault 167, S15)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from archsyncd.domain.cases import CaseKind
from archsyncd.domain.guard import GuardLimits, RuleFigures, rule_objections
from archsyncd.domain.rules import Rules, policies_of_text, policies_text
from archsyncd.engine.reckoning import Reckoning
from archsyncd.engine.shared import Shared
from tests.adapters.sqlite.shelf import Shelf, entry
from tests.domain.nouns import ON_HAND, channel, key, level, place, rules

WEB = channel(place("WH1"))
KEYS = 50


async def stocked(shelf: Shelf) -> Reckoning:
    """Fifty keys with ten pieces each, and what brings rules into force."""
    reckoning = Reckoning(shelf.store, Shared(shelf.clock), rules(WEB), GuardLimits(), lambda: None)
    await reckoning.begin()
    await shelf.read(*(level(n + 1, 10, sku=f"S{n:02d}") for n in range(KEYS)))
    await reckoning.put_in_force()
    entries = [entry(10, key(f"S{n:02d}"), name=f"E{n}") for n in range(KEYS)]
    await shelf.store.outbox.book_lookups(entries, (), (), shelf.settle_rules)
    return reckoning


async def figure(shelf: Shelf, sku: str = "S07", name: str = "web") -> int:
    return (await shelf.row(key(sku, name))).f


WRONG = [
    pytest.param(
        rules(channel(place("WH1"), safety_stock=1000)), "50 of 50 SKUs for sale would fall", id="zero"
    ),
    pytest.param(rules(channel(place("WH1", sells=ON_HAND))), "would fall to zero", id="never stated"),
    pytest.param(rules(channel(place("WH1", "shop"), name="shop")), "would fall to zero", id="moved"),
    pytest.param(rules(channel(place("WH1"), place("WH2"))), "50 of 50 SKUs would rise", id="raise"),
]


@pytest.mark.parametrize(("wanted", "why"), WRONG)
async def test_f167_rules_that_would_do_too_much_wait_for_a_person(
    shelf: Shelf, wanted: Rules, why: str
) -> None:
    """The rules before stay in force, deltas go on by them; one case says what would happen."""
    reckoning = await stocked(shelf)
    await shelf.read(*(level(n + 100, 5, "WH2", f"S{n:02d}") for n in range(KEYS)))
    reckoning.wanted = wanted
    await reckoning.put_in_force()
    assert await figure(shelf) == 10
    (case,) = await shelf.cases(CaseKind.HELD_RULES)
    assert why in case.reason
    await shelf.read(level(200, 9, sku="S07"))
    assert await figure(shelf) == 9
    await reckoning.put_in_force()
    assert (await shelf.cases(CaseKind.HELD_RULES))[0].count == 1


async def test_f167_approved_rules_are_put_in_force_once_and_as_they_were_shown(shelf: Shelf) -> None:
    """By the digest of the case; others that are wanted by now are not what was approved."""
    reckoning = await stocked(shelf)
    reckoning.wanted = rules(channel(place("WH1"), safety_stock=1000))
    await reckoning.put_in_force()
    (case,) = await shelf.cases(CaseKind.HELD_RULES)
    assert not await reckoning.approve("another")
    assert await figure(shelf) == 10
    assert await reckoning.approve(case.subject)
    assert await figure(shelf) == -990
    assert await shelf.cases(CaseKind.HELD_RULES) == []
    assert not await reckoning.approve(case.subject)


async def test_f167_a_configuration_changed_back_closes_the_case(shelf: Shelf) -> None:
    """Nothing is left to decide; and rules that do little are put in force without a word."""
    reckoning = await stocked(shelf)
    before = reckoning.wanted
    reckoning.wanted = rules(channel(place("WH1"), safety_stock=1000))
    await reckoning.put_in_force()
    reckoning.wanted = before
    await reckoning.put_in_force()
    assert await shelf.cases(CaseKind.HELD_RULES) == []
    reckoning.wanted = rules(channel(place("WH1", buffer=2)))
    await reckoning.put_in_force()
    assert (await figure(shelf), await shelf.cases()) == (8, [])


async def test_f167_a_restart_goes_by_the_rules_before_until_the_new_ones_are_judged(shelf: Shelf) -> None:
    """Edited while the daemon was down: what is merged before the judgement is not reckoned by a slip."""
    await stocked(shelf)
    wrong = rules(channel(place("WH1"), safety_stock=1000), rollout=frozenset({"S07"}))
    await shelf.again(wrong)
    reckoning = Reckoning(shelf.store, Shared(shelf.clock), wrong, GuardLimits(), lambda: None)
    await reckoning.begin()
    await shelf.read(level(300, 9, sku="S07"))
    assert await figure(shelf) == 9
    await reckoning.put_in_force()
    assert await figure(shelf) == 9
    assert len(await shelf.cases(CaseKind.HELD_RULES)) == 1
    assert (await shelf.row(key("S08"))).parked == "rollout"


async def test_f167_what_was_never_for_sale_holds_no_correction(shelf: Shelf) -> None:
    """On the first day a channel's key is mistyped: none of its keys has an entry, and putting it right empties nothing."""
    wrong = rules(channel(place("WH1", "wbe"), name="wbe"))
    reckoning = Reckoning(shelf.store, Shared(shelf.clock), wrong, GuardLimits(), lambda: None)
    await reckoning.begin()
    await reckoning.put_in_force()
    await shelf.read(*(level(n + 1, 10, sku=f"S{n:02d}") for n in range(KEYS)))
    reckoning.wanted = rules(WEB)
    await reckoning.put_in_force()
    assert await shelf.cases(CaseKind.HELD_RULES) == []
    assert await figure(shelf) == 10


async def test_f121_a_level_that_no_person_saw_is_not_mapped_past_the_maximum(shelf: Shelf) -> None:
    """Kept while its location was unmapped, it was held against no maximum."""
    reckoning = await stocked(shelf)
    await shelf.read(level(400, 10**12, "WH2", "S07"))
    reckoning.wanted = rules(channel(place("WH1"), place("WH2"), maximum=100))
    await reckoning.put_in_force()
    (case,) = await shelf.cases(CaseKind.HELD_RULES)
    assert "1 level would count above" in case.reason
    assert await figure(shelf) == 10


def test_f167_each_limit_is_allowed_and_one_more_is_not() -> None:
    """30 % of what is for sale may fall to zero, 50 % of all keys may rise."""
    at_limit = RuleFigures(keys=100, in_stock=100, to_zero=30, raised=50)
    assert rule_objections(at_limit, GuardLimits()) == ()
    assert len(rule_objections(replace(at_limit, to_zero=31), GuardLimits())) == 1
    assert len(rule_objections(replace(at_limit, raised=51), GuardLimits())) == 1
    assert rule_objections(RuleFigures(), GuardLimits()) == ()


def test_policies_survive_being_written_down() -> None:
    """Read again they are what they were, and say the same."""
    policies = rules(
        channel(place("WH1", buffer=2), place("WH2", sells=ON_HAND), percentage=80, order_location="WH1"),
        ignored=frozenset({"RET"}),
        fallback_channel="web",
        reflection_seconds=90,
    ).policies
    assert policies_of_text(policies_text(policies)) == policies
    assert policies_text(policies_of_text(policies_text(policies))) == policies_text(policies)

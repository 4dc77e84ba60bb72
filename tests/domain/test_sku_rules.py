"""Rules of single SKUs: which counts, and that none of them ever offers more than there is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsyncd.domain.feed import Position
from archsyncd.domain.rules import Rules, policies_of_text, policies_text
from archsyncd.domain.sku_rules import SkuRule, SkuRules, sku_rules_of_text
from archsyncd.domain.stock import ChannelPolicy, LocationPolicy, Policies, StoredLevel, sellable_quantity

PLACES = {"WH1": LocationPolicy("WH1", "web")}
RULES = st.builds(
    SkuRule,
    st.none() | st.integers(0, 9),
    st.none() | st.integers(0, 100),
    st.booleans(),
)
SKUS = st.text("AB1[*?", min_size=1, max_size=4)
ALL = st.builds(
    SkuRules,
    st.dictionaries(st.text("AB1[", min_size=1, max_size=3), RULES, max_size=3),
    st.lists(st.tuples(st.sampled_from(["A*", "*B", "??", "[A]*", "*"]), RULES), max_size=3).map(tuple),
)


@pytest.mark.parametrize(
    ("sku", "safety"), [("AB", 1), ("ABC", 2), ("XB", 3), ("XYB", None), ("[A]", 4), ("A", 2), ("", None)]
)
def test_a_named_sku_goes_by_its_line_any_other_by_the_first_pattern_that_fits(
    sku: str, safety: int | None
) -> None:
    """Brackets are signs like any other."""
    patterns = (("A*", SkuRule(2)), ("?B", SkuRule(3)), ("[A]", SkuRule(4)), ("A*", SkuRule(9)))
    found = SkuRules({"AB": SkuRule(1)}, patterns).of(sku)
    assert (None if found is None else found.safety_stock) == safety


def f(rules: SkuRules, sku: str, pieces: int, safety: int = 3, percentage: int = 50) -> int:
    policy = ChannelPolicy("web", PLACES, safety, percentage, skus=rules).of(sku)
    return sellable_quantity(policy, [StoredLevel("WH1", "main", Position(1, 1), pieces, pieces)])


def test_what_a_rule_leaves_open_is_the_channels() -> None:
    """Ten pieces, half of them, less three."""
    assert f(SkuRules(), "A", 10) == 2
    assert f(SkuRules({"A": SkuRule(safety_stock=0)}), "A", 10) == 5
    assert f(SkuRules({"A": SkuRule(percentage=100)}), "A", 10) == 7
    assert f(SkuRules({"A": SkuRule(offer=False)}), "A", 10) == 0
    assert f(SkuRules({"A": SkuRule(offer=False)}), "A", -4) == -7
    assert f(SkuRules({"A": SkuRule(offer=False)}), "B", 10) == 2


@given(ALL, SKUS, st.integers(-50, 50))
def test_no_rule_offers_more_than_there_is(rules: SkuRules, sku: str, pieces: int) -> None:
    """And one that is not offered never is, nor is its debt forgotten."""
    found = f(rules, sku, pieces)
    assert found <= pieces
    rule = rules.of(sku)
    if rule is not None and not rule.offer:
        assert found <= min(pieces, 0)


@given(ALL)
def test_rules_are_kept_as_text_and_found_again(rules: SkuRules) -> None:
    """In the file of the rules in force, from which they come back over a restart; other rules have another fingerprint."""
    assert sku_rules_of_text(rules.text) == rules
    policies = Policies({"web": ChannelPolicy("web", PLACES, skus=rules)})
    assert policies_of_text(policies_text(policies)) == policies
    plain = Policies({"web": ChannelPolicy("web", PLACES)})
    assert (Rules(policies).fingerprint() == Rules(plain).fingerprint()) is not bool(rules)


def test_rules_of_a_version_without_them_are_read() -> None:
    """The text that an earlier version left behind has six values a channel."""
    plain = Policies({"web": ChannelPolicy("web", PLACES, 1, 2, 3, "WH1", 4)})
    assert '"", ' not in policies_text(plain)
    assert policies_of_text(policies_text(plain)) == plain

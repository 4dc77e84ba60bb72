"""SKU aliases: the list first, then the rules, and never two SKUs made one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsyncd.domain.aliases import Aliases, Collision

SKUS = st.text("aAbB01-", min_size=1, max_size=6)
RULES = st.builds(
    Aliases,
    st.dictionaries(SKUS, SKUS, max_size=4).map(lambda table: {name: sku for sku, name in table.items()}),
    strip_prefix=st.sampled_from(["", "a", "A-", "0"]),
    upper=st.booleans(),
    pad_left=st.integers(0, 5),
)


@pytest.mark.parametrize(
    ("archean", "sku"),
    [
        ("AR-abc", "ABC"),
        ("AR-42", "00042"),
        ("AR-", "AR-"),
        ("42x", "42X"),
        ("LISTED", "x-1"),
        ("123456", "123456"),
    ],
)
def test_a_sku_goes_by_its_line_or_by_the_rules_in_their_order(archean: str, sku: str) -> None:
    """The prefix goes, capitals come, digits are filled up; a listed one is what its line says, to the letter."""
    aliases = Aliases({"LISTED": "x-1"}, strip_prefix="AR-", upper=True, pad_left=5)
    assert aliases.named(archean) == sku


def test_a_name_that_a_line_gives_away_is_no_other_skus() -> None:
    """Archean's own B is not sold as B where A is called B; one with a line of its own is."""
    assert Aliases({"A": "B"}).named("B") == Collision("B", "A")
    assert Aliases({"A": "B"}, strip_prefix="X-").named("X-B") == Collision("B", "A")
    assert Aliases({"A": "B", "B": "A"}).named("B") == "A"


@given(RULES, SKUS)
def test_without_rules_no_two_skus_become_one(aliases: Aliases, sku: str) -> None:
    """Whoever is named like a listed SKU's goods, and is not that SKU, collides."""
    named = aliases.named(sku)
    if isinstance(named, Collision):
        assert aliases.owners[named.sku] == named.owner != sku
    else:
        assert named
        assert aliases.owners.get(named, sku) == sku


def test_the_fingerprint_tells_aliases_apart_and_none_has_none() -> None:
    """What has no effect is no change."""
    assert Aliases().fingerprint() == ""
    told = [Aliases({"A": "B"}), Aliases({"A": "C"}), Aliases(upper=True), Aliases(pad_left=3)]
    assert len({each.fingerprint() for each in told}) == len(told)
    assert Aliases({"A": "B", "C": "D"}).fingerprint() == Aliases({"C": "D", "A": "B"}).fingerprint()

"""Near-matches of SKUs: which spellings count as one, and what is said of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsyncd.domain.audit import (
    SEPARATORS,
    Candidate,
    differences,
    loose_form,
    nearest,
    not_sent,
    unusable,
    usable,
)

SKUS = st.text(min_size=1, max_size=24)


@pytest.mark.parametrize(
    ("one", "other", "by"),
    [
        ("ABC-1", "abc-1", ("case",)),
        (" ABC-1 ", "ABC-1", ("spaces",)),
        ("00042", "42", ("leading zeros",)),
        ("ABC-1", "ABC_1", ("separators",)),
        ("ABC.1", "ABC1", ("separators",)),
        ("ABC–1", "ABC-1", ("separators",)),
        ("00abc_1", "ABC-1", ("case", "separators", "leading zeros")),
        ("ＡBC-1", "ABC-1", ("look-alike characters",)),
        ("\u00e9", "e\u0301", ("look-alike characters",)),
    ],
)
def test_spellings_of_one_sku_are_near_and_told_apart(one: str, other: str, by: tuple[str, ...]) -> None:
    """Case, spaces, zeros in front, separators and look-alikes make no other SKU; each is named."""
    assert loose_form(one) == loose_form(other)
    assert differences(one, other) == by
    assert differences(other, one) == by


@pytest.mark.parametrize(("one", "other"), [("ABC-1", "ABC-2"), ("100", "1"), ("ABC", "ABCD"), ("-", "_x")])
def test_other_skus_are_not_near(one: str, other: str) -> None:
    """What differs in a letter or digit is another article."""
    assert loose_form(one) != loose_form(other)


@given(SKUS)
def test_every_sku_has_a_form_that_its_spellings_share(sku: str) -> None:
    """However it is spelt, there is a form, spaces around and another case of plain letters leave it alone."""
    assert loose_form(sku)
    assert loose_form(f" {sku} ") == loose_form(sku) or not sku.strip()
    if sku.isascii():
        assert loose_form(sku.upper()) == loose_form(sku.lower())


@given(
    st.lists(st.text("abc01", min_size=1, max_size=4), min_size=2, max_size=4),
    st.sampled_from(sorted(SEPARATORS)),
)
def test_no_separator_makes_another_sku(parts: list[str], separator: str) -> None:
    """Parts that are joined by any separator, or by none, are one SKU."""
    assert loose_form(separator.join(parts)) == loose_form("".join(parts))


def test_the_candidate_without_a_counterpart_is_meant() -> None:
    """A SKU that is in use on both sides is less probable than one that fits nothing, though it is spelt nearer."""
    near = [Candidate("ABC-1", paired=True), Candidate("abc_1", paired=False)]
    found = nearest("abc-1", near)
    assert found is not None
    assert found.sku == "abc_1"
    told = not_sent("abc-1", "", near, in_catalogue=True)
    assert (told.near, told.differs) == ("abc_1", ("separators",))
    assert "probably the same article" in told.says
    alone = not_sent("abc-1", "", near[:1], in_catalogue=True)
    assert "probably another article" in alone.says


def test_a_sku_that_no_source_may_tell_is_shown_shortened() -> None:
    """100,000 characters are not repeated to people."""
    endless = "x" * 100_000
    assert not usable(endless)
    assert len(unusable(endless).name) == 64
    assert "100,000 characters" in unusable(endless).says
    assert len(unusable(endless).says) < 300

"""Predicates, URL sizes and derived keys."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsyncd.domain.inventory import MessageCursor, StockKey, entry_key
from archsyncd.wire.commercetools.exchange import encoded_bytes
from archsyncd.wire.commercetools.predicates import (
    beyond,
    entries_of,
    is_in,
    products_with,
    quoted,
    split_keys,
)

IDS = {"north": "0a4c7a52-6a2e-4b39-8d2e-0d8f6f6f0001", "south": "0a4c7a52-6a2e-4b39-8d2e-0d8f6f6f0002"}
SKUS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=256)
CHANNELS = st.text("abcXYZ019_-", min_size=2, max_size=40)
KEYS = st.builds(StockKey, CHANNELS, st.one_of(SKUS, st.text("ab_-", min_size=1, max_size=6)))


@given(SKUS)
def test_f124_no_sku_can_end_its_literal(sku: str) -> None:
    """Whatever stands in a SKU, the literal is one string and reads back as that SKU."""
    literal = quoted(sku)
    assert re.fullmatch(r'"(?:[^"\\]|\\.)*"', literal, re.DOTALL)
    assert re.sub(r"\\(.)", r"\1", literal[1:-1], flags=re.DOTALL) == sku


@given(KEYS, KEYS)
def test_f124_derived_keys_are_legal_and_never_shared(one: StockKey, other: StockKey) -> None:
    """Two stock keys get two entry keys, each within commercetools' alphabet and length."""
    keys = [entry_key(each) for each in (one, other)]
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{2,256}", key) for key in keys)
    assert (keys[0] == keys[1]) == (one == other)


@pytest.mark.parametrize(
    ("channel", "sku", "key"),
    [
        ("warehouse-1", "ABC-1", "warehouse-1__ABC-1"),
        ("warehouse-1", "_x", "warehouse-1___x"),
        ("a", "b__c", "a__b__c"),
    ],
)
def test_a_plain_sku_has_a_readable_key(channel: str, sku: str, key: str) -> None:
    """People find an entry by its key where the SKU allows it."""
    assert entry_key(StockKey(channel, sku)) == key


@pytest.mark.parametrize(
    ("channel", "sku"),
    [("warehouse-1", "ABC 1"), ("warehouse-1", "ä"), ("wh_", "x"), ("w__h", "x"), ("wh", "x" * 255)],
)
def test_an_awkward_sku_has_a_hashed_key(channel: str, sku: str) -> None:
    """Spaces, other alphabets, ambiguous channels and long SKUs get a hash, never a cut or replaced text."""
    assert re.fullmatch(r"sha256-[0-9a-f]{64}", entry_key(StockKey(channel, sku)))


@given(
    st.lists(st.builds(StockKey, st.sampled_from([*IDS, "new"]), SKUS), max_size=60),
    st.integers(3_300, 6_500),
)
def test_f082_parts_hold_every_key_once_within_the_room(keys: list[StockKey], room_bytes: int) -> None:
    """Every key is in exactly one part, a part has one channel, and its predicate fits."""
    parts = split_keys(keys, IDS, room_bytes)
    flat = [key for part in parts for key in part]
    assert sorted(flat) == sorted(set(keys))
    for part in parts:
        (channel,) = {key.channel for key in part}
        predicate = entries_of({IDS.get(channel, "0" * 36): [key.sku for key in part]})
        assert encoded_bytes(predicate) <= room_bytes


def test_f082_a_part_is_never_more_than_one_page() -> None:
    """Short SKUs are cut at the page size: a longer look-up would lose entries without a word."""
    keys = [StockKey("north", format(n, "x")) for n in range(1_200)]
    parts = split_keys(keys, IDS, 10**6)
    assert [len(part) for part in parts] == [500, 500, 200]
    assert [key for part in parts for key in part] == keys
    assert split_keys([], IDS, 7_000) == ()


def test_several_channels_are_asked_each_with_its_own_skus() -> None:
    """A key of one channel never finds another channel's entry."""
    assert entries_of({"id-1": ["a"], "id-2": ["b", "c"]}) == (
        '(supplyChannel(id="id-1") and sku in ("a")) or (supplyChannel(id="id-2") and sku in ("b","c"))'
    )


def test_products_are_asked_in_both_places_a_sku_can_stand() -> None:
    """Master variant and other variants, of the current data."""
    assert products_with(['a"b']) == (
        'masterData(current(masterVariant(sku in ("a\\"b")) or variants(sku in ("a\\"b"))))'
    )


def test_a_keyset_goes_on_behind_its_place() -> None:
    """Equal timestamps are told apart by id."""
    assert beyond(MessageCursor("2026-01-01T00:00:00.000Z", "m")) == (
        '(createdAt > "2026-01-01T00:00:00.000Z" or (createdAt = "2026-01-01T00:00:00.000Z" and id > "m"))'
    )


def test_asking_for_nothing_is_a_mistake() -> None:
    """An empty list would ask for everything or be refused: it is told at once."""
    with pytest.raises(ValueError, match="id"):
        is_in("id", ())
    with pytest.raises(ValueError, match="no keys"):
        entries_of({})

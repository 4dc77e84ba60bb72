"""Explanations of keys."""

import pytest

from archsyncd.config import UnknownKey, described, explain
from tests.config.test_reading import CONTRACT, written


def test_a_key_is_explained_with_range_default_and_effect() -> None:
    """An administrator sees what may be written, what holds otherwise and when it takes effect."""
    told = explain("feed.interval_seconds")
    assert told.startswith("feed.interval_seconds\n")
    assert "a whole number from 1 to 604800" in told
    assert "default   15" in told
    assert "apply with a reload" in told
    assert "need a restart" in explain("feed.url")
    assert "not in this version" in explain("feed.emulator")
    assert "not in this version" not in explain("feed.url")
    assert "it must be stated" in explain("commercetools.project_key")


@pytest.mark.parametrize(
    ("asked", "path"),
    [
        ("feed[0].url", "feed.url"),
        ("locations.buffer", "locations.NAME.buffer"),
        ("locations.WH1.buffer", "locations.NAME.buffer"),
        ('channels."a.b".maximum', "channels.NAME.maximum"),
        ('channels."warehouse-1"', "channels"),
        ("owners.drift", "owners"),
        (" orders.eligible.order_state ", "orders.eligible.order_state"),
        ("drain", "drain"),
    ],
)
def test_a_key_may_be_asked_for_as_it_is_written_or_told_in_faults(asked: str, path: str) -> None:
    """Indexes and the administrator's own names are understood."""
    assert explain(asked).splitlines()[0] == path


def test_a_table_lists_its_keys_with_their_defaults() -> None:
    """The table is an overview; a table of names says which names are allowed."""
    told = explain("guards")
    assert "guards.absent" in told
    assert '"report"' in told
    assert '"sku_not_found"' in explain("owners")
    assert "required" in explain("commercetools")


@pytest.mark.parametrize(
    ("asked", "suggested"),
    [
        ("feed.intervall_seconds", "feed.interval_seconds"),
        ("interval_seconds", "feed.interval_seconds"),
        ("feeds.url", "feed.url"),
        ("log-level", "daemon.log_level"),
    ],
)
def test_an_unknown_key_is_answered_with_the_nearest(asked: str, suggested: str) -> None:
    """Nobody has to know the tables by heart."""
    with pytest.raises(UnknownKey) as unknown:
        explain(asked)
    assert suggested in unknown.value.suggestions
    assert f"did you mean {unknown.value.suggestions[0]}" in str(unknown.value)


@pytest.mark.parametrize("asked", ["", "zzz.qqq", "...", "[", "\x00\x1b[31m" + "x" * 5000])
def test_nonsense_is_no_key(asked: str) -> None:
    """Whatever is asked, the answer is one printable line."""
    with pytest.raises(UnknownKey) as unknown:
        explain(asked)
    assert str(unknown.value).isprintable()


def test_every_key_has_its_paragraph_and_the_contract_s_default() -> None:
    """The manual is made of these: no key without a sentence, every default as the contract states it."""
    every = {entry.path: entry for entry in described()}
    assert all(entry.says.endswith(".") and len(entry.says) > 15 for entry in every.values())
    for table, keys in CONTRACT.items():
        for name, value in keys.items():
            assert every[f"{table}.{name}"].default == written(value)


def test_every_explanation_fits_a_terminal() -> None:
    """Lines stay within 80 columns, tables of defaults aside."""
    for entry in described():
        if not entry.section:
            assert all(len(line) <= 80 for line in explain(entry.path).splitlines())

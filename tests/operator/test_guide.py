"""The operator's guide and archsyncd.exceptions(7): made from the program's texts, and as they are now."""

from __future__ import annotations

import re
import textwrap

import pytest

import codes
from archsyncd.domain.events import Event, explained
from archsyncd.domain.explained import KINDS, REASONS
from tests.config.texts import LEAST, settings_of

GUIDE = codes.GUIDE.read_text("utf-8")


def test_the_guides_tables_are_up_to_date() -> None:
    """`packaging/guide-tables` writes them; nobody does so by hand."""
    assert codes.filled_guide(GUIDE) == GUIDE, "run packaging/guide-tables"


def test_a_table_that_was_edited_by_hand_is_made_anew() -> None:
    """And a marker that is gone is named, rather than a table left out."""
    edited = GUIDE.replace("| operations | `held_snapshot` |", "| finance | `held_snapshot` |")
    assert edited != GUIDE
    assert codes.filled_guide(edited) == GUIDE
    with pytest.raises(ValueError, match="markers of 'owners to copy'"):
        codes.filled_guide(GUIDE.replace("<!-- end of owners to copy -->", ""))


def test_every_exception_and_every_cause_has_one_row() -> None:
    """With its owner."""
    rows = re.findall(r"(?m)^\| (\w+) \| `(\w+)` \|", GUIDE)
    assert {code: owner for owner, code in rows} == {code: each.owner for code, each in KINDS.items()}
    assert len(rows) == len(KINDS)
    causes = re.findall(r"(?m)^\| `(\w+)` \| (?:critical|warning) \|", GUIDE)
    assert causes == list(REASONS)


def test_the_owners_to_copy_are_a_configuration() -> None:
    """What stands there can be copied as it is, and gives each kind its usual owner."""
    table = textwrap.dedent("\n".join(codes.table_of_owners()))
    settings = settings_of(f"{LEAST}\n{table}\n")
    assert {code: settings.owner(code).team for code in KINDS} == {
        code: each.owner for code, each in KINDS.items()
    }


def test_the_manual_has_a_section_for_every_code_with_owner_and_commands() -> None:
    """One each, in scdoc's markup."""
    sections = dict(re.findall(r"(?ms)^## (\S+)\n(.*?)(?=^##? |\Z)", codes.manual()))
    every = {**KINDS, **REASONS, **{event.name: explained(event) for event in Event}}
    assert sections.keys() == {code.replace("_", "\\_") for code in every}
    for code, entry in every.items():
        text = sections[code.replace("_", "\\_")]
        assert f"Owner: *{entry.owner}*." in text
        assert text.count("\t- _") == len(entry.look) + len(entry.remedy)

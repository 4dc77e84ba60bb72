"""The one source of what codes mean: whole, plain, and about everything that can be told."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import archsyncd
from archsyncd.adapters.r247_drop.refusing import CHANGED, MISSING, STALE
from archsyncd.domain.cases import TEXTS, CaseKind
from archsyncd.domain.events import INFO, Event, catalog, explained
from archsyncd.domain.explained import CODES, KINDS, OWNERS, PLACEHOLDERS, REASONS, Explained, filled, told
from archsyncd.domain.explained.journal import NOTHING_MORE, NOTHING_NOTICED, ONCE

TEXT_LIMIT_CHARACTERS = 300
COMMAND_LIMIT_CHARACTERS = 110
SENTENCES = ("meaning", "impact", "by_itself", "next_step", "closes")
SHAPE = (
    "domain/explained/{}: Explained(code=…, severity=…, owner=…, meaning=…, impact=…, by_itself=…, look=(…,), next_step=…, "
    "closes=…), with remedy=(…,) and retry=… where there is one"
)
ENTRIES: Mapping[str, Explained] = {
    **{f"exception {code}": each for code, each in KINDS.items()},
    **{f"verdict {code}": each for code, each in REASONS.items()},
    **{f"receipt {code}": each for code, each in CODES.items()},
    **{f"event {event.name}": explained(event) for event in Event},
}


def verdict_codes() -> Iterator[str]:
    """Every code that a module of the program gives to a cause of the verdict, as a text or as a constant of the module."""
    for path in Path(archsyncd.__file__).parent.rglob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        constants = {
            ast.unparse(node.targets[0]): node.value for node in tree.body if isinstance(node, ast.Assign)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in {"Reason", "because"}:
                given = [*node.args[1:2], *(each.value for each in node.keywords if each.arg == "code")]
                for each in given:
                    code = constants.get(ast.unparse(each), each)
                    if isinstance(code, ast.Constant) and isinstance(code.value, str):
                        yield code.value


def record_codes() -> Iterator[str]:
    """Every code of a record or a file that the program gives as a text: to a Misread, a Reject, an Unready, a refusal."""
    at = {"Misread": 0, "Reject": 0, "Untranslatable": 0, "Unready": 1, "_refuse": 1}
    for path in Path(archsyncd.__file__).parent.rglob("*.py"):
        if "commercetools" in path.parts or "simulators" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            place = at.get(ast.unparse(node.func).split(".")[-1])
            given = node.args[place : place + 1] if place is not None else []
            yield from (
                each.value for each in given if isinstance(each, ast.Constant) and isinstance(each.value, str)
            )


def test_every_code_of_a_record_or_a_file_is_explained() -> None:
    """Receipts, error files and exceptions show them; whoever asks for one is told."""
    codes = set(record_codes()) | {MISSING, STALE, CHANGED}
    assert len(codes) > 30
    assert sorted(codes - CODES.keys() - KINDS.keys()) == [], (
        "add a line for each to domain/explained/records.py"
    )
    assert CODES.keys() & (KINDS.keys() | REASONS.keys()) == set()


def test_every_kind_of_exception_is_explained() -> None:
    """And nothing that is no kind is."""
    kinds = {kind.value for kind in CaseKind}
    missing = sorted(kinds - KINDS.keys())
    assert missing == [], (
        f"add an entry for each of {missing}, shaped as {SHAPE.format('stock.py or orders.py')}"
    )
    assert KINDS.keys() - kinds == set()
    assert {kind: text.code for kind, text in TEXTS.items()} == {kind: kind.value for kind in CaseKind}


def test_every_cause_of_a_verdict_is_explained() -> None:
    """The codes are gathered from the program's text, so that none can be told that is not explained."""
    codes = set(verdict_codes())
    assert len(codes) > 15
    missing = sorted(codes - REASONS.keys() - KINDS.keys())
    assert missing == [], f"add an entry for each of {missing}, shaped as {SHAPE.format('reasons.py')}"
    assert REASONS.keys() - codes == set(), "explained, and never told"
    assert REASONS.keys() & KINDS.keys() == set(), "a kind stands among the kinds alone"


@pytest.mark.parametrize(
    "event", [each for each in Event if each.value.level > INFO], ids=lambda each: each.name
)
def test_an_event_that_may_need_somebody_is_explained_whole(event: Event) -> None:
    """From warning on: what is noticed, what the daemon does, where to look. Below, what is left out has its default."""
    text = event.value
    left_out = [
        name
        for name, default in (("impact", NOTHING_NOTICED), ("by_itself", NOTHING_MORE), ("look", ()))
        if getattr(text, name) == default
    ]
    assert left_out == [], f"domain/events.py: tell {left_out} of {event.name}"
    assert text.closes != ONCE or event is Event.SUPPRESSED, (
        f"domain/events.py: tell when {event.name} is over"
    )


@pytest.mark.parametrize("name", ENTRIES)
def test_an_entry_is_whole_plain_and_short(name: str) -> None:
    """Sentences without markup, at most two commands to look and two to set it right, an owner that there is."""
    entry = ENTRIES[name]
    assert entry.owner in OWNERS
    assert len(entry.look) <= 2
    assert len(entry.remedy) <= 2
    for field in SENTENCES:
        text = getattr(entry, field)
        assert re.fullmatch(r"([A-Z`]|commercetools ).*[.:`]", text), (
            f"{name}, {field}: a sentence, not {text!r}"
        )
        assert len(text) <= TEXT_LIMIT_CHARACTERS, f"{name}, {field}"
        assert text.isprintable()
        assert text.count("`") % 2 == 0, f"{name}, {field}: backticks in pairs"
        assert not re.search(r"[*_#<>|]{2}|\*|<|>|@|  ", text), f"{name}, {field}: no markup"
    for command in (*entry.look, *entry.remedy):
        assert len(command) <= COMMAND_LIMIT_CHARACTERS, f"{name}: {command}"
        capitals = set(re.findall(r"(?<![A-Za-z_])[A-Z]{2,}(?![A-Za-z_])", command))
        assert capitals <= set(PLACEHOLDERS), f"{name}: {command}"


def test_what_somebody_must_look_at_has_a_command_for_it() -> None:
    """Only what is merely told has nothing to type."""
    bare = [name for name, entry in ENTRIES.items() if not entry.look and entry.severity.value != "notice"]
    assert bare == []


def test_the_catalogue_has_each_event_once_and_refers_to_fields_alone() -> None:
    """One entry an id, in the order of the events, and nothing that was left to be filled in."""
    text = catalog()
    assert re.findall(r"(?m)^-- ([0-9a-f]{32})$", text) == [event.value.message_id for event in Event]
    assert set(re.findall(r"@[^@\s]*@", text)) <= {"@ARCHSYNCD_CASE@", "@ARCHSYNCD_KIND@"}
    assert text.count("@") % 2 == 0
    assert not re.search(r"[{}]|\b(ID|CODE|SKU|NUMBER|FEED)\b", text)
    for event in Event:
        entry = text.split(event.value.message_id)[1].split("\n-- ")[0]
        assert all(part in entry for part in (event.value.cause, event.value.remedy, *event.value.look))


def test_a_command_takes_what_is_known_and_keeps_the_rest() -> None:
    """Values are quoted for the shell; one that would be taken for an option is left to the person."""
    command = "archsyncctl snapshot approve SNAPSHOT --digest DIGEST"
    assert (
        filled(command, {"SNAPSHOT": "a b'c"}) == "archsyncctl snapshot approve 'a b'\"'\"'c' --digest DIGEST"
    )
    assert filled("archsyncctl sku SKU", {"SKU": "--help"}) == "archsyncctl sku SKU"
    assert (
        filled("archsyncctl credentials check feed-FEED --from FILE", {"FEED": "main"}).split()[3]
        == "feed-main"
    )
    assert (
        told("The ID: `archsyncctl exceptions retry ID`.", {"ID": "7"})
        == "The ID: `archsyncctl exceptions retry 7`."
    )


@given(st.text(max_size=30))
def test_no_value_breaks_out_of_its_word(value: str) -> None:
    """Whatever a SKU is called, the shell that the line is pasted into sees one word, or the placeholder."""
    import shlex  # noqa: PLC0415 - the independent reading of the line

    words = shlex.split(filled("archsyncctl sku SKU", {"SKU": value}))
    assert words in (["archsyncctl", "sku", value], ["archsyncctl", "sku", "SKU"])

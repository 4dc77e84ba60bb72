"""The operator's guide and archsyncd.exceptions(7): made from the program's texts, and as they are now."""

from __future__ import annotations

import re
import shlex
import textwrap
from pathlib import Path

import pytest

import codes
from archsyncd.cli import parser as daemon_parser
from archsyncd.domain.events import Event, explained
from archsyncd.domain.explained import CODES, KINDS, REASONS
from archsyncd.operator.parser import parser
from archsyncd.operator.screens import status_lines
from tests.config.texts import LEAST, settings_of
from tests.operator.daemon import ask_json, ctl, served
from tests.support.virtual_time import virtual

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
    every = {**KINDS, **REASONS, **CODES, **{event.name: explained(event) for event in Event}}
    assert sections.keys() == {code.replace("_", "\\_") for code in every}
    for code, entry in every.items():
        text = sections[code.replace("_", "\\_")]
        assert f"Owner: *{entry.owner}*." in text
        assert text.count("\t- _") == len(entry.look) + len(entry.remedy)


@pytest.mark.parametrize(
    "document", [codes.GUIDE, codes.GUIDE.parents[1] / "README.md"], ids=lambda path: path.name
)
def test_every_command_that_is_typed_there_is_one_of_ours_or_the_systems(document: Path) -> None:
    """The tools' own parsers take each; that they work is seen where a machine can be booted."""
    typed = re.findall(r"(?m)^    \$ (.+)$", document.read_text("utf-8"))
    assert len(typed) > 10
    for line in typed:
        program, *words = shlex.split(line, comments=True)
        if program == "archsyncctl":
            parser().parse_args(words)
        elif program == "archsyncd":
            daemon_parser().parse_args(words)


def figureless(line: str) -> str:
    """A line with every figure the same, which is what a reader compares it by."""
    return re.sub(r"\d[\d.,:TZ-]*", "0", line.strip())


def printed(head: str) -> set[str]:
    """The lines of the guide's output block that begins so."""
    (block,) = re.findall(rf"(?m)^    {head}(?:.*)\n(?:    \S.*\n)*", GUIDE)
    return {figureless(line) for line in block.splitlines()}


@virtual
async def test_the_daily_output_is_what_a_healthy_daemon_prints(tmp_path: Path) -> None:
    """Line for line, but for the figures; and the lists say what the guide quotes."""
    async with served(tmp_path) as daemon:
        await daemon.level("ABC-1", 15)
        await daemon.prove("ABC-1", 15)
        told = {figureless(line) for line in (await ctl(daemon, "status"))[1].splitlines()}
        assert printed("healthy") <= told
        assert (await ctl(daemon, "exceptions", "list"))[1] == "No open case.\n"
        assert "`No open case.`" in GUIDE


@virtual
async def test_the_peaks_lines_are_those_of_a_busy_daemon(tmp_path: Path) -> None:
    """As the status prints them with such figures."""
    async with served(tmp_path) as daemon:
        status = dict(await ask_json(daemon, "status"))
    status["oldest_decrease_seconds"] = 2.1
    status["requests"] = {**status["requests"], "throttled": 37}
    status["hand_over"] = {
        "states": [{"state": "accepted", "orders": 640, "oldest_seconds": 720.0}],
        "dispatches": [],
        "lags": {"handed_over": {"count": 9, "p50_seconds": 2.6, "p99_seconds": 6.7}, "booked": None},
    }
    assert printed("decreases   the") <= {figureless(line) for line in status_lines(status)}

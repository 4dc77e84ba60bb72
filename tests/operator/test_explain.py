"""archsyncctl explain, and what `exceptions show` tells of a kind: every command as it could be typed."""

from __future__ import annotations

import io
import json
import logging
import shlex
from pathlib import Path

import pytest

from archsyncd.announce import Announcer
from archsyncd.cli import parser as daemon_parser
from archsyncd.config.service import DEFAULT_OWNER, shipped_owners
from archsyncd.domain.cases import CaseKind, CaseNews, NewCase
from archsyncd.domain.events import Event, catalog, explained
from archsyncd.domain.explained import CODES, KINDS, MANUAL, PLACEHOLDERS, REASONS, Explained, commands_in
from archsyncd.domain.reconciling import HELD_CODE, HELD_SCOPE, HELD_SUBJECT
from archsyncd.operator.ctl import main
from archsyncd.operator.explain import explain
from archsyncd.operator.fields import FIELDS
from archsyncd.operator.parser import parser
from tests.operator.daemon import CHANNEL, ask_json, ctl, served, small_daemon
from tests.support.virtual_time import virtual

EXAMPLES = {name: "1" if name == "ID" else "main" for name in PLACEHOLDERS}
# What is neither ours nor harmless does not stand in a text.
OTHERS = {"df", "findmnt", "journalctl", "ls", "systemctl"}
ENTRIES: dict[str, Explained] = {
    **{f"exception {code}": each for code, each in KINDS.items()},
    **{f"verdict {code}": each for code, each in REASONS.items()},
    **{f"receipt {code}": each for code, each in CODES.items()},
    **{f"event {event.name}": explained(event) for event in Event},
}


def run(*words: str) -> tuple[int, str, str]:
    """The tool without a daemon."""
    out, err = io.StringIO(), io.StringIO()
    return main([*words, "--socket", "/nowhere/at/all"], out, err), out.getvalue(), err.getvalue()


@pytest.mark.parametrize("name", ENTRIES)
def test_every_command_is_one_that_the_programs_take(name: str) -> None:
    """Those of the fields and those within sentences; the tools' own parsers say so."""
    entry = ENTRIES[name]
    prose = (entry.meaning, entry.impact, entry.by_itself, entry.next_step, entry.closes, entry.retry)
    for command in (*entry.look, *entry.remedy, *(each for text in prose for each in commands_in(text))):
        program, *words = [EXAMPLES.get(word, word) for word in shlex.split(command)]
        if program == "archsyncctl":
            parser().parse_args(words)
        elif program == "archsyncd":
            daemon_parser().parse_args(words)
        else:
            assert program in OTHERS, command


def test_a_kind_that_a_command_names_is_one() -> None:
    """`exceptions list --kind` is refused by the daemon where the kind does not exist."""
    named = [
        command.split("--kind ")[1]
        for entry in ENTRIES.values()
        for command in (*entry.look, *entry.remedy)
        if "--kind " in command
    ]
    assert named
    assert set(named) <= KINDS.keys()


def test_owners_that_the_program_ships_are_those_that_are_told() -> None:
    """Whose a kind usually is, is said once."""
    shipped = {kind: owner.team for kind, owner in shipped_owners().items() if kind != DEFAULT_OWNER}
    assert shipped == {kind: KINDS[kind].owner for kind in shipped}


def test_explain_tells_all_of_a_code_without_a_daemon() -> None:
    """By the name of a kind, of a cause, of an event in any case, and by a message's id."""
    code, out, _ = run("explain", "held_snapshot")
    assert code == 0
    assert out.startswith("held_snapshot (exception, critical, usually owned by operations)\n")
    for text in (
        "snapshot approve SNAPSHOT --digest DIGEST",
        KINDS["held_snapshot"].impact,
        "  over      It closes",
    ):
        assert text in out
    assert "decrease_waits (verdict, critical" in run("explain", "decrease_waits")[1]
    by_id = run("explain", Event.STORE_FULL.value.message_id)[1]
    assert by_id == run("explain", "STORE_FULL")[1]
    assert by_id.startswith("store_full (journal, critical")


def test_codes_of_receipts_error_files_and_exceptions_are_told() -> None:
    """What a file's code means, and a record's, with the next step of that code."""
    (stale,) = explain("stale_file")["entries"]
    assert (stale["sort"], "with a later number or time in its name" in stale["next"]) == ("receipt", True)
    (unit,) = explain("unknown_unit")["entries"]
    assert "to factors in the profile, then restart" in unit["next"]


def test_a_code_of_two_sorts_is_told_twice() -> None:
    """Drift is an exception and the event that announces it."""
    told = explain("drift")["entries"]
    assert [each["sort"] for each in told] == ["exception", "journal"]
    out = run("explain", "drift")[1]
    assert "drift (exception" in out
    assert "drift (journal" in out


def test_an_unknown_code_gets_the_nearest_and_status_1() -> None:
    """As --json too, and with nothing that a terminal would obey."""
    code, out, err = run("explain", "sku_notfound")
    assert (code, out) == (1, "")
    assert "did you mean sku_not_found?" in err
    code, out, err = run("explain", "\x1b[2J", "--json")
    assert (code, json.loads(out)["code"]) == (1, 1)
    assert "\x1b" not in err


def test_without_a_code_every_one_is_listed() -> None:
    """One line each; as --json all of it, in the documented fields."""
    code, out, _ = run("explain")
    assert code == 0
    assert len(out.splitlines()) == len(ENTRIES) + 1
    entries = json.loads(run("explain", "--json")[1])["entries"]
    assert {each["code"] for each in entries} == {entry.code for entry in ENTRIES.values()}
    documented = FIELDS["explain"]["entries"]
    assert all(name in documented for each in entries for name in each)


@virtual
async def test_show_fills_the_commands_of_a_case(tmp_path: Path) -> None:
    """With its id, its SKU, its order, its snapshot; a SKU that a shell would act on is quoted."""
    async with served(tmp_path) as daemon:
        cases = (
            NewCase(CaseKind.SKU_NOT_FOUND, CHANNEL, "A; rm -rf /", "no product"),
            NewCase(CaseKind.ORDER_REJECTED, "orders", "CT-1", "rejected"),
            NewCase(CaseKind.HELD_SNAPSHOT, "main", "s-1", "held"),
            NewCase(CaseKind.HELD_LEVEL, "main", "ABC-1 at WH1", "too much"),
            NewCase(CaseKind.STALE_FEED, "main", "main", "silent"),
            NewCase(CaseKind.SKU_NOT_FOUND, CHANNEL, "(folded)", "many"),
            NewCase(CaseKind.SUSPECTED_OVERSELL, CHANNEL, "A1", "oversold"),
            NewCase(CaseKind.DRIFT, HELD_SCOPE, HELD_SUBJECT, "held", code=HELD_CODE),
        )
        for case in cases:
            await daemon.store.cases.open(case)
        told = [await ask_json(daemon, "exceptions", "show", str(number)) for number in range(1, 9)]
        assert told[6]["look"] == ["archsyncctl sku A1"]
        assert HELD_SUBJECT not in " ".join([*told[7]["look"], *told[7]["remedy"]])
        assert told[0]["look"][0] == "archsyncctl sku 'A; rm -rf /'"
        assert told[0]["remedy"] == ["archsyncctl exceptions retry 1"]
        assert told[1]["look"][0] == "archsyncctl order CT-1"
        assert "`archsyncctl snapshot show s-1`" in told[2]["next"]
        assert told[2]["remedy"][0] == "archsyncctl snapshot approve s-1 --digest DIGEST"
        assert "archsyncctl sku ABC-1" in told[3]["look"]
        assert "`archsyncctl exceptions retry 4`" in told[3]["next"]
        assert told[4]["remedy"] == ["archsyncctl credentials check feed-main --from FILE"]
        assert told[5]["look"][0] == "archsyncctl sku SKU"
        _, out, _ = await ctl(daemon, "exceptions", "show", "3")
        assert f"archsyncctl explain held_snapshot; {MANUAL}" in out
        assert "  do        archsyncctl snapshot approve s-1" in out


class Kept(logging.Handler):
    """Keeps what was said."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


async def test_every_announcement_has_the_fields_that_its_catalogue_entry_refers_to(tmp_path: Path) -> None:
    """Journald puts them in; a field that is missing would stand there as it is written."""
    logger, kept = logging.getLogger("archsyncd.tests.announced"), Kept()
    logger.addHandler(kept)
    async with small_daemon(tmp_path) as daemon:
        announcer = Announcer(logger, daemon.shared, daemon.limiter)
        for number, kind in enumerate(CaseKind, start=1):
            announcer.case(CaseNews(number, kind, "main", "x", "because"))
    referring = {event for event in Event if "@" in event.value.catalogued()}
    assert {record.event for record in kept.records} == referring  # type: ignore[attr-defined]
    for record in kept.records:
        assert {"case", "kind"} <= record.told.keys()  # type: ignore[attr-defined]
    assert "@ARCHSYNCD_CASE@" in catalog()

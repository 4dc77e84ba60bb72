"""A directory held against the contract: a good one keeps every rule, each fault is found by its rule and by no other."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archsyncd.adapters.clock import SystemClock
from archsyncd.adapters.r247_drop import DropOptions, Readiness
from archsyncd.conformance.dialects import PROFILE_DROP_RULES
from archsyncd.conformance.drop import DropWishes, verify_drop
from archsyncd.conformance.findings import Report, Verdict
from archsyncd.conformance.rules import DROP_RULES, RECORD_RULES
from archsyncd.simulators.r247.drop import DropFault, Form, Ready
from archsyncd.simulators.r247.switches import SWITCHES
from archsyncd.wire.profile.profile import read_profile
from tests.conformance.inside import failing
from tests.simulators.r247.test_drop import Depot


def depot(directory: Path, **style: Any) -> Depot:
    """A full file, and two of what came after it."""
    made = Depot(directory, **style)
    made.exporter.full()
    for _ in range(2):
        made.sell()
        made.exporter.new()
    return made


def looked_at(directory: Path, **wishes: Any) -> Report:
    """The report on a directory, which is what it was before."""
    options: dict[str, Any] = {"name": "main", "directory": directory}
    options |= {name: wishes.pop(name) for name in ("ready", "delimiter", "profile") if name in wishes}
    before = everything(directory)
    report = verify_drop(DropWishes(DropOptions(**options), **wishes), SystemClock())
    assert everything(directory) == before
    return report


def everything(directory: Path) -> dict[str, tuple[int, int]]:
    """Every entry with its time and size."""
    found = {str(path): path.lstat() for path in sorted(directory.rglob("*"))}
    return {path: (stat.st_mtime_ns, stat.st_size) for path, stat in found.items()}


@pytest.mark.parametrize("form", [Form.NDJSON, Form.CSV, Form.JSON])
@pytest.mark.parametrize("compress", [False, True])
def test_a_good_directory_keeps_every_rule(tmp_path: Path, form: Form, compress: bool) -> None:
    """Whatever its files look like; nothing is moved, made or written."""
    depot(tmp_path, form=form, compress=compress)
    report = looked_at(tmp_path)
    assert failing(report) == {}
    assert {each.rule.name for each in report.of(Verdict.UNASKED)} <= {"movement_balance"}
    assert [each.rule for each in report.findings] == [*RECORD_RULES, *DROP_RULES]
    assert (report.requests, report.exit) == (3, 0)


FOUND_BY = {
    "half-file": "manifest_there",
    "truncated-file": "manifest_agrees",
    "wrong-hash": "manifest_agrees",
    "miscount-file": "manifest_agrees",
    "no-manifest": "manifest_there",
    "incomplete-file": "manifest_complete",
    "gap-file": "file_sequence",
}


def test_every_switch_of_files_is_here() -> None:
    """None is forgotten."""
    assert set(FOUND_BY) == {name for name, switch in SWITCHES.items() if switch.file is not None}


@pytest.mark.parametrize("fault", FOUND_BY)
def test_f108_a_fault_is_found_by_its_rule_and_by_no_other(tmp_path: Path, fault: str) -> None:
    """With the file that shows it."""
    house = depot(tmp_path)
    house.sell()
    house.exporter.new(SWITCHES[fault].file)
    house.sell()
    house.exporter.new()
    found = failing(looked_at(tmp_path))
    assert set(found) == {FOUND_BY[fault]}
    assert "main-delta-" in found[FOUND_BY[fault]].evidence[0].asked


def manifest_of(path: Path, **changes: Any) -> None:
    """Write a file's manifest anew, true but for the changes."""
    beside = path.with_name(f"{path.name}.done")
    told = json.loads(beside.read_text())
    told |= {"bytes": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    beside.write_text(json.dumps({**told, **changes}))


def newest(directory: Path) -> Path:
    """The newest data file."""
    return max((directory / "in").glob("*json"), key=lambda path: path.name.split("-")[2])


def _append(line: bytes) -> Callable[[Path], None]:
    def spoil(directory: Path) -> None:
        path = newest(directory)
        path.write_bytes(path.read_bytes() + line + b"\n")
        manifest_of(path, records=2)

    return spoil


def _rewritten(**changes: Any) -> Callable[[Path], None]:
    return lambda directory: manifest_of(newest(directory), **changes)


def _named(name: str) -> Callable[[Path], None]:
    def spoil(directory: Path) -> None:
        (directory / "in" / name).write_text("{}")

    return spoil


def _link(directory: Path) -> None:
    path = newest(directory)
    path.rename(directory / "elsewhere")
    path.symlink_to(directory / "elsewhere")


def _pipe(directory: Path) -> None:
    os.mkfifo(directory / "in" / "main-delta-000000000001-20260725T172000Z.ndjson")


def _cut_gzip(directory: Path) -> None:
    path = newest(directory)
    packed = path.with_name(f"{path.name}.gz")
    packed.write_bytes(gzip.compress(path.read_bytes())[:-9])
    told = json.loads(path.with_name(f"{path.name}.done").read_text())
    told |= {"file": packed.name, "bytes": None, "sha256": None, "records": None}
    packed.with_name(f"{packed.name}.done").write_text(json.dumps(told))
    path.with_name(f"{path.name}.done").unlink()
    path.unlink()


SPOILT: dict[str, tuple[Callable[[Path], None], str]] = {
    "a record that is no JSON": (_append(b'{"id":'), "records_readable"),
    "a quantity that is none": (
        _append(
            b'{"id":"n","type":"stock.level","asOf":"2026-11-23T10:15:02Z","sku":"X","location":"WH1","onHand":3.7}'
        ),
        "records_readable",
    ),
    "an unknown type": (_append(b'{"id":"n","type":"stock.moved"}'), "known_types"),
    "no epoch": (_rewritten(epoch=None), "manifest_readable"),
    "another file's manifest": (_rewritten(kind="full"), "manifest_readable"),
    "a gap by its own word": (_rewritten(prevFileSeq="1"), "file_sequence"),
    "a stranger": (_named("export.csv"), "file_names"),
    "a link": (_link, "plain_files"),
    "a pipe": (_pipe, "plain_files"),
    "a gzip that is cut off": (_cut_gzip, "content_readable"),
}


@pytest.mark.parametrize("fault", SPOILT)
def test_what_a_sites_programmer_may_get_wrong_is_found_by_its_rule(tmp_path: Path, fault: str) -> None:
    """One fault, one rule."""
    depot(tmp_path)
    spoil, rule = SPOILT[fault]
    spoil(tmp_path)
    assert set(failing(looked_at(tmp_path))) == {rule}


def test_a_file_that_was_read_counts_in_the_sequence(tmp_path: Path) -> None:
    """What lies in done/ is before what lies in in/."""
    made = depot(tmp_path)
    for path in (tmp_path / "in").glob("*-00000000000[12]-*"):
        path.rename(tmp_path / "done" / path.name)
    assert failing(looked_at(tmp_path)) == {}
    made.sell()
    made.exporter.new(DropFault.WITHHELD)
    made.sell()
    made.exporter.new()
    assert set(failing(looked_at(tmp_path))) == {"file_sequence"}


def test_the_same_content_under_another_number_is_found(tmp_path: Path) -> None:
    """Its second file would be answered as a duplicate."""
    made = depot(tmp_path)
    made.writer.again(made.writer.written[-1], renumbered=True)
    assert set(failing(looked_at(tmp_path))) == {"content_once"}


def test_files_that_are_ready_otherwise_need_no_manifest(tmp_path: Path) -> None:
    """And are held against no rule about them."""
    depot(tmp_path, ready=Ready.RENAME)
    report = looked_at(tmp_path, ready=Readiness.RENAME)
    assert failing(report) == {}
    assert report.exit == 0
    assert not [each for each in report.findings if "manifest" in each.rule.name]


def test_a_directory_of_something_else_is_told_so(tmp_path: Path) -> None:
    """Without in/ nothing can be said of anything."""
    report = looked_at(tmp_path)
    assert set(failing(report)) == {"folders"}
    (tmp_path / "in").mkdir()
    report = looked_at(tmp_path)
    assert failing(report) == {}
    assert report.exit == 2


def test_only_the_feeds_own_files_are_looked_at_and_only_the_newest(tmp_path: Path) -> None:
    """Where a configuration says which, and up to a limit."""
    depot(tmp_path)
    assert looked_at(tmp_path, feed="other").requests == 0
    assert looked_at(tmp_path, feed="main", files_limit=2).requests == 2


NIGHTLY: dict[str, Any] = {
    "profile": "nightly",
    "format": "csv",
    "csv": {"delimiter": ";"},
    "names": {
        "pattern": "BESTAND_{time:yyyyMMdd_HHmm}.csv",
        "kind": "full",
        "tz": "Europe/Berlin",
        "locations": ["WH1"],
    },
    "const": {"type": "stock.level", "location": "WH1"},
    "fields": {"sku": "/Artikel", "onHand": "/Bestand", "asOf": {"part": "time"}},
}
ROWS = "Artikel;Bestand\nA;5\nB;6\n"


def by_profile(directory: Path, profile: dict[str, Any], **files: str) -> Report:
    """The report on a directory in which these files lie, read by a profile."""
    (directory / "in").mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (directory / "in" / name.replace("__", ".")).write_text(text)
    read_by = read_profile(json.dumps(profile, indent=1).encode(), "profiles/site.json")
    return looked_at(directory, ready=Readiness.RENAME, profile=read_by)


def test_files_of_a_foreign_program_are_read_by_their_profile(tmp_path: Path) -> None:
    """Ordered by time alone a missing one is not noticed, and without a last line not one that was cut off."""
    report = by_profile(
        tmp_path, NIGHTLY, BESTAND_20261122_0200__csv=ROWS, BESTAND_20261124_0200__csv=ROWS + "C;1\n"
    )
    assert set(failing(report)) == {"orders_included"}
    assert {each.rule.name for each in report.of(Verdict.CANNOT)} == {
        "missing_file_noticed",
        "cut_file_noticed",
    }
    assert {each.rule.name for each in report.of(Verdict.UNASKED)} == {"movement_balance", "file_sequence"}
    assert [each.rule for each in report.findings] == list(PROFILE_DROP_RULES)
    ended = NIGHTLY | {"csv": {"delimiter": ";", "last": "EOF"}}
    report = by_profile(tmp_path / "ended", ended, BESTAND_20261122_0200__csv=f"{ROWS}EOF;2\n")
    assert {each.rule.name for each in report.of(Verdict.CANNOT)} == {"missing_file_noticed"}


def test_numbered_files_of_a_foreign_program_leave_no_gap(tmp_path: Path) -> None:
    """A number in the name is one, whoever gave it."""
    numbered = NIGHTLY | {
        "names": {"pattern": "stock{number}.csv", "kind": "full"},
        "fields": {"sku": "/Artikel", "onHand": "/Bestand"},
    }
    report = by_profile(tmp_path, numbered, stock1__csv=ROWS, stock3__csv=ROWS + "C;1\n")
    assert {"file_sequence", "full_locations"} <= set(failing(report))
    assert "missing_file_noticed" not in {each.rule.name for each in report.of(Verdict.CANNOT)}


@pytest.mark.parametrize(
    ("rule", "files", "says"),
    [
        ("file_names", {"bestand__csv": ROWS}, "'bestand.csv' is no name of a data file"),
        (
            "content_readable",
            {"BESTAND_20261122_0200__csv": "Artikel;Menge\nA;5\n"},
            "the header has no column 'Bestand'",
        ),
        (
            "records_readable",
            {"BESTAND_20261122_0200__csv": "Artikel;Bestand\nA;viele\n"},
            "profiles/site.json:",
        ),
    ],
)
def test_each_fault_of_a_foreign_file_is_found_by_its_rule(
    tmp_path: Path, rule: str, files: dict[str, str], says: str
) -> None:
    """In the words of the profile."""
    found = failing(by_profile(tmp_path, NIGHTLY, **files))
    assert rule in found
    assert says in found[rule].says

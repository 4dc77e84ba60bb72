"""`archsyncctl inspect`: what a sample says, which profile would read it, and what a profile reads from it."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsyncd.config import load
from archsyncd.operator.ctl import main
from archsyncd.operator.fields import fields_of
from archsyncd.operator.inspect.proposing import TYPES_OFFERED, propose
from archsyncd.operator.inspect.reading import read_sample
from archsyncd.operator.inspect.sampling import look
from archsyncd.operator.inspect.values import guess_number, guess_time
from archsyncd.operator.parser import FORMATS, RECORD_TYPES
from archsyncd.wire.profile.model import Form
from archsyncd.wire.profile.profile import read_profile
from archsyncd.wire.r247_values import Unreadable
from tests.config.texts import PROJECT
from tests.dialects.houses import ledger_profile, shelf_profile
from tests.dialects.tellers import counted, tally, tally_profile, ticker_profile
from tests.dialects.test_daemon import LOCAL

NIGHTLY = (
    "Stand: 23.11.2026 02:00\r\nArtikelnummer;Lager;Bestand;Verf\xfcgbar;Datum\r\n"
    "4711;HH1;1.234,000;1.200,000;23.11.2026 01:58\r\n4712;HH1;3,000-;3,000-;22.11.2026 11:00\r\n"
)
CHANGES = {
    "Changes": [
        {
            "ChangeId": 5,
            "StockCode": "A",
            "Warehouse": "W1",
            "Qty": {"Physical": 5, "Free": 3},
            "Modified": "2026-07-13T10:15:00Z",
        },
        {
            "ChangeId": 6,
            "StockCode": "B",
            "Warehouse": "W1",
            "Qty": {"Physical": 7, "Free": 7},
            "Modified": "2026-07-13T10:16:00Z",
        },
    ],
    "LastId": 6,
}
SHIPMENTS = """<Shipments><Shipment no="F1"><OrderNumber>CT-1</OrderNumber><Warehouse>W1</Warehouse><Lines>
<Line><ItemCode>A</ItemCode><Qty>1</Qty></Line><Line><ItemCode>B</ItemCode><Qty>2</Qty></Line></Lines></Shipment>
<Shipment no="F2"><OrderNumber>CT-2</OrderNumber><Warehouse>W1</Warehouse><Lines>
<Line><ItemCode>A</ItemCode><Qty>1</Qty></Line></Lines></Shipment></Shipments>"""


def put(path: Path, name: str, content: str | bytes | dict[str, Any]) -> Path:
    data = json.dumps(content) if isinstance(content, dict) else content
    (path / name).write_bytes(data if isinstance(data, bytes) else data.encode())
    return path / name


def told(*words: str | Path) -> tuple[int, dict[str, Any]]:
    """The exit status and the answer as JSON."""
    out, err = io.StringIO(), io.StringIO()
    code = main(["inspect", *map(str, words), "--json"], out, err)
    answer: dict[str, Any] = json.loads(out.getvalue())
    return code, answer


def text(*words: str | Path) -> str:
    out, err = io.StringIO(), io.StringIO()
    main(["inspect", *map(str, words)], out, err)
    return out.getvalue() + err.getvalue()


def test_a_change_list_is_understood_as_a_whole(tmp_path: Path) -> None:
    """Names and values speak for themselves; nothing is missing, and the documented fields are told."""
    code, answer = told(put(tmp_path, "changes.json", CHANGES))
    assert code == 0
    assert set(answer) == set(fields_of("inspect"))
    assert (answer["form"], answer["records"], answer["understood"], answer["faults"]) == ("json", 2, 2, [])
    assert answer["profile"]["fields"] == {
        "sku": "/StockCode",
        "location": "/Warehouse",
        "available": "/Qty/Free",
        "onHand": "/Qty/Physical",
        "asOf": "/Modified",
        "id": "/ChangeId",
        "seq": "/ChangeId",
    }
    assert answer["rows"][0]["record"]["available"] == 3


def test_a_nightly_file_of_another_country_is_understood(tmp_path: Path) -> None:
    """A line before the header, semicolons, an old encoding, decimal commas, minus behind the figures, local dates."""
    code, answer = told(put(tmp_path, "nightly.csv", NIGHTLY.encode("windows-1252")), "--tz", "Europe/Berlin")
    assert (code, answer["missing"]) == (0, [])
    first, second = (row["record"] for row in answer["rows"])
    assert (first["sku"], first["onHand"], first["available"], first["location"]) == (
        "4711",
        1234,
        1200,
        "HH1",
    )
    assert (second["onHand"], second["asOf"]) == (-3, "2026-11-22T10:00:00Z")
    _, answer = told(tmp_path / "nightly.csv")
    assert "The times tell no zone" in answer["missing"][0]


def test_dispatches_in_xml_are_found_with_their_lines(tmp_path: Path) -> None:
    """The record's own name tells what it is; a list of one in a record is a list."""
    code, answer = told(put(tmp_path, "ship.xml", SHIPMENTS))
    assert code == 1
    assert answer["understood"] == 2
    assert [len(row["record"]["lines"]) for row in answer["rows"]] == [2, 1]
    assert answer["rows"][0]["record"]["fulfilmentId"] == "F1"
    assert "written only once the goods have left" in answer["missing"][0]


def test_what_is_missing_is_asked_and_never_guessed(tmp_path: Path) -> None:
    """A figure that could be either, a location that nothing tells: the placeholder is mapped to no channel."""
    code, answer = told(put(tmp_path, "s.csv", "item,qty\nA,5\nB,6\nC,7\nD,8\n"))
    assert code == 1
    assert answer["profile"]["const"] == {"type": "stock.level", "location": "?"}
    assert any("write the warehouse's name" in sentence for sentence in answer["missing"])
    assert any("Is /qty what lies on the shelf" in sentence for sentence in answer["missing"])
    code, answer = told(put(tmp_path, "x.csv", "colour,price\nred,5\nblue,6\n"))
    assert code == 1
    assert any("Nothing looks like sku" in sentence for sentence in answer["missing"])
    assert answer["understood"] == 0


def test_a_proposal_can_be_kept_and_tried(tmp_path: Path) -> None:
    """Written once, never over something; then the sample is read by it."""
    sample, kept = put(tmp_path, "changes.json", CHANGES), tmp_path / "site.json"
    assert f"Written to {kept}" in text(sample, "--write", kept)
    assert read_profile(kept.read_bytes(), "site.json").name == "changes"
    assert "is there already; nothing was written" in text(sample, "--write", kept)
    code, answer = told(sample, "--profile", kept)
    assert (code, answer["understood"], answer["profile"]) == (0, 2, None)


def test_every_fault_of_a_record_is_told_with_the_profile_s_line(tmp_path: Path) -> None:
    """Two faults in one record are two rows; the good one beside it is shown."""
    profile = {
        "profile": "s",
        "format": "csv",
        "names": {"pattern": "stock_{site}_{number}.csv", "kind": "full"},
        "const": {"type": "stock.level"},
        "fields": {"sku": "/item", "location": {"part": "site"}, "onHand": "/qty", "available": "/free"},
    }
    kept = put(tmp_path, "p.json", profile)
    sample = put(tmp_path, "stock_WH1_7.csv", "item,qty,free\nA,5,x\nB,4,4\nC,1.5,y\n")
    code, answer = told(sample, "--profile", kept)
    assert code == 1
    assert answer["name"] == {"kind": "full", "number": "7", "at": None, "parts": {"site": "WH1"}}
    assert [(one["line"], one["path"], one["value"]) for one in answer["faults"]] == [
        (2, "/free", '"x"'),
        (4, "/qty", '"1.5"'),
        (4, "/free", '"y"'),
    ]
    (row,) = answer["rows"]
    assert row["line"] == 3
    assert {name: row["record"][name] for name in ("sku", "location", "onHand", "available")} == {
        "sku": "B",
        "location": "WH1",
        "onHand": 4,
        "available": 4,
    }
    shown = text(sample, "--profile", kept)
    assert "Its name makes it a full file, number 7." in shown
    assert "p.json:1 onHand: is not a whole number" in shown
    _, answer = told(put(tmp_path, "other.csv", "item,qty,free\nB,4,4\n"), "--profile", kept)
    assert "No pattern of names fits" in answer["missing"][0]


FULLS = '[[feed]]\nname = "fulls"\nurl = "https://r247.test/api"\n'
LOCATIONS = '[locations]\nWH1 = { channel = "warehouse-1" }\n'


@pytest.mark.parametrize(
    ("profile", "usable"),
    [
        (ledger_profile(), {"drop", "pull", "pubsub"}),
        (shelf_profile(), {"drop", "pull", "pubsub", "push"}),
        (shelf_profile(snapshot=None, path="/api/{location}"), {"drop", "pull", "pubsub", "push"}),
        (tally_profile(), {"pubsub", "push"}),
        (ticker_profile(), {"drop", "pubsub", "push"}),
        (LOCAL, {"drop", "pubsub"}),
    ],
)
def test_the_table_of_each_transport_that_a_profile_can_be_used_for_loads(
    tmp_path: Path, profile: dict[str, Any], usable: set[str]
) -> None:
    """With the feed beside it that the table names; of the others it is said what is lacking."""
    (tmp_path / "profiles").mkdir()
    # A sample without its list is one without news.
    whole = profile if profile["format"] == "csv" else profile | {"absent": "empty"}
    kept = put(tmp_path, "profiles/site.json", whole)
    content = {"xml": "<a/>", "json": "{}", "csv": "Artikel;Bestand\n"}[profile["format"]]
    _, answer = told(put(tmp_path, "BESTAND_20261122_0200.csv", content), "--profile", kept)
    found = {one["transport"]: one for one in answer["transports"]}
    assert {name for name, one in found.items() if one["usable"]} == usable
    assert all(one["says"] and one["config"] is None for name, one in found.items() if name not in usable)
    for name in usable:
        table = (
            found[name]["config"].replace("r247.example", "r247.test").replace("NAME@PROJECT", "name@project")
        )
        config = put(tmp_path, f"{name}.toml", PROJECT + FULLS + table + LOCATIONS)
        feed = load(config, None, {}, require_credentials=False).feeds[1]
        assert (feed.transport, feed.profile) == (name, kept)


def test_people_read_the_tables_and_what_is_lacking(tmp_path: Path) -> None:
    """Under what was read."""
    said = text(put(tmp_path, "changes.json", CHANGES), "--write", tmp_path / "mine.json")
    assert "It can be used over these transports:" in said
    assert 'transport = "pubsub"\nsubscription = "projects/PROJECT/subscriptions/NAME"\n' in said
    assert 'profile = "profiles/mine.json"' in said
    assert "Not over pull: it does not say how the source is asked: add request." in said


def test_attributes_of_a_sample_s_message_may_be_told(tmp_path: Path) -> None:
    """Without them a field that is filled from one is missing, and says so."""
    sample = put(tmp_path, "message.json", tally(counted("A", 5, 0)))
    kept = put(tmp_path, "site.json", tally_profile())
    code, answer = told(sample, "--profile", kept)
    assert (code, answer["faults"][0]["path"]) == (1, "the message's attribute werk")
    code, answer = told(sample, "--profile", kept, "--attribute", "werk=WH1")
    assert (code, answer["rows"][0]["record"]["location"]) == (0, "WH1")
    assert "NAME=VALUE is needed" in text(sample, "--profile", kept, "--attribute", "werk")


def test_what_cannot_be_read_is_refused_in_a_sentence(tmp_path: Path) -> None:
    """No sample, no profile, a faulty profile, XML that means harm."""
    sample = put(tmp_path, "changes.json", CHANGES)
    for words, code, says in (
        ([tmp_path / "none.csv"], 78, "cannot be read: No such file"),
        ([sample, "--profile", tmp_path / "none.json"], 78, "cannot be read: No such file"),
        (
            [sample, "--profile", put(tmp_path, "bad.json", '{"profile": "x", "formt": "csv"}')],
            78,
            "did you mean format?",
        ),
        ([put(tmp_path, "e.xml", '<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>')], 1, "which is not accepted"),
        ([put(tmp_path, "empty.csv", "")], 1, "the sample is empty"),
        ([put(tmp_path, "s.csv.gz", gzip.compress(b"sku,qty\nA,1\n"))], 64, "unpack it first"),
        ([sample, "--tz", "Europe/Londn"], 64, "must name a time zone"),
        ([sample, "--profile", sample, "--write", tmp_path / "w.json"], 64, "--write goes with a proposal"),
    ):
        found, answer = told(*words)
        assert (found, answer["ok"]) == (code, False)
        assert says in answer["error"]


def test_a_sample_cannot_write_on_the_terminal(tmp_path: Path) -> None:
    """Escape sequences in names and values are shown, not obeyed."""
    shown = text(put(tmp_path, "s.csv", "sku,qty,\x1b[31mx\n\x1b[2JA,5,y\nB,6,z\n"))
    assert "\x1b" not in shown


def test_the_choices_of_the_command_are_those_that_exist() -> None:
    """The command line knows forms and kinds by heart, so that it starts without them."""
    assert tuple(form.value for form in Form) == FORMATS
    assert RECORD_TYPES == TYPES_OFFERED


@pytest.mark.parametrize(
    ("texts", "pattern", "other"),
    [
        (["2026-07-13T10:15:00Z"], "", ""),
        (["01/02/2026 10:15"], "dd/MM/yyyy HH:mm[:ss]", "MM/dd/yyyy HH:mm[:ss]"),
        (["01/02/2026 10:15", "13/02/2026 10:15"], "dd/MM/yyyy HH:mm[:ss]", ""),
        (["01/13/2026 10:15"], "MM/dd/yyyy HH:mm[:ss]", ""),
        (["20261123"], "yyyyMMdd", ""),
        (["1795428902120"], "epoch-milliseconds", ""),
        (["/Date(1795428902120)/"], "dotnet", ""),
    ],
)
def test_a_way_of_writing_times_is_found_or_said_to_be_unsure(
    texts: list[str], pattern: str, other: str
) -> None:
    """Day and month are not guessed where both fit."""
    found = guess_time(texts)
    assert found is not None
    assert (found.pattern, found.other) == (pattern, other)


@pytest.mark.parametrize(
    ("texts", "keys", "unsure"),
    [
        (["1", "-2"], {}, False),
        (["1.234,5", "7"], {"decimal": ",", "thousands": "."}, False),
        (["1,234.50"], {"decimal": ".", "thousands": ","}, False),
        (["12,5"], {"decimal": ","}, False),
        (["1.234"], {"decimal": ",", "thousands": "."}, True),
        (["3,0-"], {"minus": "trailing", "decimal": ","}, False),
        (["1 234"], {"decimal": ".", "thousands": " "}, False),
    ],
)
def test_a_way_of_writing_numbers_is_found_or_said_to_be_unsure(
    texts: list[str], keys: dict[str, str], unsure: bool
) -> None:
    """1.234 may be a thousand or a little more than one."""
    found = guess_number(texts)
    assert found is not None
    assert (found.keys, bool(found.note)) == (keys, unsure)


_VALUE = st.text(max_size=6) | st.integers(-99, 99) | st.sampled_from(["2026-01-01", "1,5", "A-1"])
_NAME = st.sampled_from(["sku", "Qty", "Lager", "id", "when", "x y", "Lines"])
_OBJECT = st.dictionaries(
    _NAME, _VALUE | st.lists(st.dictionaries(_NAME, _VALUE, max_size=3), max_size=3), max_size=6
)


@given(st.lists(_OBJECT, max_size=5), st.booleans())
def test_whatever_the_sample_a_proposal_is_sound_or_says_what_is_missing(
    rows: list[dict[str, Any]], wrapped: bool
) -> None:
    """A profile that is proposed as complete can be read back and applied."""
    data = json.dumps({"data": {"rows": rows}} if wrapped else rows).encode()
    try:
        sample = look(data)
    except Unreadable:
        return
    proposal = propose(sample, "site")
    if proposal.complete:
        read_profile(json.dumps(proposal.profile).encode(), "proposal").read(data)
    else:
        assert proposal.missing


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_sample_breaks_the_tool(data: bytes) -> None:
    """It is looked at, or refused in a sentence."""
    try:
        propose(look(data), "site")
    except Unreadable as fault:
        assert fault.reason  # noqa: PT017 - either is right


ROW = (
    "<Artikel nr='{}'><Mengeneinheit>{}</Mengeneinheit><Ist>{}</Ist><Frei>{}</Frei>"
    "<LetzteBewegung>2{}.11.2026 17:42:10</LetzteBewegung></Artikel>"
)
ROWS = (
    ("T1", "STK", "120", "112", 8),
    ("T2", "CARTON", "7", "6", 7),
    ("T3", "STK", "1.240", "1.200", 6),
    ("T4", "STK", "zwoelf", "12", 8),
    ("T5", "STK", "9", "9", 0),
)
SITE = f"<LagerBestand lager='HH1'>{''.join(ROW.format(*row) for row in ROWS)}</LagerBestand>"


def test_units_and_figures_of_a_german_report_in_xml_are_seen(tmp_path: Path) -> None:
    """One figure that is no number hides no column; units are asked about; times and the file's name are understood."""
    sample = put(tmp_path, "LAGERBESTAND-20261128-2315.xml", SITE)
    code, answer = told(sample, "--tz", "Europe/Berlin")
    assert code == 1
    fields = {one["field"]: one for one in answer["fields"]}
    assert {name: fields[name]["path"] for name in ("onHand", "available", "uom", "asOf")} == {
        "onHand": "/Ist",
        "available": "/Frei",
        "uom": "/Mengeneinheit",
        "asOf": "/LetzteBewegung",
    }
    assert "zwoelf" in fields["onHand"]["note"]
    assert "prefer a time of the whole file" in fields["asOf"]["note"]
    assert (answer["understood"], answer["rejected"], answer["unused"]) == (4, 1, [])
    assert answer["profile"]["names"] == {
        "pattern": "LAGERBESTAND-{time:yyyyMMdd-HHmm}.xml",
        "kind": "full",
    }
    assert not any("what lies on the shelf" in sentence for sentence in answer["missing"])
    (units,) = [sentence for sentence in answer["missing"] if "several units" in sentence]
    assert '(STK, CARTON): give each quantity "unit": "/Mengeneinheit" and "factors"' in units


def test_a_column_of_units_is_asked_about_whatever_it_is_called(tmp_path: Path) -> None:
    """And a column of times is seen where its name says nothing."""
    rows = "A;HH1;STK;118;29.11.2026 08:05:11\nB;HH1;CARTON;5;29.11.2026 08:06:40\nC;HH1;PAL;1;29.11.2026 08:09:00\n"
    sample = put(tmp_path, "AEND_000101.csv", "Artikel;Lager;Sorte;Bestand;Bearbeitet\n" + rows)
    _, answer = told(sample, "--tz", "Europe/Berlin")
    found = {one["field"]: (one["path"], one["confidence"]) for one in answer["fields"]}
    assert (found["uom"], found["asOf"]) == (("/Sorte", "a guess"), ("/Bearbeitet", "a guess"))
    assert any("There are several units (STK, CARTON, PAL)" in sentence for sentence in answer["missing"])
    assert answer["profile"]["names"] == {"pattern": "AEND_{number}.csv", "kind": "delta"}
    _, answer = told(sample)
    assert any("The times tell no zone" in sentence for sentence in answer["missing"])


@pytest.mark.parametrize(
    ("name", "pattern", "kind"),
    [
        ("BESTAND_20261122_0200.csv", "BESTAND_{time:yyyyMMdd_HHmm}.csv", "full"),
        ("stock-2026-11-22.csv", "stock-{time:yyyy-MM-dd}.csv", "full"),
        ("changes20261122020000.csv", "changes{time:yyyyMMddHHmmss}.csv", "delta"),
        ("full99887766.csv", "full{number}.csv", "full"),
        ("s2-000017.csv", "s2-{number}.csv", "delta"),
        ("Bestand.csv", None, None),
    ],
)
def test_the_pattern_of_a_file_s_name_is_proposed(
    tmp_path: Path, name: str, pattern: str | None, kind: str | None
) -> None:
    """By its time, else by its last number; a name that tells no order gets none. The sample fits what is proposed."""
    sample = put(tmp_path, name, "Artikel;Lager;Bestand\nA;HH1;5\nB;HH1;7\n")
    _, answer = told(sample, "--tz", "UTC", "--write", tmp_path / "p.json")
    assert answer["profile"].get("names") == (None if pattern is None else {"pattern": pattern, "kind": kind})
    if pattern is not None:
        _, answer = told(sample, "--profile", tmp_path / "p.json")
        assert answer["name"]["kind"] == kind


def test_figures_of_the_future_are_warned_of(tmp_path: Path) -> None:
    """As of a wrong zone; figures of the past are none."""
    data = "Artikel;Lager;Bestand;Stand\nA;HH1;5;{0}\nB;HH1;7;2001-01-01T00:00:00Z\n"
    sample = put(tmp_path, "a.csv", data.format("9998-01-01T00:00:00Z"))
    _, answer = told(sample)
    (warning,) = answer["warnings"]
    assert warning.startswith("1 record said that the figures were taken at times still to come, by up to ")
    assert "Warning: 1 record said" in text(sample)
    assert told(put(tmp_path, "b.csv", data.format("2001-01-01T00:00:00Z")))[1]["warnings"] == []


def test_a_reading_ahead_of_the_clock_by_less_than_clocks_differ_is_no_news(tmp_path: Path) -> None:
    """The time of the reading is given, so that nothing rests on the host's clock."""
    sample = "Artikel;Lager;Bestand;Stand\nA;HH1;5;2026-11-23T10:00:00Z\n"
    kept = put(tmp_path, "a.csv", sample)
    told(kept, "--write", tmp_path / "p.json")
    profile = read_profile((tmp_path / "p.json").read_bytes(), "p.json")
    for now_ms, seconds in ((1_795_427_940_000, 60), (1_795_428_060_000, 0)):
        assert read_sample(profile, sample.encode(), 1, {}, now_ms).ahead_seconds == seconds

"""Names, manifests, checkpoints, receipts and rows of dropped files as text."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsyncd.domain.feed import Level, Outcome, RecordFault, Reject
from archsyncd.wire.csv_file import Table
from archsyncd.wire.drop_names import (
    NOTHING_READ,
    DropCheckpoint,
    DropName,
    Form,
    Kind,
    Receipt,
    encode_progress,
    encode_refusal,
    is_later,
    read_checkpoint,
    read_manifest,
    read_name,
    read_progress,
    read_receipt,
)
from archsyncd.wire.drop_records import Entry, Numbering, read_array, read_entries
from archsyncd.wire.r247_values import Literal, Misread, Unreadable
from tests.support.examples import examples
from tests.wire.r247.documents import level


def named(text: str = "main-delta-000000004711-20261123T101500Z.ndjson") -> DropName:
    name = read_name(text)
    assert name is not None
    return name


def test_a_name_is_taken_apart() -> None:
    """Feed (which may contain dashes), kind, number, time, form and compression."""
    assert named("eu-main-full-000000004711-20261123T101500Z.csv.gz") == DropName(
        "eu-main-full-000000004711-20261123T101500Z.csv.gz",
        "eu-main",
        Kind.FULL,
        4711,
        "2026-11-23T10:15:00Z",
        Form.CSV,
        compressed=True,
    )


@settings(max_examples=examples(60), deadline=None)
@given(
    st.text(max_size=80)
    | st.from_regex(r"[a-z-]{0,9}-(full|delta)-\d{10,13}-\d{7,9}T\d{6}Z\.(csv|ndjson)(\.gz)?")
)
def test_f133_no_name_leads_out_of_its_folder(text: str) -> None:
    """A name that is taken has no slash, no dot at its beginning and no control character."""
    name = read_name(text)
    if name is not None:
        assert name.text == text
        assert text.isascii()
        assert text.isprintable()
        assert "/" not in text
        assert not text.startswith((".", "-"))
        assert 0 <= name.file_seq < 10**12


@settings(max_examples=examples(60), deadline=None)
@given(
    epoch=st.text(max_size=20),
    file_seq=st.integers(0, 10**12 - 1),
    line=st.integers(0, 10**7),
    sha256=st.text("0123456789abcdef", max_size=64),
    ended=st.booleans(),
)
def test_a_checkpoint_survives_its_text(
    epoch: str, file_seq: int, line: int, sha256: str, ended: bool
) -> None:
    """What is stored is what is read."""
    checkpoint = DropCheckpoint(epoch, file_seq, line, sha256, ended)
    with contextlib.suppress(
        TypeError
    ):  # half a character cannot be written; no epoch that was read contains one
        assert read_checkpoint(checkpoint.encode()) == checkpoint
    assert read_checkpoint(None) == NOTHING_READ


def test_a_receipt_is_the_contracts_json() -> None:
    """Section 3's members in section 3's form, our own after them; and it can be read back."""
    outcome = Outcome(120, 97, 15, 3, 5, (RecordFault("unknown_sku", 17, "X"), RecordFault("no_quantity")))
    receipt = Receipt(
        "f", "ab", "partial", outcome, "2026-11-23T10:15:00.000Z", "e1", "2026-11-23T10:15:00Z", passed=True
    )
    told = json.loads(receipt.encode())
    assert {
        name: told[name] for name in ("file", "sha256", "status", "read", "applied", "unchanged", "stale")
    } == {
        "file": "f",
        "sha256": "ab",
        "status": "partial",
        "read": 120,
        "applied": 97,
        "unchanged": 15,
        "stale": 3,
    }
    assert told["errors"] == [{"line": 17, "code": "unknown_sku", "sku": "X"}, {"code": "no_quantity"}]
    again = read_receipt(receipt.encode())
    assert again is not None
    assert (again.status, again.epoch, again.as_of, again.passed) == (
        "partial",
        "e1",
        "2026-11-23T10:15:00Z",
        True,
    )


@settings(max_examples=examples(40), deadline=None)
@given(
    line=st.integers(0, 10**6),
    counts=st.lists(st.integers(0, 10**9), min_size=5, max_size=5),
    sku=st.none() | st.text("AZ09-", min_size=1, max_size=5),
)
def test_progress_survives_a_restart(line: int, counts: list[int], sku: str | None) -> None:
    """Counts and errors of the part that was read."""
    outcome = Outcome(
        counts[0], counts[1], counts[2], counts[3], counts[4], (RecordFault("code", line, sku),)
    )
    assert read_progress(encode_progress(line, outcome)) == (line, outcome)


def test_a_refusal_says_why() -> None:
    """Code and reasons for the source's operator."""
    told = json.loads(encode_refusal("f", "bad_content", ["sha256: a here, b in the manifest"], "now"))
    assert (told["file"], told["code"], len(told["reasons"])) == ("f", "bad_content", 1)


@pytest.mark.parametrize(
    ("one", "other", "later"),
    [
        ("2026-11-23T10:15:00Z", "2026-11-23T10:14:59Z", True),
        ("2026-11-23T10:15:00+02:00", "2026-11-23T10:00:00Z", False),
        ("2026-11-23T10:15:00Z", "2026-11-23T10:15:00Z", False),
        ("2026-11-23T10:15:00Z", None, True),
        (None, "2026-11-23T10:15:00Z", False),
    ],
)
def test_times_are_compared_as_times(one: str | None, other: str | None, later: bool) -> None:
    """Offsets count; a time that is not told is not later."""
    assert is_later(one, other) is later


@settings(max_examples=examples(60), deadline=None)
@given(st.binary(max_size=200))
def test_arbitrary_bytes_in_the_drop_raise_nothing_but_the_declared_faults(data: bytes) -> None:
    """Manifests, receipts, progress, arrays, rows: read, refused or forgotten."""
    readers: list[Callable[[], Any]] = [
        lambda: read_manifest(data, named()),
        lambda: read_checkpoint(data.decode("latin-1")),
        lambda: read_array(data, 10),
        lambda: [row for _, row in Table(data.decode("utf-8", "surrogateescape").splitlines(), ",").rows()],
    ]
    for read in readers:
        with contextlib.suppress(Unreadable):
            read()
    read_receipt(data)
    read_progress(data)
    entries = [Entry(line, piece) for line, piece in enumerate(data.split(b"\n"), 1)]
    records, rejects = read_entries(entries, Numbering(named(), "ab"))
    assert len(records) + len(rejects) == len(entries)


CELLS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=6) | st.sampled_from(
    ["5", "-3", "0", "-0", "1e3", "9" * 25, "12,5", "true", "2026-11-23T10:15:00Z"]
)
COLUMNS = ("id", "sku", "location", "onHand", "available", "asOf", "ordersIncluded")


@settings(max_examples=examples(60), deadline=None)
@given(
    rows=st.lists(st.tuples(*[CELLS] * len(COLUMNS)), max_size=6), delimiter=st.sampled_from([",", ";", "\t"])
)
def test_rows_say_what_their_cells_say(rows: list[tuple[str, ...]], delimiter: str) -> None:
    """Whatever stands in quotes comes through; each row becomes one level or one reject, and only integers are figures."""
    lines = [delimiter.join('"' + cell.replace('"', '""') + '"' for cell in row) for row in [COLUMNS, *rows]]
    table = Table([line + "\r\n" for line in lines], delimiter)
    entries = [Entry(line, b"", table.fields(row)) for line, row in table.rows()]
    assert len(entries) == len(rows)
    records, rejects = read_entries(
        entries, Numbering(named("main-delta-000000000001-20261123T101500Z.csv"), "ab")
    )
    assert len(records) + len(rejects) == len(rows)
    for record in records:
        assert isinstance(record, Level)
        row = rows[record.seq - 1_000_000 - 2]
        assert (record.sku, record.location) == (row[1], row[2])
        assert str(record.on_hand if record.on_hand is not None else "") == row[3].replace("-0", "0")


def test_cells_that_are_no_integers_stay_as_they_are_written() -> None:
    """Thousands, decimals, exponents, leading zeros and other digits are kept for the reject."""
    table = Table(["sku,location,onHand"], ",")
    for cell in ("1 000", "12,5", "1e3", "007", "+5", "٣", "0x10", "NaN", " 5"):
        assert table.fields(["A", "W", cell]) == {"sku": "A", "location": "W", "onHand": Literal(cell)}
    # A decimal is a text, as in JSON: it counts where the row tells a unit.
    assert table.fields(["A", "W", "3.0"]) == {"sku": "A", "location": "W", "onHand": "3.0"}
    assert table.fields(["A", "W", ""]) == {"sku": "A", "location": "W"}
    assert isinstance(table.fields(["A"]), Misread)
    with pytest.raises(ValueError, match="delimiter"):
        Table([], "|")


def test_a_file_places_its_records_and_a_full_file_its_items() -> None:
    """Line by line in a delta, all at one place in a full file; filling twice changes nothing."""
    entries = [Entry(3, json.dumps(level()).encode()), Entry(4, json.dumps(level(seq="7", id=...)).encode())]
    for kind, seqs in (("delta", [4_711_000_003, 4_711_000_004]), ("full", [4_711_000_000] * 2)):
        numbering = Numbering(named(f"main-{kind}-000000004711-20261123T101500Z.ndjson"), "ab")
        for _ in range(2):
            records, rejects = read_entries(entries, numbering)
            assert [record.seq for record in records] == seqs
            assert rejects == []
        assert records[0].id == "01JD-1"
        assert len(records[1].id) == 64


def test_a_bad_entry_among_good_ones_is_told_by_its_line() -> None:
    """The good ones count; in an array the bytes of the bad one are its own."""
    data = json.dumps([level(), level(onHand="@@"), level()]).replace('"@@"', "1e400").encode()
    records, rejects = read_entries(read_array(data, 10), Numbering(named(), "ab"))
    assert len(records) == 2
    (fault,) = rejects
    assert isinstance(fault, Reject)
    assert (fault.line, fault.code, b"1e400" in fault.payload) == (2, "not_an_integer", True)

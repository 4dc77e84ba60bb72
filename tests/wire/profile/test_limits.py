"""Payloads that mean harm are stopped by limits, before or while they are parsed."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsyncd.domain.feed import Level, Reject
from archsyncd.wire.profile.documents import BLANK_LINES_LIMIT, DOCUMENT_LIMIT_BYTES
from archsyncd.wire.profile.xml_file import (
    ATTRIBUTES_LIMIT,
    XML_DEPTH_LIMIT,
    XML_LIMIT_BYTES,
    parse_xml,
)
from archsyncd.wire.r247_values import Unreadable
from tests.wire.profile.profiles import items, profile, records, row

ENTITY = '<!DOCTYPE x [<!ENTITY a "{}">]><Items><Item><Code>&a;</Code></Item></Items>'
HARM = {
    "a billion laughs": '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><Items>&b;</Items>',
    "quadratic blow-up": ENTITY.format("x" * 50_000),
    "an external entity": '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><Items>&a;</Items>',
    "a parameter entity": '<!DOCTYPE x [<!ENTITY % a SYSTEM "http://x.example/x.dtd"> %a;]><Items/>',
    "a document type": '<!DOCTYPE Items SYSTEM "http://x.example/x.dtd"><Items/>',
    "an inclusion": '<Items xmlns:i="http://www.w3.org/2001/XInclude"><i:include href="/etc/passwd" parse="text"/></Items>',
    "deep nesting": "<a>" * (XML_DEPTH_LIMIT + 1),
    "many attributes": "<Items " + " ".join(f'a{n}="1"' for n in range(ATTRIBUTES_LIMIT + 1)) + "/>",
    "an entity that is nowhere": "<Items>&x;</Items>",
    "an encoding that nobody has": '<?xml version="1.0" encoding="x-evil"?><Items/>',
    "two roots": "<Items/><Items/>",
    "a cut": "<Items><Item>",
}


@pytest.mark.parametrize("harm", list(HARM))
def test_f132_xml_that_means_harm_is_refused(harm: str) -> None:
    """No entity is expanded, nothing is fetched, nothing grows."""
    with pytest.raises(Unreadable):
        items(profile("xml"), HARM[harm].encode())


def test_f132_a_comment_without_end_or_of_any_size_costs_its_bytes_only() -> None:
    """Comments are dropped while they are read, and count as bytes."""
    comment = b"<!--" + b"x" * 1_000_000 + b"-->"
    assert items(profile("xml"), b"<Items>" + comment + b"</Items>") == ()
    with pytest.raises(Unreadable):
        items(profile("xml"), b"<Items><!--" + b"x" * 1_000_000)


def endless(piece: bytes, first: bytes = b"") -> Iterator[bytes]:
    """A file that never ends; who reads it whole does not return."""
    yield first
    while True:
        yield piece


def test_f130_a_document_that_never_ends_is_stopped_by_its_bytes() -> None:
    """Before it is parsed (JSON) or while it is (XML, lines)."""
    with pytest.raises(Unreadable, match=f"more than {DOCUMENT_LIMIT_BYTES} bytes"):
        list(profile().rows(endless(b" " * 1_048_576, b"[")))
    with pytest.raises(Unreadable, match=f"more than {XML_LIMIT_BYTES} bytes"):
        list(profile("xml").rows(endless(b" " * 1_048_576, b"<Items>")))
    with pytest.raises(Unreadable, match="a line of more than"):
        list(profile("csv").rows(endless(b"x" * 65_536)))
    with pytest.raises(Unreadable, match="no CSV"):
        list(profile("csv").rows(endless(b"x" * 999 + b"\n", b'Id,Code,Site,Qty\n1,"')))


def test_f130_elements_are_counted() -> None:
    """Small elements cost far more memory than bytes."""
    with pytest.raises(Unreadable, match="more than 20000 elements"):
        parse_xml(endless(b"<a/>" * 10_000, b"<Items>"), limit_elements=20_000)


def test_f130_nesting_and_names_without_end_are_no_crash() -> None:
    """A hundred thousand brackets, a hundred thousand names."""
    with pytest.raises(Unreadable, match="nested too deeply"):
        items(profile(), b'{"Items":' + b"[" * 100_000 + b"]" * 100_000 + b"}")
    wide = row() | {f"n{number}": number for number in range(100_000)}
    assert [type(one) for one in records(profile(), json.dumps({"Items": [wide]}).encode())] == [Level]


def test_f130_a_name_that_is_stated_twice_is_never_read_as_either() -> None:
    """The record is set aside, its neighbour is read; twice at the top the document is refused."""
    twice = (
        b'{"Items":[{"Id":1,"Code":"A","Site":"W","Qty":5,"Qty":50},{"Id":2,"Code":"B","Site":"W","Qty":4}]}'
    )
    bad, good = records(profile(), twice)
    assert isinstance(bad, Reject)
    assert bad.code == "duplicate_key"
    assert isinstance(good, Level)
    with pytest.raises(Unreadable):
        items(profile(), b'{"Items":[],"Items":[]}')


@pytest.mark.parametrize("form", ["csv", "ndjson"])
def test_f130_lines_without_end_that_hold_no_record_are_stopped(form: str) -> None:
    """They would cost time and tell nothing; a few are a habit."""
    assert items(profile(form), b"Id,Code,Site,Qty\n" * (form == "csv") + b"\n" * 1_000) == ()
    with pytest.raises(Unreadable, match=f"more than {BLANK_LINES_LIMIT} lines that hold no record"):
        list(profile(form).rows(endless(b"\n" * 100_000, b"Id,Code,Site,Qty\n" * (form == "csv"))))


def test_f130_a_line_beyond_the_limit_is_set_aside_and_the_rest_read() -> None:
    """Of lines of JSON only the long one is lost."""
    data = b'{"x":"' + b"y" * 2_000_000 + b'"}\n' + json.dumps(row()).encode() + b"\n"
    bad, good = records(profile("ndjson"), data)
    assert isinstance(bad, Reject)
    assert bad.code == "line_too_long"
    assert isinstance(good, Level)


_ELEMENT = st.recursive(
    st.text(st.characters(codec="ascii", categories=["L", "N"]), max_size=4),
    lambda inner: st.lists(
        st.tuples(st.sampled_from(["Item", "Code", "Site", "Qty"]), inner), max_size=4
    ).map(lambda parts: "".join(f"<{name}>{body}</{name}>" for name, body in parts)),
    max_leaves=10,
)


@given(_ELEMENT)
def test_f132_whatever_the_elements_each_item_is_read_or_set_aside(body: str) -> None:
    """None is lost, none is made up."""
    found = records(profile("xml"), f"<Items>{body}</Items>".encode())
    assert all(isinstance(one, Reject | Level) for one in found)

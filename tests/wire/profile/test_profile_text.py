"""The text of a profile is checked as a whole: every fault with its place, value and a guess at what was meant."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsyncd.wire.profile.faults import ProfileFaults
from archsyncd.wire.profile.profile import read_profile
from tests.wire.profile.profiles import FIELDS, faults_of, profile, text_of


def test_every_fault_is_told_at_once_in_the_order_of_the_file() -> None:
    """One run suffices to correct a profile."""
    told = faults_of(
        fields=FIELDS | {"sku": "Code", "onHnad": "/Qty", "asOf": {"path": "/T", "format": "dd/MM/yyyy"}},
        when={"/Deleted": "true", "type": "stock.remove"},
        tzz="Europe/London",
    )
    assert [fault.split(": ", 1)[0] for fault in told] == sorted(
        (fault.split(": ", 1)[0] for fault in told),
        key=lambda place: [int(part) for part in place.split(":")[1:]],
    )
    assert (
        'site.json:11:10: fields.sku = "Code": must be a path that begins with "/"; did you mean "/Code"?'
        in told
    )
    assert "site.json:14:13: fields.onHnad: is no field of any record; did you mean onHand?" in told
    assert any('fields.asOf: needs "tz"' in fault for fault in told)
    assert any(
        'when.type = "stock.remove"' in fault and "did you mean stock.removed?" in fault for fault in told
    )
    assert any("tzz" in fault and "did you mean tz?" in fault for fault in told)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"profile": "a",}', "site.json:1:17: the profile is no JSON: no comma may stand before }"),
        (
            '{"profile": "a"\n "format": "json"}',
            "site.json:2:2: the profile is no JSON: a comma or } is needed here",
        ),
        ('{"profile": oops}', "site.json:1:13: profile: the profile is no JSON: a value is needed here"),
        ('{"a": 1} x', "site.json:1:10: the profile is no JSON: nothing may follow the profile"),
        ('{"profile": "a', "site.json:1:13: profile: the profile is no JSON: this text does not end"),
        ('{"profile": "a",\n "profile": "b"}', "site.json:2:2: profile: is stated twice"),
        ("[" * 100, "is nested too deeply"),
        ("[]", "must be an object"),
        ("", "a value is needed here"),
    ],
)
def test_what_is_no_json_is_told_with_its_place(text: str, says: str) -> None:
    """Line and column, as an editor counts them."""
    with pytest.raises(ProfileFaults) as caught:
        read_profile(text.encode(), "site.json")
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"onHand": {"path": "/Q", "format": "dd"}}, "means nothing here: the field holds a whole number"),
        ({"asOf": {"path": "/T", "factor": 2}}, "means nothing here: the field holds a time"),
        ({"sku": {"path": "/A", "join": ["/B"]}}, "has more than one origin"),
        ({"sku": {"trim": True}}, 'needs one of "path"'),
        ({"sku": {"path": "/A", "with": "-"}}, 'means nothing without "join"'),
        ({"onHand": {"path": "/Q", "factor": 0}}, "must be a number above 0"),
        ({"onHand": {"path": "/Q", "factor": 0.5}}, "must be a number above 0"),
        ({"onHand": {"path": "/Q", "unit": "/U"}}, '"unit" and "factors" go together'),
        ({"onHand": "/Items/*/Q"}, "* leads to several values"),
        ({"sku": "/A//B"}, "has an empty step"),
        ({"sku": "/A/../B"}, '".." may stand at the beginning'),
        ({"sku": {"hash": True}}, "makes an id; this field is none"),
        ({"asOf": {"path": "/T", "tz": "UTC"}}, 'means nothing without "format"'),
        ({"sku": {"part": "location"}}, "is no part that a pattern in names gives"),
        ({"lines": {"records": "/L/*", "fields": {"skuu": "/S"}}}, "is no field of lines; did you mean sku?"),
        ({"lines": "/L/*"}, 'must be an object with "records" and "fields"'),
        ({"onHand": {"path": "/Q", "decimal": ",", "thousands": ","}}, "must be different signs"),
    ],
)
def test_a_key_that_means_nothing_where_it_stands_is_a_fault(fields: dict[str, object], says: str) -> None:
    """Whoever wrote it expects something of it."""
    told = faults_of(fields=FIELDS | fields, when={"/Nothing": "x", "skip": True})
    assert any(says in fault for fault in told), told


def test_a_type_without_what_it_needs_is_a_fault() -> None:
    """Every record would be set aside; that is said before the first one."""
    told = faults_of(fields={"sku": "/Code"})
    assert any("a stock.level needs location, in fields or const" in fault for fault in told)
    assert any("a stock.level needs onHand or available" in fault for fault in told)
    assert any("needs a type of record" in fault for fault in faults_of(const=None))


def test_csv_and_xml_have_rules_of_their_own() -> None:
    """What a form cannot have is no key of it."""
    assert any("every line is a record" in fault for fault in faults_of("csv", records="/x"))
    assert any(
        "means something only where format is csv" in fault for fault in faults_of(csv={"delimiter": ";"})
    )
    assert any("XML tells its encoding itself" in fault for fault in faults_of("xml", encoding="utf-8"))
    told = faults_of("csv", fields=FIELDS | {"sku": "/A/B"})
    assert any('did you mean "/A~1B"?' in fault for fault in told)


def test_notes_may_stand_anywhere_and_the_request_is_kept_as_it_is() -> None:
    """A profile is written by people for people; who pulls judges the request."""
    request = {"path": "/stock", "query": {"since": "{cursor}"}, "mode": "cursor"}
    found = profile(note="asked Mr. Smith", fields=FIELDS | {"note": "as of May"}, request=request)
    assert found.request == request
    line, column = found.line_of(("request", "query", "since"))
    assert (
        text_of(note="asked Mr. Smith", fields=FIELDS | {"note": "as of May"}, request=request)
        .decode()
        .splitlines()[line - 1][column - 1 :]
        .startswith('"{cursor}"')
    )


@given(st.binary(max_size=300))
def test_no_bytes_break_the_reader_of_profiles(data: bytes) -> None:
    """It is a profile, or there are faults."""
    with pytest.raises(ProfileFaults):
        read_profile(data, "site.json")


_NAMES = [
    "path",
    "join",
    "hash",
    "fields",
    "records",
    "values",
    "format",
    "tz",
    "type",
    "/X",
    "skip",
    "not",
    "csv",
    "sku",
]
_NAMES += [
    "columns",
    "pattern",
    "kind",
    "parts",
    "onHand",
    "lines",
    "const",
    "factors",
    "unit",
    "split",
    "asOf",
    "id",
]
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5) | st.just("/A"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_NAMES), inner, max_size=4),
    max_leaves=12,
)


@given(
    st.dictionaries(
        st.sampled_from(
            ["const", "fields", "when", "csv", "names", "tz", "fold", "unstated", "decimal", "absent"]
        ),
        _JSON,
        max_size=4,
    ),
    st.sampled_from(["json", "csv", "xml", "ndjson"]),
)
def test_no_json_breaks_the_reader_of_profiles(members: dict[str, object], form: str) -> None:
    """Whatever stands where, it is told as a fault and nothing else."""
    text = json.dumps({"profile": "x", "format": form} | members).encode()
    try:
        found = read_profile(text, "site.json")
    except ProfileFaults as told:
        assert told.faults  # noqa: PT017 - either is right
    else:
        assert found.form == form

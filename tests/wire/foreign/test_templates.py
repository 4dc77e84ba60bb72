"""Texts with places to fill, times as a source writes them, links that a source gives."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsyncd.wire.foreign.asking import Ask
from archsyncd.wire.foreign.following import Next, own_link
from archsyncd.wire.foreign.templates import (
    STOCK_NAMES,
    parse_path_template,
    parse_template,
    writable,
)
from archsyncd.wire.foreign.times import parse_duration_ms, parse_time_form
from archsyncd.wire.r247_values import Unreadable

BASE = "https://r247.example:8443/api"
LONDON = ZoneInfo("Europe/London")


def at_ms(*moment: int) -> int:
    return int(datetime(*moment, tzinfo=UTC).timestamp() * 1000)  # type: ignore[misc,arg-type]


@given(st.text(max_size=40))
def test_a_value_never_moves_the_path_it_is_put_into(value: str) -> None:
    """Slashes, dots, question marks and percent signs of a hostile SKU stay within their segment."""
    template = parse_path_template("/stock/{sku}/levels", STOCK_NAMES)
    path = template.fill_path({"sku": value.encode("utf-8", "replace").decode()})
    assert path is not None
    first, stock, segment, last = path.split("/")
    assert (first, stock, last) == ("", "stock", "levels")
    assert segment not in {".", ".."}
    assert unquote(segment) == value.encode("utf-8", "replace").decode()


def test_nothing_but_the_known_names_is_expanded() -> None:
    """Double braces are braces; what the values hold is not expanded again."""
    template = parse_template("{{{sku}}} ${HOME} {{limit}}".replace("${HOME}", "$HOME"), STOCK_NAMES)
    assert template.fill({"sku": "{limit}", "limit": "5"}) == "{{limit}} $HOME {limit}"
    for text in ("{Sku}", "{sku.x}", "{0}", "{}", "{sku", "sku}", "{sku!r}"):
        with pytest.raises(ValueError, match=r"brace|is not known here"):
            parse_template(text, STOCK_NAMES)


def test_a_parameter_without_its_value_is_left_out() -> None:
    """The first request has no cursor yet."""
    ask = Ask(
        "POST",
        parse_path_template("/a", STOCK_NAMES),
        query=(("since", parse_template("{cursor}", STOCK_NAMES)), ("n", parse_template("5", STOCK_NAMES))),
        headers=(("X-Since", parse_template("{cursor}", STOCK_NAMES)),),
        body={
            "after": parse_template("{cursor}", STOCK_NAMES),
            "only": [parse_template("{sku}", STOCK_NAMES), 1],
        },
    )
    assert (ask.fill({"sku": "A"}).query, ask.fill({"sku": "A"}).headers) == ((("n", "5"),), ())
    assert ask.fill({"sku": 'A"'}).body == '{"only": ["A\\"", 1]}'
    assert ask.fill({"sku": "A", "cursor": "c"}).body == '{"after": "c", "only": ["A", 1]}'
    for cursor in ("a\nX-Evil: 1", "", "\x00", "ü"):
        with pytest.raises(ValueError, match=r"cannot stand in a|can stand in a"):
            ask.fill({"sku": "A", "cursor": cursor})


@pytest.mark.parametrize("value", ["", "a\nb", "a\rb", "\x00", "x" * 5_000, "\u2028"])
def test_what_is_no_single_line_of_printable_text_is_not_put_into_a_request(value: str) -> None:
    assert not writable(value)


@pytest.mark.parametrize(
    ("format_", "tz", "written"),
    [
        ("rfc3339", None, "2026-07-01T12:00:05.250Z"),
        ("epoch-seconds", None, "1782907205"),
        ("epoch-milliseconds", None, "1782907205250"),
        ("dd/MM/yyyy HH:mm", "Europe/London", "01/07/2026 13:00"),
        ("yyyyMMdd'T'HHmmss", "UTC", "20260701T120005"),
        ("yyyy-MM-dd HH:mm:ss.SSS", "Asia/Kolkata", "2026-07-01 17:30:05.250"),
        ("dd.MM.yyyy' um 'HH:mm", "Europe/Berlin", "01.07.2026 um 14:00"),
    ],
)
def test_times_are_written_as_the_source_writes_them(format_: str, tz: str | None, written: str) -> None:
    """Rounded down: what is asked for begins no later than what is meant."""
    assert parse_time_form(format_, tz).write(at_ms(2026, 7, 1, 12, 0, 5) + 250) == written


NIGHT = st.integers(at_ms(2026, 10, 24), at_ms(2026, 10, 26)) | st.integers(
    at_ms(2026, 10, 24, 23, 50), at_ms(2026, 10, 25, 2, 10)
)


@given(NIGHT, NIGHT)
def test_a_source_that_compares_labels_leaves_out_nothing_that_came_later(one: int, other: int) -> None:
    """Whatever the clocks did that night: the label that is asked for stands before that of every later moment."""
    asked, changed = sorted((one, other))
    label = parse_time_form("yyyy-MM-dd HH:mm:ss", "Europe/London").write(asked)
    assert label <= f"{datetime.fromtimestamp(changed / 1000, LONDON):%Y-%m-%d %H:%M:%S}"


@given(NIGHT)
def test_a_source_that_understands_labels_leaves_out_nothing_that_came_later(moment_ms: int) -> None:
    """Whichever of the two moments it takes a label of that hour for."""
    label = parse_time_form("yyyy-MM-dd HH:mm:ss", "Europe/London").write(moment_ms)
    local = datetime.strptime(label, "%Y-%m-%d %H:%M:%S").replace(tzinfo=LONDON)
    later = max(local.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
    moment = datetime.fromtimestamp(moment_ms / 1000, UTC)
    assert local.astimezone(UTC) <= moment
    assert later <= moment or label.endswith(" 01:00:00")


@pytest.mark.parametrize("text", ["", "5", "s", "0s", "-5s", "1.5h", "٥s", "99999999s", 5, None])
def test_what_is_no_duration_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="must be a time such as"):
        parse_duration_ms(text)


@given(
    st.lists(
        st.sampled_from(
            [*"/\\.:@?#%&=abhtps0123456789[]", "http://", "https://r247.example", ":8443", "/api"]
        ),
        max_size=12,
    ).map("".join)
)
def test_f177_whatever_is_taken_for_a_link_leads_below_the_url(text: str) -> None:
    """The same scheme, host and port, the same first part of the path; everything else is refused."""
    try:
        link = own_link(text, BASE)
    except Unreadable:
        return
    whole = urlsplit(f"{BASE}{link.path}")
    assert (whole.scheme, whole.netloc) == ("https", "r247.example:8443")
    assert whole.path.startswith("/api/")
    assert not {".", ".."} & set(unquote(whole.path).split("/"))


@pytest.mark.parametrize(
    ("text", "path", "query"),
    [
        ("/api/next?c=1&d=", "/next", (("c", "1"), ("d", ""))),
        ("https://r247.example:8443/api/a/b?x=a%20b", "/a/b", (("x", "a b"),)),
        ("HTTPS://R247.example:8443/api/n", "/n", ()),
    ],
)
def test_links_that_lead_back_are_taken(text: str, path: str, query: Any) -> None:
    """Relative to the host, or with it."""
    link = own_link(text, BASE)
    assert (link.path, link.query) == (path, query)


@pytest.mark.parametrize(
    "text",
    [
        "https://r247.example/api/n",
        "http://r247.example:8443/api/n",
        "https://evil.example:8443/api/n",
        "https://user@r247.example:8443/api/n",
        "https://r247.example:8443@evil.example/api/n",
        "//r247.example.evil/api/n",
        "/apiary/n",
        "/other/n",
        "/api",
        "/api/../admin",
        "/api/%2e%2e/admin",
        "/api//evil.example",
        "\\\\evil.example\\api",
        "/api/n#x",
        "javascript:alert(1)",
        "file:///api/n",
        "https://[::1",
        "?c=1",
        "next?c=1",
        "/api/ü",
    ],
)
def test_f177_links_that_lead_elsewhere_are_refused(text: str) -> None:
    with pytest.raises(Unreadable, match="leads away"):
        own_link(text, BASE)


def test_f177_a_link_of_too_many_fields_is_refused() -> None:
    with pytest.raises(Unreadable, match="more than 64 fields"):
        own_link("/api/next?" + "&".join(f"a{number}=1" for number in range(65)), BASE)


def test_the_next_link_is_found_among_others() -> None:
    """RFC 8288, with parameters in any order."""
    header = '</a?x=1,2>; rel="prev first", </b>; title="x; y"; rel=next'
    follow = Next("header", "Link", link=True)
    assert follow.find(lambda _: None, lambda _: header, None) == "/b"
    assert follow.find(lambda _: None, lambda _: '</a>; rel="last"', None) is None
    assert follow.find(lambda _: None, lambda _: None, None) is None


@pytest.mark.parametrize("value", [5.5, True, ["x"], "a\nb", "x" * 5_000])
def test_a_cursor_that_is_no_single_text_is_refused(value: Any) -> None:
    """Nothing of such an answer is committed."""
    with pytest.raises(Unreadable):
        Next("path", "/x").find(lambda _: value, lambda _: None, None)

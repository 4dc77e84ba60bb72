"""The request section: what is sound, and every fault with its place and what it would cost."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsyncd.wire.foreign.section import read_requests
from archsyncd.wire.foreign.source import read_source
from archsyncd.wire.profile.faults import ProfileFaults
from tests.wire.foreign.sections import BY_CURSOR, BY_TIME, PLACE, WHOLE, fault_at, faults, profile, source


@pytest.mark.parametrize("request_", [BY_CURSOR, BY_TIME, WHOLE])
def test_the_least_of_each_mode_is_sound(request_: dict[str, Any]) -> None:
    """What is not stated has a value that works."""
    found = source(request_).requests
    assert found.mode == request_["mode"]
    assert found.every_ms in {15_000, 900_000}


def test_what_the_contract_shows_is_sound() -> None:
    """The example of feeds.md, section 6, with what it leaves open."""
    request = {
        "path": "/stock/changes",
        "query": {"since": "{cursor}", "max": "{limit}"},
        "next": "/LastId",
        "mode": "cursor",
        "start": "0",
    }
    assert source(request).requests.changes.ask.names == {"cursor", "limit"}


def test_a_profile_without_the_section_cannot_be_asked() -> None:
    """It is said once, not for every member that is missing."""
    data = json.loads(profile(BY_CURSOR))
    del data["request"]
    with pytest.raises(ProfileFaults, match="is required to ask a source"):
        read_source(json.dumps(data).encode(), "p.json")


@pytest.mark.parametrize(
    ("request_", "path", "says"),
    [
        (BY_CURSOR | {"mode": None, "snapshot": None}, "request.mode", "is required"),
        (BY_CURSOR | {"mode": "cursors"}, "request.mode", "must be one of cursor, page, time-overlap"),
        (BY_CURSOR | {"path": None}, "request.path", "is required"),
        (BY_CURSOR | {"path": "changes"}, "request.path", "begins with"),
        (BY_CURSOR | {"path": "/a?b=c"}, "request.path", "belongs into query"),
        (BY_CURSOR | {"path": "/a/../b"}, "request.path", 'no step "." or ".."'),
        (BY_CURSOR | {"path": "/a/%2e%2E/b"}, "request.path", 'no step "." or ".."'),
        (BY_CURSOR | {"path": "//evil.example/b"}, "request.path", "two slashes"),
        (BY_CURSOR | {"path": "/{sku}"}, "request.path", "is not known here"),
        (BY_CURSOR | {"next": None}, "request.next", "is required by mode cursor"),
        (BY_CURSOR | {"next": "LastId"}, "request.next", "must be a path"),
        (BY_CURSOR | {"next": {"header": "X", "path": "/y"}}, "request.next", "exactly one"),
        (BY_CURSOR | {"query": {"max": "{limit}"}}, "request.query", "read the same"),
        (BY_CURSOR | {"query": {"since": "{cursor"}}, "request.query.since", "single brace"),
        (BY_CURSOR | {"query": {"since": "{cursor}", "b": True}}, "request.query.b", "must be a text"),
        (BY_CURSOR | {"start": None}, "request.start", "is required without snapshot"),
        (
            BY_CURSOR | {"snapshot": {"path": "/stock"}},
            "request.snapshot",
            "old changes would be applied over newer",
        ),
        (BY_CURSOR | {"pages": {"by": "number"}}, "request.pages", "is not known here"),
        (BY_CURSOR | {"overlap": "5s"}, "request.overlap", "is not known here"),
        (BY_CURSOR | {"every": "5"}, "request.every", "must be a time such as"),
        (BY_CURSOR | {"every": "2d"}, "request.every", "at most 24h"),
        (BY_CURSOR | {"expired": [200]}, "request.expired", "from 400 to 499"),
        (BY_CURSOR | {"headers": {"Authorization": "x"}}, "request.headers.Authorization", "credential file"),
        (BY_CURSOR | {"headers": {"a b": "x"}}, 'request.headers."a b"', "no name of a header"),
        (BY_CURSOR | {"headers": {"X-A": "a\nX-B: c"}}, "request.headers.X-A", "one line of printable"),
        (BY_CURSOR | {"headers": {"X-A": "ü"}}, "request.headers.X-A", "of ASCII ones"),
        (BY_CURSOR | {"body": {"x": 1}}, "request.body", "a GET has no body"),
        (BY_CURSOR | {"key": {"path": "/one"}}, "request.key", "must ask for one {sku}"),
        (BY_CURSOR | {"head": {"shape": 5, "path": "/h"}}, "request.head.shape", "must be an object"),
        (BY_CURSOR | {"nxt": "/x"}, "request.nxt", "is not known here"),
        (BY_TIME | {"overlap": None}, "request.overlap", "is required by mode time-overlap"),
        (BY_TIME | {"query": None}, "request.query", "read all there is"),
        (BY_TIME | {"since": {"format": "dd/MM/yyyy"}}, "request.since.format", "needs tz"),
        (BY_TIME | {"since": {"format": "HH:mm", "tz": "UTC"}}, "request.since.format", "must say the day"),
        (
            BY_TIME | {"since": {"format": "yyyy-MM-ddTHH", "tz": "UTC"}},
            "request.since.format",
            "cannot be read",
        ),
        (
            BY_TIME | {"since": {"format": "yyyyMMdd", "tz": "Mars/Olympus"}},
            "request.since.format",
            "no time zone",
        ),
        (
            BY_TIME | {"since": {"format": "rfc3339", "tz": "UTC"}},
            "request.since.format",
            "may not stand beside",
        ),
        (BY_TIME | {"positions": "source"}, "request.positions", "source needs mode cursor"),
        (BY_TIME | {"pages": {"by": "number"}}, "request.query", "must ask for {page}"),
        (BY_TIME | {"pages": {"by": "next"}}, "request.pages.next", "is required by pages.by next"),
        (WHOLE | {"pages": None}, "request.pages", "is required by mode page"),
        (
            WHOLE | {"pages": {"by": "number", "until": "total"}},
            "request.pages.total",
            "is required by until total",
        ),
        (WHOLE | {"pages": {"by": "number", "total": "/t"}}, "request.pages.total", "belongs to until total"),
        (WHOLE | {"pages": {"by": "number", "until": "short"}}, "request.pages", "needs the size of a page"),
        (WHOLE | {"snapshot": {"path": "/x"}}, "request.snapshot", "is not known here"),
        (WHOLE | {"shape": {}}, "request.shape", "belongs to snapshot"),
        (WHOLE | {"orders": {}}, "request.orders.place", "is required"),
        (WHOLE | {"orders": {"place": {"path": "/o"}}}, "request.orders.place.order", "is required"),
        (
            WHOLE | {"orders": {"place": PLACE | {"order": {"a": "orderId"}}}},
            "request.orders.place.order.a",
            "const",
        ),
        (
            WHOLE | {"orders": {"place": PLACE | {"order": {"a": "/orderID"}}}},
            "request.orders.place.order.a",
            "not known",
        ),
        (
            WHOLE | {"orders": {"place": PLACE, "lookUp": {"path": "/o/{order}"}}},
            "request.orders.lookUp.unknown",
            "twice",
        ),
        (
            WHOLE
            | {"orders": {"place": PLACE, "lookUp": {"path": "/o/{order}", "unknown": {"status": 404}}}},
            "request.orders.lookUp.unknown.code",
            "is required, or without",
        ),
        (
            WHOLE | {"orders": {"place": PLACE, "answer": {"words": {"taken": "OK"}}}},
            "request.orders.answer.words.taken",
            "must be one of accepted",
        ),
        (
            WHOLE | {"orders": {"place": PLACE, "answer": {"seq": "/s"}}},
            "request.orders.answer.seq",
            "stand together",
        ),
    ],
)
def test_each_fault_is_told_where_it_stands(request_: dict[str, Any], path: str, says: str) -> None:
    """One thing wrong is one fault, with a sentence for whoever wrote it."""
    assert says in fault_at(request_, path)


def test_faults_have_the_line_of_the_profile_and_what_was_meant() -> None:
    """All of them in one run."""
    request = BY_CURSOR | {"query": {"since": "{cursr}", "max": "{limit}"}, "nxet": "/x"}
    with pytest.raises(ProfileFaults) as refused:
        source(request)
    data = profile(request).decode().split("\n")
    told = {fault.path: fault for fault in refused.value.faults}
    since = told["request.query.since"]
    assert data[since.line - 1].strip().startswith('"since"')
    assert "did you mean {cursor}?" in since.says
    assert told["request.nxet"].suggestion == '"next"'


def test_positions_of_the_source_need_to_know_where_its_pictures_stand() -> None:
    """A snapshot or a single SKU without a position could not be compared with a change."""
    request = BY_CURSOR | {
        "positions": "source",
        "head": {"query": {"since": "now"}},
        "snapshot": {"path": "/stock"},
        "key": {"path": "/stock/{sku}"},
    }
    assert {where for where, _ in faults(request)} == {"request.snapshot", "request.key"}
    sound = request | {
        "snapshot": {"path": "/stock", "seqAt": "/at"},
        "key": {"path": "/stock/{sku}", "seqAt": "/at"},
    }
    assert source(sound).requests.positions == "source"


def test_a_shape_of_its_own_reads_a_list_that_looks_different() -> None:
    """Members that are stated replace the profile's; a fault in them is told at the shape."""
    shape = {"records": "/Stock/*", "fields": {"sku": "/Code", "location": "/Site", "onHand": "/Qty"}}
    found = source(BY_TIME | {"snapshot": {"path": "/stock", "shape": shape}})
    listing = found.requests.snapshot
    assert listing is not None
    (item,) = found.shape_of(listing).read(b'{"Stock":[{"Code":"A","Site":"W","Qty":1}]}').items
    assert item.value == {"type": "stock.level", "sku": "A", "location": "W", "onHand": 1}
    wrong = shape | {"fields": {"sku": "/Code", "location": "/Site", "onHnad": "/Qty"}}
    told = faults(BY_TIME | {"snapshot": {"path": "/stock", "shape": wrong}})
    assert "request.snapshot.shape.fields.onHnad" in [where for where, _ in told]


NAMES = [
    "mode",
    "path",
    "query",
    "headers",
    "next",
    "pages",
    "by",
    "snapshot",
    "key",
    "orders",
    "place",
    "order",
    "answer",
    "words",
    "lookUp",
    "unknown",
    "body",
    "since",
    "format",
    "tz",
    "head",
    "link",
    "cancel",
    "shape",
]
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 500)
    | st.text(max_size=8)
    | st.sampled_from(["{cursor}", "/a", "5s"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5),
    max_leaves=12,
)


@given(
    st.dictionaries(st.sampled_from([*BY_CURSOR, *BY_TIME, "orders", "key", "head", "pages", "body"]), JSON)
)
def test_whatever_stands_there_is_read_or_refused_with_its_faults(section: dict[str, Any]) -> None:
    """Never anything else."""

    class Nowhere:
        file = "p.json"

        def line_of(self, path: tuple[str | int, ...]) -> tuple[int, int]:
            return len(path), 1

    for request in (section, BY_CURSOR | section, BY_TIME | section, WHOLE | section):
        with contextlib.suppress(ProfileFaults):
            read_requests(request, Nowhere())

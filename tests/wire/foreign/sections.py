"""The least request sections that are sound, and ways to change them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from archsyncd.wire.foreign.source import Source, read_source
from archsyncd.wire.profile.faults import ProfileFaults

BY_CURSOR: dict[str, Any] = {
    "mode": "cursor",
    "path": "/changes",
    "query": {"since": "{cursor}", "max": "{limit}"},
    "next": "/LastId",
    "start": "0",
}
BY_TIME: dict[str, Any] = {
    "mode": "time-overlap",
    "path": "/changes",
    "query": {"since": "{since}"},
    "overlap": "120s",
    "snapshot": {"path": "/stock"},
}
WHOLE: dict[str, Any] = {
    "mode": "page",
    "path": "/stock",
    "query": {"page": "{page}"},
    "pages": {"by": "number"},
}
PLACE: dict[str, Any] = {"path": "/orders/{order}", "order": {"ref": "/orderId"}}


def profile(request: dict[str, Any], **members: Any) -> bytes:
    """A profile with this request section, None among its members taken away."""
    kept = {name: value for name, value in request.items() if value is not None}
    whole = {
        "profile": "p",
        "format": "json",
        "records": "/rows/*",
        "const": {"type": "stock.level"},
        "fields": {"sku": "/s", "location": "/l", "onHand": "/q", "asOf": "/t"},
        "request": kept,
        **members,
    }
    return json.dumps(whole, indent=1).encode()


def source(request: dict[str, Any], **members: Any) -> Source:
    return read_source(profile(request, **members), "p.json")


def faults(request: dict[str, Any]) -> list[tuple[str, str]]:
    """The faults of a section: where, and what is said."""
    with pytest.raises(ProfileFaults) as refused:
        source(request)
    return [(fault.path, fault.says) for fault in refused.value.faults]


def fault_at(request: dict[str, Any], path: str) -> str:
    """What is said of the one thing that is wrong."""
    found = faults(request)
    assert [where for where, _ in found] == [path], found
    return found[0][1]

"""Profiles and payloads for the tests: a level by default, changed by what a test is about."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from archsyncd.domain.feed import Level, Record, Reject
from archsyncd.wire.profile.contract import Mapped
from archsyncd.wire.profile.faults import ProfileFaults
from archsyncd.wire.profile.profile import Profile, read_profile

LEVEL = {"type": "stock.level"}
FIELDS = {"id": "/Id", "seq": "/Id", "sku": "/Code", "location": "/Site", "onHand": "/Qty"}


def profile(form: str = "json", **members: Any) -> Profile:
    """A sound profile of levels; `members` replace what it says, None takes out."""
    return read_profile(text_of(form, **members), "site.json")


def text_of(form: str = "json", **members: Any) -> bytes:
    records = {"json": "/Items/*", "xml": "/Items/Item"}.get(form)
    whole = {
        "profile": "site",
        "format": form,
        "records": records,
        "const": LEVEL,
        "fields": FIELDS,
    } | members
    return json.dumps({name: value for name, value in whole.items() if value is not None}, indent=1).encode()


def faults_of(form: str = "json", **members: Any) -> list[str]:
    """What is said against a profile."""
    with pytest.raises(ProfileFaults) as caught:
        profile(form, **members)
    return str(caught.value).split("\n")


def row(**members: Any) -> dict[str, Any]:
    return {"Id": 7, "Code": "ABC-1", "Site": "WH1", "Qty": 5} | members


def items(found: Profile, data: bytes, parts: Mapping[str, str] | None = None) -> tuple[Mapped, ...]:
    return found.read(data, parts or {}).items


def records(found: Profile, data: bytes) -> list[Record | Reject]:
    return [found.record(item) for item in items(found, data)]


def read(found: Profile, *rows: Any) -> list[Record | Reject]:
    """Read rows of a JSON document."""
    return records(found, json.dumps({"Items": rows}).encode())


def level(found: Profile, **members: Any) -> Level:
    one = read(found, row(**members))[0]
    assert isinstance(one, Level), one
    return one


def rejected(found: Profile, **members: Any) -> Reject:
    one = read(found, row(**members))[0]
    assert isinstance(one, Reject), one
    return one

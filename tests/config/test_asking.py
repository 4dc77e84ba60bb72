"""A profile by which a source is asked, and the keys of its feed: what goes together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from archsyncd.config import ConfigurationFaults, Fault, load
from tests.config.texts import FEED, PROJECT
from tests.wire.foreign.sections import BY_CURSOR, BY_TIME, PLACE, WHOLE, profile

HANDS_OVER = '[orders]\nmode = "hand-over"\nhand_over_to = "main"\n'
LOCATIONS = '[locations]\nWH1 = { channel = "warehouse-1" }\nWH2 = { channel = "warehouse-2" }\n'
UNKNOWN = {"status": 404, "code": "NO"}


def faults(tmp_path: Path, request: dict[str, Any], more: str = "", after: str = "") -> list[Fault]:
    """What is wrong with a feed that is read by a profile with this request section."""
    (tmp_path / "site.json").write_bytes(profile(request))
    path = tmp_path / "config.toml"
    path.write_text(PROJECT + FEED + 'profile = "site.json"\n' + more + LOCATIONS + after)
    try:
        load(path, None, {}, require_credentials=False)
    except ConfigurationFaults as found:
        return list(found.faults)
    return []


def test_a_profile_with_a_full_picture_needs_nothing_else(tmp_path: Path) -> None:
    """By time with a snapshot of its own, or the whole stock again and again."""
    assert faults(tmp_path, BY_TIME) == []
    assert faults(tmp_path, WHOLE) == []


@pytest.mark.parametrize("request_", [BY_CURSOR, BY_TIME | {"snapshot": None}])
def test_a_profile_without_a_full_picture_needs_a_partner(tmp_path: Path, request_: dict[str, Any]) -> None:
    """Or the word of the site that it does without."""
    (fault,) = faults(tmp_path, request_)
    assert fault.path == "feed[0].snapshot_from"
    assert "deletions and changes that were missed would never show" in fault.allowed
    assert fault.line == 7
    assert faults(tmp_path, request_, 'snapshot_from = "none-accepted"\n') == []
    nightly = '[[feed]]\nname = "nightly"\ntransport = "drop"\ndirectory = "/srv/archean"\n'
    assert faults(tmp_path, request_, 'snapshot_from = "nightly"\n' + nightly) == []


def test_the_faults_of_the_requests_are_told_with_the_profile_s_line(tmp_path: Path) -> None:
    """Each once, beside those of the configuration."""
    found = faults(tmp_path, BY_TIME | {"overlap": "5", "path": "stock"}, "wait_seconds = -1\n")
    assert [
        (fault.source.rpartition("/")[2], fault.path) for fault in found if "site.json" in fault.source
    ] == [
        ("site.json", "request.path"),
        ("site.json", "request.overlap"),
    ]
    assert "feed[0].wait_seconds" in [fault.path for fault in found]


def test_a_feed_without_requests_in_its_profile_cannot_be_asked(tmp_path: Path) -> None:
    """A profile for files is none for a source that is asked."""
    (tmp_path / "site.json").write_bytes(profile(BY_TIME).replace(b'"request"', b'"note"'))
    path = tmp_path / "config.toml"
    path.write_text(PROJECT + FEED + 'profile = "site.json"\n')
    with pytest.raises(ConfigurationFaults, match="is required to ask a source"):
        load(path, None, {}, require_credentials=False)


@pytest.mark.parametrize("key", ["stream = true", "acknowledge = true", 'consumer = "x"', "wait_seconds = 5"])
def test_keys_of_r247_s_own_requests_do_not_stand_beside_a_profile(tmp_path: Path, key: str) -> None:
    """They would seem to do something."""
    (fault,) = faults(tmp_path, BY_TIME, f"{key}\n")
    assert fault.path == f"feed[0].{key.partition(' ')[0]}"
    assert "speak r247/1" in fault.allowed


def test_a_profile_that_asks_by_location_needs_to_know_them(tmp_path: Path) -> None:
    """A cursor is of one list, and so of one location."""
    by_place = WHOLE | {"query": {"page": "{page}", "site": "{location}"}}
    (fault,) = faults(tmp_path, by_place)
    assert fault.path == "feed[0].locations"
    assert faults(tmp_path, by_place, 'locations = ["WH1", "WH2"]\n') == []
    by_cursor = BY_CURSOR | {"query": {"since": "{cursor}", "site": "{location}"}}
    accepted = 'snapshot_from = "none-accepted"\n'
    (fault,) = faults(tmp_path, by_cursor, accepted + 'locations = ["WH1", "WH2"]\n')
    assert "make a feed for each {location}" in fault.allowed
    assert faults(tmp_path, by_cursor, accepted + 'locations = ["WH1"]\n') == []


def test_orders_need_a_desk_that_the_profile_describes(tmp_path: Path) -> None:
    """And a look-up in it, where that is what keeps an order from being made twice."""
    (fault,) = faults(tmp_path, WHOLE, after=HANDS_OVER)
    assert fault.path == "orders.hand_over_to"
    by_look_up = HANDS_OVER + 'duplicate_protection = "lookup"\n'
    (fault,) = faults(tmp_path, WHOLE | {"orders": {"place": PLACE}}, after=by_look_up)
    assert fault.path == "orders.duplicate_protection"
    desk = {"place": PLACE, "answer": {"code": "/c"}, "lookUp": {"path": "/o/{order}", "unknown": UNKNOWN}}
    assert faults(tmp_path, WHOLE | {"orders": desk}, after=by_look_up) == []
    assert faults(tmp_path, WHOLE | {"orders": {"place": PLACE}}, after=HANDS_OVER) == []

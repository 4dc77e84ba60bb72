"""A profile and the feed that reads messages by it: what goes together, and what is told of their order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from archsyncd.config import ConfigurationFaults, Fault, load
from archsyncd.config.profiles import profile_notes
from tests.config.texts import FEED, PROJECT
from tests.dialects.houses import written
from tests.dialects.tellers import tally_profile, ticker_profile

LOCATIONS = '[locations]\nWH1 = { channel = "warehouse-1" }\n'
QUEUE = 'transport = "pubsub"\nsubscription = "projects/p/subscriptions/stock"\n'
CALLS = 'transport = "push"\n'
TOKEN = '[feed.signature]\nalgorithm = "token"\nheader = "Authorization"\n'
GOOGLE = '[feed.signature]\nalgorithm = "oidc"\naudience = "https://a.test"\nemail = "p@p.iam.gserviceaccount.com"\n'
NAMED = {"pattern": "BEST{number}_{lager}.xml", "kind": "delta"}


def text(tmp_path: Path, profile: dict[str, Any], keys: str, more: str = "") -> Path:
    """A configuration whose second feed is read by this profile."""
    (tmp_path / "site.json").write_bytes(written(profile))
    path = tmp_path / "config.toml"
    feed = f'[[feed]]\nname = "told"\nprofile = "site.json"\nsnapshot_from = "main"\n{keys}'
    path.write_text(
        PROJECT + FEED + feed.replace('snapshot_from = "main"\n', "", "drop" in keys) + more + LOCATIONS
    )
    return path


def faults(tmp_path: Path, profile: dict[str, Any], keys: str, more: str = "") -> list[Fault]:
    try:
        load(text(tmp_path, profile, keys, more), None, {}, require_credentials=False)
    except ConfigurationFaults as found:
        return list(found.faults)
    return []


@pytest.mark.parametrize(
    ("profile", "keys"),
    [
        (tally_profile(), QUEUE),
        (tally_profile(asOf=None, occurredAt=None), QUEUE),
        (tally_profile(), CALLS + GOOGLE),
        (tally_profile(asOf=None, occurredAt=None), CALLS + GOOGLE),
        (tally_profile(), CALLS + TOKEN),
        (ticker_profile(), CALLS),
        (ticker_profile(seq="/@nr"), CALLS),
        (ticker_profile(asOf=None, occurredAt="/@zeit"), CALLS),
        (ticker_profile() | {"names": NAMED}, CALLS),
    ],
)
def test_a_profile_that_can_read_what_is_told_is_taken(
    tmp_path: Path, profile: dict[str, Any], keys: str
) -> None:
    """A queue tells when each message was published; of a call the record must tell."""
    assert faults(tmp_path, profile, keys) == []


@pytest.mark.parametrize(
    ("profile", "keys", "says"),
    [
        (ticker_profile(asOf=None), CALLS, "asOf or occurredAt of stock.level"),
        (ticker_profile(asOf=None), CALLS + TOKEN, "only name SKUs (fetch = true)"),
        (ticker_profile(asOf=None, seq="/@nr"), CALLS, "behind a newer full of the other feed"),
        (tally_profile(occurredAt=None), CALLS + TOKEN, "of stock.removed, stock.movement"),
        (tally_profile(), CALLS, "attributes (werk), and a call that its sender signs has none"),
        (ticker_profile(), CALLS + "fetch = true\n", "leave one of the two out"),
        (ticker_profile() | {"names": NAMED, "fields": ticker_profile()["fields"] | {"location": {"part": "lager"}}}, QUEUE,
         "parts of a file's name (lager), and messages have none"),
        (ticker_profile() | {"when": {"/@nr": {"not": None}, "fields": {"seq": "/@nr"}}}, QUEUE,
         "seq for some kinds of records and not for others"),
        (tally_profile(), 'transport = "drop"\ndirectory = "/srv/a"\nready = "rename"\n', "which only messages of Pub/Sub have"),
    ],
)  # fmt: skip
def test_a_profile_that_cannot_is_refused_with_its_reason(
    tmp_path: Path, profile: dict[str, Any], keys: str, says: str
) -> None:
    """At the feed's key, before anything is read by it."""
    (fault,) = faults(tmp_path, profile, keys)
    assert (fault.path, fault.source.rpartition("/")[2]) == ("feed[1].profile", "config.toml")
    assert says in fault.allowed


@pytest.mark.parametrize(
    ("profile", "keys", "says"),
    [
        (
            ticker_profile(seq="/@nr"),
            QUEUE,
            "in the order of their seq: numbers that begin anew are not noticed",
        ),
        (tally_profile(), QUEUE, "the times that they tell: of two figures of one time"),
        (tally_profile(), QUEUE, "movements without balanceAfter are added to nothing"),
        (
            tally_profile(asOf=None, occurredAt=None),
            QUEUE,
            "tell or, where they tell none, at which they were sent",
        ),
        (ticker_profile() | {"names": NAMED}, CALLS, "shows in the fulls of main"),
    ],
)
def test_what_cannot_be_noticed_is_told(
    tmp_path: Path, profile: dict[str, Any], keys: str, says: str
) -> None:
    """By the check, whose names of files are not spoken of where there are none."""
    settings = load(text(tmp_path, profile, keys), None, {}, require_credentials=False)
    notes = profile_notes(settings)
    assert [note.weight.value for note in notes] == ["fact", "look"]
    assert says in notes[1].says
    assert "called" not in notes[0].says


def test_whom_nobody_gives_fulls_is_told(tmp_path: Path) -> None:
    """What was missed stays missed."""
    path = text(tmp_path, ticker_profile(), QUEUE)
    path.write_text(path.read_text().replace('snapshot_from = "main"', 'snapshot_from = "none-accepted"'))
    notes = profile_notes(load(path, None, {}, require_credentials=False))
    assert "nowhere, as nobody gives fulls" in notes[1].says


def test_numbers_are_enough_where_no_other_feed_tells_of_the_same_goods(tmp_path: Path) -> None:
    """They order calls among each other, and nothing beside them."""
    path = text(tmp_path, ticker_profile(asOf=None, seq="/@nr"), CALLS)
    path.write_text(path.read_text().replace('snapshot_from = "main"', 'snapshot_from = "none-accepted"'))
    assert load(path, None, {}, require_credentials=False).feeds[1].profile is not None

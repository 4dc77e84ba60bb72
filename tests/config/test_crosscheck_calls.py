"""Rules for feeds that are called: each fault is a sentence, and what is right loads."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from archsyncd.assembly import placement_of, policies_of
from archsyncd.config import Settings, mapping_report, read_settings, required_credentials
from archsyncd.connections import push_options
from archsyncd.wire.webhook import STANDARD
from tests.config.texts import FEED, LEAST, PROJECT, only_fault, settings_of

CALLS = '[[feed]]\nname = "calls"\ntransport = "push"\nsnapshot_from = "main"\n'
EXAMPLE = Path(__file__).parents[2] / "config.toml"


def test_a_feed_that_is_called_needs_its_secret_and_a_partner_alone() -> None:
    """The socket is the service manager's, the scheme Standard Webhooks."""
    settings = settings_of(LEAST + CALLS)
    feed = settings.feed("calls")
    assert feed.listen is None
    assert push_options(feed).scheme == STANDARD
    assert "feed-calls" in required_credentials(settings)
    named = settings_of(LEAST + CALLS + 'certificate = "/etc/calls.pem"\n')
    assert required_credentials(named)[-2:] == ("feed-calls", "feed-calls-key")


def test_without_a_source_of_full_pictures_it_is_refused() -> None:
    """What is lost on the way would never be noticed; the site may say that it does without."""
    bare = CALLS.replace('snapshot_from = "main"\n', "")
    assert only_fault(LEAST + bare).path == "feed[1].snapshot_from"
    assert settings_of(PROJECT + bare + 'snapshot_from = "none-accepted"\n').feeds[0].transport == "push"


@pytest.mark.parametrize(
    ("more", "path", "says"),
    [
        ('url = "https://x.test"\n', "feed[1].url", 'belongs to transport "pull"'),
        ("fetch = true\n", "feed[1].fetch", "needs a pull feed"),
        ('listen = "192.0.2.1:8443"\n', "feed[1].listen", "must be on this machine"),
        ('listen = "unix:/run/x.sock"\ncertificate = "/c.pem"\n', "feed[1].certificate", "of no use"),
        ('path = "hooks"\n', "feed[1].path", "a path such as"),
        ('sku_path = "sku"\n', "feed[1].sku_path", "JSON pointer"),
        ('[feed.signature]\nheader = ""\n', "feed[1].signature.header", "must name the header"),
        ('[feed.signature]\nid_header = ""\n', "feed[1].signature.id_header", "signs the id"),
        ('[feed.signature]\nts_header = ""\n', "feed[1].signature.ts_header", "signs the time"),
        ('[feed.signature]\ncontent = "{body}"\n', "feed[1].signature.ts_header", "does not sign the time"),
        ('[feed.signature]\nalgorithm = "oidc"\nemail = "a@b"\n', "feed[1].signature.audience", "oidc"),
        ('[feed.signature]\nalgorithm = "oidc"\naudience = "a"\n', "feed[1].signature.email", "oidc"),
        ('[feed.signature]\nalgorithm = "md5"\n', "feed[1].signature.algorithm", "hmac-sha256"),
        ('[feed.signature]\nsecret = "x"\n', "feed[1].signature.secret", "feed-calls"),
    ],
)
def test_what_would_not_work_is_a_fault_with_its_place(more: str, path: str, says: str) -> None:
    """One sentence each."""
    text = LEAST + CALLS + more
    if path == "feed[1].fetch":
        text = text.replace('snapshot_from = "main"', 'snapshot_from = "none-accepted"')
    fault = only_fault(text)
    assert fault.path == path
    assert says in fault.allowed


def test_two_feeds_at_one_place_differ_by_their_paths() -> None:
    """And share its certificate; at other places nothing is shared."""
    other = CALLS.replace('"calls"', '"more"')
    assert only_fault(LEAST + CALLS + other).path == "feed[2].path"
    assert settings_of(LEAST + CALLS + other + 'path = "/hooks/other"\n')
    assert settings_of(LEAST + CALLS + other + 'listen = "127.0.0.1:8444"\n')
    apart = CALLS + 'certificate = "/c.pem"\n' + other + 'path = "/x"\n'
    assert only_fault(LEAST + apart).path == "feed[2].certificate"


def test_keys_of_calls_stand_at_no_other_feed() -> None:
    """Somebody has chosen the wrong transport, or the wrong table."""
    assert only_fault(LEAST + "fetch = true\n").path == "feed[0].fetch"
    assert only_fault(LEAST + '[feed.signature]\nheader = "x"\n').path == "feed[0].signature"


def test_orders_cannot_be_handed_over_to_who_calls() -> None:
    """It is not called itself."""
    text = PROJECT + '[orders]\nmode = "hand-over"\nhand_over_to = "calls"\n' + FEED + CALLS
    assert only_fault(text).path == "orders.hand_over_to"


def test_a_listening_place_beyond_this_machine_has_a_certificate() -> None:
    """Then it may be anywhere."""
    text = LEAST + CALLS + 'listen = "0.0.0.0:8443"\ncertificate = "/etc/calls.pem"\n'
    assert str(settings_of(text).feed("calls").listen) == "0.0.0.0:8443"


def test_a_feed_that_is_called_leaves_its_partner_s_locations_to_it() -> None:
    """It tells of the same places: the partner is still asked for all of them, and what its fulls leave out is noticed."""
    places = '[locations]\nWH1 = { channel = "web" }\nWH2 = { channel = "web" }\n'
    rules = '[channels.web]\norder_location = "WH1"\n'
    settings = settings_of(LEAST + CALLS + places + rules)
    assert settings.locations_of_feed("main") == ("WH1", "WH2")
    assert [note.subject for note in mapping_report(settings) if note.subject.startswith("feed")] == []
    stated = settings_of(LEAST + CALLS + 'locations = ["WH2"]\n' + places + rules)
    assert placement_of(stated, {}, policies_of(stated)).sources == {"WH1": "main", "WH2": "main"}
    assert stated.locations_of_feed("calls") == ("WH2",)


def example() -> Settings:
    text = EXAMPLE.read_text("utf-8")
    start = text.index('# [[feed]]\n# name = "calls"')
    block = text[start : text.index("\n\n", start)]
    keys = re.sub(r"(?m)^# (?=\[|[a-z_]+ = )", "", block)
    settings, faults = read_settings(text.replace(block, keys), "config.toml")
    assert faults == ()
    assert settings is not None
    return settings


def test_the_block_of_the_example_is_sound() -> None:
    """It works as it stands when its marks are taken away."""
    feed = example().feed("calls")
    assert (feed.transport, feed.snapshot_from, feed.signature.content) == ("push", "main", "{body}")

"""Quiet hours in the configuration: read with their zone, and every slip named with what was meant."""

from __future__ import annotations

import pytest

from archsyncd.config import read_settings

HEAD = """
[commercetools]
project_key = "shop"
client_id = "sync"
[locations]
WH1 = { channel = "warehouse-1" }
[[feed]]
name = "main"
url = "https://r247.test/api"
"""


def faults(more: str) -> list[str]:
    _, found = read_settings(HEAD + more, "config.toml")
    return [str(fault) for fault in found]


def test_hours_and_their_zone_are_read_for_feeds_and_alerts() -> None:
    """As they stand in the example."""
    text = 'quiet = ["Mon-Fri 20:00-06:00", "Sat 12:00-Mon 06:00"]\ntimezone = "Europe/London"\n'
    settings, found = read_settings(HEAD + text + "[alerts]\n" + text, "config.toml")
    assert found == ()
    assert settings is not None
    assert [str(span) for span in settings.feeds[0].quiet] == ["Mon-Fri 20:00-06:00", "Sat 12:00-Mon 06:00"]
    assert settings.alerts.timezone == "Europe/London"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("mon-fri 20:00-06:00", "Mon-Fri 20:00-06:00"),
        ("Monday-Friday 20:00 - 6:00", "Mon-Fri 20:00-06:00"),
        ("Sat 9:00-Mon 6:00", "Sat 09:00-Mon 06:00"),
    ],
)
def test_a_slip_in_the_hours_is_answered_with_what_was_meant(written: str, meant: str) -> None:
    """It is not guessed, though: it stays a fault."""
    (told,) = faults(f'quiet = ["{written}"]\ntimezone = "UTC"\n')
    assert meant in told


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ('quiet = ["Mon-Fri 20:00-06:00"]\n', "feed[0].timezone: is required beside quiet"),
        ('quiet = ["Mon-Sun 00:00-24:00"]\ntimezone = "UTC"\n', "must leave some hour of the week"),
        ('quiet = ["whenever"]\ntimezone = "UTC"\n', "hours such as"),
        ('quiet = []\ntimezone = "Europe/Lodnon"\n', 'did you mean "Europe/London"'),
        ('timezone = "../../etc/passwd"\n', "a time zone of this host"),
        ('[alerts]\nquiet = ["Mon 20:00-21:00"]\n', "alerts.timezone: is required beside quiet"),
    ],
)
def test_hours_that_cannot_be_meant_are_faults(more: str, says: str) -> None:
    """Each with its path."""
    (told,) = faults(more)
    assert says in told

"""What a reload applies and what needs a restart."""

import pytest

from archsyncd.config import changes, described, in_force
from tests.config.texts import FEED, LEAST, settings_of

BASE = LEAST + (
    '[locations]\nWH1 = { channel = "warehouse-1" }\n[channels.warehouse-1]\npercentage = 90\n'
    '[owners]\ndrift = { team = "data" }\n'
)


def compared(old: str, new: str) -> tuple[list[str], list[str]]:
    """The changes between two texts."""
    return changes(settings_of(old), settings_of(new))


def test_equal_settings_have_no_changes() -> None:
    """The same file read twice changes nothing."""
    assert compared(BASE, BASE) == ([], [])


@pytest.mark.parametrize(
    ("before", "after", "path"),
    [
        ("percentage = 90", "percentage = 80", "channels.warehouse-1.percentage"),
        ('{ channel = "warehouse-1" }', '{ channel = "warehouse-1", buffer = 2 }', "locations.WH1.buffer"),
        ('team = "data"', 'team = "finance"', "owners.drift.team"),
        ('drift = { team = "data" }', "", "owners.drift"),
        ("[owners]", "[locations.WH2]\nignore = true\n[owners]", "locations.WH2"),
        ("[owners]", '[daemon]\nlog_level = "debug"\n[owners]', "daemon.log_level"),
        ("[owners]", "[guards]\nmaximum_changed_percent = 10\n[owners]", "guards.maximum_changed_percent"),
        ("[owners]", '[rollout]\nstage = "plan"\n[owners]', "rollout.stage"),
        ("[owners]", "[drain]\nincrease_interval_seconds = 5\n[owners]", "drain.increase_interval_seconds"),
        ("[owners]", "[orders]\nunproven_minutes = 5\n[owners]", "orders.unproven_minutes"),
        ("[owners]", '[orders.eligible]\norder_state = ["Open"]\n[owners]', "orders.eligible.order_state"),
        (
            'client_id = "sync"',
            'client_id = "sync"\nrequests_per_second = 9',
            "commercetools.requests_per_second",
        ),
        ('name = "main"', 'name = "main"\ninterval_seconds = 60', "feed.main.interval_seconds"),
    ],
)
def test_rules_limits_and_people_reload(before: str, after: str, path: str) -> None:
    """Locations, channels, guards, owners, rollout, limits and the log level take effect at once."""
    assert compared(BASE, BASE.replace(before, after)) == ([path], [])


@pytest.mark.parametrize(
    ("before", "after", "path"),
    [
        ('"shop"', '"other"', "commercetools.project_key"),
        ('"sync"', '"other"', "commercetools.client_id"),
        ('client_id = "sync"', 'client_id = "sync"\nregion = "us-east-2.aws"', "commercetools.region"),
        ("r247.test", "other.test", "feed.main.url"),
        ('name = "main"', 'name = "main"\nauth = "none"', "feed.main.auth"),
        ("[owners]", '[daemon]\nstate_dir = "/srv/x"\n[owners]', "daemon.state_dir"),
        ("[owners]", "[lease]\nseconds = 60\n[owners]", "lease.seconds"),
        ("[owners]", '[status]\nlisten = "127.0.0.1:1"\n[owners]', "status.listen"),
        ("[locations]", FEED.replace('"main"', '"second"') + "[locations]", "feed.second"),
    ],
)
def test_identities_addresses_and_listeners_need_a_restart(before: str, after: str, path: str) -> None:
    """What connections, positions and sockets are made of cannot change under way."""
    assert compared(BASE, BASE.replace(before, after)) == ([], [path])


def test_a_renamed_feed_is_one_that_went_and_one_that_came() -> None:
    """Both names are told, as positions do not move along."""
    new = BASE.replace('name = "main"', 'name = "site1"')
    assert compared(BASE, new) == ([], ["feed.main", "feed.site1", "orders.hand_over_to"])


def test_every_key_says_whether_it_needs_a_restart() -> None:
    """The lists that the guide prints come from the same declarations."""
    restarting = {entry.path for entry in described() if entry.restart}
    assert {"daemon.state_dir", "feed.transport", "lease.seconds", "status.listen"} <= restarting
    assert not any(
        path.startswith(("guards", "owners", "locations", "channels", "rollout")) for path in restarting
    )


def test_what_is_in_force_after_a_reload_keeps_what_needs_a_restart() -> None:
    """New rules and members of tables are taken; addresses, and feeds that came or went, stay as they were."""
    old = settings_of(BASE)
    changed = BASE.replace("r247.test", "other.test").replace('"sync"', '"other"')
    changed = changed.replace('name = "main"', 'name = "main"\ninterval_seconds = 99')
    new = settings_of(
        changed + FEED.replace('"main"', '"second"') + '[locations.NEW]\nchannel = "warehouse-9"\n'
    )
    kept = in_force(old, new)
    assert kept.commercetools.client_id == old.commercetools.client_id
    assert [feed.name for feed in kept.feeds] == ["main"]
    assert (kept.feed("main").url, kept.feed("main").interval_seconds) == (old.feed("main").url, 99)
    assert kept.locations == new.locations
    reloadable, restart = changes(kept, new)
    assert (reloadable, restart) == ([], ["commercetools.client_id", "feed.main.url", "feed.second"])

"""Rules over several keys."""

import pytest

from tests.config.texts import FEED, LEAST, PROJECT, only_fault, settings_of

LOCATIONS = '[locations]\nWH1 = { channel = "warehouse-1" }\n'
SHARED = LOCATIONS + 'WH2 = { channel = "warehouse-1" }\n'
DROP = '[[feed]]\nname = "files"\ntransport = "drop"\ndirectory = "/srv/archean"\n'


@pytest.mark.parametrize("present", ["api_url", "auth_url"])
def test_both_addresses_or_none(present: str) -> None:
    """One of the two URLs alone is a fault of the other, told where the first stands."""
    fault = only_fault(PROJECT + f'{present} = "https://ct.test"\n' + FEED)
    assert fault.path == f"commercetools.{'auth_url' if present == 'api_url' else 'api_url'}"
    assert (fault.line, fault.allowed) == (4, f"is required beside {present}")


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost", "[::1]:8080", "127.9.9.9"])
def test_plain_http_is_for_this_machine_only(host: str) -> None:
    """Plain http is accepted to loopback, and refused to anywhere else."""
    assert (
        settings_of(LEAST.replace("https://r247.test", f"http://{host}")).feeds[0].url == f"http://{host}/api"
    )
    fault = only_fault(LEAST.replace("https://r247.test", "http://r247.test"))
    assert fault.suggestion == "https://r247.test/api"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "r247.test/api",
        "ftp://r247.test",
        "https://",
        "https://r247.test:0",
        "https://r247.test:99999",
        "https://r247 .test",
        "https://r247.test/api?x=1",
        "https://r247.test/api#x",
        "https://r247.tést/",
        "https://[::1",
        "https://-bad-/",
        "https://r247.test/" + "a" * 2048,
        "http://localhost.evil.test/",
        "http://127.0.0.1.evil.test/",
    ],
)
def test_no_other_address_is_accepted(url: str) -> None:
    """An address that no request could go to, or not safely, is a fault of the url."""
    assert only_fault(LEAST.replace("https://r247.test/api", url)).path == "feed[0].url"


def test_a_batch_must_fit_the_bucket() -> None:
    """A batch that costs more than the burst could never be sent."""
    fault = only_fault(PROJECT + "burst = 2\nbatch_token_cost = 3\n" + FEED)
    assert (fault.path, fault.value) == ("commercetools.batch_token_cost", "3")


def test_pull_needs_a_url_and_drop_a_directory() -> None:
    """Each transport asks for its address and refuses the other's."""
    assert only_fault(PROJECT + "[[feed]]\n").path == "feed[0].url"
    assert only_fault(PROJECT + '[[feed]]\ntransport = "drop"\n').path == "feed[0].directory"
    fault = only_fault(LEAST + 'directory = "/srv/archean"\n')
    assert 'belongs to transport "drop"' in fault.allowed
    assert settings_of(PROJECT + DROP).feeds[0].transport == "drop"


QUEUE = """[[feed]]
name = "queue"
transport = "pubsub"
subscription = "projects/site/subscriptions/stock"
"""


def test_a_queue_needs_a_subscription_and_somebody_with_full_pictures() -> None:
    """It has none itself; who does without must say so, and another queue has none either."""
    fault = only_fault(LEAST + QUEUE)
    assert fault.path == "feed[1].snapshot_from"
    assert '"none-accepted"' in fault.allowed
    assert settings_of(LEAST + QUEUE + 'snapshot_from = "none-accepted"\n').feeds[1].transport == "pubsub"
    assert settings_of(LEAST + QUEUE + 'snapshot_from = "main"\n').feeds[1].snapshot_from == "main"
    other = QUEUE.replace("queue", "other").replace("/stock", "/more") + 'snapshot_from = "main"\n'
    fault = only_fault(LEAST + QUEUE + 'snapshot_from = "other"\n' + other)
    assert (fault.path, fault.allowed[:29]) == ("feed[1].snapshot_from", "must name a pull or drop feed")
    assert only_fault(LEAST + QUEUE.partition("subscription")[0] + 'snapshot_from = "main"\n').path == (
        "feed[1].subscription"
    )


def test_a_queue_takes_no_orders() -> None:
    """hand_over_to names a feed that is asked and answers, also where the only feed is meant."""
    text = LEAST + QUEUE + 'snapshot_from = "main"\n[orders]\nmode = "hand-over"\nhand_over_to = '
    fault = only_fault(text + '"queue"\n')
    assert (fault.path, "takes orders" in fault.allowed) == ("orders.hand_over_to", True)
    assert settings_of(text + '"main"\n').orders.hand_over_to == "main"
    alone = PROJECT + QUEUE + 'snapshot_from = "none-accepted"\n[orders]\nmode = "hand-over"\n'
    assert only_fault(alone).path == "orders.hand_over_to"


def test_nobody_shares_a_subscription() -> None:
    """Two readers would each miss what the other gets, orders' notifications too."""
    more = QUEUE.replace("queue", "other") + 'snapshot_from = "main"\n'
    assert only_fault(LEAST + QUEUE + 'snapshot_from = "main"\n' + more).path == "feed[2].subscription"
    notified = '[orders]\nnotifications = "projects/site/subscriptions/stock"\n'
    fault = only_fault(LEAST + QUEUE + 'snapshot_from = "main"\n' + notified)
    assert (fault.path, "feed[1].subscription" in fault.allowed) == ("orders.notifications", True)


def test_an_emulator_is_on_this_machine() -> None:
    """Nothing encrypts what goes to it."""
    text = LEAST + QUEUE + 'snapshot_from = "main"\n'
    assert settings_of(text + 'emulator = "127.0.0.1:8085"\n').feeds[1].emulator == "127.0.0.1:8085"
    assert only_fault(text + 'emulator = "10.0.0.8:8085"\n').path == "feed[1].emulator"
    assert only_fault(LEAST + 'emulator = "127.0.0.1:8085"\n').path == "feed[0].emulator"


def test_feed_names_are_unique() -> None:
    """Two feeds of one name would share positions and credential."""
    fault = only_fault(LEAST + FEED)
    assert (fault.path, fault.line) == ("feed[1].name", 8)
    assert "feed[0] is called so too" in fault.allowed
    assert only_fault(LEAST.replace('"main"', '"none-accepted"')).path == "feed[0].name"


def test_two_feeds_never_share_a_directory() -> None:
    """They would claim each other's files; what to do with two kinds of file is said."""
    fault = only_fault(PROJECT + DROP + DROP.replace('"files"', '"more"'))
    assert fault.path == "feed[1].directory"
    assert "give each kind of file a directory, a feed and a profile of its own" in fault.allowed


def test_references_between_feeds_name_feeds() -> None:
    """snapshot_from and hand_over_to name an existing feed, with a suggestion when nearly so."""
    fault = only_fault(LEAST + 'snapshot_from = "file"\n' + DROP)
    assert (fault.path, fault.suggestion) == ("feed[0].snapshot_from", '"files"')
    assert only_fault(LEAST + 'snapshot_from = "main"\n').allowed == "must name another feed than this one"
    fault = only_fault(LEAST + '[orders]\nhand_over_to = "mian"\n')
    assert (fault.path, fault.suggestion) == ("orders.hand_over_to", '"main"')


def test_a_location_fills_a_channel_or_is_ignored() -> None:
    """Neither and both are faults."""
    assert only_fault(LEAST + "[locations]\nWH1 = { buffer = 1 }\n").path == "locations.WH1"
    fault = only_fault(LEAST + '[locations]\nWH1 = { channel = "warehouse-1", ignore = true }\n')
    assert fault.path == "locations.WH1.ignore"


def test_a_channel_that_no_location_fills_is_a_fault() -> None:
    """A misspelt channel table would otherwise have no effect; nothing is said while a location is in doubt."""
    fault = only_fault(LEAST + LOCATIONS + "[channels.warehouse1]\npercentage = 50\n")
    assert (fault.path, fault.suggestion) == ("channels.warehouse1", '[channels."warehouse-1"]')
    fault = only_fault(LEAST + '[locations]\nWH1 = { chanel = "warehouse1" }\n[channels.warehouse1]\n')
    assert fault.path == "locations.WH1.chanel"
    ignored = LEAST + "[locations]\nRET = { ignore = true }\n[channels.warehouse1]\n"
    assert only_fault(ignored).path == "channels.warehouse1"


def test_locations_that_share_a_channel_need_an_order_location() -> None:
    """Which one takes the orders is said by name, or left to Archean by an empty text."""
    fault = only_fault(LEAST + SHARED)
    assert (fault.path, fault.line) == ("channels.warehouse-1.order_location", 9)
    assert '"WH1", "WH2" share this channel' in fault.allowed
    fault = only_fault(LEAST + SHARED + "[channels.warehouse-1]\n")
    assert fault.line == 10
    for accepted in ("WH1", "WH2", ""):
        text = LEAST + SHARED + f'[channels.warehouse-1]\norder_location = "{accepted}"\n'
        assert settings_of(text).channels["warehouse-1"].order_location == accepted


def test_an_order_location_belongs_to_its_channel() -> None:
    """A location of another channel, or none of this file, is refused."""
    text = LEAST + LOCATIONS + 'WH3 = { channel = "other" }\n[channels.warehouse-1]\norder_location = "WH3"\n'
    assert only_fault(text).path == "channels.warehouse-1.order_location"


def test_the_default_location_is_one_that_sells() -> None:
    """An unknown or ignored location cannot fulfil lines without a channel."""
    text = LEAST + LOCATIONS + "RET = { ignore = true }\n"
    assert settings_of(text + '[orders]\ndefault_location = "WH1"\n').orders.default_location == "WH1"
    for refused in ("RET", "WH9"):
        assert (
            only_fault(text + f'[orders]\ndefault_location = "{refused}"\n').path == "orders.default_location"
        )


TWO_FEEDS = """
[[feed]]
name = "second"
transport = "drop"
directory = "/srv/second"
"""


def test_hand_over_needs_to_know_whose_source_takes_orders() -> None:
    """One feed is meant by itself, of several one is named, and called main it need not be."""
    hand_over = '[orders]\nmode = "hand-over"\n'
    assert settings_of(LEAST + hand_over).orders.mode == "hand-over"
    renamed = LEAST.replace('name = "main"', 'name = "first"')
    assert settings_of(renamed + hand_over).orders.hand_over_to == "first"
    assert only_fault(renamed + TWO_FEEDS + hand_over).path == "orders.hand_over_to"
    assert settings_of(LEAST + TWO_FEEDS + hand_over).orders.hand_over_to == "main"


def test_a_directory_is_not_looked_up() -> None:
    """duplicate_protection lookup needs a source that answers."""
    text = LEAST + TWO_FEEDS + '[orders]\nmode = "hand-over"\nhand_over_to = "second"\n'
    assert only_fault(text + 'duplicate_protection = "lookup"\n').path == "orders.duplicate_protection"
    assert settings_of(text + 'duplicate_protection = "key"\n').orders.duplicate_protection == "key"


def test_a_custom_field_comes_with_its_values() -> None:
    """Either alone would hold every order, or none."""
    field, values = 'custom_field = "checked"', 'custom_values = ["true"]'
    assert only_fault(LEAST + f"[orders.eligible]\n{field}\n").path == "orders.eligible.custom_values"
    assert only_fault(LEAST + f"[orders.eligible]\n{values}\n").path == "orders.eligible.custom_field"
    assert settings_of(LEAST + f"[orders.eligible]\n{field}\n{values}\n").orders.eligible.custom_values == (
        "true",
    )


def test_orders_are_never_off_while_stock_is_tracked() -> None:
    """Tracked stock is only safe when orders are counted; untracked mode may do without."""
    text = LEAST + '[orders]\nmode = "off"\n'
    assert only_fault(text).path == "orders.mode"
    assert (
        settings_of(text.replace("[[feed]]", 'inventory_mode = "untracked"\n[[feed]]')).orders.mode == "off"
    )


def test_an_allow_list_needs_its_file() -> None:
    """The stage allow-list without skus_file would write nothing."""
    fault = only_fault(LEAST + '[rollout]\nstage = "allow-list"\n')
    assert (fault.path, fault.line, fault.column) == ("rollout.skus_file", 8, 9)


def test_control_and_status_are_two_sockets() -> None:
    """One socket cannot serve both."""
    assert (
        only_fault(LEAST + '[status]\nlisten = "unix:/run/archsyncd/control.sock"\n').path == "status.listen"
    )


@pytest.mark.parametrize(
    ("lines", "value"),
    [
        ("decrease_late_seconds = 600\ndecrease_critical_seconds = 300", "600"),
        ("decrease_late_seconds = 300", "300"),
        ("decrease_critical_seconds = 30", "60"),
    ],
)
def test_a_decrease_is_late_before_it_is_critical(lines: str, value: str) -> None:
    """Also beside a default: else it would be critical and never late."""
    fault = only_fault(LEAST + f"[health]\n{lines}\n")
    assert (fault.path, fault.value) == ("health.decrease_late_seconds", value)
    assert fault.allowed.startswith("must be below decrease_critical_seconds")
    assert settings_of(LEAST + "[health]\ndecrease_late_seconds = 299\n").health.decrease_late_seconds == 299


def test_orders_are_late_before_they_are_critical() -> None:
    """As decreases are, and beside a default."""
    fault = only_fault(LEAST + "[health]\norders_late_seconds = 600\n")
    assert (fault.path, fault.value) == ("health.orders_late_seconds", "600")
    assert fault.allowed == "must be below orders_critical_seconds (600)"


def test_a_rule_says_nothing_about_values_that_are_wrong_already() -> None:
    """One mistake is one fault."""
    assert only_fault(LEAST + '[orders]\nhand_over_to = "a b"\n').path == "orders.hand_over_to"
    assert only_fault(PROJECT + '[[feed]]\ntransport = "pul"\n').path == "feed[0].transport"
    assert only_fault(PROJECT + FEED.replace("[[feed]]", "feeds = 1\n[[feed]]")).path == "commercetools.feeds"
    assert only_fault(LEAST + '[daemon]\ncontrol_socket = "x"\n').path == "daemon.control_socket"


def test_a_feed_tells_of_locations_that_are_mapped() -> None:
    """A name that no location has, or an ignored one, would be waited for in every full."""
    places = '[locations]\nWH1 = { channel = "one" }\nRET = { ignore = true }\n'
    for wrong, path in (("WH2", "feed[0].locations[1]"), ("RET", "feed[0].locations[1]")):
        fault = only_fault(LEAST + f'locations = ["WH1", "{wrong}"]\n' + places)
        assert (fault.path, fault.allowed) == (path, "must be a location of this file that is not ignored")


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        ("", None, (("WH1", "WH2"), None)),
        ('locations = ["WH2"]', None, (("WH2",), None)),
        ('locations = ["WH1"]', "", (("WH1",), ("WH2",))),
        ("", 'locations = ["WH1", "WH2"]', ((), ("WH1", "WH2"))),
        ("", "", ((), ())),
    ],
)
def test_a_feed_without_locations_tells_of_what_the_others_leave(
    first: str, second: str | None, told: tuple[tuple[str, ...], tuple[str, ...] | None]
) -> None:
    """Where that cannot be known nothing is expected of it."""
    places = '[locations]\nWH1 = { channel = "one" }\nWH2 = { channel = "two" }\nRET = { ignore = true }\n'
    other = "" if second is None else FEED.replace("main", "other") + second + "\n"
    settings = settings_of(LEAST + first + "\n" + other + places)
    assert settings.locations_of_feed("main") == told[0]
    if told[1] is not None:
        assert settings.locations_of_feed("other") == told[1]

"""Reading a text: defaults, every key, every fault at once with its place."""

import time
from datetime import UTC, datetime
from datetime import time as day_time
from ipaddress import ip_network
from pathlib import Path

import pytest

from archsyncd.config import Fault, FeedSettings, ListenAddress, Reflection, Settings, read_settings
from archsyncd.domain.feed import Figure
from tests.config.texts import FEED, LEAST, PROJECT, faults_of, only_fault, settings_of

# The contract: names and shipped defaults, as an administrator writes them. Required ones have no default.
CONTRACT: dict[str, dict[str, object]] = {
    "daemon": {
        "state_dir": "/var/lib/archsyncd",
        "control_socket": "/run/archsyncd/control.sock",
        "log_level": "info",
    },
    "commercetools": {
        "region": "europe-west1.gcp",
        "restores_stock_on": [],
        "marker_type_key": "archsyncd",
        "batch_token_cost": 1,
        "inventory_mode": "tracked",
        "create_missing_entries": True,
        "check_products": True,
        "requests_per_second": 50,
        "burst": 100,
        "max_in_flight": 16,
        "write_batch": 20,
    },
    "feed": {
        "name": "main",
        "transport": "pull",
        "auth": "bearer",
        "interval_seconds": 15,
        "page_limit": 500,
        "wait_seconds": 25,
        "ready": "manifest",
        "gap_grace_seconds": 60,
        "snapshot_timeout_minutes": 30,
    },
    "drain": {"increase_interval_seconds": 2},
    "rollout": {"stage": "all"},
    "guards": {
        "minimum_records_percent": 80,
        "maximum_to_zero_percent": 30,
        "maximum_changed_percent": 50,
        "maximum_unmapped_percent": 5,
        "absent": "report",
    },
    "orders": {
        "mode": "observe",
        "reflection": "proof",
        "unproven_minutes": 60,
        "history_days": 90,
        "reflected_before": "",
        "poll_seconds": 2,
        "settle_seconds": 60,
        "hand_over_to": "main",
        "sync_channel": "",
        "default_location": "",
        "duplicate_protection": "key",
    },
    "fulfilment": {"short": "hold", "ready_state": False},
    "health": {
        "fail_closed_minutes": 0,
        "quiet_minutes": 1440,
        "decrease_late_seconds": 60,
        "decrease_critical_seconds": 300,
        "orders_late_seconds": 120,
        "orders_critical_seconds": 600,
        "oversell_seconds": 300,
        "unknown_skus_percent": 5,
        "drift_percent": 1,
        "saturated_percent": 90,
        "free_mebibytes": 512,
    },
    "lease": {"seconds": 30},
    "reconcile": {"nightly_at": "02:30", "sample_keys_per_minute": 60, "settle_seconds": 15},
    "status": {"listen": "unix:/run/archsyncd/status.sock"},
}


def written(value: object) -> str:
    """A value of the contract in TOML."""
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)


def contract_text() -> str:
    """Every key of the contract with the default that it states."""
    lines = []
    for table, keys in CONTRACT.items():
        lines.append("[[feed]]" if table == "feed" else f"[{table}]")
        lines += [f"{name} = {written(value)}" for name, value in keys.items()]
        if table == "commercetools":
            lines += ['project_key = "shop"', 'client_id = "sync"']
        if table == "feed":
            lines.append('url = "https://r247.test/api"')
    eligible = '{ order_state = ["Open", "Confirmed"], payment_state = ["Paid", "absent"] }'
    text = "\n".join(lines)
    text = text.replace("[orders]\n", f"[orders]\neligible = {eligible}\n")
    owners = '[owners]\ndefault = { team = "operations", escalate_minutes = 60 }\n'
    owners += 'sku_not_found = { team = "data", escalate_minutes = 480 }\n'
    return f"{text}\n{owners}"


def test_every_key_of_the_contract_states_the_default_that_holds_without_it() -> None:
    """Writing all defaults down gives the same settings as writing none."""
    assert settings_of(contract_text()) == settings_of(LEAST)


def test_every_optional_key_of_the_contract_is_accepted() -> None:
    """Keys without a default are read into the types that the program works with."""
    settings = settings_of(
        """
        [commercetools]
        project_key = "shop"
        client_id = "sync"
        api_url = "http://127.0.0.1:8080/"
        auth_url = "http://localhost:8081"
        restores_stock_on = ["cancel", "delete", "back_in_stock"]
        [[feed]]
        name = "main"
        url = "https://r247.test/api/"
        profile = "profiles/site.json"
        snapshot_from = "nightly"
        allow_cidr = ["10.20.0.0/16", "192.0.2.7"]
        [[feed]]
        name = "nightly"
        transport = "drop"
        directory = "/srv/archean"
        ready = "stable"
        delimiter = ";"
        [locations]
        WH1 = { channel = "warehouse-1", sellable = "available", buffer = 0 }
        WH2 = { channel = "warehouse-1", sellable = "onHand", buffer = 2 }
        RET = { ignore = true }
        [channels."warehouse-1"]
        safety_stock = 1
        percentage = 90
        maximum = 5000
        order_location = "WH1"
        [rollout]
        stage = "allow-list"
        skus_file = "/etc/archsyncd/rollout-skus.txt"
        [orders]
        reflection = "accepted+90"
        reflected_before = "2026-05-01T00:00:00Z"
        [alerts]
        webhook_url = "https://alerts.test/hook?room=stock"
        email = ["ops@example.com"]
        command = "/usr/local/bin/page-ops"
        [status]
        listen = "127.0.0.1:9470"
        """
    )
    assert settings.commercetools.api_address == "http://127.0.0.1:8080"
    assert settings.commercetools.auth_address == "http://localhost:8081"
    assert settings.commercetools.restores_stock_on == ("cancel", "delete", "back_in_stock")
    main, nightly = settings.feeds
    assert main.url == "https://r247.test/api"
    assert main.profile == Path("profiles/site.json")
    assert main.allow_cidr == (ip_network("10.20.0.0/16"), ip_network("192.0.2.7/32"))
    assert (nightly.directory, nightly.ready, nightly.delimiter) == (Path("/srv/archean"), "stable", ";")
    assert settings.locations["WH2"].sellable is Figure.ON_HAND
    assert settings.locations["WH2"].buffer == 2
    assert settings.locations["RET"].ignore
    assert settings.locations_of("warehouse-1") == ("WH1", "WH2")
    assert settings.channels["warehouse-1"].order_location == "WH1"
    assert settings.rollout.skus_file == Path("/etc/archsyncd/rollout-skus.txt")
    assert settings.orders.reflection == Reflection(90)
    assert settings.orders.reflected_before == datetime(2026, 5, 1, tzinfo=UTC)
    assert settings.reconcile.nightly_at == day_time(2, 30)
    assert settings.alerts.command == Path("/usr/local/bin/page-ops")
    assert settings.status.listen == ListenAddress(host="127.0.0.1", port=9470)


def test_the_region_gives_both_addresses() -> None:
    """Without the two URLs the hosts follow from the region."""
    project = settings_of(LEAST.replace("[[feed]]", 'region = "us-central1.gcp"\n[[feed]]')).commercetools
    assert project.api_address == "https://api.us-central1.gcp.commercetools.com"
    assert project.auth_address == "https://auth.us-central1.gcp.commercetools.com"


def test_named_owners_join_the_shipped_ones() -> None:
    """A kind that the file does not name falls to the default owner, shipped or stated."""
    settings = settings_of(LEAST + '[owners]\ndrift = { team = "finance" }\n')
    assert settings.owner("drift").team == "finance"
    assert settings.owner("drift").escalate_minutes == 60
    assert settings.owner("sku_not_found").team == "data"
    assert settings.owner("stale_feed").team == "operations"


def test_the_only_feed_knows_the_orders_whatever_its_name() -> None:
    """hand_over_to follows the only feed unless it is stated, and is empty when nobody can tell."""
    assert settings_of(LEAST.replace('"main"', '"site1"')).orders.hand_over_to == "site1"
    two = FEED.replace('"main"', '"a"') + FEED.replace('"main"', '"b"')
    assert settings_of(PROJECT + two).orders.hand_over_to == ""
    assert settings_of(PROJECT + two + '[orders]\nhand_over_to = "b"\n').orders.hand_over_to == "b"


def test_a_feed_and_a_channel_are_found_by_name() -> None:
    """Look-ups give the named feed, the rules of a channel, or the default rules."""
    settings = settings_of(LEAST)
    assert isinstance(settings.feed("main"), FeedSettings)
    with pytest.raises(KeyError):
        settings.feed("other")
    assert settings.channel("anything").percentage == 100


SEEDED = """\
title = "shop"
[daemon]
state_dir = "var/lib/archsyncd"
log_level = "verbose"
[commercetools]
client_id = 77
region = "europe-west1.aws"
auth_url = "http://auth.shop.test"
restores_stock_on = ["cancel", "refund"]
burst = 0
requests_per_secnd = 20
check_products = "yes"
client_secret = "s3cr3t-s3cr3t-s3cr3t"
[[feed]]
name = "main"
url = "https://user:hush@r247.test/api"
auth = "Basic"
interval_seconds = "15"
[[feed]]
name = "main"
transport = "drop"
page_limit = 500.0
allow_cidr = ["10.0.0.1/8"]
[locations]
WH1 = { channel = "warehouse-1", buffer = -1 }
WH2 = { chanel = "warehouse-1" }
"WH 3 " = { channel = "warehouse-3" }
WH4 = { channel = "warehouse-1", sellable = "on_hand" }
[channels."warehouse-1"]
percentage = 101
[guards]
absent = "ignore"
maximum_to_zero_percent = 30.5
[orders]
mode = "handover"
reflection = "accepted+0"
reflected_before = "2026-05-01"
eligible = { order_state = [], payment_stat = ["Paid"] }
[owners]
sku_notfound = { team = "data" }
[reconcile]
nightly_at = "2:30"
[status]
listen = "/run/archsyncd/status.sock"
"""

# (path, line, column) in the order of the file.
SEEDED_PLACES = [
    ("title", 1, 1),
    ("daemon.state_dir", 3, 13),
    ("daemon.log_level", 4, 13),
    ("commercetools.project_key", 5, 1),
    ("commercetools.client_id", 6, 13),
    ("commercetools.region", 7, 10),
    ("commercetools.api_url", 8, 12),
    ("commercetools.auth_url", 8, 12),
    ("commercetools.restores_stock_on[1]", 9, 32),
    ("commercetools.burst", 10, 9),
    ("commercetools.requests_per_secnd", 11, 1),
    ("commercetools.check_products", 12, 18),
    ("commercetools.client_secret", 13, 1),
    ("feed[0].url", 16, 7),
    ("feed[0].auth", 17, 8),
    ("feed[0].interval_seconds", 18, 20),
    ("feed[1].name", 20, 8),
    ("feed[1].directory", 21, 13),
    ("feed[1].page_limit", 22, 14),
    ("feed[1].allow_cidr[0]", 23, 15),
    ("locations.WH1.buffer", 25, 43),
    ("locations.WH2.chanel", 26, 9),
    ('locations."WH 3 "', 27, 1),
    ("locations.WH4.sellable", 28, 45),
    ("channels.warehouse-1.order_location", 29, 1),
    ("channels.warehouse-1.percentage", 30, 14),
    ("guards.absent", 32, 10),
    ("guards.maximum_to_zero_percent", 33, 27),
    ("orders.mode", 35, 8),
    ("orders.reflection", 36, 14),
    ("orders.reflected_before", 37, 20),
    ("orders.eligible.order_state", 38, 28),
    ("orders.eligible.payment_stat", 38, 32),
    ("owners.sku_notfound", 40, 1),
    ("reconcile.nightly_at", 42, 14),
    ("status.listen", 44, 10),
]


def test_all_seeded_faults_are_found_in_one_run_with_path_line_and_column() -> None:
    """Thirty and more faults of every sort are told at once, each where it stands."""
    faults = faults_of(SEEDED)
    assert [(fault.path, fault.line, fault.column) for fault in faults] == SEEDED_PLACES
    assert len(faults) >= 30


def test_suggestions_say_what_was_probably_meant() -> None:
    """Misspelt keys, values and names are answered with the likely word."""
    suggestions = {fault.path: fault.suggestion for fault in faults_of(SEEDED)}
    assert suggestions["commercetools.requests_per_secnd"] == "requests_per_second"
    assert suggestions["commercetools.region"] == '"europe-west1.gcp"'
    assert suggestions["commercetools.check_products"] == "true"
    assert suggestions["commercetools.client_id"] == '"77"'
    assert suggestions["commercetools.auth_url"] == "https://auth.shop.test"
    assert suggestions["daemon.state_dir"] == '"/var/lib/archsyncd"'
    assert suggestions["feed[0].auth"] == '"basic"'
    assert suggestions["feed[0].interval_seconds"] == "15"
    assert suggestions["feed[1].page_limit"] == "500"
    assert suggestions["feed[1].allow_cidr[0]"] == '"10.0.0.0/8"'
    assert suggestions["locations.WH2.chanel"] == "channel"
    assert suggestions["locations.WH4.sellable"] == '"onHand"'
    assert suggestions["orders.eligible.payment_stat"] == "payment_state"
    assert suggestions["owners.sku_notfound"] == '"sku_not_found"'
    assert suggestions["reconcile.nightly_at"] == '"02:30"'
    assert suggestions["status.listen"] == '"unix:/run/archsyncd/status.sock"'


def test_a_key_in_the_wrong_table_is_sent_to_the_right_one() -> None:
    """An unknown key that another table has names that table."""
    assert only_fault(LEAST + "[drain]\nburst = 3\n").suggestion == '"burst" in [commercetools]'
    assert only_fault('log_level = "debug"\n' + LEAST).suggestion == '"log_level" in [daemon]'
    assert only_fault(LEAST + "[lease]\npage_limit = 3\n").suggestion == '"page_limit" in [[feed]]'


def test_faults_are_found_within_the_time_a_person_does_not_notice() -> None:
    """Reading a file with dozens of faults stays below 200 ms."""
    began = time.perf_counter()
    faults_of(SEEDED)
    assert time.perf_counter() - began < 0.2


def test_a_fault_reads_as_one_line_with_place_value_rule_and_suggestion() -> None:
    """The text of a fault is what compilers print: file, line, column, what and why."""
    fault = only_fault(LEAST + "wait_seconds = 900\n")
    assert str(fault) == "config.toml:7:16: feed[0].wait_seconds = 900: must be a whole number from 0 to 300"
    fault = only_fault(LEAST + "wait_second = 9\n")
    assert (
        str(fault)
        == "config.toml:7:1: feed[0].wait_second: no such key in [[feed]]; did you mean wait_seconds?"
    )


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("[daemon]\nlog_level = debug\n", 2, 13),
        ("[daemon\n", 1, 8),
        ("[daemon]\n[daemon]\n", 2, 8),
        ('[daemon]\nlog_level = "info" x\n', 2, 20),
        ("a = [1,\n", 1, 8),
        ("\x00", 1, 1),
    ],
)
def test_what_is_no_toml_is_one_fault_with_its_place(text: str, line: int, column: int) -> None:
    """A syntax error is told once, with line and column, and without guesses about the rest."""
    fault = only_fault(text)
    assert (fault.line, fault.column) == (line, column)
    assert fault.allowed.startswith("this is not TOML")


@pytest.mark.parametrize("text", ["x = " + "[" * 100_000, "x = " + "9" * 6000, "#" * (1024 * 1024 + 1)])
def test_a_text_beyond_every_measure_is_one_fault(text: str) -> None:
    """Depth, digits and size have limits of their own."""
    assert only_fault(text).line == 1


def test_a_table_written_as_something_else_says_how_to_write_it() -> None:
    """[feed] for [[feed]], a value for a table and a list for a table are told apart."""
    assert "write [[feed]]" in only_fault(PROJECT + FEED.replace("[[feed]]", "[feed]")).allowed
    assert "write [drain]" in only_fault("drain = 2\n" + LEAST).allowed
    assert "write [drain]" in only_fault(LEAST + "[[drain]]\n").allowed
    assert "write [locations]" in only_fault("locations = []\n" + LEAST).allowed
    assert "must be a table of keys" in only_fault(LEAST + '[locations]\nWH1 = "warehouse-1"\n').allowed
    faults = faults_of('commercetools = "shop"\n' + FEED)
    assert [fault.path for fault in faults] == ["commercetools"]
    faults = faults_of("feed = [1]\n" + PROJECT)
    assert [fault.path for fault in faults] == ["feed[0]"]


def test_an_empty_text_names_all_that_is_missing() -> None:
    """Nothing is not a configuration: the required keys and a feed are asked for."""
    assert {fault.path for fault in faults_of("")} == {
        "commercetools.project_key",
        "commercetools.client_id",
        "feed",
    }


def test_the_number_of_faults_shown_is_bounded() -> None:
    """Of very many faults the first thousand are shown and the rest is counted."""
    text = LEAST + "\n".join(f"nonsense_{number:04} = 1" for number in range(1200))
    faults = faults_of(text)
    assert len(faults) == 1001
    assert faults[-1] == Fault("config.toml", "", 0, 0, None, "and 200 more faults that are not listed")


def test_settings_cannot_be_changed_in_place() -> None:
    """Whoever holds settings may rely on them: fields and maps are frozen."""
    settings = settings_of(LEAST)
    assert isinstance(settings, Settings)
    with pytest.raises(AttributeError):
        settings.daemon.log_level = "debug"  # type: ignore[misc]
    with pytest.raises(TypeError):
        settings.locations["X"] = None  # type: ignore[index]


def test_windows_line_ends_do_not_move_a_place() -> None:
    """A file saved with CRLF has the same lines and columns."""
    text = LEAST + "wait_seconds = 900\n"
    (plain,) = read_settings(text, "c")[1]
    (crlf,) = read_settings(text.replace("\n", "\r\n"), "c")[1]
    assert crlf == plain

"""`/metrics`: every name is documented and told, no series is unbounded, and rules and dashboard rest on what is told."""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.parser import text_string_to_metric_families

from archsyncd.adapters.sqlite.store import DATABASE_NAME
from archsyncd.domain.cases import CaseKind, NewCase
from archsyncd.domain.data_health import SHARE_LEAST_KEYS, Wrong
from archsyncd.domain.explained import REASONS
from archsyncd.domain.health import Facts, judge
from archsyncd.engine.handing_over import HandOver
from archsyncd.operator.metric_names import COUNTERS, METRICS, PROCESS_METRICS
from archsyncd.operator.metrics import SERIES_LIMIT, MetricsPage
from tests.operator.daemon import CHANNEL, SmallDaemon, break_store, small_daemon
from tests.support.virtual_time import virtual

PACKAGING = Path(__file__).parents[2] / "packaging"
RULES = PACKAGING / "alert-rules.yml"
RULE_TESTS = Path(__file__).parents[1] / "rules"
DASHBOARD = PACKAGING / "grafana-dashboard.json"
SECRET = "hunter2-canary"
SUFFIXES = {"counter": "_total", "info": "_info"}
FULL_NAMES = {name + SUFFIXES.get(metric.kind, "") for name, metric in METRICS.items()}


def page(daemon: SmallDaemon) -> MetricsPage:
    return MetricsPage(daemon.desk.status, lambda kind: daemon.settings.owner(kind).team)


async def scrape(daemon: SmallDaemon) -> str:
    """What Prometheus reads."""
    return page(daemon).text(await daemon.desk.status()).decode()


def told(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Values by name and labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(text: str, name: str, **labels: str) -> float:
    return told(text)[name, tuple(sorted(labels.items()))]


async def busy(daemon: SmallDaemon) -> None:
    """Something of everything that can be told."""
    daemon.hand_over = cast("HandOver", object())
    daemon.store.lags.note("handed_over", 900)
    daemon.store.lags.note("booked", 1_200)
    await daemon.level("ABC-1", 15)
    await daemon.prove("ABC-1", 15)
    await daemon.level("ABC-1", 10)
    await daemon.order("o1", "ABC-1", 2)
    for kind in CaseKind:
        await daemon.store.cases.open(NewCase(kind, "main", "ABC-1", f"because of {SECRET}"))
    await daemon.freshness.look()
    daemon.shared.notes["x"] = SECRET
    daemon.shared.counters["records"] = 7
    rows_of_the_hand_over(daemon)
    for _ in range(90):
        await daemon.clock.sleep(1)
        daemon.desk.tick()


def rows_of_the_hand_over(daemon: SmallDaemon) -> None:
    """What loops that do not run here would have left, and a key whose product is missing."""
    with contextlib.closing(sqlite3.connect(daemon.settings.daemon.state_dir / DATABASE_NAME)) as file:
        file.execute(
            "INSERT INTO handover (order_id, created_ms, version, stage, since_ms) VALUES ('o1', 1, 1, 'accepted', 1)"
        )
        file.execute(
            "INSERT INTO advice (feed, kind, name, epoch, seq, reference, status, content, stage, told_ms, since_ms) "
            "VALUES ('main', 'fulfilment', 'F1', 1, 1, 'o1', 'shipped', '{}', 'parked', 1, 1)"
        )
        file.execute(
            "INSERT INTO outbox (channel, sku, f, x_target, base, parked) VALUES (?, 'Z', 0, 0, 'unknown', 'sku_not_found')",
            (CHANNEL,),
        )
        file.commit()


@virtual
async def test_each_name_of_the_table_is_told_and_no_other(tmp_path: Path) -> None:
    """What is documented is there once there is something to tell, and nothing is told that is not documented."""
    async with small_daemon(tmp_path) as daemon:
        await busy(daemon)
        names = {name for name, _ in told(await scrape(daemon))}
    process = {name for name in names if name.startswith("process_")}
    assert names - process == FULL_NAMES
    assert process == {name.replace("cpu_seconds", "cpu_seconds_total") for name in PROCESS_METRICS}


@virtual
async def test_f171_no_series_is_named_after_what_came_from_outside(tmp_path: Path) -> None:
    """SKUs, orders, reasons and notes, which may hold anything, are in no label."""
    async with small_daemon(tmp_path) as daemon:
        await busy(daemon)
        text = await scrape(daemon)
    assert SECRET not in text
    assert "ABC-1" not in text
    assert "WH1" not in text
    allowed = {label for metric in METRICS.values() for label in metric.labels} | {"quantile"}
    assert {label for _, labels in told(text) for label, _ in labels} <= allowed


@virtual
async def test_at_its_worst_a_scrape_has_less_than_500_series(tmp_path: Path) -> None:
    """Thirty feeds, every kind of exception open, every cause that can be told."""
    extra = "".join(f'[[feed]]\nname = "f{n}"\nurl = "https://r247.test/{n}"\n' for n in range(30))
    async with small_daemon(tmp_path, extra) as daemon:
        await busy(daemon)
        status = await daemon.desk.status()
        every = [{"code": code, "level": "critical"} for code in (*REASONS, *CaseKind)]
        text = page(daemon).text(status | {"reasons": every}).decode()
    assert 200 < len(told(text)) <= SERIES_LIMIT


@virtual
async def test_figures_are_those_of_the_status(tmp_path: Path) -> None:
    """The page, the command line and Prometheus tell the same of the same moment."""
    async with small_daemon(tmp_path) as daemon:
        await busy(daemon)
        status, text = await daemon.desk.status(), await scrape(daemon)
    assert value(text, "archsyncd_verdict", verdict="critical") == 1
    assert value(text, "archsyncd_verdict", verdict="healthy") == 0
    assert value(text, "archsyncd_keys") == status["keys"]["total"] == 2
    assert value(text, "archsyncd_keys_parked", kind="sku_not_found") == 1
    assert value(text, "archsyncd_keys_unknown_ratio") == 0.5
    assert value(text, "archsyncd_locations", state="fresh") == 1
    assert value(text, "archsyncd_locations", state="quiet") == 0
    assert value(text, "archsyncd_changes_waiting", **{"class": "decrease"}) == 1
    assert value(text, "archsyncd_oldest_decrease_seconds") >= 90
    assert value(text, "archsyncd_feed_records_total", feed="main", outcome="read") == 2
    assert value(text, "archsyncd_lag_seconds", lag="handed_over", quantile="0.99") == 0.9
    assert value(text, "archsyncd_records_read_total") == 7
    owner = {"kind": "sku_not_found", "severity": "warning", "owner": "data"}
    assert value(text, "archsyncd_exceptions_open", **owner) == 1
    for reason in status["reasons"]:
        assert value(text, "archsyncd_reason", code=reason["code"], verdict=reason["level"]) == 1


@virtual
async def test_a_broken_store_is_told_to_a_scrape_too(tmp_path: Path) -> None:
    """Just then somebody must be woken."""
    async with small_daemon(tmp_path) as daemon:
        await break_store(daemon)
        text = await scrape(daemon)
    assert value(text, "archsyncd_verdict", verdict="critical") == 1
    assert value(text, "archsyncd_reason", code="store_broken", verdict="critical") == 1
    assert "archsyncd_keys " not in text


def test_every_counter_of_the_daemon_has_a_metric() -> None:
    """Whoever counts something new is reminded to tell it."""
    root = Path(__file__).parents[2] / "daemon/archsyncd"
    source = "".join(path.read_text() for path in root.rglob("*.py"))
    assert set(re.findall(r'shared\.count\(\s*"(\w+)"', source)) == set(COUNTERS.values())


# Documents


def rows(text: str) -> Iterator[tuple[str, ...]]:
    for line in text.splitlines():
        if line.startswith("| `"):
            yield tuple(cell.strip().strip("`") for cell in line.strip("|").split("|"))


def test_the_page_of_metrics_says_what_the_table_says() -> None:
    """Names are frozen by it: a changed name is a changed page."""
    found = list(rows((PACKAGING / "metrics.md").read_text()))
    metrics = {row[0]: row[1:] for row in found if len(row) == 4}
    assert metrics == {
        name + SUFFIXES.get(metric.kind, ""): (metric.kind, ", ".join(metric.labels) or "-", metric.means)
        for name, metric in METRICS.items()
    }


# Rules and dashboard


def expressions() -> dict[str, str]:
    """Every expression of the rules and of the dashboard, by where it stands."""
    found = dict(re.findall(r"- alert: (\w+)\n\s+expr: (.+)", RULES.read_text()))
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel.get("targets", ()):
            found[f"{panel['title']} {target['refId']}"] = target["expr"]
    return found


def test_every_metric_that_rules_and_dashboard_use_is_told() -> None:
    """A panel over a name that nobody tells is empty for ever, and so is an alert."""
    every = FULL_NAMES | {name.replace("cpu_seconds", "cpu_seconds_total") for name in PROCESS_METRICS}
    used = {
        name for text in expressions().values() for name in re.findall(r"\b(?:archsyncd|process)_\w+", text)
    }
    assert len(used) > 30
    assert used - every == set()


def test_labels_that_rules_ask_for_are_labels_of_their_metric() -> None:
    """A rule that asks for a label of another name never fires."""
    for where, text in expressions().items():
        for name, asked in re.findall(r"\b(archsyncd_\w+?)(?:_total|_info)?\{([^}]*)\}", text):
            labels = set(re.findall(r"(\w+)=", asked)) - {"instance"}
            assert labels <= set(METRICS[name].labels), where


def test_codes_that_rules_ask_for_can_be_told() -> None:
    """A code that does not exist is never 1."""
    asked = re.findall(r'code=~?"([^"]+)"', RULES.read_text())
    assert asked
    assert {code for codes in asked for code in codes.split("|")} <= set(REASONS)


@virtual
async def test_the_process_is_told_where_proc_shows_nothing_but_processes(tmp_path: Path) -> None:
    """As under the unit (ProcSubset=pid): no /proc/stat, and still every series, with the right start."""
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/self").symlink_to("/proc/self")
    async with small_daemon(tmp_path) as daemon:
        confined = MetricsPage(daemon.desk.status, lambda _: "", str(tmp_path / "proc"))
        bare = confined.text(await daemon.desk.status()).decode()
    assert {name for name, _ in told(bare) if name.startswith("process_")} == {
        name.replace("cpu_seconds", "cpu_seconds_total") for name in PROCESS_METRICS
    }
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    seen = registry.get_sample_value("process_start_time_seconds")
    assert value(bare, "process_start_time_seconds") == pytest.approx(seen, abs=2)


def promtool(*arguments: str, stdin: str | None = None) -> str:
    done = subprocess.run(
        ["promtool", *arguments], input=stdin, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_promtool_finds_nothing_in_the_rules() -> None:
    """As an administrator checks them."""
    assert "rules found" in promtool("check", "rules", str(RULES))


@virtual
async def test_promtool_finds_nothing_in_a_scrape(tmp_path: Path) -> None:
    """Names, units, help texts and types are as Prometheus wants them."""
    async with small_daemon(tmp_path) as daemon:
        await busy(daemon)
        text = await scrape(daemon)
    assert promtool("check", "metrics", stdin=text) == ""


@pytest.mark.parametrize("alert", re.findall(r"- alert: (\w+)", RULES.read_text()))
def test_each_alert_fires_when_it_should_and_not_before(alert: str) -> None:
    """Its series as they are when all is well, and as they are when it is not."""
    promtool("test", "rules", str(RULE_TESTS / f"{alert}.yml"))


def test_no_rule_test_is_left_of_an_alert_that_is_gone() -> None:
    """One file an alert."""
    alerts = set(re.findall(r"- alert: (\w+)", RULES.read_text()))
    assert {path.stem for path in RULE_TESTS.glob("*.yml")} == alerts


def test_the_share_in_the_rule_for_unknown_skus_is_the_default_that_the_verdict_goes_by() -> None:
    """The rule and the verdict agree where nobody configures otherwise."""
    assert "archsyncd_keys_unknown_ratio > 0.05" in RULES.read_text()
    assert f"archsyncd_keys >= {SHARE_LEAST_KEYS}" in RULES.read_text()
    assert judge(Facts(wrong=Wrong(100, 6))).reasons[0].code == "unknown_skus"
    assert judge(Facts(wrong=Wrong(100, 5))).reasons == ()

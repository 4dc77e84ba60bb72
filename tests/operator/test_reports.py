"""The reports: what a person checks each day and each week, and what finance asks; and that a missed one is noticed."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
import sqlite3
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from archsyncd.adapters.sqlite.cases import open_cases
from archsyncd.domain.cases import CaseKind, NewCase
from archsyncd.domain.health import Facts, judge
from archsyncd.domain.reporting import CasePeriod, FinancePlace, PlaceUse
from archsyncd.domain.tenure import Tenure
from archsyncd.operator.checks import Figures, Need, items_of, unused_places
from archsyncd.operator.ctl import main
from archsyncd.operator.fields import fields_of
from archsyncd.operator.report_tool import DAILY_LINES, FINANCE_FIELDS, daily_lines
from tests.operator.daemon import CHANNEL, SmallDaemon, ask_json, break_store, ctl, served
from tests.support.virtual_time import virtual

HOUR, DAY = 3_600, 86_400
EXPECTED = "[reports]\nexpect_daily = true\n"


async def case(daemon: SmallDaemon, kind: CaseKind, subject: str, scope: str = CHANNEL) -> None:
    await daemon.store.cases.open(NewCase(kind, scope, subject, f"because of {subject}"))


def wait(daemon: SmallDaemon, seconds: float) -> None:
    """Let time pass: nothing runs meanwhile but what is asked."""
    daemon.clock.jump_wall(seconds)
    daemon.shared.orders_complete_ms = daemon.clock.wall_ms() - 60_000


def backup(daemon: SmallDaemon, age_seconds: float) -> None:
    """A backup of that age."""
    directory = daemon.settings.daemon.state_dir / "backups"
    directory.mkdir(exist_ok=True)
    (directory / "monday.db").write_bytes(b"x")
    at = daemon.clock.wall_ms() / 1000 - age_seconds
    os.utime(directory / "monday.db", (at, at))


def database(daemon: SmallDaemon) -> sqlite3.Connection:
    return sqlite3.connect(daemon.settings.daemon.state_dir / "archsyncd.db")


def orders_of_every_section(daemon: SmallDaemon) -> None:
    """One order for each part of the finance report, and one beside each that does not belong there."""
    now = daemon.clock.wall_ms()
    with database(daemon) as tables:
        stages = (
            ("held", 0, 0),
            ("waiting", 0, 0),
            ("cancelling", 1, 1),
            ("cancelled", 1, 1),
            ("cancelled", 1, 0),
            ("held", 1, 1),
            ("dismissed", 1, 1),
        )
        for number, (stage, cancel, sent) in enumerate(stages):
            tables.execute(
                "INSERT INTO handover (order_id, number, created_ms, version, stage, since_ms, reason, cancel, sent) "
                "VALUES (?, ?, 1, 1, ?, ?, ?, ?, ?)",
                (f"o{number}", f"=CT-{number}", stage, now - 1_000 * number, "=why", cancel, sent),
            )
        advices = (
            ("fulfilment", "shipped", "due"),
            ("fulfilment", "picked", "open"),
            ("fulfilment", "shipped", "held"),
            ("fulfilment", "shipped", "parked"),
            ("fulfilment", "shipped", "booked"),
            ("fulfilment", "shipped", "done"),
            ("return", "received", "due"),
            ("return", "received", "done"),
        )
        for number, (kind, status, stage) in enumerate(advices):
            tables.execute(
                "INSERT INTO advice (feed, kind, name, epoch, seq, reference, order_id, status, content, stage, told_ms, "
                "since_ms) VALUES ('main', ?, ?, 1, 1, 'CT-9', ?, ?, '{}', ?, 1, ?)",
                (kind, f"a{number}", None if stage == "parked" else "o1", status, stage, now),
            )
    tables.close()


@virtual
async def test_a_quiet_day_asks_nobody_for_anything(tmp_path: Path) -> None:
    """Everything is looked at and said, and the exit status is 0."""
    async with served(tmp_path) as daemon:
        backup(daemon, 3 * DAY)
        code, out, _ = await ctl(daemon, "report", "daily")
        lines = out.splitlines()
        assert code == 0
        assert lines[0].endswith("Z: nobody must act")
        assert lines[1] == "healthy: everything that was told is published"
        topics = [line.split()[1] for line in lines[2:]]
        assert sorted(topics) == sorted(
            ("feeds", "decreases", "orders", "dispatches", "parked", "drift", "snapshots", "paused", "backup")
        )
        assert all(line.startswith("  operations") for line in lines[2:])
        assert "the newest is 3 d old" in out


@virtual
async def test_a_day_with_work_tells_it_by_owner_and_the_worst_first(tmp_path: Path) -> None:
    """Critical, then overdue, then the rest; each with its command, and the exit status is 1."""
    async with served(tmp_path) as daemon:
        await case(daemon, CaseKind.SKU_NOT_FOUND, "A")
        await case(daemon, CaseKind.FOREIGN_WRITER, "F")
        wait(daemon, 2 * DAY)
        await case(daemon, CaseKind.SKU_NOT_FOUND, "B")
        await case(daemon, CaseKind.HELD_SNAPSHOT, "s1", "main")
        await case(daemon, CaseKind.UNTRACKED_DEMAND, "U")
        daemon.shared.paused_channels.add(CHANNEL)
        backup(daemon, 9 * DAY)
        code, out, _ = await ctl(daemon, "report", "daily")
        lines = out.splitlines()
        assert code == 1
        heading = "5 things to do, marked ! (operations 4, data 1); 3 to look at when there is time, marked ?"
        assert lines[0].endswith(heading)
        told = [line.split()[:3] for line in lines[2:]]
        assert [words[2] for words in told[:5]] == [
            "held_snapshot",
            "channel_paused",
            "foreign_writer",
            "untracked_demand",
            "sku_not_found",
        ]
        assert all(words[0] == "!" for words in told[:5])
        assert (
            "2 open, 1 overdue, 1 new, the oldest 2 d old → archsyncctl exceptions list --kind sku_not_found"
            in lines[6]
        )
        looks = [words[2] for words in told[5:] if words[0] == "?"]
        assert {"backup", "paused", "snapshots"} <= set(looks)
        assert "the newest is 9 d old → archsyncctl backup NAME.db" in out


@virtual
async def test_the_daily_report_stays_within_25_lines_at_its_worst(tmp_path: Path) -> None:
    """With every kind open it is cut by rule and says how much is left out; nothing in it commands the terminal."""
    async with served(tmp_path) as daemon:
        for kind in CaseKind:
            await case(daemon, kind, "\x1b[31mred")
        daemon.shared.paused_channels.add("c\x1b[2J")
        code, out, _ = await ctl(daemon, "report", "daily")
        lines = out.splitlines()
        assert code == 1
        assert len(lines) == DAILY_LINES
        assert all(len(line) <= 160 for line in lines)
        assert "\x1b" not in out
        hidden = len(CaseKind) + 1 - sum(line.startswith("! ") for line in lines) + 1
        assert f"! and {hidden} more things to do; --json tells all" in lines
        assert len((await ask_json(daemon, "report", "daily"))["items"]) == len(CaseKind) + 1 + 9


@virtual
async def test_reports_as_json_have_the_documented_fields_and_the_same_exit_status(tmp_path: Path) -> None:
    """Programs rest on the names; --json changes no exit status."""
    async with served(tmp_path) as daemon:
        orders_of_every_section(daemon)
        await case(daemon, CaseKind.SKU_NOT_FOUND, "A")
        for act, status in (("daily", 1), ("weekly", 1), ("finance", 0)):
            code, out, _ = await ctl(daemon, "report", act, "--json")
            answer = json.loads(out)
            assert (await ctl(daemon, "report", act))[0] == code == status, act
            every = fields_of(f"report.{act}")
            assert set(answer) == set(every), act
            for name in ("items", "owners", "kinds", "tidy", "rows"):
                if name in every and name in answer and "[" in every[name] and answer[name]:
                    told = every[name][every[name].index("[") + 1 : every[name].rindex("]")]
                    words = {word.split(" (")[0] for word in told.split(", ")}
                    assert set(answer[name][0]) == words, (act, name)


@virtual
async def test_a_weekly_report_tells_trends_owners_and_what_lies_about(tmp_path: Path) -> None:
    """Opened and closed against the week before, the slowest owner first, and what to tidy."""
    extra = '[locations.OLD]\nchannel = "warehouse-2"\n'
    async with served(tmp_path, extra) as daemon:
        await daemon.level("ABC-1", 5)
        await case(daemon, CaseKind.SKU_NOT_FOUND, "A")
        await case(daemon, CaseKind.DRIFT, "D")
        wait(daemon, 8 * DAY)
        await case(daemon, CaseKind.SKU_NOT_FOUND, "B")
        await daemon.store.cases.resolve(CaseKind.DRIFT, CHANNEL, "D", "it agrees")
        await daemon.store.cases.close(1, "dismissed", "not sold")
        await case(daemon, CaseKind.INVALID_RECORD, "(folded) x", "main")
        wait(daemon, HOUR)
        answer = await ask_json(daemon, "report", "weekly")
        kinds = {row["kind"]: row for row in answer["kinds"]}
        unknown = kinds["sku_not_found"]
        assert (unknown["opened"], unknown["opened_before"], unknown["dismissed"], unknown["open"]) == (
            1,
            1,
            1,
            1,
        )
        assert kinds["drift"]["resolved"] == 1
        owners = {row["owner"]: row for row in answer["owners"]}
        assert owners["data"]["handling_seconds"] == pytest.approx(8 * DAY, abs=60)
        assert next(row["owner"] for row in answer["owners"]) == "data"
        assert [(item["topic"], item["owner"]) for item in answer["tidy"]] == [
            ("folded", "operations"),
            ("dismissed", "data"),
            ("mapping", "operations"),
        ]
        assert "location OLD is mapped" in answer["tidy"][-1]["says"]
        code, out, _ = await ctl(daemon, "report", "weekly")
        assert code == 1
        assert "Owners, the slowest first:" in out
        assert "1 (1)" in out


@virtual
async def test_finance_tells_each_order_once_in_its_section(tmp_path: Path) -> None:
    """Held, shipped and not booked, booked and not acknowledged, returned, cancelled too late; and nothing else."""
    async with served(tmp_path) as daemon:
        orders_of_every_section(daemon)
        await case(daemon, CaseKind.SHORT_PICK, "a1", "orders")
        answer = await ask_json(daemon, "report", "finance")
        found = [(row["section"], row["order"], row["dispatch"], row["state"]) for row in answer["rows"]]
        assert found == [
            ("unfulfillable", "o0", "", "held"),
            ("unfulfillable", "o1", "a1", "waiting"),
            ("shipped_not_booked", "o1", "a2", "held"),
            ("shipped_not_booked", "", "a3", "parked"),
            ("shipped_not_booked", "o1", "a0", "due"),
            ("booked_not_acknowledged", "o1", "a4", "booked"),
            ("open_return", "o1", "a6", "due"),
            ("cancelled_after_handover", "o6", "", "dismissed"),
            ("cancelled_after_handover", "o5", "", "held"),
            ("cancelled_after_handover", "o3", "", "cancelled"),
            ("cancelled_after_handover", "o2", "", "cancelling"),
        ]
        assert {name: total["orders"] for name, total in answer["totals"].items()} == {
            "unfulfillable": 2,
            "shipped_not_booked": 3,
            "booked_not_acknowledged": 1,
            "open_return": 1,
            "cancelled_after_handover": 4,
        }
        wait(daemon, 40 * DAY)
        later = await ask_json(daemon, "report", "finance")
        left = [row["order"] for row in later["rows"] if row["section"] == "cancelled_after_handover"]
        assert left == ["o5", "o2"], "what was carried out, or settled by a person, is told no more"


@virtual
async def test_finance_for_people_and_as_csv_is_safe_to_open(tmp_path: Path) -> None:
    """A number that looks like a formula is text; the table is cut by rule and has a line for each section."""
    async with served(tmp_path) as daemon:
        orders_of_every_section(daemon)
        assert (await ctl(daemon, "report", "finance", "--csv", "--json"))[0] == 64
        _, out, _ = await ctl(daemon, "report", "finance", "--csv")
        rows = list(csv.DictReader(io.StringIO(out)))
        assert tuple(rows[0]) == FINANCE_FIELDS
        assert (rows[0]["number"], rows[0]["reason"]) == ("'=CT-0", "'=why")
        _, out, _ = await ctl(daemon, "report", "finance", "--limit", "1")
        assert "1 cannot be shipped as ordered, though paid, the oldest for" in out
        assert "3 shipped, and not booked in commercetools" in out
        assert "and 2 more orders; --csv tells all" in out


class Sink(io.StringIO):
    """Counts the lines that are written and keeps none of them."""

    lines = 0

    def write(self, text: str) -> int:
        self.lines += text.count("\n")
        return len(text)


@virtual
async def test_finance_pages_through_ten_thousand_orders_in_bounded_memory(tmp_path: Path) -> None:
    """Each order arrives once, and neither side holds more than a page of them."""
    async with served(tmp_path) as daemon:
        with database(daemon) as tables:
            tables.executemany(
                "INSERT INTO handover (order_id, number, created_ms, version, stage, since_ms, reason) "
                "VALUES (?, ?, 1, 1, 'held', ?, ?)",
                [(f"o{number:05}", f"CT-{number}", number // 7, "x" * 900) for number in range(10_000)],
            )
        tables.close()
        socket, sink = str(daemon.settings.daemon.control_socket), Sink()
        tracemalloc.start()
        try:
            words = ["report", "finance", "--csv", "--socket", socket]
            assert await asyncio.to_thread(main, words, sink, io.StringIO()) == 0
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert sink.lines == 10_001
        assert peak < 8_000_000
        first, place = await daemon.store.reporting.finance(FinancePlace(), 3)
        assert place is not None
        second, _ = await daemon.store.reporting.finance(place, 3)
        assert [row.order_id for row in (*first, *second)] == [f"o{number:05}" for number in range(6)]


@virtual
async def test_a_report_nobody_read_for_36_hours_is_a_cause_of_its_own(tmp_path: Path) -> None:
    """Where a daily report is expected its absence degrades the verdict, from the first day on; reading one heals it."""
    async with served(tmp_path, EXPECTED) as daemon:
        backup(daemon, 0)
        assert (await ask_json(daemon, "status"))["verdict"] == "healthy"
        wait(daemon, 37 * HOUR)
        await daemon.clock.sleep(30)
        status = await ask_json(daemon, "status")
        assert [reason["code"] for reason in status["reasons"]] == ["report_missed"]
        assert status["reasons"][0]["next"] == "Read it: `archsyncctl report daily`"
        assert (await ctl(daemon, "status", "--check"))[0] == 1
        assert (await ctl(daemon, "report", "weekly"))[0] == 0
        await daemon.clock.sleep(30)
        assert (await ctl(daemon, "status", "--check"))[0] == 1, "another report is not the daily one"
        code, out, _ = await ctl(daemon, "report", "daily")
        assert (code, "nobody must act" in out) == (0, True), "it asks for what has just been done"
        await daemon.clock.sleep(30)
        assert (await ctl(daemon, "status", "--check"))[0] == 0
        wait(daemon, 35 * HOUR)
        await daemon.clock.sleep(30)
        assert (await ctl(daemon, "status", "--check"))[0] == 0


@virtual
async def test_no_report_is_expected_unless_the_configuration_says_so(tmp_path: Path) -> None:
    """A site that does not use them is not told of them."""
    async with served(tmp_path) as daemon:
        wait(daemon, 400 * HOUR)
        await daemon.clock.sleep(30)
        assert (await ask_json(daemon, "status"))["verdict"] == "healthy"


@virtual
async def test_the_last_report_of_each_kind_is_remembered(tmp_path: Path) -> None:
    """`previous` says when; an unread page of finance does not count as told."""
    async with served(tmp_path) as daemon:
        assert (await ask_json(daemon, "report", "daily"))["previous"] is None
        first = await ask_json(daemon, "report", "daily")
        assert first["previous"] is not None
        assert first["noted"] is True
        await ask_json(daemon, "report", "finance")
        assert set(await daemon.store.reporting.made()) == {"daily", "finance"}


@virtual
async def test_a_host_that_may_not_write_tells_its_report_all_the_same(tmp_path: Path) -> None:
    """It only does not count as told."""
    async with served(tmp_path) as daemon:
        await daemon.store.saw_tenure(Tenure("other", 9, "ledger-1"))
        answer = await ask_json(daemon, "report", "daily")
        assert answer["noted"] is False
        assert answer["items"]


@virtual
async def test_a_broken_store_makes_no_report(tmp_path: Path) -> None:
    """It says so, with the exit status of a failure."""
    async with served(tmp_path) as daemon:
        await break_store(daemon)
        assert (await ctl(daemon, "report", "daily"))[0] == 2


def test_mapped_locations_that_fill_nothing_are_found() -> None:
    """Without a level, or with none of this week; where the source tells no times nothing is supposed."""
    uses = {
        "old": PlaceUse("old", 2, 2, 100),
        "new": PlaceUse("new", 2, 2, 300),
        "untold": PlaceUse("untold", 2, 1, 100),
    }
    assert unused_places(("old", "new", "untold", "none"), uses, 200) == ["old", "none"]


def test_the_verdict_waits_36_hours_for_a_report() -> None:
    """A day and a half: one late report is no cause."""
    assert judge(Facts(unreported_seconds=35.9 * HOUR)).reasons == ()
    assert [reason.code for reason in judge(Facts(unreported_seconds=36.1 * HOUR)).reasons] == [
        "report_missed"
    ]


STATUS = {
    "project": "shop",
    "verdict": "degraded",
    "sentence": "degraded: x",
    "reasons": [],
    "feeds": [],
    "paused": {"feeds": [], "channels": []},
    "hand_over": {"states": [], "dispatches": []},
}
PERIODS = some.lists(
    some.builds(
        CasePeriod,
        some.sampled_from([kind.value for kind in CaseKind]),
        open=some.integers(0, 3),
        overdue=some.integers(0, 3),
        oldest_ms=some.integers(0, 10**9),
    ),
    unique_by=lambda period: period.kind,
)


@given(
    PERIODS,
    some.dictionaries(some.sampled_from([kind.value for kind in CaseKind]), some.text("abc", min_size=1)),
)
def test_whatever_is_open_the_report_is_short_and_grouped_by_owner(
    periods: list[CasePeriod], owners: dict[str, str]
) -> None:
    """Never more than 25 lines; what must be done comes first, and each owner's work stands together."""
    items = items_of(Figures(STATUS, periods, owners, "operations", 10**9, None))
    answer = {**STATUS, "at": "now", "items": [item.told() for item in items]}
    assert len(daily_lines(answer)) <= DAILY_LINES
    assert [item.need for item in items] == sorted(item.need for item in items)
    acts = [item.owner for item in items if item.need is Need.ACT]
    assert len(acts) == sum(period.open > 0 for period in periods)
    runs = [owner for place, owner in enumerate(acts) if place == 0 or acts[place - 1] != owner]
    assert len(runs) == len(set(runs))


@virtual
async def test_figures_of_many_cases_are_counted_in_one_look(tmp_path: Path) -> None:
    """New, overdue and folded ones of each kind, as they are."""
    async with served(tmp_path) as daemon:
        cases = [NewCase(CaseKind.DRIFT, "c", f"S{number}", "x", code="k") for number in range(1_500)]
        await daemon.store._session.write(lambda scope: open_cases(scope.tx, cases, scope.now_ms))
        wait(daemon, 2 * HOUR)
        await case(daemon, CaseKind.DRIFT, "late")
        now_ms = daemon.clock.wall_ms()
        (found,) = await daemon.store.reporting.cases({"drift": HOUR * 1_000}, now_ms - HOUR * 1_000)
        assert (found.open, found.new, found.overdue, found.folded) == (1_002, 1, 1_001, 1)

"""What people see of a key's history: the timeline of `sku`, and all of it by `history`, as text, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from pathlib import Path
from typing import Any

from archsyncd.adapters.sqlite.store import DATABASE_NAME
from archsyncd.domain.inventory import Entry, Marker, StockKey
from archsyncd.domain.rules import DrainLimits
from archsyncd.domain.settlement import Booked, Foreign, Settled
from archsyncd.operator.fields import FIELDS
from archsyncd.operator.history import PAGE_ROWS
from tests.operator.daemon import CHANNEL, SmallDaemon, ask_json, ctl, served
from tests.support.virtual_time import virtual

SKU = "ABC-1"
KEY = StockKey(CHANNEL, SKU)


async def writes(daemon: SmallDaemon, *levels: int, sku: str = SKU) -> None:
    """Levels, and each one written."""
    for available in levels:
        await daemon.level(sku, available)
        (lease,) = await daemon.store.outbox.lease(DrainLimits(), 1)
        booked = Booked(lease.entry_id or "new", (lease.version or 0) + 1)
        await daemon.store.outbox.settle(
            [Settled(lease.key, lease.operation.op_id, booked)], daemon.settle_rules()
        )
        await daemon.clock.sleep(10)


async def traded(daemon: SmallDaemon, *levels: int) -> None:
    """A key with a proven base of 15 and a write for each level."""
    await daemon.level(SKU, 15)
    await daemon.prove(SKU, 15)
    await writes(daemon, *(levels or (12, 20)))


def tamper(daemon: SmallDaemon, statement: str) -> None:
    with sqlite3.connect(daemon.settings.daemon.state_dir / DATABASE_NAME) as database:
        database.execute(statement)


@virtual
async def test_the_story_of_a_sku_tells_its_timeline_with_the_sum_checked(tmp_path: Path) -> None:
    """Opening and deltas, whether they come to what is applied, and the changes with the newest last."""
    async with served(tmp_path) as daemon:
        await traded(daemon)
        code, out, _ = await ctl(daemon, "sku", SKU)
        assert code == 0
        assert "  history   opening 0 +20 in 3 changes = 20, applied 20: it adds up" in out
        rows = [line for line in out.splitlines() if "→" in line and line.startswith("    2026")]
        assert [line.split()[1] for line in rows] == ["+15", "-3", "+8"]
        assert "base taken from the entry" in rows[0]
        assert "written (1.2)" in rows[2]


@virtual
async def test_a_history_that_does_not_add_up_is_said_and_is_a_reason_to_act(tmp_path: Path) -> None:
    """With its figures, in the story and in the history, which ends with status 1."""
    async with served(tmp_path) as daemon:
        await traded(daemon)
        tamper(daemon, "DELETE FROM key_history WHERE n = 2")
        _, out, _ = await ctl(daemon, "sku", SKU)
        assert "opening 0 +23 in 2 changes = 23, applied 20: DOES NOT ADD UP" in out
        for how in ((), ("--csv",), ("--json",)):
            assert (await ctl(daemon, "history", SKU, *how))[0] == 1


@virtual
async def test_as_many_changes_are_shown_as_are_asked_for(tmp_path: Path) -> None:
    """`--history N` the newest, with how many there are before; `--all` all of them, in JSON too."""
    async with served(tmp_path) as daemon:
        await traded(daemon, *range(20, 40))
        _, out, _ = await ctl(daemon, "sku", SKU, "--history", "2")
        assert len([line for line in out.splitlines() if line.startswith("    2026")]) == 2
        assert "19 earlier changes: --history N shows more, --all shows all" in out
        (timeline,) = (await ask_json(daemon, "sku", SKU, "--all"))["timelines"]
        assert (len(timeline["rows"]), timeline["more"]) == (21, False)
        assert (await ctl(daemon, "sku", SKU, "--history", "201"))[0] == 64


@virtual
async def test_a_whole_history_is_told_in_pages_that_miss_nothing(tmp_path: Path) -> None:
    """More changes than one answer holds, orders and cases between them, each once and in order; the column adds up."""
    async with served(tmp_path) as daemon:
        await daemon.level(SKU, 15)
        await daemon.prove(SKU, 15)
        since_ms, wanted = daemon.clock.wall_ms(), 2 * PAGE_ROWS + 7
        tamper(
            daemon,
            "WITH RECURSIVE many (n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM many WHERE n < "
            f"{wanted}) INSERT INTO key_history SELECT 'warehouse-1', 'ABC-1', n, {since_ms} + 10000 * n, 'increment', "
            "n % 2 * 2 - 1, 14 + n % 2, 0, 0, 0, 0, '', '', 1 FROM many",
        )
        for number in range(wanted // 100):
            await daemon.clock.sleep(1_000)
            await daemon.order(f"o{number}", SKU, 1)
        code, out, _ = await ctl(daemon, "history", SKU, "--csv")
        assert code == 0
        rows = list(csv.DictReader(io.StringIO(out)))
        changes = [row for row in rows if row["n"]]
        assert [int(row["n"]) for row in changes] == list(range(wanted + 1))
        applied = (await daemon.store.outbox.rows([KEY]))[KEY].applied
        assert sum(int(row["delta"]) for row in changes) == applied
        orders = [row["says"].split()[1] for row in rows if row["kind"] == "order"]
        assert orders == [f"CT-o{number}" for number in range(wanted // 100)]
        times = [row["at"] for row in rows if row["at"]]
        assert times == sorted(times)


@virtual
async def test_a_history_as_json_has_the_documented_fields(tmp_path: Path) -> None:
    """Keys and rows as the help names them; one object, whatever its length."""
    async with served(tmp_path) as daemon:
        await traded(daemon)
        await daemon.order("o1", SKU, 2)
        answer = await ask_json(daemon, "history", SKU)
        assert set(answer) == set(FIELDS["history"])
        told = FIELDS["history"]
        assert {name for row in answer["rows"] for name in row} == set(_names(told["rows"]))
        (key,) = answer["keys"]
        assert set(key) == set(_names(told["keys"]))
        assert (key["opening"] + key["deltas"], key["adds_up"]) == (key["current"], True)


def _names(says: str) -> list[str]:
    return says.partition("[")[2].partition("]")[0].split(", ")


@virtual
async def test_who_wrote_last_is_told_and_does_no_harm(tmp_path: Path) -> None:
    """A name from outside is shown printable on the terminal, and is no formula in a spreadsheet."""
    async with served(tmp_path) as daemon:
        await traded(daemon, 12)
        await daemon.level(SKU, 9)
        (lease,) = await daemon.store.outbox.lease(DrainLimits(), 1)
        now_ms = daemon.clock.wall_ms()
        hostile = Entry(
            "e", 9, KEY, 40, 40, Marker("x", "1", 1, "1", 0), "t", 1, now_ms, written_by="=cmd()\x1b[2J"
        )
        await daemon.store.outbox.settle(
            [Settled(KEY, lease.operation.op_id, Foreign(hostile))], daemon.settle_rules()
        )
        _, out, _ = await ctl(daemon, "sku", SKU)
        assert "somebody else wrote the entry: base taken anew, last written by =cmd()\\x1b[2J" in out
        _, out, _ = await ctl(daemon, "history", SKU, "--csv")
        (row,) = [row for row in csv.DictReader(io.StringIO(out)) if row["kind"] == "foreign"]
        assert row["who"] == "'=cmd()\\x1b[2J"


@virtual
async def test_drift_is_told_by_itself(tmp_path: Path) -> None:
    """How often, and the last one with its pieces."""
    async with served(tmp_path) as daemon:
        await traded(daemon, 12)
        tamper(daemon, "UPDATE key_history SET kind = 'drift', who = 'anna' WHERE n = 2")
        _, out, _ = await ctl(daemon, "sku", SKU)
        assert "  drift     1 time, last 2026-" in out
        assert ": -3, last written by anna" in out


@virtual
async def test_what_there_is_no_history_of_is_refused_with_the_next_step(tmp_path: Path) -> None:
    """An unknown SKU, a channel that has no key of it, two forms at once."""
    async with served(tmp_path) as daemon:
        await traded(daemon)
        code, _, err = await ctl(daemon, "history", "NOPE")
        assert (code, "Nothing is known of the SKU 'NOPE'" in err) == (1, True)
        code, _, err = await ctl(daemon, "history", SKU, "--channel", "elsewhere")
        assert (code, f"there is {CHANNEL}." in err) == (1, True)
        code, _, err = await ctl(daemon, "history", SKU, "--csv", "--json")
        assert (code, "Choose one of --csv and --json." in err) == (64, True)


@virtual
async def test_a_sku_with_keys_in_several_channels_is_told_channel_by_channel(tmp_path: Path) -> None:
    """Or in one alone, where that is asked for."""
    async with served(tmp_path) as daemon:
        await traded(daemon)
        tamper(
            daemon,
            "INSERT INTO outbox (channel, sku, f, x_target, base) VALUES ('another', 'ABC-1', 0, 0, 'unknown')",
        )
        answer: dict[str, Any] = json.loads((await ctl(daemon, "history", SKU, "--json"))[1])
        assert [(key["channel"], key["changes"], key["adds_up"]) for key in answer["keys"]] == [
            ("another", 0, True),
            (CHANNEL, 3, True),
        ]
        one = await ask_json(daemon, "history", SKU, "--channel", CHANNEL)
        assert [key["channel"] for key in one["keys"]] == [CHANNEL]
        _, out, _ = await ctl(daemon, "history", SKU)
        assert f"{SKU} in channel another: opening 0 +0 in 0 changes = 0, applied -: it adds up" in out

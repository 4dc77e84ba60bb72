"""archsyncctl against a daemon of real parts: what people and programs are told, and with which exit status."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from archsyncd.config import ConfigurationFaults, Fault
from archsyncd.domain.cases import CaseKind, NewCase
from archsyncd.domain.feed import Level, OrderAccepted, SnapshotEnd, SnapshotHead, SnapshotPage
from archsyncd.domain.guard import GuardLimits
from archsyncd.domain.inventory import StockKey, Unauthorised
from archsyncd.domain.lookup import AWAITING_ENTRY, unsold
from archsyncd.domain.rules import DrainLimits
from archsyncd.domain.settlement import Booked, Parked, Settled
from archsyncd.domain.tenure import Tenure
from archsyncd.engine.handing_over import HandOver
from archsyncd.operator.ctl import main
from archsyncd.operator.fields import FIELDS, fields_of
from archsyncd.operator.protocol import Refusal, request_line
from archsyncd.operator.tables import LEFT, Table
from tests.operator.daemon import CHANNEL, LEDGER, HastyClock, SmallDaemon, ask_json, break_store, ctl, served
from tests.support.virtual_time import virtual

KEY = StockKey(CHANNEL, "ABC-1")


async def sold(daemon: SmallDaemon) -> None:
    """A SKU with level 12, three pieces ordered, and the order accepted before its level: X 15, all written."""
    await daemon.level("ABC-1", 15)
    await daemon.prove("ABC-1", 15)
    await daemon.order("o1", "ABC-1", 3)
    daemon.seq += 1
    await daemon.told(OrderAccepted("a1", daemon.seq, "o1", None))
    await daemon.level("ABC-1", 12)


async def write_all(daemon: SmallDaemon) -> None:
    """Book every due write as done."""
    for lease in await daemon.store.outbox.lease(DrainLimits(), 100):
        booked = Booked(lease.entry_id or "new", (lease.version or 0) + 1)
        await daemon.store.outbox.settle(
            [Settled(lease.key, lease.operation.op_id, booked)], daemon.settle_rules()
        )


async def held_level(daemon: SmallDaemon) -> int:
    """A level above the channel's maximum of 1000; the id of its case."""
    await daemon.level("ABC-1", 5)
    await daemon.level("ABC-1", 5_000)
    cases = await daemon.store.cases.listed(kind="held_level")
    return cases[0].id


async def refused_write(daemon: SmallDaemon) -> int:
    """A key that commercetools refused for good; the id of its case."""
    await daemon.level("ABC-1", 15)
    await daemon.prove("ABC-1", 15)
    await daemon.level("ABC-1", 10)
    (lease,) = await daemon.store.outbox.lease(DrainLimits(), 1)
    parked = Parked(CaseKind.STOCK_UPDATE_FAILED, "InvalidField", "refused")
    await daemon.store.outbox.settle(
        [Settled(lease.key, lease.operation.op_id, parked)], daemon.settle_rules()
    )
    return (await daemon.store.cases.listed(kind="stock_update_failed"))[0].id


async def held_snapshot(daemon: SmallDaemon) -> str:
    """A full that would set everything to zero, held by the guards; its id."""
    for number in range(4):
        await daemon.level(f"S{number}", 5)
    head = SnapshotHead("main", "e1", "full-1", daemon.seq + 1, "c9", None, ("WH1",))
    snapshot_id = await daemon.store.snapshots.begin(head)
    items = tuple(Level(f"x{n}", daemon.seq + 1, f"S{n}", "WH1", None, 0) for n in range(4))
    await daemon.store.snapshots.stage("main", snapshot_id, SnapshotPage(items))
    snapshot = await daemon.store.snapshots.assess(
        snapshot_id, SnapshotEnd(complete=True, records=4), 4, 0, GuardLimits(), resumes=True
    )
    assert snapshot.state == "held"
    return snapshot_id


@virtual
async def test_status_begins_with_the_verdict_and_names_every_figure(tmp_path: Path) -> None:
    """The first line is the verdict; each figure that operators watch has its line."""
    async with served(tmp_path) as daemon:
        await sold(daemon)
        code, out, err = await ctl(daemon, "status")
        lines = out.splitlines()
        assert (code, err) == (0, "")
        assert lines[0] == "healthy: everything that was told is published"
        heads = [line.split()[0] for line in lines[1:]]
        assert heads == [
            "feed",
            "locations",
            "waiting",
            "decreases",
            "requests",
            "orders",
            "keys",
            "exceptions",
            "lease",
            "archsyncd",
        ]
        assert "0/s of 50/s (configured 50/s), 0 of 16 in flight" in out
        assert "held with fence 1 by test" in out


@virtual
async def test_status_stays_within_24_lines_at_its_worst(tmp_path: Path) -> None:
    """With many feeds, kinds, causes and notes the status is cut by rule, and says how much is left out."""
    extra = "".join(
        f'[[feed]]\nname = "f{number}"\nurl = "https://r247.test/{number}"\n' for number in range(10)
    )
    async with served(tmp_path, extra) as daemon:
        for kind in CaseKind:
            await daemon.store.cases.open(NewCase(kind, "main", "x", "because\nof \x1b[31mcolour"))
        daemon.shared.notes.update({f"n{number}": "y" * 500 for number in range(9)})
        daemon.limiter.report(Unauthorised("401"))
        daemon.freshness.verdicts.update({feed.name: "stale" for feed in daemon.feeds})
        daemon.hand_over = cast("HandOver", object())
        await daemon.level("A", 15)
        await daemon.prove("A", 15)
        await daemon.level("A", 10)
        await daemon.store.outbox.lease(DrainLimits(), 1)
        await daemon.store.take_tenure(Tenure("test", 2, LEDGER))
        _, out, _ = await ctl(daemon, "status")
        assert "in doubt" in out
        assert "hand-over" in out
        lines = out.splitlines()
        assert len(lines) <= 24
        assert lines[0].startswith("critical: commercetools refuses our credential")
        assert lines[-1].startswith("archsyncd   1.2.3")
        assert {"feeds", "kinds", "causes", "notes"} <= set(out.replace(" more", "").split())
        assert all(len(line) <= 160 for line in lines)
        assert "\x1b" not in out


@virtual
async def test_check_tells_the_verdict_by_its_exit_status(tmp_path: Path) -> None:
    """`status --check` ends with 0, 1, 2 for the three verdicts; without --check it ends with 0."""
    async with served(tmp_path) as daemon:
        assert (await ctl(daemon, "status", "--check"))[0] == 0
        await daemon.store.cases.open(NewCase(CaseKind.SKU_NOT_FOUND, CHANNEL, "X", "no product"))
        await daemon.clock.sleep(2)
        assert (await ctl(daemon, "status", "--check"))[0] == 1
        daemon.freshness.verdicts["main"] = "stale"
        await daemon.clock.sleep(2)
        assert (await ctl(daemon, "status", "--check"))[0] == 2
        assert (await ctl(daemon, "status"))[0] == 0


@virtual
async def test_a_broken_store_is_told_without_the_store(tmp_path: Path) -> None:
    """When the database cannot be read any more the status still answers, and is critical."""
    async with served(tmp_path) as daemon:
        await break_store(daemon)
        assert daemon.store.broken
        code, out, _ = await ctl(daemon, "status", "--check")
        assert code == 2
        assert out.startswith("critical: the database cannot be used any more")


@virtual
async def test_status_as_json_has_the_documented_fields(tmp_path: Path) -> None:
    """Programs find the verdict, its causes and every figure under stable names."""
    async with served(tmp_path) as daemon:
        await sold(daemon)
        daemon.shared.paused_channels.add(CHANNEL)
        status = await ask_json(daemon, "status")
        assert status["verdict"] == "degraded"
        assert status["reasons"][0]["code"] == "channel_paused"
        assert status["feeds"][0]["seq"] == 3
        assert status["keys"] == {"total": 1, "out_of_step": 0, "to_write": 0, "to_read": 0}
        assert status["orders"]["open"] == 1
        assert 59 < status["orders"]["behind_seconds"] < 62
        assert status["requests"]["limit_per_second"] == 50
        assert status["paused"] == {"channels": [CHANNEL], "feeds": []}


@virtual
async def test_untracked_mode_says_which_window_it_carries(tmp_path: Path) -> None:
    """In untracked mode the status says that pieces may be sold twice until their order is learnt."""
    async with served(tmp_path) as daemon:
        project = replace(daemon.settings.commercetools, inventory_mode="untracked")
        daemon.settings = replace(daemon.settings, commercetools=project)
        _, out, _ = await ctl(daemon, "status")
        assert "untracked: until an order is learnt (about 2 s)" in out


@virtual
async def test_the_oldest_decrease_is_told_with_its_age(tmp_path: Path) -> None:
    """A decrease that waits too long degrades the verdict, then makes it critical."""
    async with served(tmp_path) as daemon:
        await daemon.level("ABC-1", 15)
        await daemon.prove("ABC-1", 15)
        await daemon.level("ABC-1", 2)
        await daemon.clock.sleep(90)
        status = await ask_json(daemon, "status")
        assert 89 < status["oldest_decrease_seconds"] < 95
        assert status["waiting"][0]["name"] == "decreases near zero"
        assert status["reasons"][0]["code"] == "decrease_waits"


@virtual
async def test_keys_out_of_step_are_told_apart_and_each_counted_once(tmp_path: Path) -> None:
    """A change that waits is to be written; a base that no clean read has proven is to be read, though nothing waits."""
    async with served(tmp_path) as daemon:
        for sku in ("SURE", "CUT", "LOOKED"):
            await daemon.level(sku, 10)
        await daemon.prove("SURE", 10)
        await daemon.prove("CUT", 10)
        await daemon.entry("LOOKED", 10)
        status = await ask_json(daemon, "status")
        assert status["keys"] == {"total": 3, "out_of_step": 1, "to_write": 0, "to_read": 1}
        await daemon.level("CUT", 7)
        await daemon.clock.sleep(90)
        _, out, _ = await ctl(daemon, "status")
        assert "keys        3: 1 in step, 1 to be written, 1 to be read before it is sure" in out


@virtual
async def test_a_skus_story_prints_its_arithmetic_and_checks_it(tmp_path: Path) -> None:
    """The ledger stands line by line, with the sum spelt out and done again from levels and orders."""
    async with served(tmp_path) as daemon:
        await sold(daemon)
        code, out, _ = await ctl(daemon, "sku", "ABC-1")
        assert code == 0
        assert (
            "12 by the levels + 3 of orders that they left out − 0 of orders that commercetools does not count = 15 before "
            "orders; 15 applied − 3 of known orders → commercetools should show 12"
        ) in out
        assert "should show 12 by the ledger, wanted 12; a write or a read last changed that at 20" in out
        assert "look now  archsyncctl reconcile --dry-run --sku ABC-1" in out
        assert "the arithmetic adds up" in out
        assert "order     CT-o1 (Open): 3 tracked in warehouse-1, 3 reflected" in out
        assert "is without 3 pieces from record 1/2 of feed main on: the level has come so far" in out


@virtual
async def test_a_story_tells_what_is_in_flight_and_what_waits(tmp_path: Path) -> None:
    """A write under way and a figure that is still to change are part of the story."""
    async with served(tmp_path) as daemon:
        await sold(daemon)
        await daemon.level("ABC-1", 9)
        _, waiting, _ = await ctl(daemon, "sku", "ABC-1")
        assert "→ commercetools should show 12, to become 9" in waiting
        assert "among the decreases" in waiting
        await daemon.store.outbox.lease(DrainLimits(), 1)
        _, flying, _ = await ctl(daemon, "sku", "ABC-1")
        assert "in flight increment -3" in flying
        await write_all(daemon)


@virtual
async def test_a_story_whose_arithmetic_fails_says_so(tmp_path: Path) -> None:
    """A booked figure that levels and orders do not explain is named, in words and as JSON."""
    async with served(tmp_path) as daemon:
        await sold(daemon)

        async def tamper(scope: object) -> None:
            connection = scope.tx.connection  # type: ignore[attr-defined]
            connection.execute("UPDATE outbox SET f = f + 1, x_target = x_target + 1")

        await daemon.store._session.write(tamper)
        _, out, _ = await ctl(daemon, "sku", "ABC-1")
        assert "DOES NOT ADD UP: the levels give f 12, booked 13" in out
        story = await ask_json(daemon, "sku", "ABC-1")
        assert story["keys"][0]["adds_up"] is False


@virtual
async def test_a_sku_of_which_no_record_could_be_read_leads_to_its_exception(tmp_path: Path) -> None:
    """Nothing is known of it, but that something was told."""
    async with served(tmp_path) as daemon:
        await daemon.store.cases.open(
            NewCase(CaseKind.INVALID_RECORD, "main", "TEA at WH1 not_a_number", "x")
        )
        code, _, err = await ctl(daemon, "sku", "TEA")
        assert code == 1
        assert "could not be used: archsyncctl exceptions show 1" in err


@virtual
async def test_an_unknown_sku_suggests_a_near_one(tmp_path: Path) -> None:
    """A SKU that nobody told of ends with 1 and a guess at the usual slips."""
    async with served(tmp_path) as daemon:
        await sold(daemon)
        code, _, err = await ctl(daemon, "sku", "abc-1 ")
        assert code == 1
        assert "Nothing is known of the SKU" in err
        code, _, err = await ctl(daemon, "sku", "abc-1")
        assert "Did you mean 'ABC-1'?" in err


@virtual
async def test_plan_tells_current_wanted_and_why_with_totals(tmp_path: Path) -> None:
    """Every key that is not as it should be stands in the plan with its reason; totals count keys and pieces."""
    async with served(tmp_path) as daemon:
        await sold(daemon)
        await daemon.level("ABC-1", 9)
        await daemon.level("NEW-1", 7)
        _, out, _ = await ctl(daemon, "plan")
        assert "3 fewer to sell" in out
        assert "its entry is about to be looked up" in out
        assert "decrease  1 key, 3 pieces" in out
        plan = await ask_json(daemon, "plan")
        by_sku = {row["sku"]: row for row in plan["rows"]}
        assert (by_sku["ABC-1"]["current"], by_sku["ABC-1"]["wanted"]) == (12, 9)
        assert by_sku["NEW-1"]["action"] == "wait"
        assert plan["totals"]["decrease"] == {"keys": 1, "pieces": 3}


@virtual
async def test_plan_pages_through_everything_and_writes_csv(tmp_path: Path) -> None:
    """A plan longer than one page arrives whole, each key once, as CSV that a program reads back."""
    async with served(tmp_path) as daemon:
        skus = [f'S{number:04},"ü' for number in range(1_203)]
        daemon.seq = 1
        await daemon.told(*(Level(f"i{sku}", 1, sku, "WH1", None, 5) for sku in skus))
        _, out, _ = await ctl(daemon, "plan", "--csv")
        rows = list(csv.DictReader(io.StringIO(out)))
        assert [row["sku"] for row in rows] == sorted(skus)
        assert {row["wanted"] for row in rows} == {"5"}
        _, table, _ = await ctl(daemon, "plan", "--limit", "3")
        assert "and 1,200 more keys" in table


@virtual
async def test_a_plan_before_the_rollout_shows_what_would_be_written(tmp_path: Path) -> None:
    """In stage plan every key is told as it would be written, marked as waiting for the rollout."""
    async with served(tmp_path, '[rollout]\nstage = "plan"\n') as daemon:
        await daemon.level("ABC-1", 15)
        await daemon.prove("ABC-1", 15)
        await daemon.level("ABC-1", 10)
        plan = await ask_json(daemon, "plan")
        (row,) = plan["rows"]
        assert row["action"] == "decrease"
        assert row["change"] == -5
        assert "rollout" in row["reason"]


@virtual
async def test_backlog_counts_by_class_and_age(tmp_path: Path) -> None:
    """Waiting keys are counted by class in steps of age, with the time they will take."""
    async with served(tmp_path) as daemon:
        for number in range(4):
            await daemon.level(f"S{number}", 50)
            await daemon.prove(f"S{number}", 50)
        for number in range(3):
            await daemon.level(f"S{number}", 20)
        await daemon.clock.sleep(40)
        await daemon.level("S3", 0)
        backlog = await ask_json(daemon, "backlog")
        near, other, *_ = backlog["rows"]
        assert near["keys"] == 1
        assert near["ages"] == [1, 0, 0, 0, 0, 0, 0]
        assert other["keys"] == 3
        assert other["ages"] == [0, 0, 3, 0, 0, 0, 0]
        assert 39 < other["oldest_seconds"] < 45
        _, out, _ = await ctl(daemon, "backlog")
        assert out.splitlines()[0].split()[:2] == ["class", "keys"]


@virtual
async def test_exceptions_are_listed_by_kind_state_and_owner(tmp_path: Path) -> None:
    """The list narrows by kind, state and owner, and pages through any number of cases."""
    async with served(tmp_path) as daemon:
        for number in range(620):
            await daemon.store.cases.open(
                NewCase(CaseKind.SKU_NOT_FOUND, CHANNEL, f"S{number}", "no product")
            )
        await daemon.store.cases.open(NewCase(CaseKind.DRIFT, CHANNEL, "D", "drift"))
        data = await ask_json(daemon, "exceptions", "list", "--owner", "data", "--limit", "10000")
        assert len(data["rows"]) == 620
        mine = await ask_json(daemon, "exceptions", "list", "--owner", "operations")
        assert [row["kind"] for row in mine["rows"]] == ["drift"]
        _, out, _ = await ctl(daemon, "exceptions", "list", "--kind", "sku_not_found", "--limit", "3")
        assert len([line for line in out.splitlines() if "no product" in line]) == 3
        assert "--limit N" in out
        assert "No such case." in (await ctl(daemon, "exceptions", "list", "--state", "resolved"))[1]
        code, _, err = await ctl(daemon, "exceptions", "list", "--kind", "sku_notfound")
        assert code == 64
        assert "sku_not_found" in err


@virtual
async def test_show_tells_owner_next_step_and_payload_without_control_characters(tmp_path: Path) -> None:
    """A case is shown whole, and what came from outside cannot drive the terminal."""
    async with served(tmp_path) as daemon:
        payload = b'{"sku": "\x1b]0;owned\x07"}'
        await daemon.store.cases.open(
            NewCase(
                CaseKind.INVALID_RECORD, "main", "X not_an_integer", "no number", payload, "not_an_integer"
            )
        )
        code, out, _ = await ctl(daemon, "exceptions", "show", "1")
        assert code == 0
        assert "owner     operations" in out
        assert "Correct the record in Archean" in out
        assert "\\x1b]0;owned\\x07" in out
        assert "\x1b" not in out
        code, _, err = await ctl(daemon, "exceptions", "show", "99")
        assert code == 1
        assert "There is no case 99" in err


@virtual
async def test_retry_puts_held_rules_in_force_unless_others_are_wanted_by_now(tmp_path: Path) -> None:
    """What was reviewed is what is applied; exit status 1 when the configuration has changed since."""
    async with served(tmp_path) as daemon:
        await daemon.reckoning.begin()
        await daemon.level("ABC-1", 10)
        await daemon.entry("ABC-1", 10)
        await daemon.reckoning.put_in_force()
        before = daemon.reckoning.wanted
        emptied = {name: replace(each, safety_stock=99) for name, each in before.policies.channels.items()}
        daemon.reckoning.wanted = replace(before, policies=before.policies.with_channels(emptied))
        await daemon.reckoning.put_in_force()
        (case,) = await daemon.store.cases.listed(kind="held_rules")
        held, daemon.reckoning.wanted = daemon.reckoning.wanted, before
        code, _, err = await ctl(daemon, "exceptions", "retry", str(case.id))
        assert (code, "other rules than the configuration has now" in err) == (1, True)
        daemon.reckoning.wanted = held
        code, out, _ = await ctl(daemon, "exceptions", "retry", str(case.id))
        assert (code, "in force" in out) == (0, True)
        assert await daemon.store.cases.listed(kind="held_rules") == []


@virtual
async def test_retry_applies_a_held_level_as_it_came(tmp_path: Path) -> None:
    """A level above the maximum is applied by a person's word, and its case closes."""
    async with served(tmp_path) as daemon:
        case = await held_level(daemon)
        code, out, _ = await ctl(daemon, "exceptions", "retry", str(case))
        assert code == 0
        assert "is applied as it came" in out
        assert (await daemon.store.outbox.rows([KEY]))[KEY].f == 5_000
        assert daemon.shared.work.is_set()
        code, _, err = await ctl(daemon, "exceptions", "retry", str(case))
        assert code == 1
        assert "resolved already" in err


@virtual
async def test_retry_of_a_refused_write_lets_the_key_go_on(tmp_path: Path) -> None:
    """After the cause was mended, retry puts the key back into the drain and closes its case."""
    async with served(tmp_path) as daemon:
        case = await refused_write(daemon)
        assert (await daemon.store.outbox.rows([KEY]))[KEY].parked == "stock_update_failed"
        code, out, _ = await ctl(daemon, "exceptions", "retry", str(case))
        row = (await daemon.store.outbox.rows([KEY]))[KEY]
        assert code == 0
        assert "written again now" in out
        assert row.parked is None
        assert row.due_class is not None
        assert await daemon.store.cases.listed() == []


@virtual
async def test_a_dismissed_refusal_stays_parked_and_can_still_be_retried(tmp_path: Path) -> None:
    """Dismissing a refused write says that nothing is written any more, and retry takes it back."""
    async with served(tmp_path) as daemon:
        case = await refused_write(daemon)
        _, out, _ = await ctl(daemon, "exceptions", "dismiss", str(case), "--reason", "sold out for good")
        assert f"archsyncctl exceptions retry {case}" in out
        assert (await daemon.store.outbox.rows([KEY]))[KEY].parked == "stock_update_failed"
        assert (await ctl(daemon, "exceptions", "retry", str(case)))[0] == 0
        assert (await daemon.store.outbox.rows([KEY]))[KEY].parked is None


@virtual
async def test_retry_of_an_unknown_sku_has_it_looked_up_again(tmp_path: Path) -> None:
    """The key is no longer parked, the base keeper is woken, and a new case opens if the product is still missing."""
    async with served(tmp_path) as daemon:
        await daemon.level("ABC-1", 5)
        await daemon.store.outbox.book_lookups([], (), [unsold(KEY, 5)], daemon.settle_rules())
        (case,) = await daemon.store.cases.listed(kind="sku_not_found")
        daemon.shared.bases.clear()
        code, _, _ = await ctl(daemon, "exceptions", "retry", str(case.id))
        assert code == 0
        assert daemon.shared.bases.is_set()
        assert (await daemon.store.outbox.rows([KEY]))[KEY].parked is None
        await daemon.store.outbox.book_lookups([], (), [unsold(KEY, 5)], daemon.settle_rules())
        (again,) = await daemon.store.cases.listed(kind="sku_not_found")
        assert again.id != case.id


RETRIED = {
    CaseKind.HELD_LEVEL,
    CaseKind.HELD_RULES,
    CaseKind.RESTOCKABLE_IN_DAYS,
    CaseKind.STOCK_UPDATE_FAILED,
    *AWAITING_ENTRY,
}


@virtual
async def test_retry_of_what_nobody_can_hurry_says_what_happens_by_itself(tmp_path: Path) -> None:
    """Every other kind is answered with exit status 1 and what happens, or is to be done, instead."""
    async with served(tmp_path) as daemon:
        for kind in sorted(set(CaseKind) - RETRIED):
            await daemon.store.cases.open(NewCase(kind, "main", "x", "because"))
        for case in await daemon.store.cases.listed():
            code, out, _ = await ctl(daemon, "exceptions", "retry", str(case.id))
            assert code == 1
            assert out.startswith(f"Nothing to retry for {case.kind.value}: ")
            found = await daemon.store.cases.find(case.id)
            assert found is not None
            assert found.state == "open"


@virtual
async def test_dismiss_needs_a_reason_and_keeps_it(tmp_path: Path) -> None:
    """The reason is required, printable, and stands on the closed case."""
    async with served(tmp_path) as daemon:
        await daemon.store.cases.open(NewCase(CaseKind.DRIFT, CHANNEL, "D", "drift"))
        assert (await ctl(daemon, "exceptions", "dismiss", "1", "--reason", " "))[0] == 1
        assert (await ctl(daemon, "exceptions", "dismiss", "1", "--reason", "a\x1b[0m"))[0] == 1
        assert (await ctl(daemon, "exceptions", "dismiss", "1", "--reason", "counted by hand"))[0] == 0
        case = await ask_json(daemon, "exceptions", "show", "1")
        assert (case["state"], case["note"]) == ("dismissed", "counted by hand")
        assert (await ctl(daemon, "exceptions", "dismiss", "1", "--reason", "again"))[0] == 1


@virtual
async def test_a_held_snapshot_is_approved_by_its_digest_once(tmp_path: Path) -> None:
    """Only the digest that was shown approves; the keeper then applies it, and a second approval changes nothing."""
    async with served(tmp_path) as daemon:
        snapshot = await held_snapshot(daemon)
        code, out, _ = await ctl(daemon, "snapshot", "show", snapshot)
        assert code == 0
        assert "set 4 to zero" in out
        assert "largest   S0 at WH1: 5 to 0\n" in out
        digest = (await ask_json(daemon, "snapshot", "show", snapshot))["digest"]
        assert f"approve {snapshot} --digest {digest}" in out
        code, _, err = await ctl(daemon, "snapshot", "approve", snapshot, "--digest", "0" * 16)
        assert code == 1
        assert "snapshot show" in err
        assert (await ctl(daemon, "snapshot", "approve", snapshot, "--digest", digest))[0] == 0
        await daemon.keeper.apply_all()
        assert (await daemon.store.outbox.rows([StockKey(CHANNEL, "S1")]))[StockKey(CHANNEL, "S1")].f == 0
        code, out, _ = await ctl(daemon, "snapshot", "approve", snapshot, "--digest", digest)
        assert code == 0
        assert "approved already" in out
        assert snapshot in (await ctl(daemon, "snapshot", "list"))[1]


@virtual
async def test_a_rejected_snapshot_publishes_nothing(tmp_path: Path) -> None:
    """Rejecting keeps every figure and closes the case; a held snapshot cannot be dismissed around that."""
    async with served(tmp_path) as daemon:
        snapshot = await held_snapshot(daemon)
        (case,) = await daemon.store.cases.listed(kind="held_snapshot")
        code, _, err = await ctl(daemon, "exceptions", "dismiss", str(case.id), "--reason", "no")
        assert code == 1
        assert f"snapshot reject {snapshot}" in err
        assert (await ctl(daemon, "snapshot", "reject", snapshot, "--reason", "a wrong export"))[0] == 0
        key = StockKey(CHANNEL, "S1")
        assert (await daemon.store.outbox.rows([key]))[key].f == 5
        assert await daemon.store.cases.listed() == []
        assert (await ctl(daemon, "snapshot", "reject", snapshot, "--reason", "again"))[0] == 1
        assert (await ctl(daemon, "snapshot", "show", "nothing"))[0] == 1


@virtual
async def test_channels_and_feeds_are_paused_and_resumed_by_name(tmp_path: Path) -> None:
    """Pausing takes effect in the shared facts, a wrong name is refused with the right ones."""
    async with served(tmp_path) as daemon:
        assert "nothing is written to it" in (await ctl(daemon, "pause", "channel", CHANNEL))[1]
        assert daemon.shared.paused_channels == {CHANNEL}
        assert "it is not read" in (await ctl(daemon, "pause", "feed", "main"))[1]
        assert (await ctl(daemon, "resume", "feed", "main"))[0] == 0
        assert daemon.shared.paused_feeds == set()
        code, _, err = await ctl(daemon, "pause", "feed", "mian")
        assert code == 1
        assert "there is main" in err


@virtual
async def test_a_backup_is_verified_and_never_replaces_a_file(tmp_path: Path) -> None:
    """A bare name lands below the state directory, opens as a store, is for its owner only, and is not overwritten."""
    async with served(tmp_path) as daemon:
        await sold(daemon)
        code, out, _ = await ctl(daemon, "backup", "before.db")
        made = tmp_path / "state/backups/before.db"
        assert code == 0
        assert f"The backup {made}" in out
        assert made.stat().st_mode & 0o777 == 0o600
        copy = sqlite3.connect(made)
        assert copy.execute("SELECT x_applied FROM outbox").fetchall() == [(15,)]
        copy.close()
        code, _, err = await ctl(daemon, "backup", "before.db")
        assert code == 1
        assert "exists already" in err
        assert [each.name for each in made.parent.iterdir()] == ["before.db"]


@pytest.mark.parametrize(
    "name", ["{outside}/x.db", "../../x.db", "{state}/../x.db", "{state}/archsyncd.db", "{link}/x.db"]
)
def test_a_backup_opens_no_path_outside_the_state_directory(tmp_path: Path, name: str) -> None:
    """Neither a path elsewhere, nor one that climbs or follows a link out, nor the database itself is written."""

    @virtual
    async def check() -> None:
        outside = tmp_path / "outside"
        outside.mkdir()
        async with served(tmp_path) as daemon:
            state = daemon.settings.daemon.state_dir
            (state / "link").symlink_to(outside)
            wanted = name.format(outside=outside, state=state, link=state / "link")
            code, _, err = await ctl(daemon, "backup", wanted)
            assert code == 1
            assert "below" in err or "exists already" in err
            assert list(outside.iterdir()) == []

    check()


@virtual
async def test_a_reload_tells_what_needs_a_restart_and_refuses_faults(tmp_path: Path) -> None:
    """The paths that need a restart are named; a faulty configuration is told whole and stays out of force."""
    async with served(tmp_path) as daemon:
        daemon.reloading = lambda: ["commercetools.region"]
        assert "commercetools.region" in (await ctl(daemon, "reload"))[1]

        def refuse() -> list[str]:
            raise ConfigurationFaults([Fault("config.toml", "drain.x", 3, 1, None, "is unknown")])

        daemon.reloading = refuse
        code, _, err = await ctl(daemon, "reload")
        assert code == 64
        assert "config.toml:3:1: drain.x: is unknown" in err


async def test_watch_repeats_the_status(tmp_path: Path) -> None:
    """`watch --count` shows that many statuses and ends; as JSON one object a line."""
    async with served(tmp_path, clock=HastyClock()) as daemon:
        _, out, _ = await ctl(daemon, "watch", "--count", "3", "--json")
        assert [json.loads(line)["verdict"] for line in out.splitlines()] == ["healthy"] * 3
        _, out, _ = await ctl(daemon, "watch", "--count", "2")
        assert out.count("healthy: ") == 2


async def test_a_daemon_that_closes_in_the_middle_is_not_reachable(tmp_path: Path) -> None:
    """When the daemon stops while it is watched, the tool ends with 3 and says so."""
    async with served(tmp_path, clock=HastyClock()) as daemon:
        watching = asyncio.create_task(ctl(daemon, "watch"))
        await daemon.clock.sleep(20)
        assert not watching.done()
    code, _, err = await watching
    assert code == 3
    assert "closed the connection" in err


def test_without_a_daemon_the_exit_status_is_3(tmp_path: Path) -> None:
    """Nobody listening is told with what to try next, also as JSON."""
    out, err = io.StringIO(), io.StringIO()
    assert main(["status", "--check", "--json", "--socket", str(tmp_path / "none")], out, err) == 3
    assert "systemctl status archsyncd" in err.getvalue()
    assert json.loads(out.getvalue())["code"] == 3


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["statsu"], "did you mean status?"),
        (["exceptions", "lst"], "did you mean list?"),
        (["exceptions", "dismiss", "1"], "--reason"),
        (["exceptions", "show", "one"], "invalid int"),
        ([], "VERB"),
    ],
)
def test_a_wrong_command_line_ends_with_64(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mistyped verb or a missing option ends with 64, a guess and the way to the help."""
    with pytest.raises(SystemExit) as end:
        main(arguments)
    said = capsys.readouterr().err
    assert end.value.code == 64
    assert told in said
    assert "--help" in said


class Stopped(io.StringIO):
    """An output during which somebody presses Ctrl-C."""

    def write(self, _text: str, /) -> int:
        raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("arguments", "code"), [(("explain", "idle"), 130), (("status",), 130), (("watch",), 0)]
)
@virtual
async def test_what_was_stopped_is_not_told_as_done(
    tmp_path: Path, arguments: tuple[str, ...], code: int
) -> None:
    """Ctrl-C ends with 130 as in any shell; only watching has no other end."""
    async with served(tmp_path) as daemon:
        where = (
            ("--socket", str(daemon.settings.daemon.control_socket))
            if code == 0 or "status" in arguments
            else ()
        )
        assert await asyncio.to_thread(main, [*arguments, *where], Stopped(), io.StringIO()) == code


def test_help_documents_the_exit_statuses(capsys: pytest.CaptureFixture[str]) -> None:
    """The help of the tool and of every verb lists what each exit status means."""
    for arguments in (["--help"], ["status", "--help"], ["exceptions", "retry", "--help"]):
        with pytest.raises(SystemExit) as end:
            main(arguments)
        assert end.value.code == 0
        told = capsys.readouterr().out
        assert "the daemon is not reachable" in told
        assert "130 stopped with Ctrl-C" in told


@virtual
async def test_json_answers_have_exactly_the_documented_fields(tmp_path: Path) -> None:
    """For every verb the fields that its help lists are those it answers with."""
    async with served(tmp_path) as daemon:
        await sold(daemon)
        await held_level(daemon)
        snapshot = await held_snapshot(daemon)
        for verb in ("status", "plan", "backlog", "reload", "samples"):
            assert set(await ask_json(daemon, verb)) == set(fields_of(verb)), verb
        for verb, about in (("sku", "ABC-1"), ("backup", "x.db")):
            assert set(await ask_json(daemon, verb, about)) == set(fields_of(verb)), verb
        for act, words in (("list", ()), ("show", ("1",)), ("retry", ("1",))):
            answer = await ask_json(daemon, "exceptions", act, *words)
            assert set(answer) == set(fields_of(f"exceptions.{act}")), act
        rejected = ["reject", snapshot, "--reason", "x"]
        for act, *more in (["list"], ["show", snapshot], rejected, ["show", snapshot]):
            answer = await ask_json(daemon, "snapshot", act, *more)
            assert set(answer) == set(fields_of(f"snapshot.{act}")), act
        for given in ("--dry-run --no-wait", "--show"):
            assert set(await ask_json(daemon, "reconcile", *given.split())) == set(fields_of("reconcile"))
        status = await ask_json(daemon, "status")
        for name in ("feeds", "exceptions", "waiting"):
            told = FIELDS["status"][name].strip("[]").split(", ")
            assert all(set(row) == set(told) for row in status[name]), name
        for name in ("requests", "orders", "keys", "paused"):
            assert set(status[name]) == set(FIELDS["status"][name].split(", ")), name


def test_importing_the_tool_loads_nothing_heavy() -> None:
    """The tool starts without the event loop, the libraries of the daemon, the database or rich."""
    heavy = {"aiohttp", "aiosqlite", "asyncio", "orjson", "rich", "sqlite3", "uvloop", "archsyncd.domain"}
    code = f"import sys, archsyncd.operator.ctl; print(sorted({heavy!r} & set(sys.modules)))"
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30
    )
    assert found.stdout.strip() == "[]"


class Terminal(io.StringIO):
    """An output that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_table_on_a_terminal_shows_hostile_text_harmlessly() -> None:
    """With rich, neither escape sequences nor rich's own markup in a cell do anything."""
    out = Terminal()
    Table([("name", LEFT)], [["[red]x[/red]\x1b[2J"]]).write(out)
    assert "[red]x[/red]" in out.getvalue()
    assert "\\x1b[2J" in out.getvalue()
    assert "\x1b[2J" not in out.getvalue()


def test_a_request_too_long_to_send_is_refused_here(tmp_path: Path) -> None:
    """A SKU beyond the line limit never reaches the socket."""
    with pytest.raises(Refusal, match="longer than 64 KiB"):
        request_line("sku", {"sku": "x" * 70_000, "at": str(tmp_path)})

"""Mutes, acknowledgements, trials, the list of messages and of actions: what people ask for with archsyncctl."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from archsyncd.announce import status_line
from archsyncd.domain.cases import CaseKind, NewCase
from archsyncd.domain.health import Facts, OpenCases, judge
from archsyncd.operator.client import Client, asker
from archsyncd.operator.commands import CHANGING, Commands
from archsyncd.operator.fields import fields_of
from tests.operator.alarm import Alarm, Box, known, unknown
from tests.operator.daemon import SmallDaemon, ask_json, ctl, served, small_daemon
from tests.support.virtual_time import virtual

REASON = ("--reason", "the new range comes at noon")


async def mute(daemon: SmallDaemon, *more: str) -> str:
    """Mute unknown SKUs for two hours; what is said."""
    code, out, err = await ctl(daemon, "mute", "sku_not_found", "--for", "2h", *REASON, *more)
    assert code == 0, err
    return out


async def test_what_is_muted_counts_nowhere_and_is_shown_with_its_end_and_who(tmp_path: Path) -> None:
    """Verdict, its exit status, STATUS= and the messages; the list shows it, and so does the status."""
    async with served(tmp_path) as daemon:
        alarm = Alarm(daemon)
        await unknown(daemon, "A1")
        assert (await ctl(daemon, "status", "--check"))[0] == 1
        said = await mute(daemon)
        until = said.partition("is muted until ")[2].partition(" ")[0]
        code, out, _ = await ctl(daemon, "status", "--check")
        assert code == 0
        assert out.startswith("healthy: everything that was told is published (1 muted)\n")
        assert f"muted     1 open sku_not_found (owner data) (until {until}" in out
        (told,) = (await ask_json(daemon, "status"))["muted"]
        assert (told["code"], told["kind"], told["reason"]) == ("sku_not_found", "mute", REASON[1])
        assert "uid" in told["by"]
        look = await daemon.desk.lookout.look()
        line = status_line(look, daemon.shared.notes, daemon.clock.wall_ms(), throttled=False)
        assert line.startswith("in step: ")
        assert line.endswith("; 0 exceptions")
        for _ in range(5):
            await alarm.lookout.look()
        assert alarm.told == []
        _, out, _ = await ctl(daemon, "mutes")
        assert "sku_not_found" in out
        assert "2 h" in out or "120 min" in out


async def test_a_mute_of_one_subject_leaves_the_others_counting(tmp_path: Path) -> None:
    """The rest is counted without it."""
    async with served(tmp_path) as daemon:
        await unknown(daemon, "A1", "B2")
        await mute(daemon, "--subject", "A1")
        status = await ask_json(daemon, "status")
        assert [reason["says"] for reason in status["reasons"]] == ["1 open sku_not_found (owner data)"]
        assert [each["subject"] for each in status["muted"]] == ["A1"]
        await known(daemon, "B2")
        await mute(daemon, "--subject", "A1")
        assert (await ask_json(daemon, "status"))["verdict"] == "healthy"


@virtual
async def test_a_mute_ends_when_there_is_much_more_of_it_and_that_is_told(tmp_path: Path) -> None:
    """Who muted one unknown SKU did not mean a hundred."""
    async with small_daemon(tmp_path) as daemon:
        alarm, commands = Alarm(daemon), Commands(daemon)
        await unknown(daemon, "A1")
        about = {"code": "sku_not_found", "for_seconds": 7200, "reason": "known"}
        await commands.answer("mute", about, "anna")
        assert await alarm.last(2) == []
        await unknown(daemon, *(f"S{number}" for number in range(20)))
        (message,) = await alarm.last(1)
        assert await daemon.store.mutes.holding() == ()
        assert (await commands.answer("status", {}))["verdict"] == "degraded"
        assert "there are 21 by now, and 1 when it was muted" in message.remark


@virtual
async def test_an_acknowledgement_ends_with_its_cause_and_the_next_time_is_told(tmp_path: Path) -> None:
    """It re-arms itself; a moment without the cause does not."""
    async with small_daemon(tmp_path) as daemon:
        alarm, commands = Alarm(daemon), Commands(daemon)
        await unknown(daemon, "A1")
        await alarm.last(1)
        await commands.answer("ack", {"code": "sku_not_found", "reason": "seen"}, "anna (uid 1000)")
        assert await alarm.last(30, 30) == []
        await known(daemon, "A1")
        await alarm.last(0.5)
        assert len(await daemon.store.mutes.holding()) == 1
        await alarm.last(1)
        assert await daemon.store.mutes.holding() == ()
        await unknown(daemon, "A1")
        assert [message.kind.value for message in await alarm.last(40, 30)] == ["began"]


async def test_what_is_not_there_cannot_be_acknowledged_but_muted_beforehand(tmp_path: Path) -> None:
    """An announced outage; its figures are taken when it comes, and count from then on."""
    async with served(tmp_path) as daemon:
        code, _, err = await ctl(daemon, "ack", "sku_not_found")
        assert (code, "There is no sku_not_found now" in err) == (1, True)
        await mute(daemon)
        await unknown(daemon, *(f"S{number}" for number in range(30)))
        await Alarm(daemon).lookout.look()
        (held,) = await daemon.store.mutes.holding()
        assert (held.level, held.count) == (1, 30)


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("mute", "sku_not_fond", "--for", "2h", *REASON), 64, "Did you mean sku_not_found?"),
        (("mute", "store_broken", "--for", "2h", *REASON), 1, "cannot be muted"),
        (("mute", "drift", "--for", "8d", *REASON), 64, "in 7 days at the latest"),
        (("mute", "drift", "--for", "30s", *REASON), 64, "in a minute at the earliest"),
        (("mute", "drift", "--until", "tomorrow", *REASON), 64, "takes a time like"),
        (("mute", "drift", "--until", "2025-01-01T00:00:00Z", *REASON), 64, "A mute must end"),
        (("mute", "drift", "--for", "2h", "--reason", "a\nb"), 64, "printable"),
        (("mute", "feed_stale", "--subject", "mian", "--for", "2h", *REASON), 1, "no feed 'mian' that"),
        (("mute", "stale_feed", "--subject", "mian", "--for", "2h", *REASON), 1, "there is main"),
        (("mute", "channel_paused", "--subject", "x", "--for", "2h", *REASON), 1, "there is warehouse-1"),
        (("unmute", "drift"), 1, ""),
        (("alerts", "test"), 1, "No way is configured"),
        (("alerts", "test", "--way", "email"), 1, "The way email is not configured"),
    ],
)
async def test_what_cannot_be_is_refused_with_a_reason(
    tmp_path: Path, arguments: tuple[str, ...], code: int, told: str
) -> None:
    """And changes nothing."""
    async with served(tmp_path) as daemon:
        found, _, err = await ctl(daemon, *arguments)
        assert (found, told in err) == (code, True), err
        assert await daemon.store.mutes.holding() == ()


async def test_a_mute_of_one_silent_feed_covers_its_case_too(tmp_path: Path) -> None:
    """Nothing of an announced outage of the source is left in the verdict."""
    async with served(tmp_path) as daemon:
        daemon.freshness.verdicts["main"] = "stale"
        await daemon.store.cases.open(NewCase(CaseKind.STALE_FEED, "main", "main", "silent"))
        assert (await ctl(daemon, "status", "--check"))[0] == 2
        assert (await ctl(daemon, "ack", "feed_stale", "--subject", "main"))[0] == 0
        status = await ask_json(daemon, "status")
        assert (status["verdict"], status["reasons"]) == ("healthy", [])
        assert [each["code"] for each in status["muted"]] == ["feed_stale"]


async def test_a_mute_may_be_ended_and_its_end_may_be_a_time_of_any_zone(tmp_path: Path) -> None:
    """It counts again at once."""
    async with served(tmp_path) as daemon:
        await unknown(daemon, "A1")
        until = "2026-01-02T01:00:00+02:00"
        assert (await ctl(daemon, "mute", "sku_not_found", "--until", until, *REASON))[0] == 0
        (row,) = (await ask_json(daemon, "mutes"))["rows"]
        assert row["until"] == "2026-01-01T23:00:00.000Z"
        assert (await ctl(daemon, "unmute", "sku_not_found"))[:2] == (
            0,
            "sku_not_found counts and is told again.\n",
        )
        assert (await ctl(daemon, "status", "--check"))[0] == 1


async def test_a_trial_goes_by_every_way_now_and_says_what_came_of_each(tmp_path: Path) -> None:
    """One that fails makes the exit status 1 and does not keep the others from being tried."""
    async with served(tmp_path) as daemon:
        boxes = {
            "webhook": Box("hooks.test"),
            "command": Box("/usr/local/bin/page", dead="ended with status 3"),
        }
        daemon.alert_ways = dict(boxes)
        code, out, _ = await ctl(daemon, "alerts", "test")
        assert code == 1
        assert "ended with status 3" in out
        assert "It did not go by command." in out
        assert boxes["webhook"].kinds == ["test"]
        assert (await ctl(daemon, "alerts", "test", "--way", "webhook"))[0] == 0


async def test_the_list_shows_each_message_and_what_became_of_it(tmp_path: Path) -> None:
    """By each way, with the reason of one that is not delivered."""
    async with served(tmp_path) as daemon:
        boxes = {"webhook": Box(), "email": Box(dead="no connection")}
        daemon.alert_ways = dict(boxes)
        alarm = Alarm(daemon)
        await unknown(daemon, "A1\x1b[2J")
        await alarm.lookout.look()
        daemon.clock.jump_wall(60)
        await alarm.lookout.look()
        await alarm.senders["webhook"].turn()
        await alarm.senders["email"].turn()
        _, out, _ = await ctl(daemon, "alerts", "list")
        assert "email waiting (no connection), webhook delivered" in out
        assert "\x1b" not in out
        (row,) = (await ask_json(daemon, "alerts", "list"))["rows"]
        assert [way["state"] for way in row["deliveries"]] == ["waiting", "delivered"]


async def test_who_did_what_is_kept_with_what_came_of_it(tmp_path: Path) -> None:
    """Done, nothing, refused; who is as they say, and looks are not kept."""
    async with served(tmp_path) as daemon:
        await mute(daemon)
        await ctl(daemon, "resume", "feed", "main")
        await ctl(daemon, "pause", "feed", "other")
        await ctl(daemon, "status")
        _, out, _ = await ctl(daemon, "actions")
        assert "who (as told)" in out
        rows = (await ask_json(daemon, "actions"))["rows"]
        assert [(row["verb"], row["outcome"]) for row in rows] == [
            ("pause", "refused"),
            ("resume", "nothing"),
            ("mute", "done"),
        ]
        assert all("uid" in row["who"] for row in rows)
        assert "the new range" in rows[2]["arguments"]
        await asyncio.to_thread(nameless, str(daemon.settings.daemon.control_socket))
        assert (await ask_json(daemon, "actions", "--limit", "1"))["rows"][0]["who"] is None


async def test_a_bulk_act_is_kept_with_its_list_its_reason_and_how_much_of_it_was_done(
    tmp_path: Path,
) -> None:
    """However many cases there are: what matters comes first, and the numbers as far as there is room."""
    async with served(tmp_path) as daemon:
        await unknown(daemon, *(f"S{number}" for number in range(60)))
        kind, reason = ("--kind", "sku_not_found"), "the range was cancelled by purchasing"
        digest = (await ask_json(daemon, "exceptions", "list", *kind))["digest"]
        shown = ("--shown", digest, "--reason", reason)
        assert (await ctl(daemon, "exceptions", "dismiss", *kind, *shown))[0] == 0
        (row,) = (await ask_json(daemon, "actions"))["rows"]
        assert (row["verb"], row["outcome"], row["says"]) == ("exceptions.bulk", "done", "60 of 60 dismissed")
        kept, _ = json.JSONDecoder().raw_decode(row["arguments"])
        assert kept == {"act": "dismiss", "kind": kind[1], "shown": digest, "reason": reason, "cases": 60}
        assert len(row["arguments"]) <= 1_000
        await ctl(daemon, "exceptions", "retry", "901", "902")
        (row,) = (await ask_json(daemon, "actions", "--limit", "1"))["rows"]
        assert (row["outcome"], row["says"]) == ("nothing", "0 of 2 tried again")
        assert '"cases": 2} {"cases": [[901], [902]]}' in row["arguments"]


def nameless(path: str) -> None:
    """Ask without saying who."""
    with Client(path, by="") as client:
        client.ask("resume", {"what": "feed", "name": "main"})


def test_who_asks_is_the_one_behind_sudo() -> None:
    """Printable and short, whatever the environment holds."""
    assert asker({"SUDO_USER": "anna", "USER": "root"}, 0) == "anna (uid 0)"
    assert asker({"USER": "ben\x1b[2J" + "x" * 200}, 7).isprintable()
    assert len(asker({"USER": "x" * 200}, 7)) < 128
    assert asker({}, 7) == "uid 7"


async def test_json_answers_have_exactly_the_documented_fields_and_all_verbs_say_who_changes(
    tmp_path: Path,
) -> None:
    """Programs rest on these names."""
    async with served(tmp_path) as daemon:
        daemon.alert_ways = {"webhook": Box()}
        await unknown(daemon, "A1")
        for verb in (
            ("ack", "sku_not_found"),
            ("mute", "drift", "--for", "1h", *REASON),
            ("mutes",),
            ("unmute", "drift"),
            ("alerts", "test"),
            ("alerts", "list"),
            ("actions",),
        ):
            name = ".".join(verb[:2]) if verb[0] == "alerts" else verb[0]
            assert set(await ask_json(daemon, *verb)) == set(fields_of(name)), verb
    assert {"mute", "ack", "unmute", "alerts.test"} <= CHANGING


def test_a_kind_whose_cases_are_all_muted_by_subject_is_no_cause() -> None:
    """Nothing is left to count."""
    cases = OpenCases("drift", "warning", "data", 1, 1, 1.0, 60.0, "look", (("A", 1, 1.0),))
    assert [(reason.subject, reason.count) for reason in judge(Facts(cases=(cases,))).reasons] == [("A", 1)]

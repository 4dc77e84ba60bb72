"""From what is wrong in a daemon to what people get: durable, at least once, each way by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from pathlib import Path
from typing import Any, cast

import pytest

from archsyncd.adapters.sqlite.store import SqliteStore
from archsyncd.domain.alerting import AlertRules, Decided, Message
from archsyncd.domain.cases import FOLD_LIMIT_CASES, CaseKind, NewCase
from archsyncd.domain.tenure import Tenure
from archsyncd.engine.alerting import GIVE_UP_MS, Lookout, Seen, Sender
from archsyncd.engine.alerts import Letter, WayFault
from archsyncd.engine.ports import FencedOff, StoreBroken, StoreFull
from archsyncd.engine.store import Store
from archsyncd.operator.commands import Commands
from archsyncd.operator.observing import Observer
from tests.operator.alarm import Alarm, Box, known, unknown
from tests.operator.daemon import LEDGER, SmallDaemon, break_store, small_daemon
from tests.support.virtual_time import virtual

ESCALATING = (
    '[owners]\nsku_not_found = { team = "data", escalate_minutes = 10, escalate_to = "head of data" }\n'
)


def boxed(daemon: SmallDaemon, *names: str) -> dict[str, Box]:
    """Ways that keep what they are given."""
    boxes = {name: Box() for name in names or ("webhook",)}
    daemon.alert_ways = dict(boxes)
    return boxes


@virtual
async def test_a_case_is_told_with_its_owner_examples_and_command_and_its_end_once(tmp_path: Path) -> None:
    """From the case's row to the webhook, and the recovery after the product has appeared."""
    async with small_daemon(tmp_path) as daemon:
        box = boxed(daemon)["webhook"]
        alarm = Alarm(daemon)
        await unknown(daemon, "A1", "A2")
        await alarm.last(1)
        await alarm.deliver("webhook")
        ((number, message),) = box.got
        assert number == f"msg_{LEDGER}_1"
        assert (message.owner, message.count, set(message.examples)) == ("data", 2, {"A1", "A2"})
        assert message.command == "archsyncctl exceptions list --kind sku_not_found"
        await known(daemon, "A1", "A2")
        await alarm.last(2)
        await alarm.deliver("webhook")
        assert box.kinds == ["began", "over"]


@virtual
async def test_ten_thousand_unknown_skus_are_one_message_and_one_digest_that_counts_them_all(
    tmp_path: Path,
) -> None:
    """Beyond a thousand they fold into one case, which is counted for what it stands for."""
    async with small_daemon(tmp_path) as daemon:
        box = boxed(daemon)["webhook"]
        alarm = Alarm(daemon)
        await unknown(daemon, *(f"S{number}" for number in range(500)))
        await alarm.last(1)
        await unknown(daemon, *(f"S{number}" for number in range(500, FOLD_LIMIT_CASES + 700)))
        await alarm.last(58, 60)
        await alarm.deliver("webhook")
        assert [(message.kind.value, message.count) for _, message in box.got] == [
            ("began", 500),
            ("digest", FOLD_LIMIT_CASES + 700),
        ]


@virtual
async def test_what_was_to_be_told_when_the_process_ended_is_told_by_the_next_and_nothing_twice(
    tmp_path: Path,
) -> None:
    """Before the message was written, after it, and after it went."""
    async with small_daemon(tmp_path) as daemon:
        box = boxed(daemon)["webhook"]
        await unknown(daemon, "A1")
        await Alarm(daemon).last(0.4)
        assert len(await Alarm(daemon).last(0.5)) == 1
        assert box.got == []
        await Alarm(daemon).last(0.5)
        await Alarm(daemon).deliver("webhook")
        await Alarm(daemon).last(0.5)
        await Alarm(daemon).deliver("webhook")
        assert box.kinds == ["began"]


@virtual
async def test_an_open_case_is_escalated_once_to_whoever_is_named(tmp_path: Path) -> None:
    """And the next one that stays open too long once more."""
    async with small_daemon(tmp_path, ESCALATING) as daemon:
        alarm = Alarm(daemon)
        await unknown(daemon, "A1")
        told = await alarm.last(50, 30)
        assert [(one.kind.value, one.owner) for one in told] == [
            ("began", "data"),
            ("escalated", "head of data"),
        ]
        await unknown(daemon, "A2")
        told = await alarm.last(60, 30)
        assert [one.kind.value for one in told] == ["escalated"]


@virtual
async def test_what_is_muted_by_itself_is_neither_escalated_nor_an_example_nor_new(tmp_path: Path) -> None:
    """One SKU of a kind is muted: the message tells of the rest alone."""
    async with small_daemon(tmp_path, ESCALATING) as daemon:
        alarm, commands = Alarm(daemon), Commands(daemon)
        await unknown(daemon, "A1")
        about = {"code": "sku_not_found", "subject": "A1", "for_seconds": 86_400, "reason": "known"}
        await commands.answer("mute", about, "anna")
        assert await alarm.last(20, 30) == []
        await unknown(daemon, "B2")
        (message,) = await alarm.last(3)
        assert (message.kind.value, message.count, message.examples) == ("began", 1, ("B2",))
        await known(daemon, "A1")
        await unknown(daemon, "A1")
        assert [each.kind.value for each in await alarm.last(6, 30)] == []


@virtual
async def test_a_mute_is_set_with_what_is_folded_and_with_all_feeds_that_it_covers(tmp_path: Path) -> None:
    """The figures that it is compared with later."""
    async with small_daemon(tmp_path) as daemon:
        commands = Commands(daemon)
        await unknown(daemon, *(f"S{number}" for number in range(FOLD_LIMIT_CASES + 700)))
        await commands.answer("mute", {"code": "sku_not_found", "for_seconds": 7200, "reason": "known"}, "a")
        (mute,) = await daemon.store.mutes.holding()
        assert mute.count == FOLD_LIMIT_CASES + 700


@virtual
async def test_a_failing_way_is_noted_tried_again_and_holds_no_other(tmp_path: Path) -> None:
    """The mail server is away; the webhook is not. The note goes when it is back."""
    async with small_daemon(tmp_path) as daemon:
        boxes = boxed(daemon, "webhook", "email")
        boxes["email"].faults = ["no connection", "no connection"]
        alarm = Alarm(daemon)
        await unknown(daemon, "A1")
        await alarm.last(1)
        await alarm.deliver("email", 1)
        await alarm.deliver("webhook", 1)
        assert boxes["webhook"].kinds == ["began"]
        assert daemon.shared.notes["alerts by email"] == "no connection; it is tried again"
        await alarm.deliver("email", 8)
        assert boxes["email"].kinds == ["began"]
        assert boxes["email"].tried == 3
        assert "alerts by email" not in daemon.shared.notes
        (row,) = await daemon.store.alerts.listed(10)
        assert [(way["way"], way["state"], way["attempts"]) for way in row["deliveries"]] == [
            ("email", "delivered", 3),
            ("webhook", "delivered", 1),
        ]


@virtual
async def test_where_a_failing_way_leads_stands_in_no_note(tmp_path: Path) -> None:
    """Notes are on the page and in the status, and it may be somebody's address."""
    async with small_daemon(tmp_path) as daemon:
        box = Box(target="anna@example.com", dead="answers 500")
        daemon.alert_ways = {"email": box}
        alarm = Alarm(daemon)
        await unknown(daemon, "A1")
        await alarm.last(1)
        await alarm.deliver("email", 1)
        assert "answers 500" in daemon.shared.notes["alerts by email"]
        assert "anna" not in str(daemon.shared.notes)


@virtual
async def test_a_way_that_stays_dead_is_tried_ever_more_rarely_and_given_up_after_a_day(
    tmp_path: Path,
) -> None:
    """What was given up stands in the list with the reason; nothing piles up."""
    async with small_daemon(tmp_path) as daemon:
        box = boxed(daemon)["webhook"]
        box.dead = "answers 500"
        alarm = Alarm(daemon)
        await unknown(daemon, "A1")
        await alarm.last(1)
        first = daemon.clock.monotonic()
        while daemon.clock.monotonic() - first < GIVE_UP_MS / 1000 + 60:
            await alarm.deliver("webhook", 1)
        assert 100 < box.tried < 300
        (row,) = await daemon.store.alerts.listed(10)
        (way,) = row["deliveries"]
        assert way["state"] == "dropped"
        assert way["says"] == "given up, it has waited for too long: answers 500"
        assert await daemon.store.alerts.waiting("webhook") == (0, 0)


@virtual
async def test_no_more_than_a_bounded_number_waits_the_newest_stay(tmp_path: Path) -> None:
    """However many causes come while a way is dead."""
    async with small_daemon(tmp_path) as daemon:
        box = boxed(daemon)["webhook"]
        box.dead = "answers 500"
        alarm = Alarm(daemon)
        for _ in range(3):
            await unknown(daemon, "A1")
            await alarm.last(2, 30)
            await known(daemon, "A1")
            await alarm.last(2, 30)
            await daemon.clock.sleep(3_600)
        assert (await daemon.store.alerts.waiting("webhook"))[0] == 6
        await daemon.store.alerts.give_up("webhook", GIVE_UP_MS, 2)
        assert (await daemon.store.alerts.waiting("webhook"))[0] == 2
        states = [row["deliveries"][0]["state"] for row in await daemon.store.alerts.listed(5)]
        assert states[:2] == ["waiting", "waiting"]
        assert set(states[2:]) == {"dropped"}


@virtual
async def test_what_waits_for_a_way_that_is_not_configured_any_more_is_given_up(tmp_path: Path) -> None:
    """A reload took it away; if it comes back, it begins with what comes then."""
    async with small_daemon(tmp_path) as daemon:
        boxed(daemon)["webhook"].dead = "answers 500"
        alarm = Alarm(daemon)
        await unknown(daemon, "A1")
        await alarm.last(1)
        await alarm.deliver("webhook", 1)
        alarm.ways.clear()
        await alarm.deliver("webhook", 1)
        assert daemon.shared.notes == {}
        assert (await daemon.store.alerts.waiting("webhook"))[0] == 0


@virtual
async def test_a_broken_message_does_not_hold_those_behind_it(tmp_path: Path) -> None:
    """A refused message is put off; the next one gets its turn."""

    class Picky(Box):
        async def send(self, number: str, message: Message) -> str:
            if "feed" in message.code:
                raise WayFault("answers 400")
            return await super().send(number, message)

    async with small_daemon(tmp_path) as daemon:
        box = Picky()
        daemon.alert_ways = {"webhook": box}
        alarm = Alarm(daemon)
        daemon.shared.paused_feeds.add("main")
        await alarm.last(1)
        await unknown(daemon, "A1")
        await alarm.last(1)
        await alarm.deliver("webhook", 6)
        assert [message.code for _, message in box.got] == ["sku_not_found"]


@virtual
async def test_a_feed_that_falls_silent_is_one_cause_from_late_to_stale(tmp_path: Path) -> None:
    """Late, stale, the case of it, and back: three messages."""
    async with small_daemon(tmp_path) as daemon:
        alarm = Alarm(daemon)
        daemon.freshness.verdicts["main"] = "late"
        await alarm.last(1)
        daemon.freshness.verdicts["main"] = "stale"
        await alarm.last(1)
        daemon.freshness.verdicts["main"] = "fresh"
        await alarm.last(1)
        assert [(one.kind.value, one.level) for one in alarm.told] == [
            ("began", 1),
            ("worse", 2),
            ("over", 0),
        ]


@virtual
async def test_a_restart_tells_of_nothing_that_it_is_over_before_that_can_be_known(tmp_path: Path) -> None:
    """A feed that is silent, its case, and orders that are not known: told once, whatever restarts."""
    async with small_daemon(tmp_path) as daemon:
        alarm = Alarm(daemon)
        daemon.freshness.verdicts["main"] = "stale"
        await daemon.store.cases.open(NewCase(CaseKind.STALE_FEED, "main", "main", "silent"))
        await alarm.last(1)
        daemon.started_monotonic = daemon.clock.monotonic()
        daemon.freshness.verdicts["main"] = "fresh"
        assert await Alarm(daemon).last(1) == []
        daemon.freshness.verdicts["main"] = "late"
        assert await Alarm(daemon).last(0.7) == []
        daemon.freshness.verdicts["main"] = "stale"
        assert await Alarm(daemon).last(5) == []
        assert [message.code for message in alarm.told] == ["feed_stale"]


class Crowded:
    """A store in which for a while there is no room to note what went."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store
        self.alerts = self
        self.full = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store.alerts, name)

    async def settle(self, letter: Letter, way: str, state: str, says: str) -> None:
        if self.full:
            raise StoreFull("no room")
        await self._store.alerts.settle(letter, way, state, says)


@virtual
async def test_what_went_goes_no_second_time_while_the_disk_is_full(tmp_path: Path) -> None:
    """That it went cannot be noted; people must not pay for that every ten seconds."""
    async with small_daemon(tmp_path) as daemon:
        box = boxed(daemon)["webhook"]
        alarm = Alarm(daemon)
        await unknown(daemon, "A1")
        await alarm.last(1)
        crowded = Crowded(daemon.store)
        sender = Sender(
            "webhook",
            cast("Store", crowded),
            daemon.shared,
            lambda: box,
            lambda: "l",
            lambda: 0.5,
            lambda: None,
        )
        for _ in range(3):
            with pytest.raises(StoreFull):
                await sender.turn()
        crowded.full = False
        await sender.turn()
        assert box.tried == 1
        assert (await daemon.store.alerts.waiting("webhook"))[0] == 0


@virtual
async def test_what_cannot_be_kept_for_lack_of_room_is_in_the_journal_at_once_and_once(
    tmp_path: Path,
) -> None:
    """A full disk keeps every message from going out; it is sent when there is room, and not told twice."""

    class Roomless(Crowded):
        async def book(self, decided: Decided, ways: Collection[str]) -> int:
            if self.full:
                raise StoreFull("no room")
            return await self._store.alerts.book(decided, ways)

    class Roomy:
        """The daemon's store with room for nothing told."""

        def __init__(self, store: SqliteStore) -> None:
            self.alerts = Roomless(store)
            self.mutes = store.mutes

    async with small_daemon(tmp_path) as daemon:
        alarm, store = Alarm(daemon), Roomy(daemon.store)
        await daemon.level("told", 1)
        await unknown(daemon, "A1")
        look, tell = Observer(daemon).observe, alarm.told.append
        rules = AlertRules(group_seconds=0)
        lookout = Lookout(cast("Store", store), daemon.shared, look, dict, rules, tell, lambda: None)
        for _ in range(3):
            with pytest.raises(StoreFull):
                await lookout.look()
            await daemon.clock.sleep(5)
        assert [message.code for message in alarm.told] == ["sku_not_found"]
        store.alerts.full = False
        await lookout.look()
        assert len(alarm.told) == 1
        assert len(await daemon.store.alerts.listed(10)) == 1


@virtual
async def test_a_fault_of_a_sender_itself_is_noted_and_ends_nothing(tmp_path: Path) -> None:
    """It goes on at the next turn."""
    # The first turn is followed by one at once, for a message has just come.
    faults = [LookupError("nothing there")] * 2

    def ledger() -> str:
        if faults:
            raise faults.pop()
        return LEDGER

    async with small_daemon(tmp_path) as daemon:
        box = boxed(daemon)["webhook"]
        alarm = Alarm(daemon)
        await unknown(daemon, "A1")
        await alarm.last(1)
        sender = Sender(
            "webhook", daemon.store, daemon.shared, lambda: box, ledger, lambda: 0.5, lambda: None
        )
        running = asyncio.create_task(sender.run())
        await daemon.clock.sleep(1)
        assert "LookupError, see the journal" in daemon.shared.notes["alerts by webhook"]
        await daemon.clock.sleep(30)
        assert box.kinds == ["began"]
        assert daemon.shared.notes == {}
        daemon.shared.begin_stop()
        await running


@virtual
async def test_a_fault_of_the_alerts_themselves_is_noted_and_ends_nothing(tmp_path: Path) -> None:
    """Neither one in the look nor one in a way: the stock goes on."""

    class Faulty(Box):
        async def send(self, number: str, message: Message) -> str:
            raise LookupError(number + message.code)

    async def blind(_causes: object) -> Seen:
        raise LookupError("nothing there")

    async with small_daemon(tmp_path) as daemon:
        daemon.alert_ways = {"webhook": Faulty()}
        alarm = Alarm(daemon)
        await unknown(daemon, "A1")
        await alarm.last(1)
        await alarm.deliver("webhook", 1)
        assert daemon.shared.notes["alerts by webhook"] == "LookupError; it is tried again"
        rules, tell = AlertRules(), alarm.told.append
        lookout = Lookout(daemon.store, daemon.shared, blind, dict, rules, tell, lambda: None)
        running = asyncio.create_task(lookout.run())
        await daemon.clock.sleep(60)
        assert daemon.shared.notes["alerts"] == "nobody is told of anything: LookupError, see the journal"
        daemon.shared.begin_stop()
        await running


@virtual
async def test_the_stop_waits_for_no_way_that_hangs(tmp_path: Path) -> None:
    """The next start sends it again."""

    class Hanging(Box):
        async def send(self, number: str, message: Message) -> str:
            await asyncio.Event().wait()
            return f"never {number} {message.code}"

    async with small_daemon(tmp_path) as daemon:
        daemon.alert_ways = {"webhook": Hanging()}
        alarm = Alarm(daemon)
        await unknown(daemon, "A1")
        await alarm.last(1)
        running = asyncio.create_task(alarm.senders["webhook"].run())
        await daemon.clock.sleep(15)
        began = daemon.clock.monotonic()
        daemon.shared.begin_stop()
        await running
        assert daemon.clock.monotonic() - began < 1
        assert (await daemon.store.alerts.waiting("webhook"))[0] == 1


@virtual
async def test_a_store_that_lost_its_tenure_tells_nothing_more(tmp_path: Path) -> None:
    """Another daemon has taken over; it tells."""
    async with small_daemon(tmp_path) as daemon:
        alarm = Alarm(daemon)
        await unknown(daemon, "A1")
        await alarm.last(0.4)
        await daemon.store.saw_tenure(Tenure("other", 9, LEDGER))
        with pytest.raises(FencedOff):
            await alarm.last(1)
        assert alarm.told == []


@virtual
async def test_a_broken_store_is_not_survived_by_the_lookout(tmp_path: Path) -> None:
    """The process ends by it, and systemd starts it again: nothing here hides that."""
    async with small_daemon(tmp_path) as daemon:
        await break_store(daemon)
        alarm = Alarm(daemon)
        with pytest.raises(StoreBroken):
            await alarm.lookout.look()
        assert alarm.told == []

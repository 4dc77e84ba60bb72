"""The verbs that have a source tell something again: records from an earlier place, one SKU's level, a full."""

from __future__ import annotations

import re
from typing import Any

from archsyncd.config.sources import NONE_ACCEPTED
from archsyncd.domain.counting import counted
from archsyncd.domain.times import rfc3339, utc_ms
from archsyncd.engine.ports import Feed, FeedFault
from archsyncd.engine.replaying import Replay
from archsyncd.operator.daemon import Daemon
from archsyncd.operator.protocol import EXIT_USAGE, Arguments, Refusal

CURSOR_LIMIT_CHARACTERS = 4_000
ASKED = "an operator asked for it"
_AGO = re.compile(r"([0-9]{1,5})([mhd])")
_UNIT_MS = {"m": 60_000, "h": 3_600_000, "d": 86_400_000}


class ReplayDesk:
    """Answers `replay` and `snapshot request`."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon

    async def replay(self, arguments: Arguments) -> dict[str, Any]:
        """Read records once more, or one SKU. What is kept already stays as it is: older records never replace newer ones."""
        name = arguments.text("feed")
        place = arguments.text("place", limit=CURSOR_LIMIT_CHARACTERS, default="")
        sku = arguments.text("sku", default="")
        arguments.finish()
        if bool(place) == bool(sku):
            raise Refusal("Say either from where to read again, or which SKU.", EXIT_USAGE)
        feed = self._feed(name)
        return await self._one(feed, sku) if sku else await self._records(feed, place)

    async def request(self, arguments: Arguments) -> dict[str, Any]:
        """Have a feed take a full. A directory can only wait for one."""
        feed = self._feed(arguments.text("feed"))
        arguments.finish()
        if self._directory(feed) is not None:
            raise Refusal(self._of_a_directory(feed, "A full cannot be asked for"))
        self._not_called(feed, "A full cannot be asked for")
        self._not_a_queue(feed, "A full cannot be asked for")
        self._not_paused(feed)
        if (await self._daemon.store.feeds.state(feed.name)).snapshot_due:
            return {"done": False, "says": f"Feed {feed.name} is taking a full already."}
        await self._daemon.store.feeds.needs_snapshot(feed.name, ASKED)
        self._daemon.tails[feed.name].wake()
        says = (
            f"Feed {feed.name} takes a full as soon as its source answers, and reads on behind it. It is judged by the guards as "
            "any other: `archsyncctl snapshot list` shows what became of it."
        )
        return {"done": True, "says": says}

    async def _one(self, feed: Feed, sku: str) -> dict[str, Any]:
        """Ask for one SKU and merge the answer."""
        if not feed.offers_lookup:
            if self._directory(feed) is not None:
                raise Refusal(self._of_a_directory(feed, "One SKU cannot be asked for"))
            self._not_called(feed, "One SKU cannot be asked for")
            self._not_a_queue(feed, "One SKU cannot be asked for")
            raise Refusal(
                f"Feed {feed.name} answers no questions about one SKU: read it from an earlier place "
                f"(--from), or take a full (archsyncctl snapshot request {feed.name})."
            )
        try:
            reading = await feed.read_key(sku)
            outcome = None if reading is None else await self._daemon.store.feeds.record_reading(reading)
        except FeedFault as fault:
            raise Refusal(
                f"{feed.name} cannot tell {sku!r} now: {fault.reason}. Nothing was changed."
            ) from fault
        if reading is None or outcome is None:
            raise Refusal(
                f"Feed {feed.name} offers no reading of one SKU. Take a full: archsyncctl snapshot request {feed.name}"
            )
        self._daemon.shared.work.set()
        self._daemon.shared.bases.set()
        told = counted(len(reading.levels), "level")
        kept = f"{outcome.applied} were new, {outcome.unchanged + outcome.stale} were known"
        bad = (
            f", {outcome.rejected} could not be used (see archsyncctl exceptions list)"
            if outcome.rejected
            else ""
        )
        says = f"{feed.name} told {told} of {sku}: {kept}{bad}. `archsyncctl sku {sku}` shows them."
        return {"done": outcome.applied > 0, "says": says}

    async def _records(self, feed: Feed, place: str) -> dict[str, Any]:
        """Read on from an earlier place."""
        self._must_read(feed)
        if self._directory(feed) is not None:
            raise Refusal(self._of_a_directory(feed, "Files cannot be read again"))
        self._not_called(feed, "Calls cannot be read again")
        self._not_a_queue(feed, "Messages cannot be read again from here")
        if (await self._daemon.store.feeds.state(feed.name)).snapshot_due:
            raise Refusal(
                f"Feed {feed.name} takes a full first, which tells everything anew: there is nothing to read again."
            )
        if self._daemon.tails[feed.name].reads_again:
            raise Refusal(
                f"Feed {feed.name} is being read again already; `archsyncctl status` shows how far it is."
            )
        cursor, since = await self._cursor(feed.name, place)
        replay = Replay(cursor)
        self._daemon.tails[feed.name].replay(replay)
        refused = await replay.answered
        if refused:
            raise Refusal(
                f"Feed {feed.name} was not read again: {refused}. It reads on where it stood. What is there instead: "
                f"--sku SKU, or archsyncctl snapshot request {feed.name}"
            )
        says = (
            f"Feed {feed.name} is read again{since}, beside what is new. Records that are known change nothing. A pause of the "
            "feed or a stop of the daemon ends it; `archsyncctl status` shows how far it is."
        )
        return {"done": True, "says": says}

    async def _cursor(self, name: str, place: str) -> tuple[str, str]:
        """The cursor that is meant, and since when that is."""
        now_ms = self._daemon.clock.wall_ms()
        ago = _AGO.fullmatch(place)
        at_ms = now_ms - int(ago[1]) * _UNIT_MS[ago[2]] if ago else utc_ms(place)
        if at_ms is None:
            return place, " from that cursor"
        feeds = self._daemon.store.feeds
        found = await feeds.place_before(name, at_ms)
        if found is not None:
            return found.checkpoint, f" from where it stood at {rfc3339(found.at_ms)}"
        first = await feeds.first_place(name)
        if first is None:
            raise Refusal(f"No place of feed {name} is remembered yet: give a cursor, or take a full.")
        raise Refusal(
            f"The earliest place of feed {name} that is remembered is of {rfc3339(first.at_ms)}: use that time, or take a full "
            f"(archsyncctl snapshot request {name})."
        )

    def _feed(self, name: str) -> Feed:
        for feed in self._daemon.feeds:
            if feed.name == name:
                return feed
        known = ", ".join(sorted(feed.name for feed in self._daemon.feeds)[:20])
        raise Refusal(f"There is no feed {name!r}; there is {known or 'none'}.")

    def _not_paused(self, feed: Feed) -> None:
        if feed.name in self._daemon.shared.paused_feeds:
            raise Refusal(f"Feed {feed.name} is paused: archsyncctl resume feed {feed.name}")

    def _must_read(self, feed: Feed) -> None:
        self._not_paused(feed)
        if not self._daemon.tails[feed.name].reads:
            # It waits after a failure: an answer might not come for minutes.
            raise Refusal(f"Feed {feed.name} is not read just now; see `archsyncctl status`.")

    def _not_a_queue(self, feed: Feed, lead: str) -> None:
        """A queue answers no questions and keeps its place itself; its partner may be asked."""
        told = self._daemon.settings.feed(feed.name)
        if told.transport != "pubsub":
            return
        ask = (
            f"Ask its partner: archsyncctl snapshot request {told.snapshot_from}"
            if told.snapshot_from != NONE_ACCEPTED
            else "Have Archean send what is wanted, or a snapshot in parts"
        )
        seek = f"gcloud pubsub subscriptions seek {told.subscription} --time=TIME delivers what it retains once more"
        raise Refusal(f"{lead}: feed {feed.name} is the queue {told.subscription}. {ask}; {seek}.")

    def _directory(self, feed: Feed) -> str | None:
        for told in self._daemon.settings.feeds:
            if told.name == feed.name and told.transport == "drop":
                return str(told.directory)
        return None

    def _not_called(self, feed: Feed, lead: str) -> None:
        """Refuse what a source that calls cannot do. Raises Refusal."""
        told = next((one for one in self._daemon.settings.feeds if one.name == feed.name), None)
        if told is None or told.transport != "push":
            return
        partner = next((one.name for one in self._daemon.feeds if one.name == told.snapshot_from), "")
        says = f"{lead}: the source of feed {feed.name} calls us, and cannot be asked. "
        remedy = (
            f"Ask feed {partner}, which stands beside it: archsyncctl replay {partner} --sku SKU, or archsyncctl snapshot "
            f"request {partner}."
            if partner
            else "Have it send the levels that are missing."
        )
        raise Refusal(says + remedy)

    def _of_a_directory(self, feed: Feed, lead: str) -> str:
        return (
            f"{lead}: feed {feed.name} is the directory {self._directory(feed)}, whose files are read once, in the order "
            "of their numbers, and answered. Have Archean write a full, or the SKU's level in a file with the next number; both "
            "are taken as soon as they are there."
        )

"""The loops of alerts: one looks at what is wrong and keeps what is to be told, one for each way sends it. Blind to words.

What is to be told is durable before anything is sent, and sent until the other side has taken it: at least once. Nothing else
waits for these loops.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from archsyncd.domain.alerting import SAME, AlertRules, Cause, Decided, Message, Observation, decide
from archsyncd.domain.mutes import Mute, MuteKind, root_of
from archsyncd.domain.retry import steady_delay
from archsyncd.engine.alerts import Letter, Way, WayFault
from archsyncd.engine.ports import FencedOff, StoreBroken, StoreFull
from archsyncd.engine.shared import Shared, wait_for
from archsyncd.engine.store import Store

WAYS = ("webhook", "email", "command")
LOOK_SECONDS = 5.0
TIDY_SECONDS = 3_600.0
# An acknowledged cause must be gone for so long before the next one is told.
RE_ARM_SECONDS = 60.0
WAIT_SECONDS = 10.0
# Between two messages by one way: people and chat services take no more.
PAUSE_SECONDS = 2.0
BACKOFF_BASE_SECONDS = 5.0
BACKOFF_LIMIT_SECONDS = 600.0
AWAY_LIMIT_SECONDS = 60.0
GIVE_UP_MS = 24 * 3600 * 1000
WAITING_MOST = 200
_LOG = logging.getLogger("archsyncd.alerts")


@dataclass(frozen=True, slots=True)
class Seen:
    """One look. `outgrown`: mutes that hold no more, and why; `covered`: those of which something is there, how bad, how many.

    `unjudged`: causes that nobody can know of yet, so soon after the start.
    """

    observed: Sequence[Observation]
    outgrown: Sequence[tuple[Mute, str]] = ()
    covered: Sequence[tuple[Mute, int, int]] = ()
    unjudged: Collection[tuple[str, str]] = ()


Observe = Callable[[Mapping[tuple[str, str], Cause]], Awaitable[Seen]]
Tell = Callable[[Message], None]


class Lookout:
    """Looks every few seconds. `ways`: the ways there are now; `tell` has the journal say what is sent."""

    def __init__(
        self,
        store: Store,
        shared: Shared,
        observe: Observe,
        ways: Callable[[], Mapping[str, Way]],
        rules: AlertRules,
        tell: Tell,
        beat: Callable[[], None],
        holds: Callable[[], bool] = lambda: False,
    ) -> None:
        """`holds`: whether what is not critical waits just now."""
        self.rules = rules
        self._holds = holds
        self._store = store
        self._shared = shared
        self._observe = observe
        self._ways = ways
        self._tell = tell
        self._beat = beat
        self._absent: dict[tuple[str, str], float] = {}
        self._tidied = float("-inf")
        # In the journal already, and nowhere else, as there is no room.
        self._unkept: set[tuple[str, str, str]] = set()

    async def run(self) -> None:
        """Look until the stop."""
        while not self._shared.stopping:
            self._beat()
            try:
                await self.look()
                self._shared.notes.pop("alerts", None)
            except StoreFull as full:
                # What is wrong is still there at the next look; the journal has it meanwhile.
                self._shared.notes["alerts"] = f"nothing can be kept to be sent: {full}"
            except (StoreBroken, FencedOff):
                raise
            except Exception as error:  # noqa: BLE001 - noted, and told with its trace
                # A fault in here must not end what keeps the stock in step.
                if "alerts" not in self._shared.notes:
                    _LOG.exception("the look for what is to be told failed")
                self._shared.notes["alerts"] = (
                    f"nobody is told of anything: {type(error).__name__}, see the journal"
                )
            await self._shared.rest(LOOK_SECONDS)

    def rules_now(self) -> AlertRules:
        """How messages are grouped, and whether what is not critical waits."""
        return replace(self.rules, holds=self._holds())

    async def look(self) -> None:
        """Look once. Raises StoreFull."""
        causes = await self._store.alerts.causes()
        seen = await self._observe(causes)
        now_ms = self._shared.clock.wall_ms()
        decided = decide(causes, seen.observed, now_ms, self.rules_now(), seen.unjudged)
        if decided.kept or decided.forgotten or decided.messages:
            await self._book(decided)
        for message in decided.messages:
            if _name(message) not in self._unkept:
                self._tell(message)
        self._unkept.clear()
        if decided.messages:
            self._shared.alerts.set()
        await self._mind_mutes(seen)
        await self._tidy()

    async def _book(self, decided: Decided) -> None:
        """Keep what a look came to; without room for it the journal says it at once, and once. Raises StoreFull."""
        try:
            await self._store.alerts.book(decided, list(self._ways()))
        except StoreFull:
            for message in decided.messages:
                if _name(message) not in self._unkept:
                    self._unkept.add(_name(message))
                    self._tell(message)
            raise

    async def _mind_mutes(self, seen: Seen) -> None:
        mutes = self._store.mutes
        for mute, why in seen.outgrown:
            if await mutes.drop(mute.code, mute.subject):
                _LOG.warning("the mute of %s by %s ended: %s", _about(mute), mute.by, why)
        there = {(mute.code, mute.subject) for mute, _, _ in seen.covered}
        for mute, level, count in seen.covered:
            if not mute.level:
                await mutes.seen(mute, level, count)
        await self._re_arm(there, seen.unjudged)

    async def _re_arm(self, there: set[tuple[str, str]], unjudged: Collection[tuple[str, str]]) -> None:
        """End acknowledgements whose cause is gone, so that it is told when it comes back."""
        now = self._shared.clock.monotonic()
        acknowledged = [
            mute
            for mute in await self._store.mutes.holding()
            if mute.kind is MuteKind.ACK and mute.level and not _in_doubt(mute, unjudged)
        ]
        names = {(mute.code, mute.subject) for mute in acknowledged} - there
        self._absent = {name: self._absent.get(name, now) for name in names}
        for code, subject in names:
            if now - self._absent[code, subject] >= RE_ARM_SECONDS:
                await self._store.mutes.drop(code, subject)
                _LOG.info("what was acknowledged is gone, %s is told again when it comes back", code)

    async def _tidy(self) -> None:
        now = self._shared.clock.monotonic()
        if now - self._tidied >= TIDY_SECONDS:
            self._tidied = now
            await self._store.alerts.tidy()


def _in_doubt(mute: Mute, unjudged: Collection[tuple[str, str]]) -> bool:
    root = root_of(mute.code)
    return any(name == SAME.get(root, root) and mute.subject in {"", subject} for name, subject in unjudged)


def _name(message: Message) -> tuple[str, str, str]:
    return message.kind.value, message.code, message.subject


def _about(mute: Mute) -> str:
    return f"{mute.code} of {mute.subject!r}" if mute.subject else mute.code


class Sender:
    """Sends what waits for one way, one after another. A way that fails is noted and tried again, and holds no other."""

    def __init__(
        self,
        name: str,
        store: Store,
        shared: Shared,
        way: Callable[[], Way | None],
        ledger: Callable[[], str],
        chance: Callable[[], float],
        beat: Callable[[], None],
    ) -> None:
        """`way`: the way as configured now, None where there is none. `ledger`: tells this daemon's messages from others'."""
        self._name = name
        self._store = store
        self._shared = shared
        self._way = way
        self._ledger = ledger
        self._chance = chance
        self._beat = beat
        self._failures = 0
        # Sent, and there was no room to note that: they must not go again for as long as this process runs.
        self._sent: set[int] = set()

    @property
    def note(self) -> str:
        """Under which name a failing way stands in the notes."""
        return f"alerts by {self._name}"

    async def run(self) -> None:
        """Send until the stop."""
        while not self._shared.stopping:
            self._beat()
            pause_seconds = WAIT_SECONDS
            try:
                pause_seconds = await self.turn()
            except StoreFull:
                pass
            except (StoreBroken, FencedOff):
                raise
            except Exception as error:  # noqa: BLE001 - noted, and told with its trace
                # As in the lookout: the stock goes on.
                if self.note not in self._shared.notes:
                    _LOG.exception("%s: a turn failed", self.note)
                self._shared.notes[self.note] = f"nothing is sent: {type(error).__name__}, see the journal"
            if pause_seconds == WAIT_SECONDS:
                await wait_for(self._shared.alerts, pause_seconds)
            else:
                await self._shared.rest(pause_seconds)

    async def turn(self) -> float:
        """Send one message if one is due; seconds until the next turn. Raises StoreFull."""
        alerts, way = self._store.alerts, self._way()
        if way is None:
            self._shared.notes.pop(self.note, None)
        waiting, oldest_ms = await alerts.waiting(self._name)
        if not waiting:
            return WAIT_SECONDS
        if way is None or waiting > WAITING_MOST or self._shared.clock.wall_ms() - oldest_ms > GIVE_UP_MS:
            # Where the way is gone, what waits for it goes nowhere.
            over = await alerts.give_up(self._name, GIVE_UP_MS if way else -1, WAITING_MOST if way else 0)
            _LOG.warning("%s: %d messages were given up, see archsyncctl alerts list", self.note, over)
        letters = await alerts.due(self._name, 1) if way else []
        return await self._send(way, letters[0]) if way and letters else WAIT_SECONDS

    async def _send(self, way: Way, letter: Letter) -> float:
        number = f"msg_{self._ledger()}_{letter.id}"
        said = "sent"
        if letter.id not in self._sent:
            try:
                told = await self._unless_stopped(way.send(number, letter.message))
            except WayFault as fault:
                return await self._failed(letter, str(fault))
            except Exception as error:  # noqa: BLE001 - one way's fault must not end the process
                _LOG.exception("%s failed at what was not expected", self.note)
                return await self._failed(letter, type(error).__name__)
            if told is None:
                return PAUSE_SECONDS
            said = told
            self._sent.add(letter.id)
        await self._store.alerts.settle(letter, self._name, "delivered", said)
        self._sent.discard(letter.id)
        self._failures = 0
        self._shared.notes.pop(self.note, None)
        return PAUSE_SECONDS

    async def _unless_stopped(self, sending: Coroutine[Any, Any, str]) -> str | None:
        """What the other side said; None: the stop came first, and the next start sends it again. Raises WayFault."""
        task, stop = asyncio.ensure_future(sending), asyncio.ensure_future(self._shared.stop.wait())
        try:
            await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
            return task.result() if task.done() else None
        finally:
            task.cancel()
            stop.cancel()
            await asyncio.gather(task, stop, return_exceptions=True)

    async def _failed(self, letter: Letter, why: str) -> float:
        self._failures += 1
        # The note names the way, and not where it leads: that may be somebody's address.
        self._shared.notes[self.note] = f"{why}; it is tried again"
        wait = steady_delay(
            letter.attempts,
            self._chance(),
            base_seconds=BACKOFF_BASE_SECONDS,
            limit_seconds=BACKOFF_LIMIT_SECONDS,
        )
        await self._store.alerts.put_off(letter, self._name, int(wait * 1000), why)
        away = steady_delay(
            self._failures - 1,
            self._chance(),
            base_seconds=BACKOFF_BASE_SECONDS,
            limit_seconds=AWAY_LIMIT_SECONDS,
        )
        return min(away, AWAY_LIMIT_SECONDS - 1)


async def try_ways(ways: Mapping[str, Way], number: str, message: Message) -> Mapping[str, tuple[bool, str]]:
    """Send one message by each of these ways now, at once; whether each took it, and what it said."""

    async def one(way: Way) -> tuple[bool, str]:
        try:
            return True, await way.send(number, message)
        except WayFault as fault:
            return False, str(fault)
        except Exception as error:  # noqa: BLE001 - told to whoever tries it
            _LOG.exception("a way failed at what was not expected")
            return False, type(error).__name__

    results = await asyncio.gather(*(one(way) for way in ways.values()))
    return dict(zip(ways, results, strict=True))

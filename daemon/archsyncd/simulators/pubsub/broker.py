"""A small Pub/Sub in memory: topics, subscriptions, deliveries and their deadlines. Knows nothing of HTTP or r247/1.

At least once and in no promised order, as Google says: what is not acknowledged in time is delivered again under another
name, and switches make happen what only happens seldom there.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


class Clock(Protocol):
    """UTC seconds since 1970, and a wait measured on the same clock."""

    def now(self) -> float:
        """Return UTC seconds."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return once `seconds` have passed on this clock."""
        ...


@dataclass(slots=True)
class Message:
    """What was published. `attempts`: how often it was delivered."""

    id: str
    data: str
    attributes: Mapping[str, str]
    published: float
    attempts: int = 0


@dataclass(slots=True)
class Lease:
    """A delivery that was neither acknowledged nor given back; it ends at `until`."""

    message: Message
    until: float


@dataclass(slots=True)
class Switches:
    """What goes wrong on purpose; counts go down with each time.

    `lose_acknowledgements`: requests that are answered and have no effect. `refuse`: by verb, answers to give in turn instead
    (status, Retry-After). `shuffle`: deliver in any order. `twice`: deliver each message a second time at once.
    `slow_seconds`: how long each answer takes. `forbidden`: verbs that our account may not use.
    """

    lose_acknowledgements: int = 0
    refuse: dict[str, list[tuple[int, str | None]]] = field(default_factory=dict)
    shuffle: bool = False
    twice: bool = False
    slow_seconds: float = 0.0
    forbidden: set[str] = field(default_factory=set)


class Subscription:
    """One subscription's backlog and what is out."""

    def __init__(
        self,
        topic: str,
        clock: Clock,
        chance: random.Random,
        *,
        deadline_seconds: float = 10.0,
        attempts: int | None = None,
    ) -> None:
        """`attempts`: how often a message is delivered before it goes to the dead-letter topic; None: for ever."""
        self.topic = topic
        self.deadline_seconds = deadline_seconds
        self.attempts = attempts
        self.switches = Switches()
        self.backlog: list[Message] = []
        self.out: dict[str, Lease] = {}
        self.dead: list[Message] = []
        self.acknowledged: list[str] = []
        self.most_out = 0
        self._clock = clock
        self._chance = chance
        self._deliveries = 0
        self._arrived = asyncio.Event()

    def add(self, message: Message) -> None:
        """Keep a message until it is acknowledged."""
        self.backlog.append(message)
        self._arrived.set()

    async def pull(self, limit: int, wait_seconds: float) -> list[tuple[str, Message]]:
        """Deliver up to so many, waiting for the first one; empty when none came."""
        until = self._clock.now() + wait_seconds
        while True:
            self._expire()
            if self.backlog:
                return self._deliver(limit)
            left = min([until, *(lease.until for lease in self.out.values())]) - self._clock.now()
            if self._clock.now() >= until:
                return []
            self._arrived.clear()
            waiting = [
                asyncio.create_task(self._arrived.wait()),
                asyncio.create_task(self._clock.sleep(max(left, 0.01))),
            ]
            try:
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in waiting:
                    task.cancel()

    def _deliver(self, limit: int) -> list[tuple[str, Message]]:
        if self.switches.shuffle:
            self._chance.shuffle(self.backlog)
        taken, self.backlog = self.backlog[:limit], self.backlog[limit:]
        given = []
        for message in taken:
            message.attempts += 1
            for _ in range(2 if self.switches.twice else 1):
                self._deliveries += 1
                ack_id = f"delivery-{self._deliveries}"
                self.out[ack_id] = Lease(message, self._clock.now() + self.deadline_seconds)
                given.append((ack_id, message))
        self.most_out = max(self.most_out, len(self.out))
        return given

    def acknowledge(self, ack_ids: list[str]) -> None:
        """Forget messages; a delivery whose deadline has passed is not known any more."""
        self._expire()
        if self.switches.lose_acknowledgements:
            self.switches.lose_acknowledgements -= 1
            return
        leases = [self.out.pop(ack_id) for ack_id in ack_ids if ack_id in self.out]
        done = {lease.message.id for lease in leases}
        self.acknowledged += [lease.message.id for lease in leases]
        self.backlog = [one for one in self.backlog if one.id not in done]

    def put_off(self, ack_ids: list[str], seconds: float) -> None:
        """Set deadlines anew from now; 0 gives messages back."""
        self._expire()
        for ack_id in ack_ids:
            if ack_id in self.out:
                self.out[ack_id].until = self._clock.now() + seconds
        self._expire()

    def _expire(self) -> None:
        now = self._clock.now()
        for ack_id in [name for name, lease in self.out.items() if lease.until <= now]:
            message = self.out.pop(ack_id).message
            if any(lease.message is message for lease in self.out.values()) or message in self.backlog:
                continue
            if self.attempts is not None and message.attempts >= self.attempts:
                self.dead.append(message)
            else:
                self.add(message)


class Broker:
    """Topics and their subscriptions, by their full names."""

    def __init__(self, clock: Clock, chance: random.Random, tokens: frozenset[str] | None = None) -> None:
        """`tokens`: those that are taken; None: as an emulator, none is asked for."""
        self.clock = clock
        self.chance = chance
        self.tokens = tokens
        self.subscriptions: dict[str, Subscription] = {}
        self.pull_seconds = 30.0
        self._published = 0

    def subscribe(
        self, name: str, topic: str, *, deadline_seconds: float = 10.0, attempts: int | None = None
    ) -> Subscription:
        """Make a subscription; what is published from now on is kept for it."""
        made = Subscription(
            topic, self.clock, self.chance, deadline_seconds=deadline_seconds, attempts=attempts
        )
        self.subscriptions[name] = made
        return made

    def publish(self, topic: str, data: str, attributes: Mapping[str, str]) -> str:
        """Publish base64 data to every subscription of the topic; the message's id."""
        self._published += 1
        message_id = str(self._published)
        for subscription in self.subscriptions.values():
            if subscription.topic == topic:
                subscription.add(Message(message_id, data, dict(attributes), self.clock.now()))
        return message_id

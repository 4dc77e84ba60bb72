"""Alerts, mutes and people's actions as the loops see them in the store, and the ways that alerts take.

Each step may raise StoreFull, StoreBroken or FencedOff.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from archsyncd.domain.alerting import Cause, Decided, Message
from archsyncd.domain.mutes import Mute


@dataclass(frozen=True, slots=True)
class CaseFigures:
    """Open cases of a kind, or of one subject of it: how many (folded ones counted), the newest's id, rows."""

    count: int
    newest: int
    rows: int
    oldest_ms: int = 0


@dataclass(frozen=True, slots=True)
class Letter:
    """A message that waits to go one way; `id` is its number, `attempts` how often it was tried."""

    id: int
    message: Message
    attempts: int


@dataclass(frozen=True, slots=True)
class Action:
    """What a person did. `who`: as the client says. `outcome`: done, nothing, refused, failed, "" (begun). UTC milliseconds."""

    id: int
    at_ms: int
    who: str
    verb: str
    arguments: str
    outcome: str
    says: str


class Alerts(Protocol):
    """What was told, and what waits to be."""

    async def causes(self) -> Mapping[tuple[str, str], Cause]:
        """What was told of each cause that is there, or was lately."""
        ...

    async def book(self, decided: Decided, ways: Collection[str]) -> int:
        """Keep what a look came to, with its messages to go by these ways, all or nothing; how many messages."""
        ...

    async def waiting(self, way: str) -> tuple[int, int]:
        """How many messages wait for a way, and when the oldest was written (UTC milliseconds)."""
        ...

    async def due(self, way: str, limit: int) -> list[Letter]:
        """Messages to be tried now by a way, the longest due first."""
        ...

    async def settle(self, letter: Letter, way: str, state: str, says: str) -> None:
        """A message went its way (`delivered`) or is given up (`dropped`)."""
        ...

    async def put_off(self, letter: Letter, way: str, delay_ms: int, says: str) -> None:
        """A message could not go: again after so long."""
        ...

    async def give_up(self, way: str, older_than_ms: int, at_most: int) -> int:
        """Drop what has waited for too long by a way, and the oldest beyond a number; how many."""
        ...

    async def tidy(self) -> None:
        """Forget the oldest messages and actions beyond what is kept, and mutes that are over."""
        ...

    async def listed(self, limit: int) -> Sequence[Mapping[str, Any]]:
        """The newest messages with what became of them: id, message, deliveries."""
        ...

    async def case_figures(self) -> Mapping[str, CaseFigures]:
        """Open cases by kind."""
        ...

    async def subject_figures(self, kind: str, subjects: Collection[str]) -> Mapping[str, CaseFigures]:
        """Open cases of a kind by some subjects."""
        ...

    async def examples(
        self, kind: str, limit: int, subjects: Collection[str] = (), *, within: bool = False
    ) -> tuple[str, ...]:
        """What the newest open cases of a kind are about. `subjects`, `within`: as of `scope`."""
        ...

    async def scope(self, kind: str, subjects: Collection[str] = (), *, within: bool = False) -> CaseFigures:
        """Open cases of a kind by these subjects (`within`), or by all others; zeros where there is none."""
        ...

    async def overdue(
        self,
        kind: str,
        opened_by_ms: int,
        opened_after_ms: int,
        subjects: Collection[str] = (),
        *,
        within: bool = False,
    ) -> int:
        """How many open cases of a kind were opened between two times. `subjects`, `within`: as of `scope`."""
        ...


class Mutes(Protocol):
    """What people have muted."""

    async def holding(self) -> tuple[Mute, ...]:
        """Mutes whose end has not come."""
        ...

    async def put(self, mute: Mute) -> bool:
        """Keep a mute in the place of one about the same; False when there are too many."""
        ...

    async def drop(self, code: str, subject: str) -> bool:
        """End a mute; False when there is none."""
        ...

    async def seen(self, mute: Mute, level: int, count: int) -> None:
        """What a mute is about has come: this bad, and so many."""
        ...


class Actions(Protocol):
    """What people did."""

    async def begin(self, who: str, verb: str, arguments: str) -> int:
        """Somebody asks for something; its number."""
        ...

    async def end(self, number: int, outcome: str, says: str) -> None:
        """What came of it."""
        ...

    async def listed(self, limit: int) -> Sequence[Action]:
        """The newest first."""
        ...


class WayFault(Exception):
    """A message could not be sent. The text says why, without the secret of the way."""


class Way(Protocol):
    """One way to people. Bounded in time and size by itself."""

    @property
    def target(self) -> str:
        """Where it leads, as people may read it: no secret in it."""
        ...

    async def send(self, number: str, message: Message) -> str:
        """Send it; what the other side said. `number` stays the same when it is sent again. Raises WayFault."""
        ...

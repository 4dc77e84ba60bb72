"""What the verbs need of the running daemon, as a protocol; the daemon itself is built elsewhere."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from archsyncd.config import Settings
from archsyncd.domain.samples import Sample
from archsyncd.engine.alerts import Way
from archsyncd.engine.auditing import Auditing
from archsyncd.engine.drain import Drain
from archsyncd.engine.handing_over import HandOver
from archsyncd.engine.limiter import Limiter
from archsyncd.engine.ports import Clock, Feed
from archsyncd.engine.reckoning import Reckoning
from archsyncd.engine.shared import Shared
from archsyncd.engine.store import Store
from archsyncd.engine.suspecting import Suspecting
from archsyncd.engine.tail import Freshness, Keeper, Tail

if TYPE_CHECKING:
    from archsyncd.operator.status import StatusDesk


class Samples(Protocol):
    """What the charts are drawn from."""

    async def note(self, sample: Sample) -> None:
        """Keep the sample of a minute."""
        ...

    async def between(self, from_ms: int, to_ms: int, step_ms: int, limit: int) -> list[Sample]:
        """The worst figures of each step that has any."""
        ...


class Names(Protocol):
    """What Archean calls SKUs otherwise."""

    async def owners(self, skus: Collection[str]) -> Mapping[str, str]:
        """Archean's SKUs of commercetools' SKUs, as far as any was called otherwise."""
        ...

    async def called(self, archean: str) -> str:
        """What an Archean SKU is called in commercetools, "" where it was not met under an alias."""
        ...


class Expected(Protocol):
    """What entries show of expected goods."""

    async def of(self, sku: str) -> Mapping[str, tuple[str | None, str | None]]:
        """By channel, what the entry should show and what we wrote last."""
        ...


class OperatedStore(Store, Protocol):
    """The store with what only operators use."""

    @property
    def names(self) -> Names:
        """SKUs that have two names."""
        ...

    @property
    def deliveries(self) -> Expected:
        """What entries show of expected goods."""
        ...

    @property
    def broken(self) -> str | None:
        """Why it cannot be used any more."""
        ...

    @property
    def samples(self) -> Samples:
        """Figures of the last day."""
        ...

    @property
    def doubt(self) -> str | None:
        """What is wrong with its file though it works still."""
        ...

    async def backup(self, target: Path) -> None:
        """Copy the committed state into a new file."""
        ...


class Daemon(Protocol):
    """The running daemon."""

    @property
    def settings(self) -> Settings:
        """The configuration in force."""
        ...

    @property
    def store(self) -> OperatedStore:
        """The store."""
        ...

    @property
    def shared(self) -> Shared:
        """Facts in memory."""
        ...

    @property
    def limiter(self) -> Limiter:
        """The budget of requests."""
        ...

    @property
    def drain(self) -> Drain:
        """The drain."""
        ...

    @property
    def feeds(self) -> Sequence[Feed]:
        """The feeds in the configuration's order."""
        ...

    @property
    def tails(self) -> Mapping[str, Tail]:
        """Each feed's tail by name."""
        ...

    @property
    def freshness(self) -> Freshness:
        """How fresh each feed is."""
        ...

    @property
    def suspecting(self) -> Suspecting:
        """Looks for oversells, and for feeds that stand still."""
        ...

    @property
    def desk(self) -> StatusDesk:
        """Tells how the daemon is; one for all who ask."""
        ...

    @property
    def reckoning(self) -> Reckoning:
        """Puts the rules of quantities in force."""
        ...

    @property
    def keeper(self) -> Keeper:
        """Applies approved snapshots."""
        ...

    @property
    def auditing(self) -> Auditing:
        """Compares both sides' identifiers when that is asked for."""
        ...

    @property
    def hand_over(self) -> HandOver | None:
        """Carries orders to Archean; None where another system does."""
        ...

    @property
    def clock(self) -> Clock:
        """Time."""
        ...

    @property
    def started_monotonic(self) -> float:
        """When this process began to work, in monotonic seconds."""
        ...

    @property
    def tenure_text(self) -> str:
        """The lease's state in one line."""
        ...

    @property
    def loop_lag_seconds(self) -> float:
        """How long the event loop stood still at the worst, within the last minute or so."""
        ...

    @property
    def version(self) -> str:
        """The program's version."""
        ...

    @property
    def alert_ways(self) -> Mapping[str, Way]:
        """The ways that alerts take, by name."""
        ...

    async def reload(self) -> list[str]:
        """Read the configuration again; the paths that need a restart."""
        ...

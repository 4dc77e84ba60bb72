"""The small daemon with the loops of alerts and ways that a test can look into."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from archsyncd.domain.alerting import AlertRules, Message
from archsyncd.domain.cases import CaseKind, NewCase
from archsyncd.engine.alerting import LOOK_SECONDS, WAYS, Lookout, Sender
from archsyncd.engine.alerts import Way, WayFault
from archsyncd.operator.observing import Observer
from tests.operator.daemon import CHANNEL, SmallDaemon


@dataclass
class Box:
    """A way that keeps what it is given. `faults`: why it fails the next times; `dead`: why it always does."""

    target: str = "box"
    faults: list[str] = field(default_factory=list)
    dead: str = ""
    got: list[tuple[str, Message]] = field(default_factory=list)
    tried: int = 0

    async def send(self, number: str, message: Message) -> str:
        self.tried += 1
        fault = self.dead or (self.faults.pop(0) if self.faults else "")
        if fault:
            raise WayFault(fault)
        self.got.append((number, message))
        return "kept"

    @property
    def kinds(self) -> list[str]:
        return [message.kind.value for _, message in self.got]


class Alarm:
    """The loops, turned by hand. `told`: what the journal was given."""

    def __init__(self, daemon: SmallDaemon, rules: AlertRules | None = None) -> None:
        self.daemon = daemon
        self.told: list[Message] = []
        self.beats: dict[str, int] = defaultdict(int)
        self.ways: dict[str, Way] = daemon.alert_ways
        self.lookout = Lookout(
            daemon.store,
            daemon.shared,
            Observer(daemon).observe,
            lambda: self.ways,
            rules or AlertRules(),
            self.told.append,
            lambda: None,
        )
        self.senders = {
            name: Sender(
                name,
                daemon.store,
                daemon.shared,
                lambda name=name: self.ways.get(name),  # type: ignore[misc]
                lambda: daemon.store.ledger.id,
                lambda: 0.5,
                lambda: None,
            )
            for name in WAYS
        }

    async def last(self, minutes: float, every_seconds: float = LOOK_SECONDS) -> list[Message]:
        """Look for so long; what was told."""
        before, daemon = len(self.told), self.daemon
        # A location of which nothing was ever told is a cause of its own.
        await daemon.level("told", 1)
        for _ in range(int(minutes * 60 / every_seconds)):
            daemon.shared.orders_complete_ms = daemon.clock.wall_ms()
            await self.lookout.look()
            await daemon.clock.sleep(every_seconds)
        return self.told[before:]

    async def deliver(self, way: str, turns: int = 10) -> None:
        """Let one way have some turns, with the pauses that it asks for."""
        for _ in range(turns):
            await self.daemon.clock.sleep(await self.senders[way].turn())


async def unknown(daemon: SmallDaemon, *skus: str) -> None:
    """Open a case of an unknown SKU for each."""
    for sku in skus:
        reason = f"commercetools has no product with the SKU {sku}"
        await daemon.store.cases.open(NewCase(CaseKind.SKU_NOT_FOUND, CHANNEL, sku, reason))


async def known(daemon: SmallDaemon, *skus: str) -> None:
    """Close these cases: their products have appeared."""
    for sku in skus:
        await daemon.store.cases.resolve(CaseKind.SKU_NOT_FOUND, CHANNEL, sku, "the product is there")

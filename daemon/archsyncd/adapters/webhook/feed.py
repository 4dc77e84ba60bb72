"""The feed of calls: what waits in the inbox as batches, and each caller told once its batch is durable. Decides nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Protocol

from archsyncd.adapters.webhook.inbox import Call, Fate, Inbox
from archsyncd.adapters.webhook.options import PushOptions
from archsyncd.domain.feed import Batch, Delivery, KeyReading, OrderLookup, Outcome, SnapshotDue
from archsyncd.engine.ports import FeedFault, SecretFault, SnapshotSource
from archsyncd.wire.webhook import Algorithm, keys_of


class Memory(Protocol):
    """What the store remembers of a feed."""

    async def seen(self, feed: str, ids: Collection[str]) -> frozenset[str]:
        """Which of these messages it has taken in."""
        ...

    async def newest_epoch(self, feed: str) -> str | None:
        """The newest epoch seen, by the source's name for it."""
        ...


class PushFeed:
    """A `Feed` whose source calls. One instance is read by one task; receivers put calls in beside it."""

    def __init__(
        self,
        options: PushOptions,
        secret: Callable[[], str],
        memory: Callable[[], Memory],
        beat: Callable[[], None],
    ) -> None:
        """`secret` and `memory` are asked at each use; `secret` raises SecretFault."""
        self.options = options
        self.inbox = Inbox(options.waiting_limit, options.waiting_limit_bytes)
        self._secret = secret
        self._memory = memory
        self._beat = beat
        self._handed: dict[str, list[Call]] = {}
        self._taken: list[Call] = []
        self._shut: str | None = "nothing listens for it yet"
        self.source_feed: str | None = options.source_feed

    @property
    def name(self) -> str:
        """The feed's name in the configuration."""
        return self.options.name

    @property
    def step_seconds(self) -> float:
        """The longest wait for a call."""
        return self.options.idle_seconds

    @property
    def offers_lookup(self) -> bool:
        """A source that calls answers no questions."""
        return False

    def listens(self, reason: str | None) -> None:
        """Whether calls can come in at all: None, or why not."""
        self._shut = reason

    def keys(self) -> tuple[bytes, ...]:
        """What calls are verified with now. Raises FeedFault where the credential is of no use."""
        if self.options.scheme.algorithm is Algorithm.OIDC:
            return ()
        try:
            return keys_of(self._secret())
        except SecretFault as fault:
            raise FeedFault(str(fault), blind=True) from None
        except ValueError as fault:
            raise FeedFault(f"the credential feed-{self.name} {fault}", blind=True) from None

    async def batches(self, after: str | None) -> AsyncIterator[Batch | SnapshotDue | SnapshotSource]:
        """Yield what callers brought, and an empty batch now and then. Raises FeedFault while nobody can call."""
        number = int(after) if after is not None and after.isdecimal() else 0
        if self.inbox.is_read:
            raise FeedFault(f"{self.name} is called: it is read once, and nothing of it can be read again")
        self._check()
        epoch = await self._memory().newest_epoch(self.name)
        self.inbox.open()
        try:
            while True:
                self._beat()
                self._check()
                calls = await self.inbox.take(self.options.batch_records, self.options.idle_seconds)
                # What is taken out here is nobody else's to answer.
                self._taken = calls
                fresh = await self._unknown(calls)
                if not fresh and epoch is not None:
                    # What waits to be read singly is looked at after each batch, and a pause takes effect.
                    yield self._batch(epoch, str(number), ())
                for epoch, group in _by_epoch(fresh):
                    number += 1
                    checkpoint = str(number)
                    self._handed[checkpoint] = group
                    yield self._batch(epoch, checkpoint, group)
        finally:
            self._handed.clear()
            self.inbox.close(self._taken)

    def _check(self) -> None:
        if self._shut is not None:
            raise FeedFault(self._shut)
        self.keys()

    async def _unknown(self, calls: Sequence[Call]) -> list[Call]:
        """Those that the store does not remember; the senders of the others are told."""
        if not calls:
            return []
        seen = await self._memory().seen(self.name, {call.id for call in calls})
        for call in calls:
            if call.id in seen:
                call.settle(Fate.DUPLICATE)
        return [call for call in calls if call.id not in seen]

    def _batch(self, epoch: str, checkpoint: str, calls: Sequence[Call]) -> Batch:
        return Batch(
            feed=self.name,
            epoch=epoch,
            records=tuple(record for call in calls for record in call.told.records),
            rejects=tuple(reject for call in calls for reject in call.told.rejects),
            checkpoint=checkpoint,
            ordered=False,
            deliveries=tuple(Delivery(call.id, call.sent_ms) for call in calls),
            skus=tuple(dict.fromkeys(sku for call in calls for sku in call.told.skus)),
        )

    async def acknowledge(self, checkpoint: str, outcome: Outcome) -> None:  # noqa: ARG002 - a caller is told no counts
        """Tell the callers of a batch that it is durable."""
        for call in self._handed.pop(checkpoint, ()):
            call.settle(Fate.STORED)

    async def take_snapshot(self, locations: Collection[str]) -> SnapshotSource | None:  # noqa: ARG002 - cannot be asked
        """Return None: another feed provides full pictures."""
        return None

    async def read_key(self, sku: str) -> KeyReading | None:  # noqa: ARG002 - cannot be asked
        """Return None: another feed is asked for single keys."""
        return None

    async def look_up_order(self, reference: str) -> OrderLookup | None:
        """Raise FeedFault: a source that calls cannot be asked."""
        raise FeedFault(f"{self.name} receives calls and cannot be asked for order {reference[:64]!r}")

    async def close(self) -> None:
        """Nobody is waited for any more."""
        self.listens("it is closed")


def _by_epoch(calls: Iterable[Call]) -> Iterator[tuple[str, list[Call]]]:
    for epoch, group in groupby(calls, key=lambda call: call.told.epoch):
        yield epoch, list(group)

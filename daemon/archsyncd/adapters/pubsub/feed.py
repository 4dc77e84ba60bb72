"""The feed of one subscription: what is pulled is held until it is durable here, then acknowledged. Decides nothing."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import replace
from typing import Final

from archsyncd.adapters.pubsub.gathering import Gathering
from archsyncd.adapters.pubsub.leases import Leases
from archsyncd.adapters.pubsub.options import PubsubOptions
from archsyncd.adapters.pubsub.place import Place
from archsyncd.adapters.pubsub.subscription import Subscription
from archsyncd.domain.feed import Batch, KeyReading, OrderLookup, Outcome, SnapshotDue
from archsyncd.engine.ports import Clock, FeedFault, SnapshotSource
from archsyncd.wire.foreign.messages import MessageReader, is_packed, sent_of
from archsyncd.wire.pubsub import Delivered
from archsyncd.wire.r247_messages import Message, read_message

ASIDE_BYTES: Final = 256 * 1024


class PubsubFeed:
    """A `Feed` over a Pub/Sub subscription, read by one task."""

    def __init__(
        self,
        options: PubsubOptions,
        subscription: Subscription,
        clock: Clock,
        beat: Callable[[], None],
        reader: MessageReader | None = None,
    ) -> None:
        """`beat` is called with every step of the reading. `reader`: of messages that do not speak r247/1."""
        self._options = options
        self._subscription = subscription
        self._clock = clock
        self._beat = beat
        self._reader = reader
        self._leases = Leases(options, subscription, clock)
        self._untold: deque[str] = deque()
        self._told: dict[str, list[str]] = {}

    @property
    def name(self) -> str:
        """The feed's name in the configuration."""
        return self._options.name

    @property
    def step_seconds(self) -> float:
        """The longest that one request may take by right."""
        return self._options.step_seconds

    @property
    def offers_lookup(self) -> bool:
        """A queue answers no questions."""
        return False

    @property
    def subscription(self) -> Subscription:
        """The subscription, to ask what it is."""
        return self._subscription

    async def batches(self, after: str | None) -> AsyncIterator[Batch | SnapshotDue | SnapshotSource]:
        """Yield what is delivered, for ever; first of all what an earlier reading has left undone.

        While nothing comes an empty Batch at the same checkpoint is told: Pub/Sub answers, which says nothing of the source.
        """
        place = Place.of(after)
        if self._options.source_feed is not None:
            place = replace(place, feed=self._options.source_feed)
        self._untold, self._told = deque(self._leases.names), {}
        while True:
            self._beat()
            began = self._clock.monotonic()
            if not self._untold:
                self._untold.extend(one.ack_id for one in await self._leases.pull())
            if not self._untold:
                yield self._nothing(place)
                await self._pause_since(began)
                continue
            gathering = await self._gather(place)
            if not gathering.ack_ids:
                continue
            batch = gathering.batch(self.name, more=bool(self._untold))
            self._told[batch.checkpoint] = gathering.ack_ids
            place = gathering.place
            yield batch

    def _nothing(self, place: Place) -> Batch:
        unknown = place.epoch is None
        return Batch(self.name, place.epoch or "", (), (), place.checkpoint, ordered=False, void=unknown)

    async def _gather(self, place: Place) -> Gathering:
        gathering = Gathering(place)
        while self._untold and gathering.size < self._options.batch_records:
            delivered = self._leases.get(self._untold[0])
            # One that was held for too long was given back meanwhile.
            if delivered is not None and not gathering.take(delivered, await self._read(delivered)):
                break
            self._beat()
            self._untold.popleft()
        return gathering

    async def _read(self, delivered: Delivered) -> Message:
        if len(delivered.data or b"") < ASIDE_BYTES and not is_packed(delivered.data, delivered.attributes):
            return self._understood(delivered)
        return await asyncio.to_thread(self._understood, delivered)

    def _understood(self, delivered: Delivered) -> Message:
        if self._reader is None:
            return read_message(delivered.data, delivered.attributes)
        return self._reader.read(delivered.data, sent_of(delivered))

    async def _pause_since(self, began: float) -> None:
        left = self._options.pause_seconds - (self._clock.monotonic() - began)
        if left > 0:
            await self._clock.sleep(left)

    async def acknowledge(self, checkpoint: str, outcome: Outcome) -> None:  # noqa: ARG002 - only that it is durable counts
        """Acknowledge the messages of the batch that ends at this checkpoint. Raises FeedFault; it is tried again later."""
        await self._leases.acknowledge(self._told.pop(checkpoint, []))

    async def take_snapshot(self, locations: Collection[str]) -> SnapshotSource | None:  # noqa: ARG002
        """None: nobody listens at the other end. A snapshot comes in parts, or from the feed named by snapshot_from."""
        return None

    async def read_key(self, sku: str) -> KeyReading | None:  # noqa: ARG002
        """None: a queue answers no questions."""
        return None

    async def look_up_order(self, reference: str) -> OrderLookup | None:
        """Raise FeedFault: silence of a queue does not mean that the order is unknown."""
        raise FeedFault(f"{self.name} is a queue and cannot be asked for order {reference[:64]!r}")

    def trust(self, tls: ssl.SSLContext) -> None:
        """Verify certificates with this from now on; connections in use keep theirs."""
        self._subscription.caller.trust(tls)

    async def close(self) -> None:
        """Give back what is held, and release connections."""
        await self._leases.close()

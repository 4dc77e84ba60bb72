"""Messages put together to one batch: of one epoch, in the order of their places. Knows no call and no clock."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from archsyncd.adapters.pubsub.place import Place, Standing
from archsyncd.domain.feed import (
    PAYLOAD_LIMIT_BYTES,
    Batch,
    Record,
    Reject,
    SnapshotClosing,
    SnapshotPart,
)
from archsyncd.wire.pubsub import Delivered
from archsyncd.wire.r247_messages import Message

PAYLOAD_SHOWN: Final = PAYLOAD_LIMIT_BYTES


class Gathering:
    """Takes messages until one belongs elsewhere."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.ack_ids: list[str] = []
        self._epoch: str | None = None
        self._standing = Standing.VOID
        self._records: list[Record] = []
        self._rejects: list[Reject] = []
        self._parts: list[SnapshotPart] = []
        self._closings: list[SnapshotClosing] = []
        self._attempts = 0

    @property
    def size(self) -> int:
        """About how many records were taken."""
        items = sum(len(part.items) for part in self._parts)
        return len(self._records) + len(self._rejects) + items

    def take(self, delivered: Delivered, message: Message) -> bool:
        """Take a message, unless it is of another epoch than those before it."""
        message = self._of_our_feed(delivered, message)
        if message.epoch is not None and not self._enters(message.epoch, delivered.published_ms):
            return False
        if self.place.feed is None and message.feed is not None:
            self.place = replace(self.place, feed=message.feed)
        self.ack_ids.append(delivered.ack_id)
        self._attempts = max(self._attempts, delivered.attempt)
        self._records += message.records
        self._rejects += message.rejects
        self._parts += [message.part] if message.part is not None else []
        self._closings += [message.closing] if message.closing is not None else []
        return True

    def _enters(self, epoch: str, published_ms: int | None) -> bool:
        if self._epoch not in (None, epoch):
            return False
        standing, place = self.place.beside(epoch, published_ms)
        if self._epoch is not None and standing is not self._standing:
            return False
        self._epoch, self._standing, self.place = epoch, standing, place
        return True

    def _of_our_feed(self, delivered: Delivered, message: Message) -> Message:
        """Positions of two feeds cannot be compared: what is of another one is set aside."""
        if None in (self.place.feed, message.feed) or message.feed == self.place.feed:
            return message
        reason = (
            f"a message is of the feed {message.feed!r}, and this subscription tells of {self.place.feed!r}: their places cannot "
            "be compared. Give each feed a subscription of its own; if that one is not ours, state the right one as source_feed"
        )
        payload = (delivered.data or b"")[:PAYLOAD_SHOWN]
        spoilt = Reject(
            "other_feed", reason, "/attributes/feed", record_id=delivered.message_id or None, payload=payload
        )
        return Message(rejects=(spoilt,))

    def batch(self, name: str, *, more: bool) -> Batch:
        """What was taken, under a checkpoint of its own."""
        self.place = replace(self.place, told=self.place.told + 1)
        counts = (
            self._standing is not Standing.VOID if self._epoch is not None else self.place.epoch is not None
        )
        return Batch(
            feed=name,
            epoch=self._epoch or self.place.epoch or "",
            records=tuple(sorted(self._records, key=lambda record: record.seq)),
            rejects=tuple(self._rejects),
            checkpoint=self.place.checkpoint,
            more=more,
            ordered=False,
            void=not counts,
            parts=tuple(self._parts),
            closings=tuple(self._closings),
            attempts=self._attempts,
        )

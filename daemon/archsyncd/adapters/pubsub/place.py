"""Where a subscription's reading stands, as a checkpoint: the source's feed, the epoch that counts and those before it.

Pub/Sub keeps the place itself; what is remembered here tells a late message of an epoch that the source has left from the
first one of a new epoch, whatever the order they come in.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

LEFT_LIMIT: Final = 16


class Standing(Enum):
    """What a message's epoch is to the reading. VOID: one that was left before the one that counts was ever met."""

    COUNTS = "counts"
    LEFT = "left"
    VOID = "void"


@dataclass(frozen=True, slots=True)
class Place:
    """`since_ms`: when the first message of the epoch was published, as far as one was met. `told`: batches so far.

    `left` are epochs that counted once, `void` those that were left before they were met.
    """

    feed: str | None = None
    epoch: str | None = None
    since_ms: int | None = None
    left: tuple[str, ...] = ()
    told: int = 0
    void: tuple[str, ...] = ()

    @classmethod
    def of(cls, checkpoint: str | None) -> Place:
        """The place that a checkpoint tells; one that cannot be read is the beginning."""
        try:
            fields = json.loads(checkpoint or "{}")
            return cls(
                fields.get("feed"),
                fields.get("epoch"),
                fields.get("since"),
                tuple(fields.get("left", ())),
                fields.get("n", 0),
                tuple(fields.get("void", ())),
            )
        except (ValueError, AttributeError, TypeError):
            return cls()

    @property
    def checkpoint(self) -> str:
        """The place as a text."""
        fields = {
            "feed": self.feed,
            "epoch": self.epoch,
            "since": self.since_ms,
            "left": self.left,
            "n": self.told,
            "void": self.void,
        }
        return json.dumps(fields, separators=(",", ":"))

    def beside(self, epoch: str, published_ms: int | None) -> tuple[Standing, Place]:
        """What a message of this epoch, published then, is; and the place after it."""
        if epoch == self.epoch:
            return Standing.COUNTS, self._earlier(published_ms)
        if epoch in self.left:
            return Standing.LEFT, self
        if epoch in self.void:
            return Standing.VOID, self
        if self.epoch is None:
            return Standing.COUNTS, replace(self, epoch=epoch, since_ms=published_ms)
        if published_ms is not None and self.since_ms is not None and published_ms < self.since_ms:
            # The order of delivery says nothing: this one was published before the epoch that counts began. What a publisher
            # that was slow to stop says of it later is as void.
            return Standing.VOID, replace(self, void=(*self.void, epoch)[-LEFT_LIMIT:])
        left = (*self.left, self.epoch)[-LEFT_LIMIT:]
        return Standing.COUNTS, replace(self, epoch=epoch, since_ms=published_ms, left=left)

    def _earlier(self, published_ms: int | None) -> Place:
        if published_ms is None or (self.since_ms is not None and self.since_ms <= published_ms):
            return self
        return replace(self, since_ms=published_ms)

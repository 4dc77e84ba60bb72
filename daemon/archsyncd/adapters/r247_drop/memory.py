"""What became of earlier files, remembered through their receipts. Knows no content; bounded, oldest out."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import Final

from archsyncd.adapters.r247_drop.directory import RECEIPTS, DropDirectory
from archsyncd.wire.drop_names import DropName, Receipt, is_later, read_name, read_receipt

RECEIPT_ENDING: Final = ".ack.json"
RECEIPT_LIMIT_BYTES: Final = 64 * 1024
REMEMBERED: Final = 5_000


@dataclass(slots=True)
class Memory:
    """Digests, numbers and epochs of the newest files that were dealt with."""

    _by_digest: dict[str, Receipt] = field(default_factory=dict)
    _passed: dict[tuple[str, int], None] = field(default_factory=dict)
    _epochs: dict[str, None] = field(default_factory=dict)

    def load(self, directory: DropDirectory, feed: str) -> None:
        """Read the newest receipts of this feed. Raises OSError."""
        found = (read_name(one.removesuffix(RECEIPT_ENDING)) for one in directory.names(RECEIPTS))
        own = (name for name in found if name is not None and name.feed == feed)
        for name in reversed(heapq.nlargest(REMEMBERED, own, key=lambda name: name.file_seq)):
            data = directory.read_small(RECEIPTS, name.text + RECEIPT_ENDING, RECEIPT_LIMIT_BYTES)
            receipt = None if data is None else read_receipt(data)
            if receipt is not None:
                self.learn(name, receipt)

    def learn(self, name: DropName, receipt: Receipt) -> None:
        """Remember a file. What was refused left nothing behind and may come again."""
        if receipt.epoch:
            self._epochs[receipt.epoch] = None
        if receipt.passed:
            self._passed[receipt.epoch, name.file_seq] = None
        if receipt.sha256 and receipt.status in {"applied", "partial", "held", "duplicate"}:
            self._by_digest.setdefault(receipt.sha256, receipt)
        for kept in (self._by_digest, self._passed, self._epochs):
            while len(kept) > REMEMBERED:
                del kept[next(iter(kept))]  # type: ignore[arg-type]

    def knows_epoch(self, epoch: str) -> bool:
        """Whether a file of this epoch was dealt with."""
        return epoch in self._epochs

    def passed(self, epoch: str, file_seq: int) -> bool:
        """Whether the sequence went on behind this file."""
        return (epoch, file_seq) in self._passed

    def first_of(self, sha256: str, as_of: str | None, *, has_ids: bool, full: bool) -> str | None:
        """Name the file that said this before, None when it is news.

        Ids are unique for ever, so the same bytes with ids are the same records (section 1). Without ids, or in a full
        file, the same bytes captured later are a new statement: stock that came back to where it was.
        """
        earlier = self._by_digest.get(sha256)
        if earlier is None:
            return None
        restated = (full or not has_ids) and is_later(as_of, earlier.as_of)
        return None if restated else earlier.file

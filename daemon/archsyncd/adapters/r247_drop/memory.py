"""What became of earlier files, remembered through their receipts. Knows no content; bounded, oldest out."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from archsyncd.adapters.r247_drop.directory import RECEIPTS, DropDirectory
from archsyncd.adapters.r247_drop.naming import name_of
from archsyncd.adapters.r247_drop.options import DropOptions
from archsyncd.wire.drop_names import (
    DropCheckpoint,
    DropName,
    Kind,
    Receipt,
    is_later,
    read_receipt,
)

RECEIPT_ENDING: Final = ".ack.json"
RECEIPT_LIMIT_BYTES: Final = 64 * 1024
REMEMBERED: Final = 5_000


@dataclass(slots=True)
class Memory:
    """Digests, numbers and epochs of the newest files that were dealt with.

    The database may be older than the receipts (a restored backup): what it says it has read counts, never a receipt.
    """

    _by_digest: dict[str, tuple[DropName, Receipt]] = field(default_factory=dict)
    _skipped: dict[tuple[str, int], int] = field(default_factory=dict)
    _applied: dict[tuple[str, int], None] = field(default_factory=dict)
    _epochs: dict[str, int] = field(default_factory=dict)
    _names: dict[tuple[str, int], str] = field(default_factory=dict)
    _refused: dict[tuple[str, int], str] = field(default_factory=dict)
    _held: dict[str, tuple[DropName, Receipt]] = field(default_factory=dict)

    def load(self, directory: DropDirectory, options: DropOptions) -> None:
        """Read the newest receipts of this feed. Raises OSError."""
        feed = options.feed_in_names
        found = (name_of(one.removesuffix(RECEIPT_ENDING), options) for one in directory.names(RECEIPTS))
        own = (name for name in found if name is not None and name.feed == feed)
        known: list[tuple[DropName, Receipt]] = []
        for name in heapq.nlargest(REMEMBERED, own, key=lambda name: name.file_seq):
            data = directory.read_small(RECEIPTS, name.text + RECEIPT_ENDING, RECEIPT_LIMIT_BYTES)
            receipt = None if data is None else read_receipt(data)
            if receipt is not None:
                known.append((name, receipt))
        for name, receipt in sorted(known, key=lambda one: (one[1].at, one[0].file_seq)):
            self.learn(name, receipt)

    def learn(self, name: DropName, receipt: Receipt) -> None:
        """Remember a file. What was refused left nothing behind and may come again."""
        place = (receipt.epoch, name.file_seq)
        if receipt.epoch:
            self._epochs.setdefault(receipt.epoch, len(self._epochs))
        if receipt.passed and name.kind is Kind.FULL and receipt.status in {"held", "rejected"}:
            self._skipped[place] = name.file_seq - 1 if receipt.follows is None else receipt.follows
        elif receipt.passed:
            self._applied[place] = None
        if receipt.passed:
            self._names[place] = name.text
            self._refused.pop(place, None)
        elif receipt.status == "rejected":
            self._refused[place] = name.text
        if receipt.status == "held":
            self._held[name.text] = (name, receipt)
        elif name.text in self._held and self._held[name.text][1].sha256 == receipt.sha256:
            del self._held[name.text]
        if receipt.sha256 and receipt.status in {"applied", "partial", "held", "duplicate"}:
            self._by_digest.setdefault(receipt.sha256, (name, receipt))
        for table in self._tables():
            _bound(table)

    def _tables(self) -> Iterator[dict[Any, Any]]:
        yield from (self._by_digest, self._skipped, self._applied, self._epochs)
        yield from (self._names, self._refused, self._held)

    def name_at(self, epoch: str, file_seq: int) -> str:
        """What the file of a number was called behind which the sequence went on; "" where that is not known any more."""
        return self._names.get((epoch, file_seq), "")

    def refused_at(self, epoch: str, file_seq: int) -> str | None:
        """The file of a number that was refused, and that has not come in a better form since."""
        return self._refused.get((epoch, file_seq))

    def held(self) -> Sequence[tuple[DropName, Receipt]]:
        """Full files whose receipt says that they are held."""
        return tuple(self._held.values())

    def left(self, epoch: str, current: str) -> bool:
        """Whether the source had this epoch before the current one."""
        first, now = self._epochs.get(epoch), self._epochs.get(current)
        return first is not None and now is not None and first < now

    def skipped_after(self, epoch: str, file_seq: int) -> int | None:
        """Which file stood before this full one, which was not applied and behind which the sequence went on."""
        return self._skipped.get((epoch, file_seq))

    def only_skipped_between(self, epoch: str, first: int, last: int) -> bool:
        """Whether the sequence led from one number to the other over files that left nothing behind."""
        while last > first:
            before = self._skipped.get((epoch, last))
            if before is None or before >= last:
                return False
            last = before
        return last == first

    def applied(self, epoch: str, file_seq: int) -> bool:
        """Whether a file of this number was applied, by this database or by a newer one that is gone."""
        return (epoch, file_seq) in self._applied

    def reached(self, epoch: str) -> int:
        """The highest number of this epoch that was applied, by this database or by one that is gone; 0: none."""
        return max((number for known, number in self._applied if known == epoch), default=0)

    def first_of(
        self, sha256: str, name: DropName, as_of: str | None, last: DropCheckpoint, *, has_ids: bool
    ) -> str | None:
        """Name the file that said this before, None when it is news to a database that has read up to `last`.

        Ids are unique for ever, so the same bytes with ids are the same records (section 1). Without ids, or in a full
        file, the same bytes captured later are a new statement: stock that came back to where it was.
        """
        earlier = self._by_digest.get(sha256)
        if earlier is None:
            return None
        first, receipt = earlier
        if receipt.epoch == last.epoch:
            if first.file_seq > last.file_seq:
                return None
        elif not self.left(receipt.epoch, last.epoch):
            return None
        again = name.kind is Kind.FULL or not has_ids
        # A name without a time tells by its number which of the two is newer.
        later = as_of is None and name.file_seq > first.file_seq
        return None if again and (later or is_later(as_of, receipt.as_of)) else receipt.file


def _bound(table: dict[Any, Any]) -> None:
    while len(table) > REMEMBERED:
        del table[next(iter(table))]

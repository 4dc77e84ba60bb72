"""One file in hand, from its claim to its receipt: what became of its records, and where it ends up."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from archsyncd.adapters.r247_drop.directory import DONE, ERROR, IN, RECEIPTS, WORK, DropDirectory
from archsyncd.adapters.r247_drop.memory import RECEIPT_ENDING, RECEIPT_LIMIT_BYTES
from archsyncd.domain.feed import Outcome, SnapshotStatus
from archsyncd.wire.drop_names import (
    MANIFEST_ENDING,
    DropName,
    Receipt,
    decided_receipt,
    encode_progress,
    encode_refusal,
    read_progress,
    read_receipt,
)

PROGRESS_ENDING: Final = ".progress"
REFUSAL_ENDING: Final = ".err.json"
# The receipt of the last further file of a name of which one was taken.
FURTHER: Final = ".2"
TAKEN: Final = frozenset({"applied", "partial", "held"})


@dataclass(slots=True)
class Work:
    """A claimed file. `status` empty: it follows from the counts. `passed`: the sequence goes on behind it.

    `follows`: the number of the file before it in its sequence, where it was met in its turn. `ended`: all of it was read before
    a restart. `place`: the file that its receipt is named after, once that was written.
    """

    name: DropName
    epoch: str = ""
    as_of: str | None = None
    sha256: str = ""
    status: str = ""
    code: str = ""
    reasons: tuple[str, ...] = ()
    passed: bool = False
    follows: int | None = None
    counted: bool = True
    ended: bool = False
    place: str = ""
    outcome: Outcome = field(default_factory=Outcome)

    def receipt(self, at: str) -> Receipt:
        """Make the receipt as things stand."""
        return Receipt(
            file=self.name.text,
            sha256=self.sha256,
            status=self.status or self._status_by_counts(),
            outcome=self.outcome,
            at=at,
            epoch=self.epoch,
            as_of=self.as_of,
            passed=self.passed,
            follows=self.follows,
            reasons=self.reasons,
            counted=self.counted,
            code=self.code,
        )

    def _status_by_counts(self) -> str:
        if self.outcome.rejected == 0:
            return "applied"
        return "partial" if self.outcome.rejected < self.outcome.read else "rejected"


def resume(work: Work, directory: DropDirectory, line: int) -> None:
    """Take up the counts of what was read before a restart. Raises OSError."""
    data = directory.read_small(WORK, work.name.text + PROGRESS_ENDING, RECEIPT_LIMIT_BYTES)
    known = None if data is None else read_progress(data)
    if known is not None and known[0] <= line:
        work.outcome = known[1]
    # What was committed just before the restart may be missing from the counts; then the receipt says so.
    work.counted = known is not None and known[0] == line


def note_progress(work: Work, directory: DropDirectory, line: int) -> None:
    """Keep the counts for a restart. Raises OSError."""
    name = work.name.text + PROGRESS_ENDING
    directory.write(WORK, name, encode_progress(line, work.outcome), durable=False)


def settle(work: Work, directory: DropDirectory, at: str) -> Receipt:
    """Write the receipt, durably, and only then move the file to where it ends. Raises OSError; may be repeated."""
    name = work.name.text
    receipt = _written(work, work.receipt(at), directory)
    target = ERROR if receipt.status == "rejected" else DONE
    if target == ERROR:
        refusal = encode_refusal(name, work.code or "rejected", work.reasons, at)
        directory.write(ERROR, name + REFUSAL_ENDING, refusal)
    directory.remove(WORK, name + PROGRESS_ENDING)
    directory.put_away(target, name)
    if directory.look(WORK, name + MANIFEST_ENDING) is not None:
        directory.put_away(target, name + MANIFEST_ENDING)
    return receipt


def _written(work: Work, receipt: Receipt, directory: DropDirectory) -> Receipt:
    """Write a receipt; what holds in the end.

    A file that was taken keeps its own: what a further file of its name comes to that is not taken stands beside it.
    """
    first = known_receipt(receipt.file, directory)
    if work.ended and first is not None and first.sha256 == receipt.sha256:
        return first  # written before the restart, with all counts
    if not work.place:
        work.place = receipt.file
        if first is not None and first.status in TAKEN and receipt.status not in TAKEN:
            work.place = receipt.file + FURTHER
    directory.write(RECEIPTS, work.place + RECEIPT_ENDING, receipt.encode())
    return receipt


def renew(
    name: DropName, status: SnapshotStatus, outcome: Outcome, directory: DropDirectory, at: str
) -> Receipt | None:
    """Tell in its receipt what became of a full that was held; None where the receipt is gone. Raises OSError."""
    data = directory.read_small(RECEIPTS, name.text + RECEIPT_ENDING, RECEIPT_LIMIT_BYTES)
    renewed = None if data is None else decided_receipt(data, status, outcome, at)
    if renewed is None:
        return None
    directory.write(RECEIPTS, name.text + RECEIPT_ENDING, renewed)
    return read_receipt(renewed)


def known_receipt(file: str, directory: DropDirectory) -> Receipt | None:
    """The receipt of a file as it lies there, None where none does. Raises OSError."""
    data = directory.read_small(RECEIPTS, file + RECEIPT_ENDING, RECEIPT_LIMIT_BYTES)
    return None if data is None else read_receipt(data)


def claim(name: str, directory: DropDirectory) -> bool:
    """Take a file and its manifest into work/; False when it is gone. Raises OSError."""
    if directory.look(WORK, name) is None and not directory.claim(name):
        return False
    if directory.look(WORK, name + MANIFEST_ENDING) is None:
        directory.move(IN, WORK, name + MANIFEST_ENDING)
    return True

"""One file in hand, from its claim to its receipt: what became of its records, and where it ends up."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from archsyncd.adapters.r247_drop.directory import DONE, ERROR, IN, RECEIPTS, WORK, DropDirectory
from archsyncd.adapters.r247_drop.memory import RECEIPT_ENDING, RECEIPT_LIMIT_BYTES
from archsyncd.domain.feed import Outcome
from archsyncd.wire.drop_names import (
    MANIFEST_ENDING,
    DropName,
    Receipt,
    encode_progress,
    encode_refusal,
    read_progress,
)

PROGRESS_ENDING: Final = ".progress"
REFUSAL_ENDING: Final = ".err.json"


@dataclass(slots=True)
class Work:
    """A claimed file. `status` empty: it follows from the counts. `passed`: the sequence goes on behind it.

    `follows`: the number of the file before it in its sequence, where it was met in its turn.
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
    receipt = work.receipt(at)
    name = work.name.text
    directory.write(RECEIPTS, name + RECEIPT_ENDING, receipt.encode())
    target = ERROR if receipt.status == "rejected" else DONE
    if target == ERROR:
        refusal = encode_refusal(name, work.code or "rejected", work.reasons, at)
        directory.write(ERROR, name + REFUSAL_ENDING, refusal)
    directory.remove(WORK, name + PROGRESS_ENDING)
    directory.put_away(target, name)
    if directory.look(WORK, name + MANIFEST_ENDING) is not None:
        directory.put_away(target, name + MANIFEST_ENDING)
    return receipt


def claim(name: str, directory: DropDirectory) -> bool:
    """Take a file and its manifest into work/; False when it is gone. Raises OSError."""
    if directory.look(WORK, name) is None and not directory.claim(name):
        return False
    if directory.look(WORK, name + MANIFEST_ENDING) is None:
        directory.move(IN, WORK, name + MANIFEST_ENDING)
    return True

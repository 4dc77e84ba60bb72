"""The two folders of the order desk: what is written for the source, and what it answers. Knows no order and no content.

The folders are opened for each call and closed after it: calls run beside each other in threads, and a directory that was
replaced meanwhile (a mount that came back) is met as it is. All of it blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from archsyncd.adapters.r247_drop.directory import DropDirectory, reason_of, staged_for
from archsyncd.wire.r247_order_files import ACK_ENDING, ACK_LIMIT_BYTES
from archsyncd.wire.r247_values import Unreadable

OUT: Final = "orders/out"
ACK: Final = "orders/ack"
DESK_FOLDERS: Final = (OUT, ACK)


class OrderFiles:
    """Files by the name of what was written; an answer goes by the name of what it answers. Raises OSError."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def answer(self, name: str) -> bytes | None:
        """What lies there as the answer, up to one byte more than the limit; None: nothing yet.

        Raises Unreadable for what cannot be read or is no plain file: passed over, it would be waited for in vain.
        """
        with self._opened() as directory:
            try:
                return directory.read_plain(ACK, name + ACK_ENDING, ACK_LIMIT_BYTES)
            except FileNotFoundError:
                return None
            except OSError as fault:
                raise Unreadable(reason_of(fault)) from None

    def withdraw(self, name: str) -> None:
        """Remove an answer, so that the next one is told from it."""
        with self._opened() as directory:
            directory.remove(ACK, name + ACK_ENDING)

    def lies_there(self, name: str) -> bool:
        """Whether the source has not taken the file away."""
        with self._opened() as directory:
            return directory.look(OUT, name) is not None

    def settled_as(self, name: str, data: bytes) -> bool:
        """Whether the very same file lies there; then, when this returns, it does so durably."""
        with self._opened() as directory:
            if directory.read_small(OUT, name, len(data)) != data:
                return False
            # An earlier call may have failed between the name and its durability.
            directory.sync(OUT)
            return True

    def stage(self, name: str, data: bytes) -> None:
        """Write a file, durably, under a name that the source passes over."""
        with self._opened() as directory:
            directory.stage(OUT, name, data)

    def publish(self, name: str) -> None:
        """Give a staged file its name, durably."""
        with self._opened() as directory:
            directory.publish(OUT, name)

    def holds_unanswered(self, is_meant: Callable[[str], bool]) -> bool:
        """Whether such a file lies there without an answer. What was only staged for one is removed."""
        found = False
        staged: list[str] = []
        with self._opened() as directory:
            for name in directory.names(OUT):
                begun = staged_for(name)
                if begun is not None and is_meant(begun):
                    staged.append(name)
                elif is_meant(name) and directory.look(ACK, name + ACK_ENDING) is None:
                    found = True
            for name in staged:
                directory.remove(OUT, name)
        return found

    @contextmanager
    def _opened(self) -> Iterator[DropDirectory]:
        directory = DropDirectory(self.path, DESK_FOLDERS)
        directory.refresh()
        try:
            yield directory
        finally:
            directory.close()

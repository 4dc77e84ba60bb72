"""Notices a source whose cursors lead in a circle, in constant memory. Pure."""

from __future__ import annotations


class Rounds:
    """Remembers one token at a time, further and further apart (Brent): every circle is met within three rounds."""

    def __init__(self) -> None:
        self._kept: str | None = None
        self._steps = 0
        self._power = 1

    def repeats(self, token: str) -> bool:
        """Whether this token came before, as far as one remembered token can tell."""
        if token == self._kept:
            return True
        self._steps += 1
        if self._steps == self._power:
            self._kept, self._power, self._steps = token, self._power * 2, 0
        return False

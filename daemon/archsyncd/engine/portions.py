"""Asking for many things in portions that become smaller where an answer was too large. Knows not what is asked for.

commercetools refuses what is too much at once (413, 414, QueryTimedOut, QueryComplexityLimitExceeded): half of it is asked
for then, down to one thing, and ever more again once that goes well (fault 82).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TypeVar

from archsyncd.domain.inventory import Failure, TooLarge

T = TypeVar("T")
Answer = TypeVar("Answer")


# Whole portions that must go well before twice as much is asked for: a refused answer may have cost as much as many good ones.
PATIENCE = 4


class Portion:
    """How much is asked for at once, at most `limit`."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._good = 0
        self.now = limit

    def too_large(self, asked: int) -> None:
        """So many were too many: half of them next."""
        self._good = 0
        self.now = max(1, asked // 2)

    def went_well(self, asked: int) -> None:
        """So many were none too many: after a few whole portions twice as many are tried."""
        self._good += asked >= self.now
        if self._good >= PATIENCE:
            self._good = 0
            self.now = min(self._limit, self.now * 2)


async def in_portions(
    things: Sequence[T], portion: Portion, ask: Callable[[Sequence[T]], Awaitable[Answer | Failure]]
) -> AsyncIterator[tuple[Sequence[T], Answer | Failure]]:
    """Ask for all of them; each portion with its answer. TooLarge comes with one thing alone, and the others follow.

    Any other failure comes with everything that was not asked for yet, and is the last.
    """
    at = 0
    while at < len(things):
        part = things[at : at + portion.now]
        answer = await ask(part)
        if isinstance(answer, TooLarge) and len(part) > 1:
            portion.too_large(len(part))
            continue
        if isinstance(answer, Failure) and not isinstance(answer, TooLarge):
            yield things[at:], answer
            return
        if not isinstance(answer, TooLarge):
            portion.went_well(len(part))
        at += len(part)
        yield part, answer

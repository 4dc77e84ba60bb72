"""A cause of a verdict, and how bad it is. What codes mean stands in domain/explained; knows no figure and no threshold."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from archsyncd.domain.explained import REASONS, told


class Level(IntEnum):
    """How bad it is; the value is the exit status of `archsyncctl status --check`."""

    HEALTHY = 0
    DEGRADED = 1
    CRITICAL = 2

    @property
    def word(self) -> str:
        """The word that people and programs read."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Reason:
    """One cause: how bad, a stable code, what is the matter, and the next step."""

    level: Level
    code: str
    says: str
    next_step: str


def because(level: Level, code: str, says: str, **names: str) -> Reason:
    """A cause whose next step is the one that is told of its code everywhere; `names`: what stands for its placeholders."""
    return Reason(level, code, says, told(REASONS[code].next_step, names))

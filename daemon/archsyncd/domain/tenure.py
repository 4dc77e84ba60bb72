"""The tenure: who may write, in a form that every durable step can compare."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tenure:
    """The right to write: the holder's name, its fence (a newer tenure has a higher one), and the ledger it writes for."""

    name: str
    fence: int
    ledger: str

"""The tenure: who may write, in a form that every durable step can compare."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

# The tenure of a daemon that only plans: its own database is its to write, commercetools is not.
PLANNING: Final = "planning"
# The tenure of a writer that is known by its marker on an entry alone.
ANOTHER: Final = "another"


@dataclass(frozen=True, slots=True)
class Tenure:
    """The right to write: the holder's name, its fence (a newer tenure has a higher one), and the ledger it writes for."""

    name: str
    fence: int
    ledger: str

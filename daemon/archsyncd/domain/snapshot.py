"""A snapshot as it is kept while it is read, held for a person, or applied."""

from __future__ import annotations

from dataclasses import dataclass

from archsyncd.domain.guard import BatchFigures


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot as kept. States: reading, held, applying, applied, rejected."""

    id: str
    feed: str
    state: str
    epoch: str
    seq_at: int
    cursor: str | None
    as_of: str | None
    locations: tuple[str, ...]
    records: int
    rejected: int
    digest: str
    reasons: tuple[str, ...]
    figures: BatchFigures | None
    at_ms: int


@dataclass(frozen=True, slots=True)
class LevelChange:
    """What a snapshot would make of one level, in pieces of the figure that its location sells by.

    None: not stated, or not known.
    """

    location: str
    sku: str
    before: int | None
    after: int | None

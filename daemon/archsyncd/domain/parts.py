"""A snapshot that was sent in parts and is whole. Knows neither messages nor storage."""

from __future__ import annotations

from dataclasses import dataclass

from archsyncd.domain.feed import SnapshotClosing


@dataclass(frozen=True, slots=True)
class Sending:
    """All parts of it have come. `epoch` is the source's name of its epoch."""

    feed: str
    epoch: str
    closing: SnapshotClosing

"""What must be known to read one drop directory; knows no file."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from archsyncd.wire.csv_file import DELIMITERS
from archsyncd.wire.profile.profile import Profile

MEBIBYTE: Final = 1024 * 1024


class Readiness(StrEnum):
    """How a file is known to be whole: its manifest came, it was renamed into place, or it stopped growing."""

    MANIFEST = "manifest"
    RENAME = "rename"
    STABLE = "stable"


@dataclass(frozen=True, slots=True, kw_only=True)
class DropOptions:
    """One directory. Raises ValueError for values that make no sense.

    `source_feed` is the feed's name in file names (None: `name`). `epoch` stands for what only a manifest could tell: the
    epoch of the files. The directory is looked at every `scan_seconds`; there is no watching that could miss a file.
    `profile`: how files are read, and named if it says so; then `delimiter` means nothing.
    """

    name: str
    directory: Path
    source_feed: str | None = None
    ready: Readiness = Readiness.MANIFEST
    delimiter: str = ","
    epoch: str = "files"
    gap_grace_seconds: float = 60.0
    stable_seconds: float = 10.0
    scan_seconds: float = 1.0
    batch_records: int = 1_000
    names_limit: int = 10_000
    file_limit_bytes: int = 2_048 * MEBIBYTE
    plain_limit_bytes: int = 8_192 * MEBIBYTE
    array_limit_bytes: int = 64 * MEBIBYTE
    compression_limit: int = 200
    profile: Profile | None = None

    def __post_init__(self) -> None:
        if self.delimiter not in DELIMITERS:
            raise ValueError("delimiter: one of comma, semicolon and tab")
        if not 1 <= self.batch_records <= 1_000:  # noqa: PLR2004 - the contract of a batch
            raise ValueError("batch_records: 1 to 1000")
        if self.scan_seconds <= 0:
            raise ValueError("scan_seconds: more than 0")

    @property
    def feed_in_names(self) -> str:
        """The feed's name as files carry it."""
        return self.source_feed or self.name

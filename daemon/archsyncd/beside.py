"""The files that a configuration names beside itself, and which of them say something else by now. Reads none of their rules."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from archsyncd.config import Settings

UNREAD = "unread"


def contents_beside(settings: Settings) -> Mapping[str, str]:
    """What each file holds, as a digest, by the key that names it; `UNREAD` for one that cannot be read."""
    named = {
        "rollout.skus_file": settings.rollout.skus_file,
        "goods.kits_file": settings.goods.kits_file,
        "aliases.file": settings.aliases.file,
        "units.file": settings.units.file,
        **{f"channels.{name}.skus_file": one.skus_file for name, one in settings.channels.items()},
        **{f"feed.{feed.name}.profile": feed.profile for feed in settings.feeds},
    }
    return {key: _digest(path) for key, path in named.items() if path is not None}


def changed_beside(before: Mapping[str, str], now: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """Files named as before that hold something else: those that a reload reads, and those that need a restart."""
    changed = [key for key, digest in now.items() if before.get(key, digest) != digest]
    profiles = [key for key in changed if key.endswith(".profile")]
    return [key for key in changed if key not in profiles], profiles


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return UNREAD

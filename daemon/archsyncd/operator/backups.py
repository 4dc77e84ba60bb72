"""A backup of the store while it is used: written beside, verified, and only then given its name. Knows one directory."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Awaitable, Callable
from itertools import islice
from pathlib import Path
from urllib.parse import quote

from archsyncd.adapters.sqlite.connection import BACKUPS
from archsyncd.operator.protocol import EXIT_USAGE, Refusal

NAME_LIMIT_CHARACTERS = 200
SCAN_LIMIT_FILES = 10_000


def backup_path(state_directory: Path, wanted: str) -> Path:
    """Where a backup goes: a bare name below `backups`, or a path inside the state directory. Raises Refusal.

    No path outside is opened: the daemon would write there with its own rights at the word of whoever may ask it.
    """
    inside = state_directory.resolve()
    if not wanted.isprintable() or wanted.endswith("/") or Path(wanted).name in {"", ".", ".."}:
        raise Refusal("The backup needs a file name.", EXIT_USAGE)
    target = Path(wanted) if "/" in wanted else inside / BACKUPS / wanted
    target = target.parent.resolve() / target.name
    if (
        not target.is_absolute()
        or not target.is_relative_to(inside)
        or len(target.name) > NAME_LIMIT_CHARACTERS
    ):
        raise Refusal(
            f"Backups are written below {inside} only: give a bare name, and copy {inside / BACKUPS}/NAME."
        )
    return target


def newest_backup_ms(state_directory: Path) -> int | None:
    """When the newest backup was written (UTC milliseconds), among the first 10,000 files; None without one."""
    newest = None
    try:
        with os.scandir(state_directory / BACKUPS) as found:
            for entry in islice(found, SCAN_LIMIT_FILES):
                if not entry.name.startswith(".") and entry.is_file(follow_symlinks=False):
                    newest = max(newest or 0, entry.stat(follow_symlinks=False).st_mtime_ns // 1_000_000)
    except OSError:
        return newest
    return newest


async def write_backup(target: Path, copy: Callable[[Path], Awaitable[None]]) -> int:
    """Make the backup and verify it; its size in bytes. Raises Refusal and leaves nothing half done."""
    partial = target.with_name(f".{target.name}.partial")
    try:
        await asyncio.to_thread(_prepare, target, partial)
        await copy(partial)
        return await asyncio.to_thread(_verify_and_name, partial, target)
    except FileExistsError:
        raise Refusal(f"{target} exists already; nothing was overwritten.") from None
    except (OSError, sqlite3.Error) as error:
        raise Refusal(f"The backup {target} could not be made: {error}") from error
    finally:
        await asyncio.to_thread(_discard, partial)


def _prepare(target: Path, partial: Path) -> None:
    if target.parent.name == BACKUPS:
        target.parent.mkdir(mode=0o700, exist_ok=True)
    if target.exists():
        raise FileExistsError(target)
    _discard(partial)
    os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))


def _verify_and_name(partial: Path, target: Path) -> int:
    connection = sqlite3.connect(f"file:{quote(str(partial))}?mode=ro&immutable=1", uri=True)
    try:
        answer = connection.execute("PRAGMA quick_check(1)").fetchone()
        ledger = connection.execute("SELECT count(*) FROM ledger").fetchone()
    finally:
        connection.close()
    if answer != ("ok",) or ledger != (1,):
        raise sqlite3.DatabaseError("the copy does not verify")
    _sync(partial)
    # A link never replaces what another made meanwhile.
    os.link(partial, target)
    _sync(target.parent)
    return target.stat().st_size


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _discard(partial: Path) -> None:
    for leftover in (
        partial,
        *(partial.with_name(partial.name + end) for end in ("-journal", "-wal", "-shm")),
    ):
        leftover.unlink(missing_ok=True)

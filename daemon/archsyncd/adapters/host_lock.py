"""One process per state directory, and a place where a database is safe. Knows no database, only its path.

The database itself is never opened here: closing a second descriptor of it would drop SQLite's own locks.
Rules: faults 37 and 161; sqlite.org, "How To Corrupt An SQLite Database File", sections 2.1 to 2.6.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from archsyncd.domain.fatal import EXIT_CONFIGURATION, EXIT_FENCED_OFF, Fatal

LOCK_NAME: Final = "lock"
_NOTE_LIMIT_BYTES: Final = 64

# Locks, shared memory and fsync are not dependable there.
_NETWORK_FILESYSTEMS: Final = frozenset(
    [
        "9p",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "coda",
        "davfs",
        "gfs",
        "gfs2",
        "glusterfs",
        "gpfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "ocfs2",
        "orangefs",
        "pvfs2",
        "smb2",
        "smb3",
        "smbfs",
        "virtiofs",
    ]
)
# What lies there is gone with the container or with the next boot.
_PASSING_FILESYSTEMS: Final = frozenset({"overlay", "aufs", "tmpfs", "ramfs"})
_OCTAL: Final = re.compile(r"\\([0-7]{3})")


class HostLock:
    """An exclusive lock in the state directory, held until `release` or the end of the process."""

    def __init__(self, descriptor: int, path: Path) -> None:
        """Use `take`."""
        self._descriptor = descriptor
        self.path = path

    def release(self) -> None:
        """Let go; more than once is harmless. The file stays: removing it would let two hold it."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            # Said aloud, because a child between fork and exec still has the descriptor for a moment.
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            os.close(descriptor)


def take(state_directory: Path, pid: int) -> HostLock:
    """Lock the state directory for this process. Raises Fatal: 73 when another process holds it, 78 when it is unusable.

    The descriptor is closed on exec: no helper program inherits the lock (fault 23).
    """
    path = state_directory / LOCK_NAME
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        descriptor = os.open(path, flags, 0o600)
    except OSError as error:
        raise Fatal(EXIT_CONFIGURATION, f"cannot open {path}: {error.strerror}") from None
    try:
        _lock(descriptor, path)
        _note(descriptor, pid)
    except BaseException:
        os.close(descriptor)
        raise
    return HostLock(descriptor, path)


def _lock(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Fatal(EXIT_FENCED_OFF, _taken(descriptor, path)) from None
    except OSError as error:
        raise Fatal(EXIT_CONFIGURATION, f"cannot lock {path}: {error.strerror}") from None
    with contextlib.suppress(OSError):
        if os.path.samestat(os.fstat(descriptor), path.lstat()):
            return
    raise Fatal(EXIT_FENCED_OFF, f"{path} was replaced while it was being locked; start again")


def _taken(descriptor: int, path: Path) -> str:
    holder = os.pread(descriptor, _NOTE_LIMIT_BYTES, 0).decode("ascii", "replace").strip()
    who = f"another archsyncd (process {holder})" if holder.isdecimal() else "another archsyncd"
    return f"{who} already uses {path.parent}; stop it first, or give this one a state directory of its own"


def _note(descriptor: int, pid: int) -> None:
    # For the sentence above only; on a full disk the lock holds without it.
    with contextlib.suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{pid}\n".encode(), 0)


@dataclass(frozen=True, slots=True)
class DatabasePlace:
    """Where the database lies. `warnings` are sentences for the operator; `filesystem` as the kernel names it."""

    filesystem: str
    warnings: tuple[str, ...]


def check_database_place(
    path: Path, lock: HostLock | None = None, mounts: Path = Path("/proc/self/mountinfo")
) -> DatabasePlace:
    """Check that one file under one name on a local disk will be, or is, the database (fault 37).

    Raises Fatal 78: on a network filesystem, when the file is a link, has a second name, is no regular file or belongs
    to somebody else, or does not lie beside `lock`, which would then protect something else.
    """
    if lock is not None and path.parent.resolve() != lock.path.parent.resolve():
        raise _refused(f"{path} does not lie beside its lock {lock.path}")
    _check_file(path)
    filesystem = filesystem_of(path.parent.resolve(), mounts)
    if filesystem in _NETWORK_FILESYSTEMS or filesystem.startswith("fuse."):
        raise _refused(
            f"{path} lies on the network filesystem {filesystem}, where SQLite's locks do not hold; move the state "
            "directory to a local disk"
        )
    if filesystem in _PASSING_FILESYSTEMS:
        return DatabasePlace(
            filesystem, (f"{path} lies on {filesystem}: it is lost when the container or the machine goes",)
        )
    return DatabasePlace(filesystem, ())


def still_there(path: Path, device_and_inode: tuple[int, int]) -> bool:
    """Whether this path still names the file that was opened: not moved, replaced or removed under the process."""
    try:
        found = path.lstat()
    except OSError:
        return False
    return (found.st_dev, found.st_ino) == device_and_inode


def identity(path: Path) -> tuple[int, int]:
    """Device and inode of the file, for `still_there`. Raises OSError."""
    found = path.lstat()
    return found.st_dev, found.st_ino


def _check_file(path: Path) -> None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    except OSError as error:
        raise _refused(f"cannot look at {path}: {error.strerror}") from None
    if not stat.S_ISREG(found.st_mode):
        raise _refused(
            f"{path} is a link or no regular file; SQLite keeps its log beside the name it was given"
        )
    if found.st_nlink != 1:
        raise _refused(
            f"{path} has {found.st_nlink} names (hard links); a second one would open it past the lock"
        )
    if found.st_uid != os.geteuid():
        raise _refused(f"{path} belongs to user {found.st_uid}; this process runs as user {os.geteuid()}")


def filesystem_of(directory: Path, mounts: Path) -> str:
    """The type of the filesystem that holds this directory, "unknown" when it cannot be told."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return "unknown"
    longest, found = -1, "unknown"
    for line in lines:
        words, separator, rest = line.partition(" - ")
        fields = words.split(" ")
        if not separator or len(fields) <= _MOUNT_POINT:
            continue
        point = Path(_OCTAL.sub(lambda code: chr(int(code[1], 8)), fields[_MOUNT_POINT]))
        # Of several mounts on one point the last covers the others.
        if directory.is_relative_to(point) and len(point.parts) >= longest:
            longest, found = len(point.parts), rest.split(" ")[0]
    return found


_MOUNT_POINT: Final = 4


def _refused(sentence: str) -> Fatal:
    return Fatal(EXIT_CONFIGURATION, sentence)

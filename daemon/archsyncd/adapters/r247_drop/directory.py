"""The directory and its folders, touched by name inside opened folders only. Knows no order and no content.

No path is followed: folders are opened once, without following links, and files are opened below them the same way.
All of it blocks; callers use threads.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from archsyncd.adapters.r247_drop.options import MEBIBYTE

IN: Final = "in"
WORK: Final = "work"
DONE: Final = "done"
ERROR: Final = "error"
RECEIPTS: Final = "receipts"
FOLDERS: Final = (IN, WORK, DONE, ERROR, RECEIPTS)
COPIES_LIMIT: Final = 100
_FOLDER_FLAGS: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Without O_NONBLOCK, opening a pipe would wait for its writer.
_FILE_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class DropDirectory:
    """The opened folders. Every method raises OSError as the system does."""

    def __init__(self, path: Path, folders: Sequence[str] = FOLDERS) -> None:
        """`folders`: names below the directory, a folder within a folder as `orders/out`."""
        self._path = path
        self._names = folders
        self._root = -1
        self._folders: dict[str, int] = {}

    def refresh(self) -> None:
        """Open what is not open, or open again what was replaced (a mount that came back): every folder or none."""
        here = os.stat(self._path)  # noqa: PTH116 - the descriptor below is compared with it
        if self._root >= 0:
            known = os.fstat(self._root)
            if (known.st_dev, known.st_ino) == (here.st_dev, here.st_ino):
                return
            self.close()
        self._root = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for folder in self._names:
                self._folders[folder] = self._open_folder(folder)
        except OSError:
            self.close()
            raise

    def _open_folder(self, folder: str) -> int:
        """Open a folder part by part, making what is missing: no part may be a link."""
        handle = os.dup(self._root)
        for part in folder.split("/"):
            above = handle
            try:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(part, 0o770, dir_fd=above)
                    os.fsync(above)  # a file in a folder that a power cut takes away is gone as well
                handle = os.open(part, _FOLDER_FLAGS, dir_fd=above)
            finally:
                os.close(above)
        return handle

    def close(self) -> None:
        """Close every folder."""
        for handle in (self._root, *self._folders.values()):
            if handle >= 0:
                os.close(handle)
        self._root, self._folders = -1, {}

    def names(self, folder: str) -> Iterator[str]:
        """Yield what lies in a folder, in no order."""
        with os.scandir(self._folders[folder]) as found:
            for entry in found:
                yield entry.name

    def look(self, folder: str, name: str) -> os.stat_result | None:
        """Return what is known of an entry itself, never of what a link points to; None when there is none."""
        try:
            return os.stat(name, dir_fd=self._folders[folder], follow_symlinks=False)
        except FileNotFoundError:
            return None

    def open(self, folder: str, name: str) -> int:
        """Open a plain file for reading. Raises OSError for links, pipes, devices and folders."""
        handle = os.open(name, _FILE_FLAGS, dir_fd=self._folders[folder])
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            os.close(handle)
            raise IsADirectoryError(f"{name} is no plain file")
        return handle

    def read_small(self, folder: str, name: str, limit_bytes: int) -> bytes | None:
        """Read a small file whole, up to one byte more than the limit; None when there is no plain file of the name."""
        try:
            return self.read_plain(folder, name, limit_bytes)
        except (FileNotFoundError, IsADirectoryError):
            return None
        except OSError as fault:
            if fault.errno == errno.ELOOP:
                return None
            raise

    def read_plain(self, folder: str, name: str, limit_bytes: int) -> bytes:
        """Read a small file whole, up to one byte more than the limit. Raises OSError for what is no plain file."""
        with os.fdopen(self.open(folder, name), "rb") as file:
            return file.read(limit_bytes + 1)

    def move(self, source: str, target: str, name: str, as_name: str | None = None) -> None:
        """Rename an entry from folder to folder; nothing is followed. A missing one is no fault: it was moved."""
        with contextlib.suppress(FileNotFoundError):
            os.rename(
                name,
                as_name or name,
                src_dir_fd=self._folders[source],
                dst_dir_fd=self._folders[target],
            )

    def claim(self, name: str) -> bool:
        """Move a file from in/ to work/; False when somebody else was first."""
        try:
            os.rename(name, name, src_dir_fd=self._folders[IN], dst_dir_fd=self._folders[WORK])
        except FileNotFoundError:
            return False
        return True

    def put_away(self, target: str, name: str) -> None:
        """Move a file from work/ to where it ends, beside an earlier one of the same name."""
        kept = name
        for copy in range(2, COPIES_LIMIT):
            if self.look(target, kept) is None:
                break
            kept = f"{name}.{copy}"
        self.move(WORK, target, name, kept)
        os.fsync(self._folders[target])
        os.fsync(self._folders[WORK])

    def write(self, folder: str, name: str, data: bytes, *, durable: bool = True) -> None:
        """Write a file under a temporary name and rename it; when it returns, it is on the disk (if `durable`)."""
        self.stage(folder, name, data, durable=durable)
        self.publish(folder, name, durable=durable)

    def stage(self, folder: str, name: str, data: bytes, *, durable: bool = True) -> None:
        """Write a file under its temporary name, which no reader looks at."""
        where, temporary = self._folders[folder], temporary_name(name)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=where)
        handle = os.open(temporary, _NEW_FLAGS, 0o640, dir_fd=where)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                if durable:
                    os.fsync(handle)
        except OSError:
            self._drop_temporary(where, temporary)
            raise

    def publish(self, folder: str, name: str, *, durable: bool = True) -> None:
        """Give a staged file its name."""
        where, temporary = self._folders[folder], temporary_name(name)
        try:
            os.rename(temporary, name, src_dir_fd=where, dst_dir_fd=where)
        except OSError:
            self._drop_temporary(where, temporary)
            raise
        if durable:
            self.sync(folder)

    def _drop_temporary(self, where: int, temporary: str) -> None:
        with contextlib.suppress(OSError):
            os.unlink(temporary, dir_fd=where)

    def sync(self, folder: str) -> None:
        """Have the folder's names on the disk."""
        os.fsync(self._folders[folder])

    def remove(self, folder: str, name: str) -> None:
        """Remove a file of our own making, if it is there."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self._folders[folder])


def temporary_name(name: str) -> str:
    """The name under which a file is written before it gets its own."""
    return f".{name}.tmp"


def reason_of(fault: OSError) -> str:
    """What the system refuses, in words."""
    return fault.strerror or str(fault) or type(fault).__name__


def staged_for(name: str) -> str | None:
    """The name that a file under a temporary one was to get; None for any other."""
    wanted = name.removeprefix(".").removesuffix(".tmp")
    return wanted if temporary_name(wanted) == name else None


def chunks(handle: int, size_bytes: int = MEBIBYTE) -> Iterator[bytes]:
    """Yield a file's bytes from its beginning."""
    at = 0
    while data := os.pread(handle, size_bytes, at):
        at += len(data)
        yield data

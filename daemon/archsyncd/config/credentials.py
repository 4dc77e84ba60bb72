"""Reads secrets from credential files and keeps them out of every text. Does not know what a secret is used for.

Rule: secrets come only through LoadCredential= or LoadCredentialEncrypted=, read from
$CREDENTIALS_DIRECTORY, or from the directory given with --credentials for a run by hand. A directory that is loaded whole
(LoadCredential=archsyncd:/etc/archsyncd/credentials, as the unit does) has its id before each file's name.
"""

import errno
import hmac
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NoReturn

from archsyncd.config.faults import CredentialFault, CredentialMissing

CREDENTIAL_LIMIT_BYTES: Final = 16384
_HIDDEN: Final = "Secret(hidden)"
PLACE: Final = "/etc/archsyncd/credentials"
DIRECTORY_ID: Final = "archsyncd_"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}\Z")


class Secret:
    """A secret text, shown by `reveal` alone: not in repr, str, formatting, logging, copies or pickles."""

    __slots__ = ("__text",)

    def __init__(self, text: str) -> None:
        self.__text = text

    def reveal(self) -> str:
        """The secret itself. Call it where the request is built, and keep the answer nowhere."""
        return self.__text

    def __repr__(self) -> str:
        return _HIDDEN

    __str__ = __repr__

    def __format__(self, _specification: str) -> str:
        return _HIDDEN

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self.reveal().encode(), other.reveal().encode())

    __hash__ = None  # type: ignore[assignment]  # a hash would be a shadow of the text

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        raise TypeError("a Secret is never copied or stored")


def credential_directory(given: Path | None, environment: Mapping[str, str]) -> Path | None:
    """The directory of the credential files: the one given by hand, else $CREDENTIALS_DIRECTORY, else None."""
    if given is not None:
        return given
    named = environment.get("CREDENTIALS_DIRECTORY", "")
    return Path(named) if named else None


def read_credential(directory: Path, name: str, limit_bytes: int = CREDENTIAL_LIMIT_BYTES) -> Secret:
    """The secret in `directory`/`name`, without one newline at its end.

    Raises CredentialFault, whose text names the credential and says how to provide it: when the file is missing,
    unreadable, no regular file, empty, longer than `limit_bytes`, no UTF-8, or holds a NUL.
    """
    if not _NAME.match(name):
        raise CredentialFault(name, "a credential's name is 1 to 128 letters, digits, '.', '_' or '-'")
    try:
        return _secret(directory / name, name, limit_bytes)
    except _NotThere:
        pass
    try:
        return _secret(directory / f"{DIRECTORY_ID}{name}", name, limit_bytes)
    except _NotThere:
        raise missing(name, directory) from None


def has_credential(directory: Path, name: str) -> bool:
    """Whether there is a file for this credential, under either name; what may not be looked at counts as there."""
    try:
        found = {entry.name for entry in os.scandir(directory)}
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return bool(found & {name, f"{DIRECTORY_ID}{name}"})


def read_secret(file: Path) -> Secret:
    """The secret in a file of any name, under the same rules as `read_credential`."""
    try:
        return _secret(file, str(file), CREDENTIAL_LIMIT_BYTES, "write the new secret into it")
    except _NotThere:
        raise CredentialFault(
            str(file), f"{file} does not exist: give the file that holds the new secret"
        ) from None


class _NotThere(Exception):
    """There is no such file."""


def _secret(path: Path, name: str, limit_bytes: int, remedy: str = "") -> Secret:
    remedy = remedy or f"write the secret into {PLACE}/{name}"
    raw = _read(path, name, limit_bytes)
    if len(raw) > limit_bytes:
        raise _fault(name, f"is longer than {limit_bytes} bytes", "check that the right file was given")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise _fault(name, "is no UTF-8 text", "write the secret as plain text") from None
    text = text.removesuffix("\n").removesuffix("\r")
    if "\0" in text:
        raise _fault(name, "holds a NUL byte", "write the secret as plain text")
    if not text.strip():
        raise _fault(name, "is empty", remedy)
    return Secret(text)


def _read(path: Path, name: str, limit_bytes: int) -> bytes:
    try:
        # Not blocking: a pipe put there by mistake must not hang the start.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as cause:
        if cause.errno in {errno.ENOENT, errno.ENOTDIR}:
            raise _NotThere from None
        raise _fault(
            name, f"cannot be opened ({_reason(cause)})", "check the file's owner and mode"
        ) from None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise _fault(name, "is not a regular file", "give a file that holds the secret")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(limit_bytes + 1)
    except OSError as cause:
        raise _fault(name, f"cannot be read ({_reason(cause)})", "check the file") from None
    finally:
        os.close(descriptor)


def missing(name: str, directory: Path | None) -> CredentialFault:
    """The fault of a credential that is not there; `directory` None means that none was named at all."""
    where = (
        f"is missing in {directory}"
        if directory
        else "cannot be looked for, as no credentials directory is set"
    )
    remedy = f"write the secret into {PLACE}/{name} and start the service again, or give --credentials DIR for a run by hand"
    return CredentialMissing(name, f"the credential {name} {where}: {remedy}")


def _fault(name: str, trouble: str, remedy: str) -> CredentialFault:
    return CredentialFault(name, f"the credential {name} {trouble}: {remedy}")


def _reason(cause: OSError) -> str:
    return os.strerror(cause.errno) if cause.errno else "unknown reason"

"""The kinds of values a key may have: what is allowed, in words and in code. Knows no key and no file.

Every kind has `allowed`, a phrase that follows "must be", and `read`, which gives the value that the program works with
or raises Refused.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import time
from enum import StrEnum
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any, Final

from archsyncd.config.faults import nearest, path_text, quoted

_WORD_LIMIT_CHARACTERS: Final = 1024
_SOCKET_PATH_LIMIT_BYTES: Final = 107
_MOST_ITEMS: Final = 100
_SHOWN_ITEMS: Final = 10
_SHOWN_DEPTH: Final = 3
_LARGEST_SHOWN_BITS: Final = 128


class Refused(Exception):
    """A value is not allowed. `secret` says that it carries a secret, which then must be shown nowhere.

    `index` is the place in a list at which the refused value stands.
    """

    def __init__(
        self,
        allowed: str,
        suggestion: str | None = None,
        *,
        secret: bool = False,
        index: int | None = None,
    ) -> None:
        self.allowed = allowed
        self.suggestion = suggestion
        self.secret = secret
        self.index = index
        super().__init__(allowed)


class Kind(ABC):
    """What a key may hold."""

    __slots__ = ()

    @property
    def allowed(self) -> str:
        """A phrase that follows "must be"."""
        return self._phrase()

    def read(self, value: object) -> Any:
        """The value the program works with. Raises Refused."""
        return self._read(value)

    @abstractmethod
    def _phrase(self) -> str: ...

    @abstractmethod
    def _read(self, value: object) -> Any: ...

    def refusal(self, suggestion: str | None = None) -> Refused:
        """A refusal that says what is allowed."""
        return Refused(f"must be {self.allowed}", suggestion)


@dataclass(frozen=True, slots=True)
class Flag(Kind):
    """true or false."""

    def _phrase(self) -> str:
        return "true or false"

    def _read(self, value: object) -> bool:
        if isinstance(value, bool):
            return value
        meant = {"true": "true", "yes": "true", "on": "true", "1": "true"}
        denied = {"false": "false", "no": "false", "off": "false", "0": "false"}
        raise self.refusal((meant | denied).get(as_toml(value).strip('"').casefold()))


@dataclass(frozen=True, slots=True)
class Whole(Kind):
    """A whole number within bounds."""

    least: int
    most: int

    def _phrase(self) -> str:
        return f"a whole number from {self.least} to {self.most}"

    def _read(self, value: object) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and self.least <= value <= self.most:
            return value
        raise self.refusal(self._meant(value))

    def _meant(self, value: object) -> str | None:
        digits = isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value)
        whole = isinstance(value, float) and value.is_integer()
        number = int(value) if isinstance(value, str | float) and (digits or whole) else None
        return str(number) if number is not None and self.least <= number <= self.most else None


@dataclass(frozen=True, slots=True)
class Word(Kind):
    """A text on one line; `pattern` must match all of it, `phrase` says so in words. Empty only where `empty` says."""

    phrase: str = "a text on one line"
    pattern: str = ""
    empty: bool = False
    most_characters: int = _WORD_LIMIT_CHARACTERS

    def _phrase(self) -> str:
        return f'{self.phrase}, or ""' if self.empty else self.phrase

    def _read(self, value: object) -> str:
        if not isinstance(value, str):
            plain = (
                isinstance(value, int)
                and not isinstance(value, bool)
                and value.bit_length() <= _LARGEST_SHOWN_BITS
            )
            raise self.refusal(quoted(as_toml(value)) if plain else None)
        if not value and self.empty:
            return value
        if (
            not value
            or len(value) > self.most_characters
            or not value.isprintable()
            or value != value.strip()
        ):
            raise self.refusal()
        if self.pattern and not re.fullmatch(self.pattern, value):
            raise self.refusal()
        return value


@dataclass(frozen=True, slots=True)
class Choice(Kind):
    """One of a few words; with `members`, the enumeration's member of that value."""

    words: tuple[str, ...]
    members: type[StrEnum] | None = None

    def _phrase(self) -> str:
        told = [quoted(word) for word in self.words]
        return f"{', '.join(told[:-1])} or {told[-1]}" if len(told) > 1 else told[0]

    def _read(self, value: object) -> str:
        if isinstance(value, str) and value in self.words:
            return self.members(value) if self.members else value
        near = nearest(value, self.words) if isinstance(value, str) else None
        raise self.refusal(quoted(near) if near else None)


@dataclass(frozen=True, slots=True)
class ListOf(Kind):
    """A list of values of one kind, each once."""

    item: Kind
    least: int = 0

    def _phrase(self) -> str:
        some = "" if self.least == 0 else f" of at least {self.least}"
        return f"a list{some}, each {self.item.allowed}"

    def _read(self, value: object) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise self.refusal(f"[{quoted(value)}]" if isinstance(value, str) and self._fits(value) else None)
        if not self.least <= len(value) <= _MOST_ITEMS:
            raise Refused(f"must be {self.allowed} (at most {_MOST_ITEMS})")
        kept: list[Any] = []
        for index, item in enumerate(value):
            read = self._item(item, index)
            if read in kept:
                raise Refused("must name each value once", index=index)
            kept.append(read)
        return tuple(kept)

    def _item(self, item: object, index: int) -> Any:
        try:
            return self.item.read(item)
        except Refused as refused:
            raise Refused(refused.allowed, refused.suggestion, secret=refused.secret, index=index) from None

    def _fits(self, value: object) -> bool:
        try:
            self.item.read(value)
        except Refused:
            return False
        return True


@dataclass(frozen=True, slots=True)
class NumbersByName(Kind):
    """A table of whole numbers by names of the administrator's own."""

    name: Kind
    number: Whole
    most: int = _MOST_ITEMS

    def _phrase(self) -> str:
        return f"a table that gives {self.number.allowed} to each name"

    def _read(self, value: object) -> Mapping[str, int]:
        if not isinstance(value, dict) or not 1 <= len(value) <= self.most:
            raise Refused(f"must be {self.allowed} (1 to {self.most} of them)")
        for name, number in value.items():
            self._part(self.name, name, f"the name {quoted(name)}")
            self._part(self.number, number, f"{quoted(name)}")
        return MappingProxyType(dict(value))

    def _part(self, kind: Kind, value: object, what: str) -> None:
        try:
            kind.read(value)
        except Refused as refused:
            raise Refused(f"must be {self.allowed}: {what} {refused.allowed}", refused.suggestion) from None


@dataclass(frozen=True, slots=True)
class FilePath(Kind):
    """A path in the file system; absolute unless `relative` says that one beside the configuration will do."""

    relative: bool = False
    socket: bool = False

    def _phrase(self) -> str:
        base = "a path, absolute or relative to this file" if self.relative else "an absolute path"
        return f"{base} of at most {_SOCKET_PATH_LIMIT_BYTES} bytes" if self.socket else base

    def _read(self, value: object) -> Path:
        if not isinstance(value, str) or not value.strip() or not value.isprintable():
            raise self.refusal()
        path = PurePosixPath(value)
        if len(value) > _WORD_LIMIT_CHARACTERS or ".." in path.parts:
            raise Refused(f"must be {self.allowed}, without '..'")
        if not self.relative and not path.is_absolute():
            raise self.refusal(
                quoted("/" + value) if value.startswith(("etc/", "var/", "run/", "srv/")) else None
            )
        if self.socket and len(value.encode()) > _SOCKET_PATH_LIMIT_BYTES:
            raise self.refusal()
        return Path(path)


class Section(Kind):
    """A table of keys; reading.py walks it, as its faults are many."""

    __slots__ = ()

    def _read(self, value: object) -> Any:
        raise NotImplementedError(f"a section is read key by key, not at once: {type(value).__name__}")


@dataclass(frozen=True, slots=True)
class Table(Section):
    """One table. `credential` names the file that holds this section's secret; {name} stands for the section's name."""

    settings: type[Any]
    credential: str = ""

    def _phrase(self) -> str:
        return "a table"


@dataclass(frozen=True, slots=True)
class TableList(Section):
    """Tables of one shape, one after the other."""

    settings: type[Any]
    credential: str = ""

    def _phrase(self) -> str:
        return "tables, each opened by its name in double brackets"


@dataclass(frozen=True, slots=True)
class TableMap(Section):
    """Tables of one shape by a name that the administrator gives (`names` says which names are allowed)."""

    settings: type[Any]
    names: Kind
    credential: str = ""

    def _phrase(self) -> str:
        return "a table of tables by name"


def as_toml(value: object, depth: int = 0) -> str:
    """A value as it is written in the file; what was not stated is shown as nothing at all. Deep nests are cut."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        # Python refuses to write out a number of thousands of digits.
        return str(value) if value.bit_length() <= _LARGEST_SHOWN_BITS else "a very large number"
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, time):
        return quoted(value.strftime("%H:%M"))
    if isinstance(value, list | tuple | Mapping):
        return _nest_as_toml(value, depth)
    return quoted(str(value))


def _nest_as_toml(value: Sequence[object] | Mapping[str, object], depth: int) -> str:
    most = _SHOWN_ITEMS if depth < _SHOWN_DEPTH else 0
    rest = ["…"] if most < len(value) else []
    if isinstance(value, Mapping):
        if not value:
            return "{}"
        told = [
            f"{path_text((name,))} = {as_toml(item, depth + 1)}" for name, item in list(value.items())[:most]
        ]
        return f"{{ {', '.join(told + rest)} }}"
    return f"[{', '.join([as_toml(item, depth + 1) for item in value[:most]] + rest)}]"

"""Finds where each key and value of a TOML text stands, by line and column. Knows no key's meaning and judges nothing.

The text has been accepted by `tomllib` before, which tells values but no places. A place is a courtesy: wherever this
scanner cannot follow the text it stops, and what lies beyond has the place of the table around it.
"""

import re
import tomllib
from bisect import bisect_right
from dataclasses import dataclass
from typing import Final

from archsyncd.config.faults import KeyPath

_DEPTH_LIMIT: Final = 32
_GAP: Final = re.compile(r"(?:[ \t\n]+|#[^\n]*)*")
_BLANK: Final = re.compile(r"[ \t]*")
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_QUOTED: Final = re.compile(r'"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'')
_TEXT: Final = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'',
    re.DOTALL,
)
_SCALAR: Final = re.compile(r"[^,\]}#\n]+")


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the text; both count from 1, columns in characters."""

    line: int
    column: int


class _Lost(Exception):
    """The scanner cannot follow the text."""


class Places:
    """Where keys and values stand, by path, for instance ("feed", 0, "url")."""

    def __init__(self, text: str) -> None:
        scan = _Scan(text.replace("\r\n", "\n"))
        scan.document()
        self._keys = scan.keys
        self._values = scan.values
        self._line_starts = [0, *(found.end() for found in re.finditer("\n", scan.text))]

    def key(self, path: KeyPath) -> Place:
        """Where the key is written; for one that is not, where its nearest written table is; else 1:1."""
        for length in range(len(path), 0, -1):
            if path[:length] in self._keys:
                return self._place(self._keys[path[:length]])
        return Place(1, 1)

    def value(self, path: KeyPath) -> Place:
        """Where the value is written; for one that is not, as `key`."""
        offset = self._values.get(path)
        return self.key(path) if offset is None else self._place(offset)

    def __contains__(self, path: KeyPath) -> bool:
        return path in self._keys

    def _place(self, offset: int) -> Place:
        line = bisect_right(self._line_starts, offset)
        return Place(line, offset - self._line_starts[line - 1] + 1)


class _Scan:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.keys: dict[KeyPath, int] = {}
        self.values: dict[KeyPath, int] = {}
        self._array_lengths: dict[KeyPath, int] = {}

    def document(self) -> None:
        table: KeyPath = ()
        try:
            while self._skip(_GAP) < len(self.text):
                if self.text[self.at] == "[":
                    table = self._header()
                else:
                    self._pair(table, 0)
        except _Lost:
            return

    def _header(self) -> KeyPath:
        start = self.at
        array = self.text.startswith("[[", start)
        self.at += 2 if array else 1
        path: KeyPath = ()
        names = self._names()
        for index, (name, _offset) in enumerate(names):
            path = (*path, name)
            if array and index == len(names) - 1:
                self._array_lengths[path] = self._array_lengths.get(path, 0) + 1
                self.keys.setdefault(path, start)
            if path in self._array_lengths:
                path = (*path, self._array_lengths[path] - 1)
            self.keys.setdefault(path, start)
        self._expect("]]" if array else "]")
        return path

    def _pair(self, table: KeyPath, depth: int) -> None:
        path = table
        for name, offset in self._names():
            path = (*path, name)
            self.keys.setdefault(path, offset)
        self._expect("=")
        self._skip(_BLANK)
        self._value(path, depth)

    def _names(self) -> list[tuple[str, int]]:
        names = [self._name()]
        while self._skip(_BLANK) < len(self.text) and self.text[self.at] == ".":
            self.at += 1
            names.append(self._name())
        return names

    def _name(self) -> tuple[str, int]:
        start = self._skip(_BLANK)
        bare = _BARE.match(self.text, start)
        if bare:
            self.at = bare.end()
            return bare.group(), start
        raw = self._take(_QUOTED)
        return next(iter(tomllib.loads(f"{raw} = 0"))), start

    def _value(self, path: KeyPath, depth: int) -> None:
        if depth > _DEPTH_LIMIT or self.at >= len(self.text):
            raise _Lost
        self.values[path] = self.at
        opening = self.text[self.at]
        if opening in "\"'":
            self._take(_TEXT)
        elif opening == "[":
            self._array(path, depth + 1)
        elif opening == "{":
            self._inline_table(path, depth + 1)
        else:
            self._take(_SCALAR)

    def _array(self, path: KeyPath, depth: int) -> None:
        self.at += 1
        index = 0
        while not self._closed("]"):
            self.keys[*path, index] = self.at
            self._value((*path, index), depth)
            index += 1
            self._comma()

    def _inline_table(self, path: KeyPath, depth: int) -> None:
        self.at += 1
        while not self._closed("}"):
            self._pair(path, depth)
            self._comma()

    def _closed(self, bracket: str) -> bool:
        if self._skip(_GAP) >= len(self.text):
            raise _Lost
        if self.text[self.at] != bracket:
            return False
        self.at += 1
        return True

    def _comma(self) -> None:
        self._skip(_GAP)
        if self.text.startswith(",", self.at):
            self.at += 1

    def _skip(self, pattern: re.Pattern[str]) -> int:
        found = pattern.match(self.text, self.at)
        self.at = found.end() if found else self.at
        return self.at

    def _take(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self.text, self.at)
        if not found:
            raise _Lost
        self.at = found.end()
        return found.group()

    def _expect(self, token: str) -> None:
        self._skip(_BLANK)
        if not self.text.startswith(token, self.at):
            raise _Lost
        self.at += len(token)

"""The text of a profile as a tree that knows where everything in it stands. Knows JSON and no key of a profile."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from dataclasses import dataclass
from typing import Any, Final

from archsyncd.wire.profile.faults import NodePath, ProfileFault, ProfileFaults, dotted
from archsyncd.wire.r247_values import Literal

TEXT_LIMIT_BYTES: Final = 1024 * 1024
DEPTH_LIMIT: Final = 24
_SPACE: Final = re.compile(r"[ \t\r\n]*+")
_STRING: Final = re.compile(r'"(?:[^"\\\n]++|\\.)*+"')
_SCALAR: Final = re.compile(r"-?[0-9][0-9.eE+-]*|true\b|false\b|null\b")
_WHOLE: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")


@dataclass(frozen=True, slots=True)
class Node:
    """One value and where it begins. `value`: dict or list of nodes, or a text, an int, a Literal, true, false, None."""

    value: Any
    line: int
    column: int

    def plain(self) -> Any:
        """Give the value without places."""
        if isinstance(self.value, dict):
            return {name: inner.plain() for name, inner in self.value.items()}
        if isinstance(self.value, list):
            return [inner.plain() for inner in self.value]
        return self.value.text if isinstance(self.value, Literal) else self.value

    def at(self, path: NodePath) -> Node:
        """Give the node at a path, or the last one on the way to it."""
        node = self
        for part in path:
            inner = node.value
            named = isinstance(inner, dict) and part in inner
            if not named and not (isinstance(inner, list) and part in range(len(inner))):
                break
            node = inner[part]
        return node


def parse_tree(data: bytes, file: str) -> Node:
    """Read the text. Raises ProfileFaults: no UTF-8, no JSON, too long, or a name that is stated twice."""
    if len(data) > TEXT_LIMIT_BYTES:
        raise ProfileFaults([ProfileFault(file, 1, 1, "", None, f"has more than {TEXT_LIMIT_BYTES} bytes")])
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as cause:
        line = data.count(b"\n", 0, cause.start) + 1
        raise ProfileFaults([ProfileFault(file, line, 1, "", None, "the file must be UTF-8 text")]) from None
    return _Parser(text, file).document()


class _Parser:
    def __init__(self, text: str, file: str) -> None:
        self._text = text
        self._file = file
        self._at = 0
        self._line_starts = [0, *(found.end() for found in re.finditer("\n", text))]
        self._repeats: list[ProfileFault] = []

    def document(self) -> Node:
        self._skip()
        node = self._node((), 0)
        self._skip()
        if self._at != len(self._text):
            raise self._broken("nothing may follow the profile", ())
        if self._repeats:
            raise ProfileFaults(self._repeats)
        return node

    def _node(self, path: NodePath, depth: int) -> Node:
        if depth > DEPTH_LIMIT:
            raise self._broken("is nested too deeply", path)
        line, column = self._place(self._at)
        sign = self._text[self._at : self._at + 1]
        if sign == "{":
            return Node(self._object(path, depth), line, column)
        if sign == "[":
            return Node(self._list(path, depth), line, column)
        return Node(self._scalar(path), line, column)

    def _object(self, path: NodePath, depth: int) -> dict[str, Node]:
        members: dict[str, Node] = {}
        while self._more("{", "}", path, first=not members):
            start = self._at
            name = self._string(path, "a name in double quotes is needed here")
            self._skip()
            if self._text[self._at : self._at + 1] != ":":
                raise self._broken("a colon is needed after a name", (*path, name))
            self._at += 1
            self._skip()
            node = self._node((*path, name), depth + 1)
            if name in members:
                line, column = self._place(start)
                where = dotted((*path, name))
                self._repeats.append(ProfileFault(self._file, line, column, where, None, "is stated twice"))
            members.setdefault(name, node)
        return members

    def _list(self, path: NodePath, depth: int) -> list[Node]:
        entries: list[Node] = []
        while self._more("[", "]", path, first=not entries):
            entries.append(self._node((*path, len(entries)), depth + 1))
        return entries

    def _more(self, opening: str, closing: str, path: NodePath, *, first: bool) -> bool:
        """Step over the bracket or comma before the next entry; False once the closing bracket was met."""
        if first:
            self._at += len(opening)
        self._skip()
        sign = self._text[self._at : self._at + 1]
        if sign == closing:
            self._at += 1
            return False
        if first:
            return True
        if sign != ",":
            raise self._broken(f"a comma or {closing} is needed here", path)
        self._at += 1
        self._skip()
        if self._text[self._at : self._at + 1] == closing:
            raise self._broken(f"no comma may stand before {closing}", path)
        return True

    def _scalar(self, path: NodePath) -> Any:
        if self._text[self._at : self._at + 1] == '"':
            return self._string(path, "this text does not end")
        found = _SCALAR.match(self._text, self._at)
        if found is None:
            raise self._broken(
                "a value is needed here: a text, a number, true, false, null, {…} or […]", path
            )
        written = found.group()
        self._at = found.end()
        if written in {"true", "false", "null"}:
            return {"true": True, "false": False, "null": None}[written]
        return int(written) if _WHOLE.fullmatch(written) else Literal(written)

    def _string(self, path: NodePath, complaint: str) -> str:
        found = _STRING.match(self._text, self._at)
        if found is None:
            raise self._broken(complaint, path)
        try:
            text: str = json.loads(found.group(), strict=False)
        except ValueError:
            raise self._broken("a backslash stands before something it cannot stand before", path) from None
        self._at = found.end()
        return text

    def _skip(self) -> None:
        found = _SPACE.match(self._text, self._at)
        self._at = found.end() if found else self._at

    def _place(self, offset: int) -> tuple[int, int]:
        line = bisect_right(self._line_starts, offset)
        return line, offset - self._line_starts[line - 1] + 1

    def _broken(self, says: str, path: NodePath) -> ProfileFaults:
        line, column = self._place(self._at)
        fault = ProfileFault(self._file, line, column, dotted(path), None, f"the profile is no JSON: {says}")
        return ProfileFaults([*self._repeats, fault])

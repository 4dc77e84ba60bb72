"""Takes values out of a profile's tree and notes every fault with its place. Knows no key of a profile."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Final, TypeVar

from archsyncd.wire.profile.faults import NodePath, ProfileFault, dotted, nearest, quoted
from archsyncd.wire.profile.paths import Path, parse_path
from archsyncd.wire.profile.tree import Node
from archsyncd.wire.r247_values import Literal

T = TypeVar("T")
TEXT_LIMIT_CHARACTERS: Final = 1000
LIST_LIMIT: Final = 500


class Draft:
    """A profile being read. `faults` grows; every getter gives a stand-in where it noted one."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.faults: list[ProfileFault] = []

    def fault(
        self, node: Node, path: NodePath, says: str, suggestion: str | None = None, *, shown: bool = True
    ) -> None:
        """Note what is wrong at a node."""
        value = _shown(node) if shown else None
        self.faults.append(
            ProfileFault(self.file, node.line, node.column, dotted(path), value, says, suggestion)
        )

    def members(self, node: Node, path: NodePath, known: Collection[str]) -> Mapping[str, Node]:
        """The members of an object that are known; every other one is a fault. `note` is for people and left out."""
        if not isinstance(node.value, dict):
            self.fault(node, path, "must be an object {…}")
            return {}
        for name, inner in node.value.items():
            if name not in known and name != "note":
                hint = nearest(name, known)
                says = "is no key of a profile" if not path else f"is no key of {dotted(path)}"
                self.fault(inner, (*path, name), says, hint)
        return {name: inner for name, inner in node.value.items() if name in known}

    def text(self, node: Node, path: NodePath, *, empty: bool = False) -> str:
        """A text that is not empty, unless that is allowed."""
        if not isinstance(node.value, str) or len(node.value) > TEXT_LIMIT_CHARACTERS:
            self.fault(node, path, "must be a text in double quotes")
            return ""
        if not node.value and not empty:
            self.fault(node, path, "must not be empty")
        return node.value

    def texts(self, node: Node, path: NodePath, *, empty: bool = False) -> tuple[str, ...]:
        """A text, or a list of them."""
        if not isinstance(node.value, list):
            return (self.text(node, path, empty=empty),)
        if not node.value or len(node.value) > LIST_LIMIT:
            self.fault(node, path, f"must list 1 to {LIST_LIMIT} texts")
        return tuple(
            self.text(one, (*path, place), empty=empty) for place, one in enumerate(node.value[:LIST_LIMIT])
        )

    def choice(self, node: Node, path: NodePath, allowed: Iterable[str]) -> str | None:
        """One of the allowed texts."""
        allowed = tuple(allowed)
        if isinstance(node.value, str) and node.value in allowed:
            return node.value
        hint = nearest(node.value, allowed) if isinstance(node.value, str) else None
        self.fault(node, path, f"must be one of {', '.join(map(quoted, allowed))}", hint)
        return None

    def flag(self, node: Node, path: NodePath) -> bool:
        """Tell whether it is true."""
        if not isinstance(node.value, bool):
            self.fault(node, path, "must be true or false")
            return False
        return node.value

    def whole(self, node: Node, path: NodePath, most: int) -> int:
        """A whole number from 0."""
        if type(node.value) is not int or not 0 <= node.value <= most:
            self.fault(node, path, f"must be a whole number from 0 to {most}")
            return 0
        return node.value

    def made(self, node: Node, path: NodePath, make: Callable[[str], T]) -> T | None:
        """What `make` makes of a text; its ValueError is the fault."""
        text = self.text(node, path)
        if not text:
            return None
        try:
            return make(text)
        except ValueError as fault:
            self.fault(node, path, str(fault))
            return None

    def path(self, node: Node, path: NodePath, *, from_top: bool = False) -> Path | None:
        """A path into the payload."""
        if isinstance(node.value, str) and node.value and not node.value.startswith("/"):
            self.fault(node, path, 'must be a path that begins with "/"', quoted("/" + node.value))
            return None
        return self.made(node, path, lambda text: parse_path(text, from_top=from_top))

    def paths(self, node: Node, path: NodePath) -> tuple[Path, ...]:
        """A path, or a list of them."""
        if not isinstance(node.value, list):
            found = self.path(node, path)
            return () if found is None else (found,)
        if not 1 <= len(node.value) <= LIST_LIMIT:
            self.fault(node, path, f"must list 1 to {LIST_LIMIT} paths")
        made = (self.path(one, (*path, place)) for place, one in enumerate(node.value[:LIST_LIMIT]))
        return tuple(one for one in made if one is not None)


def _shown(node: Node) -> str | None:
    if isinstance(node.value, dict | list):
        return None
    if isinstance(node.value, str):
        return quoted(node.value)
    if isinstance(node.value, Literal):
        return node.value.text[:40]
    return {True: "true", False: "false", None: "null"}.get(node.value, str(node.value))

"""Reads the values of a profile's `request` section and gathers what is wrong with them. Knows no key's meaning."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from typing import Any, Protocol, TypeVar

from archsyncd.wire.profile.faults import NodePath, ProfileFault, ProfileFaults, dotted, nearest, quoted

T = TypeVar("T")
NOTE = "note"  # anything, anywhere: for people


class Places(Protocol):
    """Where something stands in a profile."""

    @property
    def file(self) -> str:
        """How messages call the profile."""
        ...

    def line_of(self, path: NodePath) -> tuple[int, int]:
        """Line and column of what stands at this path."""
        ...


class Faults:
    """What is wrong with a section, by place."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._found: list[ProfileFault] = []
        self._paths: list[NodePath] = []

    def add(self, path: NodePath, says: str, value: Any = None, suggestion: str | None = None) -> None:
        """Note a fault; `value` is what stands there, None where nothing does."""
        self._paths.append(path)
        line, column = self._places.line_of(path)
        told = None if value is None else _shown(value)
        self._found.append(
            ProfileFault(self._places.file, line, column, dotted(path), told, says, suggestion)
        )

    def within(self, path: NodePath) -> bool:
        """Whether something at or below a path is wrong: rules that depend on it stay silent."""
        return any(one[: len(path)] == path for one in self._paths)

    def raise_any(self) -> None:
        """Raise ProfileFaults when there is any."""
        if self._found:
            raise ProfileFaults(self._found)


class Section:
    """One object of the profile, whose members are asked for by name; what was not asked for is a fault in the end."""

    def __init__(self, value: Mapping[str, Any], path: NodePath, faults: Faults) -> None:
        self.path = path
        self.faults = faults
        self._value = value
        self._known: list[str] = []

    def has(self, name: str) -> bool:
        """Whether a member is stated."""
        self._note(name)
        return self._value.get(name) is not None

    def raw(self, name: str) -> Any:
        """A member as it stands, None when it is not stated."""
        self._note(name)
        return self._value.get(name)

    def inner(self, name: str) -> Section | None:
        """A member that is an object, None when it is not stated or is none (which is a fault)."""
        value = self.raw(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            self.fault(name, "must be an object", value)
            return None
        return Section(value, (*self.path, name), self.faults)

    def text(self, name: str, read: Callable[[str], T], default: T) -> T:
        """A member that is a text, through `read`, whose ValueError says what is wrong with it."""
        value = self.raw(name)
        if value is None:
            return default
        if not isinstance(value, str):
            self.fault(name, "must be a text", value)
            return default
        try:
            return read(value)
        except ValueError as error:
            self.fault(name, str(error), value)
            return default

    def choice(self, name: str, words: Collection[str], default: str) -> str:
        """A member that is one of some words."""
        value = self.raw(name)
        if value is None:
            return default
        if value in words:
            return str(value)
        near = nearest(value, words) if isinstance(value, str) else None
        self.fault(name, f"must be one of {', '.join(words)}", value, quoted(near) if near else None)
        return default

    def whole(self, name: str, least: int, most: int, default: int) -> int:
        """A member that is a whole number."""
        value = self.raw(name)
        if value is None:
            return default
        if type(value) is int and least <= value <= most:
            return value
        self.fault(name, f"must be a whole number from {least} to {most}", value)
        return default

    def words(self, name: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
        """A member that is a text or a list of texts."""
        value = self.raw(name)
        if value is None:
            return default
        entries = [value] if isinstance(value, str) else value
        if not isinstance(entries, list) or not all(isinstance(one, str) and one for one in entries):
            self.fault(name, "must be a text or a list of texts", value)
            return default
        return tuple(entries)

    def numbers(self, name: str, least: int, most: int, default: tuple[int, ...]) -> tuple[int, ...]:
        """A member that is a whole number or a list of them."""
        value = self.raw(name)
        if value is None:
            return default
        entries = [value] if type(value) is int else value
        sound = isinstance(entries, list) and all(
            type(one) is int and least <= one <= most for one in entries
        )
        if not sound:
            self.fault(name, f"must be a number from {least} to {most}, or a list of such", value)
            return default
        return tuple(entries)

    def fault(self, name: str, says: str, value: Any = None, suggestion: str | None = None) -> None:
        """Note a fault of a member."""
        self.faults.add((*self.path, name), says, value, suggestion)

    def sound(self, name: str) -> bool:
        """Whether nothing at a member is wrong."""
        return not self.faults.within((*self.path, name))

    def done(self) -> None:
        """Every member that nobody asked for is one that nobody knows."""
        for name in self._value:
            if name not in self._known and name != NOTE:
                near = nearest(name, self._known)
                self.fault(name, "is not known here", None, quoted(near) if near else None)

    def _note(self, name: str) -> None:
        if name not in self._known:
            self._known.append(name)


def _shown(value: Any) -> str:
    if isinstance(value, dict | list):
        return "{…}" if isinstance(value, dict) else "[…]"
    return quoted(value) if isinstance(value, str) else json.dumps(value)

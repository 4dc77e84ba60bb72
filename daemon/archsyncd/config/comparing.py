"""Compares two configurations for a reload: what takes effect at once, and what needs a restart. Applies nothing."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from archsyncd.config.faults import KeyPath, path_text
from archsyncd.config.keys import Key, keys_of
from archsyncd.config.kinds import Table, TableList, TableMap
from archsyncd.config.settings import Settings


def changes(old: Settings, new: Settings) -> tuple[list[str], list[str]]:
    """The paths of changed keys: those that a reload applies, and those that need a restart.

    Feeds are told by name (`feed.main.url`); one that came or went needs a restart. A location, channel or owner that
    came or went is one path (`locations.WH3`) and is applied by a reload.
    """
    reloadable: list[str] = []
    restarting: list[str] = []
    for path, restart in _differences(Settings, old, new, ()):
        (restarting if restart else reloadable).append(path_text(path))
    return reloadable, restarting


def in_force(old: Settings, new: Settings) -> Settings:
    """The new settings as far as a reload applies them: what needs a restart keeps the value it was started with."""
    kept: Settings = _in_force(Settings, old, new)
    return kept


def _in_force(settings: type[Any], old: Any, new: Any) -> Any:
    values: dict[str, Any] = {}
    for key in keys_of(settings).values():
        kind, before, after = key.kind, getattr(old, key.field), getattr(new, key.field)
        if isinstance(kind, Table):
            values[key.field] = _in_force(kind.settings, before, after)
        elif isinstance(kind, TableMap):
            members = {
                name: _in_force(kind.settings, before.get(name, one), one) for name, one in after.items()
            }
            values[key.field] = MappingProxyType(members)
        elif isinstance(kind, TableList):
            fresh = _by_name(after)
            values[key.field] = tuple(
                _in_force(kind.settings, one, fresh.get(one.name, one)) for one in before
            )
        elif key.restart:
            values[key.field] = before
    return replace(new, **values)


def _differences(settings: type[Any], old: Any, new: Any, path: KeyPath) -> Iterator[tuple[KeyPath, bool]]:
    for key in keys_of(settings).values():
        before, after = getattr(old, key.field), getattr(new, key.field)
        if before != after:
            yield from _difference(key, before, after, (*path, key.name))


def _difference(key: Key, before: Any, after: Any, path: KeyPath) -> Iterator[tuple[KeyPath, bool]]:
    kind = key.kind
    if isinstance(kind, Table):
        yield from _differences(kind.settings, before, after, path)
    elif isinstance(kind, TableMap):
        yield from _members(kind.settings, before, after, path, restart=False)
    elif isinstance(kind, TableList):
        yield from _members(kind.settings, _by_name(before), _by_name(after), path, restart=True)
    else:
        yield path, key.restart


def _by_name(members: Any) -> Mapping[str, Any]:
    return {member.name: member for member in members}


def _members(
    settings: type[Any],
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    path: KeyPath,
    *,
    restart: bool,
) -> Iterator[tuple[KeyPath, bool]]:
    for name in dict.fromkeys([*before, *after]):
        if name not in before or name not in after:
            yield (*path, name), restart
        else:
            yield from _differences(settings, before[name], after[name], (*path, name))

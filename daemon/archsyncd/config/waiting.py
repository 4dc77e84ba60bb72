"""Finds what a person has set and this version does nothing with, from the declarations alone. Decides nothing."""

from collections.abc import Iterator
from typing import Any

from archsyncd.config.faults import KeyPath, path_text
from archsyncd.config.keys import keys_of
from archsyncd.config.kinds import Table, TableList, TableMap
from archsyncd.config.settings import Settings


def not_in_force(settings: Settings) -> tuple[str, ...]:
    """The paths of keys that are set to more than their default and that this version does nothing with.

    A key that is switched off ("", false, an empty list) is none of them: that is what happens.
    """
    return tuple(path_text(path) for path in _idle(Settings, settings, (), in_force=True))


def _idle(table: type[Any], values: Any, path: KeyPath, *, in_force: bool) -> Iterator[KeyPath]:
    for key in keys_of(table).values():
        value, kind = getattr(values, key.field), key.kind
        here, counts = (*path, key.name), in_force and key.in_force
        if isinstance(kind, Table):
            yield from _idle(kind.settings, value, here, in_force=counts)
        elif isinstance(kind, TableMap):
            for name, member in value.items():
                yield from _idle(kind.settings, member, (*here, name), in_force=counts)
        elif isinstance(kind, TableList):
            for member in value:
                yield from _idle(kind.settings, member, (*here, member.name), in_force=counts)
        elif not counts and value and value != key.default:
            yield here

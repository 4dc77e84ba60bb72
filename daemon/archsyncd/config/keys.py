"""How a key of the configuration is declared: beside its field in the settings. Knows no particular key.

The fields of the settings' dataclasses are the only list of keys. Reading, defaults, `explain`, the reload comparison
and the manual page all walk that list.
"""

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, fields
from functools import cache
from typing import Any, Final

from archsyncd.config.kinds import Kind, Section

_DECLARATION: Final = "archsyncd"


@dataclass(frozen=True, slots=True)
class Key:
    """One key: its name in the file, the field that holds it, what it may hold, one paragraph for people.

    `restart` says that a change needs a restart; other changes take effect with a reload.
    """

    name: str
    field: str
    kind: Kind
    says: str
    required: bool
    restart: bool
    default: Any = None

    @property
    def is_section(self) -> bool:
        """Whether this is a table of further keys."""
        return isinstance(self.kind, Section)


def key(kind: Kind, says: str, *, restart: bool = False, name: str = "") -> Mapping[str, Any]:
    """The metadata of a field that is a key. `name` is given where the file's name differs from the field's."""
    return {_DECLARATION: (kind, inspect.cleandoc(says), restart, name)}


def keys_of(settings: Any) -> Mapping[str, Key]:
    """The keys of one table (a settings class) by their name in the file, in the order of declaration."""
    return _kept(settings)


@cache
def _kept(settings: Any) -> Mapping[str, Key]:
    return {declared.name: declared for declared in _declared(settings)}


def _declared(settings: Any) -> Iterator[Key]:
    for field in fields(settings):
        kind, says, restart, name = field.metadata[_DECLARATION]
        given, default = _default(field)
        yield Key(
            name or field.name,
            field.name,
            kind,
            says,
            required=not given,
            restart=restart,
            default=default,
        )


def _default(field: Field[Any]) -> tuple[bool, Any]:
    if field.default_factory is not MISSING:
        return True, field.default_factory()
    if field.default is not MISSING:
        return True, field.default
    return False, None

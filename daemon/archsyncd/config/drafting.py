"""One reading in progress: the values so far, every fault with its place, and what was stated. Knows no key's meaning.

Rules over several keys look at the draft; a fault found in a value keeps the rules that depend on it silent.
"""

from typing import Any, Final

from archsyncd.config.faults import SHOWN_CHARACTERS, Fault, KeyPath, path_text
from archsyncd.config.keys import keys_of
from archsyncd.config.kinds import Table, TableList, TableMap, as_toml
from archsyncd.config.positions import Place, Places
from archsyncd.config.secrecy import secret_name, secret_value
from archsyncd.config.settings import Settings

_ANY_CREDENTIAL: Final = "a credential file"
_DEPTH_LOOKED_AT: Final = 6


class Draft:
    """What a reading knows. `settings` is complete once reading.py has walked the tree; wrong values are stand-ins."""

    def __init__(self, tree: dict[str, Any], places: Places, source: str) -> None:
        self.tree = tree
        self.source = source
        self.faults: list[Fault] = []
        self._places = places
        self._faulty: set[KeyPath] = set()
        self._tainted: set[KeyPath] = set()
        self.settings: Settings

    def fault(
        self,
        path: KeyPath,
        allowed: str,
        suggestion: str | None = None,
        *,
        value: object = None,
        at_key: bool = False,
        near: KeyPath | None = None,
    ) -> None:
        """Adds a fault. It stands at the value, or at the key with `at_key`, or at `near` when `path` is not written.

        `value` is shown unless it may be a secret.
        """
        place = self._place(path, at_key=at_key, near=near)
        told = None if value is None else _shown(path, value)
        self.faults.append(
            Fault(self.source, path_text(path), place.line, place.column, told, allowed, suggestion),
        )
        self._faulty.add(path)
        self._tainted.update(path[:length] for length in range(len(path)))

    def _place(self, path: KeyPath, *, at_key: bool, near: KeyPath | None) -> Place:
        if path not in self._places and near is not None:
            return self._places.value(near)
        return self._places.key(path) if at_key else self._places.value(path)

    def sound(self, *path: str | int) -> bool:
        """Whether neither this value nor anything around it or in it has a fault."""
        around = any(path[:length] in self._faulty for length in range(len(path) + 1))
        return not around and path not in self._tainted

    def stated(self, *path: str | int) -> bool:
        """Whether the file states this key."""
        found: Any = self.tree
        for part in path:
            named = isinstance(found, dict) and part in found
            counted = isinstance(found, list) and isinstance(part, int) and part < len(found)
            if not named and not counted:
                return False
            found = found[part]
        return True

    def credential(self, path: KeyPath) -> str:
        """The name of the credential file that holds the secret of the section at `path`, or words for any."""
        section = keys_of(Settings).get(str(path[0])) if path else None
        kind = section.kind if section else None
        named = kind.credential if isinstance(kind, Table | TableList | TableMap) else ""
        if not named:
            return _ANY_CREDENTIAL
        return f"the credential file {named.replace('{name}', self._name_of(path))}"

    def _name_of(self, path: KeyPath) -> str:
        tables = self.tree.get(str(path[0]))
        index = path[1] if len(path) > 1 else None
        table = tables[index] if isinstance(tables, list) and isinstance(index, int) else None
        name = table.get("name", "main") if isinstance(table, dict) else None
        return (
            name
            if isinstance(name, str) and name.isprintable() and len(name) <= SHOWN_CHARACTERS
            else "<name>"
        )


def _shown(path: KeyPath, value: object) -> str | None:
    named = next((part for part in reversed(path) if isinstance(part, str)), "")
    if _hides(named, value, 0):
        return None
    told = as_toml(value)
    return told if len(told) <= 2 * SHOWN_CHARACTERS else told[: 2 * SHOWN_CHARACTERS] + "…"


def _hides(name: str, value: object, depth: int) -> bool:
    if depth > _DEPTH_LOOKED_AT:
        return True
    if isinstance(value, dict):
        return any(_hides(inner, item, depth + 1) for inner, item in value.items())
    if isinstance(value, list):
        return any(_hides(name, item, depth + 1) for item in value)
    return isinstance(value, str) and (secret_name(name) or secret_value(value))

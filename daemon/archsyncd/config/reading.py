"""TOML text to settings, every fault at once and each with its place. Pure: opens no file, reads no environment."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

from archsyncd.config.crosscheck import check_rules
from archsyncd.config.drafting import Draft
from archsyncd.config.faults import Fault, KeyPath, in_file_order, nearest, path_text, quoted
from archsyncd.config.keys import Key, keys_of
from archsyncd.config.kinds import Kind, Refused, Section, Table, TableList, TableMap
from archsyncd.config.positions import Places
from archsyncd.config.secrecy import secret_name
from archsyncd.config.settings import Settings

TEXT_LIMIT_CHARACTERS: Final = 1024 * 1024
_AT: Final = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
_PLAINER: Final = (
    ("Cannot overwrite a value", "this key was given before; every key stands once"),
    ("Cannot declare", "this table was opened before; every table stands once"),
    (
        "Invalid value",
        'no value can be read here: texts stand in "double quotes", true and false in lower case',
    ),
    ("Expected '=' after a key", "a key is followed by = and a value"),
    ("Expected newline or end of document", "the line should end here"),
    ("Unterminated string", "a text that begins here or before lacks its closing quote"),
)


def read_settings(text: str, source: str) -> tuple[Settings | None, tuple[Fault, ...]]:
    """The settings of a TOML text, or None and every fault in it, in the order of the file.

    `source` is the file's name as shown in faults. Defaults fill what is not stated. Never raises for any text.
    """
    draft, faults = draft_of(text, source)
    if draft is None:
        return None, faults
    return (None, in_file_order(draft.faults)) if draft.faults else (draft.settings, ())


def draft_of(text: str, source: str) -> tuple[Draft | None, tuple[Fault, ...]]:
    """The draft of a TOML text with all its faults in it; None and one fault where the text is no TOML."""
    if len(text) > TEXT_LIMIT_CHARACTERS:
        return None, (
            _unreadable(source, 1, 1, f"a configuration has at most {TEXT_LIMIT_CHARACTERS} characters"),
        )
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as cause:
        return None, (_syntax_fault(source, text, str(cause)),)
    except RecursionError:
        return None, (_unreadable(source, 1, 1, "lists and tables are nested too deeply"),)
    except ValueError:
        # tomllib lets the interpreter's own limit on digits through as it is.
        return None, (_unreadable(source, 1, 1, "a number has too many digits"),)
    draft = Draft(tree, Places(text), source)
    draft.settings = _table(draft, Settings, tree, ())
    check_rules(draft)
    draft.settings = _with_order_feed(draft)
    return draft, ()


def _with_order_feed(draft: Draft) -> Settings:
    """Whoever has one feed, called otherwise than the default says, means that one."""
    settings = draft.settings
    orders, names = settings.orders, [feed.name for feed in settings.feeds]
    if draft.stated("orders", "hand_over_to") or orders.hand_over_to in names:
        return settings
    only = names[0] if len(names) == 1 else ""
    return replace(settings, orders=replace(orders, hand_over_to=only))


def _syntax_fault(source: str, text: str, message: str) -> Fault:
    found = _AT.search(message)
    if found and found[1]:
        line, column = int(found[1]), int(found[2])
    else:
        lines = text.rstrip().split("\n")
        line, column = len(lines), len(lines[-1]) + 1
    plain = _AT.sub("", message)
    told = next((sentence for start, sentence in _PLAINER if plain.startswith(start)), plain)
    return _unreadable(source, line, column, f"this is not TOML: {told}")


def _unreadable(source: str, line: int, column: int, allowed: str) -> Fault:
    return Fault(source, "", line, column, None, allowed)


def _table(draft: Draft, settings: type[Any], tree: Mapping[str, object], path: KeyPath) -> Any:
    keys = keys_of(settings)
    for name in tree:
        if name not in keys:
            _refuse_unknown(draft, keys, (*path, name))
    return settings(**{key.field: _entry(draft, key, tree, (*path, key.name)) for key in keys.values()})


def _entry(draft: Draft, key: Key, tree: Mapping[str, object], path: KeyPath) -> Any:
    if key.name not in tree:
        return _unstated(draft, key, path)
    value = tree[key.name]
    if isinstance(key.kind, Section):
        return _section(draft, key, key.kind, value, path)
    try:
        return key.kind.read(value)
    except Refused as refused:
        _refuse(draft, refused, value, path)
        return _stand_in(key)


def _unstated(draft: Draft, key: Key, path: KeyPath) -> Any:
    if not key.required:
        return key.default
    if isinstance(key.kind, Table):
        return _table(draft, key.kind.settings, {}, path)
    draft.fault(path, f"is required and must be {key.kind.allowed}")
    return _stand_in(key)


def _stand_in(key: Key) -> Any:
    if not key.required:
        return key.default
    if isinstance(key.kind, Table):
        return key.kind.settings(
            **{inner.field: _stand_in(inner) for inner in keys_of(key.kind.settings).values()}
        )
    return ""


def _section(draft: Draft, key: Key, kind: Section, value: object, path: KeyPath) -> Any:
    if isinstance(kind, TableList) and isinstance(value, list):
        tables = [_member(draft, kind.settings, item, (*path, index)) for index, item in enumerate(value)]
        # A stand-in keeps the places of the tables after it.
        return tuple(kind.settings() if table is None else table for table in tables)
    if isinstance(kind, TableMap) and isinstance(value, dict):
        return MappingProxyType({**key.default, **_table_map(draft, kind, value, path)})
    if isinstance(kind, Table) and isinstance(value, dict):
        return _table(draft, kind.settings, value, path)
    opened = f"[[{key.name}]]" if isinstance(kind, TableList) else f"[{path_text(path)}]"
    draft.fault(
        path, f"must be {kind.allowed}: write {opened} and its keys below it", value=value, at_key=True
    )
    return _stand_in(key)


def _table_map(draft: Draft, kind: TableMap, value: dict[str, object], path: KeyPath) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, item in value.items():
        if not _allowed_name(draft, kind.names, (*path, name)):
            continue
        member = _member(draft, kind.settings, item, (*path, name))
        if member is not None:
            kept[name] = member
    return kept


def _allowed_name(draft: Draft, names: Kind, path: KeyPath) -> bool:
    try:
        names.read(path[-1])
    except Refused as refused:
        draft.fault(path, f"this name {refused.allowed}", refused.suggestion, at_key=True)
        return False
    return True


def _member(draft: Draft, settings: type[Any], item: object, path: KeyPath) -> Any:
    if isinstance(item, dict):
        return _table(draft, settings, item, path)
    some = next(iter(keys_of(settings)))
    draft.fault(path, f"must be a table of keys, such as {{ {some} = … }}", value=item)
    return None


def _refuse(draft: Draft, refused: Refused, value: object, path: KeyPath) -> None:
    if refused.index is not None and isinstance(value, list):
        path, value = (*path, refused.index), value[refused.index]
    if refused.secret:
        where = f"{refused.allowed}: the secret belongs in {draft.credential(path)} (a file in /etc/archsyncd/credentials)"
        draft.fault(path, where)
    else:
        draft.fault(path, refused.allowed, refused.suggestion, value=value)


def _refuse_unknown(draft: Draft, keys: Mapping[str, Key], path: KeyPath) -> None:
    name = str(path[-1])
    near = nearest(name, keys)
    if secret_name(name) and not (near and secret_name(near)):
        told = f"a secret does not belong in this file; put it into {draft.credential(path)}"
        draft.fault(path, f"{told} (a file in /etc/archsyncd/credentials)", at_key=True)
        return
    around = path[:-1]
    opened = (
        f"[[{path_text(around[:-1])}]]"
        if around and isinstance(around[-1], int)
        else f"[{path_text(around)}]"
    )
    where = f"no such key in {opened}" if around else "no such table or key"
    draft.fault(path, where, near or _elsewhere(name, path_text(around)), at_key=True)


def _elsewhere(name: str, table: str) -> str | None:
    for section in keys_of(Settings).values():
        kind = section.kind
        if section.name == table or not isinstance(kind, Table | TableList):
            continue
        if name in keys_of(kind.settings):
            opened = f"[[{section.name}]]" if isinstance(kind, TableList) else f"[{section.name}]"
            return f"{quoted(name)} in {opened}"
    return None

"""Explains keys to people, from the declarations beside the settings' fields alone. Reads no file."""

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from archsyncd.config.faults import SHOWN_CHARACTERS, UnknownKey, nearest
from archsyncd.config.keys import Key, keys_of
from archsyncd.config.kinds import Choice, Table, TableList, TableMap, as_toml
from archsyncd.config.settings import Settings

_WIDTH_CHARACTERS: Final = 78
_PART: Final = re.compile(r'\.?(?:"((?:\\.|[^"\\])*)"|([^.\[\]"]+)|\[(\d+)\])')


@dataclass(frozen=True, slots=True)
class Described:
    """One key for people. `path` is written as in the file, NAME standing for a name of the administrator's own.

    `default` is its TOML text, "" where there is none. `section` tells tables from values.
    """

    path: str
    allowed: str
    default: str
    required: bool
    restart: bool
    section: bool
    says: str


def described() -> tuple[Described, ...]:
    """Every table and key in the order of declaration: the material of the manual page."""
    return tuple(_walk(Settings, ""))


def explain(asked: str) -> str:
    """What a key means, what it may hold, its default, and whether a reload applies it; a table lists its keys.

    Accepts `feed.url`, `feed[0].url`, `locations.WH1.buffer` and `locations.buffer` alike. Raises UnknownKey.
    """
    every = {entry.path: entry for entry in described()}
    found = _find(asked, every)
    if found is None:
        near = _suggestions(asked, every)
        raise UnknownKey(asked, near)
    inner = [entry for entry in every.values() if _parent(entry.path) == found.path]
    return _told(found, inner)


def _walk(settings: type[Any], around: str) -> Iterator[Described]:
    for key in keys_of(settings).values():
        path = f"{around}.{key.name}" if around else key.name
        yield _describe(key, path)
        kind = key.kind
        if isinstance(kind, Table | TableList):
            yield from _walk(kind.settings, path)
        elif isinstance(kind, TableMap):
            yield from _walk(kind.settings, f"{path}.NAME")


def _describe(key: Key, path: str) -> Described:
    kind = key.kind
    allowed = kind.allowed
    if isinstance(kind, TableMap):
        what = f"one of {kind.names.allowed}" if isinstance(kind.names, Choice) else kind.names.allowed
        allowed = f"{allowed}; each name is {what}"
    # Keys that are left out mean "not stated"; an empty text would claim that one may write it.
    default = "" if key.is_section or key.required or key.default == "" else as_toml(key.default)
    empty = key.default in ("", None) and not key.required and '""' in allowed
    return Described(
        path,
        allowed,
        '""' if empty else default,
        key.required and not key.is_section,
        key.restart,
        key.is_section,
        key.says,
    )


def _find(asked: str, every: dict[str, Described]) -> Described | None:
    parts = [text or quoted for quoted, text, index in _PART.findall(asked.strip()[:1000]) if not index]
    plain = ".".join(parts)
    if plain in every or not parts:
        return every.get(plain)
    # A name of the administrator's own stands between the table and the key, or is left out; alone it means the table.
    inner = [f"{parts[0]}.NAME.{'.'.join(parts[skip:])}" for skip in (1, 2)]
    found = next((every[path] for path in inner if path in every), None)
    named_table = len(parts) == len(("table", "name")) and any(
        path.startswith(f"{parts[0]}.NAME.") for path in every
    )
    return every[parts[0]] if found is None and named_table else found


def _suggestions(asked: str, every: dict[str, Described]) -> list[str]:
    word = asked[:SHOWN_CHARACTERS]
    same = [path for path in every if path.rpartition(".")[2] == word.rpartition(".")[2]]
    near = nearest(word, every) or nearest(
        word.rpartition(".")[2], [path.rpartition(".")[2] for path in every]
    )
    ends = [path for path in every if near and (path == near or path.endswith(f".{near}"))]
    return list(dict.fromkeys(same or ends))[:3]


def _parent(path: str) -> str:
    parent = path.rpartition(".")[0]
    return parent.removesuffix(".NAME")


def _told(found: Described, inner: list[Described]) -> str:
    lines = [found.path, ""]
    lines += _wrapped(f"allowed   {found.allowed}", "            ")
    if not found.section:
        lines.append(
            f"  default   {'none: it must be stated' if found.required else found.default or 'not stated'}"
        )
        lines.append(f"  changes   {'need a restart' if found.restart else 'apply with a reload'}")
    lines.append("")
    lines += _wrapped(" ".join(found.says.split()), "  ")
    if inner:
        width = max(len(entry.path) for entry in inner)
        lines.append("")
        lines += [f"  {entry.path:{width}}  {_short(entry)}".rstrip() for entry in inner]
    return "\n".join(lines)


def _short(entry: Described) -> str:
    if entry.section:
        return "a table"
    return "required" if entry.required else entry.default


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(
        text, _WIDTH_CHARACTERS, initial_indent="  ", subsequent_indent=indent, break_on_hyphens=False
    )

"""A mapping profile as it was understood: rules for fields, kinds of records, the shape of the payload. Plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from archsyncd.wire.profile.fields import Kind
from archsyncd.wire.profile.numbers import NumberRule
from archsyncd.wire.profile.paths import Path
from archsyncd.wire.profile.times import TimeRule

ENCODINGS: Final = (
    "utf-8",
    "us-ascii",
    "iso-8859-1",
    "iso-8859-15",
    "windows-1250",
    "windows-1252",
    "cp437",
    "cp850",
    "utf-16",
)


class Form(StrEnum):
    """How a payload is written."""

    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"
    XML = "xml"


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueRule:
    """How one field is filled. `paths`: the first that is stated counts; `joined`: all of them, put together.

    `line` is where the profile speaks of it. `values` translates texts. `hashed`: an id of what the paths hold, or of the
    whole record where there are none. `part`: the name of a part of the file's name; `attribute`: of an attribute of the
    message that it came in.
    """

    name: str
    kind: Kind
    line: int
    paths: tuple[Path, ...] = ()
    joined: str | None = None
    hashed: bool = False
    part: str | None = None
    attribute: str | None = None
    trim: bool = False
    unstated: frozenset[str] = frozenset()
    values: Mapping[str, Any] | None = None
    split: str | None = None
    number: NumberRule | None = None
    unit: Path | None = None
    time: TimeRule | None = None
    optional: bool = False

    @property
    def told(self) -> str:
        """What to call the place in the payload."""
        if self.part is not None:
            return f"the file's name ({self.part})"
        if self.attribute is not None:
            return f"the message's attribute {self.attribute}"
        return " + ".join(path.text for path in self.paths)


@dataclass(frozen=True, slots=True, kw_only=True)
class NestRule:
    """How a field that holds objects is filled; `records` leads to them, None: from the record itself."""

    name: str
    line: int
    records: Path | None
    many: bool
    const: Mapping[str, Any]
    rules: tuple[ValueRule | NestRule, ...]

    @property
    def told(self) -> str:
        """What to call the place in the payload."""
        return "/" if self.records is None else self.records.text


@dataclass(frozen=True, slots=True)
class Condition:
    """What must hold at a path. `wanted`: texts, None for "not stated"; `negated`: none of them may stand there."""

    path: Path
    wanted: frozenset[str | None]
    negated: bool = False
    trim: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One kind of record: the conditions that make a record one, and how it is read. `skip`: it is passed over."""

    line: int
    conditions: tuple[Condition, ...] = ()
    skip: bool = False
    const: Mapping[str, Any] = field(default_factory=dict)
    rules: tuple[ValueRule | NestRule, ...] = ()
    places: Mapping[str, tuple[int, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableShape:
    """How a CSV is written. `columns`: names for a file without a header. `ignored`: beginnings of lines to leave out.

    `last`: how the line begins that ends a whole file; without it in the end the file was cut off.
    """

    delimiter: str = ","
    quote: str | None = '"'
    columns: tuple[str, ...] | None = None
    skip_lines: int = 0
    ignored: tuple[str, ...] = ()
    last: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Specification:
    """The whole profile. `variants` are tried in their order; the last one has no condition."""

    name: str
    file: str
    form: Form
    encoding: str
    records: Path
    may_lack_records: bool
    table: TableShape
    variants: tuple[Variant, ...]
    request: Mapping[str, Any] | None

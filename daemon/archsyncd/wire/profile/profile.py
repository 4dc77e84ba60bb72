"""A mapping profile in use: payloads in, records or their faults out. The contract is told in contract.py."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from archsyncd.domain.feed import Record, Reject
from archsyncd.wire.profile.applying import Applier
from archsyncd.wire.profile.compile import Compiled, compile_profile
from archsyncd.wire.profile.contract import Answer, Mapped
from archsyncd.wire.profile.documents import (
    RECORDS_LIMIT,
    Columns,
    Found,
    lines_of,
    parse_document,
    records_of,
    rows_of,
    walker_of,
)
from archsyncd.wire.profile.faults import NodePath
from archsyncd.wire.profile.file_names import NamedFile, NameRule, read_file_name
from archsyncd.wire.profile.model import Form, NestRule, ValueRule
from archsyncd.wire.profile.paths import one_value, parse_path
from archsyncd.wire.r247_records import read_record
from archsyncd.wire.r247_values import Misread, Unreadable, reject

_NUMBERS: Final = re.compile(r"/[0-9]+(?=/|\Z)")
_NO_PARTS: Final[Mapping[str, str]] = {}


def read_profile(data: bytes, file: str) -> Profile:
    """Read a profile's text. `file` is how messages call it. Raises ProfileFaults with every fault in it."""
    return Profile(compile_profile(data, file))


class Profile:
    """A `MappingProfile`. Holds nothing between payloads; may be used by several threads."""

    def __init__(self, compiled: Compiled) -> None:
        self._specification = compiled.specification
        self._tree = compiled.tree
        self._walker = walker_of(self._specification.form)
        self._applier = Applier(self._specification, self._walker)
        self._columns = tuple(_columns(compiled))
        self.names: tuple[NameRule, ...] = compiled.names

    @property
    def name(self) -> str:
        """The profile's own name."""
        return self._specification.name

    @property
    def file(self) -> str:
        """How messages call its file."""
        return self._specification.file

    @property
    def form(self) -> str:
        """How payloads are written: `json`, `ndjson`, `csv` or `xml`."""
        return self._specification.form.value

    @property
    def request(self) -> Mapping[str, Any] | None:
        """The section of that name as plain data."""
        return self._specification.request

    @property
    def reads_by_line(self) -> bool:
        """Whether a payload is read as it comes, and never held as a whole."""
        return self._specification.form in {Form.CSV, Form.NDJSON}

    @property
    def has_end(self) -> bool:
        """Whether a payload that was cut off cannot be taken for a whole one."""
        return not self.reads_by_line or self._specification.table.last is not None

    @property
    def types(self) -> tuple[str, ...]:
        """The types of record that it reads, as far as they are told before a record is seen; each once."""
        found = (variant.const.get("type") for variant in reversed(self._specification.variants))
        return tuple(dict.fromkeys(one for one in found if isinstance(one, str)))

    @property
    def derives_ids(self) -> bool:
        """Whether ids are made of what records say: then a record that comes again may be a new one."""
        rules = (rule for variant in self._specification.variants for rule in variant.rules)
        return any(isinstance(rule, ValueRule) and rule.name == "id" and rule.hashed for rule in rules)

    @property
    def kinds(self) -> tuple[tuple[str | None, frozenset[str]], ...]:
        """Each kind of record that it reads: its type, None where each record tells its own, and the fields that it has."""
        kinds = (variant for variant in self._specification.variants if not variant.skip)
        return tuple(
            (
                variant.const.get("type"),
                frozenset(rule.name for rule in variant.rules) | frozenset(variant.const),
            )
            for variant in kinds
        )

    @property
    def numbers(self) -> bool:
        """Whether records come with positions of the source's own (`seq`)."""
        return any("seq" in fields for _, fields in self.kinds)

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts of a file's name that fields are filled from."""
        return tuple(dict.fromkeys(rule.part for rule in self._value_rules() if rule.part is not None))

    @property
    def attributes(self) -> tuple[str, ...]:
        """The attributes of a message that fields are filled from."""
        found = (rule.attribute for rule in self._value_rules())
        return tuple(dict.fromkeys(one for one in found if one is not None))

    def _value_rules(self) -> Iterator[ValueRule]:
        for variant in self._specification.variants:
            yield from _within(variant.rules)

    def line_of(self, path: NodePath) -> tuple[int, int]:
        """Line and column of what stands in the profile at this path, else of what stands around it."""
        node = self._tree.at(path)
        return node.line, node.column

    def file_name(self, name: str) -> NamedFile | None:
        """Say what the name of a file tells; None when no pattern of the profile fits it."""
        return read_file_name(name, self.names)

    def read(self, data: bytes, parts: Mapping[str, str] = _NO_PARTS, limit: int = RECORDS_LIMIT) -> Answer:
        """Read one whole answer, file or message of at most `limit` records. Raises Unreadable."""
        if self.reads_by_line:
            items, passed_over = self._gathered(self._found([data]), parts, limit)
            return Answer(items, passed_over, _no_value)
        top = parse_document(self._specification, [data])
        found = records_of(self._specification, self._walker, top)
        items, passed_over = self._gathered(found, parts, limit)
        return Answer(items, passed_over, lambda path: self._document_value(top, path))

    def rows(self, pieces: Iterable[bytes], parts: Mapping[str, str] = _NO_PARTS) -> Iterator[Mapped]:
        """Read a file that comes in pieces. Raises Unreadable, perhaps after the first records."""
        for found in self._found(pieces):
            item = self._applier.mapped(found, parts)
            if item is not None:
                yield item

    def _found(self, pieces: Iterable[bytes]) -> Iterator[Found]:
        if self._specification.form is Form.CSV:
            return rows_of(self._specification, pieces, self._columns)
        if self._specification.form is Form.NDJSON:
            return lines_of(pieces)
        top = parse_document(self._specification, pieces)
        return records_of(self._specification, self._walker, top)

    def _gathered(
        self, found: Iterator[Found], parts: Mapping[str, str], limit: int
    ) -> tuple[tuple[Mapped, ...], int]:
        read: list[Mapped | None] = []
        for one in found:
            if len(read) >= limit:
                raise Unreadable(f"more than {limit} records")
            read.append(self._applier.mapped(one, parts))
        items = tuple(item for item in read if item is not None)
        return items, len(read) - len(items)

    def _document_value(self, top: Any, path: str) -> Any:
        try:
            return one_value(self._walker, (("", top),), parse_path(path, from_top=True))
        except ValueError as fault:
            raise Unreadable(f"{self.file}: {path[:60]}: {fault}") from None

    def record(self, item: Mapped) -> Record | Reject:
        """Check an item with the reader of r247/1; what is wrong is said in the words of the profile."""
        if item.faults:
            return reject(item.faults[0], item.value, item.payload, item.line)
        found = read_record(item.value, b"", item.line)
        return self.told(found, item) if isinstance(found, Reject) else found

    def told(self, rejected: Reject, item: Mapped) -> Reject:
        """Say a Reject of this item in the words of the profile and the payload."""
        general = _NUMBERS.sub("/*", rejected.path)
        field = general.lstrip("/").replace("/*", "").replace("/", ".")
        place = item.places.get(general)
        if place is None:
            told = replace(rejected, reason=f"{self.file}: {rejected.reason}")
        else:
            line, path = place
            reason = "is not stated" if rejected.code == "missing" else rejected.reason
            told = replace(rejected, reason=f"{self.file}:{line} {field}: {reason}", path=path)
        return replace(told, payload=item.payload, line=item.line)


def _no_value(path: str) -> Any:
    raise Misread("missing", "a file of lines has no values around its records", path)


def _within(rules: tuple[ValueRule | NestRule, ...]) -> Iterator[ValueRule]:
    for rule in rules:
        if isinstance(rule, NestRule):
            yield from _within(rule.rules)
        else:
            yield rule


def _columns(compiled: Compiled) -> Iterator[Columns]:
    """Which columns a table is read by."""
    specification = compiled.specification
    if specification.form is not Form.CSV:
        return
    for variant in specification.variants:
        for condition in variant.conditions:
            yield frozenset(condition.path.steps), True
        yield from _rule_columns(variant.rules)


def _rule_columns(rules: tuple[ValueRule | NestRule, ...]) -> Iterator[Columns]:
    for rule in rules:
        if isinstance(rule, NestRule):
            yield from _rule_columns(rule.rules)
            continue
        steps = [frozenset(path.steps) for path in rule.paths]
        together = rule.joined is not None or rule.hashed
        groups = steps if together else [frozenset[str]().union(*steps)]
        for group in groups:
            yield group, bool(group) and not rule.optional
        if rule.unit is not None:
            yield frozenset(rule.unit.steps), not rule.optional

"""What a sample looks like: its form, where its records are, which values they have. Knows no field of r247/1."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from xml.etree.ElementTree import Element  # the shape only: defusedxml parses

from archsyncd.wire.profile.model import Form
from archsyncd.wire.profile.paths import local, written
from archsyncd.wire.profile.xml_file import parse_xml
from archsyncd.wire.r247_json import decode_carefully
from archsyncd.wire.r247_values import Literal, Misread, Repeated, Unreadable

RECORDS_LIMIT: Final = 2_000
VALUES_KEPT: Final = 200
DEPTH_LIMIT: Final = 6
LINES_LOOKED_AT: Final = 200
DELIMITERS: Final = (";", ",", "\t", "|", "^", "~")
_FALLBACK_ENCODING: Final = "windows-1252"


@dataclass(slots=True)
class Leaf:
    """One value of records: the names on the way to it, and the first values that stand there."""

    steps: tuple[str, ...]
    values: list[Any] = field(default_factory=list)
    stated: int = 0

    @property
    def path(self) -> str:
        """The path from a record, as a profile writes it."""
        return written(self.steps)

    def add(self, value: Any) -> None:
        """Count a value."""
        self.stated += 1
        if len(self.values) < VALUES_KEPT:
            self.values.append(value)

    @property
    def texts(self) -> list[str]:
        """The kept values as texts."""
        return [value.text if isinstance(value, Literal) else str(value) for value in self.values]


@dataclass(slots=True)
class Sample:
    """A sample that was understood as far as its form goes. `records`: the path to its records; "" where lines are."""

    form: Form
    records: str = ""
    number: int = 0
    encoding: str = "utf-8"
    table: dict[str, Any] = field(default_factory=dict)
    leaves: dict[tuple[str, ...], Leaf] = field(default_factory=dict)
    lists: dict[tuple[str, ...], dict[tuple[str, ...], Leaf]] = field(default_factory=dict)

    def leaf(self, steps: tuple[str, ...]) -> Leaf:
        """The leaf of these steps, a new one where there is none."""
        return self.leaves.setdefault(steps, Leaf(steps))


def look(data: bytes, form: Form | None = None) -> Sample:
    """Look at a sample. Raises Unreadable when it is nothing that a profile could read."""
    encoding = _encoding(data)
    form = form or _form(data, encoding)
    if form is Form.XML:
        return _xml(data)
    text = data.decode(encoding, "surrogateescape").removeprefix("\ufeff")
    if not text.strip():
        raise Unreadable("the sample is empty")
    if form is Form.CSV:
        return _csv(text, encoding)
    if form is Form.NDJSON:
        return _ndjson(text)
    return _json(text, encoding)


def _encoding(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return _FALLBACK_ENCODING
    return "utf-8"


def _form(data: bytes, encoding: str) -> Form:
    text = data[:262_144].decode(encoding, "replace").lstrip("\ufeff \t\r\n")
    if text.startswith("<"):
        return Form.XML
    lines = [line for line in text.splitlines() if line.strip()][:5]
    if len(lines) > 1 and all(_is_object(line) for line in lines[:-1]):
        return Form.NDJSON
    if text.startswith(("{", "[")):
        return Form.JSON
    return Form.CSV


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _ndjson(text: str) -> Sample:
    sample = Sample(Form.NDJSON)
    for line in text.split("\n")[:RECORDS_LIMIT]:
        if not line.strip():
            continue
        try:
            value = decode_carefully(line.encode("utf-8", "surrogateescape"))
        except Misread:
            continue
        sample.number += 1
        _json_leaves(sample, value, (), sample.leaves, 0)
    return sample


def _json(text: str, encoding: str) -> Sample:
    try:
        top = decode_carefully(text.encode("utf-8", "surrogateescape"))
    except Misread as fault:
        raise Unreadable(f"the sample {fault.reason}") from None
    sample = Sample(Form.JSON, encoding=encoding)
    ways = sorted(_lists(top, (), 0), key=lambda way: -way[0])
    count, steps = ways[0] if ways else (1, ())
    if not ways and not isinstance(top, dict):
        raise Unreadable("the sample holds no list of objects, and is none")
    sample.records, sample.number = written(steps) or "/", count
    for chain in list(_chains(top, steps))[:RECORDS_LIMIT]:
        _json_leaves(sample, chain[-1], (), sample.leaves, 0)
        for back, node in enumerate(reversed(chain[:-1]), 1):
            for name, value in node.items() if isinstance(node, dict) and back < len(chain) - 1 else ():
                if _is_single(value):
                    sample.leaf((*[".."] * back, name)).add(value)
    return sample


def _is_single(value: Any) -> bool:
    return isinstance(value, str | int | Literal) and value != ""


def _lists(node: Any, steps: tuple[str, ...], depth: int) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Every list of objects with its length, those within the entries of others too."""
    if depth > DEPTH_LIMIT:
        return
    if isinstance(node, list):
        objects = [one for one in node if isinstance(one, dict)]
        if objects:
            yield len(objects), (*steps, "*")
            inner: Counter[tuple[str, ...]] = Counter()
            for one in objects[:RECORDS_LIMIT]:
                for count, way in _lists(one, (*steps, "*"), depth + 1):
                    inner[way] += count
            # Lists within few entries are what they are about; within many they are details of them.
            yield from ((count, way) for way, count in inner.items() if len(objects) * 5 < count)
    elif isinstance(node, dict):
        for name, value in node.items():
            yield from _lists(value, (*steps, name), depth + 1)


def _chains(node: Any, steps: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    if not steps:
        yield (node,)
        return
    inner: list[Any] = []
    if steps[0] == "*" and isinstance(node, list):
        inner = node
    elif isinstance(node, dict) and steps[0] in node:
        inner = [node[steps[0]]]
    for one in inner:
        for rest in _chains(one, steps[1:]):
            yield (node, *rest)


def _json_leaves(
    sample: Sample, node: Any, steps: tuple[str, ...], leaves: dict[tuple[str, ...], Leaf], depth: int
) -> None:
    if isinstance(node, Repeated):
        node = dict(node.fields)
    if isinstance(node, dict) and depth <= DEPTH_LIMIT:
        for name, value in node.items():
            if isinstance(value, list):
                objects = [one for one in value if isinstance(one, dict)][:50]
                inner = sample.lists.setdefault((*steps, name), {}) if objects else {}
                for one in objects:
                    _json_leaves(sample, one, (), inner, depth + 2)
            elif _is_single(value):
                leaves.setdefault((*steps, name), Leaf((*steps, name))).add(value)
            else:
                _json_leaves(sample, value, (*steps, name), leaves, depth + 1)


def _xml(data: bytes) -> Sample:
    top = parse_xml([data])
    counts: Counter[tuple[str, ...]] = Counter()
    _count_elements(top, (), counts, 0)
    repeated = {way: count for way, count in counts.items() if count > 1}
    # The outermost of the elements that stand beside each other most often: inner ones are their details.
    steps = max(repeated, key=lambda way: (repeated[way] * len(way) ** -2, -len(way)), default=())
    if not steps:
        steps = next(iter(way for way in counts if len(way) == 2), (local(top[0].tag),))  # noqa: PLR2004 - below the root
    sample = Sample(Form.XML, written(steps))
    chains = list(_elements(top, steps))
    for chain in chains[:RECORDS_LIMIT]:
        _find_lists(sample, chain[-1], (), 0)
    for chain in chains:
        sample.number += 1
        if sample.number <= RECORDS_LIMIT:
            _xml_leaves(sample, chain[-1], (), sample.leaves, 0)
            for back, node in enumerate(reversed(chain[1:-1]), 1):
                for name, value in node.attrib.items():
                    sample.leaf((*[".."] * back, "@" + local(name))).add(value)
    return sample


def _count_elements(
    node: Element[Any], steps: tuple[str, ...], counts: Counter[tuple[str, ...]], depth: int
) -> None:
    if depth > DEPTH_LIMIT:
        return
    for one in node:
        way = (*steps, local(one.tag))
        counts[way] += 1 if len(one) or one.attrib else 0
        _count_elements(one, way, counts, depth + 1)


def _elements(top: Element[Any], steps: Sequence[str]) -> Iterator[tuple[Element[Any], ...]]:
    if not steps:
        yield (top,)
        return
    for one in top:
        if local(one.tag) == steps[0]:
            for rest in _elements(one, steps[1:]):
                yield (top, *rest)


def _find_lists(sample: Sample, node: Element[Any], steps: tuple[str, ...], depth: int) -> None:
    """Note elements that stand beside each other in any record: where one has a single one of them, it is a list too."""
    names = Counter(local(one.tag) for one in node)
    for one in node:
        way = (*steps, local(one.tag))
        if names[way[-1]] > 1 and len(one):
            sample.lists.setdefault(way, {})
        elif depth < DEPTH_LIMIT:
            _find_lists(sample, one, way, depth + 1)


def _xml_leaves(
    sample: Sample,
    node: Element[Any],
    steps: tuple[str, ...],
    leaves: dict[tuple[str, ...], Leaf],
    depth: int,
) -> None:
    for name, value in node.attrib.items():
        way = (*steps, "@" + local(name))
        leaves.setdefault(way, Leaf(way)).add(value)
    for one in node:
        way = (*steps, local(one.tag))
        if way in sample.lists and leaves is sample.leaves:
            _xml_leaves(sample, one, (), sample.lists[way], depth + 2)
        elif len(one) or one.attrib:
            if one.text and one.text.strip() and not len(one):
                leaves.setdefault(way, Leaf(way)).add(one.text)
            if depth < DEPTH_LIMIT:
                _xml_leaves(sample, one, way, leaves, depth + 1)
        elif one.text and one.text.strip():
            leaves.setdefault(way, Leaf(way)).add(one.text)


def _csv(text: str, encoding: str) -> Sample:
    lines = text.splitlines(keepends=True)
    delimiter = max(DELIMITERS, key=lambda sign: _fit(lines[:LINES_LOOKED_AT], sign))
    rows = [row for row in _rows(lines, delimiter) if any(row)]
    if not rows:
        raise Unreadable("the sample holds no row")
    width = Counter(len(row) for row in rows[:LINES_LOOKED_AT]).most_common(1)[0][0]
    skipped = next(place for place, row in enumerate(rows) if len(row) == width)
    head = [cell.strip() for cell in rows[skipped]]
    table: dict[str, Any] = {} if delimiter == "," else {"delimiter": delimiter}
    if skipped:
        table["skipLines"] = skipped
    has_header = all(head) and len(set(head)) == len(head) and not any(_is_number(cell) for cell in head)
    if not has_header:
        head = [f"column{place}" for place in range(1, width + 1)]
        table["columns"] = head
    sample = Sample(Form.CSV, encoding=encoding, table=table)
    for row in rows[skipped + has_header :]:
        sample.number += 1
        if len(row) == width and sample.number <= RECORDS_LIMIT:
            for name, cell in zip(head, row, strict=True):
                if cell:
                    sample.leaf((name,)).add(cell)
    return sample


def _is_number(cell: str) -> bool:
    return cell.replace(",", "").replace(".", "").replace("-", "").isdigit()


def _rows(lines: Sequence[str], delimiter: str) -> list[list[str]]:
    try:
        return list(csv.reader(io.StringIO("".join(lines)), delimiter=delimiter))
    except csv.Error:
        return []


def _fit(lines: Sequence[str], delimiter: str) -> float:
    """How well a separator explains the lines: most lines have the same number of cells, and more than one."""
    widths = Counter(len(row) for row in _rows(lines, delimiter) if any(row))
    if not widths:
        return 0.0
    width, count = widths.most_common(1)[0]
    return 0.0 if width == 1 else count / sum(widths.values()) + min(width, 20) / 1000

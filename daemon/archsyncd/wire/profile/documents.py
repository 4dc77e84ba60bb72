"""The bytes of a payload to its records, each with the way that leads to it. Knows forms and limits, and no field."""

from __future__ import annotations

import codecs
import csv
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias
from xml.etree.ElementTree import Element, tostring  # writing only: defusedxml parses

import orjson

from archsyncd.domain.feed import PAYLOAD_LIMIT_BYTES
from archsyncd.wire.ndjson import LINE_LIMIT_BYTES, LineCutter
from archsyncd.wire.profile.model import Form, Specification, TableShape
from archsyncd.wire.profile.paths import EVERY, Chain, JsonWalker, Path, Walker, XmlWalker
from archsyncd.wire.profile.xml_file import parse_xml
from archsyncd.wire.r247_json import INT64_DIGITS
from archsyncd.wire.r247_values import Literal, Misread, Repeated, Unreadable

DOCUMENT_LIMIT_BYTES: Final = 64 * 1024 * 1024
RECORDS_LIMIT: Final = 1_000_000
COLUMNS_LIMIT: Final = 1024
BLANK_LINES_LIMIT: Final = 100_000
_BOM: Final = b"\xef\xbb\xbf"
_MARK: Final = "\ufeff"


# Columns of which one must be there, unless the second says that none needs to be.
Columns: TypeAlias = tuple[frozenset[str], bool]


@dataclass(frozen=True, slots=True)
class Found:
    """One record: its line or number, the way to it, what shows its bytes; a `fault` where it cannot be walked."""

    line: int
    chain: Chain
    evidence: Callable[[], bytes]
    fault: Misread | None = None


def walker_of(form: Form) -> Walker:
    """Give what walks this form."""
    return XmlWalker() if form is Form.XML else JsonWalker()


def parse_document(specification: Specification, pieces: Iterable[bytes]) -> Any:
    """Read a JSON or XML document as a whole. Raises Unreadable."""
    if specification.form is Form.XML:
        return parse_xml(pieces)
    data = bytearray()
    for piece in pieces:
        data += piece
        if len(data) > DOCUMENT_LIMIT_BYTES:
            raise Unreadable(f"a document of more than {DOCUMENT_LIMIT_BYTES} bytes")
    text = data.decode(
        specification.encoding, "surrogateescape" if _is_bytewise(specification) else "replace"
    )
    return _parse_json(text.removeprefix(_MARK))


def _is_bytewise(specification: Specification) -> bool:
    return specification.encoding != "utf-16"


def _whole(digits: str) -> int | Literal:
    return int(digits) if len(digits) <= INT64_DIGITS else Literal(digits)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any] | Repeated:
    fields = dict(pairs)
    if len(fields) == len(pairs):
        return fields
    first: dict[str, Any] = {}
    for name, value in pairs:
        if name in first:
            return Repeated("duplicate_key", name, first, f"{json.dumps(name)[:60]} is stated twice")
        first[name] = value
    return first


_DECODER: Final = json.JSONDecoder(
    parse_int=_whole, parse_float=Literal, parse_constant=Literal, object_pairs_hook=_object, strict=False
)


def _parse_json(text: str) -> Any:
    try:
        return _DECODER.decode(text)
    except RecursionError:
        raise Unreadable("the document is nested too deeply") from None
    except ValueError:
        raise Unreadable("the document is no JSON") from None


def records_of(specification: Specification, walker: Walker, top: Any) -> Iterator[Found]:
    """Yield the records of a whole document. Raises Unreadable where the path to them leads nowhere."""
    chains = _chains(specification, walker, top)
    evidence = _xml_bytes if specification.form is Form.XML else _json_bytes
    for number, chain in enumerate(chains, 1):
        yield Found(number, chain, _shown(evidence, chain[-1][1]))


def _shown(write: Callable[[Any], bytes], node: Any) -> Callable[[], bytes]:
    return lambda: write(node)


def _chains(specification: Specification, walker: Walker, top: Any) -> list[Chain]:
    path = specification.records
    chains: list[Chain] = [(("", top),)]
    for place, step in enumerate(path.steps):
        found: list[Chain] = []
        for chain in chains:
            found += [(*chain, one) for one in _inner(walker, chain[-1][1], step, path)]
            if len(found) > RECORDS_LIMIT:
                raise Unreadable(f"more than {RECORDS_LIMIT} records")
        last = place == len(path.steps) - 1
        may_be_empty = step == EVERY or (last and specification.form is Form.XML)
        if chains and not found and not may_be_empty and not specification.may_lack_records:
            way = "/" + "/".join(path.steps[: place + 1])
            raise Unreadable(f"nothing is stated at {way}, where the records should be")
        chains = found
    return chains


def _inner(walker: Walker, node: Any, step: str, path: Path) -> list[tuple[str, Any]]:
    if step == EVERY and not isinstance(node, dict | list | Element | Repeated):
        raise Unreadable(f"there is no list on the way {path.text} to the records")
    try:
        return walker.inner(node, step)
    except Misread as fault:
        raise Unreadable(f"on the way {path.text} to the records {fault.reason}") from None


def _json_bytes(node: Any) -> bytes:
    try:
        written = orjson.dumps(node, default=_as_written, option=orjson.OPT_PASSTHROUGH_DATACLASS)
    except (TypeError, ValueError, RecursionError):
        # Halves of characters, or deeper than the fast writer goes: only shown, so any of it will do.
        try:
            shown = repr(node)[:PAYLOAD_LIMIT_BYTES]
        except RecursionError:
            shown = "(nested too deeply to be shown)"
        return shown.encode("ascii", "backslashreplace")[:PAYLOAD_LIMIT_BYTES]
    return written[:PAYLOAD_LIMIT_BYTES]


def _as_written(value: Any) -> Any:
    if isinstance(value, Literal):
        return orjson.Fragment(value.text[:400])
    return dict(value.fields)


def _xml_bytes(node: Any) -> bytes:
    return tostring(node)[:PAYLOAD_LIMIT_BYTES] if isinstance(node, Element) else b""


def lines_of(pieces: Iterable[bytes]) -> Iterator[Found]:
    """Yield the records of NDJSON, one a line; a line that is none is a fault of its own."""
    blank = 0
    for number, line in enumerate(_byte_lines(pieces), 1):
        if line.strip():
            yield _line(number, line)
        else:
            blank = _blank_too(blank)


def _blank_too(blank: int) -> int:
    """Count a line that holds nothing: millions of them would be work without a record. Raises Unreadable."""
    if blank >= BLANK_LINES_LIMIT:
        raise Unreadable(f"more than {BLANK_LINES_LIMIT} lines that hold no record")
    return blank + 1


def _line(number: int, line: bytes) -> Found:
    shown = line[:PAYLOAD_LIMIT_BYTES]
    if len(line) > LINE_LIMIT_BYTES:
        fault = Misread("line_too_long", f"a line has more than {LINE_LIMIT_BYTES} bytes")
        return Found(number, (), lambda: shown, fault)
    try:
        value = _parse_json(line.decode("utf-8", "surrogateescape"))
    except Unreadable:
        return Found(number, (), lambda: shown, Misread("not_json", "is no JSON"))
    return Found(number, (("", value),), lambda: shown)


def _byte_lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    cutter, first = LineCutter(), True
    for piece in pieces:
        for line in cutter.cut(piece):
            yield line.removeprefix(_BOM) if first else line
            first = False
    rest = cutter.rest()
    if rest:
        yield rest.removeprefix(_BOM) if first else rest


def rows_of(
    specification: Specification, pieces: Iterable[bytes], needed: Iterable[Columns]
) -> Iterator[Found]:
    """Yield the rows of a table as objects of the columns in `needed`, of each group of which one must be there.

    Raises Unreadable for a header without them and for broken quoting.
    """
    shape = specification.table
    lines = _text_lines(pieces, specification)
    for _ in range(shape.skip_lines):
        next(lines, None)
    rows = csv.reader(
        lines,
        delimiter=shape.delimiter,
        quotechar=shape.quote,
        quoting=csv.QUOTE_NONE if shape.quote is None else csv.QUOTE_MINIMAL,
        strict=True,
    )
    try:
        yield from _rows(specification, rows, tuple(needed))
    except csv.Error as fault:
        raise Unreadable(f"line {rows.line_num + shape.skip_lines} is no CSV: {fault}") from None


def _rows(specification: Specification, rows: Any, needed: tuple[Columns, ...]) -> Iterator[Found]:
    shape = specification.table
    columns = shape.columns or tuple(column.strip() for column in _first(rows, shape.ignored))
    if len(columns) > COLUMNS_LIMIT or not columns:
        raise Unreadable(f"a header of 1 to {COLUMNS_LIMIT} columns is needed")
    wanted = _wanted(columns, needed)
    for row in _body(rows, shape):
        line = rows.line_num + shape.skip_lines
        evidence = _row_evidence(shape.delimiter, row)
        if len(row) != len(columns):
            reason = f"has {len(row)} cells under {len(columns)} columns"
            yield Found(line, (), evidence, Misread("wrong_columns", reason))
        else:
            yield Found(line, (("", {name: row[at] for name, at in wanted if row[at]}),), evidence)


def _body(rows: Iterable[list[str]], shape: TableShape) -> Iterator[list[str]]:
    """Yield the rows that are records. Raises Unreadable where the last line is missing, or is not the last."""
    blank, ended = 0, shape.last is None
    for row in rows:
        if any(row) and ended and shape.last is not None:
            raise Unreadable(f"something follows the line that begins with {shape.last!r}")
        if shape.last is not None and row and row[0].startswith(shape.last):
            ended = True
        elif not any(row) or (shape.ignored and row[0].startswith(shape.ignored)):
            blank = _blank_too(blank)
        else:
            yield row
    if not ended:
        raise Unreadable(f"no line that begins with {shape.last!r} ends the file: it was cut off")


def _first(rows: Any, ignored: tuple[str, ...]) -> list[str]:
    for row in rows:
        if any(row) and not (ignored and row[0].startswith(ignored)):
            return list(row)
    return []


def _wanted(columns: tuple[str, ...], needed: tuple[Columns, ...]) -> list[tuple[str, int]]:
    found: dict[str, int] = {}
    for group, required in needed:
        known = {name: _column(columns, name) for name in group}
        there = {name: at for name, at in known.items() if at is not None}
        if not there and required:
            told = ", ".join(repr(one[:40]) for one in columns[:20])
            raise Unreadable(
                f"the header has no column {' or '.join(map(repr, sorted(group)))}; it has {told}"
            )
        found |= there
    return list(found.items())


def _column(columns: tuple[str, ...], name: str) -> int | None:
    if name.startswith("#") and name[1:].isascii() and name[1:].isdigit():
        place = int(name[1:]) - 1
        return place if 0 <= place < len(columns) else None
    if columns.count(name) > 1:
        raise Unreadable(
            f"the header names the column {name!r} twice; by its number it is #{columns.index(name) + 1}"
        )
    return columns.index(name) if name in columns else None


def _row_evidence(delimiter: str, row: list[str]) -> Callable[[], bytes]:
    return lambda: delimiter.join(row)[:PAYLOAD_LIMIT_BYTES].encode("utf-8", "surrogateescape")


def _text_lines(pieces: Iterable[bytes], specification: Specification) -> Iterator[str]:
    errors = "surrogateescape" if _is_bytewise(specification) else "replace"
    decoder = codecs.getincrementaldecoder(specification.encoding)(errors)
    begun, first = "", True
    for piece in pieces:
        text = decoder.decode(piece)
        if first and text:
            text, first = text.removeprefix(_MARK), False
        *ended, begun = (begun + text).split("\n")
        if len(begun) > LINE_LIMIT_BYTES:
            raise Unreadable(f"a line of more than {LINE_LIMIT_BYTES} characters")
        for line in ended:
            yield line.removesuffix("\r") + "\n"
    begun += decoder.decode(b"", final=True)
    if begun:
        yield begun

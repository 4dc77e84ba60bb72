"""JSON Schemas (2020-12) of every `r247/1` document, made from the table of fields. Reads and writes no file.

What a schema cannot say stands in `DIFFERENCES`; a test proves each of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from archsyncd.domain.feed import INT64_MAXIMUM
from archsyncd.wire.r247_fields import (
    DOCUMENTS,
    RECORDS,
    AnyRecord,
    Digest,
    Either,
    Field,
    Flag,
    Kind,
    ListOf,
    Moment,
    Number,
    OneOf,
    Structure,
    Sum,
    Text,
    Told,
    Unless,
    Whole,
)
from archsyncd.wire.r247_values import FIELDS_LIMIT, SEQ_LIMIT_DIGITS

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, Any]

DIFFERENCES: Final[Mapping[str, str]] = {
    "3.0": "A number with a point or an exponent (3.0, 1e2) is an integer to JSON Schema where it is whole; it is refused.",
    "duplicate_key": "An object that states a name twice is refused; a schema sees one of the two values.",
    "day": "A day that its month does not have (2026-02-30) is refused.",
    "surrogate": "Half a character (a lone surrogate, written \\ud800) is refused.",
    "depth": "A record nested deeper than about a thousand levels is refused.",
    "agreement": "A manifest must say of its file what the file's name says.",
    "refusal": "A cancellation rejected with another code than already_shipped or unknown_order leaves open what becomes of the "
    "order: it counts as not answered.",
    "envelope": "A call's `type` may say anything, and its `timestamp` may be left out: its records are read all the same.",
    "attributes": "A Pub/Sub message's body may say `schema`, `feed`, `epoch` and each record's `seq` where its attributes do "
    "not; `contentEncoding` may be empty or `identity`.",
    "message": "A Pub/Sub message of more than 1,000 records is read all the same.",
    "decimals": 'A quantity may be a decimal text ("2.5") where its record tells its unit (uom).',
    "running": "A snapshot's page of more than 4,096 bytes is not asked for its status.",
}
_NOT_STATED: Final[Schema] = {"type": "null"}
# `not` instead of an anchored pattern: engines differ in what `$` means before a newline.
_UNWRITABLE: Final = "[\\u0000-\\u001f\\u007f-\\u009f\\u2028\\u2029]"
_MOMENT: Final = (
    "^(?!0000)[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])T(?:[01][0-9]|2[0-3]):[0-5][0-9]:"
    "(?:[0-5][0-9]|60)(?:\\.[0-9]{1,9})?(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])$"
)


def every() -> Iterator[tuple[str, Schema]]:
    """Name and schema of each document; `record` is a record of any type."""
    yield "record", _rooted("record", "record of any type", _reference("record"))
    for name, structure in DOCUMENTS.items():
        yield name, _rooted(name, structure.title, _object(structure))


def _rooted(name: str, title: str, body: Schema) -> Schema:
    root: Schema = {"$schema": DIALECT, "$id": f"urn:r247:1:{name}", "title": title} | body
    # A file stands for itself: whoever validates needs no other one.
    defined = dict(_defined(body))
    return root | ({"$defs": defined} if defined else {})


def _defined(body: Any) -> Iterator[tuple[str, Schema]]:
    if not _mentions(body):
        return
    yield "record", _any_record()
    for structure in RECORDS:
        yield structure.title, _object(structure)


def _mentions(body: Any) -> bool:
    if isinstance(body, dict):
        return "$ref" in body or any(map(_mentions, body.values()))
    return isinstance(body, list) and any(map(_mentions, body))


def _reference(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _any_record() -> Schema:
    types = [structure.title for structure in RECORDS]
    chosen = [
        {"if": {"properties": {"type": {"const": kind}}, "required": ["type"]}, "then": _reference(kind)}
        for kind in types
    ]
    return {
        "type": "object",
        "properties": {"type": {"enum": types}},
        "required": ["type"],
        "allOf": chosen,
    }


def _object(structure: Structure) -> Schema:
    made: Schema = {"type": "object", "maxProperties": FIELDS_LIMIT}
    made["properties"] = {field.name: _member(field) for field in structure.fields}
    required = [field.name for field in structure.fields if field.required]
    if required:
        made["required"] = required
    conditions = list(_conditions(structure))
    if conditions:
        made["allOf"] = conditions
    return {"anyOf": [made, {"type": "object", "maxProperties": 0}]} if structure.empty else made


def _conditions(structure: Structure) -> Iterator[Schema]:
    if structure.any_of:
        yield {"anyOf": [_stated(name) for name in structure.any_of]}
    if structure.instead is not None:
        first, second = structure.instead
        yield {
            "anyOf": [
                {"properties": {first.name: _schema(first.kind)}, "required": [first.name]},
                {
                    "properties": {first.name: _NOT_STATED, second.name: _schema(second.kind)},
                    "required": [second.name],
                },
            ]
        }
    if structure.unless is not None:
        yield _unless(structure.unless)


def _unless(unless: Unless) -> Schema:
    says = {"properties": {unless.other: {"const": unless.word}}}
    return {"anyOf": [says, _stated(unless.field)]}


def _stated(name: str) -> Schema:
    return {"required": [name], "properties": {name: {"not": _NOT_STATED}}}


def _member(field: Field) -> Schema:
    schema = _schema(field.kind)
    if field.required or isinstance(field.kind, Told):
        return schema
    return {"anyOf": [schema, _NOT_STATED]}


def _schema(kind: Kind) -> Schema:
    match kind:
        case Structure():
            return _object(kind)
        case ListOf(entry=entry, limit=limit):
            return {"type": "array", "maxItems": limit, "items": _schema(entry)}
        case Either(forms=forms):
            return {"anyOf": [_schema(form) for form in forms]}
        case AnyRecord():
            return _reference("record")
        case OneOf(words=(word,)):
            return {"const": word}
        case OneOf(words=words):
            return {"enum": list(words)}
        case Told(form=form):
            return {"description": form}
    return _value(kind)


def _value(kind: Text | Whole | Number | Moment | Flag | Sum | Digest) -> Schema:
    match kind:
        case Text(limit=limit):
            return {"type": "string", "minLength": 1, "maxLength": limit, "not": {"pattern": _UNWRITABLE}}
        case Whole(minimum=minimum, maximum=maximum):
            return {"type": "integer", "minimum": minimum, "maximum": maximum}
        case Number():
            digits = f"^(?:{'|'.join(_up_to(INT64_MAXIMUM))})$"
            return _one_line({"type": "string", "pattern": digits, "maxLength": SEQ_LIMIT_DIGITS})
        case Moment():
            return _one_line({"type": "string", "format": "date-time", "pattern": _MOMENT})
        case Flag():
            return {"type": "boolean"}
        case Sum(digits=digits):
            return _one_line({"type": "string", "pattern": f"^-?[0-9]{{1,{digits}}}$"})
        case Digest():
            return _one_line({"type": "string", "pattern": "^[0-9A-Fa-f]{64}$"})


def _one_line(schema: Schema) -> Schema:
    return schema | {"not": {"pattern": "\\n"}}


def _up_to(most: int) -> Iterable[str]:
    """Patterns of the digits of every number up to `most`, shorter ones with leading zeros or without."""
    digits = str(most)
    yield f"[0-9]{{1,{len(digits) - 1}}}"
    for place, digit in enumerate(digits):
        left = len(digits) - place - 1
        if digit > "0":
            rest = f"[0-9]{{{left}}}" if left else ""
            below = "0" if digit == "1" else f"[0-{int(digit) - 1}]"
            yield f"{digits[:place]}{below}{rest}"
    yield digits

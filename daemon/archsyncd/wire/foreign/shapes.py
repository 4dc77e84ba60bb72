"""The shape in which a source is told of an order: a tree of its own names over the fields of r247/1. Sends nothing.

A text is a path into the r247/1 object (`/orderNumber`, within `each` from the entry on). `{"const": …}` stands for itself,
`{"each": "/lines", "as": {…}}` for a list, `{"path": …, "as": "decimal"}` for a price as a decimal text, and numbers, true and
false for themselves. What is not stated is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from archsyncd.domain.times import utc_ms
from archsyncd.wire.foreign.reading import Section
from archsyncd.wire.foreign.times import TimeForm, parse_time_form
from archsyncd.wire.profile.faults import NodePath, nearest, quoted

DEPTH_LIMIT: Final = 12
_LINE: Final = ("lineId", "sku", "quantity", "location", "unitPrice", "kit")
ORDER_FIELDS: Final = (
    "orderId",
    "orderNumber",
    "version",
    "createdAt",
    "currency",
    "lines",
    "shipTo",
    "shippingMethod",
    "notes",
)
CANCEL_FIELDS: Final = ("orderId", "reason")
SHIPPED_FIELDS: Final = ("fulfilmentId", "orderId", "deliveryKey", "shipmentState", "at")
_PRICE: Final = ("centAmount", "fractionDigits")
_PERSON: Final = "shipTo"


@dataclass(frozen=True, slots=True)
class At:
    """A value at a path. `form`: a time to be written so; `decimal`: a price as a decimal text."""

    steps: tuple[str, ...]
    form: TimeForm | None = None
    decimal: bool = False


@dataclass(frozen=True, slots=True)
class Const:
    """A value that stands for itself."""

    value: Any


@dataclass(frozen=True, slots=True)
class Each:
    """A list: `inner` for every entry at the path."""

    steps: tuple[str, ...]
    inner: Shape


@dataclass(frozen=True, slots=True)
class Members:
    """An object of the source's own names."""

    members: tuple[tuple[str, Shape], ...]


Shape: TypeAlias = At | Const | Each | Members


def read_shape(section: Section, name: str, fields: tuple[str, ...]) -> Shape | None:
    """Read the shape at a member of the section; every fault in it is noted."""
    value = section.raw(name)
    return None if value is None else _Reader(section, fields).shape(value, (name,), fields, 0)


class _Reader:
    def __init__(self, section: Section, fields: tuple[str, ...]) -> None:
        self._section = section
        self._fields = fields

    def shape(self, value: Any, path: NodePath, fields: tuple[str, ...], depth: int) -> Shape:
        if depth > DEPTH_LIMIT:
            return self._fault(path, "is nested too deeply")
        if isinstance(value, str):
            return At(self._steps(value, path, fields))
        if isinstance(value, dict) and "const" in value:
            return self._const(value, path)
        if isinstance(value, dict) and "each" in value:
            return self._each(value, path, fields, depth)
        if isinstance(value, dict) and set(value) <= {"path", "as", "format", "tz"} and "path" in value:
            return self._special(value, path, fields)
        if isinstance(value, dict):
            inner = ((name, self.shape(one, (*path, name), fields, depth + 1)) for name, one in value.items())
            return Members(tuple(inner))
        if value is None or isinstance(value, list):
            return self._fault(path, 'must be a path, an object, or {"each": …, "as": …}', value)
        return Const(value)

    def _steps(self, text: Any, path: NodePath, fields: tuple[str, ...]) -> tuple[str, ...]:
        if not isinstance(text, str) or not text.startswith("/"):
            says = 'must be a path into the order that begins with "/"; a text of its own is {"const": "…"}'
            self._fault(path, says, text)
            return ()
        steps = tuple(step.replace("~1", "/").replace("~0", "~") for step in text[1:].split("/"))
        if steps[0] not in fields:
            near = nearest(steps[0], fields)
            says = f"is not known here; there are {', '.join(fields)}"
            self._section.faults.add(
                (*self._section.path, *path), says, text, quoted(f"/{near}") if near else None
            )
        return steps

    def _const(self, value: Mapping[str, Any], path: NodePath) -> Shape:
        if set(value) != {"const"} or isinstance(value["const"], dict | list):
            return self._fault(path, "const must stand alone and be a single value", value)
        return Const(value["const"])

    def _each(self, value: Mapping[str, Any], path: NodePath, fields: tuple[str, ...], depth: int) -> Shape:
        if set(value) != {"each", "as"} or value["each"] != "/lines" or "lines" not in fields:
            return self._fault(path, 'must be {"each": "/lines", "as": {…}}', value)
        return Each(("lines",), self.shape(value["as"], (*path, "as"), _LINE, depth + 1))

    def _special(self, value: Mapping[str, Any], path: NodePath, fields: tuple[str, ...]) -> Shape:
        steps = self._steps(value["path"], (*path, "path"), fields)
        if "as" in value and value["as"] != "decimal":
            self._fault((*path, "as"), "must be decimal", value["as"])
        if "format" not in value:
            return At(steps, decimal=value.get("as") == "decimal")
        try:
            return At(steps, parse_time_form(str(value["format"]), value.get("tz")))
        except ValueError as error:
            return self._fault((*path, "format"), str(error), value["format"])

    def _fault(self, path: NodePath, says: str, value: Any = None) -> Shape:
        self._section.faults.add((*self._section.path, *path), says, value)
        return Const(None)


def render(shape: Shape, source: Any) -> Any:
    """Write an r247/1 object in the shape; None where nothing is stated."""
    match shape:
        case Const(value=value):
            return value
        case At():
            return _value(shape, source)
        case Each(steps=steps, inner=inner):
            return [render(inner, entry) for entry in _at(source, steps) or ()]
        case Members(members=members):
            written = ((name, render(inner, source)) for name, inner in members)
            return {name: value for name, value in written if value is not None}


def _value(shape: At, source: Any) -> Any:
    found = _at(source, shape.steps)
    if found is None:
        return None
    if shape.form is not None and isinstance(found, str):
        return shape.form.write(utc_ms(found) or 0)
    if shape.decimal and isinstance(found, Mapping):
        return _decimal(*(found.get(name) for name in _PRICE))
    return found


def _at(source: Any, steps: tuple[str, ...]) -> Any:
    for step in steps:
        if not isinstance(source, Mapping):
            return None
        source = source.get(step)
    return source


def _decimal(cent_amount: Any, digits: Any) -> str | None:
    if type(cent_amount) is not int or type(digits) is not int or not 0 <= digits <= 12:  # noqa: PLR2004 - no currency has more
        return None
    sign, figures = ("-" if cent_amount < 0 else ""), str(abs(cent_amount)).rjust(digits + 1, "0")
    return f"{sign}{figures[:-digits]}.{figures[-digits:]}" if digits else f"{sign}{figures}"


def persons_in(shape: Shape, written: Any) -> Iterator[str]:
    """Texts of a written order that name its receiver; all of its texts where it was written in another shape."""
    try:
        yield from list(_persons(shape, written))
    except (AttributeError, TypeError, ValueError):
        yield from _texts(written)


def _persons(shape: Shape, written: Any) -> Iterator[str]:
    if written is None:
        return
    match shape:
        case At(steps=steps) if steps[:1] == (_PERSON,):
            yield from _texts(written)
        case Each(inner=inner):
            for entry in written:
                yield from _persons(inner, entry)
        case Members(members=members):
            for name, inner in members:
                yield from _persons(inner, written.get(name))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    inner: Callable[[], Any] | None = value.values if isinstance(value, Mapping) else None
    for one in inner() if inner else value if isinstance(value, list) else ():
        yield from _texts(one)

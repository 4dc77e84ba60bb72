"""The fields of a profile to rules: which value, how it is written, what it becomes. Reads no payload."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Final

from archsyncd.wire.profile.draft import Draft
from archsyncd.wire.profile.faults import NodePath, nearest, quoted
from archsyncd.wire.profile.fields import Kind, Nest, Shape
from archsyncd.wire.profile.model import Form, NestRule, ValueRule
from archsyncd.wire.profile.numbers import DECIMALS, THOUSANDS, NumberRule, number_rule
from archsyncd.wire.profile.paths import BACK
from archsyncd.wire.profile.times import TimeRule, parse_pattern, zone
from archsyncd.wire.profile.tree import Node

# How values are written, for the whole profile or one field.
WRITING: Final = ("decimal", "thousands", "minus", "trim", "unstated", "tz", "fold")
_ORIGINS: Final = ("path", "document", "part", "attribute", "join", "hash")
_VALUE_KEYS: Final = frozenset(
    {*WRITING, *_ORIGINS, "with", "values", "split", "format", "factor", "unit", "factors", "optional"}
)
_NEST_KEYS: Final = frozenset({"records", "const", "fields", "optional"})
FIELD_KEYS: Final = _VALUE_KEYS | _NEST_KEYS
_FACTOR: Final = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,12}|/[0-9]{1,12})?")
_DEPTH_LIMIT: Final = 4
_IDS: Final = frozenset({"id", "fulfilmentId", "returnId", "parcelId", "rev"})
# Keys that mean something only for fields that hold this.
_NUMBER_KEYS: Final = ("decimal", "thousands", "minus", "factor", "unit", "factors")
_TIME_KEYS: Final = ("format", "tz", "fold")
_FITS: Final[Mapping[str, frozenset[Kind]]] = {
    **dict.fromkeys(_NUMBER_KEYS, frozenset({Kind.WHOLE})),
    **dict.fromkeys(_TIME_KEYS, frozenset({Kind.TIME, Kind.DATE})),
    "split": frozenset({Kind.TEXTS}),
}


@dataclass(frozen=True, slots=True)
class Writing:
    """How values are written where a field says nothing else. `fold`: True takes the later of two times."""

    decimal: str | None = None
    thousands: str | None = None
    trailing: bool = False
    trim: bool = False
    unstated: frozenset[str] = frozenset()
    tz: str | None = None
    fold: bool | None = None


def read_writing(draft: Draft, members: Mapping[str, Node], path: NodePath, default: Writing) -> Writing:
    """Read the keys of WRITING that are there, over what stands around."""
    writing = default
    for name, node in members.items():
        where = (*path, name)
        if name == "decimal":
            decimal = None if node.value is None else draft.choice(node, where, sorted(DECIMALS))
            writing = replace(writing, decimal=decimal)
        elif name == "thousands":
            thousands = None if node.value is None else draft.choice(node, where, sorted(THOUSANDS))
            writing = replace(writing, thousands=thousands)
        elif name == "minus":
            trailing = draft.choice(node, where, ("leading", "trailing")) == "trailing"
            writing = replace(writing, trailing=trailing)
        elif name == "trim":
            writing = replace(writing, trim=draft.flag(node, where))
        elif name == "unstated":
            writing = replace(writing, unstated=frozenset(draft.texts(node, where, empty=True)))
        elif name == "tz":
            writing = replace(writing, tz=node.value if draft.made(node, where, zone) else "UTC")
        elif name == "fold":
            writing = replace(writing, fold=draft.choice(node, where, ("earlier", "later")) == "later")
    if writing.decimal is not None and writing.decimal == writing.thousands:
        node = members.get("thousands") or members["decimal"]
        draft.fault(node, path, "decimal and thousands must be different signs")
        writing = replace(writing, thousands=None)
    return writing


class RuleReader:
    """Reads the fields of one profile."""

    def __init__(self, draft: Draft, form: Form, writing: Writing, parts: frozenset[str]) -> None:
        self._draft = draft
        self._form = form
        self._writing = writing
        self._parts = parts

    def rules(
        self, node: Node, path: NodePath, shapes: Mapping[str, Shape], owner: str, depth: int = 0
    ) -> tuple[ValueRule | NestRule, ...]:
        """Read an object of fields. `owner`: whose fields they are, for messages."""
        if not isinstance(node.value, dict):
            self._draft.fault(node, path, "must be an object {…} of fields")
            return ()
        found: list[ValueRule | NestRule] = []
        for name, inner in node.value.items():
            shape = shapes.get(name)
            if name == "note":
                continue
            if shape is None:
                hint = nearest(name, shapes)
                self._draft.fault(inner, (*path, name), f"is no field of {owner}", hint, shown=False)
            elif isinstance(shape, Nest):
                found += self._nest(name, inner, (*path, name), shape, depth)
            else:
                found += self._value(name, inner, (*path, name), shape)
        return tuple(found)

    def _nest(self, name: str, node: Node, path: NodePath, shape: Nest, depth: int) -> list[NestRule]:
        draft = self._draft
        if depth >= _DEPTH_LIMIT or not isinstance(node.value, dict):
            draft.fault(node, path, 'must be an object with "records" and "fields"')
            return []
        members = draft.members(node, path, _NEST_KEYS)
        records = None
        if "records" in members:
            records = draft.path(members["records"], (*path, "records"))
        elif shape.many:
            draft.fault(node, path, 'needs "records": a path to the entries of the list', shown=False)
        if "fields" not in members:
            draft.fault(node, path, 'needs "fields"', shown=False)
            return []
        rules = self.rules(members["fields"], (*path, "fields"), shape.fields, name, depth + 1)
        const = (
            self.constants(members["const"], (*path, "const"), shape.fields, name)
            if "const" in members
            else {}
        )
        return [
            NestRule(name=name, line=node.line, records=records, many=shape.many, const=const, rules=rules)
        ]

    def constants(
        self, node: Node, path: NodePath, shapes: Mapping[str, Shape], owner: str
    ) -> Mapping[str, Any]:
        """Read values that hold for every record."""
        draft, found = self._draft, {}
        for name, inner in draft.members(node, path, shapes).items():
            shape, value, where = shapes[name], inner.value, (*path, name)
            if isinstance(shape, Nest) or shape is Kind.TEXTS:
                draft.fault(inner, where, f"{owner}: a constant is a single value", shown=False)
            elif shape is Kind.WHOLE and type(value) is not int:
                draft.fault(inner, where, "must be a whole number")
            elif shape is Kind.FLAG and not isinstance(value, bool):
                draft.fault(inner, where, "must be true or false")
            elif shape not in {Kind.WHOLE, Kind.FLAG} and not (isinstance(value, str) and value):
                draft.fault(inner, where, "must be a text in double quotes")
            else:
                found[name] = value
        return found

    def _value(self, name: str, node: Node, path: NodePath, kind: Kind) -> list[ValueRule]:
        draft = self._draft
        if isinstance(node.value, str | list):
            members: Mapping[str, Node] = {"path": node}
            places = {"path": path}
        else:
            members = draft.members(node, path, _VALUE_KEYS)
            places = {key: (*path, key) for key in members}
        if not members:
            if not isinstance(node.value, dict) or not node.value:
                draft.fault(node, path, 'must be a path, or an object with "path"', shown=False)
            return []
        rule = self._origin(name, node, path, kind, members, places)
        if rule is None:
            return []
        writing = read_writing(
            draft, {key: members[key] for key in WRITING if key in members}, path, self._writing
        )
        rule = replace(rule, trim=writing.trim, unstated=writing.unstated)
        self._check_keys(members, places, kind)
        if kind is Kind.WHOLE:
            rule = self._as_number(rule, members, places, writing)
        elif kind in {Kind.TIME, Kind.DATE}:
            rule = replace(rule, time=self._time(node, members, path, places, kind, writing))
        return [rule]

    def _origin(
        self,
        name: str,
        node: Node,
        path: NodePath,
        kind: Kind,
        members: Mapping[str, Node],
        places: Mapping[str, NodePath],
    ) -> ValueRule | None:
        """Where the value comes from."""
        draft = self._draft
        told = [key for key in _ORIGINS if key in members]
        if len(told) != 1:
            says = (
                f"needs one of {', '.join(map(quoted, _ORIGINS))}" if not told else "has more than one origin"
            )
            draft.fault(node, path, says, shown=False)
            return None
        rule = ValueRule(name=name, kind=kind, line=node.line)
        rule = self._from(told[0], rule, members, places)
        self._check_paths(rule, members[told[0]], places[told[0]])
        return self._described(rule, members, places)

    def _from(
        self, key: str, rule: ValueRule, members: Mapping[str, Node], places: Mapping[str, NodePath]
    ) -> ValueRule:
        draft, origin, where = self._draft, members[key], places[key]
        if key == "path":
            return replace(rule, paths=draft.paths(origin, where))
        if key == "document":
            found = draft.path(origin, where, from_top=True)
            return replace(rule, paths=() if found is None else (found,))
        if key == "part":
            return replace(rule, part=self._part(origin, where))
        if key == "attribute":
            return replace(rule, attribute=draft.text(origin, where))
        if key == "join":
            joined = draft.text(members["with"], places["with"], empty=True) if "with" in members else "-"
            return replace(rule, paths=draft.paths(origin, where), joined=joined)
        if rule.name not in _IDS:
            draft.fault(origin, where, "makes an id; this field is none")
        return replace(rule, hashed=True, paths=() if origin.value is True else draft.paths(origin, where))

    def _described(
        self, rule: ValueRule, members: Mapping[str, Node], places: Mapping[str, NodePath]
    ) -> ValueRule:
        draft = self._draft
        if "optional" in members:
            rule = replace(rule, optional=draft.flag(members["optional"], places["optional"]))
        if "split" in members:
            rule = replace(rule, split=draft.text(members["split"], places["split"]))
        if "values" in members:
            rule = replace(rule, values=self._values(members["values"], places["values"], rule.kind))
        return rule

    def _part(self, node: Node, path: NodePath) -> str:
        part = self._draft.text(node, path)
        if part and part not in self._parts:
            says = "is no part that a pattern in names gives"
            self._draft.fault(node, path, says, nearest(part, self._parts))
        return part

    def _check_paths(self, rule: ValueRule, node: Node, where: NodePath) -> None:
        for path in rule.paths:
            if path.is_list and rule.kind is not Kind.TEXTS:
                self._draft.fault(node, where, "* leads to several values; this field holds one")
            if self._form is Form.CSV and (len(path.steps) > 1 or path.back or BACK in path.steps):
                hint = quoted("/" + path.text[1:].replace("/", "~1"))
                self._draft.fault(node, where, "must name one column; a / in a name is written ~1", hint)

    def _values(self, node: Node, path: NodePath, kind: Kind) -> Mapping[str, Any]:
        draft = self._draft
        if not isinstance(node.value, dict) or not node.value:
            draft.fault(node, path, "must be an object: what may stand there, and what it means")
            return {}
        for name, inner in node.value.items():
            value = inner.value
            if kind is Kind.FLAG and not isinstance(value, bool | None):
                draft.fault(inner, (*path, name), "must be true, false or null")
            elif kind is Kind.WHOLE and not (type(value) is int or value is None):
                draft.fault(inner, (*path, name), "must be a whole number or null")
            elif kind not in {Kind.FLAG, Kind.WHOLE} and not isinstance(value, str | None):
                draft.fault(inner, (*path, name), "must be a text or null")
        return {name: inner.value for name, inner in node.value.items()}

    def _check_keys(self, members: Mapping[str, Node], places: Mapping[str, NodePath], kind: Kind) -> None:
        """Keys that mean nothing for a field of this kind are faults: their writer expects something of them."""
        for key, kinds in _FITS.items():
            if key in members and kind not in kinds:
                self._draft.fault(
                    members[key], places[key], f"means nothing here: the field holds {kind.value}"
                )
        if "with" in members and "join" not in members:
            self._draft.fault(members["with"], places["with"], 'means nothing without "join"')

    def _as_number(
        self,
        rule: ValueRule,
        members: Mapping[str, Node],
        places: Mapping[str, NodePath],
        writing: Writing,
    ) -> ValueRule:
        draft, factor, factors, unit = self._draft, None, None, None
        if "factor" in members:
            factor = self._factor(members["factor"], places["factor"])
        if ("unit" in members) != ("factors" in members):
            key = "unit" if "unit" in members else "factors"
            draft.fault(members[key], places[key], '"unit" and "factors" go together', shown=False)
        elif "unit" in members:
            unit = draft.path(members["unit"], places["unit"])
            factors = self._factors(members["factors"], places["factors"])
        if factor is not None and factors is not None:
            draft.fault(members["factor"], places["factor"], 'cannot stand beside "factors"')
        return replace(rule, unit=unit, number=self._number(writing, factor, factors))

    def _number(
        self, writing: Writing, factor: Fraction | None, factors: Mapping[str, Fraction] | None
    ) -> NumberRule:
        return number_rule(
            texts=self._form in {Form.CSV, Form.XML},
            decimal=writing.decimal,
            thousands=writing.thousands,
            trailing=writing.trailing,
            factor=factor,
            factors=factors,
        )

    def _factors(self, node: Node, path: NodePath) -> Mapping[str, Fraction]:
        if not isinstance(node.value, dict) or not node.value:
            self._draft.fault(node, path, "must be an object: units, and what one of each is in pieces")
            return {}
        made = {name: self._factor(inner, (*path, name)) for name, inner in node.value.items()}
        return {name: one for name, one in made.items() if one is not None}

    def _factor(self, node: Node, path: NodePath) -> Fraction | None:
        written = str(node.value) if type(node.value) is int else node.value
        if isinstance(written, str) and _FACTOR.fullmatch(written):
            try:
                factor = Fraction(written)
            except ZeroDivisionError:
                factor = Fraction(0)
            if factor > 0:
                return factor
        says = 'must be a number above 0: 12, or exactly as a text: "0.5", "1/12"'
        self._draft.fault(node, path, says)
        return None

    def _time(
        self,
        node: Node,
        members: Mapping[str, Node],
        path: NodePath,
        places: Mapping[str, NodePath],
        kind: Kind,
        writing: Writing,
    ) -> TimeRule | None:
        draft = self._draft
        if "format" not in members:
            for key in ("tz", "fold"):
                if key in members:
                    draft.fault(members[key], places[key], 'means nothing without "format"')
            return None
        pattern = draft.made(members["format"], places["format"], parse_pattern)
        if pattern is None:
            return None
        if pattern.tells_offset and "tz" in members:
            draft.fault(members["tz"], places["tz"], "cannot stand beside a format that tells the offset")
        if not pattern.tells_offset and writing.tz is None and kind is Kind.TIME:
            says = 'needs "tz", here or for the whole profile: its format tells no offset'
            draft.fault(node, path, says, shown=False)
        here = None if writing.tz is None else zone(writing.tz)
        return TimeRule(pattern, here, writing.tz or "", writing.fold)

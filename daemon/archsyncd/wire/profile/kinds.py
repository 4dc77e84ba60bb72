"""Which kinds of records a profile describes: `const`, `fields` and `when` to variants. Reads no payload."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from archsyncd.wire.profile.draft import Draft
from archsyncd.wire.profile.faults import NodePath, nearest
from archsyncd.wire.profile.fields import NEEDED, TYPES, Shape, fields_of
from archsyncd.wire.profile.model import Condition, NestRule, ValueRule, Variant
from archsyncd.wire.profile.paths import parse_path
from archsyncd.wire.profile.rules import RuleReader
from archsyncd.wire.profile.tree import Node

_WHEN: Final = frozenset({"type", "skip", "const", "fields"})


class KindReader:
    """Reads the kinds of one profile. `trims`: blanks around a value do not count in a condition."""

    def __init__(self, draft: Draft, tree: Node, reader: RuleReader, *, trims: bool) -> None:
        self._draft = draft
        self._tree = tree
        self._top: Mapping[str, Node] = tree.value
        self._reader = reader
        self._trims = trims

    def variants(self) -> Iterator[Variant]:
        """Read the kinds under `when` in their order, then the one that holds where none of them does."""
        node = self._top.get("when")
        entries: list[tuple[NodePath, Node]] = []
        if node is not None and isinstance(node.value, list):
            entries = [(("when", place), one) for place, one in enumerate(node.value)]
        elif node is not None:
            entries = [(("when",), node)]
        base = self._base()
        for where, one in entries:
            yield from self._variant(where, one, base)
        if base.kind is not None or base.kind_told:
            yield self._finished(self._tree, (), base)
        elif not entries:
            hint = '"const": {"type": "stock.level"}'
            says = "needs a type of record, in const, in fields or in when"
            self._draft.fault(self._tree, (), says, hint, shown=False)

    def _base(self) -> _Base:
        told = self._type_of(self._top.get("const"))
        fields_node = self._top.get("fields")
        by_field = (
            fields_node is not None and isinstance(fields_node.value, dict) and "type" in fields_node.value
        )
        # Fields that only the kinds under `when` have may stand at the top, too.
        shapes = fields_of(told if "when" not in self._top else None)
        owner = told if told is not None and "when" not in self._top else "any record"
        const = (
            self._reader.constants(self._top["const"], ("const",), shapes, owner)
            if "const" in self._top
            else {}
        )
        rules = () if fields_node is None else self._reader.rules(fields_node, ("fields",), shapes, owner)
        self._known_type(self._top.get("const"), ("const",))
        return _Base(told, by_field, const, rules)

    def _type_of(self, node: Node | None) -> str | None:
        if node is None or not isinstance(node.value, dict) or "type" not in node.value:
            return None
        value = node.value["type"].value
        return value if isinstance(value, str) else None

    def _known_type(self, node: Node | None, where: NodePath) -> None:
        told = self._type_of(node)
        if node is not None and told is not None and told not in TYPES:
            says = "is no type of record that r247/1 knows"
            self._draft.fault(node.value["type"], (*where, "type"), says, nearest(told, TYPES))

    def _variant(self, where: NodePath, node: Node, base: _Base) -> Iterator[Variant]:
        draft = self._draft
        if not isinstance(node.value, dict):
            draft.fault(node, where, "must be an object: paths with what must stand there, and a type")
            return
        asked = {name: inner for name, inner in node.value.items() if name.startswith("/")}
        rest = Node(
            {name: inner for name, inner in node.value.items() if name not in asked}, node.line, node.column
        )
        members = draft.members(rest, where, _WHEN)
        conditions = tuple(self._conditions(asked, where))
        if not asked:
            draft.fault(node, where, "needs a condition: a path, and what must stand there", shown=False)
        if "skip" in members and draft.flag(members["skip"], (*where, "skip")):
            yield Variant(line=node.line, conditions=conditions, skip=True)
            return
        told = self._kind(members, where)
        if told is not None or "type" not in members:
            kind = told or self._type_of(members.get("const")) or base.kind
            yield self._finished(node, where, self._over(kind, node, members, where, base), conditions)

    def _over(
        self, kind: str | None, node: Node, members: Mapping[str, Node], where: NodePath, base: _Base
    ) -> _Base:
        """What one kind says itself, laid over what holds for all."""
        if kind is None and not base.kind_told:
            self._draft.fault(node, where, 'needs "type"', shown=False)
        shapes, owner = fields_of(kind), kind or "any record"
        const: Mapping[str, Any] = {}
        rules: tuple[ValueRule | NestRule, ...] = ()
        if "const" in members:
            const = self._reader.constants(members["const"], (*where, "const"), shapes, owner)
        if "fields" in members:
            rules = self._reader.rules(members["fields"], (*where, "fields"), shapes, owner)
        self._known_type(members.get("const"), (*where, "const"))
        return base.over(kind, const, rules, shapes)

    def _kind(self, members: Mapping[str, Node], where: NodePath) -> str | None:
        return self._draft.choice(members["type"], (*where, "type"), TYPES) if "type" in members else None

    def _conditions(self, asked: Mapping[str, Node], where: NodePath) -> Iterator[Condition]:
        for name, node in asked.items():
            at = (*where, name)
            try:
                path = parse_path(name)
            except ValueError as fault:
                self._draft.fault(node, at, str(fault))
                continue
            negated = isinstance(node.value, dict)
            wanted = node
            if negated:
                inner = self._draft.members(node, at, {"not"})
                if "not" not in inner:
                    self._draft.fault(node, at, 'must be a value, a list of them, or {"not": …}', shown=False)
                    continue
                wanted = inner["not"]
            entries = wanted.value if isinstance(wanted.value, list) else [wanted]
            values = [one.plain() for one in entries]
            if not values or any(isinstance(value, dict | list) for value in values):
                self._draft.fault(
                    wanted, at, "must be a text, a number, true, false, null, or a list of them"
                )
                continue
            yield Condition(path, frozenset(map(_comparable, values)), negated, self._trims)

    def _finished(
        self, node: Node, where: NodePath, base: _Base, conditions: tuple[Condition, ...] = ()
    ) -> Variant:
        given = {*base.const, *(rule.name for rule in base.rules)}
        for group in NEEDED.get(base.kind or "", ()):
            if not given & set(group):
                says = f"a {base.kind} needs {' or '.join(group)}, in fields or const"
                self._draft.fault(node, where, says, shown=False)
        const = dict(base.const)
        if base.kind is not None and not any(rule.name == "type" for rule in base.rules):
            const["type"] = base.kind
        places = dict(_places(base.rules, ""))
        return Variant(line=node.line, conditions=conditions, const=const, rules=base.rules, places=places)


@dataclass(frozen=True, slots=True)
class _Base:
    """What holds for all records. `kind_told`: each record tells its own type."""

    kind: str | None
    kind_told: bool
    const: Mapping[str, Any]
    rules: tuple[ValueRule | NestRule, ...]

    def over(
        self,
        kind: str | None,
        const: Mapping[str, Any],
        rules: tuple[ValueRule | NestRule, ...],
        shapes: Mapping[str, Shape],
    ) -> _Base:
        """Lay what holds for one kind over this; what that kind has no field for falls away."""
        own = {rule.name for rule in rules} | set(const)
        kept = [
            rule
            for rule in self.rules
            if rule.name in shapes and rule.name not in own and not (kind is not None and rule.name == "type")
        ]
        constants = {name: value for name, value in self.const.items() if name in shapes and name not in own}
        return _Base(kind, self.kind_told and kind is None, {**constants, **const}, (*kept, *rules))


def _comparable(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return None if value is None else str(value)


def _places(rules: tuple[ValueRule | NestRule, ...], path: str) -> Iterator[tuple[str, tuple[int, str]]]:
    for rule in rules:
        where = f"{path}/{rule.name}"
        yield where, (rule.line, rule.told)
        if isinstance(rule, NestRule):
            yield from _places(rule.rules, f"{where}/*" if rule.many else where)

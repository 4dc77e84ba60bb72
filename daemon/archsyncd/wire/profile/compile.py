"""The text of a profile to its specification, or every fault in it at once. Reads no payload."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from archsyncd.wire.profile.draft import Draft
from archsyncd.wire.profile.faults import NodePath, ProfileFaults
from archsyncd.wire.profile.file_names import NAMES_LIMIT, TIME, NamePattern, NameRule, parse_name_pattern
from archsyncd.wire.profile.kinds import KindReader
from archsyncd.wire.profile.model import ENCODINGS, Form, Specification, TableShape, Variant
from archsyncd.wire.profile.paths import Path, parse_path
from archsyncd.wire.profile.rules import WRITING, RuleReader, Writing, read_writing
from archsyncd.wire.profile.times import TimeRule, zone
from archsyncd.wire.profile.tree import Node, parse_tree

TOP_KEYS: Final = frozenset(
    {
        "profile",
        "format",
        "encoding",
        "records",
        "absent",
        "const",
        "fields",
        "when",
        "csv",
        "names",
        "request",
    }
) | frozenset(WRITING)
_CSV: Final = frozenset({"delimiter", "quote", "columns", "skipLines", "ignore", "last"})
_NAME: Final = frozenset({"pattern", "kind", "tz", "fold", "locations", "parts"})
_KINDS: Final = ("full", "delta", "fulfilment", "return", "order")
_SIGN_LIMIT: Final = 1
_NOWHERE: Final = parse_path("/")


@dataclass(frozen=True, slots=True)
class Compiled:
    """A profile that was found sound, and the tree that knows where everything in it stands."""

    specification: Specification
    names: tuple[NameRule, ...]
    tree: Node


def compile_profile(data: bytes, file: str) -> Compiled:
    """Read a profile. `file` is how faults call it. Raises ProfileFaults with all of them."""
    tree = parse_tree(data, file)
    draft = Draft(file)
    compiled = _Compiler(draft, tree).whole()
    if draft.faults or compiled is None:
        raise ProfileFaults(draft.faults)
    return compiled


class _Compiler:
    def __init__(self, draft: Draft, tree: Node) -> None:
        self._draft = draft
        self._tree = tree
        self._top = draft.members(tree, (), TOP_KEYS)

    def whole(self) -> Compiled | None:
        draft, top = self._draft, self._top
        if not isinstance(self._tree.value, dict):
            return None
        for name in ("profile", "format"):
            if name not in top:
                draft.fault(self._tree, (), f'needs "{name}"', shown=False)
        form = (
            Form(draft.choice(top["format"], ("format",), list(Form)) or "json")
            if "format" in top
            else Form.JSON
        )
        writing = read_writing(draft, {name: top[name] for name in WRITING if name in top}, (), Writing())
        names = self._names(writing)
        parts = frozenset(part for rule in names for part in (*rule.pattern.parts, *rule.constants))
        parts |= {TIME} if any(rule.pattern.time for rule in names) else set()
        reader = RuleReader(draft, form, writing, parts)
        specification = Specification(
            name=draft.text(top["profile"], ("profile",)) if "profile" in top else "",
            file=draft.file,
            form=form,
            encoding=self._encoding(form),
            records=self._records(form),
            may_lack_records=self._may_lack(),
            table=self._table(form),
            variants=tuple(KindReader(draft, self._tree, reader, trims=writing.trim).variants()),
            request=self._request(),
        )
        self._check_movements(specification.variants, names)
        return Compiled(specification, names, self._tree)

    def _check_movements(self, variants: Iterable[Variant], names: Iterable[NameRule]) -> None:
        """Changes without the balance after them are right only where a missing file is noticed."""
        bare = any(
            "/delta" in variant.places and "/balanceAfter" not in variant.places for variant in variants
        )
        for rule in names:
            if bare and not rule.pattern.number and rule.kind != "full":
                says = "movements without balanceAfter need files with a {number}: by time alone a missing one is not noticed"
                self._draft.fault(self._top["names"], ("names",), says, shown=False)

    def _encoding(self, form: Form) -> str:
        if "encoding" not in self._top:
            return "utf-8"
        node = self._top["encoding"]
        if form is Form.XML:
            self._draft.fault(node, ("encoding",), "XML tells its encoding itself")
        return self._draft.choice(node, ("encoding",), ENCODINGS) or "utf-8"

    def _records(self, form: Form) -> Path:
        node = self._top.get("records")
        if form in {Form.CSV, Form.NDJSON}:
            if node is not None:
                self._draft.fault(node, ("records",), f"{form.value}: every line is a record; leave it out")
            return _NOWHERE
        if node is None:
            says = 'needs "records": a path from the top of the document to every record, such as "/Items/*"'
            self._draft.fault(self._tree, (), says, shown=False)
            return _NOWHERE
        return self._draft.path(node, ("records",), from_top=True) or _NOWHERE

    def _may_lack(self) -> bool:
        if "absent" not in self._top:
            return False
        return self._draft.choice(self._top["absent"], ("absent",), ("fault", "empty")) == "empty"

    def _request(self) -> Mapping[str, Any] | None:
        node = self._top.get("request")
        if node is None:
            return None
        if not isinstance(node.value, dict):
            self._draft.fault(node, ("request",), "must be an object {…}")
            return None
        plain: Mapping[str, Any] = node.plain()
        return plain

    def _table(self, form: Form) -> TableShape:
        draft, node = self._draft, self._top.get("csv")
        if node is None:
            return TableShape()
        if form is not Form.CSV:
            draft.fault(node, ("csv",), "means something only where format is csv", shown=False)
            return TableShape()
        shape = TableShape()
        members = draft.members(node, ("csv",), _CSV)
        for name, inner in members.items():
            where = ("csv", name)
            if name == "delimiter":
                shape = replace(shape, delimiter=self._sign(inner, where) or ",")
            elif name == "quote":
                quote = None if inner.value is None else self._sign(inner, where)
                shape = replace(shape, quote=quote)
            elif name == "columns":
                shape = replace(shape, columns=draft.texts(inner, where))
            elif name == "last":
                shape = replace(shape, last=draft.text(inner, where) or None)
            elif name == "skipLines":
                shape = replace(shape, skip_lines=draft.whole(inner, where, 1000))
            else:
                shape = replace(shape, ignored=draft.texts(inner, where))
        if shape.delimiter == shape.quote:
            draft.fault(node, ("csv",), "delimiter and quote must be different signs", shown=False)
        return shape

    def _sign(self, node: Node, where: NodePath) -> str | None:
        sign = node.value
        if isinstance(sign, str) and len(sign) == _SIGN_LIMIT and sign not in "\r\n\0":
            return sign
        self._draft.fault(node, where, 'must be one sign, such as ";"')
        return None

    def _names(self, writing: Writing) -> tuple[NameRule, ...]:
        node = self._top.get("names")
        if node is None:
            return ()
        entries = node.value if isinstance(node.value, list) else [node]
        if not 1 <= len(entries) <= NAMES_LIMIT:
            self._draft.fault(node, ("names",), f"must list 1 to {NAMES_LIMIT} patterns", shown=False)
        listed = isinstance(node.value, list)
        read = (
            self._name(one, ("names", place) if listed else ("names",), writing)
            for place, one in enumerate(entries[:NAMES_LIMIT])
        )
        return tuple(one for one in read if one is not None)

    def _name(self, node: Node, where: NodePath, writing: Writing) -> NameRule | None:
        draft = self._draft
        members = draft.members(node, where, _NAME)
        for name in ("pattern", "kind"):
            if name not in members:
                draft.fault(node, where, f'needs "{name}"', shown=False)
        if "pattern" not in members or "kind" not in members:
            return None
        kind = draft.choice(members["kind"], (*where, "kind"), _KINDS)
        pattern = draft.made(members["pattern"], (*where, "pattern"), parse_name_pattern)
        if kind is None or pattern is None:
            return None
        own = {name: members[name] for name in ("tz", "fold") if name in members}
        locations = draft.texts(members["locations"], (*where, "locations")) if "locations" in members else ()
        return NameRule(
            line=node.line,
            pattern=pattern,
            kind=kind,
            time=self._name_time(node, where, pattern, read_writing(draft, own, where, writing)),
            locations=locations,
            constants=self._parts(members["parts"], (*where, "parts")) if "parts" in members else {},
        )

    def _name_time(
        self, node: Node, where: NodePath, pattern: NamePattern, writing: Writing
    ) -> TimeRule | None:
        time = pattern.time
        if time is None:
            return None
        if not time.tells_offset and writing.tz is None:
            self._draft.fault(node, where, 'needs "tz": the time in the name tells no offset', shown=False)
            return None
        # The order of two files in the doubled hour must not be guessed, and no file may be left lying: the first is meant.
        return TimeRule(time, zone(writing.tz or "UTC"), writing.tz or "UTC", bool(writing.fold))

    def _parts(self, node: Node, where: NodePath) -> Mapping[str, str]:
        if not isinstance(node.value, dict):
            self._draft.fault(node, where, "must be an object: parts and their texts")
            return {}
        return {name: self._draft.text(inner, (*where, name)) for name, inner in node.value.items()}

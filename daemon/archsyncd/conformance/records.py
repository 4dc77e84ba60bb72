"""What records show of themselves, whichever way they came: form, fields, ids, proofs of orders. Asks nobody."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from archsyncd.conformance.findings import Evidence, Notebook, number
from archsyncd.domain.feed import Reject
from archsyncd.wire.r247_fields import RECORD_FIELDS
from archsyncd.wire.r247_records import RECORD_TYPES
from archsyncd.wire.r247_values import Literal, Repeated

IDS_LIMIT: Final = 200_000
PROVING: Final = ("ordersIncluded", "ordersThrough")


@dataclass(slots=True)
class RecordBook:
    """Looks at records as they come; `judge` says in the end what only all of them can show."""

    notebook: Notebook
    seen: int = 0
    _ids: dict[str, str] = field(default_factory=dict)
    _types: set[str] = field(default_factory=set)
    _levels: int = 0
    _proving: int = 0
    _movements: int = 0
    _acceptances: int = 0
    _strange_fields: dict[str, str] = field(default_factory=dict)

    def look(
        self, asked: str, items: Sequence[Any], places: Sequence[str | None], rejects: Iterable[Reject]
    ) -> None:
        """Take in what one answer holds: its records as JSON values, where each stands in its feed, and what was refused.

        A record that comes again at the same place (a page that is read twice) is the same record. `places` None: items of
        a snapshot, which may carry the ids of the records that they repeat.
        """
        for each in rejects:
            self._reject(asked, each)
        for item, place in zip(items, places, strict=True):
            self.seen += 1
            if isinstance(item, dict):
                self._one(asked, item, place)

    def _reject(self, asked: str, found: Reject) -> None:
        where = found.path or "/"
        says = f"{where} {found.reason}" + (f": {found.value}" if found.value not in {"", "null"} else "")
        shown = found.payload[:600].decode("utf-8", "replace")
        if found.code == "unknown_type":
            self.notebook.fails(
                "known_types", f"a record is of an unknown type: {found.value}", Evidence(asked, shown)
            )
        else:
            self.notebook.fails(
                "records_readable", f"{found.code}: {says}", Evidence(f"{asked} {where}", shown or says)
            )

    def _one(self, asked: str, item: Mapping[str, Any], place: str | None) -> None:
        kind = item.get("type", "stock.level")
        if kind not in RECORD_TYPES:
            return
        self._types.add(kind)
        known = RECORD_FIELDS[kind]
        for name in item:
            if name not in known:
                self._strange_fields.setdefault(f"{kind}.{name}", asked)
        if place is not None:
            self._identity(asked, item, place)
        self._proofs(kind, item)
        if item.get("occurredAt") is None and item.get("asOf") is None and item.get("at") is None:
            self.notebook.fails(
                "times_told", f"a {kind} has neither occurredAt nor asOf", Evidence(asked, shown(item))
            )

    def _identity(self, asked: str, item: Mapping[str, Any], place: str) -> None:
        own_id = item.get("id")
        if not isinstance(own_id, str) or len(self._ids) > IDS_LIMIT:
            return
        first = self._ids.setdefault(own_id, place)
        if first != place:
            says = f"the id {own_id[:60]!r} stands at {first} and at {place}"
            self.notebook.fails("id_unique", says, Evidence(asked, shown(item)))

    def _proofs(self, kind: str, item: Mapping[str, Any]) -> None:
        if kind == "stock.level":
            self._levels += 1
            self._proving += any(item.get(name) is not None for name in PROVING)
        elif kind == "order.accepted":
            self._acceptances += 1
        elif kind == "stock.movement":
            self._movements += 1
            if item.get("balanceAfter") is None:
                self.notebook.fails(
                    "movement_balance", "a movement states no balanceAfter", Evidence("", shown(item))
                )

    def judge(self) -> None:
        """Say what all records together show."""
        notebook = self.notebook
        if not self.seen:
            return
        count = number(self.seen, "record")
        notebook.holds("records_readable", f"{count} read")
        notebook.holds("known_types", f"{count} of the types {', '.join(sorted(self._types)) or 'no type'}")
        notebook.holds("id_unique", f"{number(len(self._ids), 'id')}, each at one place")
        notebook.holds("times_told", f"{count} with the time of it")
        if self._strange_fields:
            names = ", ".join(sorted(self._strange_fields)[:12])
            evidence = [Evidence(asked, name) for name, asked in self._strange_fields.items()]
            notebook.fails("known_fields", f"fields that r247/1 does not know: {names}", *evidence)
        else:
            notebook.holds("known_fields", "every field is one of r247/1")
        if self._movements:
            notebook.holds(
                "movement_balance", f"{number(self._movements, 'movement')} with the balance after it"
            )
        else:
            notebook.unasked("movement_balance", "no movement was told")
        self._judge_proofs()

    def _judge_proofs(self) -> None:
        told = f"{self._proving:,} of {number(self._levels, 'level')} with orders, {number(self._acceptances, 'acceptance')}"
        if self._proving or self._acceptances:
            self.notebook.holds("orders_included", told)
        elif self._levels:
            self.notebook.fails("orders_included", f"{told}: nothing says which orders a figure excludes")
        else:
            self.notebook.unasked("orders_included", "no level was told")


def shown(value: Any) -> str:
    """A record as JSON, as far as it can be written."""
    try:
        return orjson.dumps(value, default=_odd).decode()
    except (TypeError, ValueError):
        return repr(value)


def _odd(value: Any) -> Any:
    if isinstance(value, Literal):
        return value.text
    if isinstance(value, Repeated):
        return dict(value.fields)
    raise TypeError

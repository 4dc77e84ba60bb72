"""Rows of a foreign source's lists, and whether two lists agree. Asks nobody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from archsyncd.conformance.findings import Evidence, Notebook, number
from archsyncd.conformance.records import shown
from archsyncd.wire.foreign.overlap import TIME_FIELDS

Key = tuple[str, str]


@dataclass(slots=True)
class Told:
    """What a list told: of each key its last row, in how many rows, and whether it was read to its end."""

    rows: dict[Key, Mapping[str, Any]] = field(default_factory=dict)
    count: int = 0
    whole: bool = True
    asked: str = ""


def compare(notebook: Notebook, full: Told | None, changes: Told) -> None:
    """Hold the whole stock against what changes told."""
    if full is None:
        return
    if not full.whole or not changes.rows:
        why = (
            "only part of the stock was read; --limit allows for more"
            if changes.rows
            else "no change was told"
        )
        for name in ("stock_covers", "stock_agrees"):
            notebook.unasked(name, why)
        return
    kept = {key: row for key, row in changes.rows.items() if row.get("type") != "stock.removed"}
    missing = sorted(key for key in kept if key not in full.rows)
    says = f"{len(missing)} of {number(len(kept), 'key')} not in the whole stock"
    if missing:
        says = f"{says}, the first is {missing[0][0]} at {missing[0][1]}"
    held = f"{number(len(kept), 'key')} found in the whole stock"
    notebook.judge("stock_covers", not missing, held, says, Evidence(full.asked))
    if changes.whole:
        there = {key: row for key, row in kept.items() if key in full.rows}
        alike(notebook, "stock_agrees", full.rows, there, full.asked)
    else:
        notebook.unasked("stock_agrees", "changes were not read to their end; --limit allows for more")


def alike(
    notebook: Notebook,
    rule: str,
    stock: Mapping[Key, Mapping[str, Any]],
    other: Mapping[Key, Mapping[str, Any]],
    asked: str,
    *,
    told: bool = True,
) -> None:
    """Hold rows against the whole stock, where both are of one time. `told`: whatever changed between both was left out."""
    compared = 0
    for key, row in other.items():
        at = _time_of(row)
        if row.get("type") != "stock.level" or at != _time_of(stock[key]) or (at is None and not told):
            continue
        compared += 1
        here, there = _figures(row), _figures(stock[key])
        if any(here[name] != there[name] for name in here.keys() & there.keys()):
            says = f"{key[0]} at {key[1]} shows {here} here and {there} in the whole stock"
            notebook.fails(rule, says, Evidence(asked, shown(dict(row))))
    if compared:
        notebook.holds(rule, f"{number(compared, 'key')} alike in both")
    else:
        notebook.unasked(rule, "no key has figures of one time in both")


def typed(value: Mapping[str, Any]) -> dict[str, Any]:
    """A row as a record: what says no type of its own is a level."""
    return {"type": "stock.level", **value}


def key_of(value: Mapping[str, Any]) -> Key:
    """What a row is about."""
    return str(value.get("sku")), str(value.get("location"))


def _time_of(row: Mapping[str, Any]) -> Any:
    return next((row[name] for name in TIME_FIELDS if row.get(name) is not None), None)


def _figures(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ("onHand", "available") if row.get(name) is not None}

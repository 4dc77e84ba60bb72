"""`archsyncctl audit`: waits for the audit, then shows what it found as a table, CSV or JSON. Imports nothing heavy."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import Any, TextIO

from archsyncd.operator.client import Client
from archsyncd.operator.progress import Progress
from archsyncd.operator.protocol import EXIT_ACT, EXIT_OK, EXIT_USAGE, Refusal
from archsyncd.operator.sheets import Sheet
from archsyncd.operator.tables import LEFT, RIGHT, Table, age, counted
from archsyncd.operator.writing import stream_json

FIELDS = ("kind", "name", "place", "near", "differs", "says")


def audit(client: Client, options: argparse.Namespace, out: TextIO, err: TextIO) -> int:
    """Audit (or read the last result) and show it; 1 when something was found."""
    if options.csv and options.json:
        raise Refusal("Choose one of --csv and --json.", EXIT_USAGE)
    if not options.last:
        _wait(client, Progress(err, None, "SKU"))
    pages = client.pages("audit.rows", {})
    first = next(pages)
    rows = _rows(first, pages)
    if options.json:
        rest = {name: value for name, value in first.items() if name not in {"rows", "next"}}
        stream_json(out, rows, lambda: rest)
    elif options.csv:
        Sheet(out, FIELDS).write({field: _text(row[field]) for field in FIELDS} for row in rows)
    else:
        _as_table(rows, first, options.limit, out)
    return EXIT_ACT if first["totals"] else EXIT_OK


def _wait(client: Client, bar: Progress) -> None:
    """Until the audit is over. Raises Refusal when it failed."""
    progress = client.ask("audit.start")
    try:
        while progress["state"] == "running":
            bar.phase(progress["phase"], progress["total"])
            bar.to(progress["done"])
            progress = client.ask("audit.look", {"seen": progress["revision"]})
    finally:
        bar.end()
    if progress["state"] == "failed":
        raise Refusal(
            f"The audit did not come to its end: {progress['failure']}. The one before is kept (--last)."
        )


def _rows(first: Mapping[str, Any], pages: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    yield from first["rows"]
    for page in pages:
        yield from page["rows"]


def _as_table(rows: Iterator[dict[str, Any]], first: Mapping[str, Any], limit: int, out: TextIO) -> None:
    kept: list[list[Any]] = []
    for row in rows:
        if len(kept) == limit:
            break
        kept.append([_text(row[field]) for field in ("kind", "name", "near", "says")])
    totals = first["totals"]
    out.write(
        f"{first['sold']:,} SKUs sold, {first['sent']:,} told by Archean; looked at {first['at']}, "
        f"{age(first['seconds'])}, {counted(first['requests'], 'request')}\n"
    )
    if first["without_sku"]:
        out.write(
            f"{counted(first['without_sku'], 'variant')} without a SKU: nothing can be kept in step for them\n"
        )
    if not totals:
        out.write("Every identifier fits: what is sold was told, and what was told is sold.\n")
        return
    Table([("finding", LEFT), ("count", RIGHT)], [[kind, totals[kind]] for kind in sorted(totals)]).write(out)
    out.write("\n")
    if kept:
        Table([("finding", LEFT), ("identifier", LEFT), ("near", LEFT), ("", LEFT)], kept).write(out)
    hidden = sum(totals.values()) - len(kept)
    if hidden:
        out.write(f"and {counted(hidden, 'more finding')}; `archsyncctl audit --last --csv` tells them\n")
    if first["kept"] < sum(totals.values()):
        out.write(f"Only {first['kept']:,} are kept; the others are counted.\n")


def _text(value: Any) -> Any:
    return ", ".join(value) if isinstance(value, list) else value

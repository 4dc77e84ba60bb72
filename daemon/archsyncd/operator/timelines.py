"""Timelines as text and as CSV for archsyncctl: plain answers in, lines out. Asks nobody; imports nothing heavy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TextIO

from archsyncd.operator.sheets import Sheet
from archsyncd.operator.tables import counted, shown
from archsyncd.operator.writing import stream_json

Answer = Mapping[str, Any]
CSV_FIELDS = (
    "channel",
    "n",
    "at",
    "kind",
    "delta",
    "after",
    "says",
    "op",
    "who",
    "count",
    "f",
    "reflected",
    "untracked",
    "known",
)


def timeline_lines(timeline: Answer) -> Iterator[str]:
    """One key's timeline: the sum and whether it agrees, drift, then the rows with the newest last."""
    yield f"  history   {sum_text(timeline)}"
    if timeline["drifts"]:
        last = timeline["newest_drifts"][0]
        yield (
            f"  drift     {counted(timeline['drifts'], 'time')}, last {last['at']}: {last['delta']:+,}"
            f"{_by(last)}"
        )
    hidden = timeline["changes"] - sum(row["n"] is not None for row in timeline["rows"])
    if hidden > 0:
        yield f"    {counted(hidden, 'earlier change')}: --history N shows more, --all shows all"
    for row in timeline["rows"]:
        yield f"    {row_text(row)}"


def sum_text(timeline: Answer) -> str:
    """The check: opening + Σ deltas = current."""
    opened = f" (up to {timeline['opening_to']})" if timeline["opening_to"] else ""
    told = (
        f"opening {timeline['opening']:,}{opened} {timeline['deltas']:+,} in {counted(timeline['changes'], 'change')}"
        f" = {timeline['sum']:,}, applied {shown(timeline['current'])}"
    )
    return f"{told}: it adds up" if timeline["adds_up"] else f"{told}: DOES NOT ADD UP"


def row_text(row: Answer) -> str:
    """One row: when, by how much to what, why."""
    if row["delta"] is None:
        return f"{row['at']}  {'':>8}   {'':>8}  {row['says']}"
    after = "no entry" if row["after"] is None else f"{row['after']:,}"
    many = f" of {counted(row['count'], 'change')}" if row["count"] > 1 else ""
    operation = f" ({row['op']})" if row["op"] else ""
    return f"{row['at']}  {row['delta']:>+8,} → {after:>8}  {row['says']}{many}{operation}{_by(row)}"


def _by(row: Answer) -> str:
    return f", last written by {row['who']}" if row["who"] else ""


def write_history(pages: Iterable[Answer], out: TextIO, how: str) -> bool:
    """A SKU's whole history, page by page, as `csv`, `json` or text; whether every sum agrees."""
    if how == "json":
        return _as_json(pages, out)
    if how == "csv":
        return _as_csv(pages, out)
    agrees = True
    for page in pages:
        for key in page["keys"]:
            agrees = agrees and key["adds_up"]
            out.write(shown(f"{page['sku']} in channel {key['channel']}: {sum_text(key)}") + "\n")
        out.writelines(f"  {shown(row_text(row))}\n" for row in page["rows"])
    return agrees


def _as_csv(pages: Iterable[Answer], out: TextIO) -> bool:
    """The opening is the first row of a key, so that the column adds up to what is applied."""
    sheet = Sheet(out, CSV_FIELDS)
    agrees = True
    for page in pages:
        for key in page["keys"]:
            agrees = agrees and key["adds_up"]
            opening = {"n": 0, "at": key["opening_to"], "kind": "opening", "delta": key["opening"]}
            sheet.write([_cells({"channel": key["channel"], **opening, "after": key["opening"]})])
        sheet.write(_cells(row) for row in page["rows"])
    return agrees


def _cells(row: Answer) -> Answer:
    """Text as it can be shown, numbers as they are."""
    return {
        field: shown(value) if isinstance(value := row.get(field), str) else value for field in CSV_FIELDS
    }


def _as_json(pages: Iterable[Answer], out: TextIO) -> bool:
    keys: list[Answer] = []
    sku = ""

    def rows() -> Iterator[Answer]:
        nonlocal sku
        for page in pages:
            sku = page["sku"]
            keys.extend(page["keys"])
            yield from page["rows"]

    stream_json(out, rows(), lambda: {"keys": keys, "sku": sku})
    return all(key["adds_up"] for key in keys)

"""The tool's side of the reports: text of few lines, CSV and JSON, and the exit status. Knows no store."""

from __future__ import annotations

import argparse
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TextIO

from archsyncd.operator.client import Client
from archsyncd.operator.progress import Progress
from archsyncd.operator.protocol import EXIT_ACT, EXIT_OK, EXIT_USAGE, Refusal
from archsyncd.operator.sheets import Sheet
from archsyncd.operator.tables import LEFT, RIGHT, Table, age, counted, shown
from archsyncd.operator.writing import stream_json, write_json

DAILY_LINES = 25
WIDTH_CHARACTERS = 160
FINANCE_FIELDS = (
    "section",
    "order",
    "number",
    "source_order",
    "dispatch",
    "state",
    "since",
    "age_seconds",
    "reason",
)
SECTIONS = {
    "unfulfillable": "cannot be shipped as ordered, though paid",
    "shipped_not_booked": "shipped, and not booked in commercetools",
    "booked_not_acknowledged": "booked, and Archean does not know it yet",
    "open_return": "returned, and not booked yet",
    "cancelled_after_handover": "cancelled after it was handed over",
}
_MARKS = {"act": "!", "look": "?", "fine": " "}
_HEAD_LINES = 2
Answer = Mapping[str, Any]


def make_report(client: Client, options: argparse.Namespace, out: TextIO, err: TextIO) -> int:
    """Tell one report; exit 1 when somebody must act by it."""
    if options.act == "finance":
        return _finance(client, options, out, err)
    answer = client.ask(f"report.{options.act}")
    if options.json:
        write_json(out, answer)
    elif options.act == "daily":
        out.writelines(line + "\n" for line in daily_lines(answer))
    else:
        _weekly(answer, out)
    return EXIT_ACT if answer["act"] else EXIT_OK


def daily_lines(answer: Answer) -> list[str]:
    """The daily report in at most 25 lines: what must be done, by owner and worst first, then everything that was looked at."""
    acts = [item for item in answer["items"] if item["need"] == "act"]
    rest = [item for item in answer["items"] if item["need"] != "act"]
    lines = _item_lines(acts, rest, DAILY_LINES - _HEAD_LINES)
    return [_one_line(line) for line in (*_heading("Daily", answer, acts), *lines)]


def _heading(word: str, answer: Answer, acts: Sequence[Answer]) -> Iterator[str]:
    owners = dict.fromkeys(item["owner"] for item in acts)
    by_owner = ", ".join(f"{owner} {sum(item['owner'] == owner for item in acts)}" for owner in owners)
    looks = sum(item["need"] == "look" for item in answer["items"])
    must = f"{counted(len(acts), 'thing')} to do, marked ! ({by_owner})" if acts else "nobody must act"
    must += f"; {looks} to look at when there is time, marked ?" if looks else ""
    yield f"{word} report of {answer['project']}, {answer['at']}: {must}"
    yield answer["sentence"]


def _item_lines(acts: Sequence[Answer], rest: Sequence[Answer], most: int) -> list[str]:
    kept = list(acts)
    room = most - len(rest)
    hidden = 0
    if len(kept) > room:
        hidden = len(kept) - room + 1
        kept = kept[: room - 1]
    told = [*kept, *rest]
    owner_width = max(len(shown(item["owner"])) for item in told)
    topic_width = max(len(item["topic"]) for item in told)
    lines = [_item_line(item, owner_width, topic_width) for item in told]
    if hidden:
        lines.insert(len(kept), f"! and {counted(hidden, 'more thing')} to do; --json tells all")
    return lines


def _item_line(item: Answer, owner_width: int, topic_width: int) -> str:
    step = f" → {item['next']}" if item["next"] else ""
    mark, owner = _MARKS[item["need"]], shown(item["owner"])
    return f"{mark} {owner:<{owner_width}}  {item['topic']:<{topic_width}}  {item['says']}{step}"


def _one_line(line: str) -> str:
    text = shown(line).rstrip()
    return text if len(text) <= WIDTH_CHARACTERS else text[: WIDTH_CHARACTERS - 1] + "…"


def _weekly(answer: Answer, out: TextIO) -> None:
    acts = [item for item in answer["items"] if item["need"] == "act"]
    rest = [item for item in answer["items"] if item["need"] != "act"]
    lines = [*_heading("Weekly", answer, acts), *_item_lines(acts, rest, len(acts) + len(rest))]
    out.writelines(_one_line(line) + "\n" for line in lines)
    if answer["kinds"]:
        out.write("\nCases of 7 days, with the 7 days before in brackets:\n")
        _kinds(answer["kinds"], out)
        out.write("\nOwners, the slowest first:\n")
        _owners(answer["owners"], out)
    out.write("\nTo tidy:\n" if answer["tidy"] else "\nNothing to tidy.\n")
    tidy = [f"  {item['says']} ({item['owner']}) → {item['next']}" for item in answer["tidy"]]
    out.writelines(_one_line(line) + "\n" for line in tidy)


def _kinds(rows: Sequence[Answer], out: TextIO) -> None:
    columns = [
        ("kind", LEFT),
        ("owner", LEFT),
        ("opened", RIGHT),
        ("closed", RIGHT),
        ("of them dismissed", RIGHT),
    ]
    columns += [("open", RIGHT), ("overdue", RIGHT), ("oldest", RIGHT)]
    Table(
        columns,
        [
            [
                row["kind"],
                row["owner"],
                f"{row['opened']:,} ({row['opened_before']:,})",
                f"{row['resolved'] + row['dismissed']:,} ({row['closed_before']:,})",
                row["dismissed"],
                row["open"],
                row["overdue"],
                age(row["oldest_seconds"]),
            ]
            for row in rows
        ],
    ).write(out)


def _owners(rows: Sequence[Answer], out: TextIO) -> None:
    columns = [("owner", LEFT), ("open", RIGHT), ("overdue", RIGHT), ("oldest", RIGHT), ("closed", RIGHT)]
    columns += [("open for, on average", RIGHT)]
    Table(
        columns,
        [
            [
                row["owner"],
                row["open"],
                row["overdue"],
                age(row["oldest_seconds"]),
                row["closed"],
                age(row["handling_seconds"]),
            ]
            for row in rows
        ],
    ).write(out)


class FinanceTotals:
    """How many orders each section has, and its oldest; the first rows of each, for the table."""

    def __init__(self, progress: Progress, keep: int) -> None:
        self.first: dict[str, list[Answer]] = {name: [] for name in SECTIONS}
        self._keep = keep
        self._counts = dict.fromkeys(SECTIONS, 0)
        self._oldest: dict[str, float | None] = dict.fromkeys(SECTIONS)
        self._progress = progress

    def watched(self, rows: Iterator[Answer]) -> Iterator[Answer]:
        """The same rows, counted as they pass."""
        for number, row in enumerate(rows, start=1):
            self._progress.to(number)
            name, seconds = row["section"], row["age_seconds"]
            self._counts[name] += 1
            self._oldest[name] = max(self._oldest[name] or 0.0, seconds)
            if len(self.first[name]) < self._keep:
                self.first[name].append(row)
            yield row
        self._progress.end()

    def told(self) -> dict[str, dict[str, Any]]:
        """The totals as plain values."""
        return {
            name: {"orders": self._counts[name], "oldest_seconds": self._oldest[name]} for name in SECTIONS
        }


def _finance(client: Client, options: argparse.Namespace, out: TextIO, err: TextIO) -> int:
    if options.csv and options.json:
        raise Refusal("Choose one of --csv and --json.", EXIT_USAGE)
    streams = options.csv or options.json
    progress = Progress(io.StringIO() if streams and out.isatty() else err, None, "order")
    totals = FinanceTotals(progress, 0 if streams else options.limit)
    rows = totals.watched(row for page in client.pages("report.finance", {}) for row in page["rows"])
    try:
        if options.json:
            stream_json(out, rows, lambda: {"totals": totals.told()})
        elif options.csv:
            Sheet(out, FINANCE_FIELDS).write(rows)
        else:
            _finance_table(rows, totals, out)
    finally:
        progress.end()
    return EXIT_OK


def _finance_table(rows: Iterator[Answer], totals: FinanceTotals, out: TextIO) -> None:
    for _ in rows:
        pass
    columns = [("order", LEFT), ("dispatch", LEFT), ("state", LEFT), ("for", RIGHT), ("Archean's", LEFT)]
    columns += [("why", LEFT)]
    for name, total in totals.told().items():
        first = totals.first[name]
        oldest = f", the oldest for {age(total['oldest_seconds'])}" if total["orders"] else ""
        out.write(f"{total['orders']:,} {SECTIONS[name]}{oldest}\n")
        if first:
            Table(columns, [_finance_row(row) for row in first]).write(out)
        hidden = total["orders"] - len(first)
        out.write(f"and {counted(hidden, 'more order')}; --csv tells all\n" if hidden else "")


def _finance_row(row: Answer) -> list[Any]:
    return [
        row["number"] or row["order"],
        row["dispatch"],
        row["state"],
        age(row["age_seconds"]),
        row["source_order"],
        row["reason"],
    ]

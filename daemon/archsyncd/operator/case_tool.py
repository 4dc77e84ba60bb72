"""The tool's side of the verbs about exceptions: lists, exports, and acts on what a list has shown. Knows no store."""

from __future__ import annotations

import argparse
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TextIO

from archsyncd.operator.client import Client
from archsyncd.operator.digests import differs, digest_of, read_digest
from archsyncd.operator.fields import FIELDS
from archsyncd.operator.progress import Progress
from archsyncd.operator.protocol import EXIT_ACT, EXIT_OK, EXIT_USAGE, Refusal
from archsyncd.operator.sheets import Sheet
from archsyncd.operator.tables import LEFT, RIGHT, Table, age, counted
from archsyncd.operator.writing import shown_lines, stream_json, write_json

LIST_PAGE = 500
AT_ONCE = 100
SAID_LINES = 20
LIST_FIELDS = (
    "id",
    "kind",
    "severity",
    "owner",
    "state",
    "scope",
    "subject",
    "reason",
    "count",
    "first_seen",
    "last_seen",
    "age_seconds",
    "overdue",
)
EXPORT_FIELDS = tuple(FIELDS["exceptions.show"])
Row = Mapping[str, Any]


def list_cases(client: Client, options: argparse.Namespace, out: TextIO, err: TextIO) -> int:
    """A table of cases with the digest that names exactly these."""
    _choose(options)
    rows: list[Row] = []
    at = ""
    for page in client.pages(
        "exceptions.list", {**_filters(options), "state": options.state, "limit": LIST_PAGE}
    ):
        at = at or page["at"]
        rows += page["rows"]
        if len(rows) > options.limit:
            break
    told, more = rows[: options.limit], len(rows) > options.limit
    digest = digest_of(options.kind, options.owner, at, told) if options.state == "open" else None
    if options.json:
        write_json(out, {"rows": told, "more": more, "digest": digest})
    elif options.csv:
        Sheet(out, LIST_FIELDS).write(told)
        err.write("There are more; `archsyncctl exceptions export` tells all.\n" if more else "")
    elif not told:
        narrowed = options.kind or options.owner or options.state != "open"
        out.write("No such case.\n" if narrowed else "No open case.\n")
    else:
        _table(options, told, more, digest, out)
    return EXIT_OK


def _table(
    options: argparse.Namespace, rows: Sequence[Row], more: bool, digest: str | None, out: TextIO
) -> None:
    columns = [("id", RIGHT), ("kind", LEFT), ("severity", LEFT), ("owner", LEFT), ("about", LEFT)]
    columns += [("seen", RIGHT), ("age", RIGHT), ("reason", LEFT)]
    Table(columns, [_case_row(row) for row in rows]).write(out)
    out.write("There are more; --limit N shows them, --kind and --owner narrow the list.\n" if more else "")
    out.write("archsyncctl exceptions show ID tells the next step.\n")
    if digest and options.kind:
        these = "this one" if len(rows) == 1 else f"exactly these {len(rows):,}"
        out.write(f"archsyncctl exceptions retry {_words(options)} --shown {digest} tries {these} again.\n")


def _words(options: argparse.Namespace) -> str:
    owner = f" --owner {options.owner}" if options.owner else ""
    return f"--kind {options.kind}{owner}"


def _case_row(row: Row) -> list[Any]:
    late = " !" if row["overdue"] else ""
    about = f"{row['subject']} ({row['scope']})"
    told = age(row["age_seconds"]) + late
    return [
        str(row["id"]),
        row["kind"],
        row["severity"],
        row["owner"],
        about,
        row["count"],
        told,
        row["reason"],
    ]


def export_cases(client: Client, options: argparse.Namespace, out: TextIO, err: TextIO) -> int:
    """Every such case whole, page by page: CSV, or one JSON object."""
    _choose(options)
    progress = _progress(out, err, None)
    passed = _Passed(progress)
    wanted = {**_filters(options), "state": options.state, "limit": LIST_PAGE}
    rows = passed.watched(row for page in client.pages("exceptions.export", wanted) for row in page["rows"])
    try:
        if options.json:
            stream_json(out, rows, lambda: {"cases": passed.count})
        else:
            Sheet(out, EXPORT_FIELDS).write(rows)
    finally:
        progress.end()
    return EXIT_OK


class _Passed:
    """Counts rows as they pass."""

    def __init__(self, progress: Progress) -> None:
        self.count = 0
        self._progress = progress

    def watched(self, rows: Iterator[Row]) -> Iterator[Row]:
        for row in rows:
            self.count += 1
            self._progress.to(self.count)
            yield row


def act_on_cases(client: Client, options: argparse.Namespace, out: TextIO, err: TextIO) -> int:
    """Retry or dismiss one case, several, or those that a list has shown; exit 1 when some could not."""
    reason = getattr(options, "reason", "")
    rows: list[Row]
    if bool(options.id) == bool(options.shown):
        raise Refusal("Name cases by their IDs, or those of a list by --kind and --shown.", EXIT_USAGE)
    if options.shown:
        cases = [[row["id"], row["count"], row["last_seen"]] for row in _as_shown(client, options)]
    elif options.kind or options.owner:
        raise Refusal("--kind and --owner go with --shown; an ID needs neither.", EXIT_USAGE)
    else:
        cases = [[case_id] for case_id in dict.fromkeys(options.id)]
    if len(cases) == 1 and not options.shown:
        told = {"reason": reason} if options.act == "dismiss" else {}
        answer = client.ask(f"exceptions.{options.act}", {"id": cases[0][0], **told})
        rows = [{"id": cases[0][0], "done": answer["done"], "says": answer["says"]}]
    else:
        rows = _several(client, options, cases, reason, _progress(out, err, len(cases)))
    return _report(options, rows, out)


def _several(
    client: Client, options: argparse.Namespace, cases: list[list[Any]], reason: str, progress: Progress
) -> list[Row]:
    rows: list[Row] = []
    try:
        for start in range(0, len(cases), AT_ONCE):
            wanted = {"act": options.act, "cases": cases[start : start + AT_ONCE], "shown": options.shown}
            wanted |= {"kind": options.kind, "owner": options.owner}
            rows += client.ask("exceptions.bulk", {**wanted, "reason": reason})["rows"]
            progress.to(len(rows))
    finally:
        progress.end()
    return rows


def _as_shown(client: Client, options: argparse.Namespace) -> list[Row]:
    """The open cases that a digest names, as they are now. Raises Refusal when they are not as they were shown."""
    if not options.kind:
        raise Refusal("--shown needs --kind: the same filters as the list had.", EXIT_USAGE)
    digest = read_digest(options.shown)
    rows: list[Row] = []
    wanted = {**_filters(options), "state": "open", "limit": LIST_PAGE}
    for page in client.pages("exceptions.list", wanted):
        rows += [row for row in page["rows"] if row["id"] <= digest.last_id]
        if len(rows) > digest.cases or not page["rows"] or page["rows"][-1]["id"] > digest.last_id:
            break
    changed = differs(digest, options.kind, options.owner, rows)
    if changed:
        raise Refusal(
            f"Nothing was done, the list is not as it was shown: {changed}. "
            f"Look again: archsyncctl exceptions list {_words(options)}"
        )
    return rows


def _report(options: argparse.Namespace, rows: Sequence[Row], out: TextIO) -> int:
    failed = [row for row in rows if not row["done"]]
    done = len(rows) - len(failed)
    word = "tried again" if options.act == "retry" else "dismissed"
    says = rows[0]["says"] if len(rows) == 1 else f"{done:,} of {counted(len(rows), 'case')} {word}."
    if options.json:
        write_json(out, {"done": not failed, "says": says, "rows": rows})
    else:
        if len(rows) > 1:
            told = rows if len(rows) <= SAID_LINES else failed
            out.writelines(f"{row['id']:>6}  {shown_lines(row['says'])}\n" for row in told[:SAID_LINES])
            hidden = len(told) - SAID_LINES
            out.write(
                f"{'':>6}  and {counted(hidden, 'more case')}; --json tells all\n" if hidden > 0 else ""
            )
        out.write(f"{shown_lines(says)}\n")
    return EXIT_ACT if failed else EXIT_OK


def _filters(options: argparse.Namespace) -> dict[str, str]:
    return {"kind": options.kind, "owner": options.owner}


def _choose(options: argparse.Namespace) -> None:
    if options.csv and options.json:
        raise Refusal("Choose one of --csv and --json.", EXIT_USAGE)


def _progress(out: TextIO, err: TextIO, total: int | None) -> Progress:
    """Where the rows themselves are seen as they come, nothing is drawn among them."""
    return Progress(io.StringIO() if total is None and out.isatty() else err, total, "case")

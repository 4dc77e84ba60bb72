"""archsyncctl: asks the daemon over its control socket and shows the answer. Knows no database and no network.

Importing this must stay fast: the standard library's light parts only; rich is loaded by tables on a terminal.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TextIO

from archsyncd.operator.alert_tables import ALERT_TABLES
from archsyncd.operator.client import Client
from archsyncd.operator.ctl_audit import audit
from archsyncd.operator.parser import DEFAULT_SOCKET, parser
from archsyncd.operator.protocol import EXIT_ACT, EXIT_OK, EXIT_USAGE, Refusal
from archsyncd.operator.reconcile_screen import reconcile
from archsyncd.operator.screens import case_lines, order_lines, sku_lines, snapshot_lines, status_lines
from archsyncd.operator.tables import LEFT, RIGHT, Table, age, counted, shown
from archsyncd.operator.timelines import write_history

PLAN_FIELDS = ("channel", "sku", "action", "current", "wanted", "change", "reason")
LIST_PAGE = 500
# Verbs whose answer may be that it did not work, or that nothing was there to be done.
TRIED = ("exceptions.retry", "alerts.test", "unmute")
_CLEAR = "\x1b[H\x1b[2J"


def main(arguments: Sequence[str] | None = None, out: TextIO | None = None, err: TextIO | None = None) -> int:
    """Run one verb; the exit status. `out` and `err` are the standard streams unless given."""
    out, err = out or sys.stdout, err or sys.stderr
    options = parser().parse_args(arguments)
    options.json = getattr(options, "json", False)
    path = getattr(options, "socket", DEFAULT_SOCKET)
    try:
        if options.verb == "probe":
            code = _probe(options, out, err)
        elif options.verb == "explain":
            from archsyncd.operator.explain import explain, explain_lines  # noqa: PLC0415 - the other verbs need no texts

            answer = explain(options.code)
            if options.json:
                _write_json(out, answer)
            else:
                out.write("\n".join(shown(line) for line in explain_lines(answer)) + "\n")
            code = EXIT_OK
        elif options.verb == "credentials":
            from archsyncd.operator.trying import try_credential  # noqa: PLC0415 - the other verbs need no network

            answer, text = try_credential(options.name, options.file, options.config)
            if options.json:
                _write_json(out, answer)
            else:
                out.write(shown_lines(text) + "\n")
            code = EXIT_OK if answer["done"] else EXIT_ACT
        else:
            with Client(path) as client:
                code = _run(client, options, out, err)
        out.flush()
    except Refusal as refusal:
        err.write(f"archsyncctl: {shown_lines(refusal.sentence)}\n")
        if options.json:
            _write_json(out, {"ok": False, "error": refusal.sentence, "code": refusal.code})
        return refusal.code
    except BrokenPipeError:
        # Whoever read has seen enough; the interpreter must not complain at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_OK
    except KeyboardInterrupt:
        return EXIT_OK
    return code


def _probe(options: argparse.Namespace, out: TextIO, err: TextIO) -> int:
    from archsyncd.operator.probing import run_probe  # noqa: PLC0415 - the other verbs need no network

    def tell(what: str) -> None:
        err.write(f"archsyncctl: {shown(what)}\n")
        err.flush()

    answer, text = run_probe(options.config, options.named, options.credentials, tell)
    if options.json:
        _write_json(out, answer)
    else:
        out.write(shown_lines(text) + "\n")
    return EXIT_OK if answer["done"] else EXIT_ACT


def shown_lines(text: str) -> str:
    """Text of several lines with nothing in them that a terminal would obey."""
    return "\n".join(shown(line) for line in text.split("\n"))


def _run(client: Client, options: argparse.Namespace, out: TextIO, err: TextIO) -> int:
    act: str = getattr(options, "act", "")
    name = f"{options.verb}.{act}" if act else options.verb
    special: Mapping[str, Callable[[Client, argparse.Namespace, TextIO], int]] = {
        "status": _status,
        "watch": _watch,
        "plan": _plan,
        "sku": _sku,
        "history": _history,
        "exceptions.list": _exceptions,
        "reconcile": reconcile,
    }
    if name == "audit":
        return audit(client, options, out, err)
    if name in special:
        return special[name](client, options, out)
    answer = client.ask(name, _arguments(options))
    if options.json:
        _write_json(out, answer)
    else:
        _show(name, answer, out)
    return EXIT_ACT if name in TRIED and not answer["done"] else EXIT_OK


def _arguments(options: argparse.Namespace) -> dict[str, Any]:
    told = {
        name: value for name, value in vars(options).items() if name not in {"verb", "act", "json", "socket"}
    }
    if options.verb == "backup" and "/" in options.file:
        told["file"] = os.path.abspath(options.file)  # noqa: PTH100 - the daemon resolves links, on its side
    return told


def _show(name: str, answer: dict[str, Any], out: TextIO) -> None:
    lines: Mapping[str, Callable[[Any], list[str]]] = {
        "order": order_lines,
        "exceptions.show": case_lines,
        "snapshot.show": snapshot_lines,
    }
    if name in lines:
        out.write("\n".join(lines[name](answer)) + "\n")
    elif name == "backlog":
        _backlog(answer, out)
    elif name == "samples":
        _samples(answer, out)
    elif name == "orders.list":
        _orders(answer, out)
    elif name == "snapshot.list":
        _snapshots(answer, out)
    elif name in ALERT_TABLES:
        ALERT_TABLES[name](answer, out)
    else:
        out.write(shown_lines(answer["says"]) + "\n")


def _write_json(out: TextIO, value: Any) -> None:
    out.write(json.dumps(value, ensure_ascii=False) + "\n")


def _status(client: Client, options: argparse.Namespace, out: TextIO) -> int:
    status = client.ask("status")
    if options.json:
        _write_json(out, status)
    else:
        out.write("\n".join(status_lines(status)) + "\n")
    return int(status["exit"]) if options.check else EXIT_OK


def _watch(client: Client, options: argparse.Namespace, out: TextIO) -> int:
    for number, status in enumerate(client.watch(), start=1):
        if options.json:
            _write_json(out, status)
        else:
            clear = _CLEAR if out.isatty() else ""
            out.write(clear + "\n".join(status_lines(status)) + "\n" + ("" if clear else "\n"))
        out.flush()
        if number == options.count:
            break
    return EXIT_OK


def _sku(client: Client, options: argparse.Namespace, out: TextIO) -> int:
    story = client.ask("sku", {"sku": options.sku, "history": 0 if options.all else options.history})
    if options.all:
        by_channel: dict[str, list[dict[str, Any]]] = {
            each["channel"]: each["rows"] for each in story["timelines"]
        }
        for page in client.pages("history", {"sku": options.sku}):
            for row in page["rows"]:
                by_channel.setdefault(row["channel"], []).append(row)
        for timeline in story["timelines"]:
            timeline["more"] = False
    if options.json:
        _write_json(out, story)
    else:
        out.write("\n".join(sku_lines(story)) + "\n")
    return EXIT_OK


def _history(client: Client, options: argparse.Namespace, out: TextIO) -> int:
    if options.csv and options.json:
        raise Refusal("Choose one of --csv and --json.", EXIT_USAGE)
    how = "csv" if options.csv else "json" if options.json else "text"
    pages = client.pages("history", {"sku": options.sku, "channel": options.channel})
    return EXIT_OK if write_history(pages, out, how) else EXIT_ACT


def _plan(client: Client, options: argparse.Namespace, out: TextIO) -> int:
    if options.csv and options.json:
        raise Refusal("Choose one of --csv and --json.", EXIT_USAGE)
    totals = PlanTotals()
    rows = totals.watched(row for page in client.pages("plan", {}) for row in page["rows"])
    if options.json:
        _stream_json(rows, totals, out)
    elif options.csv:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(PLAN_FIELDS)
        writer.writerows([row[field] for field in PLAN_FIELDS] for row in rows)
    else:
        _plan_table(rows, totals, options.limit, out)
    return EXIT_OK


class PlanTotals:
    """What a plan comes to: keys and pieces by action."""

    def __init__(self) -> None:
        self.keys: dict[str, int] = {}
        self.pieces: dict[str, int] = {}

    def watched(self, rows: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """The same rows, counted as they pass."""
        for row in rows:
            action = row["action"]
            self.keys[action] = self.keys.get(action, 0) + 1
            self.pieces[action] = self.pieces.get(action, 0) + abs(row["change"] or 0)
            yield row

    def told(self) -> dict[str, dict[str, int]]:
        """The totals as plain values."""
        return {
            action: {"keys": self.keys[action], "pieces": self.pieces[action]} for action in sorted(self.keys)
        }


def _stream_json(rows: Iterator[dict[str, Any]], totals: PlanTotals, out: TextIO) -> None:
    """One JSON object, written row by row: a plan may be longer than what memory should hold."""
    out.write('{"rows": [')
    out.writelines(
        (",\n" if number else "\n") + json.dumps(row, ensure_ascii=False) for number, row in enumerate(rows)
    )
    out.write(f'\n], "totals": {json.dumps(totals.told())}}}\n')


def _plan_table(rows: Iterator[dict[str, Any]], totals: PlanTotals, limit: int, out: TextIO) -> None:
    kept: list[list[Any]] = []
    for row in rows:
        if len(kept) < limit:
            kept.append([row[field] for field in PLAN_FIELDS])
    if not totals.keys:
        out.write("Nothing to write: every key is as it should be.\n")
        return
    if kept:
        sides = {"current": RIGHT, "wanted": RIGHT, "change": RIGHT}
        Table([(name, sides.get(name, LEFT)) for name in PLAN_FIELDS], kept).write(out)
    hidden = sum(totals.keys.values()) - len(kept)
    out.write(f"and {counted(hidden, 'more key')}; --csv tells all\n" if hidden else "")
    out.writelines(
        f"{action:<9} {counted(total['keys'], 'key')}, {counted(total['pieces'], 'piece')}\n"
        for action, total in totals.told().items()
    )


def _exceptions(client: Client, options: argparse.Namespace, out: TextIO) -> int:
    wanted = {"kind": options.kind, "state": options.state, "owner": options.owner, "limit": LIST_PAGE}
    rows: list[dict[str, Any]] = []
    for page in client.pages("exceptions.list", wanted):
        rows += page["rows"]
        if len(rows) > options.limit:
            break
    shown_rows, more = rows[: options.limit], len(rows) > options.limit
    if options.json:
        _write_json(out, {"rows": shown_rows, "more": more})
        return EXIT_OK
    if not rows:
        out.write(
            "No such case.\n"
            if options.kind or options.owner or options.state != "open"
            else "No open case.\n"
        )
        return EXIT_OK
    columns = [("id", RIGHT), ("kind", LEFT), ("severity", LEFT), ("owner", LEFT), ("about", LEFT)]
    columns += [("seen", RIGHT), ("age", RIGHT), ("reason", LEFT)]
    Table(columns, [_case_row(row) for row in shown_rows]).write(out)
    out.write("There are more; --limit N shows them, --kind and --owner narrow the list.\n" if more else "")
    out.write("archsyncctl exceptions show ID tells the next step.\n")
    return EXIT_OK


def _case_row(row: Mapping[str, Any]) -> list[Any]:
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


def _backlog(answer: Mapping[str, Any], out: TextIO) -> None:
    steps = answer["age_steps_seconds"]
    heads = [f"≤ {age(step)}" for step in steps] + [f"> {age(steps[-1])}"]
    columns = [
        ("class", LEFT),
        ("keys", RIGHT),
        *((head, RIGHT) for head in heads),
        ("oldest", RIGHT),
        ("done in", RIGHT),
    ]
    rows = [
        [row["name"], row["keys"], *row["ages"], age(row["oldest_seconds"]), age(row["done_in_seconds"])]
        for row in answer["rows"]
    ]
    Table(columns, rows).write(out)
    out.writelines(
        f"parked: {counted(count, 'key')} ({shown(reason)})\n"
        for reason, count in sorted(answer["parked"].items())
    )


def _samples(answer: Mapping[str, Any], out: TextIO) -> None:
    if not answer["rows"]:
        out.write("Nothing is noted yet: a sample is taken once a minute.\n")
        return
    columns = [("at", LEFT), ("verdict", LEFT), ("decreases", RIGHT), ("increases", RIGHT)]
    columns += [("oldest decrease", RIGHT), ("requests/s", RIGHT), ("limit/s", RIGHT)]
    columns += [("exceptions", RIGHT), ("orders behind", RIGHT)]
    rows = [
        [
            row["at"],
            row["verdict"],
            row["near_zero"] + row["decreases"],
            row["from_zero"] + row["increases"],
            age(row["oldest_decrease_seconds"]),
            row["requests_per_second"],
            row["limit_per_second"],
            row["exceptions"],
            age(row["orders_behind_seconds"]),
        ]
        for row in answer["rows"]
    ]
    Table(columns, rows).write(out)


def _orders(answer: Mapping[str, Any], out: TextIO) -> None:
    if answer["rows"]:
        columns = [("order", LEFT), ("state", LEFT), ("for", RIGHT), ("Archean's", LEFT), ("why", LEFT)]
        rows = [
            [
                row["number"] or row["order"],
                row["state"],
                age(row["age_seconds"]),
                row["source_order"],
                row["reason"],
            ]
            for row in answer["rows"]
        ]
        Table(columns, rows).write(out)
        out.write("There are more; --limit N shows them.\n" if answer["more"] else "")
        out.write("archsyncctl order NUMBER tells its story.\n")
    elif answer["states"]:
        columns = [("state", LEFT), ("orders", RIGHT), ("oldest", RIGHT)]
        Table(
            columns,
            [[each["state"], each["orders"], age(each["oldest_seconds"])] for each in answer["states"]],
        ).write(out)
        out.write("archsyncctl orders list --state STATE tells which.\n")
    else:
        out.write("No such order.\n")


def _snapshots(answer: Mapping[str, Any], out: TextIO) -> None:
    if not answer["rows"]:
        out.write("No snapshot is kept.\n")
        return
    columns = [
        ("id", LEFT),
        ("feed", LEFT),
        ("state", LEFT),
        ("records", RIGHT),
        ("at", LEFT),
        ("digest", LEFT),
    ]
    fields = ("id", "feed", "state", "records", "at", "digest")
    Table(columns, [[row[field] for field in fields] for row in answer["rows"]]).write(out)


if __name__ == "__main__":
    sys.exit(main())

"""archsyncctl: asks the daemon over its control socket and shows the answer. Knows no database and no network.

Importing this must stay fast: the standard library's light parts only; rich is loaded by tables on a terminal.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TextIO, TypeAlias

from archsyncd.operator.alert_tables import ALERT_TABLES
from archsyncd.operator.client import Client
from archsyncd.operator.ctl_audit import audit
from archsyncd.operator.parser import DEFAULT_SOCKET, parser
from archsyncd.operator.progress import Progress
from archsyncd.operator.protocol import EXIT_ACT, EXIT_INTERRUPTED, EXIT_OK, EXIT_USAGE, Refusal
from archsyncd.operator.reconcile_screen import reconcile
from archsyncd.operator.screens import case_lines, order_lines, snapshot_lines, status_lines
from archsyncd.operator.sheets import Sheet
from archsyncd.operator.sku_screen import sku_lines
from archsyncd.operator.tables import LEFT, RIGHT, Table, age, counted, shown
from archsyncd.operator.timelines import write_history
from archsyncd.operator.writing import shown_lines, stream_json, write_json

PLAN_FIELDS = ("channel", "sku", "action", "current", "wanted", "change", "reason")
COUNTED_LATELY_SECONDS = 1
# Verbs whose answer may be that it did not work, or that nothing was there to be done.
TRIED = ("alerts.test", "unmute")
_CLEAR = "\x1b[H\x1b[2J"
Special: TypeAlias = Callable[[Client, argparse.Namespace, TextIO, TextIO], int]


def main(arguments: Sequence[str] | None = None, out: TextIO | None = None, err: TextIO | None = None) -> int:
    """Run one verb; the exit status. `out` and `err` are the standard streams unless given."""
    out, err = out or sys.stdout, err or sys.stderr
    options = parser().parse_args(arguments)
    options.json = getattr(options, "json", False)
    path = getattr(options, "socket", DEFAULT_SOCKET)
    try:
        if options.verb in _WITHOUT_DAEMON:
            code = _WITHOUT_DAEMON[options.verb](options, out, err)
        else:
            with Client(path) as client:
                code = _run(client, options, out, err)
        out.flush()
    except Refusal as refusal:
        err.write(f"archsyncctl: {shown_lines(refusal.sentence)}\n")
        if options.json:
            write_json(out, {"ok": False, "error": refusal.sentence, "code": refusal.code})
        return refusal.code
    except BrokenPipeError:
        # Whoever read has seen enough; the interpreter must not complain at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_OK
    except KeyboardInterrupt:
        # To watch has no other end; whatever else is stopped did not do what it was asked for.
        return EXIT_OK if options.verb == "watch" else EXIT_INTERRUPTED
    return code


def _inspect(options: argparse.Namespace, out: TextIO, _err: TextIO) -> int:
    from archsyncd.operator.inspect.command import inspect  # noqa: PLC0415 - the other verbs need none of it

    return inspect(options, out)


def _explain(options: argparse.Namespace, out: TextIO, _err: TextIO) -> int:
    from archsyncd.operator.explain import explain, explain_lines  # noqa: PLC0415 - the other verbs need no texts

    answer = explain(options.code)
    if options.json:
        write_json(out, answer)
    else:
        out.write("\n".join(shown(line) for line in explain_lines(answer)) + "\n")
    return EXIT_OK


def _credentials(options: argparse.Namespace, out: TextIO, _err: TextIO) -> int:
    from archsyncd.operator.trying import try_credential  # noqa: PLC0415 - the other verbs need no network

    answer, text = try_credential(options.name, options.file, options.config)
    if options.json:
        write_json(out, answer)
    else:
        out.write(shown_lines(text) + "\n")
    return EXIT_OK if answer["done"] else EXIT_ACT


def _probe(options: argparse.Namespace, out: TextIO, err: TextIO) -> int:
    from archsyncd.operator.probing import run_probe  # noqa: PLC0415 - the other verbs need no network

    def tell(what: str) -> None:
        err.write(f"archsyncctl: {shown(what)}\n")
        err.flush()

    answer, text = run_probe(options.config, options.named, options.credentials, tell)
    if options.json:
        write_json(out, answer)
    else:
        out.write(shown_lines(text) + "\n")
    return EXIT_OK if answer["done"] else EXIT_ACT


def _verify(options: argparse.Namespace, out: TextIO, err: TextIO) -> int:
    from archsyncd.operator.verifying import verify_source  # noqa: PLC0415 - the other verbs need no network

    del err
    answer, text, code = verify_source(options)
    if options.json:
        write_json(out, answer)
    else:
        out.write(shown_lines(text) + "\n")
    return code


_WITHOUT_DAEMON: Mapping[str, Callable[[argparse.Namespace, TextIO, TextIO], int]] = {
    "probe": _probe,
    "inspect": _inspect,
    "verify-source": _verify,
    "explain": _explain,
    "credentials": _credentials,
}


def _run(client: Client, options: argparse.Namespace, out: TextIO, err: TextIO) -> int:
    act: str = getattr(options, "act", "")
    name = f"{options.verb}.{act}" if act else options.verb
    if options.verb == "exceptions" and act != "show":
        from archsyncd.operator import case_tool  # noqa: PLC0415 - the other verbs need none of it

        act_on: Special = case_tool.act_on_cases
        cases = {"list": case_tool.list_cases, "export": case_tool.export_cases}
        return cases.get(act, act_on)(client, options, out, err)
    if options.verb == "report":
        from archsyncd.operator.report_tool import make_report  # noqa: PLC0415 - likewise

        return make_report(client, options, out, err)
    special: Mapping[str, Special] = {
        "status": _status,
        "watch": _watch,
        "plan": _plan,
        "sku": _sku,
        "history": _history,
        "reconcile": reconcile,
        "audit": audit,
    }
    if name in special:
        return special[name](client, options, out, err)
    answer = client.ask(name, _arguments(options))
    if options.json:
        write_json(out, answer)
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


def _status(client: Client, options: argparse.Namespace, out: TextIO, err: TextIO) -> int:
    del err
    status = client.ask("status")
    if options.json:
        write_json(out, status)
    else:
        out.write("\n".join(status_lines(status)) + "\n")
    return int(status["exit"]) if options.check else EXIT_OK


def _watch(client: Client, options: argparse.Namespace, out: TextIO, err: TextIO) -> int:
    del err
    for number, status in enumerate(client.watch(), start=1):
        if options.json:
            write_json(out, status)
        else:
            clear = _CLEAR if out.isatty() else ""
            out.write(clear + "\n".join(status_lines(status)) + "\n" + ("" if clear else "\n"))
        out.flush()
        if number == options.count:
            break
    return EXIT_OK


def _sku(client: Client, options: argparse.Namespace, out: TextIO, _err: TextIO) -> int:
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
        write_json(out, story)
    else:
        out.write("\n".join(sku_lines(story)) + "\n")
    return EXIT_OK


def _history(client: Client, options: argparse.Namespace, out: TextIO, _err: TextIO) -> int:
    if options.csv and options.json:
        raise Refusal("Choose one of --csv and --json.", EXIT_USAGE)
    how = "csv" if options.csv else "json" if options.json else "text"
    pages = client.pages("history", {"sku": options.sku, "channel": options.channel})
    return EXIT_OK if write_history(pages, out, how) else EXIT_ACT


def _plan(client: Client, options: argparse.Namespace, out: TextIO, err: TextIO) -> int:
    if options.csv and options.json:
        raise Refusal("Choose one of --csv and --json.", EXIT_USAGE)
    # Rows that are seen as they come say themselves how far it is; a table is written once all of them are counted.
    streams = options.json or options.csv
    progress = Progress(io.StringIO() if streams and out.isatty() else err, None, "key")
    totals = PlanTotals(progress)
    rows = totals.watched(row for page in client.pages("plan", {}) for row in page["rows"])
    try:
        if options.json:
            stream_json(out, rows, lambda: {"totals": totals.told()})
        elif options.csv:
            Sheet(out, PLAN_FIELDS).write(rows)
        else:
            _plan_table(rows, totals, options.limit, out)
    finally:
        progress.end()
    return EXIT_OK


class PlanTotals:
    """What a plan comes to: keys and pieces by action."""

    def __init__(self, progress: Progress) -> None:
        self.keys: dict[str, int] = {}
        self.pieces: dict[str, int] = {}
        self._progress = progress

    def watched(self, rows: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """The same rows, counted as they pass."""
        for number, row in enumerate(rows, start=1):
            self._progress.to(number)
            action = row["action"]
            self.keys[action] = self.keys.get(action, 0) + 1
            self.pieces[action] = self.pieces.get(action, 0) + abs(row["change"] or 0)
            yield row
        self._progress.end()

    def told(self) -> dict[str, dict[str, int]]:
        """The totals as plain values."""
        return {
            action: {"keys": self.keys[action], "pieces": self.pieces[action]} for action in sorted(self.keys)
        }


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
    if answer["age_seconds"] > COUNTED_LATELY_SECONDS:
        out.write(f"counted {age(answer['age_seconds'])} ago: so many keys are not counted each time\n")


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

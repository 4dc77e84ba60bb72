"""`archsyncctl reconcile`: begins a run, shows how far it is, tells what it found. Knows the socket's client and tables only."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any, TextIO

from archsyncd.operator.client import Client
from archsyncd.operator.parser import DEFAULT_SOCKET
from archsyncd.operator.progress import Progress
from archsyncd.operator.protocol import EXIT_ACT, EXIT_OK, EXIT_USAGE, Refusal
from archsyncd.operator.sheets import Sheet
from archsyncd.operator.tables import LEFT, RIGHT, Table, counted, shown
from archsyncd.operator.writing import write_json

FIELDS = ("found", "channel", "sku", "shown", "expected", "change", "says")
# So often one SKU is compared until all of it can be judged; each run waits for the orders around it.
SKU_RUNS = 4
_CORRECTED = frozenset({"too-many", "too-few", "foreign", "missing"})
_OTHERS = frozenset({"restockable", "unreadable", "no-channel", "unmanaged", "unknown-channel"})
_UNDECIDED = {
    "busy": "had orders or a write of ours around the read",
    "unproven": "had no base yet that a clean read has proven",
}


def reconcile(client: Client, options: argparse.Namespace, out: TextIO, err: TextIO) -> int:
    """Run the verb; the exit status."""
    if options.csv and options.json:
        raise Refusal("Choose one of --csv and --json.", EXIT_USAGE)
    begins = options.mode in {"dry-run", "apply"}
    if not begins and (options.sku or options.channel):
        raise Refusal("--sku and --channel go with --dry-run or --apply.", EXIT_USAGE)
    if options.mode in {"stop", "allow"}:
        return _act(client.ask(f"reconcile.{options.mode}"), options, out)
    number = options.run or 0
    if begins:
        wanted = {"mode": options.mode, "sku": options.sku, "channel": options.channel}
        number = _compare(client, wanted, options, err)
    return _tell(_whole(client, number), options, out)


def _compare(client: Client, wanted: Mapping[str, str], options: argparse.Namespace, err: TextIO) -> int:
    """Begin a run and wait for its end, for one SKU again while some of it cannot be judged; the number of the last."""
    runs = SKU_RUNS if options.sku else 1
    while True:
        number: int = client.ask("reconcile", wanted)["run"]
        if options.no_wait:
            return number
        _wait(getattr(options, "socket", DEFAULT_SOCKET), number, Progress(err, None, "key"))
        client.renew()
        runs -= 1
        if not runs:
            return number
        run = client.ask("reconcile.show", {"run": number})
        if run["state"] != "done" or not run["undecided"]:
            return number


def _act(answer: Mapping[str, Any], options: argparse.Namespace, out: TextIO) -> int:
    if options.json:
        write_json(out, answer)
    else:
        out.write(shown(answer["says"]) + "\n")
    return EXIT_OK


def _whole(client: Client, number: int) -> dict[str, Any]:
    """The run with everything that is kept of what it found: a bounded number of rows."""
    whole: dict[str, Any] = {}
    rows: list[dict[str, Any]] = []
    for page in client.pages("reconcile.show", {"run": number}):
        rows += page["rows"]
        whole = page
    whole.pop("next", None)
    return whole | {"rows": rows}


def _wait(path: str, number: int, progress: Progress) -> None:
    """Until the run is over; told on a terminal as it goes."""
    try:
        with Client(path) as watching:
            for status in watching.watch():
                run = status.get("reconcile")
                if run is None or run["run"] < number:
                    continue
                if run["run"] > number or run["state"] != "running":
                    break
                share = None if run["sku"] or run["channel"] else run["keys"]
                progress.phase(f"{run['differing']:,} differ", share)
                progress.to(run["entries"])
    finally:
        progress.end()


def _tell(run: Mapping[str, Any], options: argparse.Namespace, out: TextIO) -> int:
    if options.json:
        write_json(out, run)
    elif options.csv:
        Sheet(out, FIELDS).write(run["rows"])
    else:
        _screen(run, options.limit, out)
    # Whoever asks about one SKU must not take silence for an all-clear; in a whole run some key is always busy.
    unsure = bool(run["sku"] and run["undecided"])
    return EXIT_ACT if run["state"] in {"failed", "stopped"} or unsure else EXIT_OK


def _screen(run: Mapping[str, Any], limit: int, out: TextIO) -> None:
    rows = run["rows"][:limit]
    if rows:
        sides = {"shown": RIGHT, "expected": RIGHT, "change": RIGHT}
        columns = [(name, sides.get(name, LEFT)) for name in FIELDS]
        Table(columns, [[row[field] for field in FIELDS] for row in rows]).write(out)
    hidden = run["listed"] - len(rows)
    out.write(
        f"and {counted(hidden, 'more finding')}; --csv tells those that are kept\n" if hidden > 0 else ""
    )
    if run["totals"]:
        columns = [("channel", LEFT), ("found", LEFT), ("keys", RIGHT), ("pieces", RIGHT)]
        Table(columns, [[each[name] for name, _ in columns] for each in run["totals"]]).write(out)
    out.writelines(shown(line) + "\n" for line in _verdict(run))


def _verdict(run: Mapping[str, Any]) -> list[str]:
    scope = "".join(f", {name} {run[name]}" for name in ("channel", "sku") if run[name])
    said = (
        f"Run {run['run']} ({run['mode']}, {run['cause']}{scope}) is {run['state']}: "
        f"{counted(run['entries'], 'entry', 'entries')} compared, {run['differing']:,} differ{_unsure(run)}."
    )
    lines = [said, run["reason"]] if run["reason"] else [said]
    others = [each["found"] for each in run["totals"] if each["found"] in _OTHERS]
    if others:
        lines.append(
            f"Beside the quantities it found: {', '.join(sorted(set(others)))} (see the rows above)."
        )
    if run["mode"] == "apply" and run["planned"]:
        lines.append(
            f"{counted(run['planned'], 'key')} to be read once more: cut at once where too many show, raised when a second "
            "clean read says the same."
        )
    elif any(each["found"] in _CORRECTED for each in run["totals"]):
        lines.append("Nothing was changed; archsyncctl reconcile --apply has it corrected.")
    if run["held_raises"]:
        held = counted(run["held_raises"], "raise")
        lines.append(f"{held} held until you allow it: archsyncctl reconcile --allow-raises")
    return lines


def _unsure(run: Mapping[str, Any]) -> str:
    """How many keys could not be judged, and why."""
    counts = {
        found: sum(each["keys"] for each in run["totals"] if each["found"] == found) for found in _UNDECIDED
    }
    why = "; ".join(f"{counts[found]:,} {says}" for found, says in _UNDECIDED.items() if counts[found])
    return f", {run['undecided']:,} could not be judged ({why}): ask again in a minute" if why else ""

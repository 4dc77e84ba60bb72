"""Answers about alerts, mutes and actions as tables for people. Plain values in, lines out; asks nobody."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TextIO

from archsyncd.operator.tables import LEFT, RIGHT, Table, age, shown

Answer = Mapping[str, Any]
_MORE = "There are more; --limit N shows them.\n"


def _alerts(answer: Answer, out: TextIO) -> None:
    if not answer["rows"]:
        out.write("No message was written yet.\n")
        return
    columns = [("id", RIGHT), ("at", LEFT), ("owner", LEFT), ("what", LEFT), ("went", LEFT)]
    rows = [
        [str(row["id"]), row["at"], row["owner"], row["headline"], _went(row["deliveries"])]
        for row in answer["rows"]
    ]
    Table(columns, rows).write(out)
    out.write(_MORE if answer["more"] else "")


def _went(deliveries: list[Answer]) -> str:
    """What became of a message by each way."""
    told = [
        f"{each['way']} {each['state']}"
        + ("" if each["state"] == "delivered" or not each["says"] else f" ({each['says']})")
        for each in deliveries
    ]
    return ", ".join(told) or "to the journal alone"


def _trials(answer: Answer, out: TextIO) -> None:
    columns = [("way", LEFT), ("to", LEFT), ("went", LEFT), ("says", LEFT)]
    Table(columns, [[row["way"], row["target"], row["done"], row["says"]] for row in answer["rows"]]).write(
        out
    )
    out.write(f"{shown(answer['says'])}\n")


def _mutes(answer: Answer, out: TextIO) -> None:
    if not answer["rows"]:
        out.write("Nothing is muted.\n")
        return
    columns = [
        ("code", LEFT),
        ("subject", LEFT),
        ("kind", LEFT),
        ("ends in", RIGHT),
        ("by", LEFT),
        ("reason", LEFT),
    ]
    fields = ("code", "subject", "kind")
    rows = [
        [*(row[field] for field in fields), age(row["left_seconds"]), row["by"], row["reason"]]
        for row in answer["rows"]
    ]
    Table(columns, rows).write(out)


def _actions(answer: Answer, out: TextIO) -> None:
    if not answer["rows"]:
        out.write("Nobody has changed anything yet.\n")
        return
    columns = [("at", LEFT), ("who (as told)", LEFT), ("what", LEFT), ("outcome", LEFT), ("says", LEFT)]
    rows = [
        [row["at"], row["who"], f"{row['verb']} {row['arguments']}", row["outcome"], row["says"]]
        for row in answer["rows"]
    ]
    Table(columns, rows).write(out)
    out.write(_MORE if answer["more"] else "")


ALERT_TABLES: Mapping[str, Callable[[Answer, TextIO], None]] = {
    "alerts.list": _alerts,
    "alerts.test": _trials,
    "mutes": _mutes,
    "actions": _actions,
}

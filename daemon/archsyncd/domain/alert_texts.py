"""Alerts in words: one headline and a few lines, printable whatever their causes hold. Knows no way they are sent by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archsyncd.domain.alerting import Message, MessageKind
from archsyncd.domain.explained import MANUAL
from archsyncd.domain.times import rfc3339

HEADLINE_LIMIT_CHARACTERS = 300
LINE_LIMIT_CHARACTERS = 500
EXAMPLE_LIMIT_CHARACTERS = 80
LEVELS = {0: "well", 1: "degraded", 2: "critical"}
OPENINGS = {
    MessageKind.BEGAN: "",
    MessageKind.DIGEST: "still: ",
    MessageKind.WORSE: "worse: ",
    MessageKind.ESCALATED: "escalated: ",
    MessageKind.OVER: "over: ",
    MessageKind.TEST: "test: ",
}


def headline(message: Message) -> str:
    """What happened, on one line, the level first."""
    word = LEVELS.get(message.level, "critical")
    return _cut(f"[{word}] {OPENINGS[message.kind]}{message.says}", HEADLINE_LIMIT_CHARACTERS)


def lines(message: Message) -> list[str]:
    """Who acts on how many of what, since when, and what to do; each line is printable and short."""
    told = [f"owner: {message.owner}", f"since: {rfc3339(message.since_ms)}"]
    if message.kind is MessageKind.DIGEST:
        told.append(f"how many: {message.count:,} now, {message.before:,} when it was told last")
    elif message.count > 1:
        told.append(f"how many: {message.count:,}")
    if message.examples:
        told.append(
            f"for example: {', '.join(_cut(each, EXAMPLE_LIMIT_CHARACTERS) for each in message.examples)}"
        )
    if message.remark:
        told.append(message.remark)
    if message.next_step:
        told.append(f"next: {message.next_step}")
    if message.command:
        told.append(f"look: {message.command}")
    if message.kind not in {MessageKind.OVER, MessageKind.TEST}:
        told.append(f"read: {MANUAL} (code {message.code})")
    return [_cut(line, LINE_LIMIT_CHARACTERS) for line in told]


def plain(message: Message) -> Mapping[str, Any]:
    """The message as plain values for programs; times RFC 3339 in UTC."""
    return {
        "kind": message.kind.value,
        "level": LEVELS.get(message.level, "critical"),
        "code": message.code,
        "subject": message.subject,
        "owner": message.owner,
        "count": message.count,
        "before": message.before,
        "since": rfc3339(message.since_ms),
        "at": rfc3339(message.at_ms),
        "headline": headline(message),
        "lines": lines(message),
        "examples": list(message.examples),
        "next": message.next_step,
        "command": message.command,
    }


def trial(at_ms: int, said_by: str) -> Message:
    """The message by which ways are tried."""
    says = "a trial of the ways that alerts take; nothing is wrong"
    who = f"asked for by {said_by}" if said_by else ""
    return Message(MessageKind.TEST, "everybody", "test", "", 0, 1, 0, at_ms, at_ms, says, remark=who)


def _cut(text: str, most: int) -> str:
    """Text that no terminal or mail header obeys, and that ends."""
    clean = text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    return clean if len(clean) <= most else clean[: most - 1] + "…"

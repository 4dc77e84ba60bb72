"""What the overview asks before a cause is acknowledged or unmuted, and where causes are told. Knows no HTTP and no markup."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from archsyncd.operator.protocol import EXIT_USAGE, Refusal

ACK_HOURS = (2, 8, 24)
ACTS = ("ack", "unmute")
SUBJECT = "on"
Told = Mapping[str, str]


def address(cause: Mapping[str, Any]) -> str:
    """A cause as the end of an address: its code, and its subject if it has one."""
    code = urlencode({"": cause["code"]})[1:]
    return f"{code}&{urlencode({SUBJECT: cause['subject']})}" if cause["subject"] else code


def asked(query: Told, status: Mapping[str, Any]) -> dict[str, Any] | None:
    """What the address asks about one cause; None where it asks nothing. `says` is empty for a cause that is not there now."""
    act = next((each for each in ACTS if query.get(each)), None)
    if act is None:
        return None
    cause = {"code": query[act], "subject": query.get(SUBJECT, "")}
    there = status["reasons"] if act == "ack" else status["muted"]
    same = [each for each in there if cause == _named(each if act == "ack" else each["mute"])]
    # With the sign of equality a subject may begin with a dash.
    about = [f"--subject={cause['subject']}"] if cause["subject"] else []
    kinds = {each["kind"] for each in status.get("exceptions", ())}
    return {
        "act": act,
        "kind": cause["code"] in kinds,
        "says": [each["says"] for each in same],
        "command": f"archsyncctl {act} {shlex.join([cause['code'], *about])}",
        "form": f"/{act}?of={address(cause)}",
        "hours": ACK_HOURS,
    }


def beside(status: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Causes besides the first one that the list of exceptions does not tell: whole kinds are told there."""
    kinds = {each["kind"] for each in status.get("exceptions", ())}
    return [each for each in status["reasons"][1:] if each["subject"] or each["code"] not in kinds]


def by_kind(status: Mapping[str, Any]) -> dict[str, str]:
    """Of each kind of open exceptions whether it counts or is muted; "" where only some of its cases are."""
    counts = {each["code"] for each in status["reasons"] if not each["subject"]}
    muted = {each["code"] for each in status["muted"] if not each["subject"]}
    kinds = [each["kind"] for each in status["exceptions"]]
    return {kind: "counts" if kind in counts else "muted" if kind in muted else "" for kind in kinds}


def acknowledged(query: Told, form: Told) -> dict[str, Any]:
    """The arguments of `ack`. Raises Refusal."""
    hours = form.get("hours", "")
    if hours not in {str(each) for each in ACK_HOURS}:
        raise Refusal(f"Choose for how long: {', '.join(str(each) for each in ACK_HOURS)} hours.", EXIT_USAGE)
    return unmuted(query) | {"for_seconds": int(hours) * 3600, "reason": form.get("reason", "").strip()}


def unmuted(query: Told) -> dict[str, Any]:
    """The arguments of `unmute`."""
    return {"code": query.get("of", ""), "subject": query.get(SUBJECT, "")}


def _named(cause: Mapping[str, Any]) -> dict[str, Any]:
    return {"code": cause["code"], "subject": cause["subject"]}

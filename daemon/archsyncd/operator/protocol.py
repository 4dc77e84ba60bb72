"""The words of the control socket: one JSON object a line, asked and answered. Knows no verb and no socket."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

LINE_LIMIT_BYTES = 64 * 1024
ANSWER_LIMIT_BYTES = 1024 * 1024
PAGE_LIMIT_BYTES = 256 * 1024
NUMBER_LIMIT = 2**63 - 1
BY_LIMIT_CHARACTERS = 128

# Exit statuses of archsyncctl, and the `code` of an answer that is not ok.
EXIT_OK = 0
EXIT_ACT = 1
EXIT_CRITICAL = 2
EXIT_UNREACHED = 3
EXIT_USAGE = 64
EXIT_INTERRUPTED = 130


class Refusal(Exception):
    """The daemon does not do what was asked. `sentence` says why and what to do, `code` is the exit status.

    `near`: the name that was probably meant, "" where none is.
    """

    def __init__(self, sentence: str, code: int = EXIT_ACT, near: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.code = code
        self.near = near


def request_line(verb: str, arguments: Mapping[str, Any], by: str = "") -> bytes:
    """A request as its line; `by`: who asks. Raises Refusal when it is too long to be sent."""
    told = {"verb": verb, "arguments": dict(arguments)} | ({"by": by} if by else {})
    line = json.dumps(told).encode() + b"\n"
    if len(line) > LINE_LIMIT_BYTES:
        raise Refusal(f"The request is longer than {LINE_LIMIT_BYTES // 1024} KiB.", EXIT_USAGE)
    return line


def read_request(line: bytes) -> tuple[str, dict[str, Any], str]:
    """The verb and the arguments of a request line, and who asks, as far as that is told. Raises Refusal."""
    try:
        told = json.loads(line)
    except (ValueError, RecursionError):
        raise Refusal("The request is not one JSON object on one line.", EXIT_USAGE) from None
    if not isinstance(told, dict) or not isinstance(told.get("verb"), str):
        raise Refusal('The request must read {"verb": "…", "arguments": {…}}.', EXIT_USAGE)
    arguments = told.get("arguments", {})
    if not isinstance(arguments, dict):
        raise Refusal("arguments must be a JSON object.", EXIT_USAGE)
    by = told.get("by", "")
    if not isinstance(by, str) or len(by) > BY_LIMIT_CHARACTERS or not by.isprintable():
        raise Refusal(f"by must be printable text of at most {BY_LIMIT_CHARACTERS} characters.", EXIT_USAGE)
    unknown = sorted(set(told) - {"verb", "arguments", "by"})
    if unknown:
        raise Refusal(f"The request has an unknown field {unknown[0][:64]!r}.", EXIT_USAGE)
    return told["verb"], arguments, by


def near(given: Any, known: Sequence[str]) -> str:
    """A guess at what was meant, as a sentence to add; empty when nothing is near."""
    import difflib  # noqa: PLC0415 - for a wrong word alone: the tool must start at once

    found = difflib.get_close_matches(given, known, n=1) if isinstance(given, str) else []
    return f" Did you mean {found[0]}?" if found else ""


class Arguments:
    """A verb's arguments, taken one by one and strictly; what is left over is refused.

    `by`: who asks, as the client says; nobody can prove it.
    """

    def __init__(self, given: Mapping[str, Any], by: str = "") -> None:
        self._left = dict(given)
        self.by = by or "somebody"

    def text(self, name: str, *, limit: int = 256, default: str | None = None) -> str:
        """Text of 1 to `limit` characters; empty only where there is a default. Raises Refusal."""
        value = self._left.pop(name, default)
        if value is None:
            raise Refusal(f"{name} is missing.", EXIT_USAGE)
        if not isinstance(value, str) or len(value) > limit or (not value and default is None):
            raise Refusal(f"{name} must be text of 1 to {limit} characters.", EXIT_USAGE)
        return value

    def whole(self, name: str, least: int, most: int, default: int | None = None) -> int:
        """A whole number within bounds. Raises Refusal."""
        value = self._left.pop(name, default)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise Refusal(f"{name} must be a whole number from {least} to {most}.", EXIT_USAGE)
        return value

    def choice(self, name: str, allowed: tuple[str, ...], default: str | None = None) -> str:
        """One of some words. Raises Refusal."""
        value = self._left.pop(name, default)
        if not isinstance(value, str) or value not in allowed:
            words = [word for word in allowed if word]
            raise Refusal(f"{name} must be one of {', '.join(words)}.{near(value, words)}", EXIT_USAGE)
        return value

    def listing(self, name: str, most: int) -> list[Any]:
        """A list of 1 to `most` values of any kind. Raises Refusal."""
        value = self._left.pop(name, None)
        if not isinstance(value, list) or not 1 <= len(value) <= most:
            raise Refusal(f"{name} must be a list of 1 to {most} values.", EXIT_USAGE)
        return value

    def finish(self) -> None:
        """Everything was taken. Raises Refusal."""
        if self._left:
            raise Refusal(f"There is no argument {min(self._left)[:64]!r} here.", EXIT_USAGE)

"""How things are told: text made safe for one line of a log, and floods held back. Knows no log."""

from __future__ import annotations

from dataclasses import dataclass

MESSAGE_LIMIT_CHARACTERS = 2_000
FIELD_LIMIT_CHARACTERS = 300
TRACE_LIMIT_CHARACTERS = 8_000
FLOOD_BURST = 20
FLOOD_WINDOW_SECONDS = 30.0
_TWO_DIGITS = 0xFF
_FOUR_DIGITS = 0xFFFF


def cleaned(value: object, limit_characters: int) -> str:
    """Text on one line: everything that is not printable is escaped, the length bounded.

    Anything but text and numbers is named by its type only, so that no object can tell what it should keep.
    """
    text = str(value) if isinstance(value, str | int | float) else f"({type(value).__name__})"
    if len(text) > limit_characters:
        text = text[: limit_characters - 1] + "…"
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else _escaped(letter) for letter in text)


def trace_text(text: str) -> str:
    """A traceback: its lines stay, everything else is cleaned, the end is kept when it is too long."""
    lines = text[-TRACE_LIMIT_CHARACTERS:].split("\n")
    return "\n".join(cleaned(line, MESSAGE_LIMIT_CHARACTERS) for line in lines)


def _escaped(letter: str) -> str:
    code = ord(letter)
    if code <= _TWO_DIGITS:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= _FOUR_DIGITS else f"\\U{code:08x}"


@dataclass(slots=True)
class _Window:
    until: float
    passed: int = 0
    suppressed: int = 0


class Flood:
    """Lets at most a burst of messages of one kind through in a window, and counts those it holds back.

    Kinds are few (classes of events, places in the code), so that the table is bounded by itself. `now` is monotonic.
    """

    def __init__(self) -> None:
        self._windows: dict[str, _Window] = {}

    def admits(self, kind: str, now: float) -> bool:
        """Whether one more message of this kind is told."""
        window = self._windows.get(kind)
        if window is None or (now >= window.until and not window.suppressed):
            window = self._windows[kind] = _Window(now + FLOOD_WINDOW_SECONDS)
        if window.passed < FLOOD_BURST:
            window.passed += 1
            return True
        window.suppressed += 1
        return False

    def due(self, now: float) -> bool:
        """Whether a window is over in which messages were held back."""
        return any(window.suppressed and now >= window.until for window in self._windows.values())

    def over(self, now: float, *, all_of_them: bool = False) -> dict[str, int]:
        """Close the windows that are over; the kinds of which messages were held back, with their number."""
        over = [kind for kind, window in self._windows.items() if all_of_them or now >= window.until]
        closed = {kind: self._windows.pop(kind) for kind in over}
        return {kind: window.suppressed for kind, window in closed.items() if window.suppressed}

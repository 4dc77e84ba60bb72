"""Numbers with their nouns. Pure; knows no subject."""

from __future__ import annotations


def counted(number: int, noun: str, many: str = "") -> str:
    """A number with its noun, in the singular where there is one; `many`: the plural where it is no plain s."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {many or noun + 's'}"

"""Keeps answers bounded: as many rows as fit one. Knows no verb."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from archsyncd.operator.protocol import PAGE_LIMIT_BYTES


def fitting(
    rows: Iterable[dict[str, Any]], limit_bytes: int = PAGE_LIMIT_BYTES
) -> tuple[list[dict[str, Any]], bool]:
    """The first rows that fit, at least one, and whether others were left out."""
    kept: list[dict[str, Any]] = []
    size = 0
    for row in rows:
        size += len(orjson.dumps(row)) + 1
        if kept and size > limit_bytes:
            return kept, True
        kept.append(row)
    return kept, False

"""Pages and records written by hand for the tests of r247/1 parsing; knows the contract's JSON, not the parser."""

from __future__ import annotations

import json
from typing import Any

LEVEL: dict[str, Any] = {
    "id": "01JD-1",
    "type": "stock.level",
    "seq": "101",
    "occurredAt": "2026-11-23T10:15:02.120Z",
    "sku": "ABC-1-BLK-M",
    "location": "WH1",
    "onHand": 42,
    "available": 37,
    "asOf": "2026-11-23T10:15:02Z",
}


def level(**changes: Any) -> dict[str, Any]:
    """A level with some fields changed; a field set to ... is left out."""
    return {name: value for name, value in (LEVEL | changes).items() if value is not ...}


def level_text(name: str, literal: str, **changes: Any) -> str:
    """A level whose field `name` is written as `literal`, whatever that is."""
    return json.dumps(level(**{**changes, name: "@@"})).replace('"@@"', literal)


def page(*items: str | dict[str, Any], **changes: Any) -> bytes:
    """A page of changes; items are objects or raw text."""
    envelope = {
        "schema": "r247/1",
        "feed": "main",
        "epoch": "2026-05-01a",
        "next": "c2VxOjEwNw",
        "more": False,
        "head": {"seq": "107", "at": "2026-11-23T10:15:02Z"},
        "oldest": {"seq": "1", "at": "2026-11-16T10:15:02Z"},
    }
    envelope = {name: value for name, value in (envelope | changes).items() if value is not ...}
    texts = [item if isinstance(item, str) else json.dumps(item) for item in items]
    return (json.dumps(envelope)[:-1] + ',"items":[' + ",".join(texts) + "]}").encode(
        "utf-8", "surrogatepass"
    )

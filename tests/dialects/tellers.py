"""Two invented warehouses that tell what moved, in words of their own, and the profiles that describe them.

`tally` publishes JSON to a queue, with local times to the second and its site as an attribute; `ticker` calls with XML.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import quoteattr
from zoneinfo import ZoneInfo

from archsyncd.wire.foreign.messages import MessageReader
from archsyncd.wire.profile.profile import Profile, read_profile
from tests.dialects.houses import written

BERLIN = ZoneInfo("Europe/Berlin")
SITE = {"werk": "WH1"}


def tally_profile(**fields: Any) -> dict[str, Any]:
    """The profile of a tally; `fields` replace those of every record, None takes one away."""
    told = {
        "sku": "/art",
        "location": {"attribute": "werk"},
        "onHand": "/pieces",
        "available": "/pieces",
        "delta": "/diff",
        "asOf": {"path": "/at", "format": "dd.MM.yyyy HH:mm:ss", "tz": "Europe/Berlin", "fold": "earlier"},
        "occurredAt": {
            "path": "/at",
            "format": "dd.MM.yyyy HH:mm:ss",
            "tz": "Europe/Berlin",
            "fold": "earlier",
        },
        "orderNumber": "/order",
    }
    kept = {name: one for name, one in (told | fields).items() if one is not None}
    return {
        "profile": "tally",
        "format": "json",
        "records": "/events/*",
        "fields": kept,
        "when": [
            {"/kind": "count", "type": "stock.level"},
            {"/kind": "gone", "type": "stock.removed"},
            {"/kind": "diff", "type": "stock.movement", "const": {"state": "onHand"}},
            {"/kind": "taken", "type": "order.accepted"},
            {"/kind": ["text", "price"], "skip": True},
        ],
    }


def tally(*events: dict[str, Any]) -> bytes:
    """A message of it."""
    return json.dumps({"events": list(events)}).encode()


def counted(sku: str, pieces: Any, at_ms: int | None, **more: Any) -> dict[str, Any]:
    """One event: so many were counted then."""
    when = (
        {} if at_ms is None else {"at": f"{datetime.fromtimestamp(at_ms / 1000, BERLIN):%d.%m.%Y %H:%M:%S}"}
    )
    return {"kind": "count", "art": sku, "pieces": pieces, **when, **more}


def ticker_profile(**fields: Any) -> dict[str, Any]:
    """The profile of a ticker; `fields` replace some, None takes one away."""
    told = {
        "sku": "/@artikel",
        "location": "/@lager",
        "onHand": "/@bestand",
        "available": "/@bestand",
        "asOf": "/@zeit",
    }
    kept = {name: one for name, one in (told | fields).items() if one is not None}
    return {
        "profile": "ticker",
        "format": "xml",
        "records": "/Meldung/Stand",
        "const": {"type": "stock.level"},
        "fields": kept,
    }


def ticker(*levels: tuple[str, Any, int], place: str = "WH1") -> bytes:
    """A call's body: SKU, pieces, and when that was."""
    rows = "".join(
        f'<Stand artikel={quoteattr(sku)} lager="{place}" bestand={quoteattr(str(pieces))} zeit="{_utc(at_ms)}"/>'
        for sku, pieces, at_ms in levels
    )
    return f"<Meldung>{rows}</Meldung>".encode()


def _utc(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def profile_of(told: dict[str, Any]) -> Profile:
    return read_profile(written(told), "profiles/site.json")


def reader_of(told: dict[str, Any]) -> MessageReader:
    """What reads messages by this profile."""
    return MessageReader(profile_of(told))

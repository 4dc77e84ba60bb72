"""The readers of profiles, of foreign payloads, of commercetools' answers and of the configuration."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from typing import Any, Final

from archsyncd.config import read_settings
from archsyncd.domain.feed import Reject
from archsyncd.domain.inventory import EntryWrite, Marker, StockKey, SupplyChannel, WriteKind
from archsyncd.wire.commercetools import (
    entries,
    errors,
    graphql,
    listing,
    notifications,
    orders,
    projects,
    token,
    whole_orders,
)
from archsyncd.wire.commercetools.exchange import Reply, Request
from archsyncd.wire.commercetools.strict import MalformedAnswer
from archsyncd.wire.foreign.source import read_source
from archsyncd.wire.profile.faults import ProfileFaults
from archsyncd.wire.profile.profile import Profile, read_profile
from archsyncd.wire.r247_values import Misread, Unreadable
from tests.fuzz.parts import EXAMPLES, ROOT, Target, files, tried
from tests.fuzz.seeds import CHANNEL, ENTRY, GRANT, LEASE, MARKER_TYPE, MESSAGE, ORDER, REFUSAL, WRITTEN

CHANNELS: Final = entries.ChannelMap.of([SupplyChannel("north", "channel-id-1", supplies=True)])
KEY: Final = StockKey("north", "ABC-1")
WRITE: Final = EntryWrite(
    WriteKind.INCREMENT,
    KEY,
    marker=Marker("ledger-1", "op-7", -4, "90", 2),
    entry_id="entry-1",
    version=7,
    quantity=-2,
)
REQUEST: Final = Request("GET", "/inventory")
# Every form of value that a profile can describe, and an id of what the record says.
FIELDS: Final[dict[str, Any]] = {
    "id": {"hash": True},
    "seq": "/Id",
    "sku": ["/Ean", "/Code"],
    "location": {"path": "/Site", "values": {"1": "WH1", "2": "WH2"}},
    "onHand": {"path": "/Qty", "decimal": ",", "thousands": "."},
    "asOf": {"path": "/At", "format": "dd.MM.yyyy HH:mm", "tz": "Europe/Berlin"},
}
PAYLOADS: Final[Mapping[str, bytes]] = {
    "json": b'{"Items":[{"Id":7,"Code":"A","Site":"1","Qty":"1.234,5","At":"23.11.2026 10:15"},{"Id":"\\ud800"}],"Next":17}',
    "ndjson": b'{"Id":7,"Code":"A","Site":"1","Qty":5,"At":"23.11.2026 10:15"}\n{"Id":1e400}\n{oops\n',
    "csv": b'Id,Ean,Code,Site,Qty,At\n7,,A,1,"1.234,5",23.11.2026 10:15\n8,,B,3,x,\n',
    "xml": b'<?xml version="1.0" encoding="iso-8859-1"?><Items><Item><Id>7</Id><Code>M\xfcller</Code><Site>1</Site>'
    b"<Qty>5</Qty><At>23.11.2026 10:15</At></Item></Items>",
}


@functools.cache
def _profile(form: str) -> Profile:
    records = {"json": "/Items/*", "xml": "/Items/Item"}.get(form)
    members = {
        "profile": "site",
        "format": form,
        "records": records,
        "const": {"type": "stock.level"},
        "fields": FIELDS,
    }
    text = json.dumps({name: value for name, value in members.items() if value is not None})
    return read_profile(text.encode(), "site.json")


def _payload(form: str, data: bytes) -> None:
    profile = _profile(form)
    answer = tried(lambda: profile.read(data), Unreadable)
    for item in () if answer is None else answer.items:
        found = profile.record(item)
        assert not isinstance(found, Reject) or found.reason
    if answer is not None:
        tried(lambda: answer.value("/Next"), Unreadable, Misread)


def _profile_document(data: bytes) -> None:
    profile = tried(lambda: read_profile(data, "site.json"), ProfileFaults)
    if profile is not None:
        for payload in PAYLOADS.values():
            answer = tried(functools.partial(profile.read, payload), Unreadable)
            for item in () if answer is None else answer.items:
                profile.record(item)
        profile.file_name("BESTAND_20261123_0200.csv")
    tried(lambda: read_source(data, "site.json"), ProfileFaults)


def _stock_answers(data: bytes) -> None:
    tree = tried(lambda: Reply(200, data).tree(), MalformedAnswer)
    for read in (
        lambda: entries.listing_of(tree, CHANNELS, "", 500, 0),
        lambda: entries.entry_page(tree, CHANNELS, 0),
        lambda: entries.entry_of(tree, CHANNELS, 0),
        lambda: entries.written(tree, "entry-1"),
        lambda: graphql.writes_answer(tree, [WRITE]),
        lambda: graphql.products_answer(tree, ["ABC-1"]),
        lambda: graphql.entries_answer(tree, CHANNELS, 0),
        lambda: listing.catalogue_page(tree, None),
        lambda: listing.stocked_page(tree, "a"),
    ):
        tried(read, MalformedAnswer)


def _order_answers(data: bytes) -> None:
    tree = tried(lambda: Reply(200, data).tree(), MalformedAnswer)
    for read in (
        lambda: orders.message_page(tree, 500, 0),
        lambda: orders.order_page(tree, 500, 0),
        lambda: orders.order_of(tree),
        lambda: whole_orders.whole_page(tree),
        lambda: whole_orders.whole_order_of(tree),
    ):
        tried(read, MalformedAnswer)
    notifications.read_notification("handle", data)


def _project_answers(data: bytes) -> None:
    tree = tried(lambda: Reply(200, data).tree(), MalformedAnswer)
    for read in (
        lambda: projects.project_of(tree),
        lambda: projects.channels_of(tree),
        lambda: projects.marker_type_of(tree),
        lambda: projects.tenure_of(tree, 0),
    ):
        tried(read, MalformedAnswer)
    for status in (200, 400, 401, 409, 429, 503):
        reply = Reply(status, data, retry_after=data[:20].decode("latin-1"))
        tried(functools.partial(token.token_answer, reply), MalformedAnswer)
        errors.failure_of(REQUEST, reply)


def _config(data: bytes) -> None:
    settings, faults = read_settings(data.decode("utf-8", "replace"), "config.toml")
    assert (settings is None) is bool(faults)
    for fault in faults:
        str(fault)


def _json(*trees: Any) -> list[bytes]:
    return [json.dumps(tree).encode() for tree in trees]


def _page(*rows: Any) -> dict[str, Any]:
    return {"limit": 500, "offset": 0, "count": len(rows), "results": list(rows)}


def _stock_seeds() -> list[bytes]:
    return _json(ENTRY, _page(ENTRY), *WRITTEN, {"data": {"inventoryEntries": _page(ENTRY)}})


OUR_TARGETS: Final[Mapping[str, Target]] = {
    target.name: target
    for target in (
        *(
            Target(f"payload-{form}", functools.partial(_payload, form), functools.partial(list, [payload]))
            for form, payload in PAYLOADS.items()
        ),
        Target(
            "profile", _profile_document, lambda: files("profile-*.json", "request-*.json", below=EXAMPLES)
        ),
        Target("stock-answers", _stock_answers, _stock_seeds),
        Target("order-answers", _order_answers, lambda: _json(ORDER, _page(ORDER), _page(MESSAGE))),
        Target(
            "project-answers",
            _project_answers,
            lambda: _json(
                {"key": "demo"}, _page(CHANNEL), _page(MARKER_TYPE), MARKER_TYPE, LEASE, GRANT, REFUSAL
            ),
        ),
        Target("config", _config, lambda: files("config.toml", below=ROOT)),
    )
}

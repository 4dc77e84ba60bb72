"""The readers of what a source tells: pages, lines, files, answers, calls, messages. None may raise anything undocumented."""

from __future__ import annotations

import functools
import gzip
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from archsyncd.wire import webhook
from archsyncd.wire.csv_file import Table
from archsyncd.wire.drop_names import (
    read_checkpoint,
    read_manifest,
    read_name,
    read_progress,
    read_receipt,
)
from archsyncd.wire.drop_records import Entry, Numbering, read_array, read_entries
from archsyncd.wire.ndjson import LineCutter, read_lines
from archsyncd.wire.pubsub import read_error, read_pull, read_subscription, read_token
from archsyncd.wire.r247 import read_cursor_line, read_page
from archsyncd.wire.r247_answers import (
    read_locations,
    read_order_answer,
    read_problem,
    read_snapshot_answer,
    read_stock_page,
)
from archsyncd.wire.r247_json import (
    begun_members,
    decode_carefully,
    decode_list,
    decode_list_document,
    object_within,
)
from archsyncd.wire.r247_messages import read_message
from archsyncd.wire.r247_order_files import read_cancellation_ack, read_dispatch_ack, read_order_ack
from archsyncd.wire.r247_values import CURSOR_LIMIT_CHARACTERS, Misread, Unreadable
from archsyncd.wire.webhook_body import read_batch, read_envelope, read_enveloped, read_skus
from tests.fuzz.parts import Target, files, tried, with_choice

DELIMITERS: Final = (",", ";", "\t")
POINTERS: Final = ("/sku", "/data/items/*/sku", "/*/id", "/")
NAMES: Final = (
    "main-full-000000000001-20261123T101501Z.ndjson",
    "main-delta-000000000002-20261123T101502Z.csv",
)
KEY: Final = b"k" * 24
SCHEMES: Final = (
    webhook.STANDARD,
    webhook.Scheme(encoding="hex", prefix="sha256=", content="{body}", id_header="", ts_header=""),
    webhook.Scheme(algorithm=webhook.Algorithm.TOKEN, prefix="Bearer "),
)


def _spaced(data: bytes) -> bytes | None:
    """The same document with spaces that make the fast parser leave it to the careful one; None where that could change it."""
    slow = data.replace(b'":', b'" :')
    # Up to this size a snapshot's page is asked for its status: a documented difference, and not this one.
    crosses = len(data) <= CURSOR_LIMIT_CHARACTERS < len(slow)
    return None if b"\\" in data or crosses else slow


def _said(found: Any, part: str) -> Any:
    """What of a document counts, and what is set aside of it and why; its bytes aside."""
    rejects = tuple((one.code, one.path, one.seq, one.sku) for one in found.rejects)
    return found.epoch, getattr(found, part), rejects


def _alike(read: Callable[[bytes], Any], data: bytes, part: str) -> None:
    """Both parsers read the same document alike, or neither reads it."""
    slow = _spaced(data)
    found = tried(lambda: read(data), Unreadable)
    if slow is None:
        return
    again = tried(lambda: read(slow), Unreadable)
    assert (found is None) == (again is None)
    if found is not None and hasattr(found, "rejects"):
        assert _said(found, part) == _said(again, part)


def _page(data: bytes) -> None:
    _alike(read_page, data, "records")


def _stock(data: bytes) -> None:
    _alike(read_stock_page, data, "items")


def _answers(data: bytes) -> None:
    for read in (read_snapshot_answer, read_order_answer, read_locations, read_order_ack):
        tried(functools.partial(read, data), Unreadable)
    for read_ack in (read_cancellation_ack, read_dispatch_ack):
        tried(functools.partial(read_ack, data), Unreadable)
    read_problem(data).code.encode("utf-8", "surrogatepass")


def _lines(data: bytes) -> None:
    cutter = LineCutter()
    half = len(data) // 2
    lines = [*cutter.cut(data[:half]), *cutter.cut(data[half:]), cutter.rest()]
    records, rejects = read_lines(lines, 1)
    assert len(records) + len(rejects) == len(lines)
    for line in lines:
        tried(functools.partial(read_cursor_line, line), Unreadable)


def _tolerant(data: bytes) -> None:
    begun_members(data)
    tried(lambda: decode_carefully(data), Misread)
    tried(lambda: decode_list(data), Unreadable)
    tried(lambda: object_within(data, "data"), Unreadable)
    found = tried(lambda: decode_list_document(data, "items"), Unreadable)
    # What the tolerant reader makes of a page the reader of pages counts, none more and none fewer.
    page = tried(lambda: read_page(data), Unreadable)
    if page is not None:
        assert found is not None
        assert len(page.records) + len(page.rejects) == len(found[1])


def _csv(data: bytes) -> None:
    delimiter = DELIMITERS[data[0] % len(DELIMITERS)] if data else ","
    lines = data[1:].decode("utf-8", "surrogateescape").splitlines(keepends=True)

    def rows() -> list[Entry]:
        table = Table(lines, delimiter)
        tried(table.check_levels, Unreadable)
        return [Entry(number, b"", table.fields(row)) for number, row in table.rows()]

    _entries(tried(rows, Unreadable) or [])


def _entries(entries: list[Entry]) -> None:
    for name in NAMES:
        found = read_name(name)
        assert found is not None
        records, rejects = read_entries(entries, Numbering(found, "ab"))
        assert len(records) + len(rejects) == len(entries)


def _files(data: bytes) -> None:
    for name in NAMES:
        found = read_name(name)
        assert found is not None
        tried(functools.partial(read_manifest, data, found), Unreadable)
    read_name(data.decode("latin-1"))
    read_receipt(data)
    read_progress(data)
    tried(lambda: read_checkpoint(data.decode("utf-8", "surrogateescape")), Unreadable)
    _entries(tried(lambda: read_array(data, 1_000), Unreadable) or [])
    _entries([Entry(number, line) for number, line in enumerate(data.split(b"\n"), 1)])


def _webhook(data: bytes) -> None:
    choice, body = (data[0], data[1:]) if data else (0, b"")
    scheme = SCHEMES[choice % len(SCHEMES)]
    told = body[:600].decode("latin-1")
    message_id, timestamp = told[:40], told[40:60]
    assert webhook.verified(scheme, [KEY], told, message_id, timestamp, body) in {True, False}
    signed = webhook.signature(scheme, KEY, message_id, timestamp, body)
    assert webhook.verified(scheme, [b"x" * 24, KEY], signed, message_id, timestamp, body)
    webhook.seconds_of(timestamp)
    webhook.own_id(scheme, message_id, body)
    tried(lambda: webhook.keys_of(told), ValueError)
    _alike(read_batch, body, "records")
    tried(lambda: read_skus(body, POINTERS[choice % len(POINTERS)]), Unreadable)
    envelope = tried(lambda: read_envelope(body), Unreadable)
    if envelope is not None:
        tried(lambda: read_enveloped(envelope), Unreadable)


def _pubsub(data: bytes) -> None:
    choice, body = (data[0], data[1:]) if data else (0, b"")
    attributes = {"schema": "r247/1", "feed": "main", "epoch": "e1", "seq": "7"}
    if choice & 1:
        attributes = _attributes(body)
    if choice & 2:
        attributes["contentEncoding"] = "gzip"
        body = gzip.compress(body, 1) if choice & 4 else body
    found = read_message(body, attributes)
    assert found.epoch or found.rejects or not found.records
    for read in (read_pull, read_token, read_subscription):
        tried(functools.partial(read, body), Unreadable)
    assert read_error(body).message.isprintable()


def _attributes(body: bytes) -> dict[str, str]:
    pairs = (line.partition("=") for line in body[:400].decode("utf-8", "replace").splitlines())
    return {name: value for name, _, value in pairs}


def _pages() -> list[bytes]:
    return files("pull/page*.json", "pull/faulty/page*.json")


def _records() -> list[bytes]:
    return files("records/*.json", "records/faulty/*.json")


def _one_line_each(documents: Iterable[bytes]) -> bytes:
    return b"\n".join(b" ".join(document.split(b"\n")) for document in documents)


def _pulled() -> list[bytes]:
    message = (
        b'{"receivedMessages":[{"ackId":"a","message":{"data":"e30=","publishTime":"2026-11-23T10:15:00Z"}}]}'
    )
    return [
        message,
        b'{"access_token":"t","expires_in":3600}',
        b'{"error":{"code":404,"status":"NOT_FOUND","message":"x"}}',
    ]


def _pushed() -> list[bytes]:
    envelope = b'{"message":{"data":"eyJpdGVtcyI6W119","attributes":{"epoch":"e"},"messageId":"1"},"subscription":"s"}'
    return [*files("push/webhook.json"), envelope, b'{"data":{"items":[{"sku":"A"}]}}', b'[{"id":"A"}]']


SOURCE_TARGETS: Final[Mapping[str, Target]] = {
    target.name: target
    for target in (
        Target("page", _page, _pages),
        Target("stock", _stock, lambda: files("pull/snapshot-page*.json", "pull/faulty/snapshot*.json")),
        Target("answers", _answers, lambda: files("orders/*.json", "orders/faulty/*.json", "pull/*.json")),
        Target("lines", _lines, lambda: [_one_line_each(_records()), *files("pull/cursor-line.json")]),
        Target("tolerant", _tolerant, lambda: [*_pages(), *files("records/faulty/level-n*.json")]),
        Target("csv", _csv, lambda: with_choice(files("drop/in/*.csv"), len(DELIMITERS))),
        Target(
            "files",
            _files,
            lambda: files("drop/in/*.done", "drop/*.json", "drop/in/*.json", "drop/in/*.ndjson"),
        ),
        Target("webhook", _webhook, lambda: with_choice(_pushed(), len(POINTERS))),
        Target("pubsub", _pubsub, lambda: with_choice([*files("pubsub/*.json"), *_pulled()], 8)),
    )
}

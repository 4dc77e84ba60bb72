"""Writes the files of the `drop` transport, right or wrong on purpose (r247/1, section 3); knows no HTTP."""

import csv
import gzip
import hashlib
import io
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from itertools import groupby
from pathlib import Path
from typing import Any

import orjson

from archsyncd.simulators.r247.log import FeedLog, LogRecord, stamp
from archsyncd.simulators.r247.warehouse import Warehouse

FOLDERS = ("in", "work", "done", "error", "receipts", "orders/out", "orders/ack")
COLUMNS = (
    "id",
    "seq",
    "type",
    "sku",
    "location",
    "onHand",
    "available",
    "allocated",
    "asOf",
    "delta",
    "state",
    "reason",
    "ordersIncluded",
)
KEPT = 1000


class Ready(StrEnum):
    """How a reader knows that a file is whole."""

    MANIFEST = "manifest"
    RENAME = "rename"
    STABLE = "stable"


class Form(StrEnum):
    """What a file of levels looks like; other kinds are NDJSON where CSV is asked for."""

    NDJSON = "ndjson"
    CSV = "csv"
    JSON = "json"


class DropFault(StrEnum):
    """What may be wrong with one file."""

    HALF_WRITTEN = "half_written"  # half of the bytes and no sign of readiness; `complete` writes the rest
    TRUNCATED = "truncated"  # a third is missing though the file is said to be whole
    WRONG_HASH = "wrong_hash"
    MISCOUNT = "miscount"
    NO_MANIFEST = "no_manifest"  # the trailer is missing
    INCOMPLETE = "incomplete"  # the manifest itself says that the file is not complete
    WITHHELD = "withheld"  # not written: a gap; `release` writes it later
    OLD_MTIME = "old_mtime"  # the file's time contradicts its number


@dataclass(frozen=True, slots=True)
class DropStyle:
    """How this source writes. `delimiter` and `bom` belong to CSV; without ids a reader must make its own."""

    ready: Ready = Ready.MANIFEST
    form: Form = Form.NDJSON
    compress: bool = False
    delimiter: str = ","
    bom: bool = False
    ids: bool = True
    first_file_seq: int = 1


@dataclass(frozen=True, slots=True)
class DropFile:
    """A file as it was composed: name, bytes, and the manifest that belongs to it."""

    name: str
    data: bytes
    manifest: dict[str, Any]


class DropWriter:
    """Writes files into `<directory>/in`, numbered without gaps unless told otherwise."""

    def __init__(self, directory: Path, style: DropStyle, feed: str, log: FeedLog) -> None:
        self._directory = directory
        self._style = style
        self._feed = feed
        self._log = log
        self._next_seq = style.first_file_seq
        self.written: list[DropFile] = []
        self.withheld: list[DropFile] = []
        for folder in FOLDERS:
            (directory / folder).mkdir(parents=True, exist_ok=True)

    def write(
        self,
        kind: str,
        records: Sequence[bytes],
        locations: Iterable[str] = (),
        fault: DropFault | None = None,
    ) -> DropFile:
        """Write one file of records (raw JSON each); `kind` is full, delta, fulfilment, return or order."""
        file = self._compose(kind, records, tuple(locations))
        if fault is DropFault.WITHHELD:
            self.withheld.append(file)
            return file
        self._put(_spoilt(file, fault), fault)
        self.written = [*self.written, file][-KEPT:]
        return file

    def release(self) -> None:
        """Write what was withheld, late."""
        for file in self.withheld:
            self._put(file, None)
        self.withheld.clear()

    def complete(self, file: DropFile) -> None:
        """Write a half-written file to its end, with its sign of readiness."""
        self._put(file, None)

    def again(self, file: DropFile, *, renumbered: bool = False) -> DropFile:
        """Drop the same bytes again, under the same name or as the next file of the sequence."""
        if renumbered:
            name = self._name(file.manifest["kind"])
            told = {"file": name, "fileSeq": str(self._next_seq), "prevFileSeq": str(self._next_seq - 1)}
            file = replace(file, name=name, manifest=file.manifest | told)
            self._next_seq += 1
        self._put(file, None)
        return file

    def _name(self, kind: str) -> str:
        form = self._form(kind)
        moment = datetime.fromtimestamp(self._log.now_ms() // 1000, UTC)
        ending = ".gz" if self._style.compress else ""
        return f"{self._feed}-{kind}-{self._next_seq:012d}-{moment:%Y%m%dT%H%M%SZ}.{form}{ending}"

    def _form(self, kind: str) -> Form:
        rows = kind in {"full", "delta"}
        return self._style.form if rows or self._style.form is not Form.CSV else Form.NDJSON

    def _compose(self, kind: str, records: Sequence[bytes], locations: tuple[str, ...]) -> DropFile:
        plain = [record if self._style.ids else _anonymous(record) for record in records]
        data = self._encode(self._form(kind), plain)
        data = gzip.compress(data, mtime=0) if self._style.compress else data
        name, seq = self._name(kind), self._next_seq
        self._next_seq += 1
        manifest = {"schema": "r247/1", "file": name, "kind": kind, "feed": self._feed}
        manifest |= {"epoch": self._log.epoch, "fileSeq": str(seq), "prevFileSeq": str(seq - 1)}
        manifest |= {"asOf": stamp(self._log.now_ms())}
        counts = {"bytes": len(data), "records": len(records), "sha256": hashlib.sha256(data).hexdigest()}
        return DropFile(name, data, manifest | counts | {"locations": list(locations), "complete": True})

    def _encode(self, form: Form, records: Sequence[bytes]) -> bytes:
        if form is Form.NDJSON:
            return b"".join(record + b"\n" for record in records)
        if form is Form.JSON:
            return b"[" + b",\n".join(records) + b"]\n"
        return _rows(records, self._style)

    def _put(self, file: DropFile, fault: DropFault | None) -> None:
        folder, half = self._directory / "in", fault is DropFault.HALF_WRITTEN
        if self._style.ready is Ready.STABLE or (half and self._style.ready is Ready.MANIFEST):
            (folder / file.name).write_bytes(file.data)
        else:
            part = folder / f"{file.name}.part"
            part.write_bytes(file.data)
            if half:
                return
            part.replace(folder / file.name)
        if fault is DropFault.OLD_MTIME:
            moment = self._log.now_ms() / 1000 - 60.0 * int(file.manifest["fileSeq"])
            os.utime(folder / file.name, (moment, moment))
        if self._style.ready is Ready.MANIFEST and not half and fault is not DropFault.NO_MANIFEST:
            put_json(folder / f"{file.name}.done", file.manifest)


class DropExporter:
    """Turns the warehouse's log into files: what is new as runs of one kind, and the whole stock as a full file."""

    def __init__(self, warehouse: Warehouse, writer: DropWriter) -> None:
        self._warehouse = warehouse
        self._writer = writer
        self._through = warehouse.log.before_oldest

    def new(self, fault: DropFault | None = None) -> list[DropFile]:
        """Write every record since the last call. Files follow the order of the log, so proofs keep their place."""
        log = self._warehouse.log
        found = log.after(self._through, 1_000_000, None, None)
        self._through = found.through
        log.mark_served(found.through)
        runs = groupby(found.records, key=_kind)
        return [self._writer.write(kind, [one.body for one in run], fault=fault) for kind, run in runs]

    def full(
        self, locations: Iterable[str] | None = None, fault: DropFault | None = None, skip: Iterable[str] = ()
    ) -> DropFile:
        """Write the stock of some locations (None: all) without the SKUs in `skip`; what is new goes before it."""
        self.new()
        room, log = self._warehouse.room, self._warehouse.log
        places = tuple(self._warehouse.config.locations if locations is None else locations)
        lacking = frozenset(skip)
        items: list[bytes] = []
        for (sku, location), holding in room.holdings.items():
            if location in places and sku not in lacking:
                common = {"id": f"{log.epoch}.full.{log.now_ms()}.{len(items)}", "type": "stock.level"}
                common["seq"] = str(log.head_seq)
                items.append(orjson.dumps(common | room.level_fields(sku, location, holding)))
        return self._writer.write("full", items, places, fault)


def put_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON under a temporary name and rename it, so that nobody reads half of it."""
    part = path.with_name(f".{path.name}.tmp")
    part.write_bytes(json.dumps(content).encode())
    part.replace(path)


def _kind(record: LogRecord) -> str:
    family = record.type.partition(".")[0]
    return {"order": "order", "fulfilment": "fulfilment", "return": "return"}.get(family, "delta")


def _anonymous(record: bytes) -> bytes:
    fields = json.loads(record)
    return orjson.dumps({name: value for name, value in fields.items() if name not in {"id", "seq"}})


def _rows(records: Sequence[bytes], style: DropStyle) -> bytes:
    columns = COLUMNS if style.ids else COLUMNS[2:]
    text = io.StringIO(newline="")
    rows = csv.writer(text, delimiter=style.delimiter, lineterminator="\r\n")
    rows.writerow(columns)
    for record in records:
        fields = json.loads(record)
        fields["ordersIncluded"] = " ".join(fields.get("ordersIncluded", ()))
        rows.writerow([fields.get(column, "") for column in columns])
    return text.getvalue().encode("utf-8-sig" if style.bom else "utf-8")


def _spoilt(file: DropFile, fault: DropFault | None) -> DropFile:
    if fault is DropFault.HALF_WRITTEN:
        return replace(file, data=file.data[: len(file.data) // 2])
    if fault is DropFault.TRUNCATED:
        return replace(file, data=file.data[: len(file.data) * 2 // 3])
    wrong = {
        DropFault.WRONG_HASH: {"sha256": "0" * 64},
        DropFault.MISCOUNT: {"records": file.manifest["records"] + 1},
        DropFault.INCOMPLETE: {"complete": False},
    }
    return file if fault not in wrong else replace(file, manifest=file.manifest | wrong[fault])

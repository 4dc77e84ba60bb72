"""Names, manifests, checkpoints and receipts of the file drop (`r247/1`, section 3) as text. Knows no directory."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

import orjson

from archsyncd.domain.feed import ID_LIMIT_CHARACTERS, Outcome, RecordFault, SnapshotStatus
from archsyncd.wire.r247_json import decode_carefully
from archsyncd.wire.r247_values import (
    SCHEMA,
    Misread,
    Unreadable,
    checked_text,
    entries,
    flag,
    instant,
    mapping,
    optional_integer,
    optional_text,
    sequence,
    text,
    to_ms,
)

MANIFEST_ENDING: Final = ".done"
MANIFEST_LIMIT_BYTES: Final = 64 * 1024
CHECKPOINT_LIMIT_CHARACTERS: Final = 1024
# seq = file number × 10^6 + line. Twelve digits of file number leave int64 room for a million lines each.
LINES_PER_FILE: Final = 1_000_000

_NAME: Final = re.compile(
    r"(?P<feed>[A-Za-z0-9][A-Za-z0-9._-]{0,63})-(?P<kind>full|delta|fulfilment|return|order)"
    r"-(?P<seq>\d{12})-(?P<at>\d{8}T\d{6}Z)\.(?P<form>ndjson|csv|json|xml)(?P<gz>\.gz)?",
    re.ASCII,
)
_SHA256: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


class Kind(StrEnum):
    """What a file is for."""

    FULL = "full"
    DELTA = "delta"
    FULFILMENT = "fulfilment"
    RETURN = "return"
    ORDER = "order"


class Form(StrEnum):
    """How a file is written."""

    NDJSON = "ndjson"
    CSV = "csv"
    JSON = "json"
    XML = "xml"


@dataclass(frozen=True, slots=True)
class DropName:
    """A data file's name, taken apart. `at` is the time in it, RFC 3339; None where it has none.

    What only names by a profile have: `counted` False, where a number that is left out is no file that is missing; `parts`
    of the name that its records use; `locations` that a full file is about.
    """

    text: str
    feed: str
    kind: Kind
    file_seq: int
    at: str | None
    form: Form
    compressed: bool
    counted: bool = True
    parts: Mapping[str, str] = field(default_factory=dict)
    locations: tuple[str, ...] = ()


def read_name(name: str) -> DropName | None:
    """Take a name apart; None when it is no data file's name (another program's, a temporary one, a manifest)."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    try:
        at = datetime.strptime(found["at"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None
    return DropName(
        text=name,
        feed=found["feed"],
        kind=Kind(found["kind"]),
        file_seq=int(found["seq"]),
        at=at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        form=Form(found["form"]),
        compressed=found["gz"] is not None,
    )


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a file's writer says of it; figures that are None were not told."""

    epoch: str
    previous_seq: int | None
    as_of: str | None
    bytes: int | None
    records: int | None
    sha256: str | None
    locations: tuple[str, ...]
    complete: bool | None


def read_manifest(data: bytes, name: DropName) -> Manifest:
    """Read `<name>.done`. Raises Unreadable when it is none, or another file's."""
    try:
        fields = mapping(decode_carefully(data), "")
        _agrees(fields, name)
        sha256 = optional_text(fields, "sha256")
        if sha256 is not None and _SHA256.fullmatch(sha256.lower()) is None:
            raise Misread("not_a_digest", "must be 64 hexadecimal digits", "/sha256")
        return Manifest(
            epoch=text(fields, "epoch", ID_LIMIT_CHARACTERS),
            previous_seq=None if fields.get("prevFileSeq") is None else sequence(fields, "prevFileSeq"),
            as_of=instant(fields, "asOf"),
            bytes=optional_integer(fields, "bytes", minimum=0),
            records=optional_integer(fields, "records", minimum=0),
            sha256=None if sha256 is None else sha256.lower(),
            locations=tuple(
                checked_text(one, f"/locations/{place}", 256)
                for place, one in enumerate(entries(fields, "locations"))
            ),
            complete=None if fields.get("complete") is None else flag(fields, "complete"),
        )
    except Misread as fault:
        raise Unreadable(f"the manifest cannot be used: {fault.path or '/'} {fault.reason}") from None


def _agrees(fields: Mapping[str, Any], name: DropName) -> None:
    told = {"schema": SCHEMA, "file": name.text, "kind": name.kind.value, "feed": name.feed}
    for told_name, value in told.items():
        if text(fields, told_name) != value:
            raise Misread("contradiction", "is not what the file's name says", f"/{told_name}")
    if sequence(fields, "fileSeq") != name.file_seq:
        raise Misread("contradiction", "is not what the file's name says", "/fileSeq")


@dataclass(frozen=True, slots=True)
class DropCheckpoint:
    """How far the files are read: `line` lines of file `file_seq`, whose content is `sha256`; `ended`: all of it."""

    epoch: str
    file_seq: int
    line: int
    sha256: str
    ended: bool

    def encode(self) -> str:
        """Write it as the opaque text the engine stores."""
        fields = {"epoch": self.epoch, "fileSeq": self.file_seq, "line": self.line}
        return orjson.dumps(fields | {"sha256": self.sha256, "ended": self.ended}).decode()


NOTHING_READ: Final = DropCheckpoint("", 0, 0, "", ended=True)


def read_checkpoint(checkpoint: str | None) -> DropCheckpoint:
    """Read what `encode` wrote; None is the beginning. Raises Unreadable for anything else (another transport's)."""
    if checkpoint is None:
        return NOTHING_READ
    try:
        fields = mapping(decode_carefully(checkpoint[:CHECKPOINT_LIMIT_CHARACTERS].encode()), "")
        epoch, sha256 = fields.get("epoch"), fields.get("sha256")
        if not isinstance(epoch, str) or not isinstance(sha256, str):
            raise Misread("not_a_text", "must be a text", "/epoch")
        file_seq = optional_integer(fields, "fileSeq", minimum=0) or 0
        line = optional_integer(fields, "line", minimum=0) or 0
        return DropCheckpoint(epoch, file_seq, line, sha256, flag(fields, "ended"))
    except (Misread, UnicodeEncodeError):
        raise Unreadable("the checkpoint is not one of a file drop") from None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a file (section 3, "Receipt"). `passed`: the sequence goes on behind it.

    `follows`: the number of the file that was read before it in its sequence. `epoch`, `as_of`, `passed` and `follows`
    are our own memory of files that are gone; the source may ignore them.
    """

    file: str
    sha256: str
    status: str
    outcome: Outcome
    at: str
    epoch: str = ""
    as_of: str | None = None
    passed: bool = False
    follows: int | None = None
    reasons: tuple[str, ...] = ()
    counted: bool = True
    code: str = ""

    def encode(self) -> bytes:
        """Write it as the JSON of section 3, with our own fields after it."""
        outcome = self.outcome
        counts = {
            name: getattr(outcome, name) for name in ("read", "applied", "unchanged", "stale", "rejected")
        }
        fields = {"file": self.file, "sha256": self.sha256, "status": self.status} | counts
        fields |= {"errors": [_fault(fault) for fault in outcome.faults], "at": self.at}
        fields |= {"epoch": self.epoch, "asOf": self.as_of, "passed": self.passed}
        fields |= {} if self.follows is None else {"follows": self.follows}
        fields |= {"code": self.code} if self.code else {}
        fields |= {"reasons": list(self.reasons)} if self.reasons else {}
        fields |= {} if self.counted else {"counted": False}
        return orjson.dumps(fields, option=orjson.OPT_APPEND_NEWLINE)


def _fault(fault: RecordFault) -> dict[str, Any]:
    told = {"line": fault.line, "code": fault.code, "sku": fault.sku}
    return {name: value for name, value in told.items() if value is not None}


def read_receipt(data: bytes) -> Receipt | None:
    """Read our own receipt back; None when it is unreadable (it is only a memory). The errors are not read."""
    try:
        fields = mapping(decode_carefully(data), "")
        return Receipt(
            file=text(fields, "file"),
            sha256=_text_or_nothing(fields, "sha256"),
            status=text(fields, "status"),
            outcome=_outcome(fields),
            at=text(fields, "at"),
            epoch=_text_or_nothing(fields, "epoch"),
            as_of=instant(fields, "asOf"),
            passed=flag(fields, "passed"),
            follows=optional_integer(fields, "follows", minimum=0),
        )
    except Misread:
        return None


def decided_receipt(data: bytes, status: SnapshotStatus, outcome: Outcome, at: str) -> bytes | None:
    """A held full's receipt after somebody decided, or a newer full took its place; None when it is no receipt of such a one.

    Its records that could not be read were told before; `outcome` is what became of the others.
    """
    before = read_receipt(data)
    if before is None or before.status != "held":
        return None
    unread = Outcome(before.outcome.rejected, rejected=before.outcome.rejected, faults=_faults(data))
    if status is SnapshotStatus.APPLIED:
        both = unread.plus(outcome)
        told = "partial" if both.rejected else "applied"
        return replace(before, status=told, outcome=both, at=at, passed=True).encode()
    reasons = ("it was held, and nobody let it pass: it was rejected, or a newer full took its place",)
    all_of_it = replace(before.outcome, faults=_faults(data))
    return replace(
        before, status="rejected", outcome=all_of_it, at=at, reasons=reasons, code="snapshot_rejected"
    ).encode()


def _text_or_nothing(fields: Mapping[str, Any], name: str) -> str:
    return text(fields, name) if fields.get(name) else ""


def _outcome(fields: Mapping[str, Any]) -> Outcome:
    def count(name: str) -> int:
        return optional_integer(fields, name, minimum=0) or 0

    return Outcome(count("read"), count("applied"), count("unchanged"), count("stale"), count("rejected"))


def encode_progress(line: int, outcome: Outcome) -> bytes:
    """Write what became of the first `line` lines of a file, so that a restart can still give a full receipt."""
    return replace(_EMPTY, outcome=outcome, file=str(line)).encode()


def read_progress(data: bytes) -> tuple[int, Outcome] | None:
    """Read `encode_progress` back; None when it is unreadable."""
    receipt = read_receipt(data)
    if receipt is None or not receipt.file.isdigit():
        return None
    return int(receipt.file), replace(receipt.outcome, faults=_faults(data))


def _faults(data: bytes) -> tuple[RecordFault, ...]:
    try:
        told = entries(mapping(decode_carefully(data), ""), "errors")
        return tuple(
            RecordFault(text(one, "code"), optional_integer(one, "line"), optional_text(one, "sku"))
            for one in told[:100]
        )
    except Misread:
        return ()


_EMPTY: Final = Receipt("0", "", "progress", Outcome(), "-")


def encode_refusal(file: str, code: str, reasons: Sequence[str], at: str) -> bytes:
    """Write `<name>.err.json`: why a file lies in error/."""
    fields = {"file": file, "code": code, "reasons": list(reasons), "at": at}
    return orjson.dumps(fields, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_INDENT_2)


def is_later(one: str | None, other: str | None) -> bool:
    """Whether the first time is told and lies after the second, or the second is not told."""
    if one is None:
        return False
    return other is None or to_ms(one) > to_ms(other)

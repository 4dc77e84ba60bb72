"""Power cuts replayed: from a trace of writes and syncs, the disk at any instant with unsynced data lost or torn."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

SECTOR_BYTES = 512
TRACED = "trace=pwrite64,write,fdatasync,fsync,ftruncate,unlink"
_CALL = re.compile(r"^\d+ +(pwrite64|write|fdatasync|fsync|ftruncate)\((\d+)<([^>]*)>(?:, )?(.*)$")
_UNLINK = re.compile(r'^\d+ +unlink\("([^"]*)"\)')
_WRITE = re.compile(r'^"([^"]*)", \d+, (\d+)')
_TEXT = re.compile(r'^"([^"]*)"')

Loss = Literal["lost", "torn", "kept"]


def trace_to(path: Path) -> list[str]:
    """Strace arguments that record everything that reaches the disk, whole and with file names."""
    return ["-y", "-xx", "-s", "200000", "-o", str(path), "-e", TRACED]


@dataclass(frozen=True)
class Event:
    """One call: a write (data at an offset), a truncation (offset), a sync, a removal, or a promise on the output."""

    kind: Literal["write", "truncate", "sync", "remove", "promise"]
    name: str = ""
    offset: int = 0
    data: bytes = b""


def _bytes(text: str) -> bytes:
    return bytes(int(part, 16) for part in text.split("\\x")[1:])


def events(trace: Path, directory: Path) -> list[Event]:
    """What a trace says of the files of one directory, and of the promises made."""
    found: list[Event] = []
    for line in trace.read_text("latin-1").splitlines():
        removed = _UNLINK.match(line)
        if removed:
            found.append(Event("remove", _bytes(removed[1]).decode()))
            continue
        call = _CALL.match(line)
        if call is None:
            continue
        name, number, path, rest = call[1], call[2], _bytes(call[3]).decode(), call[4]
        if name == "write" and number == "1":
            text = _TEXT.match(rest)
            found.append(Event("promise", data=_bytes(text[1]) if text else b""))
        elif name == "pwrite64":
            parts = _WRITE.match(rest)
            assert parts is not None, line[:80]
            found.append(Event("write", path, int(parts[2]), _bytes(parts[1])))
        elif name == "ftruncate":
            found.append(Event("truncate", path, int(rest.split(")")[0])))
        elif name in {"fdatasync", "fsync"}:
            found.append(Event("sync", path))
    return [event for event in found if event.kind == "promise" or event.name.startswith(f"{directory}/")]


@dataclass
class Disk:
    """What is certainly on the disk, and what was written since a file's last sync."""

    certain: dict[str, bytearray] = field(default_factory=dict)
    pending: dict[str, list[Event]] = field(default_factory=dict)
    promises: list[str] = field(default_factory=list)

    def take(self, event: Event, *, syncs: bool) -> None:
        """Let one call happen. `syncs` False: the disk lies, and only writes back what it likes."""
        if event.kind == "promise":
            self.promises.extend(event.data.decode().splitlines())
        elif event.kind == "remove":
            self.certain.pop(event.name, None)
            self.pending.pop(event.name, None)
        elif event.kind == "sync":
            if syncs:
                for pending in self.pending.pop(event.name, []):
                    _apply(self.certain.setdefault(event.name, bytearray()), pending, None)
        else:
            self.pending.setdefault(event.name, []).append(event)

    def image(self, loss: Loss, chance: random.Random) -> dict[str, bytes]:
        """The files after the cut. The index beside the log is memory, and is gone."""
        files = {name: bytearray(data) for name, data in self.certain.items()}
        for name, events in self.pending.items():
            content = files.setdefault(name, bytearray())
            for event in events if loss != "lost" else ():
                _apply(content, event, chance if loss == "torn" else None)
        return {name: bytes(data) for name, data in files.items() if not name.endswith("-shm")}


def _apply(content: bytearray, event: Event, chance: random.Random | None) -> None:
    """One write or truncation; with `chance`, every sector of it made it to the disk or did not."""
    if event.kind == "truncate":
        if chance is None or chance.random() < 0.5:
            del content[event.offset :]
            content.extend(bytes(event.offset - len(content)))
        return
    for start in range(0, len(event.data), SECTOR_BYTES):
        piece = event.data[start : start + SECTOR_BYTES]
        if chance is not None and chance.random() < 0.5:
            continue
        at = event.offset + start
        content.extend(bytes(max(at - len(content), 0)))
        content[at : at + len(piece)] = piece


def cuts(
    base: dict[str, bytes],
    recorded: Sequence[Event],
    losses: Sequence[Loss],
    *,
    syncs: bool = True,
    seed: int = 7,
) -> Iterator[tuple[dict[str, bytes], tuple[str, ...]]]:
    """Yield the disk and the promises made at every instant, the kinds of loss in turn."""
    chance = random.Random(seed)
    disk = Disk({name: bytearray(data) for name, data in base.items()})
    for number, event in enumerate(recorded):
        disk.take(event, syncs=syncs)
        yield disk.image(losses[number % len(losses)], chance), tuple(disk.promises)

"""Exceptions about whole files: opened when one is refused or missed, closed when what comes later has made up for it.

A full makes up for every file before it; any other file for those of its kind, and for the one of its own number that the feed
waited for.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from archsyncd.adapters.sqlite.cases import open_case, resolve_case
from archsyncd.adapters.sqlite.scope import Scope
from archsyncd.domain.cases import CaseKind, NewCase
from archsyncd.domain.feed import FileNews
from archsyncd.domain.snapshot import Snapshot


def file_case(feed: str, epoch: str, file: FileNews) -> NewCase:
    """The case of a file that was not read; its payload says where the file belongs, which closes the case later."""
    told = {"file": file.name, "kind": file.kind, "epoch": epoch, "seq": file.seq, "code": file.code}
    reason = f"{file.reason}. {file.does}" if file.does else file.reason
    kind = CaseKind.AWAITED_FILE if file.awaited else CaseKind.REFUSED_FILE
    return NewCase(kind, feed, file.name, reason, json.dumps(told).encode(), file.code)


async def note_file(scope: Scope, feed: str, epoch: str, file: FileNews) -> None:
    """A file was read to its end, or was not read."""
    if file.code:
        await open_case(scope.tx, file_case(feed, epoch, file), scope.now_ms)
        for kind, subject, told in await _open(scope, feed):
            same = (told["epoch"], told["seq"]) == (epoch, file.seq)
            if file.awaited and kind is CaseKind.AWAITED_FILE and same and subject != file.name:
                await resolve_case(scope.tx, kind, feed, subject, f"{file.name} came instead", scope.now_ms)
        return
    for kind, subject, told in await _open(scope, feed):
        passed = await _is_before(scope, feed, told, epoch, file.seq)
        if passed and (kind is CaseKind.AWAITED_FILE or told["kind"] == file.kind):
            note = f"{file.name} was applied"
            await resolve_case(scope.tx, kind, feed, subject, note, scope.now_ms)


async def full_applied(scope: Scope, snapshot: Snapshot) -> None:
    """A full restates everything: what was refused before it, and what could not be read of no known key, is made up for."""
    note = "a later full was applied"
    for kind, subject, told in await _open(scope, snapshot.feed):
        if await _is_before(scope, snapshot.feed, told, snapshot.epoch, snapshot.seq_at):
            await resolve_case(scope.tx, kind, snapshot.feed, subject, note, scope.now_ms)
    if not snapshot.rejected:
        for (subject,) in await scope.tx.rows("cases_of_no_key", (snapshot.feed, snapshot.at_ms)):
            await resolve_case(scope.tx, CaseKind.INVALID_RECORD, snapshot.feed, subject, note, scope.now_ms)


async def _is_before(scope: Scope, feed: str, told: dict[str, Any], epoch: str, seq: int) -> bool:
    """Whether the file of a case stands at or before a place; one of an epoch that nobody told stands before everything."""
    if told["epoch"] == epoch:
        return bool(told["seq"] <= seq)
    case, here = [await scope.tx.row("epoch", (feed, name)) for name in (told["epoch"], epoch)]
    return case is None or (here is not None and case[0] < here[0])


async def _open(scope: Scope, feed: str) -> Iterable[tuple[CaseKind, str, dict[str, Any]]]:
    rows = await scope.tx.rows("cases_of_files", (feed,))
    return [(CaseKind(kind), subject, json.loads(payload)) for kind, subject, payload in rows]

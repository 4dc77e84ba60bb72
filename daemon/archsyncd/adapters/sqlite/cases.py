"""Exceptions in the store: opened once, counted again, folded beyond a limit, closed with a note."""

from __future__ import annotations

from collections.abc import Iterable

from archsyncd.adapters.sqlite.connection import Row, Transaction
from archsyncd.domain.cases import FOLD_LIMIT_CASES, Case, CaseKind, CaseNews, NewCase
from archsyncd.domain.feed import PAYLOAD_LIMIT_BYTES

FOLDED = "(folded)"
TEXT_LIMIT_CHARACTERS = 1_000


async def open_case(tx: Transaction, case: NewCase, now_ms: int) -> tuple[int, bool]:
    """Open a case or count it again; its id and whether it is new.

    Beyond the limit for one kind, scope and code, further subjects fold into one case that counts them.
    """
    subject = case.subject[:TEXT_LIMIT_CHARACTERS]
    if await tx.row("case_known", (case.kind, case.scope, subject)) is None:
        found = await tx.row("case_fold_count", (case.kind, case.scope, case.code))
        if found is not None and found[0] >= FOLD_LIMIT_CASES:
            subject = f"{FOLDED} {case.code}"
    row = await tx.row(
        "case_open",
        (
            case.kind,
            case.scope,
            subject,
            case.code,
            case.reason[:TEXT_LIMIT_CHARACTERS],
            now_ms,
            case.payload[:PAYLOAD_LIMIT_BYTES],
            case.correlation,
        ),
    )
    if row is None:
        return 0, False
    if row[1] == 1:
        tx.news.append(
            CaseNews(
                int(row[0]),
                case.kind,
                case.scope,
                subject,
                case.reason,
                correlation=case.correlation,
                order=case.order,
            )
        )
    return int(row[0]), row[1] == 1


async def open_cases(tx: Transaction, cases: Iterable[NewCase], now_ms: int) -> int:
    """Open or count several; how many are new."""
    fresh = 0
    for case in cases:
        fresh += (await open_case(tx, case, now_ms))[1]
    return fresh


async def resolve_case(
    tx: Transaction, kind: CaseKind, scope: str, subject: str, note: str, now_ms: int, code: str | None = None
) -> bool:
    """Close a case whose cause is gone, with a code only if it is open for that; whether there was one."""
    if code is not None and await tx.row("case_code", (kind, scope, subject)) != (code,):
        return False
    row = await tx.row("case_resolve", (kind, scope, subject, now_ms, note))
    if row is None:
        return False
    tx.news.append(CaseNews(int(row[0]), kind, scope, subject, "", note))
    await _resolve_folded(tx, kind, scope, row[1], now_ms)
    return True


async def _resolve_folded(tx: Transaction, kind: CaseKind, scope: str, code: str, now_ms: int) -> None:
    """What was folded names no subject any more: it closes with the last case of its code that does."""
    folded = f"{FOLDED} {code}"
    if await tx.row("case_known", (kind, scope, folded)) is None:
        return
    left = await tx.row("case_fold_count", (kind, scope, code))
    if left is not None and left[0] <= 1:
        note = "every case of its kind that was kept by name is closed"
        row = await tx.row("case_resolve", (kind, scope, folded, now_ms, note))
        if row is not None:
            tx.news.append(CaseNews(int(row[0]), kind, scope, folded, "", note))


def case_of(row: Row) -> Case:
    """A case from its row, in the order of the query `cases`."""
    return Case(
        id=row[0],
        kind=CaseKind(row[1]),
        scope=row[2],
        subject=row[3],
        reason=row[4],
        code=row[5],
        state=row[6],
        count=row[7],
        first_seen_ms=row[8],
        last_seen_ms=row[9],
        payload=row[10],
        correlation=row[11],
        note=row[12],
    )

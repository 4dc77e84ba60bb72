"""Exceptions in the store, as the loops and people use them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from archsyncd.adapters.sqlite.cases import case_of, open_case, resolve_case
from archsyncd.adapters.sqlite.merging import (
    apply_stock,
    finish_merge,
    held_level,
)
from archsyncd.adapters.sqlite.scope import Scope
from archsyncd.adapters.sqlite.session import Session
from archsyncd.domain.cases import Case, CaseKind, CaseNews, NewCase
from archsyncd.domain.rules import Rules


class CaseStore:
    """Cases set aside for a person."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def open(self, case: NewCase) -> None:
        """Open an exception or count it again."""
        await self._session.write(lambda scope: open_case(scope.tx, case, scope.now_ms))

    async def resolve(
        self, kind: CaseKind, scope_name: str, subject: str, note: str, code: str | None = None
    ) -> None:
        """Close an exception whose cause is gone; with a code only if it is open for that."""
        await self._session.write(
            lambda scope: resolve_case(scope.tx, kind, scope_name, subject, note, scope.now_ms, code)
        )

    async def close(self, case_id: int, state: str, note: str) -> bool:
        """Close a case as a person decided; False when it is not open."""
        return await self._session.write(
            lambda scope: _close(scope, case_id, state, note),
        )

    async def listed(
        self, *, state: str = "open", kind: str = "", subject: str = "", after: int = 0, limit: int = 100
    ) -> list[Case]:
        """Exceptions by state and kind, oldest first, after an id."""
        wanted = {"state": state, "kind": kind, "subject": subject, "after": after, "limit": limit}
        return [case_of(row) for row in await self._session.rows("cases", wanted)]

    async def find(self, case_id: int) -> Case | None:
        """One exception."""
        row = await self._session.row("case_by_id", (case_id,))
        return None if row is None else case_of(row)

    async def counts(self) -> Mapping[str, tuple[int, int, int]]:
        """Open exceptions by kind: cases, occurrences, first seen (UTC milliseconds)."""
        return {row[0]: (row[1], row[2], row[3]) for row in await self._session.rows("cases_count")}

    async def apply_held_level(self, case: Case) -> bool:
        """Apply a level that was held above the maximum, exactly as it came; False when it is superseded."""
        feed, epoch, level = held_level(case.payload)

        async def step(scope: Scope) -> bool:
            lifted = Scope(scope.tx, _without_maximum(scope.rules), scope.now_ms)
            done = await apply_stock(lifted, feed, epoch, [level])
            await finish_merge(lifted, feed, done)
            note = "applied as a person decided" if done.applied else "a newer level had taken its place"
            await _close(scope, case.id, "resolved", note)
            return done.applied > 0

        return await self._session.write(step)


async def _close(scope: Scope, case_id: int, state: str, note: str) -> bool:
    row = await scope.tx.row("case_close", (state, scope.now_ms, note, case_id))
    if row is None:
        return False
    scope.tx.news.append(CaseNews(case_id, CaseKind(row[0]), row[1], row[2], "", note))
    return True


def _without_maximum(rules: Rules) -> Rules:
    channels = {
        name: replace(channel, maximum=2**63 - 1, maximum_factor=0)
        for name, channel in rules.policies.channels.items()
    }
    return replace(rules, policies=rules.policies.with_channels(channels))

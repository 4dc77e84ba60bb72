"""Alerts, mutes and people's actions in the store. Decides nothing about what is told."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import orjson

from archsyncd.adapters.sqlite.connection import Row
from archsyncd.adapters.sqlite.scope import Scope, array
from archsyncd.adapters.sqlite.session import Session
from archsyncd.domain.alerting import Cause, Decided, Message, MessageKind
from archsyncd.domain.mutes import MUTES_MOST, Mute, MuteKind
from archsyncd.engine.alerts import Action, CaseFigures, Letter

MESSAGES_KEPT = 1_000
ACTIONS_KEPT = 2_000
KEPT_MS = 90 * 24 * 3600 * 1000
# A delivery is put off by less than this: a later due time is a clock's that was wrong.
FURTHEST_MS = 3600 * 1000
TEXT_LIMIT_CHARACTERS = 500
ARGUMENTS_LIMIT_CHARACTERS = 2_000


class AlertStore:
    """What was told, and what waits to be."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def causes(self) -> Mapping[tuple[str, str], Cause]:
        """What was told of each cause that is there, or was lately."""
        found = [_cause_of(row) for row in await self._session.rows("alert_causes")]
        return {cause.key: cause for cause in found}

    async def book(self, decided: Decided, ways: Collection[str]) -> int:
        """Keep what a look came to, with its messages to go by these ways, all or nothing; how many messages."""

        async def step(scope: Scope) -> None:
            await scope.tx.run_many("alert_cause_put", [_cause_row(cause) for cause in decided.kept])
            await scope.tx.run_many("alert_cause_drop", list(decided.forgotten))
            for message in decided.messages:
                row = await scope.tx.row("alert_message_add", (message.at_ms, orjson.dumps(message).decode()))
                assert row is not None
                waiting = [(row[0], way, scope.now_ms) for way in sorted(ways)]
                await scope.tx.run_many("alert_delivery_add", waiting)

        await self._session.write(step)
        return len(decided.messages)

    async def waiting(self, way: str) -> tuple[int, int]:
        """How many messages wait for a way, and when the oldest was written."""
        row = await self._session.row("alert_deliveries_waiting", (way,))
        return (int(row[0]), int(row[1] or 0)) if row else (0, 0)

    async def due(self, way: str, limit: int) -> list[Letter]:
        """Messages to be tried now by a way, the longest due first."""
        wanted = (way, self._session.clock.wall_ms(), limit)
        rows = await self._session.rows("alert_deliveries_due", wanted)
        return [Letter(row[0], message_of(row[1]), row[2]) for row in rows]

    async def settle(self, letter: Letter, way: str, state: str, says: str) -> None:
        """A message went its way (`delivered`) or is given up (`dropped`)."""
        told = says[:TEXT_LIMIT_CHARACTERS]
        await self._session.write(
            lambda scope: scope.tx.run("alert_delivery_settle", (state, scope.now_ms, told, letter.id, way))
        )

    async def put_off(self, letter: Letter, way: str, delay_ms: int, says: str) -> None:
        """A message could not go: again after so long."""
        told = says[:TEXT_LIMIT_CHARACTERS]
        await self._session.write(
            lambda scope: scope.tx.run(
                "alert_delivery_put_off", (scope.now_ms + delay_ms, told, letter.id, way)
            )
        )

    async def give_up(self, way: str, older_than_ms: int, at_most: int) -> int:
        """Drop what has waited for too long by a way, and the oldest beyond a number; how many."""

        async def step(scope: Scope) -> int:
            now_ms = scope.now_ms
            stale = (way, now_ms, "given up, it has waited for too long", now_ms - older_than_ms)
            over = (way, now_ms, "given up, too many wait", at_most)
            return await scope.tx.run("alert_deliveries_stale", stale) + await scope.tx.run(
                "alert_deliveries_over", over
            )

        return await self._session.write(step)

    async def tidy(self) -> None:
        """Forget the oldest messages and actions beyond what is kept, and mutes that are over."""

        async def step(scope: Scope) -> None:
            before_ms = scope.now_ms - KEPT_MS
            await scope.tx.run("alert_due_mend", (scope.now_ms, scope.now_ms + FURTHEST_MS))
            await scope.tx.run("alert_messages_purge", (before_ms, MESSAGES_KEPT))
            await scope.tx.run("actions_purge", (ACTIONS_KEPT, before_ms))
            await scope.tx.run("mutes_purge", (scope.now_ms,))

        await self._session.write(step)

    async def listed(self, limit: int) -> Sequence[Mapping[str, Any]]:
        """The newest messages with what became of them: id, message, deliveries."""
        async with self._session.read() as tx:
            rows = await tx.rows("alert_messages", (limit,))
            ways = await tx.rows("alert_deliveries_of", (array(row[0] for row in rows),))
        fields = ("way", "state", "attempts", "at_ms", "says")
        deliveries: dict[int, list[dict[str, Any]]] = {}
        for way in ways:
            deliveries.setdefault(way[0], []).append(dict(zip(fields, way[1:], strict=True)))
        return [
            {"id": row[0], "message": message_of(row[1]), "deliveries": deliveries.get(row[0], [])}
            for row in rows
        ]

    async def case_figures(self) -> Mapping[str, CaseFigures]:
        """Open cases by kind."""
        return {row[0]: CaseFigures(*row[1:]) for row in await self._session.rows("alert_case_figures")}

    async def subject_figures(self, kind: str, subjects: Collection[str]) -> Mapping[str, CaseFigures]:
        """Open cases of a kind by some subjects."""
        rows = await self._session.rows("alert_case_subjects", (kind, array(subjects)))
        return {row[0]: CaseFigures(row[1], row[2], row[1], row[3]) for row in rows}

    async def examples(
        self, kind: str, limit: int, subjects: Collection[str] = (), *, within: bool = False
    ) -> tuple[str, ...]:
        """What the newest open cases of a kind are about, by these subjects (`within`) or by all others."""
        values = (kind, limit, array(subjects), within)
        return tuple(row[0] for row in await self._session.rows("alert_case_examples", values))

    async def scope(self, kind: str, subjects: Collection[str] = (), *, within: bool = False) -> CaseFigures:
        """Open cases of a kind by these subjects (`within`), or by all others."""
        row = await self._session.row("alert_case_scope", (kind, array(subjects), within))
        return CaseFigures(*(int(value or 0) for value in row)) if row else CaseFigures(0, 0, 0)

    async def overdue(
        self,
        kind: str,
        opened_by_ms: int,
        opened_after_ms: int,
        subjects: Collection[str] = (),
        *,
        within: bool = False,
    ) -> int:
        """How many open cases of a kind were opened between two times, by these subjects (`within`) or by all others."""
        values = (kind, opened_by_ms, opened_after_ms, array(subjects), within)
        row = await self._session.row("alert_case_overdue", values)
        return int(row[0]) if row else 0


class MuteStore:
    """What people have muted."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def holding(self) -> tuple[Mute, ...]:
        """Mutes whose end has not come."""
        now_ms = self._session.clock.wall_ms()
        rows = await self._session.rows("mutes", (now_ms,))
        return tuple(Mute(row[0], row[1], MuteKind(row[2]), *row[3:]) for row in rows)

    async def put(self, mute: Mute) -> bool:
        """Keep a mute in the place of one about the same; False when there are too many."""

        async def step(scope: Scope) -> bool:
            await scope.tx.run("mutes_purge", (scope.now_ms,))
            await scope.tx.run("mute_drop", (mute.code, mute.subject))
            row = await scope.tx.row("mute_count", (scope.now_ms,))
            if row is None or row[0] >= MUTES_MOST:
                return False
            values = asdict(mute)
            await scope.tx.run("mute_put", tuple(values.values()))
            return True

        return await self._session.write(step)

    async def drop(self, code: str, subject: str) -> bool:
        """End a mute; False when there is none."""
        return bool(await self._session.write(lambda scope: scope.tx.run("mute_drop", (code, subject))))

    async def seen(self, mute: Mute, level: int, count: int) -> None:
        """What a mute is about has come: this bad, and so many."""
        values = (level, count, mute.code, mute.subject)
        await self._session.write(lambda scope: scope.tx.run("mute_seen", values))


class ActionStore:
    """What people did."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def begin(self, who: str, verb: str, arguments: str) -> int:
        """Somebody asks for something; its number."""
        values = (who[:TEXT_LIMIT_CHARACTERS], verb, arguments[:ARGUMENTS_LIMIT_CHARACTERS])

        async def step(scope: Scope) -> int:
            row = await scope.tx.row("action_begin", (scope.now_ms, *values))
            assert row is not None
            return int(row[0])

        return await self._session.write(step)

    async def end(self, number: int, outcome: str, says: str) -> None:
        """What came of it."""
        values = (outcome, says[:TEXT_LIMIT_CHARACTERS], number)
        await self._session.write(lambda scope: scope.tx.run("action_end", values))

    async def listed(self, limit: int) -> Sequence[Action]:
        """The newest first."""
        return [Action(*row) for row in await self._session.rows("actions", (limit,))]


def message_of(content: str) -> Message:
    """A message from its JSON."""
    values = orjson.loads(content)
    kind, examples = MessageKind(values.pop("kind")), tuple(values.pop("examples"))
    return Message(kind=kind, examples=examples, **values)


def _cause_of(row: Row) -> Cause:
    values = [*row[:11], tuple(orjson.loads(row[11]))]
    return Cause(*values)


def _cause_row(cause: Cause) -> Sequence[Any]:
    *values, sent = asdict(cause).values()
    return (*values, array(sent))

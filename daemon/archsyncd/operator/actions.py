"""Who did what: every verb that changes something is kept with its outcome. Knows no verb's meaning."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from archsyncd.domain.times import rfc3339
from archsyncd.engine.ports import FencedOff, StoreBroken, StoreFull
from archsyncd.operator.daemon import Daemon
from archsyncd.operator.paging import fitting
from archsyncd.operator.protocol import Arguments, Refusal

LIST_LIMIT = 50
LIST_MOST = 2_000
KEPT_LIMIT_CHARACTERS = 1_000
# Without its table the act itself goes on: the journal has it as well.
_UNKEPT = (StoreFull, StoreBroken, FencedOff)
_LOG = logging.getLogger("archsyncd.operator")


def kept_text(arguments: Mapping[str, Any]) -> str:
    """What was asked for, in JSON and cut: what is short, how long each list is, then as much of the lists as fits."""
    lists = {name: value for name, value in arguments.items() if isinstance(value, list)}
    short = {name: value for name, value in arguments.items() if name not in lists and value != ""}
    counted = {name: len(value) for name, value in lists.items()}
    whole = json.dumps(short | counted)
    rest = f" {json.dumps(lists)}" if lists else ""
    return (whole + rest)[:KEPT_LIMIT_CHARACTERS]


class ActionDesk:
    """Keeps what people do, and answers `actions`."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon

    async def kept(
        self, by: str, verb: str, arguments: str, act: Callable[[], Awaitable[dict[str, Any]]]
    ) -> dict[str, Any]:
        """Have something done and keep who asked for it and what came of it. Raises what the act raises."""
        number = await self._begin(by, verb, arguments)
        try:
            answer = await act()
        except Refusal as refusal:
            await self._end(number, "refused", refusal.sentence)
            raise
        except Exception as error:
            await self._end(number, "failed", type(error).__name__)
            raise
        await self._end(number, "done" if answer.get("done") else "nothing", str(answer.get("says", "")))
        return answer

    async def _begin(self, by: str, verb: str, arguments: str) -> int | None:
        try:
            return await self._daemon.store.actions.begin(by, verb, arguments)
        except _UNKEPT as error:
            _LOG.warning("that %s was asked for could not be kept: %s", verb, error)
            return None

    async def _end(self, number: int | None, outcome: str, says: str) -> None:
        if number is None:
            return
        try:
            await self._daemon.store.actions.end(number, outcome, says)
        except _UNKEPT as error:
            _LOG.warning("what came of action %d could not be kept: %s", number, error)

    async def listed(self, arguments: Arguments) -> dict[str, Any]:
        """The newest actions first."""
        limit = arguments.whole("limit", 1, LIST_MOST, LIST_LIMIT)
        arguments.finish()
        found = await self._daemon.store.actions.listed(limit + 1)
        rows, cut = fitting(
            {
                "id": action.id,
                "at": rfc3339(action.at_ms),
                "who": action.who or None,
                "verb": action.verb,
                "arguments": action.arguments,
                "outcome": action.outcome or "unknown",
                "says": action.says,
            }
            for action in found[:limit]
        )
        return {"rows": rows, "more": cut or len(found) > limit}

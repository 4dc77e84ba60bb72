"""One act on several cases: each is done as if it were alone, and only as it was shown. Decides nothing about a case itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from archsyncd.domain.times import rfc3339
from archsyncd.engine.ports import FencedOff, StoreBroken, StoreFull
from archsyncd.operator.daemon import Daemon
from archsyncd.operator.digests import DIGEST_LIMIT_CHARACTERS
from archsyncd.operator.exceptions import REASON_LIMIT_CHARACTERS, ExceptionDesk
from archsyncd.operator.protocol import EXIT_USAGE, NUMBER_LIMIT, Arguments, Refusal

CASES_AT_ONCE = 100
ACTS = ("retry", "dismiss")
Act: TypeAlias = Callable[[Arguments], Awaitable[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Shown:
    """A case as somebody saw it. `count` None: whoever asks has named it by its number, and takes it as it is."""

    id: int
    count: int | None
    last_seen: str


class BulkDesk:
    """Answers `exceptions.bulk`."""

    def __init__(self, daemon: Daemon, exceptions: ExceptionDesk) -> None:
        self._daemon = daemon
        self._exceptions = exceptions

    async def act(self, arguments: Arguments) -> dict[str, Any]:
        """Retry or dismiss up to 100 cases: a row for each, whether it was `done` and what it `says`.

        `cases`: [id, count, last_seen] as a list told them; one that has changed since is left alone. `kind`, `owner`, `shown`:
        the filters and the digest of that list, for the journal. `done`: whether any was.
        """
        act = arguments.choice("act", ACTS)
        cases = [_shown(each) for each in arguments.listing("cases", CASES_AT_ONCE)]
        reason = arguments.text("reason", limit=REASON_LIMIT_CHARACTERS, default="")
        # What the list was of stands in the record of who did what, and is compared by whoever asks.
        for name in ("kind", "owner", "shown"):
            arguments.text(name, limit=DIGEST_LIMIT_CHARACTERS, default="")
        arguments.finish()
        desk = self._exceptions
        more = {"reason": reason} if act == "dismiss" else {}
        step: Act = desk.dismiss if act == "dismiss" else desk.retry
        rows = []
        for case in cases:
            told = await self._changed(case) or await _one(step, case.id, more)
            rows.append({"id": case.id, **told})
        done = sum(row["done"] for row in rows)
        what = "dismissed" if act == "dismiss" else "tried again"
        return {"done": done > 0, "says": f"{done} of {len(rows)} {what}", "rows": rows}

    async def _changed(self, shown: Shown) -> dict[str, Any] | None:
        """What to say of a case that is not any more as it was shown; None when it is."""
        if shown.count is None:
            return None
        case = await self._daemon.store.cases.find(shown.id)
        if case is None:
            return {"done": False, "says": f"Case {shown.id} is kept no longer."}
        if case.state not in {"open", "waiting"}:
            return {"done": False, "says": f"Case {shown.id} is {case.state} since it was listed."}
        if (case.count, rfc3339(case.last_seen_ms)) != (shown.count, shown.last_seen):
            return {
                "done": False,
                "says": f"Case {shown.id} was seen again since it was listed: {case.reason}",
            }
        return None


async def _one(step: Act, case_id: int, more: dict[str, str]) -> dict[str, Any]:
    """One case's own answer; what stops one does not hide what became of the others."""
    try:
        told = await step(Arguments({"id": case_id, **more}))
    except Refusal as refusal:
        return {"done": False, "says": refusal.sentence}
    except (StoreFull, StoreBroken, FencedOff) as failed:
        return {"done": False, "says": f"Case {case_id} stays as it is: {failed}"}
    return {"done": told["done"], "says": told["says"]}


def _shown(value: Any) -> Shown:
    """A case as the request names it. Raises Refusal."""
    match value:
        case [int(number)]:
            count, last_seen = None, ""
        case [int(number), int(count), str(last_seen)]:
            pass
        case _:
            raise Refusal("Each case must be [id], or [id, count, last_seen].", EXIT_USAGE)
    if isinstance(number, bool) or not 1 <= number <= NUMBER_LIMIT:
        raise Refusal(f"A case's id is a whole number from 1 to {NUMBER_LIMIT}.", EXIT_USAGE)
    return Shown(number, count, last_seen)

"""What each screen shows, gathered from the verbs' answers. Knows no HTTP and no markup."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from archsyncd.domain.cases import CaseKind
from archsyncd.domain.reasons import Level
from archsyncd.domain.times import rfc3339, utc_ms
from archsyncd.operator.commands import Commands
from archsyncd.operator.exceptions import FREED_BY_HAND, STATES
from archsyncd.operator.page.charts import Series, Span, bars, drawn, hours
from archsyncd.operator.page.muting import asked
from archsyncd.operator.page.views import Look
from archsyncd.operator.parser import ORDER_STATES
from archsyncd.operator.protocol import EXIT_CRITICAL, EXIT_USAGE, Refusal

HOURS = (1, 6, 24)
PAGE_ROWS = 50
ORDERS_SHOWN = 100
TABLE_STEPS = 6
LIVE = {
    "overview": ("verdict", "figures", "feeds", "locations", "data", "waiting", "cases", "orders", "notes"),
    "backlog": ("backlog",),
    "snapshots": ("snapshots",),
}
Query = Mapping[str, str]


class Screens:
    """Asks the verbs and says what to show. Raises Refusal where there is nothing."""

    def __init__(self, commands: Commands) -> None:
        self._commands = commands

    async def status(self) -> dict[str, Any]:
        """The status, as every screen's head tells it."""
        return await self._commands.answer("status", {})

    async def overview(self, query: Query) -> Look:
        """Everything at a glance."""
        wanted = query.get("hours", "")
        span = int(wanted) if wanted in {str(each) for each in HOURS} else HOURS[1]
        status = await self.status()
        shows = {"status": status, "hours": span, "asked": asked(query, status)}
        return Look("overview.html", "Overview", shows, live="overview")

    async def charts(self, span: int) -> dict[str, Any]:
        """The figures of the last hours as drawings."""
        samples = await self._commands.answer("samples", {"hours": span})
        return {"charts": charts(samples), "hours": span, "hours_offered": HOURS}

    async def backlog(self, _query: Query) -> Look:
        """What waits, by class and age."""
        return Look(
            "backlog.html", "Backlog", {"backlog": await self._commands.answer("backlog", {})}, live="backlog"
        )

    async def snapshots(self, _query: Query) -> Look:
        """The newest snapshots."""
        rows = (await self._commands.answer("snapshot.list", {}))["rows"]
        return Look("snapshots.html", "Snapshots", {"rows": rows}, live="snapshots")

    async def snapshot(self, name: str) -> Look:
        """One snapshot with its figures."""
        found = await self._commands.answer("snapshot.show", {"id": name})
        return Look("snapshot.html", f"Snapshot {found['id']}", {"snapshot": found})

    async def cases(self, query: Query) -> Look:
        """A page of exceptions, narrowed."""
        wanted = {name: query.get(name, "") for name in ("kind", "owner")}
        wanted["state"] = query.get("state", "") or "open"
        after = whole(query.get("after", "") or "0", "after")
        answer = await self._commands.answer(
            "exceptions.list", {**wanted, "after": after, "limit": PAGE_ROWS}
        )
        owners = {row["owner"] for row in (await self.status()).get("exceptions", ())}
        shows = {
            "rows": answer["rows"],
            "wanted": wanted,
            "after": after,
            "further": urlencode(wanted | {"after": answer["next"]}) if answer["next"] is not None else None,
            "first": urlencode(wanted),
            "kinds": [kind.value for kind in CaseKind],
            "states": STATES,
            "owners": sorted(owners),
        }
        return Look("exceptions.html", "Exceptions", shows)

    async def case(self, number: str) -> Look:
        """One exception whole."""
        found = await self._commands.answer("exceptions.show", {"id": whole(number, "the number of a case")})
        stands = found["state"] in {"open", "waiting"}
        again = stands or (found["state"] == "dismissed" and found["kind"] in FREED_BY_HAND)
        decided = found["kind"] == CaseKind.HELD_SNAPSHOT and found["state"] == "open"
        shows = {
            "case": found,
            "can_retry": again and found["retry"].startswith("retry "),
            "can_dismiss": stands and not decided,
            "about": found["subject"].partition(" at ")[0],
        }
        return Look("exception.html", f"Case {found['id']}", shows)

    async def sku(self, query: Query) -> Look:
        """One SKU's story."""
        told = await self._commands.answer("sku", {"sku": query.get("of", "")})
        return Look("sku.html", f"SKU {told['sku']}", {"story": told})

    async def order(self, query: Query) -> Look:
        """One order's story."""
        told = await self._commands.answer("order", {"reference": query.get("of", "")})
        return Look("order.html", f"Order {told['number'] or told['order']}", {"order": told})

    async def orders(self, query: Query) -> Look:
        """How many orders are in each state, and which are in one."""
        state = query.get("state", "")
        answer = await self._commands.answer("orders.list", {"state": state, "limit": ORDERS_SHOWN})
        shows = {"state": state, "states": ORDER_STATES[1:], "answer": answer}
        return Look("orders.html", "Orders", shows)

    async def find(self, text: str) -> str | Look:
        """Where the SKU or the order of this name is told of; a screen that says so where neither is known."""
        refused = []
        for verb, field, place in (("sku", "sku", "/sku"), ("order", "reference", "/order")):
            try:
                await self._commands.answer(verb, {field: text})
            except Refusal as refusal:
                if refusal.code == EXIT_CRITICAL:
                    raise
                refused.append((refusal, place))
            else:
                return f"{place}?{urlencode({'of': text})}"
        return Look("missing.html", "Not found", missing(text, refused), 404)


def missing(text: str, refused: list[tuple[Refusal, str]]) -> dict[str, Any]:
    """What the screen says of something that is not there, with what was probably meant."""
    near = [(each.near, f"{place}?{urlencode({'of': each.near})}") for each, place in refused if each.near]
    return {"asked": text, "says": [each.sentence for each, _ in refused], "near": near}


def http_status(refusal: Refusal) -> int:
    """A refused look as an HTTP status."""
    return {EXIT_USAGE: 400, EXIT_CRITICAL: 503}.get(refusal.code, 404)


def whole(text: str, what: str) -> int:
    """A number of an address. Raises Refusal."""
    if not re.fullmatch("[0-9]{1,18}", text):
        raise Refusal(f"{what} must be a whole number.", EXIT_USAGE)
    return int(text)


def charts(samples: Mapping[str, Any]) -> dict[str, Any]:
    """The drawings of the last hours, and the same figures as a table of few rows."""
    rows = samples["rows"]
    span = Span(_ms(samples["from"]), _ms(samples["to"]), samples["step_seconds"] * 1000)
    at = [_ms(row["at"]) for row in rows]

    def line(name: str, style: str, *fields: str) -> Series:
        told = [[row[field] for field in fields] for row in rows]
        return Series(
            name, style, list(zip(at, [None if None in each else sum(each) for each in told], strict=True))
        )

    chosen = (
        (
            "Waiting changes",
            "keys",
            (
                line("decreases", "a", "near_zero", "decreases"),
                line("increases", "b", "from_zero", "increases"),
            ),
        ),
        ("Oldest decrease", "s", (line("age", "a", "oldest_decrease_seconds"),)),
        (
            "Requests",
            "a second",
            (line("sent", "a", "requests_per_second"), line("limit", "b", "limit_per_second")),
        ),
        ("Open exceptions", "cases", (line("open", "a", "exceptions"),)),
        ("Orders behind", "s", (line("behind", "a", "orders_behind_seconds"),)),
    )
    return {
        "drawings": [(title, unit, drawn(series, span)) for title, unit, series in chosen],
        "verdicts": bars([(moment, row["verdict"]) for moment, row in zip(at, rows, strict=True)], span),
        "hours": hours(span),
        "table": list(stepped(rows, span))[::-1],
        "table_minutes": (span.to_ms - span.from_ms) // TABLE_STEPS // 60_000,
        "empty": not rows,
    }


def stepped(rows: Sequence[Mapping[str, Any]], span: Span) -> Iterator[dict[str, Any]]:
    """The whole time in a few steps, each with the worst of its rows, so that no peak of a chart is missing; oldest first."""
    width_ms = max((span.to_ms - span.from_ms) // TABLE_STEPS, 1)
    steps: dict[int, list[Mapping[str, Any]]] = {}
    for row in rows:
        number = min(max((_ms(row["at"]) - span.from_ms) // width_ms, 0), TABLE_STEPS - 1)
        sums = {"falling": row["near_zero"] + row["decreases"], "rising": row["from_zero"] + row["increases"]}
        steps.setdefault(number, []).append({**row, **sums})
    for number, found in sorted(steps.items()):
        worst = {name: _worst(name, [row[name] for row in found]) for name in found[0]}
        yield worst | {"at": rfc3339(span.from_ms + number * width_ms)}


def _worst(name: str, values: Sequence[Any]) -> Any:
    known = [value for value in values if value is not None]
    if name == "verdict":
        return max(known, key=lambda word: Level[word.upper()])
    return (min if name == "limit_per_second" else max)(known, default=None)


def _ms(text: str) -> int:
    found = utc_ms(text)
    assert found is not None
    return found

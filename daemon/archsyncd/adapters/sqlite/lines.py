"""Lines of known orders in the store: found by order or by what a source calls it, and given back for good."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from archsyncd.adapters.sqlite.cases import resolve_case
from archsyncd.adapters.sqlite.handed_kits import made_of_orders
from archsyncd.adapters.sqlite.scope import Scope, array
from archsyncd.domain.cases import CaseKind
from archsyncd.domain.inventory import StockKey
from archsyncd.domain.kits import Components
from archsyncd.domain.order import ELSEWHERE


@dataclass(frozen=True, slots=True)
class OpenLine:
    """A line of a known order, or (`part` told) what a location of another channel fulfils of it. `made_of`: as in Line."""

    key: StockKey
    order_id: str
    line_id: str
    quantity: int
    tracked: bool
    created_ms: int
    there: int | None = None
    made_of: Components = ()

    @property
    def whole(self) -> str:
        """The id of the line as commercetools knows it."""
        return self.line_id.partition(ELSEWHERE)[0]

    @property
    def part(self) -> str | None:
        """The location that fulfils this part in another channel."""
        return self.line_id.partition(ELSEWHERE)[2] or None

    @property
    def touches(self) -> set[StockKey]:
        """The keys whose figures it may be part of."""
        return {self.key, *(StockKey(self.key.channel, sku) for sku, _ in self.made_of)}


async def heads_by_reference(scope: Scope, references: Iterable[str]) -> dict[str, str]:
    """Order ids by what a source may call them: the commercetools id or the order number."""
    found: dict[str, str] = {}
    for order_id, number in await scope.tx.rows("heads_by_reference", (array(sorted(set(references))),)):
        found[order_id] = order_id
        if number:
            found[number] = order_id
    return found


async def open_lines(scope: Scope, order_ids: Iterable[str]) -> dict[str, list[OpenLine]]:
    """The open lines of these orders."""
    found: dict[str, list[OpenLine]] = defaultdict(list)
    wanted = sorted(set(order_ids))
    rows = await scope.tx.rows("lines_by_order", (array(wanted),))
    kits = await made_of_orders(scope, wanted) if rows else {}
    for row in rows:
        key, made_of = StockKey(row[0], row[1]), kits.get((row[2], row[3]), ())
        line = OpenLine(key, row[2], row[3], row[4], bool(row[5]), row[7], row[9], made_of)
        found[line.order_id].append(line)
    return found


async def lines_as_handed_over(scope: Scope, order_id: str) -> set[StockKey]:
    """Archean has the order as it is, or will: its statements are about every piece of it; the keys that this changes."""
    return {StockKey(row[0], row[1]) for row in await scope.tx.rows("lines_there_whole", (order_id,))}


async def release_order(scope: Scope, order_id: str) -> set[StockKey]:
    """The order takes nothing from the warehouse: tracked lines are given back for good, untracked ones count no more."""
    await scope.tx.run("head_released", (order_id,))
    await no_longer_refused(scope, order_id, "the order is cancelled")
    await no_longer_unproven(scope, order_id, "it takes nothing from the warehouse")
    return await give_lines_back(scope, order_id)


async def give_lines_back(scope: Scope, order_id: str) -> set[StockKey]:
    """Tracked lines count as reflected for good, untracked ones no more; the keys in which they count."""
    touched = {
        key for line in (await open_lines(scope, (order_id,))).get(order_id, ()) for key in line.touches
    }
    released = await scope.tx.rows("lines_release", (order_id,))
    gone = await scope.tx.rows("lines_untracked_of_order", (order_id,))
    return touched | {StockKey(row[0], row[1]) for row in (*released, *gone)}


async def no_longer_refused(scope: Scope, order_id: str, note: str) -> None:
    """Close the exception of an order that Archean had rejected."""
    for row in await scope.tx.rows("heads_by_id", (array([order_id]),)):
        if row[9]:
            name = row[1] or order_id
            await resolve_case(scope.tx, CaseKind.ORDER_REJECTED, "orders", name, note, scope.now_ms)


async def no_longer_unproven(scope: Scope, order_id: str, note: str) -> None:
    """Close the exception of an order whose pieces nothing had proven."""
    for row in await scope.tx.rows("heads_by_id", (array([order_id]),)):
        name = row[1] or order_id
        await resolve_case(scope.tx, CaseKind.UNPROVEN_REFLECTION, "orders", name, note, scope.now_ms)

"""Nobody's name or address outlives the hand-over, and none is ever told (fault 148)."""

from __future__ import annotations

import json
from pathlib import Path

from archsyncd.domain.cases import CaseKind
from archsyncd.domain.handover import Stage
from archsyncd.operator.commands import Commands
from archsyncd.simulators.r247 import Fault, FaultKind
from tests.support.virtual_time import virtual
from tests.system.circling import HAND_OVER, buys, until
from tests.system.inside import Running, inside

EMAIL, FIRST, LAST = "canary-4711@example.com", "Kanaria", "Vogelsang-Zwitscher"
CANARIES = (EMAIL, FIRST, LAST)


def sung(text: str | bytes) -> list[str]:
    """The canaries in a text."""
    raw = text.encode() if isinstance(text, str) else text
    return [each for each in CANARIES if each.encode() in raw]


def in_files(directory: Path) -> dict[str, list[str]]:
    """The canaries in every file below a directory."""
    found = {path.name: sung(path.read_bytes()) for path in directory.rglob("*") if path.is_file()}
    return {name: each for name, each in found.items() if each}


async def everything_told(running: Running) -> str:
    """All that an operator can read of it."""
    commands = Commands(running.app)
    listed = await commands.answer("orders.list", {})
    answers = [await commands.answer("status", {}), listed]
    for stage in Stage:
        page = await commands.answer("orders.list", {"state": stage.value})
        answers.append(page)
        answers += [await commands.answer("order", {"reference": row["order"]}) for row in page["rows"]]
    page = await commands.answer("exceptions.list", {"state": "all"})
    answers += [page, *[await commands.answer("exceptions.show", {"id": row["id"]}) for row in page["rows"]]]
    return json.dumps(answers)


@virtual
async def test_f148_a_name_stands_in_one_row_until_archean_has_the_order_and_nowhere_else_ever() -> None:
    """Through lost answers, a rejection that quotes the address, a retry and a dispatch; then in no byte of any file."""
    async with inside(seed=471) as (site, house):
        site.open({"A": 10})
        site.shop.add_products(["Z"])
        async with house.daemon(orders=HAND_OVER) as running:
            await site.until_stock({"A": 10})
            site.house.script.add(Fault(FaultKind.STATUS, endpoint="orders", times=2))
            person = {"email": EMAIL, "name": (FIRST, LAST)}
            taken = buys(site, ("A", 2), order_number="CT-1", **person)
            refused = buys(site, ("Z", 1), mode="None", order_number="CT-2", **person)
            await until(running, refused, Stage.HELD, seconds=600)
            await until(running, taken, Stage.ACCEPTED, seconds=600)
            assert EMAIL in site.house.warehouse.book.orders[taken].asked.content
            told = await everything_told(running)
            assert sung(told) == []
            site.house.warehouse.seed("Z", "WH1", 5)
            (case,) = await running.cases(CaseKind.ORDER_REJECTED)
            assert (await Commands(running.app).answer("exceptions.retry", {"id": case.id}))["done"]
            await until(running, refused, Stage.ACCEPTED, seconds=600)
            site.house.warehouse.dispatch.ship(taken)
            await until(running, taken, Stage.CLOSED)
            assert sung(await everything_told(running)) == []
            backup = house.place() / "state" / "copy.db"
            await running.app.store.backup(backup)
        assert [line for line in house.journal.lines if sung(line)] == []
        assert sung(repr(house.journal.fields)) == []
        assert in_files(house.place() / "state") == {}

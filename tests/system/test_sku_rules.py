"""Rules of single SKUs in the whole daemon: kept back, offered less, or not at all, by a file and a reload."""

from __future__ import annotations

from pathlib import Path

import pytest

from archsyncd.domain.cases import CaseKind
from archsyncd.domain.fatal import Fatal
from archsyncd.operator.sku_screen import sku_lines
from tests.process.site import CHANNEL
from tests.support.virtual_time import virtual
from tests.system.circling import ask
from tests.system.inside import House, inside

MORE = f'[channels."{CHANNEL}"]\nsafety_stock = 1\nskus_file = "skus.csv"\n'
STOCK = {"A": 10, "B": 10, "C": 10, "D-1": 10, "D-2": 10}


def rules(house: House, *lines: str) -> Path:
    file = house.place() / "skus.csv"
    file.write_text("sku,safety_stock,percentage,offer\n" + "".join(f"{line}\n" for line in lines))
    return file


@virtual
async def test_a_sku_that_is_not_offered_any_more_is_drawn_down_to_what_it_owes() -> None:
    """A reload reads the file again; the order that was placed stays owed, and the SKU's screen says why nothing is offered."""
    async with inside(seed=830) as (site, house):
        site.open(STOCK)
        rules(house, "A,4,,", "D-*,,50,")
        async with house.daemon(more=MORE) as running:
            await site.until_stock({"A": 6, "B": 9, "C": 9, "D-1": 4, "D-2": 4})
            site.order("B", 2, import_seconds=None)
            await site.until_stock({"B": 7})
            rules(house, "A,4,,", "D-*,,50,", "B,,,no", "D-2,0,100,")
            await ask(running, "reload")
            await site.until_stock({"A": 6, "B": -2, "C": 9, "D-1": 4, "D-2": 10})
            story = await ask(running, "sku", sku="B")
            assert story["keys"][0]["rule"] == "not offered"
            assert story["keys"][0]["adds_up"]
            assert f"channel {CHANNEL}: not offered" in sku_lines(story)


@virtual
async def test_f167_a_file_that_would_empty_the_channel_is_held() -> None:
    """A slip in a pattern is as dangerous as one in the mapping, also over a restart."""
    async with inside(seed=831) as (site, house):
        site.open(STOCK)
        rules(house, "A,4,,")
        async with house.daemon(more=MORE) as running:
            await site.until_stock({"A": 6, "B": 9})
            rules(house, "*,,,no")
            await ask(running, "reload")
            await running.until_case(CaseKind.HELD_RULES)
            await site.stays(lambda: site.stock("A") == 6, "it was emptied", 10)
        async with house.daemon() as running:
            await running.until_case(CaseKind.HELD_RULES)
            await site.stays(lambda: (site.stock("A"), site.stock("B")) == (6, 9), "it was emptied", 10)
            rules(house, "A,4,,")
            await ask(running, "reload")
            await running.until_case(CaseKind.HELD_RULES, open_=False)


@virtual
async def test_a_file_with_faults_leaves_the_rules_before_in_force() -> None:
    """The reload is refused with every fault and its line."""
    async with inside(seed=832) as (site, house):
        site.open(STOCK)
        rules(house, "A,4,,")
        async with house.daemon(more=MORE) as running:
            await site.until_stock({"A": 6})
            rules(house, "A,-1,,", "B,,101,", "C,,,maybe", "D,1", "E,,,", "E,1,,")
            with pytest.raises(Fatal) as refused:
                await running.app.reload()
            told = str(refused.value).splitlines()
            assert [line.split(":")[1] for line in told] == ["2", "3", "4", "5", "7"]
            await site.stays(lambda: site.stock("A") == 6, "it was changed", 5)

"""`archsyncd demo --serve`: both simulators with a little trade, for somebody who runs the daemon by hand. Starts no daemon."""

from __future__ import annotations

import random
import socket
import sys
from pathlib import Path
from typing import TextIO

from archsyncd.demo.stage import LOCATIONS, Stage, stage
from archsyncd.demo.workspace import PAGE_TOKEN, Workspace, workspace
from archsyncd.simulators.trade import Trade, TradeConfig

DAY_SECONDS = 3600.0
QUIET = TradeConfig(
    seconds=DAY_SECONDS,
    keys=50,
    hot_keys=4,
    orders_per_second=0.6,
    store_sales_per_second=0.3,
    pieces_per_key=200,
    locations=LOCATIONS,
    imports_late=False,
)


async def serve(seed: int, stream: TextIO) -> int:
    """Print where everything is, and trade until cancelled. A day lasts an hour; with the next the stock is the same."""
    async with stage(seed) as staged:
        with workspace(staged, page=f"127.0.0.1:{free_port()}") as place:
            trade = Trade(QUIET, staged.ask_shop, staged.ask_house, staged.clock, random.Random(seed))
            await trade.open()
            stream.write("\n".join(page(staged, place)) + "\n")
            stream.flush()
            async for _ in trade.run():
                pass
            stream.write("The day is over: nothing more is sold, the simulators go on. Ctrl-C ends them.\n")
            stream.flush()
            while True:
                await staged.clock.sleep(DAY_SECONDS)


def page(staged: Stage, place: Workspace) -> list[str]:
    """What to know and to type."""
    sale = '{"sku":"SKU-00001","location":"WH1","quantity":5}'
    given = f"--config {place.config} --credentials {place.credentials}"
    return [
        "Both simulators run on this machine, with 50 SKUs in two warehouses and a little trade.",
        "",
        f"  commercetools   {staged.shop_url}",
        f"  Archean R247    {staged.house_url}",
        f"  configuration   {place.config}",
        f"  credentials     {place.credentials}",
        "",
        "In another terminal:",
        "",
        f"  {tool('archsyncd')} run {given}",
        f"  {tool('archsyncctl')} status --socket {place.control}",
        "",
        f"Then its page is at http://{place.page}/ and the token to sign in with is {PAGE_TOKEN}.",
        "",
        f"  curl -s '{staged.house_url}/v1/changes?limit=3'",
        f"  curl -s {staged.shop_url}/_simulator/summary",
        "",
        "The first order that a shopper places then, a few seconds after the daemon's start, and where it is:",
        "",
        f"  {tool('archsyncctl')} order CT-1001 --socket {place.control}",
        "",
        "A sale in the store, which archsyncd takes out of commercetools at once:",
        "",
        f"  curl -s -d '{sale}' {staged.house_url}/_simulator/store-sales",
        f"  curl -s '{staged.shop_url}/_simulator/stock?sku=SKU-00001&channel=warehouse-1'",
        "",
        "Stop the daemon first, then this with Ctrl-C: it removes the configuration, the credential and the state.",
    ]


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


def tool(name: str) -> str:
    """How to call one of our commands from anywhere: by its path beside this interpreter, else as a module."""
    beside = Path(sys.executable).parent / name
    if beside.exists():
        return str(beside)
    modules = {"archsyncd": "archsyncd.cli", "archsyncctl": "archsyncd.operator.ctl"}
    return f"{sys.executable} -m {modules[name]}"

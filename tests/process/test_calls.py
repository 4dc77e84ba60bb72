"""The real daemon is called on a socket that was opened for it, and killed with -9 while it is."""

from __future__ import annotations

import asyncio
import json
import random
import socket
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiohttp
import pytest

from archsyncd.domain.times import rfc3339
from tests.adapters.feeds.calling import PATH, SECRET, batch, level, standard
from tests.process.harness import CLOCK, PULL, Daemon
from tests.process.site import LOCATION, Site, site

KILLS = 3
MESSAGES = 40
# As systemd hands a socket over: descriptor 3, named, for this process and no other.
LAUNCH = """
import os, socket, sys
opened = socket.create_server(("127.0.0.1", int(sys.argv[1])))
os.dup2(opened.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="webhook")
os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
"""


class CalledDaemon(Daemon):
    """A daemon whose webhook socket is opened before it starts."""

    port = 0

    def command(self, verb: str = "run", *more: str) -> list[str]:
        program, *words = super().command(verb, *more)
        return [program, "-c", LAUNCH, str(self.port), *words] if verb == "run" else [program, *words]


@asynccontextmanager
async def called_daemon(directory: Path, around: Site) -> AsyncIterator[CalledDaemon]:
    calls = '[[feed]]\nname = "calls"\ntransport = "push"\nsnapshot_from = "main"\ninterval_seconds = 600\n'
    feeds = PULL.format(house_url=around.house_url, feed_more="") + calls
    made = CalledDaemon(directory, around, feed=feeds)
    with socket.create_server(("127.0.0.1", 0)) as found:
        made.port = found.getsockname()[1]
    (made.credentials / "feed-calls").write_text(SECRET)
    try:
        await made.start(ready=True)
        yield made
    finally:
        await made.close()


async def deliver(port: int, number: int, chance: random.Random) -> tuple[int, str]:
    """Send one message as a source does: the same again, until it is taken."""
    now = rfc3339(int(CLOCK.now() * 1000))
    body = batch(level(number, "A", number, available=number, asOf=now, location=LOCATION))
    while True:
        headers = standard(f"m{number}", str(int(CLOCK.now())), body, SECRET)
        with suppress(aiohttp.ClientError, TimeoutError):
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15)) as session,
                session.post(f"http://127.0.0.1:{port}{PATH}", data=body, headers=headers) as answer,
            ):
                told = json.loads(await answer.text())
                if answer.ok:
                    return answer.status, told["status"]
                assert answer.status == 503, told
        await CLOCK.sleep(0.05 + 0.1 * chance.random())


@pytest.mark.timeout(300)
async def test_f004_f115_killed_while_it_is_called_every_message_that_was_taken_is_there(
    tmp_path: Path,
) -> None:
    """Whatever was answered 202 or 200 is in the file after `kill -9`, once; and the last figure is in the shop."""
    chance = random.Random(7)
    async with site(CLOCK, seed=1) as around, called_daemon(tmp_path / "one", around) as daemon:
        around.open({"A": 999, "B": 5})
        await around.until_stock({"B": 5})
        taken: list[str] = []

        async def send() -> None:
            for number in range(1, MESSAGES + 1):
                await deliver(daemon.port, number, chance)
                taken.append(f"m{number}")

        sending = asyncio.create_task(send())
        for kill in range(KILLS):
            await daemon.until(
                lambda kill=kill: len(taken) >= (kill + 1) * MESSAGES // (KILLS + 2),  # type: ignore[misc]
                "some were taken",
            )
            await CLOCK.sleep(0.02 * chance.random())
            sure = set(taken)
            await daemon.kill()
            with sqlite3.connect(f"file:{daemon.database}?mode=ro", uri=True) as file:
                kept = [row[0] for row in file.execute("SELECT id FROM delivery WHERE feed = 'calls'")]
            assert sure <= set(kept)
            assert len(kept) == len(set(kept))
            await daemon.start(ready=True)
        await asyncio.wait_for(sending, 60)
        await around.until_stock({"A": MESSAGES})
        assert daemon.complaints() == []
        code, _ = await daemon.stop()
        assert code == 0

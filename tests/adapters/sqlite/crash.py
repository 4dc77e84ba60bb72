"""Running the child under strace, which kills it or fails its system calls, and looking at what it left behind."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.adapters.sqlite.child import SKUS
from tests.adapters.sqlite.shelf import Shelf, open_sqlite
from tests.domain.nouns import key

ROOT = Path(__file__).parents[3]
STRACE = shutil.which("strace")
LIMIT_SECONDS = 30.0
ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{ROOT / 'daemon'}:{ROOT}", "PYTHONDONTWRITEBYTECODE": "1"}


@dataclass(frozen=True)
class Ended:
    """How a child ended: its status (negative: the signal), the promises it had made, the end of what it complained of."""

    status: int
    promises: tuple[str, ...]
    complaint: str = ""

    def newest(self, kind: str) -> int:
        """The number of the newest promise of a kind, 0 without one."""
        found = [int(text.split()[1]) for text in self.promises if text.startswith(f"{kind} ")]
        return max(found, default=0)


async def run_child(directory: Path, batches: int, strace: Sequence[str] = ()) -> Ended:
    """Run the child in a directory, under strace when its arguments are given."""
    traced = [str(STRACE), "-f", "-qq", *strace] if strace else []
    child = [sys.executable, "-m", "tests.adapters.sqlite.child", str(directory), str(batches)]
    process = await asyncio.create_subprocess_exec(
        *traced,
        *child,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=ENVIRONMENT,
        cwd=ROOT,
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), LIMIT_SECONDS)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return Ended(process.returncode or 0, tuple(out.decode().splitlines()), err.decode()[-2_000:])


async def count_calls(directory: Path, batches: int, call: str) -> int:
    """How many of a system call an undisturbed run makes in its busiest thread."""
    trace = directory.with_suffix(".count")
    await run_child(directory, batches, ["-o", str(trace), "-e", f"trace={call}"])
    threads: dict[str, int] = {}
    for text in trace.read_text("latin-1").splitlines():
        found = re.match(rf"(\d+) +{call}\(", text)
        if found:
            threads[found[1]] = threads.get(found[1], 0) + 1
    return max(threads.values(), default=0)


def kill_at(call: str, number: int) -> list[str]:
    """Strace arguments that kill the child as it enters the nth such call of a thread."""
    return ["-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:signal=SIGKILL:when={number}"]


def fail_at(call: str, error: str, when: str) -> list[str]:
    """Strace arguments that fail such calls."""
    return ["-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:error={error}:when={when}"]


async def check_image(directory: Path, promised: Ended) -> int:
    """Open what is left and check it: every promise kept, every batch whole, the pages sound; the newest batch."""
    shelf = await Shelf.open(open_sqlite, directory)
    try:
        newest = (await shelf.store.feeds.state("main")).seq
        checkpoint = (await shelf.store.feeds.state("main")).checkpoint
        assert newest >= promised.newest("batch")
        assert checkpoint == (f"c{newest}" if newest else None)
        rows = await shelf.store.outbox.rows([key(sku) for sku in SKUS])
        assert {row.f for row in rows.values()} == ({newest} if newest else set())
        assert len(rows) == (len(SKUS) if newest else 0)
        orders, _ = await shelf.store.report.order_counts()
        told = {f"o{text.split()[1]}" for text in promised.promises if text.startswith("order ")}
        assert told <= set(await shelf.store.orders.known_orders(told))
        if newest:
            assert rows[key("S0")].known == orders
        return newest
    finally:
        await shelf.close()

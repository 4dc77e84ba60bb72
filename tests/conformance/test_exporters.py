"""The exporters that the contract's page shows are sources as it wants them: real processes over a real table."""

from __future__ import annotations

import asyncio
import io
import json
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from archsyncd.operator.ctl import main
from tests.process.harness import CLOCK, daemon
from tests.process.site import CHANNEL, site

EXAMPLES = Path(__file__).parents[2] / "packaging/examples"
STOCK = {f"SKU-{number}": 10 for number in range(6)}


def verified(where: str) -> str:
    """What the checker says of a source all of whose MUST rules hold."""
    out, err = io.StringIO(), io.StringIO()
    code = main(["verify-source", where], out, err)
    assert (code, err.getvalue()) == (0, ""), out.getvalue()
    assert "FAILS" not in out.getvalue(), out.getvalue()
    return out.getvalue()


class Erp:
    """The toy's database, changed as its own programs would."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "erp.sqlite"
        self.backup = folder / "backup"
        with closing(sqlite3.connect(self.file)) as database:
            database.executescript((EXAMPLES / "exporter.sql").read_text("utf-8"))
        self.does("INSERT INTO stock VALUES" + ",".join(f"('{sku}','WH1',{n})" for sku, n in STOCK.items()))

    def does(self, statement: str) -> None:
        with closing(sqlite3.connect(self.file, timeout=30)) as database, database:
            database.execute(statement)

    def has(self, sku: str, pieces: int) -> None:
        self.does(f"UPDATE stock SET on_hand = {pieces} WHERE sku = '{sku}'")

    def is_backed_up(self) -> None:
        with (
            closing(sqlite3.connect(self.file)) as source,
            closing(sqlite3.connect(self.backup)) as target,
        ):
            source.backup(target)

    def is_restored(self) -> None:
        shutil.copy(self.backup, self.file.with_suffix(".restoring"))
        self.file.with_suffix(".restoring").replace(self.file)


@asynccontextmanager
async def exporting(erp: Erp, port: int) -> AsyncIterator[None]:
    """The exporter over HTTP, killed at the end of the block."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, EXAMPLES / "exporter.py", erp.file, str(port), stderr=asyncio.subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.kill()
        await process.wait()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


async def keeps_changing(erp: Erp) -> None:
    pieces = 10
    while True:
        pieces += 1
        erp.has("SKU-5", pieces)
        await CLOCK.sleep(0.2)


@pytest.mark.timeout(300)
async def test_the_exporter_over_http_keeps_the_real_daemon_in_step(tmp_path: Path) -> None:
    """While the table changes, across its own end, and after a backup was restored; and no rule finds fault with it."""
    erp, port = Erp(tmp_path), free_port()
    url = f"http://127.0.0.1:{port}"
    async with site(CLOCK) as around, daemon(tmp_path / "daemon", around, house_url=url) as running:
        around.open(STOCK)
        async with exporting(erp, port):
            await running.start(ready=True)
            await around.until_stock(STOCK)
            erp.has("SKU-0", 4)
            around.order("SKU-1", 2, import_seconds=None, number="CT-1")
            erp.does("INSERT INTO reservation VALUES ('CT-1', 'SKU-1', 'WH1', 2)")
            erp.has("SKU-1", 15)
            # Were the order not known to be in the figure, two more would be held back.
            await around.until_stock({"SKU-0": 4, "SKU-1": 13})
            erp.is_backed_up()
            erp.has("SKU-2", 1)
            await around.until_stock({"SKU-2": 1})
        erp.has("SKU-3", 7)
        async with exporting(erp, port):
            await around.until_stock({"SKU-2": 1, "SKU-3": 7})
            erp.is_restored()
            await around.until_stock({"SKU-0": 4, "SKU-1": 13, "SKU-2": 10, "SKU-3": 10})
            changing = asyncio.create_task(keeps_changing(erp))
            said = await asyncio.to_thread(verified, url)
            changing.cancel()
        assert running.complaints() == []
    assert "orders_included" in said
    assert around.stock("SKU-4", CHANNEL) == 10


def exported(erp: Erp, folder: Path, *more: str) -> list[str]:
    """Names of data files in the order of their numbers after a run of the exporter of files."""
    command = [sys.executable, str(EXAMPLES / "file_exporter.py"), str(erp.file), str(folder), *more]
    subprocess.run(command, check=True)
    names = (path.name for path in (folder / "in").glob("*.ndjson"))
    return sorted(names, key=lambda name: name.split("-")[2])


def kinds(names: list[str]) -> list[str]:
    return [f"{name.split('-')[1]} {int(name.split('-')[2])}" for name in names]


def test_the_exporter_of_files_writes_a_sequence_that_holds(tmp_path: Path) -> None:
    """A full one first, then what changed; a new epoch and a full one after a backup was restored."""
    erp, folder = Erp(tmp_path), tmp_path / "drop"
    (folder / "in").mkdir(parents=True)
    exported(erp, folder)
    erp.has("SKU-0", 4)
    erp.does("INSERT INTO reservation VALUES ('CT-1', 'SKU-1', 'WH1', 2)")
    erp.does("UPDATE reservation SET quantity = 3")
    erp.does("DELETE FROM stock WHERE sku = 'SKU-2'")
    erp.does("UPDATE stock SET location = 'WH2' WHERE sku = 'SKU-5'")
    erp.is_backed_up()
    told = exported(erp, folder)
    assert kinds(told) == ["full 1", "delta 2"]
    lines = [json.loads(line) for line in (folder / "in" / told[1]).read_text().splitlines()]
    lines = [one for one in lines if one["type"] != "feed.heartbeat"]
    assert [(one["type"], one["location"], one.get("available")) for one in lines] == [
        ("stock.level", "WH1", 4),
        ("stock.level", "WH1", 8),
        ("stock.level", "WH1", 7),
        ("stock.removed", "WH1", None),
        ("stock.removed", "WH1", None),
        ("stock.level", "WH2", 10),
    ]
    assert lines[1]["ordersIncluded"] == ["CT-1"]
    erp.has("SKU-3", 1)
    exported(erp, folder)
    erp.is_restored()
    told = exported(erp, folder)
    assert kinds(told) == ["full 1", "delta 2", "delta 3", "full 4"]
    manifests = [json.loads((folder / "in" / f"{name}.done").read_text()) for name in told]
    assert len({one["epoch"] for one in manifests}) == 2
    erp.has("SKU-4", 2)
    assert kinds(exported(erp, folder)) == [*kinds(told), "delta 5"]
    assert kinds(exported(erp, folder, "--full"))[-1] == "full 6"
    verified(str(folder))


def test_a_run_that_broke_off_is_made_good_by_the_next(tmp_path: Path) -> None:
    """Before its memory was written, and before its manifest was: each record is told once, and no number is used twice."""
    erp, folder = Erp(tmp_path), tmp_path / "drop"
    (folder / "in").mkdir(parents=True)
    exported(erp, folder)
    memory = erp.file.with_suffix(".told.json")
    before = memory.read_text()
    erp.has("SKU-0", 4)
    manifest = folder / "in" / f"{exported(erp, folder)[-1]}.done"
    manifest.unlink()
    memory.write_text(before)
    erp.has("SKU-0", 3)
    told = exported(erp, folder)
    assert kinds(told) == ["full 1", "delta 2"]
    assert (folder / "in" / told[-1]).read_text().count("SKU-0") == 2
    manifest = folder / "in" / f"{told[-1]}.done"
    manifest.unlink()
    erp.has("SKU-0", 2)
    told = exported(erp, folder)
    assert kinds(told) == ["full 1", "delta 2", "delta 3"]
    assert (folder / "in" / told[-1]).read_text().count("SKU-0") == 1
    verified(str(folder))

"""The file under the store: cancelled callers, full, read-only, damaged, locked and newer files (groups A and B)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from archsyncd.adapters.sqlite import transaction
from archsyncd.adapters.sqlite.connection import open_database
from archsyncd.adapters.sqlite.store import DATABASE_NAME, SqliteStore, open_store
from archsyncd.adapters.sqlite.transaction import SQL
from archsyncd.domain.cases import CaseKind, NewCase
from archsyncd.domain.feed import Batch
from archsyncd.domain.tenure import Tenure
from archsyncd.engine.ports import FencedOff, StoreBroken, StoreBusy, StoreFull, StoreNewer
from tests.adapters.sqlite.shelf import LEDGER, HandClock, Shelf, open_sqlite
from tests.domain.nouns import accepted, key, learn_rules, level, line, order, rules

MEBIBYTE = 1024 * 1024


@contextlib.contextmanager
def small_disk(path: Path, size: str = "6m") -> Iterator[Path]:
    """A file system of its own in memory. Skips where it cannot be mounted."""
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(path)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("a small disk must be mounted, which takes root and the right to mount")
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", str(path)], check=False, capture_output=True)


def remount(directory: Path, mode: str) -> None:
    """Change how a mounted disk may be used."""
    subprocess.run(["mount", "-o", f"remount,{mode}", str(directory)], check=True, capture_output=True)


def without_floor(shelf: Shelf) -> None:
    """Let SQLite itself meet the end of the disk."""
    assert isinstance(shelf.store, SqliteStore)
    shelf.store._session.free_space_floor_bytes = 0


def fill(directory: Path) -> Path:
    """Take all the room that is left."""
    ballast = directory / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    return ballast


async def test_f021_a_caller_cancelled_in_its_commit_leaves_a_whole_transaction(shelf: Shelf) -> None:
    """At whatever step it goes away, the transaction ends by itself; the next one is a new one (D3)."""
    for step in range(40):
        task = asyncio.ensure_future(
            shelf.read(level(step + 1, step + 1), level(step + 1, step + 1, sku="B"))
        )
        for _ in range(step):
            await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    await shelf.read(level(100, 100), level(100, 100, sku="B"))
    assert ((await shelf.row()).f, (await shelf.row(key("B"))).f) == (100, 100)


async def test_f021_a_reader_cancelled_anywhere_leaves_the_next_one_a_clean_start(shelf: Shelf) -> None:
    """A BEGIN that nobody waits for any more is rolled back all the same."""
    await shelf.read(level(1, 5))
    for step in range(30):
        task = asyncio.ensure_future(shelf.store.report.story("A"))
        for _ in range(step):
            await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    assert (await shelf.row()).f == 5


async def test_f021_a_failed_step_stores_nothing_and_breaks_nothing(shelf: Shelf) -> None:
    """A fault of ours inside a transaction rolls it back; the store goes on."""
    with pytest.raises(OverflowError):
        await shelf.store.orders.next_lookups({"o1": 2**70})
    await shelf.read(level(1, 5))
    assert (await shelf.row()).f == 5


async def test_f024_a_full_disk_stops_intake_and_heals_by_itself(tmp_path: Path) -> None:
    """ENOSPC from the real file system: nothing stored, nothing lost; the same batch goes in once there is room (D4)."""
    with small_disk(tmp_path / "disk") as directory:
        shelf = await Shelf.open(open_sqlite, directory)
        try:
            without_floor(shelf)
            await shelf.read(level(1, 5))
            ballast = fill(directory)
            flood = [level(2, 7, sku=f"S{number}") for number in range(20_000)]
            with pytest.raises(StoreFull):
                await shelf.read(*flood)
            assert (await shelf.row()).f == 5
            assert not await shelf.has_row(key("S1"))
            ballast.unlink()
            await shelf.read(*flood[:1000])
            assert (await shelf.row(key("S1"))).f == 7
        finally:
            await shelf.close()


async def test_f025_no_room_to_checkpoint_loses_nothing(tmp_path: Path) -> None:
    """The log cannot be folded into the file: it is kept, and folded once there is room."""
    with small_disk(tmp_path / "disk", "8m") as directory:
        shelf = await Shelf.open(open_sqlite, directory)
        without_floor(shelf)
        kept = 0
        with contextlib.suppress(StoreFull):
            for number in range(1, 400):
                await shelf.read(*(level(number, number, sku=f"{number}-{part}") for part in range(50)))
                kept = number
        assert kept > 5
        with contextlib.suppress(StoreBroken):
            await shelf.close()
        moved = tmp_path / "moved"
        shutil.copytree(directory, moved)
    again = await Shelf.open(open_sqlite, moved)
    try:
        assert (await again.row(key(f"{kept}-49"))).f == kept
        assert (await again.store.feeds.state("main")).seq == kept
    finally:
        await again.close()


async def test_f026_intake_stops_before_the_disk_is_full(tmp_path: Path) -> None:
    """Below the floor nothing new is read; what is in flight is still booked and drained."""
    with small_disk(tmp_path / "disk", "32m") as directory:
        shelf = await Shelf.open(open_sqlite, directory)
        try:
            with pytest.raises(StoreFull, match="64 MiB"):
                await shelf.read(level(1, 5))
            await shelf.learn(order(line(1)))
            assert await shelf.lease() == []
        finally:
            await shelf.close()


async def test_f030_a_disk_mounted_read_only_is_refused_at_the_start(tmp_path: Path) -> None:
    """It fails closed and says so, and the file is as it was."""
    with small_disk(tmp_path / "disk") as directory:
        shelf = await Shelf.open(open_sqlite, directory)
        without_floor(shelf)
        await shelf.read(level(1, 5))
        await shelf.close()
        remount(directory, "ro")
        with pytest.raises(StoreBroken):
            await Shelf.open(open_sqlite, directory)
        remount(directory, "rw")
        again = await Shelf.open(open_sqlite, directory)
        assert (await again.row()).f == 5
        await again.close()


async def test_f030_a_directory_that_may_not_be_written_is_refused_at_the_start(tmp_path: Path) -> None:
    """No database and no right to make one."""
    (tmp_path / DATABASE_NAME).mkdir()
    with pytest.raises(StoreBroken):
        await Shelf.open(open_sqlite, tmp_path)


async def build(directory: Path) -> None:
    """A store with something on every kind of page, closed."""
    shelf = await Shelf.open(open_sqlite, directory)
    await shelf.read(*(level(1, 5, sku=f"S{number}") for number in range(2_000)))
    await shelf.learn(*(order(line(1, f"S{number}"), name=f"o{number}") for number in range(200)))
    await shelf.read(*(accepted(2, f"o{number}") for number in range(200)))
    await shelf.close()


async def test_f031_a_flipped_bit_is_found_at_the_start(tmp_path: Path) -> None:
    """Page by page: what is damaged is refused with a sentence; what still opens must answer as before."""
    source = tmp_path / "source"
    source.mkdir()
    await build(source)
    sound = (source / DATABASE_NAME).read_bytes()
    refused = 0
    pages = range(0, len(sound) // 4096, max(len(sound) // 4096 // 12, 1))
    for page in pages:
        directory = tmp_path / f"page-{page}"
        directory.mkdir()
        damaged = bytearray(sound)
        damaged[page * 4096 + 3] ^= 0x40  # the number of cells, or the file's magic
        (directory / DATABASE_NAME).write_bytes(damaged)
        refused += await is_refused(directory)
    assert refused == len(pages)


async def is_refused(directory: Path) -> bool:
    """Whether the store in a directory is refused, with a sentence that names the file."""
    try:
        store = await open_sqlite(directory, HandClock(), rules())
    except StoreBroken as error:
        return str(directory / DATABASE_NAME) in str(error)
    await store.close()
    return False


async def test_f031_what_is_no_database_is_refused(tmp_path: Path) -> None:
    """Garbage, a text file, a file cut in half."""
    source = tmp_path / "source"
    source.mkdir()
    await build(source)
    half = (source / DATABASE_NAME).read_bytes()
    for number, content in enumerate((b"hello\n" * 1000, bytes(8192), half[: len(half) // 2])):
        directory = tmp_path / str(number)
        directory.mkdir()
        (directory / DATABASE_NAME).write_bytes(content)
        with pytest.raises(StoreBroken):
            await Shelf.open(open_sqlite, directory)


async def spoilt(directory: Path) -> None:
    """A closed store in order, and then no more: its second half is noise, all of it behind the pages that name the tables."""
    await build(directory)
    shelf = await Shelf.open(open_sqlite, directory)
    await shelf.read(*(level(3 + number, 6, sku=f"T{number}") for number in range(8_000)))
    await shelf.close()
    content = (directory / DATABASE_NAME).read_bytes()
    half = len(content) // 8192 * 4096
    (directory / DATABASE_NAME).write_bytes(content[:half] + b"\xff" * (len(content) - half))


async def open_large(directory: Path) -> SqliteStore:
    """As if every file were a large one."""
    return await open_store(
        directory, HandClock(), rules(), project="p", host="h", new_ledger_id=LEDGER, check_first_bytes=0
    )


async def test_f031_damage_met_while_running_ends_the_store(tmp_path: Path) -> None:
    """SQLITE_CORRUPT on a page that was sound at the start: broken for good, whoever reads or writes."""
    await spoilt(tmp_path)
    store = await open_large(tmp_path)
    try:
        await store.take_tenure(Tenure("host", store.ledger.run, LEDGER))
        levels = tuple(level(9_003, 6, sku=f"T{number}") for number in range(2_000))
        with pytest.raises(StoreBroken):
            await store.feeds.record(Batch("main", "e1", levels, (), "c3"))
        assert store.broken
        with pytest.raises(StoreBroken):
            await store.report.story("S1")
        with pytest.raises(StoreBroken):
            await store.orders.learn([order(line(1))], learn_rules())
    finally:
        await store.close()


async def test_f028_damage_met_by_a_reader_ends_the_store(tmp_path: Path) -> None:
    """Whoever meets it first: nothing is read or written after it."""
    await spoilt(tmp_path)
    store = await open_large(tmp_path)
    try:
        await store.take_tenure(Tenure("host", store.ledger.run, LEDGER))
        with pytest.raises(StoreBroken):
            await store.report.digest()
        with pytest.raises(StoreBroken):
            await store.feeds.record(Batch("main", "e1", (), (), "c3"))
    finally:
        await store.close()


async def test_f032_a_log_deleted_while_down_leaves_an_older_whole_state(tmp_path: Path) -> None:
    """As after restoring a backup: sound, older, and the take-over rule does the rest."""
    live = tmp_path / "live"
    live.mkdir()
    shelf = await Shelf.open(open_sqlite, live)
    await shelf.read(level(1, 5))
    shelf_copy = tmp_path / "copy"
    await shelf.close()
    again = await Shelf.open(open_sqlite, live)
    await again.read(level(2, 6))
    shutil.copytree(live, shelf_copy)
    await again.close()
    for name in ("-wal", "-shm"):
        (shelf_copy / f"{DATABASE_NAME}{name}").unlink()
    old = await Shelf.open(open_sqlite, shelf_copy)
    try:
        assert (await old.row()).f == 5
        assert (await old.store.feeds.state("main")).seq == 1
        await old.read(level(2, 6))
        assert (await old.row()).f == 6
    finally:
        await old.close()


async def test_f035_a_second_process_that_holds_the_lock_delays_writes_and_loses_nothing(
    tmp_path: Path,
) -> None:
    """`BEGIN IMMEDIATE` by hand: writes wait, say that they cannot be stored now, and go in afterwards (D4)."""
    shelf = await Shelf.open(open_sqlite, tmp_path)
    try:
        await shelf.read(level(1, 5))
        assert isinstance(shelf.store, SqliteStore)
        await shelf.store._session.database._writer.execute("PRAGMA busy_timeout = 50")
        with contextlib.closing(sqlite3.connect(tmp_path / DATABASE_NAME, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreBusy):
                await shelf.read(level(2, 6))
            assert (await shelf.row()).f == 5
            other.execute("ROLLBACK")
        await shelf.read(level(2, 6))
        assert (await shelf.row()).f == 6
    finally:
        await shelf.close()


async def test_f035_a_lock_held_for_a_moment_is_only_waited_for(tmp_path: Path) -> None:
    """Shorter than the time a write may wait: nobody notices."""
    shelf = await Shelf.open(open_sqlite, tmp_path)
    try:
        with contextlib.closing(sqlite3.connect(tmp_path / DATABASE_NAME, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            writing = asyncio.ensure_future(shelf.read(level(1, 5)))
            for _ in range(10):
                await asyncio.sleep(0)
            assert not writing.done()
            other.execute("ROLLBACK")
            await asyncio.wait_for(writing, 10)
        assert (await shelf.row()).f == 5
    finally:
        await shelf.close()


async def test_f036_a_reader_that_stays_does_not_stop_the_writer(tmp_path: Path) -> None:
    """The log cannot start over while somebody reads an old state; it grows with the work and shrinks afterwards."""
    shelf = await Shelf.open(open_sqlite, tmp_path)
    log = tmp_path / f"{DATABASE_NAME}-wal"
    try:
        await shelf.read(level(1, 1))
        with contextlib.closing(sqlite3.connect(tmp_path / DATABASE_NAME, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            assert reader.execute("SELECT f FROM outbox").fetchall() == [(1,)]
            for number in range(2, 60):
                await shelf.read(*(level(number, number, sku=f"S{part}") for part in range(200)))
            held = log.stat().st_size
            assert reader.execute("SELECT f FROM outbox").fetchall() == [(1,)]
            reader.execute("ROLLBACK")
        for number in range(60, 200):
            await shelf.read(*(level(number, number, sku=f"S{part}") for part in range(200)))
        assert (await shelf.row(key("S1"))).f == 199
        assert held < 64 * MEBIBYTE
        assert log.stat().st_size < 64 * MEBIBYTE
    finally:
        await shelf.close()


async def test_f036_a_log_that_somebody_keeps_growing_is_told_and_stops_intake(tmp_path: Path) -> None:
    """The alarm comes first; beyond the limit nothing is taken in, and all goes on once the reader is gone."""
    shelf = await Shelf.open(open_sqlite, tmp_path)
    assert isinstance(shelf.store, SqliteStore)
    session = shelf.store._session
    session.log_alarm_bytes, session.log_limit_bytes = MEBIBYTE, 2 * MEBIBYTE
    try:
        await shelf.read(level(1, 1))
        assert shelf.store.doubt is None
        number = 1
        with contextlib.closing(sqlite3.connect(tmp_path / DATABASE_NAME, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            assert reader.execute("SELECT f FROM outbox").fetchall() == [(1,)]
            while session.log_bytes() <= session.log_limit_bytes:
                number += 1
                await shelf.read(*(level(number, number, sku=f"S{part}") for part in range(200)))
            for _ in range(3):
                with pytest.raises(StoreFull, match="another program has held the database open"):
                    await shelf.read(level(number + 1, 7))
            assert "MiB" in (shelf.store.doubt or "")
            assert session.log_bytes() < 4 * MEBIBYTE
            reader.execute("ROLLBACK")
        await shelf.read(level(number + 1, 7))
        assert ((await shelf.row()).f, shelf.store.doubt) == (7, None)
    finally:
        await shelf.close()


async def test_f040_a_switch_to_the_log_that_fails_quietly_is_noticed() -> None:
    """An in-memory database answers `memory` and raises nothing."""
    with pytest.raises(StoreBroken, match="write-ahead log"):
        await open_database(Path(":memory:"))


async def test_f165_a_newer_file_is_refused_with_a_sentence(tmp_path: Path) -> None:
    """Downgrading is refused: nothing in the file is touched."""
    await build(tmp_path)
    with contextlib.closing(sqlite3.connect(tmp_path / DATABASE_NAME)) as other:
        newest = other.execute("PRAGMA user_version").fetchone()[0]
        other.execute(f"PRAGMA user_version = {newest + 1}")
    before = (tmp_path / DATABASE_NAME).read_bytes()
    with pytest.raises(StoreNewer, match=rf"newer version of archsyncd.*backups/schema-{newest}\.db"):
        await Shelf.open(open_sqlite, tmp_path)
    assert (tmp_path / DATABASE_NAME).read_bytes() == before


async def test_f165_before_the_schema_changes_a_copy_is_kept_for_the_way_back(tmp_path: Path) -> None:
    """As the version before left it, whole and readable by nobody else; a new file needs none."""
    first = (SQL / "0001_stock.sql").read_text("utf-8")
    with contextlib.closing(sqlite3.connect(tmp_path / DATABASE_NAME)) as before:
        before.executescript(f"{first}; PRAGMA user_version = 1")
        before.execute(
            "INSERT INTO ledger (one, id, project, host, created_ms) VALUES (1, 'mine', 'p', 'h', 1)"
        )
        before.commit()
    shelf = await Shelf.open(open_sqlite, tmp_path)
    await shelf.close()
    copy = tmp_path / "backups" / "schema-1.db"
    assert copy.stat().st_mode & 0o777 == 0o600
    with contextlib.closing(sqlite3.connect(copy)) as kept:
        assert kept.execute("PRAGMA user_version").fetchone() == (1,)
        assert kept.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert kept.execute("SELECT id FROM ledger").fetchone() == ("mine",)
    (tmp_path / "new").mkdir()
    await build(tmp_path / "new")
    assert not (tmp_path / "new" / "backups").exists()


async def test_d7_a_newer_fence_fences_the_old_session_off(tmp_path: Path) -> None:
    """D7: the fence is compared inside every writing transaction, whoever still believes to hold the store."""
    old = await Shelf.open(open_sqlite, tmp_path)
    await old.read(level(1, 5))
    new = await Shelf.open(open_sqlite, tmp_path)
    try:
        with pytest.raises(FencedOff):
            await old.read(level(2, 6))
        with pytest.raises(FencedOff):
            await old.lease()
        with pytest.raises(FencedOff):
            await old.store.take_tenure(Tenure("host", old.fence, LEDGER))
        await new.read(level(2, 6))
        assert (await old.row()).f == 6
    finally:
        await old.close()
        await new.close()


async def test_d7_nothing_is_written_before_a_tenure_is_held(tmp_path: Path) -> None:
    """Opening alone gives no right to write."""
    store = await open_sqlite(tmp_path, HandClock(), rules())
    try:
        with pytest.raises(FencedOff):
            await store.cases.open(NewCase(CaseKind.DRIFT, "web", "A", "x"))
    finally:
        await store.close()


async def test_f164_a_copied_file_tells_where_it_was_made(tmp_path: Path) -> None:
    """Project and host are pinned at first and stay what they were; every opening counts as a run."""
    clock = HandClock()
    first = await open_store(tmp_path, clock, rules(), project="p", host="h", new_ledger_id="L1")
    await first.close()
    second = await open_store(tmp_path, clock, rules(), project="q", host="i", new_ledger_id="L2")
    assert (second.ledger.id, second.ledger.project, second.ledger.host) == ("L1", "p", "h")
    assert second.ledger.run == first.ledger.run + 1
    await second.close()


async def test_a_backup_ends_while_others_write_and_holds_up_no_reader(tmp_path: Path) -> None:
    """A copy that begins anew at every write would not end on a busy day, and would stop the daemon with it."""
    store = await open_large(tmp_path)
    await store.take_tenure(Tenure("host", store.ledger.run, LEDGER))
    many = tuple(level(number, 5, sku=f"S{number}") for number in range(1, 20_001))
    await store.feeds.record(Batch("main", "e1", many, (), "c"))
    copying = asyncio.ensure_future(store.backup(tmp_path / "copy.db"))
    writes = 0
    while not copying.done():
        writes += 1
        await store.feeds.record(Batch("main", "e1", (level(20_000 + writes, writes, sku="S1"),), (), "c"))
        await store.feeds.states()
        assert writes < 1_000
    await copying
    await store.close()


async def test_a_backup_of_a_running_store_opens_as_it_was(shelf: Shelf, tmp_path: Path) -> None:
    """The committed state, in one file, while the daemon goes on."""
    await shelf.read(level(1, 5))
    copy = tmp_path / "backup"
    copy.mkdir()
    assert isinstance(shelf.store, SqliteStore)
    await shelf.store.backup(copy / DATABASE_NAME)
    await shelf.read(level(2, 6))
    restored = await Shelf.open(open_sqlite, copy)
    try:
        assert (await restored.row()).f == 5
        assert restored.store.ledger.id == shelf.store.ledger.id
    finally:
        await restored.close()


async def test_a_store_that_is_closing_takes_nothing_new(tmp_path: Path) -> None:
    """What runs comes to its end first, what comes later is refused (D5)."""
    shelf = await Shelf.open(open_sqlite, tmp_path)
    running = asyncio.ensure_future(shelf.read(level(1, 5)))
    await asyncio.sleep(0)
    await shelf.close()
    assert (await running).applied == 1
    with pytest.raises(StoreBroken):
        await shelf.read(level(2, 6))
    with pytest.raises(StoreBroken):
        await shelf.row()


def test_every_named_query_is_used() -> None:
    """A statement that nobody runs is a statement that nobody tests."""
    source = "".join(path.read_text() for path in Path(transaction.__file__).parent.glob("*.py"))
    # The audit's file has tables of its own, made one like the other.
    made = {name for name in transaction.QUERIES if name.startswith("audit_") and name.endswith("_table")}
    assert 'f"audit_{name}_table"' in source
    assert [name for name in transaction.QUERIES if f'"{name}"' not in source and name not in made] == []


async def test_f031_a_large_file_that_was_closed_well_is_checked_while_it_is_in_use(tmp_path: Path) -> None:
    """The start does not wait for it; what it finds ends the store for whoever reads or writes."""
    await spoilt(tmp_path)
    store = await open_large(tmp_path)
    try:
        with pytest.raises(StoreBroken, match="is damaged"):
            await store.verify(asyncio.Event())
        assert store.broken
        with pytest.raises(StoreBroken):
            await store.report.digest()
    finally:
        await store.close()


async def test_f031_a_large_file_that_was_not_closed_well_is_checked_first(tmp_path: Path) -> None:
    """Whoever met the damage while running could not close it: the next start finds it before anything else."""
    await spoilt(tmp_path)
    store = await open_large(tmp_path)
    with pytest.raises(StoreBroken):
        await store.report.digest()
    await store.close()
    with pytest.raises(StoreBroken, match="is damaged"):
        await open_large(tmp_path)


async def test_a_check_is_left_undone_at_the_stop_and_made_first_at_the_next_start(tmp_path: Path) -> None:
    """A file that nobody looked through to the end does not count as closed well."""
    await build(tmp_path)
    store = await open_large(tmp_path)
    stop = asyncio.Event()
    stop.set()
    await store.verify(stop)
    assert store.broken is None
    await store.close()
    with sqlite3.connect(tmp_path / DATABASE_NAME) as look:
        assert look.execute("SELECT closed FROM ledger").fetchone() == (0,)
    look.close()
    store = await open_large(tmp_path)
    await store.verify(asyncio.Event())
    await store.close()
    with sqlite3.connect(tmp_path / DATABASE_NAME) as look:
        assert look.execute("SELECT closed FROM ledger").fetchone() == (1,)
    look.close()

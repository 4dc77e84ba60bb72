"""Times that a clock far ahead has left in the file: none silences, holds back or keeps anything (fault 42)."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from archsyncd.adapters.sqlite.mending import FURTHEST_MS
from archsyncd.adapters.sqlite.store import DATABASE_NAME
from archsyncd.domain.mutes import Mute, MuteKind
from archsyncd.domain.reconciling import Mode, RunState, Wanted
from archsyncd.domain.reporting import ReportKind
from archsyncd.domain.tenure import Tenure
from tests.adapters.sqlite.shelf import Shelf, open_sqlite
from tests.domain.nouns import level

AHEAD_SECONDS = 400 * 86_400.0
# Times that are not mended, and why nothing waits for them.
LEFT = {
    "level.as_of_ms": "the source's",
    "level.orders_through_ms": "the source's",
    "outbox.entry_created_ms": "commercetools'",
    "outbox.read_at_ms": "commercetools'",
    "outbox.based_at_ms": "a fact about the key, for display",
    "order_head.created_ms": "commercetools'",
    "order_line.created_ms": "commercetools'",
    "order_closed.created_ms": "commercetools'",
    "handover.created_ms": "commercetools'",
    "order_cursor.complete_ms": "commercetools'",
    "pool_fall.at_ms": "commercetools'",
    "suspicion.seen_ms": "commercetools', and what was seen later than now proves nothing",
    "key_history.at_ms": "read as no later than what follows it",
    "feed_place.at_ms": "dropped with the next place",
    "sample.at_ms": "dropped with the next sample",
    "sample.oldest_decrease_ms": "how long",
    "sample.behind_ms": "how long",
    "alert_delivery.due_ms": "brought back each time messages are tidied",
    "alert_delivery.at_ms": "for display",
    "action.at_ms": "what people did, kept by number",
}
# One row of each table, with what its mending asks for; two where there are two ways.
ROWS: dict[str, tuple[dict[str, object], ...]] = {
    "outbox": ({"base": "unknown", "due_class": 1, "read_at_ms": None},),
    "early_proof": ({"kind": "level"},),
    "key_history": ({"count": 1},),
    "order_event": ({"order_id": "o-ready", "stage": "ready"},),
    "handover": (
        {"order_id": "o-ready", "stage": "ready"},
        {"order_id": "o-sold", "stage": "accepted"},
        {"order_id": "o-back", "stage": "accepted", "cancel": 1, "noted": 1},
    ),
    "advice": ({"kind": "return", "stage": "due", "order_id": "o-ready"},),
    "reconcile_run": ({"mode": "apply", "state": "running"},),
    "alert_delivery": ({"state": "waiting"},),
    "pool_debt": ({"pieces": 1},),
    "pool_fall": ({"pieces": 1},),
    "exception_case": ({"state": "open"},),
    "mute": ({"kind": "mute"},),
    "report_made": ({"kind": "daily"},),
    "snapshot": ({"state": "applied"},),
}


def columns(file: sqlite3.Connection) -> Iterator[tuple[str, dict[str, object]]]:
    """Each table that keeps a time, with its columns and the least that each may hold."""
    least = {"INTEGER": 0, "TEXT": "", "BLOB": b"", "REAL": 0.0}
    names = [row[0] for row in file.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    for name in names:
        about = file.execute(f"PRAGMA table_info({name})")
        found = {row[1]: least[row[2]] if row[3] else None for row in about}
        if any(column.endswith("_ms") for column in found):
            yield name, found


def fill(path: Path, at_ms: int) -> None:
    """A row in each table, all of whose times are this one."""
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("UPDATE ledger SET created_ms = ?", (at_ms,))
        for table, found in list(columns(file)):
            for special in ROWS.get(table, ({},)) if table != "ledger" else ():
                row = found | {name: at_ms for name in found if name.endswith("_ms")} | special
                marks = ", ".join("?" for _ in row)
                file.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", [*row.values()])


def ahead(path: Path, now_ms: int) -> set[str]:
    """Columns with a time that lies ahead, those of due times further than any due time does."""
    found = set()
    with closing(sqlite3.connect(path)) as file:
        for table, named in columns(file):
            for name in named:
                if not name.endswith("_ms"):
                    continue
                limit_ms = now_ms + FURTHEST_MS * name.endswith("due_ms")
                query = f"SELECT count(*) FROM {table} WHERE {name} > ?"
                if file.execute(query, (limit_ms,)).fetchone()[0]:
                    found.add(f"{table}.{name}")
    return found


async def test_f042_no_time_that_a_clock_far_ahead_has_left_in_the_file_stays_there(tmp_path: Path) -> None:
    """Whatever table and column: each is brought back, or named here with the reason why it need not be."""
    shelf = await Shelf.open(open_sqlite, tmp_path)
    await shelf.store.close()
    path = tmp_path / DATABASE_NAME
    fill(path, shelf.clock.now_ms + int(AHEAD_SECONDS * 1000))
    every = ahead(path, shelf.clock.now_ms) | {"outbox.read_at_ms"}
    shelf.store = await open_sqlite(tmp_path, shelf.clock, shelf.store.rules)
    run = shelf.store.ledger.run
    await shelf.store.take_tenure(Tenure("host", run, shelf.store.ledger.id))
    await shelf.store.mend_times()
    assert shelf.store.ledger.created_ms == shelf.clock.now_ms
    await shelf.close()
    assert ahead(path, shelf.clock.now_ms) - LEFT.keys() == set()
    assert set(LEFT) <= every


async def test_f042_a_clock_that_was_never_set_makes_nothing_old(tmp_path: Path) -> None:
    """Brought back to 1970, what has happened would be forgotten at once by a clock that is right again."""
    shelf = await Shelf.open(open_sqlite, tmp_path)
    await shelf.read(level(1, 10))
    told, created_ms = await shelf.store.health.told(), shelf.store.ledger.created_ms
    shelf.clock.now_ms = 1_000
    await shelf.again()
    await shelf.store.mend_times()
    assert await shelf.store.health.told() == told
    assert shelf.store.ledger.created_ms == created_ms
    await shelf.close()


async def test_f042_a_start_with_a_clock_far_ahead_silences_nothing(tmp_path: Path) -> None:
    """The night's walk, a location that is silent, a mute and a report count from the start with the right clock."""
    shelf = await Shelf.open(open_sqlite, tmp_path)
    shelf.clock.jump_wall(AHEAD_SECONDS)
    run = await shelf.store.reconciles.begin(Wanted(Mode.APPLY, "nightly"))
    assert run is not None
    await shelf.store.reconciles.end(run, RunState.DONE)
    await shelf.read(level(1, 10))
    await shelf.store.reporting.note_made(ReportKind.DAILY)
    wrong_ms = shelf.clock.now_ms
    mute = Mute("drift", "", MuteKind.MUTE, 0, 0, wrong_ms, wrong_ms + 3_600_000, "why", "somebody")
    assert await shelf.store.mutes.put(mute)
    shelf.clock.jump_wall(-AHEAD_SECONDS)
    await shelf.again()
    await shelf.store.mend_times()
    now_ms = shelf.clock.now_ms
    last = await shelf.store.reconciles.newest("nightly")
    assert last is not None
    assert last.began_ms == now_ms
    assert await shelf.store.health.told() == {"WH1": {"main": now_ms}}
    assert await shelf.store.reporting.made() == {ReportKind.DAILY: now_ms}
    shelf.clock.pass_by(3_599)
    assert len(await shelf.store.mutes.holding()) == 1
    shelf.clock.pass_by(1)
    assert await shelf.store.mutes.holding() == ()
    await shelf.close()

"""A source of r247/1 in files for a toy ERP: `python3 file_exporter.py erp.sqlite /srv/r247 [--full]`, started by a timer."""

import hashlib
import json
import os
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

DATABASE, DROP = Path(sys.argv[1]), Path(sys.argv[2])
TOLD = DATABASE.with_suffix(".told.json")  # the last manifest and record: never restored with the database
SETUP = Path(__file__).with_name("exporter.sql").read_text("utf-8")


def put(path: Path, text: str) -> None:
    """Write a file whole: it has its name only when all of it is on the disk."""
    with path.with_name(f".{path.name}.tmp").open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    Path(file.name).replace(path)


told: dict[str, Any] = json.loads(TOLD.read_text()) if TOLD.exists() else {"id": "", "manifest": {}}
for file in (DROP / "in").glob("main-*.ndjson"):  # an earlier run may have been broken off
    if not file.with_name(f"{file.name}.done").exists():
        if file.name == told["manifest"].get("file"):
            put(file.with_name(f"{file.name}.done"), json.dumps(told["manifest"]))
        else:
            file.unlink()  # nobody was told of it: its records are in the next one
with closing(sqlite3.connect(DATABASE, timeout=10, isolation_level=None)) as db:
    db.executescript(SETUP + "BEGIN;")  # all that follows is of one moment
    since = db.execute("SELECT seq FROM log WHERE id = ?", (told["id"],)).fetchone()
    log = db.execute("SELECT id, at, body FROM log WHERE seq > ? ORDER BY seq", since or (0,)).fetchall()
    levels = [json.loads(body) for (body,) in db.execute("SELECT body FROM level")]
full = "--full" in sys.argv or since is None
epoch = told["manifest"]["epoch"] if since else f"e{time.time_ns()}"  # not in the log: a backup was restored
numbers = [int(path.name.split("-")[2]) for path in DROP.glob("*/main-*.ndjson")]
number = max(*numbers, int(told["manifest"].get("fileSeq", "0")), 0) + 1
records = levels if full else [{"id": own, "occurredAt": at, **json.loads(body)} for own, at, body in log]
data = "".join(f"{json.dumps(record)}\n" for record in records)
name = (
    f"main-{'full' if full else 'delta'}-{number:012}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}.ndjson"
)
manifest = {"schema": "r247/1", "file": name, "kind": name.split("-")[1], "feed": "main", "epoch": epoch}
manifest |= {
    "fileSeq": str(number),
    "prevFileSeq": str(number - 1),
    "bytes": len(data),
    "records": len(records),
}
manifest |= {"sha256": hashlib.sha256(data.encode()).hexdigest(), "complete": True}
manifest |= {"locations": sorted({level["location"] for level in levels})} if full else {}
if records:
    put(DROP / "in" / name, data)
    put(TOLD, json.dumps({"id": log[-1][0] if log else told["id"], "manifest": manifest}))
    put(DROP / "in" / f"{name}.done", json.dumps(manifest))  # by this the file counts

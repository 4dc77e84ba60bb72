"""A source of r247/1 over HTTP for a toy ERP's database: `python3 exporter.py erp.sqlite 8250`; exporter.sql lies beside it."""

import json
import sqlite3
import sys
import time
from contextlib import closing
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

DATABASE, PORT = Path(sys.argv[1]), int(sys.argv[2])
TOLD = DATABASE.with_suffix(".told")  # the epoch and the newest record told: never restored with the database
SETUP = Path(__file__).with_suffix(".sql").read_text("utf-8")
ONE_BY_ONE = Lock()
STOCK = "/v1/stock/"


def tell(db: sqlite3.Connection, path: str, asked: dict[str, str]) -> tuple[int, dict[str, Any]]:
    """Answer a question with status and body; all that the body says is of one moment."""
    db.executescript(SETUP + "BEGIN;")
    ends = "SELECT seq, at, id FROM log WHERE seq = (SELECT {}(seq) FROM log)"
    (low, since, _), (head, at, newest) = (db.execute(ends.format(end)).fetchone() for end in ("min", "max"))
    epoch, last = (TOLD.read_text() if TOLD.exists() else "").split() or ("", "")
    if not db.execute("SELECT 1 FROM log WHERE id = ?", (last,)).fetchone():
        epoch = f"e{time.time_ns()}"  # what was told is not in the log: somebody restored a backup
    TOLD.with_suffix(".new").write_text(f"{epoch} {newest}")
    TOLD.with_suffix(".new").replace(TOLD)
    page: dict[str, Any] = {"schema": "r247/1", "feed": "main", "epoch": epoch}
    if path == "/v1/changes":
        page |= {"oldest": {"seq": str(low), "at": since}, "head": {"seq": str(head), "at": at}}
        cursor = asked.get("cursor", f"{epoch}:{low - 1}")
        theirs, _, place = (f"{epoch}:{head}" if cursor == "now" else cursor).partition(":")
        if not place.isdecimal():
            return 400, {"code": "bad_cursor"}
        if theirs != epoch or not low - 1 <= int(place) <= head:
            return 410, {"code": "cursor_expired" if theirs == epoch else "epoch_changed"}
        query = "SELECT seq, at, id, body FROM log WHERE seq > ? ORDER BY seq LIMIT ?"
        rows = db.execute(query, (int(place), min(int(asked.get("limit", "500")), 5000))).fetchall()
        through = rows[-1][0] if rows else int(place)
        items = [
            {"id": own, "seq": str(seq), "occurredAt": at, **json.loads(body)} for seq, at, own, body in rows
        ]
        return 200, page | {"items": items, "next": f"{epoch}:{through}", "more": through < head}
    if f"{path}/".startswith(STOCK):  # all of it on one page, or one SKU
        query = "SELECT body, on_hand FROM level WHERE ? IN (sku, '')"
        rows = db.execute(query, (unquote(path[len(STOCK) :]),)).fetchall()
        items = [json.loads(body) for body, _ in rows]
        check = {"records": len(rows), "sumOnHand": str(sum(pieces for _, pieces in rows))}
        now = datetime.now(UTC).isoformat()  # when these figures were read, however old the newest record is
        told = {"seqAt": str(head), "asOf": now, "cursor": f"{epoch}:{head}", "complete": True}
        return 200, page | told | {"items": items, "check": check}
    if path == "/v1/locations":
        return 200, page | {
            "locations": [place for (place,) in db.execute("SELECT DISTINCT location FROM stock")]
        }
    return 404, {"code": "unknown_order" if path.startswith("/v1/orders/") else "not_found"}


class Desk(BaseHTTPRequestHandler):
    """Whoever asks. The reverse proxy before it has the certificate and asks for the credential."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer; where nothing is new, wait for it as long as the reader will."""
        url, began = urlsplit(self.path), time.monotonic()
        asked = dict(parse_qsl(url.query))
        while True:
            with ONE_BY_ONE, closing(sqlite3.connect(DATABASE, timeout=10, isolation_level=None)) as db:
                status, body = tell(db, url.path, asked)
            if body.get("items", True) or time.monotonic() - began > min(float(asked.get("wait", "0")), 30.0):
                break
            time.sleep(0.5)
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header(
            "Content-Type", "application/json" if "code" not in body else "application/problem+json"
        )
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


ThreadingHTTPServer(("127.0.0.1", PORT), Desk).serve_forever()

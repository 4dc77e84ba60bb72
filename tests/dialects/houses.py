"""Two invented warehouses that do not speak r247/1, on loopback, and the profiles that describe them.

`Ledger` numbers its changes and answers in XML; `Shelf` knows only when a row was changed, and answers in JSON, page by page.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from xml.sax.saxutils import quoteattr
from zoneinfo import ZoneInfo

from aiohttp import web

Say = Callable[[web.Request], Awaitable[web.StreamResponse | None]]
LONDON = ZoneInfo("Europe/London")


@dataclass(slots=True)
class House:
    """What both have: goods, a clock in UTC milliseconds, what was asked, and a word that goes before every answer."""

    now_ms: Callable[[], int]
    goods: dict[tuple[str, str], int] = field(default_factory=dict)
    asked: list[web.Request] = field(default_factory=list)
    first: Say | None = None

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a request."""
        self.asked.append(request)
        said = None if self.first is None else await self.first(request)
        answer = said if said is not None else self.answer(request)
        moment = datetime.fromtimestamp(self.now_ms() // 1000, UTC)
        if not answer.prepared:
            answer.headers.setdefault("Date", format_datetime(moment, usegmt=True))
        return answer

    def answer(self, request: web.Request) -> web.Response:
        raise NotImplementedError


@dataclass(slots=True)
class Ledger(House):
    """Changes by number, in XML."""

    log: list[tuple[str, str, int | str | None]] = field(default_factory=list)
    dropped: int = 0

    def put(self, sku: str, pieces: int | str, place: str = "WH1") -> None:
        """Count goods."""
        if isinstance(pieces, int):
            self.goods[sku, place] = pieces
        self.log.append((sku, place, pieces))

    def remove(self, sku: str, place: str = "WH1") -> None:
        """Keep them no longer."""
        self.goods.pop((sku, place), None)
        self.log.append((sku, place, None))

    def answer(self, request: web.Request) -> web.Response:
        path, query = request.path.removeprefix("/wms"), request.query
        if path == "/aenderungen":
            return self._changes(int(query.get("ab", "0")), int(query["anzahl"]))
        if path == "/bestand":
            return self._stock(int(query["seite"]), int(query["anzahl"]))
        if path.startswith("/artikel/"):
            return self._one(path.rpartition("/")[2])
        return web.Response(status=404, text="<Fehler><Grund>unbekannt</Grund></Fehler>")

    def _changes(self, after: int, limit: int) -> web.Response:
        if after < self.dropped:
            return web.Response(status=410, text="<Fehler><Grund>verfallen</Grund></Fehler>")
        rows = list(enumerate(self.log, 1))[after : after + limit]
        last = rows[-1][0] if rows else min(after, len(self.log))
        more = "ja" if last < len(self.log) else "nein"
        body = "".join(self._change(number, *row) for number, row in rows)
        return _xml(f'<Aenderungen letzte="{last}" weitere="{more}">{body}</Aenderungen>')

    def _change(self, number: int, sku: str, place: str, pieces: int | str | None) -> str:
        gone = ' geloescht="ja"' if pieces is None else ""
        count = "" if pieces is None else f"<Menge><Ist>{pieces}</Ist></Menge>"
        return f'<Aenderung nr="{number}"{gone}><Artikel code={quoteattr(sku)}/><Lager>{place}</Lager>{count}</Aenderung>'

    def _stock(self, page: int, limit: int) -> web.Response:
        rows = sorted(self.goods.items())
        body = "".join(
            f"<Zeile><Artikel code={quoteattr(sku)}/><Lager>{place}</Lager><Menge><Ist>{pieces}</Ist></Menge></Zeile>"
            for (sku, place), pieces in rows[(page - 1) * limit : page * limit]
        )
        return _xml(f'<Bestand anzahl="{len(rows)}" stand="{len(self.log)}">{body}</Bestand>')

    def _one(self, sku: str) -> web.Response:
        body = "".join(
            f"<Zeile><Artikel code={quoteattr(code)}/><Lager>{place}</Lager><Menge><Ist>{pieces}</Ist></Menge></Zeile>"
            for (code, place), pieces in self.goods.items()
            if code == sku
        )
        return _xml(f'<Bestand anzahl="1" stand="{len(self.log)}">{body}</Bestand>')


def _xml(text: str) -> web.Response:
    return web.Response(text=text, content_type="application/xml")


def ledger_profile(**changes: Any) -> dict[str, Any]:
    """The profile of a Ledger; `changes` replace members of its request, None takes one away."""
    shape = {"records": "/Bestand/Zeile"}
    request = {
        "mode": "cursor",
        "path": "/wms/aenderungen",
        "query": {"ab": "{cursor}", "anzahl": "{limit}"},
        "next": "/Aenderungen/@letzte",
        "every": "5s",
        "head": {
            "path": "/wms/bestand",
            "query": {"seite": "1", "anzahl": "1", "ab": None},
            "cursor": "/Bestand/@stand",
            "shape": shape,
        },
        "snapshot": {
            "path": "/wms/bestand",
            "query": {"seite": "{page}", "anzahl": "{limit}"},
            "pages": {"by": "number", "until": "total", "total": "/Bestand/@anzahl"},
            "shape": shape,
        },
        "key": {"path": "/wms/artikel/{sku}", "shape": shape},
    }
    return {
        "profile": "ledger",
        "format": "xml",
        "records": "/Aenderungen/Aenderung",
        "const": {"type": "stock.level"},
        "fields": {"sku": "/Artikel/@code", "location": "/Lager", "onHand": "/Menge/Ist"},
        "when": [{"/@geloescht": "ja", "type": "stock.removed"}],
        "request": _changed(request, changes),
    }


@dataclass(slots=True)
class Row:
    """What a Shelf knows of one article."""

    pieces: int | str
    changed_ms: int


@dataclass(slots=True)
class Shelf(House):
    """Rows by the time of their last change, in JSON; times in local time to the second, as such systems write them."""

    rows: dict[tuple[str, str], Row] = field(default_factory=dict)

    def put(self, sku: str, pieces: int | str, place: str = "WH1", at_ms: int | None = None) -> None:
        """Count goods."""
        self.rows[sku, place] = Row(pieces, self.now_ms() if at_ms is None else at_ms)

    def remove(self, sku: str, place: str = "WH1") -> None:
        """Keep them no longer: the row is gone without a trace."""
        del self.rows[sku, place]

    def answer(self, request: web.Request) -> web.Response:
        if request.path == "/api/stock/modified":
            return self._page(request, request.query["since"])
        if request.path == "/api/stock":
            return self._page(request, "")
        if request.path.startswith("/api/stock/"):
            sku = request.path.rpartition("/")[2]
            return web.json_response(
                {"rows": [self._row(*one) for one in self.rows.items() if one[0][0] == sku]}
            )
        return web.json_response({"error": {"code": "NO_ROUTE"}}, status=404)

    def _page(self, request: web.Request, since: str) -> web.Response:
        rows = [
            self._row(*one) for one in sorted(self.rows.items(), key=lambda one: (one[1].changed_ms, one[0]))
        ]
        rows = [row for row in rows if _sortable(row["modified"]) >= _sortable(since)]
        limit, page = int(request.query["size"]), int(request.query["page"])
        return web.json_response({"total": len(rows), "rows": rows[page * limit : (page + 1) * limit]})

    @staticmethod
    def _row(key: tuple[str, str], row: Row) -> dict[str, Any]:
        local = datetime.fromtimestamp(row.changed_ms / 1000, LONDON)
        return {
            "itemCode": key[0],
            "site": key[1],
            "qty": {"physical": row.pieces, "free": row.pieces},
            "modified": f"{local:%d/%m/%Y %H:%M:%S}",
        }


def _sortable(local: str) -> str:
    return local and f"{local[6:10]}{local[3:5]}{local[:2]}{local[10:]}"


def shelf_profile(**changes: Any) -> dict[str, Any]:
    """The profile of a Shelf; `changes` replace members of its request, None takes one away."""
    pages = {"by": "number", "first": 0, "until": "short"}
    request = {
        "mode": "time-overlap",
        "path": "/api/stock/modified",
        "query": {"since": "{since}", "page": "{page}", "size": "{limit}"},
        "since": {"format": "dd/MM/yyyy HH:mm:ss", "tz": "Europe/London"},
        "overlap": "120s",
        "every": "10s",
        "pages": pages,
        "snapshot": {
            "path": "/api/stock",
            "query": {"page": "{page}", "size": "{limit}"},
            "pages": {"by": "number", "first": 0, "until": "total", "total": "/total"},
        },
    }
    return {
        "profile": "shelf",
        "format": "json",
        "records": "/rows/*",
        "const": {"type": "stock.level"},
        "fields": {
            "sku": "/itemCode",
            "location": "/site",
            "onHand": "/qty/physical",
            "available": "/qty/free",
            "asOf": {"path": "/modified", "format": "dd/MM/yyyy HH:mm:ss", "tz": "Europe/London"},
        },
        "request": _changed(request, changes),
    }


def _changed(request: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    merged = {**request, **changes}
    return {name: value for name, value in merged.items() if value is not None}


def written(profile: dict[str, Any]) -> bytes:
    """A profile as the bytes of its file."""
    return json.dumps(profile, indent=1).encode()

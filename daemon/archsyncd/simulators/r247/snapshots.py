"""Snapshots, the whole stock in pages, and the reading of one SKU (r247/1, section 2)."""

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from archsyncd.simulators.r247.config import Clock, R247Config
from archsyncd.simulators.r247.exchange import (
    JSON,
    Answer,
    Asked,
    Problem,
    answer,
    is_number,
    number,
    parameters,
    parse,
)
from archsyncd.simulators.r247.faults import SNAPSHOT_KINDS, Fault, FaultKind, Script
from archsyncd.simulators.r247.log import stamp
from archsyncd.simulators.r247.warehouse import Warehouse


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The stock at one moment. `records` and `sum_on_hand` are what the trailer will say; `sound`: no fault spoilt it."""

    id: str
    epoch: str
    seq_at: int
    cursor: str
    as_of: str
    ready_at: float
    total: int
    items: tuple[bytes, ...]
    records: int | None
    sum_on_hand: int | None
    complete: bool = True
    sound: bool = True


class Snapshots:
    """Takes snapshots, keeps the last few, serves their pages. A new epoch ends them all."""

    def __init__(self, config: R247Config, warehouse: Warehouse, clock: Clock, script: Script) -> None:
        self._config = config
        self._warehouse = warehouse
        self._clock = clock
        self._script = script
        self._taken = 0
        self._kept: dict[str, Snapshot] = {}

    def order(self, asked: Asked) -> Answer:
        """POST: take a snapshot of some locations or SKUs (null: all). 202 with its id."""
        parameters(asked, ())
        nullable = (list, type(None))
        said = parse(asked.body, {"locations": nullable, "skus": nullable}, ())
        locations, skus = _texts(said.get("locations"), "locations"), _texts(said.get("skus"), "skus")
        snapshot = self._take("snapshots", locations, skus)
        return answer(202, {"snapshotId": snapshot.id, "status": "running"})

    def page(self, asked: Asked, snapshot_id: str) -> Answer:
        """GET of a page of a snapshot; 202 with status `running` until it is ready."""
        found = parameters(asked, ("page", "limit"))
        snapshot = self._find(snapshot_id)
        if self._clock.now() < snapshot.ready_at:
            return answer(202, {"snapshotId": snapshot.id, "status": "running"}, {"retry-after": "1"})
        head = {"snapshotId": snapshot.id, "status": "ready"}
        return self._page(snapshot, self._offset(found.get("page"), snapshot), self._limit(found), head)

    def stock(self, asked: Asked) -> Answer:
        """GET of the whole stock in pages, all of the moment of the first one; the same body without an id."""
        found = parameters(asked, ("page", "limit"))
        page = found.get("page")
        if page is None:
            snapshot, offset = self._take("stock", None, None), 0
        else:
            snapshot = self._find(_decode(page)[0])
            offset = self._offset(page, snapshot)
        return self._page(snapshot, offset, self._limit(found), {})

    def one(self, asked: Asked, sku: str) -> Answer:
        """GET of one SKU now: a snapshot of one page; no items when the SKU is not kept (at that location)."""
        found = parameters(asked, ("location",))
        locations = None if "location" not in found else frozenset({found["location"]})
        snapshot = self._capture("key", locations, frozenset({sku}))
        return self._page(snapshot, 0, len(snapshot.items) or 1, {})

    def locations(self, asked: Asked) -> Answer:
        """GET of the locations, for mapping checks."""
        parameters(asked, ())
        listed = [{"location": location} for location in self._config.locations]
        return answer(200, {"schema": "r247/1", "feed": self._config.feed, "locations": listed})

    def _limit(self, found: dict[str, str]) -> int:
        return number(found, "limit", self._config.snapshot_limit, 1, 10_000)

    def _find(self, snapshot_id: str) -> Snapshot:
        snapshot = self._kept.get(snapshot_id)
        if snapshot is None:
            taken = snapshot_id.removeprefix("s-")
            known = is_number(taken) and 0 < int(taken) <= self._taken
            raise Problem(
                410 if known else 404, "snapshot_expired" if known else "unknown_snapshot", "no such snapshot"
            )
        if snapshot.epoch != self._warehouse.log.epoch:
            raise Problem(410, "epoch_changed", "the snapshot is of an epoch that ended")
        return snapshot

    def _take(self, endpoint: str, locations: frozenset[str] | None, skus: frozenset[str] | None) -> Snapshot:
        self._taken += 1
        snapshot = self._capture(f"s-{self._taken}", locations, skus)
        for fault in self._script.strike(endpoint, SNAPSHOT_KINDS):
            snapshot = replace(_spoilt(snapshot, fault), sound=False)
        self._kept[snapshot.id] = snapshot
        while len(self._kept) > self._config.snapshots_kept:
            del self._kept[next(iter(self._kept))]
        return snapshot

    def _capture(self, name: str, locations: frozenset[str] | None, skus: frozenset[str] | None) -> Snapshot:
        unknown = sorted((locations or frozenset()) - set(self._config.locations))
        if unknown:
            raise Problem(400, "unknown_location", f"{unknown[0]!r} is not a location here")
        log, room = self._warehouse.log, self._warehouse.room
        items: list[bytes] = []
        total_on_hand = 0
        for (sku, location), holding in room.holdings.items():
            if (locations is not None and location not in locations) or (
                skus is not None and sku not in skus
            ):
                continue
            seq = holding.last_seq if holding.last_seq is not None else max(log.head_seq, 0)
            common = {"id": f"{log.epoch}.{name}.{len(items)}", "type": "stock.level", "seq": str(seq)}
            items.append(orjson.dumps(common | room.level_fields(sku, location, holding)))
            total_on_hand += holding.on_hand
        states_on_hand = "onHand" in self._config.figures
        return Snapshot(
            id=name,
            epoch=log.epoch,
            seq_at=max(log.head_seq, 0),
            cursor=log.cursor(log.head_seq),
            as_of=stamp(log.now_ms()),
            ready_at=self._clock.now() + self._config.snapshot_seconds,
            total=len(items),
            items=tuple(items),
            records=len(items),
            sum_on_hand=total_on_hand if states_on_hand else None,
        )

    def _page(self, snapshot: Snapshot, offset: int, limit: int, head: dict[str, Any]) -> Answer:
        items = snapshot.items[offset : offset + limit]
        last = offset + limit >= len(snapshot.items)
        before = {"schema": "r247/1", "feed": self._config.feed, **head}
        before |= {"epoch": snapshot.epoch, "asOf": snapshot.as_of, "cursor": snapshot.cursor}
        before |= {"seqAt": str(snapshot.seq_at), "total": snapshot.total}
        after: dict[str, Any] = {"nextPage": None if last else _encode(snapshot.id, offset + limit)}
        after["complete"] = last and snapshot.complete
        if last and snapshot.sound:
            self._warehouse.log.mark_served(snapshot.seq_at)
        if last and snapshot.complete and snapshot.records is not None:
            after["check"] = _check(snapshot)
        body = orjson.dumps(before)[:-1] + b',"items":[' + b",".join(items) + b"]," + orjson.dumps(after)[1:]
        return Answer(200, body, {"content-type": JSON})

    def _offset(self, page: str | None, snapshot: Snapshot) -> int:
        if page is None:
            return 0
        snapshot_id, offset = _decode(page)
        if snapshot_id != snapshot.id or offset >= len(snapshot.items):
            raise Problem(400, "bad_page", "this is no page of this snapshot")
        return offset


def _check(snapshot: Snapshot) -> dict[str, Any]:
    check: dict[str, Any] = {"records": snapshot.records}
    return check if snapshot.sum_on_hand is None else check | {"sumOnHand": str(snapshot.sum_on_hand)}


def _spoilt(snapshot: Snapshot, fault: Fault) -> Snapshot:
    if fault.kind is FaultKind.TRUNCATED:
        return replace(snapshot, items=snapshot.items[: len(snapshot.items) // 2], complete=False)
    if fault.kind is FaultKind.NO_TRAILER:
        return replace(snapshot, records=None)
    if fault.kind is FaultKind.EMPTY:
        return replace(snapshot, items=(), total=0, records=0, sum_on_hand=0)
    if fault.kind is FaultKind.MISCOUNT:
        return replace(snapshot, records=(snapshot.records or 0) + 1)
    if fault.kind is FaultKind.MISSUM:
        return replace(snapshot, sum_on_hand=(snapshot.sum_on_hand or 0) + 1)
    return _without(snapshot, fault.skus)


def _without(snapshot: Snapshot, skus: Sequence[str]) -> Snapshot:
    read = [(item, orjson.loads(item)) for item in snapshot.items]
    lacking = frozenset(skus or [fields["sku"] for _, fields in read[:1]])
    kept = [(item, fields) for item, fields in read if fields["sku"] not in lacking]
    return replace(
        snapshot,
        items=tuple(item for item, _ in kept),
        total=len(kept),
        records=len(kept),
        sum_on_hand=None if snapshot.sum_on_hand is None else sum(fields["onHand"] for _, fields in kept),
    )


def _texts(value: Iterable[Any] | None, name: str) -> frozenset[str] | None:
    if value is None:
        return None
    listed = list(value)
    if not all(isinstance(entry, str) for entry in listed):
        raise Problem(400, "bad_field", f"{name!r} is a list of texts")
    return frozenset(listed)


def _encode(snapshot_id: str, offset: int) -> str:
    return base64.urlsafe_b64encode(f"{snapshot_id}/{offset}".encode()).rstrip(b"=").decode()


def _decode(page: str) -> tuple[str, int]:
    try:
        raw = base64.b64decode(page + "=" * (-len(page) % 4), altchars=b"-_", validate=True)
        snapshot_id, _, offset = raw.decode().partition("/")
        if not is_number(offset):
            raise ValueError(offset)
        return snapshot_id, int(offset)
    except ValueError as fault:
        raise Problem(400, "bad_page", "this is no page of this source") from fault

"""`/_simulator/…`: what a test, a demo or a person does to the simulated warehouse; no part of the contract."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from archsyncd.simulators.r247.desk import read_time
from archsyncd.simulators.r247.exchange import Answer, Asked, Problem, answer, checked, parse
from archsyncd.simulators.r247.faults import Fault, FaultKind
from archsyncd.simulators.r247.held import AskedLine, AskedOrder, SourceOrder
from archsyncd.simulators.r247.judge import Commitment, Judge, Outage
from archsyncd.simulators.r247.simulator import R247Simulator
from archsyncd.simulators.r247.stockroom import Refused
from archsyncd.simulators.r247.switches import switch_off, switch_on
from archsyncd.simulators.r247.warehouse import Backup
from archsyncd.simulators.switch_names import FAULTS

Shape = dict[str, type | tuple[type, ...]]
TEXT: type = str
NUMBER = (int, float)
MAYBE_TEXT = (str, type(None))
SUMS = (
    "oversold_total",
    "oversold_beyond_physics",
    "oversold_at_rest",
    "unimported_units",
    "hidden_units",
    "excess_units",
    "duplicate_orders",
)
KEY: Shape = {"sku": str, "location": str}
REFERENCE: Shape = {"reference": str}


class Admin:
    """One POST per act with a JSON body, GETs for the state. Answers 200 with what came of it, 409 when refused."""

    def __init__(self, simulator: R247Simulator) -> None:
        self._simulator = simulator
        self._house = simulator.warehouse
        self._backups: dict[str, Backup] = {}
        self._acts: dict[str, tuple[Shape, Shape, Callable[..., Any]]] = self._stock_acts()
        self._acts |= self._order_acts() | self._feed_acts()

    def handle(self, asked: Asked) -> Answer:
        """Answer one request below `/_simulator/`."""
        act = "/".join(asked.parts[1:])
        try:
            if asked.method == "GET":
                return answer(200, self._look(act))
            if asked.method == "DELETE" and act == "faults":
                switch_off(self._simulator)
                return answer(200, {})
            if asked.method != "POST" or act not in self._acts:
                raise Problem(404, "unknown_act", f"the acts are {', '.join(sorted(self._acts))}")
            needed, optional, do = self._acts[act]
            return answer(200, do(**parse(asked.body, needed | optional, tuple(needed))) or {})
        except Problem as problem:
            return problem.answer()
        except Refused as refusal:
            return Problem(409, refusal.code, refusal.detail).answer()
        except ValueError as fault:
            return Problem(400, "bad_field", str(fault)).answer()

    def _look(self, what: str) -> Any:
        if what == "state":
            return self._state()
        if what == "levels":
            return [
                {"sku": sku, "location": location, "onHand": held.on_hand, "available": held.available}
                for (sku, location), held in self._house.room.holdings.items()
            ]
        if what == "orders":
            return [
                self._simulator.desk.describe(order) | order.names | {"lines": _lines(order)}
                for order in self._house.book.orders.values()
            ]
        if what == "switches":
            return dict(FAULTS)
        if what == "faults":
            return [asdict(fault) for fault in self._simulator.script.waiting]
        raise Problem(404, "unknown_look", "one can look at state, levels, orders, faults, switches")

    def _state(self) -> dict[str, Any]:
        log, simulator = self._house.log, self._simulator
        acknowledged = [fulfilment for _, fulfilment in self._house.dispatch.fulfilments.values()]
        return {
            "feed": simulator.config.feed,
            "epoch": log.epoch,
            "head": log.head(),
            "oldest": log.oldest(),
            "holdings": len(self._house.room.holdings),
            "orders": len(self._house.book.orders),
            "duplicateOrders": len(self._house.book.duplicates),
            "waitingImports": simulator.importer.waiting,
            "refusedImports": len(simulator.importer.refused),
            "fulfilments": len(acknowledged),
            "acknowledgedFulfilments": sum(one.acknowledgement is not None for one in acknowledged),
            "requests": dict(simulator.requests),
            "faultsStruck": dict(simulator.script.struck),
        }

    def _stock_acts(self) -> dict[str, tuple[Shape, Shape, Callable[..., Any]]]:
        house = self._house
        amount = KEY | {"quantity": int}
        return {
            "seed": ({"stock": list}, {}, self._seed),
            "store-sales": (amount, {}, _seq(house.store_sale)),
            "breakages": (amount, {}, _seq(house.breakage)),
            "receipts": (amount, {}, _seq(house.receipt)),
            "adjustments": (KEY | {"delta": int}, {"reason": str}, _seq(house.adjustment)),
            "quarantine": (amount, {}, _seq(house.quarantine)),
            "recounts": (KEY, {"on_hand": int}, self._recount),
            "removals": (KEY, {}, _seq(house.room.remove)),
            "transfers": (
                {"sku": str, "source": str, "target": str, "quantity": int},
                {},
                _seq(house.transfer),
            ),
            "returns": (
                REFERENCE | {"location": str, "lines": list},
                {},
                self._take_back,
            ),
            "floods": ({"copies": int}, {}, lambda copies: {"records": self._simulator.flood(copies)}),
        }

    def _order_acts(self) -> dict[str, tuple[Shape, Shape, Callable[..., Any]]]:
        dispatch = self._house.dispatch
        told: Shape = {"orderId": str, "createdAt": str, "lines": list}
        place: Shape = {"location": MAYBE_TEXT}
        return {
            "orders": (told, {"orderNumber": MAYBE_TEXT, "delay_seconds": NUMBER}, self._tell),
            "cancellations": (REFERENCE, {}, self._simulator.importer.cancel),
            "rejections": (REFERENCE | {"code": str}, {}, self._reject),
            "progress": (REFERENCE | {"status": str}, place, _fulfilments(dispatch.progress)),
            "shipments": (
                REFERENCE,
                place | {"quantities": dict, "parcels": list},
                _fulfilments(dispatch.ship),
            ),
            "restatements": (
                {"fulfilment_id": str},
                {"quantities": dict, "parcels": list},
                _fulfilment(dispatch.restate),
            ),
            "recalls": ({"fulfilment_id": str}, {}, _fulfilment(dispatch.recall)),
            "shorts": (REFERENCE | {"line_ref": str, "quantity": int}, {"reason": str}, self._short),
            "verdict": (
                {"commitments": list},
                {"published": (list, type(None)), "drain_seconds": NUMBER, "outages": list, "on_hand": list},
                self._judge,
            ),
        }

    def _feed_acts(self) -> dict[str, tuple[Shape, Shape, Callable[..., Any]]]:
        log = self._house.log
        fault: Shape = {"endpoint": str, "times": (int, type(None)), "after": int, "status": int}
        fault |= {"retry_after": MAYBE_TEXT, "seconds": NUMBER, "skus": list, "records": int}
        return {
            "faults": ({"kind": str}, fault, self._fault),
            "switches": ({"name": str}, {"times": (int, type(None))}, self._switch),
            "poison": (KEY | {"kind": str}, {}, _seq(self._simulator.poison)),
            "heartbeats": ({}, {}, _seq(self._house.heartbeat)),
            "freeze": ({}, {}, log.freeze),
            "thaw": ({}, {}, log.thaw),
            "expiry": ({}, {"through": int}, self._expire),
            "backups": ({"name": str}, {}, self._backup),
            "restores": ({"name": str, "epoch": str}, {"first_seq": int, "tell_again": bool}, self._restore),
            "amnesia": (
                {"references": list, "epoch": str},
                {"first_seq": int, "tell_again": bool},
                self._forget,
            ),
        }

    def _seed(self, stock: list[Any]) -> dict[str, int]:
        fields = KEY | {"onHand": int, "unavailable": int}
        for entry in stock:
            found = checked(entry, fields, ("sku", "location", "onHand"), "stock.")
            unavailable = found.get("unavailable", 0)
            self._house.seed(found["sku"], found["location"], found["onHand"], unavailable)
        return {"seeded": len(stock)}

    def _take_back(self, reference: str, location: str, lines: list[Any]) -> dict[str, int]:
        fields: Shape = {"sku": str, "quantity": int, "disposition": str, "reason": str, "lineRef": str}
        for line in lines:
            checked(line, fields, ("sku", "quantity", "disposition"), "lines.")
        return {"seq": self._house.dispatch.receive_return(reference, location, lines)}

    def _recount(self, sku: str, location: str, on_hand: int | None = None) -> dict[str, int]:
        counted = self._house.room.holding(sku, location).on_hand if on_hand is None else on_hand
        return {"seq": self._house.room.recount(sku, location, counted)}

    def _tell(
        self,
        orderId: str,  # noqa: N803 - the body's own name
        createdAt: str,  # noqa: N803
        lines: list[Any],
        orderNumber: str | None = None,  # noqa: N803
        delay_seconds: float | None = None,
    ) -> None:
        created_ms = read_time(createdAt, "createdAt")
        asked = AskedOrder(orderId, orderNumber, created_ms, tuple(_line(line) for line in lines))
        self._simulator.importer.tell(asked, delay_seconds)

    def _reject(self, reference: str, code: str) -> None:
        self._house.book.reject(reference, code)

    def _short(
        self, reference: str, line_ref: str, quantity: int, reason: str = "not_found"
    ) -> dict[str, str]:
        return {"fulfilmentId": self._house.dispatch.short(reference, line_ref, quantity, reason).id}

    def _judge(
        self,
        commitments: list[Any],
        published: list[Any] | None = None,
        drain_seconds: float = 5.0,
        outages: Sequence[Any] = (),
        on_hand: Sequence[str] = (),
    ) -> dict[str, Any]:
        offered = None if published is None else dict(_published(entry) for entry in published)
        blind = [_outage(entry) for entry in outages]
        judge = Judge(self._house, drain_seconds=drain_seconds, outages=blind, on_hand=on_hand)
        verdict = judge.verdict([_commitment(entry) for entry in commitments], offered)
        pools = [asdict(pool) for pool in verdict.pools if pool.oversold_total or pool.hidden or pool.excess]
        return {name: getattr(verdict, name) for name in SUMS} | {"pools": pools}

    def _fault(self, kind: str, skus: tuple[str, ...] = (), **more: Any) -> None:
        self._simulator.script.add(Fault(FaultKind(kind), skus=tuple(skus), **more))

    def _switch(self, name: str, times: int | None = None) -> None:
        switch_on(self._simulator, name, times)

    def _expire(self, through: int | None = None) -> None:
        self._house.log.forget_through(self._house.log.head_seq if through is None else through)

    def _backup(self, name: str) -> None:
        self._backups = {name: self._house.backup()}

    def _restore(self, name: str, epoch: str, first_seq: int = 1, tell_again: bool = False) -> dict[str, int]:
        if name not in self._backups:
            raise Problem(404, "unknown_backup", "only the last backup is kept")
        self._house.restore(self._backups[name], epoch, first_seq)
        return {"told": self._simulator.importer.tell_again() if tell_again else 0}

    def _forget(
        self, references: list[str], epoch: str, first_seq: int = 1, tell_again: bool = False
    ) -> dict[str, int]:
        self._house.forget_imports(references, epoch, first_seq)
        return {"told": self._simulator.importer.tell_again() if tell_again else 0}


def _seq(act: Callable[..., int]) -> Callable[..., dict[str, int]]:
    return lambda **fields: {"seq": act(**fields)}


def _fulfilment(act: Callable[..., Any]) -> Callable[..., dict[str, str]]:
    return lambda **fields: {"fulfilmentId": act(**fields).id}


def _fulfilments(act: Callable[..., Any]) -> Callable[..., dict[str, list[str]]]:
    return lambda **fields: {"fulfilmentIds": [fulfilment.id for fulfilment in act(**fields)]}


def _lines(order: SourceOrder) -> list[dict[str, Any]]:
    return [
        {
            "lineRef": line.line_ref,
            "sku": line.sku,
            "location": line.location,
            "quantity": line.quantity,
            "shipped": line.shipped,
            "short": line.short,
        }
        for line in order.lines
    ]


def _line(line: Any) -> AskedLine:
    fields: Shape = {"lineRef": str, "sku": str, "quantity": int, "location": MAYBE_TEXT}
    found = checked(line, fields, ("lineRef", "sku", "quantity"), "lines.")
    return AskedLine(found["lineRef"], found["sku"], found["quantity"], found.get("location"))


def _commitment(entry: Any) -> Commitment:
    fields: Shape = {"orderId": str, "at": str, "sku": str, "channel": str, "quantity": int}
    found = checked(entry, fields | {"releasedAt": MAYBE_TEXT}, tuple(fields), "commitments.")
    released = found.get("releasedAt")
    at_ms = read_time(found["at"], "at")
    released_ms = None if released is None else read_time(released, "releasedAt")
    return Commitment(found["orderId"], at_ms, found["sku"], found["channel"], found["quantity"], released_ms)


def _outage(entry: Any) -> Outage:
    found = checked(entry, {"from": str, "to": str}, ("from", "to"), "outages.")
    return read_time(found["from"], "from"), read_time(found["to"], "to")


def _published(entry: Any) -> tuple[tuple[str, str], int]:
    fields: Shape = {"sku": str, "channel": str, "quantityOnStock": int}
    found = checked(entry, fields, tuple(fields), "published.")
    return (found["sku"], found["channel"]), found["quantityOnStock"]

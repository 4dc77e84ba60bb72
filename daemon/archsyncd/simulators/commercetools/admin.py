"""Lets another process shop, script faults and judge: JSON under `/_simulator/`, not part of the simulated API."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any
from urllib.parse import parse_qs

import orjson

from archsyncd.simulators.commercetools.config import ApiClient, RetryAfter
from archsyncd.simulators.commercetools.errors import ApiError
from archsyncd.simulators.commercetools.faults import FaultKind
from archsyncd.simulators.commercetools.order_documents import OrderLine
from archsyncd.simulators.commercetools.records import Document
from archsyncd.simulators.commercetools.simulator import CommercetoolsSimulator

PREFIX = "/_simulator/"
Body = dict[str, Any]
Answer = Callable[[Body], Any]


class Administration:
    """Maps `METHOD /_simulator/NAME` with a JSON body (or query) onto the simulator's methods."""

    def __init__(self, simulator: CommercetoolsSimulator) -> None:
        self._simulator = simulator
        self._answers: dict[tuple[str, str], Answer] = {
            ("GET", "summary"): lambda _: self._summary(),
            ("GET", "entries"): lambda _: self._entries(),
            ("GET", "stock"): self._stock,
            ("GET", "journal"): self._journal,
            ("GET", "admissions"): lambda _: self._admissions(),
            ("GET", "order-events"): lambda _: [line._asdict() for line in simulator.journal.orders],
            ("GET", "order"): lambda body: simulator.order(body["id"]),
            ("POST", "channels"): lambda body: simulator.add_channel(**body),
            ("POST", "products"): lambda body: simulator.add_products(body["skus"]),
            ("DELETE", "products"): self._remove_products,
            ("POST", "entries"): lambda body: simulator.add_entry(**body),
            ("POST", "entry-updates"): self._update_entry,
            ("DELETE", "entries"): lambda body: simulator.delete_entry(**body),
            ("POST", "orders"): self._place,
            ("POST", "order-cancellations"): lambda body: simulator.cancel_order(body["id"]),
            ("POST", "order-edits"): lambda body: simulator.edit_order(body["id"], body["quantities"]),
            ("DELETE", "orders"): lambda body: simulator.delete_order(body["id"]),
            ("GET", "faults"): lambda _: self._faults(),
            ("POST", "faults"): self._add_fault,
            ("DELETE", "faults"): lambda body: simulator.faults.clear(body.get("number")),
            ("POST", "settings"): self._configure,
            ("POST", "clients"): lambda body: simulator.replace_client(ApiClient(**_client(body))),
            ("DELETE", "tokens"): lambda _: simulator.tokens.revoke_all(),
            ("POST", "late"): lambda _: simulator.settle(everything=True),
        }

    def answer(self, method: str, path: str, query: str, body: bytes) -> tuple[int, bytes]:
        """Answer one administrative request with a status and JSON."""
        run = self._answers.get((method, path.removeprefix(PREFIX)))
        if run is None:
            return 404, orjson.dumps({"error": "unknown", "known": sorted(map(" ".join, self._answers))})
        try:
            given = orjson.loads(body) if body else {name: some[0] for name, some in parse_qs(query).items()}
            return 200, orjson.dumps({"result": run(given)}, default=str)
        except ApiError as error:
            return error.status, error.body()
        except KeyError as error:
            return 400, orjson.dumps({"error": f"the body wants the field {error.args[0]!r}"})
        except (TypeError, ValueError, AttributeError) as error:
            said = str(error).rpartition("() ")[2]
            return 400, orjson.dumps({"error": f"the body cannot be used: {said}"})

    def _summary(self) -> Document:
        journal = self._simulator.journal
        return {
            "now": self._simulator.clock.now(),
            "entries": len(self._simulator.project.inventory),
            "admittedUnits": sum(line.quantity for line in journal.admissions),
            "oversoldUnits": journal.oversold_units(),
            "refusedOrders": journal.refused_orders,
            "requests": dict(journal.requests),
            "answers": dict(journal.answers),
        }

    def _entries(self) -> list[Document]:
        key_of = self._simulator.project.channels.key_of
        return [
            {
                "sku": entry.content.sku,
                "channel": key_of(entry.content.channel_id),
                "trueStock": entry.content.stock,
                "readableStock": entry.readable_stock(),
                "version": entry.version,
                "fields": entry.content.fields,
            }
            for entry in self._simulator.project.inventory.entries()
        ]

    def _stock(self, body: Body) -> Document:
        sku, channel = body["sku"], body.get("channel")
        return {
            "trueStock": self._simulator.true_stock(sku, channel),
            "soldUnits": self._simulator.sold_units(sku, channel),
            "document": self._simulator.entry_document(sku, channel),
        }

    def _journal(self, body: Body) -> list[Document]:
        lines = self._simulator.stock_lines(body["sku"], body.get("channel"))
        return [line._asdict() for line in lines]

    def _admissions(self) -> list[Document]:
        key_of = self._simulator.project.channels.key_of
        return [
            {**line._asdict(), "channel": key_of(line.channel_id)}
            for line in self._simulator.journal.admissions
        ]

    def _remove_products(self, body: Body) -> None:
        for sku in body["skus"]:
            self._simulator.remove_product(sku)

    def _update_entry(self, body: Body) -> Document:
        return self._simulator.update_entry(body["sku"], body.get("channel"), *body["actions"])

    def _place(self, body: Body) -> str:
        lines = [OrderLine(**line) for line in body.pop("lines")]
        if "custom_lines" in body:
            body["custom_lines"] = tuple((slug, quantity) for slug, quantity in body["custom_lines"])
        return self._simulator.place_order(lines, **body)

    def _faults(self) -> list[Document]:
        rules = self._simulator.faults.rules
        return [
            {
                "number": number,
                "route": rule.route,
                "fault": asdict(rule.fault),
                "count": rule.count,
                "probability": rule.probability,
                "contains": rule.contains,
                "hits": rule.hits,
            }
            for number, rule in rules.items()
        ]

    def _add_fault(self, body: Body) -> int:
        if "retry_after" in body:
            body["retry_after"] = RetryAfter(body["retry_after"])
        return self._simulator.faults.add(body.pop("route", "*"), FaultKind(body.pop("kind")), **body)

    def _configure(self, body: Body) -> None:
        if "restores_stock_on" in body:
            body["restores_stock_on"] = frozenset(body["restores_stock_on"])
        if "retry_after" in body:
            body["retry_after"] = RetryAfter(body["retry_after"])
        self._simulator.configure(**body)


def _client(body: Body) -> Body:
    return {**body, "scopes": tuple(body["scopes"])} if "scopes" in body else body

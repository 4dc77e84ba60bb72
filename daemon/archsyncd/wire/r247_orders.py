"""Orders on their way to Archean: what is sent, and what is answered. No I/O.

Section 9 of `r247/1`, the same over HTTP and in files. What is sent is made once and kept, so that a repeat is the same
to the byte.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import orjson

from archsyncd.domain.handover import BookedDispatch, Objection, PlacedLine
from archsyncd.domain.inventory import OrderLine
from archsyncd.domain.whole_order import WholeOrder
from archsyncd.wire.r247_answers import Problem
from archsyncd.wire.r247_values import SCHEMA

DIFFERENT_CONTENT: Final = "different_content"
REASON_LIMIT_CHARACTERS: Final = 200
# Shorter values (a country, a house number) name nobody, and stand in many a word.
SHORTEST_NAME: Final = 3


def order_body(order: WholeOrder, lines: Sequence[PlacedLine]) -> str:
    """What Archean is sent of an order."""
    return orjson.dumps(
        {
            "schema": SCHEMA,
            "orderId": order.order.id,
            "orderNumber": order.order.number,
            "version": order.order.version,
            "createdAt": order.created_at,
            "currency": order.currency,
            "lines": [_line(order, placed) for placed in lines],
            "shipTo": order.ship_to,
            "shippingMethod": order.shipping_method,
            "notes": None,
        }
    ).decode()


def _line(order: WholeOrder, placed: PlacedLine) -> Mapping[str, Any]:
    told = {
        "lineId": placed.line.line_id,
        "sku": placed.sku,
        "quantity": placed.line.quantity,
        "location": placed.location,
    }
    if placed.kit is None:
        return {**told, "unitPrice": _price(order, placed.line)}
    # A component has no price of its own: it was sold with its kit, whose line says for how much.
    kit = {
        "lineId": placed.kit.line_id,
        "sku": placed.kit.sku,
        "quantity": placed.kit.quantity,
        "unitPrice": _price(order, placed.kit),
    }
    return {**told, "unitPrice": None, "kit": kit}


def _price(order: WholeOrder, line: OrderLine) -> Mapping[str, int] | None:
    detail = order.details.get(line.line_id)
    if detail is None or detail.price is None:
        return None
    return {"centAmount": detail.price.cent_amount, "fractionDigits": detail.price.fraction_digits}


def without_persons(text: str, body: str) -> str:
    """A text of the source's with everything blotted out that the order tells of its receiver."""
    told = orjson.loads(body).get("shipTo") if body and text else None
    return blotted(text, (value for value in (told or {}).values() if isinstance(value, str)))


def blotted(text: str, named: Iterable[str]) -> str:
    """A text with everything blotted out that names a person, whatever its case."""
    for value in sorted({one for one in named if len(one) >= SHORTEST_NAME}, key=len, reverse=True):
        text = re.sub(re.escape(value), "…", text, flags=re.IGNORECASE)
    return text


def cancellation_body(reason: str) -> Mapping[str, Any]:
    """The wish to cancel an order."""
    return {"reason": reason[:REASON_LIMIT_CHARACTERS]}


def acknowledgement_body(booked: BookedDispatch) -> Mapping[str, Any]:
    """The word that the storefront has booked a dispatch."""
    return {
        "orderId": booked.order_id,
        "deliveryKey": booked.delivery_key,
        "shipmentState": booked.shipment_state,
        "at": booked.at,
    }


def objection(status: int, problem: Problem, body: str = "") -> Objection | None:
    """What a refusal of an order means; None when it says nothing about the order itself.

    `body`: what was sent. A source may quote it, and what names a person goes into no list and no journal.
    """
    found = _meant(status, problem)
    return None if found is None else scrubbed(found, body)


def scrubbed(found: Objection, body: str) -> Objection:
    """An objection to what was sent, without anything in it that names the order's receiver."""
    return replace(found, detail=without_persons(found.detail, body))


def _meant(status: int, problem: Problem) -> Objection | None:
    if status == 409 and problem.code == DIFFERENT_CONTENT:  # noqa: PLR2004 - HTTP's own number
        return Objection(problem.code, problem.detail, different=True)
    if status in {400, 409, 413, 422}:
        return Objection(problem.code or f"status {status}", problem.detail)
    return None

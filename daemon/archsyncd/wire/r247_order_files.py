"""Orders as files (`r247/1`, section 9): what a file is called, and what its answer says. Knows no directory. No I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from archsyncd.domain.feed import ID_LIMIT_CHARACTERS, OrderLookup
from archsyncd.domain.handover import CancelAnswer, Objection, Taken
from archsyncd.domain.packing import wire_key
from archsyncd.wire.r247 import unusable
from archsyncd.wire.r247_answers import read_order_answer, read_problem
from archsyncd.wire.r247_json import decode_carefully
from archsyncd.wire.r247_orders import DIFFERENT_CONTENT
from archsyncd.wire.r247_values import Misread, Unreadable, integer, mapping, show, text

ACK_ENDING: Final = ".ack.json"
ACK_LIMIT_BYTES: Final = 64 * 1024
# With its prefix, its endings and the dots of a temporary name it stays below the 255 bytes of a file's name.
NAME_LIMIT_CHARACTERS: Final = 200
RECEIVED, REJECTED, CANCELLED, ACKNOWLEDGED = "received", "rejected", "cancelled", "acknowledged"
_ORDER_FILE: Final = re.compile(r"order-(.+)-v[0-9]+\.json")
_CANCEL_REFUSALS: Final = {
    "already_shipped": CancelAnswer.ALREADY_SHIPPED,
    "unknown_order": CancelAnswer.UNKNOWN_THERE,
}


def name_part(own_id: str) -> str:
    """Somebody's id as a part of a file's name: encoded as in the path of a URL, a hash of it where that is too long.

    Letters, digits, `-`, `_` and `~` stay; everything else is percent-encoded, dots as well.
    """
    encoded = quote(own_id, safe="", errors="surrogatepass").replace(".", "%2E")
    return encoded if 0 < len(encoded) <= NAME_LIMIT_CHARACTERS else wire_key(own_id)


def order_file(order_id: str, body: str) -> str:
    """What the file of an order is called. Raises Unreadable for a body without version: none that was made here."""
    try:
        fields = mapping(decode_carefully(body.encode("utf-8", "surrogatepass")), "")
        version = integer(fields, "version", minimum=0)
    except Misread as fault:
        raise unusable("order", fault) from None
    return f"order-{name_part(order_id)}-v{version}.json"


def is_order_file(name: str, order_id: str) -> bool:
    """Whether a name is that of a file of this order, whatever its version."""
    found = _ORDER_FILE.fullmatch(name)
    return found is not None and found[1] == name_part(order_id)


def cancellation_file(order_id: str) -> str:
    """What the file of a wish to cancel is called."""
    return f"cancel-{name_part(order_id)}.json"


def dispatch_file(fulfilment_id: str) -> str:
    """What the file of a booked dispatch is called."""
    return f"shipped-{name_part(fulfilment_id)}.json"


def read_order_ack(data: bytes) -> OrderLookup | Objection:
    """Read the answer to an order. Raises Unreadable."""
    found = read_order_answer(_whole(data))
    if found.status != REJECTED:
        return found
    told = _refusal(data)
    return Objection(told.code, told.detail, different=told.code == DIFFERENT_CONTENT)


def read_cancellation_ack(data: bytes) -> CancelAnswer:
    """Read the answer to a wish to cancel. Raises Unreadable, also for a refusal that leaves open what becomes of it."""
    status = _status(data, "cancellation", (CANCELLED, RECEIVED, REJECTED))
    if status == CANCELLED:
        return CancelAnswer.CANCELLED
    if status == RECEIVED:
        return CancelAnswer.PENDING
    code = _refusal(data).code
    if code not in _CANCEL_REFUSALS:
        raise Unreadable(
            f"the cancellation is refused with the code {show(code)}, which says nothing of the order"
        )
    return _CANCEL_REFUSALS[code]


def read_dispatch_ack(data: bytes) -> Taken | Objection:
    """Read the answer to a booked dispatch. Raises Unreadable."""
    status = _status(data, "booked dispatch", (ACKNOWLEDGED, RECEIVED, REJECTED))
    if status == REJECTED:
        return _refusal(data)
    return Taken.TAKEN if status == ACKNOWLEDGED else Taken.PENDING


def _status(data: bytes, about: str, known: tuple[str, ...]) -> str:
    try:
        fields: Mapping[str, Any] = mapping(decode_carefully(_whole(data)), "")
        status = text(fields, "status", ID_LIMIT_CHARACTERS)
        if status not in known:
            raise Misread("unknown_value", f"is none of {', '.join(known)}", "/status", status)
    except Misread as fault:
        raise unusable(f"answer to the {about}", fault) from None
    return status


def _refusal(data: bytes) -> Objection:
    problem = read_problem(data)
    return Objection(problem.code or REJECTED, problem.detail)


def _whole(data: bytes) -> bytes:
    if len(data) > ACK_LIMIT_BYTES:
        raise Unreadable(f"the answer has more than {ACK_LIMIT_BYTES} bytes")
    return data

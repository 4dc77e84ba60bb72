"""Google Pub/Sub's REST documents: pulled messages, errors, tokens. Knows no r247/1, no session and no secret."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from archsyncd.domain.times import utc_ms
from archsyncd.wire.r247_values import Unreadable

MESSAGES_LIMIT: Final = 1_000
TEXT_LIMIT_CHARACTERS: Final = 4_096
TOLD_LIMIT_CHARACTERS: Final = 300
ERROR_LIMIT_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Delivered:
    """One message as it was delivered. `ack_id` names this delivery, `message_id` the message.

    `data` None: it is no base64. `published_ms` UTC, None where it is not told. `attempt`: how often it was delivered; 0
    where the subscription has no dead-letter policy and does not count.
    """

    ack_id: str
    message_id: str
    data: bytes | None = field(repr=False)
    attributes: Mapping[str, str]
    published_ms: int | None = None
    attempt: int = 0


@dataclass(frozen=True, slots=True)
class GoogleError:
    """What an error body says; empty where it says nothing that can be read. `status` is such as PERMISSION_DENIED."""

    status: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Token:
    """An access token and how long it lasts, in seconds."""

    text: str = field(repr=False)
    lasts_seconds: float


@dataclass(frozen=True, slots=True)
class SubscriptionTold:
    """What Pub/Sub says of a subscription; `attempts` None: it has no dead-letter policy."""

    topic: str
    deadline_seconds: int
    attempts: int | None
    pushes: bool
    ordered: bool
    detached: bool


def read_pull(body: bytes) -> list[Delivered]:
    """Read the answer to a pull. Raises Unreadable when it is none; a message that is spoilt is told as such."""
    fields = _object(body, "the answer to a pull")
    received = fields.get("receivedMessages", [])
    if not isinstance(received, list) or len(received) > MESSAGES_LIMIT:
        raise Unreadable("the answer to a pull has no list of messages within bounds")
    return [_delivered(one) for one in received]


def _delivered(one: Any) -> Delivered:
    ack_id = one.get("ackId") if isinstance(one, dict) else None
    if not isinstance(ack_id, str) or not ack_id or len(ack_id) > TEXT_LIMIT_CHARACTERS:
        raise Unreadable("a message was delivered without a name for acknowledging it")
    message = one.get("message")
    message = message if isinstance(message, dict) else {}
    attributes = message.get("attributes")
    published = message.get("publishTime")
    attempt = one.get("deliveryAttempt", 0)
    return Delivered(
        ack_id,
        str(message.get("messageId", ""))[:TEXT_LIMIT_CHARACTERS],
        _bytes(message.get("data", "")),
        _texts(attributes) if isinstance(attributes, dict) else {},
        utc_ms(published) if isinstance(published, str) else None,
        attempt if isinstance(attempt, int) else 0,
    )


def _bytes(text: Any) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (TypeError, ValueError, binascii.Error):
        return None


def _texts(attributes: Mapping[Any, Any]) -> dict[str, str]:
    return {
        name: value for name, value in attributes.items() if isinstance(name, str) and isinstance(value, str)
    }


def read_error(body: bytes) -> GoogleError:
    """Read an error body, of an API or of the token endpoint (RFC 6749, section 5.2)."""
    if len(body) > ERROR_LIMIT_BYTES:
        return GoogleError()
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError:
        return GoogleError()
    error = fields.get("error") if isinstance(fields, dict) else None
    if isinstance(error, str):
        return GoogleError(_shown(error), _shown(fields.get("error_description")))
    if isinstance(error, dict):
        return GoogleError(_shown(error.get("status")), _shown(error.get("message")))
    return GoogleError()


def read_token(body: bytes) -> Token:
    """Read a token answer. Raises Unreadable."""
    fields = _object(body, "the token answer")
    text, lasts = fields.get("access_token"), fields.get("expires_in")
    usable = isinstance(text, str) and text and text.isascii() and text.isprintable()
    if not usable or len(str(text)) > 2 * TEXT_LIMIT_CHARACTERS:
        raise Unreadable("the token answer has no token that could stand in a header")
    if isinstance(lasts, bool) or not isinstance(lasts, int | float) or not 0 < lasts <= 86_400:  # noqa: PLR2004 - a day
        raise Unreadable("the token answer does not say how long the token lasts")
    return Token(str(text), float(lasts))


def read_subscription(body: bytes) -> SubscriptionTold:
    """Read what Pub/Sub says of a subscription. Raises Unreadable."""
    fields = _object(body, "the subscription")
    dead, deadline = fields.get("deadLetterPolicy"), fields.get("ackDeadlineSeconds", 10)
    attempts = dead.get("maxDeliveryAttempts", 5) if isinstance(dead, dict) else None
    push = fields.get("pushConfig")
    return SubscriptionTold(
        _shown(fields.get("topic")),
        deadline if isinstance(deadline, int) else 10,
        attempts if isinstance(attempts, int) else None,
        isinstance(push, dict) and bool(push.get("pushEndpoint")),
        fields.get("enableMessageOrdering") is True,
        fields.get("detached") is True or fields.get("topic") == "_deleted-topic_",
    )


def acknowledgements(ack_ids: Sequence[str], limit: int, limit_bytes: int) -> list[list[str]]:
    """Cut names of deliveries into requests of bounded size."""
    parts: list[list[str]] = []
    size = 0
    for ack_id in ack_ids:
        if not parts or len(parts[-1]) >= limit or size + len(ack_id) > limit_bytes:
            parts.append([])
            size = 0
        parts[-1].append(ack_id)
        size += len(ack_id) + 3
    return parts


def _object(body: bytes, what: str) -> Mapping[str, Any]:
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Unreadable(f"{what} is no JSON") from None
    if not isinstance(fields, dict):
        raise Unreadable(f"{what} is no JSON object")
    return fields


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else ""
    return "".join(each if each.isprintable() else " " for each in text[:TOLD_LIMIT_CHARACTERS])

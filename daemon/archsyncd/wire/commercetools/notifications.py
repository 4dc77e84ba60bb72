"""A commercetools Subscription's notification, in the platform's format or as a CloudEvent: which resource, no more.

Its payload is not read, so that it may be left out for its size (`payloadNotIncluded`), and nobody who can publish to the
topic can make an order say what it does not.
"""

from __future__ import annotations

import re
from typing import Any, Final

import orjson

from archsyncd.domain.notices import Notice

SIZE_LIMIT_BYTES: Final = 10 * 1024 * 1024
_ID: Final = re.compile(r"[0-9A-Za-z-]{1,128}")
_WORD: Final = re.compile(r"[0-9A-Za-z_-]{1,256}")


def read_notification(handle: str, data: bytes | None) -> Notice:
    """Read one notification; one that cannot be read says nothing but its handle."""
    if data is None or len(data) > SIZE_LIMIT_BYTES:
        return Notice(handle)
    try:
        fields: Any = orjson.loads(data)
    except orjson.JSONDecodeError:
        return Notice(handle)
    if isinstance(fields, dict) and "specversion" in fields:
        fields = fields.get("data")
    resource = fields.get("resource") if isinstance(fields, dict) else None
    if not isinstance(resource, dict):
        return Notice(handle)
    project, kind = _word(_WORD, fields.get("projectKey")), _word(_WORD, resource.get("typeId"))
    resource_id = _word(_ID, resource.get("id"))
    return Notice(handle, project, kind, resource_id) if project and kind and resource_id else Notice(handle)


def _word(pattern: re.Pattern[str], value: Any) -> str:
    return value if isinstance(value, str) and pattern.fullmatch(value) else ""

"""Query predicates, and how many keys fit one URL. Knows no HTTP beyond the length of an encoded URL.

Syntax and limits: commercetools, "Query Predicates" and "Limits".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from archsyncd.domain.inventory import MessageCursor, StockKey
from archsyncd.wire.commercetools.exchange import encoded_bytes

PAGE_LIMIT = 500

# Room for a channel id that is not known yet; the ids are UUIDs.
_CHANNEL_ID_BYTES = 36


def quoted(value: str) -> str:
    """Write a string literal: quotes and backslashes escaped, so that no SKU can end the literal."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def is_in(field_name: str, values: Sequence[str]) -> str:
    """Ask that a field has one of these values. Raises ValueError for none: that would ask for everything or nothing."""
    if not values:
        raise ValueError(f"no values for {field_name}")
    return f"{field_name} in ({','.join(quoted(value) for value in values)})"


def entries_of(groups: Mapping[str, Sequence[str]]) -> str:
    """Ask for entries by SKU and channel id, never by SKU alone: pages would fill with other channels' entries.

    Raises ValueError for no keys.
    """
    if not groups:
        raise ValueError("no keys to ask for")
    parts = [
        f"supplyChannel(id={quoted(channel_id)}) and {is_in('sku', skus)}"
        for channel_id, skus in groups.items()
    ]
    return parts[0] if len(parts) == 1 else " or ".join(f"({part})" for part in parts)


def products_with(skus: Sequence[str]) -> str:
    """Ask for products whose current data carries one of the SKUs, as master variant or as another."""
    listed = is_in("sku", skus)
    return f"masterData(current(masterVariant({listed}) or variants({listed})))"


def beyond(cursor: MessageCursor) -> str:
    """Ask for what follows a keyset place in (createdAt, id) order."""
    moment, last_id = quoted(cursor.created_at), quoted(cursor.id)
    return f"(createdAt > {moment} or (createdAt = {moment} and id > {last_id}))"


def split_keys(
    keys: Sequence[StockKey], channel_ids: Mapping[str, str], room_bytes: int
) -> tuple[tuple[StockKey, ...], ...]:
    """Cut keys into parts of one channel, each within `room_bytes` of encoded predicate and one page of answer.

    Keys keep their order inside a channel and are asked once. A single key that is too long stands alone.
    """
    by_channel: dict[str, list[StockKey]] = {}
    for key in dict.fromkeys(keys):
        by_channel.setdefault(key.channel, []).append(key)
    parts: list[tuple[StockKey, ...]] = []
    for channel, members in by_channel.items():
        channel_id = channel_ids.get(channel, "0" * _CHANNEL_ID_BYTES)
        frame_bytes = encoded_bytes(entries_of({channel_id: ("",)}))
        parts.extend(_packed(members, room_bytes - frame_bytes))
    return tuple(parts)


def _packed(keys: Sequence[StockKey], room_bytes: int) -> list[tuple[StockKey, ...]]:
    parts: list[tuple[StockKey, ...]] = []
    part: list[StockKey] = []
    used_bytes = 0
    for key in keys:
        key_bytes = encoded_bytes(quoted(key.sku)) + 1
        if part and (used_bytes + key_bytes > room_bytes or len(part) == PAGE_LIMIT):
            parts.append(tuple(part))
            part, used_bytes = [], 0
        part.append(key)
        used_bytes += key_bytes
    return [*parts, tuple(part)] if part else parts

"""Inventory entries between the domain and commercetools' JSON: reads, writes, and our marker on them. No sockets.

The marker's fields and the shape of a write: the stock ledger. One entry per (SKU, supply channel).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from archsyncd.domain.inventory import (
    Entry,
    EntryFault,
    EntryPage,
    EntryWrite,
    Marker,
    StockKey,
    SupplyChannel,
    WriteKind,
    Written,
    entry_key,
)
from archsyncd.domain.merge import QUANTITY_LIMIT
from archsyncd.domain.reconciling import Listing, Stray
from archsyncd.wire.commercetools import strict
from archsyncd.wire.commercetools.exchange import Request, path_segment, post, query_of
from archsyncd.wire.commercetools.predicates import PAGE_LIMIT, entries_of, is_in, quoted

FIELD_OPERATION = "archOp"
FIELD_VALUE = "archX"
FIELD_SEQ = "archSeq"
FIELD_FENCE = "archFence"
MARKER_FIELDS = (FIELD_OPERATION, FIELD_VALUE, FIELD_SEQ, FIELD_FENCE)


@dataclass(frozen=True, slots=True)
class ChannelMap:
    """Supply channels by key and by id: predicates and answers speak ids, everybody else keys."""

    ids: Mapping[str, str]
    keys: Mapping[str, str]

    @classmethod
    def of(cls, channels: Sequence[SupplyChannel]) -> ChannelMap:
        """Index the channels that a project has."""
        return cls({each.key: each.id for each in channels}, {each.id: each.key for each in channels})


def entries_by_key_request(keys: Sequence[StockKey], channels: ChannelMap) -> Request:
    """Ask for these entries; every channel must be in the map."""
    groups: dict[str, list[str]] = {}
    for key in dict.fromkeys(keys):
        groups.setdefault(channels.ids[key.channel], []).append(key.sku)
    return _query(entries_of(groups))


def entries_by_id_request(ids: Sequence[str]) -> Request:
    """Ask for entries by id."""
    return _query(is_in("id", ids))


def _query(where: str) -> Request:
    query = query_of((("where", where), ("limit", str(PAGE_LIMIT)), ("withTotal", "false")))
    return Request("GET", "/inventory", query)


def inventory_request(after: str, channel_id: str | None, sku: str, limit: int) -> Request:
    """Ask for a page of all entries in the order of their ids, of one channel or SKU only where these are told."""
    parts = [f"id > {quoted(after)}"] if after else []
    parts += [f"supplyChannel(id={quoted(channel_id)})"] if channel_id else []
    parts += [f"sku = {quoted(sku)}"] if sku else []
    where = (("where", " and ".join(parts)),) if parts else ()
    return Request(
        "GET",
        "/inventory",
        query_of((*where, ("sort", "id asc"), ("limit", str(limit)), ("withTotal", "false"))),
    )


def listing_of(tree: Any, channels: ChannelMap, after: str, limit: int, server_ms: int) -> Listing:
    """Read a page of all entries; those of no known channel are strays. Raises MalformedAnswer where no id tells a place."""
    items = strict.sequence(strict.mapping(tree, "body").get("results"), "results")
    entries: list[Entry] = []
    strays: list[Stray] = []
    faults: list[EntryFault] = []
    ids: list[str] = []
    for item in items:
        try:
            ids.append(strict.text(strict.mapping(item, "entry"), "id"))
            stray = _stray_of(item, channels)
            if stray is None:
                entries.append(entry_of(item, channels, server_ms))
            else:
                strays.append(stray)
        except strict.MalformedAnswer as error:
            faults.append(_fault_of(item, channels, str(error)))
    full = len(items) >= limit
    if full and not ids:
        raise strict.MalformedAnswer("id", "is readable in no entry of a full page")
    ordered = len(ids) == len(items) and all(one < two for one, two in pairwise((after, *ids)))
    last = max(ids, default=after)
    return Listing(
        after,
        tuple(entries),
        tuple(strays),
        tuple(faults),
        last,
        full=full,
        ordered=ordered,
        server_ms=server_ms,
    )


def _stray_of(item: Mapping[str, Any], channels: ChannelMap) -> Stray | None:
    """What an entry is that lies in no channel of the map; None for all others."""
    reference = item.get("supplyChannel")
    channel_id = None if reference is None else strict.text(strict.mapping(reference, "supplyChannel"), "id")
    if channel_id in channels.keys:
        return None
    return Stray(strict.text(item, "id"), strict.text(item, "sku"), channel_id, _quantity_of(item))


def entry_page(tree: Any, channels: ChannelMap, server_ms: int) -> EntryPage:
    """Read a query answer; an entry that cannot be read is told as a fault. Raises MalformedAnswer."""
    entries: list[Entry] = []
    faults: list[EntryFault] = []
    for item in strict.sequence(strict.mapping(tree, "body").get("results"), "results"):
        try:
            entries.append(entry_of(item, channels, server_ms))
        except strict.MalformedAnswer as error:
            faults.append(_fault_of(item, channels, str(error)))
    return EntryPage(tuple(entries), server_ms, tuple(faults))


def entry_of(tree: Any, channels: ChannelMap, server_ms: int) -> Entry:
    """Read one entry. Raises MalformedAnswer, also for the channel-less entry and for channels not in the map."""
    item = strict.mapping(tree, "entry")
    custom = strict.mapping(item.get("custom") or {}, "custom")
    modified_by = item.get("lastModifiedBy")
    return Entry(
        id=strict.text(item, "id"),
        version=strict.integer(item, "version"),
        key=_key_of(item, channels),
        quantity_on_stock=_quantity_of(item),
        available_quantity=strict.integer(item, "availableQuantity"),
        marker=marker_of(custom.get("fields")),
        type_id=_type_id(custom),
        created_at_ms=strict.timestamp_ms(item, "createdAt"),
        read_at_ms=server_ms,
        restockable_in_days=strict.optional_integer(item, "restockableInDays"),
        written_by=strict.optional_text(modified_by, "externalUserId")
        if isinstance(modified_by, dict)
        else None,
        expected_delivery=expected if isinstance(expected := item.get("expectedDelivery"), str) else None,
    )


def _quantity_of(item: Mapping[str, Any]) -> int:
    quantity = strict.integer(item, "quantityOnStock")
    if abs(quantity) > QUANTITY_LIMIT:
        # Sums with it would leave 64 bits, and one mistyped entry would stop all others.
        raise strict.MalformedAnswer("quantityOnStock", "is beyond reason")
    return quantity


def _type_id(custom: Mapping[str, Any]) -> str | None:
    return strict.text(strict.mapping(custom.get("type"), "custom.type"), "id") if custom else None


def _key_of(item: Mapping[str, Any], channels: ChannelMap) -> StockKey:
    sku = strict.text(item, "sku")
    reference = item.get("supplyChannel")
    if reference is None:
        raise strict.MalformedAnswer("supplyChannel", "is absent")
    channel = channels.keys.get(strict.text(strict.mapping(reference, "supplyChannel"), "id"))
    if channel is None:
        raise strict.MalformedAnswer("supplyChannel", "is not a known channel")
    return StockKey(channel, sku)


def _fault_of(item: Any, channels: ChannelMap, reason: str) -> EntryFault:
    tree = item if isinstance(item, dict) else {}
    entry_id = tree.get("id")
    try:
        key = _key_of(tree, channels)
    except strict.MalformedAnswer:
        key = None
    return EntryFault(entry_id if isinstance(entry_id, str) else "", key, reason)


def marker_of(fields: Any) -> Marker:
    """Read our signature. A field that is absent or not of our making is None: the marker then proves nothing."""
    if not isinstance(fields, dict):
        return Marker()
    operation = fields.get(FIELD_OPERATION)
    seq = fields.get(FIELD_SEQ)
    ledger, _, op_id = operation.partition("/") if isinstance(operation, str) else ("", "", "")
    return Marker(
        ledger=ledger or None,
        op_id=op_id or None,
        x=strict.integral(fields.get(FIELD_VALUE)),
        seq=seq if isinstance(seq, str) else None,
        fence=strict.integral(fields.get(FIELD_FENCE)),
    )


def marker_fields(marker: Marker) -> dict[str, str | int]:
    """Write our signature as custom fields, without those that are None."""
    fields: dict[str, str | int | None] = {
        FIELD_OPERATION: None if marker.op_id is None else f"{marker.ledger}/{marker.op_id}",
        FIELD_VALUE: marker.x,
        FIELD_SEQ: marker.seq,
        FIELD_FENCE: marker.fence,
    }
    return {name: value for name, value in fields.items() if value is not None}


def write_request(write: EntryWrite, type_key: str) -> Request:
    """One REST POST for one write, the marker in the same request so that both take effect or neither."""
    if write.kind is WriteKind.CREATE:
        return post("/inventory", draft_of(write, type_key))
    entry_id, version = versioned(write)
    tree = {"version": version, "actions": actions_of(write, type_key)}
    return post(f"/inventory/{path_segment(entry_id)}", tree, addresses_one=True)


def versioned(write: EntryWrite) -> tuple[str, int]:
    """Id and version of the entry that an update names. Raises ValueError for one that names none."""
    if write.entry_id is None or write.version is None:
        raise ValueError("an update of an entry needs its id and version")
    return write.entry_id, write.version


def actions_of(write: EntryWrite, type_key: str) -> list[dict[str, Any]]:
    """Update actions: the quantity first, then the marker, then when more is expected."""
    if write.kind is WriteKind.DELIVERY:
        return _delivery_actions(write)
    return [_quantity_action(write), *_marker_actions(write, type_key), *_delivery_actions(write)]


def _delivery_actions(write: EntryWrite) -> list[dict[str, Any]]:
    if write.delivery is None:
        return []
    action = {"action": "setExpectedDelivery"}
    return [{**action, "expectedDelivery": write.delivery} if write.delivery else action]


def _quantity_action(write: EntryWrite) -> dict[str, Any]:
    if write.kind is WriteKind.SET:
        return {"action": "changeQuantity", "quantity": write.quantity}
    if write.quantity == 0:
        raise ValueError("an increment of nothing is not a write")
    return {
        "action": "addQuantity" if write.quantity > 0 else "removeQuantity",
        "quantity": abs(write.quantity),
    }


def _marker_actions(write: EntryWrite, type_key: str) -> list[dict[str, Any]]:
    if write.marker is None:
        return []
    fields = marker_fields(write.marker)
    if write.needs_type:
        identifier = {"typeId": "type", "key": type_key}
        return [{"action": "setCustomType", "type": identifier, "fields": fields}]
    return [{"action": "setCustomField", "name": name, "value": value} for name, value in fields.items()]


def draft_of(write: EntryWrite, type_key: str) -> dict[str, Any]:
    """A new entry with its derived key, its quantity and the marker."""
    draft: dict[str, Any] = {
        "key": entry_key(write.key),
        "sku": write.key.sku,
        "supplyChannel": {"typeId": "channel", "key": write.key.channel},
        "quantityOnStock": write.quantity,
    }
    if write.delivery:
        draft["expectedDelivery"] = write.delivery
    if write.marker is not None:
        identifier = {"typeId": "type", "key": type_key}
        draft["custom"] = {"type": identifier, "fields": marker_fields(write.marker)}
    return draft


def written(tree: Any, entry_id: str | None = None) -> Written:
    """Read what a write left; `entry_id` is None for a create, whose answer tells when the entry began to be.

    Raises MalformedAnswer, also when the answer speaks of another entry.
    """
    item = strict.mapping(tree, "entry")
    answered_id = strict.text(item, "id")
    if entry_id is not None and answered_id != entry_id:
        raise strict.MalformedAnswer("id", "is another entry's")
    return Written(
        entry_id=answered_id,
        version=strict.integer(item, "version"),
        quantity_on_stock=strict.integer(item, "quantityOnStock"),
        created_at_ms=strict.timestamp_ms(item, "createdAt") if entry_id is None else None,
    )

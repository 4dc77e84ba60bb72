"""What a project is set up with: settings, channels, the marker's type, the lease. Knows no sockets and no rules.

The lease is a Custom Object: commercetools, "Custom Objects"; the type: "Types".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from archsyncd.domain.inventory import (
    CHANNEL_ROLE_EXPORT,
    CHANNEL_ROLE_SUPPLY,
    MarkerType,
    Project,
    Refused,
    SupplyChannel,
    TenureRecord,
)
from archsyncd.wire.commercetools import entries, strict
from archsyncd.wire.commercetools.exchange import Request, path_segment, post, query_of
from archsyncd.wire.commercetools.predicates import PAGE_LIMIT, quoted

LEASE_CONTAINER = "archsyncd"
LEASE_KEY = "lease"
RESOURCE_TYPE = "inventory-entry"
FIELD_TYPES: Mapping[str, str] = {
    entries.FIELD_OPERATION: "String",
    entries.FIELD_VALUE: "Number",
    entries.FIELD_SEQ: "String",
    entries.FIELD_FENCE: "Number",
}
_FIELD_LABELS: Mapping[str, str] = {
    entries.FIELD_OPERATION: "archsyncd: last operation",
    entries.FIELD_VALUE: "archsyncd: ledger value",
    entries.FIELD_SEQ: "archsyncd: source position",
    entries.FIELD_FENCE: "archsyncd: writer",
}


def project_request() -> Request:
    """Ask for the project's settings."""
    return Request("GET", "")


def project_of(tree: Any) -> Project:
    """Read the settings. Raises MalformedAnswer."""
    item = strict.mapping(tree, "project")
    messages = strict.mapping(item.get("messages") or {}, "messages")
    enabled = messages.get("enabled", False)
    if not isinstance(enabled, bool):
        raise strict.MalformedAnswer("messages.enabled", "is neither true nor false")
    return Project(strict.text(item, "key"), enabled, strict.timestamp_text(item, "createdAt"))


def channels_request(after_id: str | None) -> Request:
    """Ask for one page of channels, walking by id."""
    where = [("where", f"id > {quoted(after_id)}")] if after_id else []
    rest = [("sort", "id asc"), ("limit", str(PAGE_LIMIT)), ("withTotal", "false")]
    return Request("GET", "/channels", query_of([*where, *rest]))


def channels_of(tree: Any) -> tuple[tuple[SupplyChannel, ...], str | None]:
    """Read a page and the id to go on from, None when it was the last. Raises MalformedAnswer."""
    rows = strict.sequence(strict.mapping(tree, "body").get("results"), "results")
    channels = tuple(_channel(row) for row in rows)
    return channels, channels[-1].id if len(rows) >= PAGE_LIMIT else None


def _channel(row: Any) -> SupplyChannel:
    item = strict.mapping(row, "channel")
    roles = strict.sequence(item.get("roles"), "roles")
    return SupplyChannel(
        strict.text(item, "key"),
        strict.text(item, "id"),
        supplies=CHANNEL_ROLE_SUPPLY in roles,
        exports=CHANNEL_ROLE_EXPORT in roles,
    )


def marker_type_request(type_key: str) -> Request:
    """Ask for the marker's type by key."""
    return Request("GET", f"/types/key={path_segment(type_key)}", addresses_one=True)


def type_request(type_id: str) -> Request:
    """Ask for a type by id."""
    return Request("GET", f"/types/{path_segment(type_id)}", addresses_one=True)


def marker_type_of(tree: Any) -> MarkerType | Refused:
    """Read which of our fields a type has; Refused when it cannot carry them at all. Raises MalformedAnswer."""
    item = strict.mapping(tree, "type")
    resources = strict.sequence(item.get("resourceTypeIds"), "resourceTypeIds")
    if RESOURCE_TYPE not in resources:
        return Refused("MarkerTypeUnfit", f"the type is not made for {RESOURCE_TYPE}")
    definitions = strict.sequence(item.get("fieldDefinitions"), "fieldDefinitions")
    present = dict(_definition(each) for each in definitions)
    for name, wanted in FIELD_TYPES.items():
        if present.get(name, wanted) != wanted:
            return Refused("MarkerTypeUnfit", f"the type's field {name} is {present[name]}, not {wanted}")
    missing = tuple(name for name in FIELD_TYPES if name not in present)
    return MarkerType(strict.text(item, "id"), strict.integer(item, "version"), missing)


def _definition(tree: Any) -> tuple[str, str]:
    item = strict.mapping(tree, "fieldDefinition")
    return strict.text(item, "name"), strict.text(strict.mapping(item.get("type"), "type"), "name")


def create_type_request(type_key: str) -> Request:
    """Create the type with its four fields."""
    draft = {
        "key": type_key,
        "name": {"en": "archsyncd"},
        "resourceTypeIds": [RESOURCE_TYPE],
        "fieldDefinitions": [_field_definition(name) for name in FIELD_TYPES],
    }
    return post("/types", draft)


def extend_type_request(type_id: str, version: int, missing: Iterable[str]) -> Request:
    """Add the missing fields to a type that exists."""
    actions = [
        {"action": "addFieldDefinition", "fieldDefinition": _field_definition(name)} for name in missing
    ]
    return post(
        f"/types/{path_segment(type_id)}", {"version": version, "actions": actions}, addresses_one=True
    )


def _field_definition(name: str) -> dict[str, Any]:
    # Never required: the shop must stay able to write its entries without us.
    return {
        "name": name,
        "label": {"en": _FIELD_LABELS[name]},
        "required": False,
        "type": {"name": FIELD_TYPES[name]},
    }


def tenure_request() -> Request:
    """Ask for the lease."""
    return Request("GET", f"/custom-objects/{LEASE_CONTAINER}/{LEASE_KEY}", addresses_one=True)


def write_tenure_request(record: TenureRecord) -> Request:
    """Write the lease on its version; without one commercetools creates or replaces."""
    value = {
        "ledger": record.ledger,
        "host": record.host,
        "holder": record.holder,
        "fence": record.fence,
        "seconds": record.seconds,
    }
    draft: dict[str, Any] = {"container": LEASE_CONTAINER, "key": LEASE_KEY, "value": value}
    if record.version is not None:
        draft["version"] = record.version
    return post("/custom-objects", draft)


def tenure_of(tree: Any, server_ms: int) -> TenureRecord:
    """Read the lease. Raises MalformedAnswer, also when somebody wrote another value under its name."""
    item = strict.mapping(tree, "customObject")
    value = strict.mapping(item.get("value"), "value")
    seconds, host = value.get("seconds"), value.get("host")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds < 0:
        raise strict.MalformedAnswer("value.seconds", "is not a duration")
    return TenureRecord(
        version=strict.integer(item, "version"),
        ledger=strict.text(value, "ledger"),
        holder=strict.text(value, "holder"),
        fence=strict.integer(value, "fence"),
        seconds=float(seconds),
        modified_at_ms=strict.timestamp_ms(item, "lastModifiedAt"),
        server_ms=server_ms,
        host=host if isinstance(host, str) else "",
    )

"""The inventory update actions: the shape of each and what it does to an entry's content; all-or-nothing is not here."""

from collections.abc import Callable
from typing import Any, NamedTuple

from archsyncd.simulators.commercetools.channels import Channels
from archsyncd.simulators.commercetools.custom_types import Types
from archsyncd.simulators.commercetools.entries import Content
from archsyncd.simulators.commercetools.errors import ApiError, invalid_field, invalid_json, invalid_operation
from archsyncd.simulators.commercetools.records import Document
from archsyncd.simulators.commercetools.shapes import (
    INT64,
    OPTIONAL,
    REQUIRED,
    Shape,
    anything,
    date_time,
    fields,
    filled,
    key,
    long,
    natural,
    reference_to,
    small,
    text,
)

RESOURCE = "inventory-entry"
MAXIMUM_ACTIONS = 500
CHANNEL = reference_to("channel")
TYPE = reference_to("type")


class Neighbours(NamedTuple):
    """What actions may refer to."""

    channels: Channels
    types: Types


Apply = Callable[[Content, Document, Neighbours], None]


class Action(NamedTuple):
    """One update action: the shape it must have and its effect."""

    shape: Shape
    apply: Apply


def supply_channel(identifier: Document, around: Neighbours) -> str:
    """Return the id of a channel that may supply stock. Raises ApiError 400."""
    document = around.channels.find(identifier)
    if "InventorySupply" not in document["roles"]:
        named = {"typeId": "channel", "id": document["id"]}
        message = f"The channel '{document['key']}' lacks the role InventorySupply."
        raise ApiError(400, "MissingRoleOnChannel", message, channel=named, missingRole="InventorySupply")
    return str(document["id"])


def set_stock(content: Content, stock: int) -> None:
    """Put a quantity into the content. Raises ApiError 400 beyond 64 bits."""
    if not -INT64 <= stock < INT64:
        raise invalid_field("quantity", stock, "The stock would leave 64 bits.")
    content.stock = stock


def set_custom(
    content: Content, identifier: Document | None, container: Document | None, types: Types
) -> None:
    """Give the content a type and its fields, or take both away. Raises ApiError 400."""
    if identifier is None:
        if container:
            raise invalid_operation("Fields need a type.")
        content.type_id, content.fields = None, {}
        return
    type_id = types.find(identifier, RESOURCE)
    given = {name: value for name, value in (container or {}).items() if value is not None}
    types.check_container(type_id, given)
    content.type_id, content.fields = type_id, given


def check_limits(settings: Document) -> None:
    """Check that the cart limits leave room. Raises ApiError 400."""
    low, high = settings.get("minCartQuantity"), settings.get("maxCartQuantity")
    if low is not None and high is not None and low > high:
        raise invalid_field("minCartQuantity", low, "It must not exceed maxCartQuantity.")


def _change_quantity(content: Content, action: Document, _: Neighbours) -> None:
    content.stock = action["quantity"]
    content.absolute = True


def _add_quantity(content: Content, action: Document, _: Neighbours) -> None:
    set_stock(content, content.stock + action["quantity"])


def _remove_quantity(content: Content, action: Document, _: Neighbours) -> None:
    set_stock(content, content.stock - action["quantity"])


def _set_key(content: Content, action: Document, _: Neighbours) -> None:
    content.key = action.get("key")


def _put(settings: Document, name: str, value: Any) -> None:
    if value is None:
        settings.pop(name, None)
    else:
        settings[name] = value


def _setting(*names: str) -> Apply:
    def apply(content: Content, action: Document, _: Neighbours) -> None:
        for name in names:
            _put(content.settings, name, action.get(name))
        check_limits(content.settings)

    return apply


def _set_supply_channel(content: Content, action: Document, around: Neighbours) -> None:
    identifier = action.get("supplyChannel")
    content.channel_id = None if identifier is None else supply_channel(identifier, around)


def _set_custom_type(content: Content, action: Document, around: Neighbours) -> None:
    set_custom(content, action.get("type"), action.get("fields"), around.types)


def _set_custom_field(content: Content, action: Document, around: Neighbours) -> None:
    if content.type_id is None:
        raise invalid_operation("The inventory entry has no custom type.")
    name, value = action["name"], action.get("value")
    around.types.check_value(content.type_id, name, value)
    _put(content.fields, name, value)


def container(value: Any, field: str) -> None:
    """Accept custom fields by name."""
    if not isinstance(value, dict):
        raise invalid_json(f"{field}: expected an object")


NAME: Shape = {"action": (text, REQUIRED)}
SETTINGS: Shape = {
    "restockableInDays": (natural, OPTIONAL),
    "expectedDelivery": (date_time, OPTIONAL),
    "minCartQuantity": (small, OPTIONAL),
    "maxCartQuantity": (small, OPTIONAL),
}
QUANTITY: Shape = {**NAME, "quantity": (natural, REQUIRED)}
LIMITS = ("minCartQuantity", "maxCartQuantity")
ACTIONS: dict[str, Action] = {
    "changeQuantity": Action({**NAME, "quantity": (long, REQUIRED)}, _change_quantity),
    "addQuantity": Action(QUANTITY, _add_quantity),
    "removeQuantity": Action(QUANTITY, _remove_quantity),
    "setKey": Action({**NAME, "key": (key, OPTIONAL)}, _set_key),
    "setRestockableInDays": Action(
        {**NAME, "restockableInDays": (natural, OPTIONAL)}, _setting("restockableInDays")
    ),
    "setExpectedDelivery": Action(
        {**NAME, "expectedDelivery": (date_time, OPTIONAL)}, _setting("expectedDelivery")
    ),
    "setSupplyChannel": Action({**NAME, "supplyChannel": (CHANNEL, OPTIONAL)}, _set_supply_channel),
    "setInventoryLimits": Action({**NAME, **{name: SETTINGS[name] for name in LIMITS}}, _setting(*LIMITS)),
    "setCustomType": Action(
        {**NAME, "type": (TYPE, OPTIONAL), "fields": (container, OPTIONAL)}, _set_custom_type
    ),
    "setCustomField": Action(
        {**NAME, "name": (filled, REQUIRED), "value": (anything, OPTIONAL)}, _set_custom_field
    ),
}
DRAFT: Shape = {
    "sku": (filled, REQUIRED),
    "key": (key, OPTIONAL),
    "supplyChannel": (CHANNEL, OPTIONAL),
    "quantityOnStock": (long, REQUIRED),
    "custom": (
        lambda value, field: fields(
            value, field, {"type": (TYPE, REQUIRED), "fields": (container, OPTIONAL)}
        ),
        OPTIONAL,
    ),
    **SETTINGS,
}


def check_actions(value: Any, field: str) -> None:
    """Accept at most 500 known actions, each of its shape. Raises ApiError 400."""
    if not isinstance(value, list):
        raise invalid_json(f"{field}: expected an array")
    if len(value) > MAXIMUM_ACTIONS:
        raise invalid_field(field, len(value), f"At most {MAXIMUM_ACTIONS} actions are taken.")
    for action in value:
        name = action.get("action") if isinstance(action, dict) else None
        known = ACTIONS.get(name) if isinstance(name, str) else None
        if known is None:
            raise invalid_json(f"{field}: '{name}' is not an update action of inventory entries")
        fields(action, field, known.shape)


UPDATE: Shape = {"version": (long, REQUIRED), "actions": (check_actions, REQUIRED)}

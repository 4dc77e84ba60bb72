"""Types and the custom fields they allow; knows inventory entries only by their resource type's name."""

import re
from collections.abc import Callable
from typing import Any

from archsyncd.simulators.commercetools.errors import (
    conflict,
    duplicate_field,
    invalid_field,
    invalid_input,
    invalid_operation,
    not_found,
    required_field,
    unknown_reference,
)
from archsyncd.simulators.commercetools.predicates import FieldKinds, Kind
from archsyncd.simulators.commercetools.queries import Catalog
from archsyncd.simulators.commercetools.records import Actor, Document, Surroundings
from archsyncd.simulators.commercetools.resources import AUDIT, created, touched
from archsyncd.simulators.commercetools.shapes import (
    DATE_TIME,
    OPTIONAL,
    REQUIRED,
    Shape,
    anything,
    fields,
    flag,
    key,
    list_of,
    localized,
    long,
    object_of,
    one_of,
    text,
)
from archsyncd.simulators.commercetools.shelf import Shelf

RESOURCE_TYPES = [
    "address",
    "asset",
    "approval-flow",
    "approval-rule",
    "associate-role",
    "business-unit",
    "cart-discount",
    "category",
    "channel",
    "customer",
    "customer-group",
    "custom-line-item",
    "discount-code",
    "inventory-entry",
    "line-item",
    "order",
    "order-edit",
    "order-delivery",
    "order-parcel",
    "order-return-item",
    "payment",
    "payment-interface-interaction",
    "payment-method",
    "payment-method-info",
    "product-price",
    "product-selection",
    "product-tailoring",
    "quote",
    "reservation",
    "review",
    "recurring-order",
    "shipping",
    "shipping-method",
    "shopping-list",
    "shopping-list-text-line-item",
    "standalone-price",
    "store",
    "transaction",
]
FIELD_NAME = re.compile(r"[A-Za-z0-9_-]{2,36}\Z")
DATE = re.compile(r"\d{4}-\d\d-\d\d\Z")
TIME = re.compile(r"\d\d:\d\d:\d\d(\.\d{1,3})?\Z")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_texts(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(part, str) for part in value.values())


VALUES: dict[str, Callable[[Any], bool]] = {
    "Boolean": lambda value: isinstance(value, bool),
    "Number": _is_number,
    "String": lambda value: isinstance(value, str),
    "Enum": lambda value: isinstance(value, str),
    "LocalizedEnum": lambda value: isinstance(value, str),
    "LocalizedString": _is_texts,
    "DateTime": lambda value: isinstance(value, str) and DATE_TIME.match(value) is not None,
    "Date": lambda value: isinstance(value, str) and DATE.match(value) is not None,
    "Time": lambda value: isinstance(value, str) and TIME.match(value) is not None,
    "Money": lambda value: isinstance(value, dict) and {"centAmount", "currencyCode"} <= set(value),
    "Reference": lambda value: isinstance(value, dict) and {"typeId", "id"} <= set(value),
}


def _field_type(value: Any, field: str) -> None:
    shape: dict[str, Any] = {"name": (one_of(*VALUES, "Set"), REQUIRED)}
    name = value.get("name") if isinstance(value, dict) else None
    if name == "Set":
        shape["elementType"] = (_field_type, REQUIRED)
    elif name in ("Enum", "LocalizedEnum"):
        shape["values"] = (list_of(anything), REQUIRED)
    elif name == "Reference":
        shape["referenceTypeId"] = (text, REQUIRED)
    fields(value, field, shape)


DEFINITION: Shape = {
    "type": (_field_type, REQUIRED),
    "name": (text, REQUIRED),
    "label": (localized, REQUIRED),
    "required": (flag, REQUIRED),
    "inputHint": (one_of("SingleLine", "MultiLine"), OPTIONAL),
}
DRAFT: Shape = {
    "key": (key, REQUIRED),
    "name": (localized, REQUIRED),
    "description": (localized, OPTIONAL),
    "resourceTypeIds": (list_of(one_of(*RESOURCE_TYPES)), REQUIRED),
    "fieldDefinitions": (list_of(object_of(DEFINITION)), OPTIONAL),
}
UPDATE: Shape = {"version": (long, REQUIRED), "actions": (list_of(anything), REQUIRED)}
ADD_FIELD: Shape = {"action": (text, REQUIRED), "fieldDefinition": (object_of(DEFINITION), REQUIRED)}
KNOWN: FieldKinds = {**AUDIT, "key": Kind.TEXT, "resourceTypeIds": Kind.TEXTS, "name": Kind.OPEN}


class Types:
    """The project's types."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._by_id: Shelf[Document] = Shelf(lambda document: str(document["createdAt"]))
        self._by_key: dict[str, Document] = {}
        self._definitions: dict[str, dict[str, Document]] = {}
        self.catalog = Catalog(self._by_id, KNOWN, lambda document: document)

    def create(self, draft: Any, actor: Actor) -> Document:
        """Create a type from a TypeDraft. Raises ApiError 400."""
        fields(draft, "body", DRAFT)
        if not draft["resourceTypeIds"]:
            raise invalid_field("resourceTypeIds", [], "At least one resource type is needed.")
        if draft["key"] in self._by_key:
            raise duplicate_field("key", draft["key"])
        document = created(self._around, actor) | {
            name: value for name, value in draft.items() if value is not None
        }
        document["fieldDefinitions"] = []
        for definition in draft.get("fieldDefinitions") or ():
            document = self._with_definition(document, definition)
        return self._store(document)

    def by_id(self, type_id: str) -> Document:
        """Return a type. Raises ApiError 404."""
        document = self._by_id.get(type_id)
        if document is None:
            raise not_found(f"types/{type_id}")
        return document

    def by_key(self, type_key: str) -> Document:
        """Return a type. Raises ApiError 404."""
        if type_key not in self._by_key:
            raise not_found(f"types/key={type_key}")
        return self._by_key[type_key]

    def update(self, document: Document, request: Any, actor: Actor) -> Document:
        """Apply addFieldDefinition actions, all or none. Raises ApiError 400 or 409."""
        fields(request, "body", UPDATE)
        for action in request["actions"]:
            name = action.get("action") if isinstance(action, dict) else None
            if name != "addFieldDefinition":
                raise invalid_input(f"The update action '{name}' is not known for types.")
            fields(action, "actions", ADD_FIELD)
        if request["version"] != document["version"]:
            raise conflict(request["version"], document["version"])
        changed = document
        for action in request["actions"]:
            changed = self._with_definition(changed, action["fieldDefinition"])
        if changed is document:
            return document
        return self._store(touched(changed, self._around, actor))

    def delete(self, document: Document, version: int) -> Document:
        """Remove a type that nothing has any more. Raises ApiError 409."""
        if version != document["version"]:
            raise conflict(version, document["version"])
        self._by_id.remove(document["id"])
        del self._by_key[document["key"]], self._definitions[document["id"]]
        return document

    def find(self, identifier: Document, resource_type: str) -> str:
        """Return the id of the type a draft or an action names. Raises ApiError 400."""
        by = {name: identifier[name] for name in ("id", "key") if identifier.get(name) is not None}
        document = self._by_id.get(by["id"]) if "id" in by else self._by_key.get(by["key"])
        if document is None:
            raise unknown_reference("type", **by)
        if resource_type not in document["resourceTypeIds"]:
            raise invalid_operation(
                f"The type '{document['key']}' is not for the resource '{resource_type}'."
            )
        return str(document["id"])

    def check_value(self, type_id: str, name: str, value: Any) -> None:
        """Check one custom field's value, None meaning removal. Raises ApiError 400."""
        definition = self._definitions[type_id].get(name)
        if definition is None:
            raise invalid_field(name, value, "The type has no such field.")
        if value is None:
            if definition["required"]:
                raise required_field(name)
        elif not _fits(definition["type"], value):
            raise invalid_field(name, value, f"The field is of type {definition['type']['name']}.")

    def check_container(self, type_id: str, container: Document) -> None:
        """Check all custom fields of a resource at once, the required ones included. Raises ApiError 400."""
        for name, value in container.items():
            self.check_value(type_id, name, value)
        for name, definition in self._definitions[type_id].items():
            if definition["required"] and container.get(name) is None:
                raise required_field(name)

    def _with_definition(self, document: Document, definition: Document) -> Document:
        name = definition["name"]
        if not FIELD_NAME.match(name):
            raise invalid_field("name", name, "It must match [A-Za-z0-9_-]{2,36}.")
        if any(known["name"] == name for known in document["fieldDefinitions"]):
            raise duplicate_field("name", name)
        kept = {part: value for part, value in definition.items() if value is not None}
        full = {"inputHint": "SingleLine", **kept}
        return {**document, "fieldDefinitions": [*document["fieldDefinitions"], full]}

    def _store(self, document: Document) -> Document:
        type_id = document["id"]
        self._by_id.add(type_id, document)
        self._by_key[document["key"]] = document
        self._definitions[type_id] = {known["name"]: known for known in document["fieldDefinitions"]}
        return document


def _fits(field_type: Document, value: Any) -> bool:
    name = field_type["name"]
    if name == "Set":
        return isinstance(value, list) and all(_fits(field_type["elementType"], part) for part in value)
    if name in ("Enum", "LocalizedEnum"):
        return any(isinstance(known, dict) and known.get("key") == value for known in field_type["values"])
    return VALUES[name](value)

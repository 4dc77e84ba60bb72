"""Custom Objects: create-or-replace with compare-and-set on the version; knows nothing of what they hold."""

import re
from typing import Any

from archsyncd.simulators.commercetools.errors import ApiError, conflict, invalid_field, not_found
from archsyncd.simulators.commercetools.predicates import FieldKinds, Kind
from archsyncd.simulators.commercetools.queries import Catalog, Page
from archsyncd.simulators.commercetools.records import Actor, Document, Surroundings
from archsyncd.simulators.commercetools.resources import AUDIT, created, touched
from archsyncd.simulators.commercetools.shapes import (
    OPTIONAL,
    REQUIRED,
    Shape,
    anything,
    fields,
    natural,
    text,
)
from archsyncd.simulators.commercetools.shelf import Shelf

NAME = re.compile(r"[-_~.a-zA-Z0-9]{1,256}\Z")
KNOWN: FieldKinds = {**AUDIT, "container": Kind.TEXT, "key": Kind.TEXT, "value": Kind.OPEN}


def _name(value: Any, field: str) -> None:
    text(value, field)
    if not NAME.match(value):
        raise invalid_field(field, value, "It must match [-_~.a-zA-Z0-9]{1,256}.")


DRAFT: Shape = {
    "container": (_name, REQUIRED),
    "key": (_name, REQUIRED),
    "value": (anything, REQUIRED),
    "version": (natural, OPTIONAL),
}


class CustomObjects:
    """All custom objects of the project."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._shelf: Shelf[Document] = Shelf(lambda document: str(document["createdAt"]))
        self._by_name: dict[tuple[str, str], Document] = {}
        self.catalog = Catalog(self._shelf, KNOWN, lambda document: document)

    def put(self, draft: Any, actor: Actor) -> tuple[int, Document]:
        """Create or replace an object from a CustomObjectDraft; returns 201 or 200 and the object.

        A version on an object that does not exist must be 0. Raises ApiError 400 or 409.
        """
        fields(draft, "body", DRAFT)
        name, version = (draft["container"], draft["key"]), draft.get("version")
        known = self._by_name.get(name)
        if known is None:
            if version:
                raise conflict(version, 0)
            document = created(self._around, actor) | {"container": name[0], "key": name[1]}
            return 201, self._store(name, document | {"value": draft["value"]})
        if version is not None and version != known["version"]:
            raise conflict(version, known["version"])
        document = touched(known, self._around, actor) | {"value": draft["value"]}
        return 200, self._store(name, document)

    def get(self, container: str, key: str) -> Document:
        """Return an object. Raises ApiError 404."""
        document = self._by_name.get((container, key))
        if document is None:
            raise not_found(f"custom-objects/{container}/{key}")
        return document

    def delete(self, container: str, key: str, version: int | None) -> Document:
        """Remove an object. Raises ApiError 404 or 409."""
        document = self.get(container, key)
        if version is not None and version != document["version"]:
            raise conflict(version, document["version"])
        del self._by_name[(container, key)]
        self._shelf.remove(document["id"])
        return document

    def in_container(self, container: str, page: Page) -> Document:
        """Return a page of one container's objects. Raises ApiError 400."""
        if not NAME.match(container):
            raise ApiError(400, "InvalidInput", "Malformed container name.")
        only = Page(
            (f'container = "{container}"', *page.where), page.sort, page.limit, page.offset, page.with_total
        )
        return self.catalog.select(only)

    def _store(self, name: tuple[str, str], document: Document) -> Document:
        self._shelf.add(document["id"], document)
        self._by_name[name] = document
        return document

"""The project's channels; read-only over the API, as the daemon never writes them."""

from collections.abc import Sequence

from archsyncd.simulators.commercetools.errors import not_found, unknown_reference
from archsyncd.simulators.commercetools.predicates import FieldKinds, Kind
from archsyncd.simulators.commercetools.queries import Catalog
from archsyncd.simulators.commercetools.records import PERSON, Document, Surroundings
from archsyncd.simulators.commercetools.resources import AUDIT, created, touched
from archsyncd.simulators.commercetools.shelf import Shelf

ROLES = ("InventorySupply", "ProductDistribution", "OrderExport", "OrderImport", "Primary")
KNOWN: FieldKinds = {**AUDIT, "key": Kind.TEXT, "roles": Kind.TEXTS, "name": Kind.OPEN}


class Channels:
    """Supply channels by id and key."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._shelf: Shelf[Document] = Shelf(lambda document: str(document["createdAt"]))
        self._by_key: dict[str, Document] = {}
        self.catalog = Catalog(
            self._shelf,
            KNOWN,
            lambda document: document,
            {frozenset({("key",)}): lambda value: [self._by_key[value]] if value in self._by_key else []},
        )

    def add(self, key: str, roles: Sequence[str], locale: str) -> str:
        """Create a channel and return its id. Raises ValueError for an unknown role or a used key."""
        if key in self._by_key or set(roles) - set(ROLES):
            raise ValueError(f"channel {key!r} exists or has an unknown role in {list(roles)}")
        document = created(self._around, PERSON) | {"key": key, "roles": list(roles), "name": {locale: key}}
        self._shelf.add(document["id"], document)
        self._by_key[key] = document
        return str(document["id"])

    def set_roles(self, key: str, roles: Sequence[str]) -> None:
        """Give a channel other roles, as a person does in the Merchant Center."""
        document = touched(self._by_key[key], self._around, PERSON) | {"roles": list(roles)}
        self._shelf.add(document["id"], document)
        self._by_key[key] = document

    def by_id(self, channel_id: str) -> Document:
        """Return a channel. Raises ApiError 404."""
        document = self._shelf.get(channel_id)
        if document is None:
            raise not_found(f"channels/{channel_id}")
        return document

    def by_key(self, key: str) -> Document:
        """Return a channel. Raises ApiError 404."""
        if key not in self._by_key:
            raise not_found(f"channels/key={key}")
        return self._by_key[key]

    def find(self, identifier: Document) -> Document:
        """Return the channel a draft or an action names. Raises ApiError 400."""
        by = {name: identifier[name] for name in ("id", "key") if identifier.get(name) is not None}
        document = self._shelf.get(by["id"]) if "id" in by else self._by_key.get(by["key"])
        if document is None:
            raise unknown_reference("channel", **by)
        return document

    def id_of(self, key: str | None) -> str | None:
        """Return the id of a channel key; None stands for no channel. Raises KeyError."""
        return None if key is None else str(self._by_key[key]["id"])

    def key_of(self, channel_id: str | None) -> str | None:
        """Return the key of a channel id; None stands for no channel."""
        document = None if channel_id is None else self._shelf.get(channel_id)
        return None if document is None else str(document["key"])

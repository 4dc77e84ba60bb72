"""Messages as the Messages Query endpoint shows them: late, perhaps out of order, twice or not at all.

Retention, lag, duplicates and losses follow the configuration; what happened is told by others.
"""

from dataclasses import dataclass, replace
from typing import Any

from archsyncd.simulators.commercetools.clock import stamp
from archsyncd.simulators.commercetools.config import SimulatorConfig
from archsyncd.simulators.commercetools.errors import not_found
from archsyncd.simulators.commercetools.predicates import FieldKinds, Kind
from archsyncd.simulators.commercetools.queries import Catalog, Page
from archsyncd.simulators.commercetools.records import Actor, Document, Surroundings
from archsyncd.simulators.commercetools.resources import AUDIT, REFERENCE
from archsyncd.simulators.commercetools.shelf import Shelf

DAY_SECONDS = 86_400
KNOWN: FieldKinds = {
    **AUDIT,
    "type": Kind.TEXT,
    "sequenceNumber": Kind.NUMBER,
    "resource": REFERENCE,
    "resourceVersion": Kind.NUMBER,
    "resourceUserProvidedIdentifiers": {"orderNumber": Kind.TEXT, "key": Kind.TEXT, "sku": Kind.TEXT},
}


@dataclass(frozen=True, slots=True)
class _Message:
    document: Document
    visible_at: float
    expires_at: float


class Messages:
    """The messages a project keeps; `settings` may be replaced at run time."""

    def __init__(self, around: Surroundings, settings: SimulatorConfig) -> None:
        self._around = around
        self.settings = settings
        self._shelf: Shelf[_Message] = Shelf(lambda message: str(message.document["createdAt"]))
        self.catalog = Catalog(self._shelf, KNOWN, self._view)

    def __len__(self) -> int:
        return len(self._shelf)

    def tell(
        self, kind: str, resource: Document, version: int, sequence: int, actor: Actor, **payload: Any
    ) -> None:
        """Keep a message about a resource, unless the project keeps none or a fault loses it."""
        settings, chance = self.settings, self._around.chance
        if not settings.messages_enabled or (
            settings.message_losses and chance.random() < settings.message_losses
        ):
            return
        now = self._around.clock.now()
        document = {
            "id": self._around.new_id(),
            "version": 1,
            "createdAt": stamp(now),
            "lastModifiedAt": stamp(now),
            "createdBy": actor.document(),
            "lastModifiedBy": actor.document(),
            "sequenceNumber": sequence,
            "resource": resource,
            "resourceVersion": version,
            "type": kind,
            **payload,
        }
        visible_at = self._around.moment_within(settings.message_lag_seconds)
        message = _Message(document, visible_at, now + settings.message_retention_days * DAY_SECONDS)
        self._shelf.add(document["id"], message)
        if settings.message_duplicates and chance.random() < settings.message_duplicates:
            again = {**document, "id": self._around.new_id()}
            later = self._around.moment_within(settings.message_lag_seconds)
            self._shelf.add(again["id"], replace(message, document=again, visible_at=later))

    def select(self, page: Page) -> Document:
        """Return a page of the messages visible now; of a project without messages, the empty one."""
        return self.catalog.select(page)

    def by_id(self, message_id: str) -> Document:
        """Return a message. Raises ApiError 404."""
        message = self._shelf.get(message_id)
        document = None if message is None else self._view(message)
        if document is None:
            raise not_found(f"messages/{message_id}")
        return document

    def _view(self, message: _Message) -> Document | None:
        now = self._around.clock.now()
        return message.document if message.visible_at <= now < message.expires_at else None

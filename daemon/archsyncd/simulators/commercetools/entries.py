"""One inventory entry: its true stock, what a reader sees of it, and its document; knows no requests.

Order effects move the true stock at once and become readable later (commercetools, release notes of
19 January 2026: up to 10 s); direct writes are readable at once.
"""

from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from archsyncd.simulators.commercetools.clock import stamp
from archsyncd.simulators.commercetools.records import Actor, Document


class PendingEffect(NamedTuple):
    """An order's effect that readers do not see yet: from when on, and by how much the stock moved."""

    visible_at: float
    delta: int


@dataclass(slots=True)
class Content:
    """What update actions change; replaced as a whole when all of a request's actions succeeded."""

    sku: str
    channel_id: str | None
    stock: int
    absolute: bool = field(default=False, compare=False)
    key: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    type_id: str | None = None
    fields: dict[str, Any] = field(default_factory=dict)

    def copy(self) -> "Content":
        """Return a copy whose changes do not show here."""
        return replace(self, settings=dict(self.settings), fields=dict(self.fields), absolute=False)


@dataclass(slots=True)
class Entry:
    """An inventory entry; `content.stock` is the truth, `pending` what readers do not see of it yet."""

    entry_id: str
    content: Content
    created_at: float
    created_by: Actor
    modified_at: float
    modified_by: Actor
    version: int = 1
    reserved: int = 0
    sequence: int = 0
    pending: list[PendingEffect] = field(default_factory=list)

    def settle(self, now: float, *, raises_version: bool) -> None:
        """Let effects become readable whose time has come; each raises the version."""
        if not self.pending:
            return
        due = [effect for effect in self.pending if effect.visible_at <= now]
        if due:
            self.pending = [effect for effect in self.pending if effect.visible_at > now]
            if raises_version:
                self.version += len(due)
            self.modified_at = max(self.modified_at, *(effect.visible_at for effect in due))

    def readable_stock(self) -> int:
        """Return quantityOnStock as a reader sees it."""
        if not self.pending:
            return self.content.stock
        return self.content.stock - sum(effect.delta for effect in self.pending)

    def document(self) -> Document:
        """Return the entry as the API shows it (InventoryEntry)."""
        content = self.content
        stock = self.readable_stock()
        document: Document = {
            "id": self.entry_id,
            "version": self.version,
            "createdAt": stamp(self.created_at),
            "lastModifiedAt": stamp(self.modified_at),
            "lastModifiedBy": self.modified_by.document(),
            "createdBy": self.created_by.document(),
            "sku": content.sku,
            "quantityOnStock": stock,
            "availableQuantity": stock - self.reserved,
        }
        if content.key is not None:
            document["key"] = content.key
        if content.channel_id is not None:
            document["supplyChannel"] = {"typeId": "channel", "id": content.channel_id}
        if content.settings:
            document.update(content.settings)
        if content.type_id is not None:
            document["custom"] = {
                "type": {"typeId": "type", "id": content.type_id},
                "fields": dict(content.fields),
            }
        return document

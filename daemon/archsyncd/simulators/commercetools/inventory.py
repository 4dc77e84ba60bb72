"""The project's stock: entries, their writes and the effect of orders on them; knows neither HTTP nor orders.

Rules: one entry per (SKU, supply channel), an update's actions apply in order and all together, a write needs
the current version (commercetools, "Inventory").
"""

from collections.abc import Callable
from typing import Any

from archsyncd.simulators.commercetools.clock import stamp
from archsyncd.simulators.commercetools.config import SimulatorConfig
from archsyncd.simulators.commercetools.entries import Content, Entry, PendingEffect
from archsyncd.simulators.commercetools.errors import conflict, duplicate_field, not_found
from archsyncd.simulators.commercetools.inventory_actions import (
    ACTIONS,
    DRAFT,
    SETTINGS,
    UPDATE,
    Neighbours,
    check_limits,
    set_custom,
    supply_channel,
)
from archsyncd.simulators.commercetools.journal import Journal, Place
from archsyncd.simulators.commercetools.predicates import FieldKinds, Kind
from archsyncd.simulators.commercetools.queries import Catalog
from archsyncd.simulators.commercetools.records import Actor, Document, Surroundings
from archsyncd.simulators.commercetools.resources import AUDIT, REFERENCE
from archsyncd.simulators.commercetools.shapes import fields
from archsyncd.simulators.commercetools.shelf import Shelf

KNOWN: FieldKinds = {
    **AUDIT,
    "sku": Kind.TEXT,
    "key": Kind.TEXT,
    "quantityOnStock": Kind.NUMBER,
    "availableQuantity": Kind.NUMBER,
    "restockableInDays": Kind.NUMBER,
    "expectedDelivery": Kind.MOMENT,
    "minCartQuantity": Kind.NUMBER,
    "maxCartQuantity": Kind.NUMBER,
    "supplyChannel": REFERENCE,
    "custom": {"type": REFERENCE, "fields": Kind.OPEN},
}
Announce = Callable[[Entry, str, Document, Actor], None]


class Inventory:
    """All inventory entries of the project; `settings` may be replaced at run time."""

    def __init__(
        self,
        around: Surroundings,
        neighbours: Neighbours,
        journal: Journal,
        announce: Announce,
        settings: SimulatorConfig,
    ) -> None:
        self._around = around
        self._neighbours = neighbours
        self._journal = journal
        self._announce = announce
        self.settings = settings
        self._shelf: Shelf[Entry] = Shelf(lambda entry: stamp(entry.created_at))
        self._by_place: dict[Place, Entry] = {}
        self._by_sku: dict[str, list[Entry]] = {}
        self._by_key: dict[str, Entry] = {}
        self.catalog = Catalog(
            self._shelf,
            KNOWN,
            self.view,
            {
                frozenset({("sku",)}): lambda sku: self._by_sku.get(sku, ()),
                frozenset({("id",)}): lambda entry_id: self._some(self._shelf.get(entry_id)),
                frozenset({("key",)}): lambda key: self._some(self._by_key.get(key)),
            },
        )

    def __len__(self) -> int:
        return len(self._shelf)

    def entries(self) -> list[Entry]:
        """Return every entry, settled to now."""
        return [self._settled(entry) for entry in self._shelf]

    def view(self, entry: Entry) -> Document:
        """Return an entry's document as a reader sees it now."""
        return self._settled(entry).document()

    def at(self, place: Place) -> Entry | None:
        """Return the entry of (SKU, channel id)."""
        return self._by_place.get(place)

    def by_id(self, entry_id: str) -> Entry:
        """Return an entry. Raises ApiError 404."""
        entry = self._shelf.get(entry_id)
        if entry is None:
            raise not_found(f"inventory/{entry_id}")
        return self._settled(entry)

    def by_key(self, key: str) -> Entry:
        """Return an entry. Raises ApiError 404."""
        entry = self._by_key.get(key)
        if entry is None:
            raise not_found(f"inventory/key={key}")
        return self._settled(entry)

    def create(self, draft: Any, actor: Actor) -> Entry:
        """Create an entry from an InventoryEntryDraft. Raises ApiError 400."""
        fields(draft, "body", DRAFT)
        channel = draft.get("supplyChannel")
        channel_id = None if channel is None else supply_channel(channel, self._neighbours)
        content = Content(draft["sku"], channel_id, draft["quantityOnStock"], key=draft.get("key"))
        content.settings = {name: draft[name] for name in SETTINGS if draft.get(name) is not None}
        check_limits(content.settings)
        custom = draft.get("custom")
        if custom is not None:
            set_custom(content, custom["type"], custom.get("fields"), self._neighbours.types)
        self._refuse_duplicates(None, content)
        now = self._around.clock.now()
        entry = Entry(self._around.new_id(), content, now, actor, now, actor)
        self._place(entry)
        self._note(entry, content.stock, actor.name())
        self._announce(entry, "InventoryEntryCreated", {}, actor)
        return entry

    def update(self, entry: Entry, request: Any, actor: Actor) -> Entry:
        """Apply an InventoryEntryUpdate, all actions or none. Raises ApiError 400 or 409."""
        fields(request, "body", UPDATE)
        self._settled(entry)
        strict = self.settings.stale_version_refused_without_change
        if strict and request["version"] != entry.version:
            raise conflict(request["version"], entry.version)
        content = entry.content.copy()
        neighbours = self._neighbours
        for action in request["actions"]:
            ACTIONS[action["action"]].apply(content, action, neighbours)
        if request["version"] != entry.version and content != entry.content:
            raise conflict(request["version"], entry.version)
        if content != entry.content or (content.absolute and entry.pending):
            self._commit(entry, content, actor)
        return entry

    def delete(self, entry: Entry, version: int, actor: Actor) -> Document:
        """Remove an entry and return its last document. Raises ApiError 409."""
        document = self.view(entry)
        if version != entry.version:
            raise conflict(version, entry.version)
        self._shelf.remove(entry.entry_id)
        self._unplace(entry)
        self._note(entry, -entry.content.stock, actor.name())
        self._announce(entry, "InventoryEntryDeleted", {}, actor)
        return document

    def uses_type(self, type_id: str) -> bool:
        """Say whether some entry has this custom type."""
        return any(entry.content.type_id == type_id for entry in self._shelf)

    def order_effect(self, entry: Entry, delta: int, visible_at: float, who: str) -> int:
        """Move the true stock now and let readers see it from `visible_at` on; returns the true stock."""
        entry.content.stock += delta
        if self.settings.order_effect_drops_marker:
            entry.content.type_id, entry.content.fields = None, {}
        entry.pending.append(PendingEffect(visible_at, delta))
        self._note(entry, delta, who)
        return entry.content.stock

    def hold(self, entry: Entry, units: int) -> None:
        """Reserve units for a cart (negative: release them); availableQuantity follows at once."""
        entry.reserved += units

    def touch(self, entry: Entry) -> None:
        """Raise the version without any other change."""
        self._settled(entry)
        entry.version += self._version_step()
        entry.modified_at = self._around.clock.now()

    def clear_marker(self, entry: Entry) -> None:
        """Take the custom type off an entry, as a person or a careless import does."""
        self.touch(entry)
        entry.content.type_id, entry.content.fields = None, {}

    def _settled(self, entry: Entry) -> Entry:
        if entry.pending:
            entry.settle(self._around.clock.now(), raises_version=self.settings.order_effect_raises_version)
        return entry

    def _commit(self, entry: Entry, content: Content, actor: Actor) -> None:
        before = entry.content
        placed = (content.sku, content.channel_id, content.key) != (before.sku, before.channel_id, before.key)
        if placed:
            self._refuse_duplicates(entry, content)
            self._unplace(entry)
        old_stock = entry.readable_stock()
        entry.content = content
        if content.absolute:
            entry.pending = [effect._replace(delta=0) for effect in entry.pending]
        entry.version += self._version_step()
        entry.modified_at = self._around.clock.now()
        entry.modified_by = actor
        if placed:
            self._place(entry)
        delta = content.stock - before.stock
        self._note(entry, delta, actor.name())
        if delta:
            self._announce(entry, "InventoryEntryQuantitySet", {"old": old_stock}, actor)

    def _version_step(self) -> int:
        largest = self.settings.largest_version_step
        return 1 if largest == 1 else self._around.chance.randint(1, largest)

    def _note(self, entry: Entry, delta: int, who: str) -> None:
        content = entry.content
        place = (content.sku, content.channel_id)
        self._journal.stock_moved(place, self._around.clock.now(), content.fields, delta, content.stock, who)

    def _refuse_duplicates(self, entry: Entry | None, content: Content) -> None:
        if self._by_place.get((content.sku, content.channel_id), entry) is not entry:
            raise duplicate_field("sku", content.sku)
        if content.key is not None and self._by_key.get(content.key, entry) is not entry:
            raise duplicate_field("key", content.key)

    def _place(self, entry: Entry) -> None:
        content = entry.content
        self._shelf.add(entry.entry_id, entry)
        self._by_place[(content.sku, content.channel_id)] = entry
        self._by_sku.setdefault(content.sku, []).append(entry)
        if content.key is not None:
            self._by_key[content.key] = entry

    def _unplace(self, entry: Entry) -> None:
        content = entry.content
        del self._by_place[(content.sku, content.channel_id)]
        self._by_sku[content.sku].remove(entry)
        if content.key is not None:
            del self._by_key[content.key]

    @staticmethod
    def _some(entry: Entry | None) -> tuple[Entry, ...]:
        return () if entry is None else (entry,)

"""All state of one simulated project, wired together; knows neither HTTP nor faults."""

from collections.abc import Sequence
from dataclasses import replace

from archsyncd.simulators.commercetools.catalogue import Catalogue
from archsyncd.simulators.commercetools.channels import Channels
from archsyncd.simulators.commercetools.clock import stamp
from archsyncd.simulators.commercetools.config import SimulatorConfig
from archsyncd.simulators.commercetools.custom_objects import CustomObjects
from archsyncd.simulators.commercetools.custom_types import Types
from archsyncd.simulators.commercetools.entries import Entry
from archsyncd.simulators.commercetools.inventory import Inventory
from archsyncd.simulators.commercetools.inventory_actions import Neighbours
from archsyncd.simulators.commercetools.journal import Journal
from archsyncd.simulators.commercetools.messages import Messages
from archsyncd.simulators.commercetools.order_updates import OrderUpdates
from archsyncd.simulators.commercetools.orders import Orders
from archsyncd.simulators.commercetools.records import Actor, Document, Surroundings, reference

FIXED = frozenset({"project_key", "clients", "token_lifetime_seconds", "journal"})


class Project:
    """The state engine of a project: every part with its own rules, sharing time, chance and a journal."""

    def __init__(self, config: SimulatorConfig, around: Surroundings) -> None:
        self.config = config
        self.around = around
        self.journal = Journal(keeps_lines=config.journal)
        self.channels = Channels(around)
        self.types = Types(around)
        self.catalogue = Catalogue(around)
        self.objects = CustomObjects(around)
        self.messages = Messages(around, config)
        self.inventory = Inventory(
            around,
            Neighbours(self.channels, self.types),
            self.journal,
            self._announce,
            config,
        )
        self.orders = Orders(around, config, self.channels, self.inventory, self.messages, self.journal)
        self.order_updates = OrderUpdates(around, self.channels, self.orders)
        self._created_at = stamp(around.clock.now())

    def reconfigure(self, **changes: object) -> SimulatorConfig:
        """Change lags, limits, messages and stock rules while running.

        Raises TypeError for an unknown name, ValueError for what is fixed from the start.
        """
        if FIXED & set(changes):
            raise ValueError(f"fixed from the start: {sorted(FIXED & set(changes))}")
        self.config = replace(self.config, **changes)  # type: ignore[arg-type]  # checked by the dataclass
        self.messages.settings = self.inventory.settings = self.config
        self.orders.reconfigure(self.config)
        return self.config

    def describe(self) -> Document:
        """Return the project document (Project)."""
        config = self.config
        messages = {
            "enabled": config.messages_enabled,
            "deleteDaysAfterCreation": config.message_retention_days,
        }
        return {
            "version": 1,
            "key": config.project_key,
            "name": config.project_key,
            "countries": ["DE"],
            "currencies": ["EUR"],
            "languages": [config.locale],
            "createdAt": self._created_at,
            "messages": messages,
            "carts": {"deleteDaysAfterLastModification": 90, "countryTaxRateFallbackEnabled": False},
            "shoppingLists": {"deleteDaysAfterLastModification": 360},
            "inventory": {"releaseExpiredReservations": True},
            "discounts": {"discountCombinationMode": "Stacking"},
        }

    def add_channel(self, key: str, roles: Sequence[str]) -> str:
        """Create a channel; returns its id."""
        return self.channels.add(key, roles, self.config.locale)

    def _announce(self, entry: Entry, kind: str, details: Document, actor: Actor) -> None:
        if not (self.config.messages_enabled and self.config.inventory_messages):
            return
        content = entry.content
        payload: Document = {}
        if kind == "InventoryEntryCreated":
            payload["inventoryEntry"] = entry.document()
        else:
            payload["sku"] = content.sku
            if content.channel_id is not None:
                payload["supplyChannel"] = reference("channel", content.channel_id)
        if kind == "InventoryEntryQuantitySet":
            old, new = details["old"], entry.readable_stock()
            payload |= {"oldQuantityOnStock": old, "newQuantityOnStock": new}
            payload |= {
                "oldAvailableQuantity": old - entry.reserved,
                "newAvailableQuantity": new - entry.reserved,
            }
        entry.sequence += 1
        resource = reference("inventory-entry", entry.entry_id)
        self.messages.tell(kind, resource, entry.version, entry.sequence, actor, **payload)

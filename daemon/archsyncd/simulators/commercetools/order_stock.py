"""What orders do to the stock: admission by inventory mode, the taking, the giving back; knows no order's life.

Stock is taken at order creation and the effect is true at once and readable later (commercetools, "Inventory
modes" and the release notes of 19 January 2026). What comes back is the capability `restores_stock_on`.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from archsyncd.simulators.commercetools.config import SimulatorConfig
from archsyncd.simulators.commercetools.errors import ApiError
from archsyncd.simulators.commercetools.inventory import Inventory
from archsyncd.simulators.commercetools.journal import Admission, Journal, OrderEvent, Place
from archsyncd.simulators.commercetools.records import Document, Surroundings


def place_of(line: Document) -> Place:
    """Return the (SKU, channel id) a line draws on."""
    channel = line.get("supplyChannel")
    return (line["variant"].get("sku", ""), None if channel is None else channel["id"])


def tracked_units(lines: Sequence[Document]) -> Counter[Place]:
    """Return the units of the lines the platform tracks, by entry."""
    units = Counter[Place]()
    for line in lines:
        if line["inventoryMode"] != "None":
            units[place_of(line)] += line["quantity"]
    return units


class OrderStock:
    """The stock side of orders; `settings` may be replaced at run time."""

    def __init__(
        self, around: Surroundings, settings: SimulatorConfig, inventory: Inventory, journal: Journal
    ) -> None:
        self._around = around
        self.settings = settings
        self._inventory = inventory
        self._journal = journal

    def take(self, order_id: str, lines: Sequence[Document]) -> None:
        """Take all lines or none.

        Raises ApiError 400 OutOfStock when a tracked line has no entry or a reserving one too little.
        """
        wanted = tracked_units(lines)
        reserving = {
            place_of(line) for line in lines if line["inventoryMode"] in ("ReserveOnOrder", "ReserveOnCart")
        }
        short = [line for line in lines if self._lacks(line, wanted, reserving)]
        if short:
            self._journal.refused_orders += 1
            now = self._around.clock.now()
            self._journal.orders.append(OrderEvent(now, order_id, "refused", "OutOfStock"))
            raise ApiError(
                400,
                "OutOfStock",
                "Line items are out of stock at the time of ordering.",
                lineItems=[line["id"] for line in short],
                skus=[line["variant"].get("sku", "") for line in short],
            )
        visible_at = self._around.moment_within(self.settings.stock_lag_seconds)
        for line in lines:
            self._admit(order_id, line, visible_at)

    def give(self, order_id: str, cause: str, units: Mapping[Place, int]) -> None:
        """Give units back where the project does so for this cause."""
        if not self.restores(cause):
            return
        visible_at = self._around.moment_within(self.settings.stock_lag_seconds)
        for place, quantity in units.items():
            entry = self._inventory.at(place)
            if entry is not None and quantity:
                self._inventory.order_effect(entry, quantity, visible_at, f"{cause} {order_id}")

    def restores(self, cause: str) -> bool:
        """Say whether the project gives stock back for this cause."""
        return cause in self.settings.restores_stock_on

    def _lacks(self, line: Document, wanted: Mapping[Place, int], reserving: set[Place]) -> bool:
        mode, place = line["inventoryMode"], place_of(line)
        if mode == "None":
            return False
        entry = self._inventory.at(place)
        if entry is None:
            return True
        if place not in reserving:
            return False
        sells = self.settings.restockable_sells_without_stock
        if mode == "ReserveOnOrder" and sells and "restockableInDays" in entry.content.settings:
            return False
        return entry.content.stock - entry.reserved < wanted[place]

    def _admit(self, order_id: str, line: Document, visible_at: float) -> None:
        place, mode, quantity = place_of(line), line["inventoryMode"], line["quantity"]
        stock_after, short = None, 0
        if mode != "None":
            entry = self._inventory.at(place)
            assert entry is not None
            stock_after = self._inventory.order_effect(entry, -quantity, visible_at, f"order {order_id}")
            short = min(quantity, max(0, -stock_after))
        now = self._around.clock.now()
        self._journal.admissions.append(
            Admission(now, order_id, line["id"], *place, quantity, mode, stock_after, short)
        )

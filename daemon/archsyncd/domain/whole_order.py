"""An order whole: what handing it over to Archean and booking its dispatch need beyond what the ledger counts.

Knows no HTTP and no JSON. What names a person is kept out of every representation, so that no log line can show it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from archsyncd.domain.inventory import Order

MODE_MULTIPLE = "Multiple"


@dataclass(frozen=True, slots=True)
class Price:
    """A unit's price: `cent_amount` in the currency's smallest unit, of which 10 to the power `fraction_digits` are one."""

    cent_amount: int
    fraction_digits: int


@dataclass(frozen=True, slots=True)
class LineDetail:
    """What a line item has beyond its counted pieces. `shippings`: pieces by shipping key where the order ships apart."""

    line_id: str
    key: str | None = None
    price: Price | None = None
    shippings: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Parcel:
    """A parcel of a delivery as commercetools has it."""

    id: str
    key: str | None
    tracking_id: str | None
    carrier: str | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery as commercetools has it: pieces by line item id."""

    id: str
    key: str | None
    pieces: Mapping[str, int]
    parcels: tuple[Parcel, ...] = ()


@dataclass(frozen=True, slots=True)
class ReturnItem:
    """A return item as commercetools has it."""

    id: str
    key: str | None
    line_id: str
    quantity: int
    state: str


@dataclass(frozen=True, slots=True)
class WholeOrder:
    """An order as read by id.

    `created_at` is commercetools' own text. `store` is the store's key. `custom` holds custom fields that are texts, numbers
    or flags. `synced` tells, by channel id, under which name other systems know the order. `can_deliver`: it has shipping
    info, without which commercetools takes no delivery. `destinations`: to how many addresses it goes; `ship_to` is the first.
    `shipping_keys` are those of an order that ships apart.
    """

    order: Order
    created_at: str
    currency: str
    payment_state: str | None = None
    store: str | None = None
    custom: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    details: Mapping[str, LineDetail] = field(default_factory=dict)
    ship_to: Mapping[str, Any] | None = field(default=None, repr=False)
    shipping_method: str | None = None
    shipping_mode: str = "Single"
    shipping_keys: tuple[str, ...] = ()
    can_deliver: bool = True
    destinations: int = 1
    deliveries: tuple[Delivery, ...] = ()
    returns: tuple[ReturnItem, ...] = ()
    synced: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What people call it."""
        return self.order.number or self.order.id


@dataclass(frozen=True, slots=True)
class WholePage:
    """Several orders whole, as a list shows them; the list may lag behind. `faults`: ids of those that cannot be read."""

    orders: tuple[WholeOrder, ...]
    faults: tuple[str, ...] = ()

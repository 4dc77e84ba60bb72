"""Builds order documents in the platform's shape from a shopper's few words; decides nothing about stock."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from archsyncd.simulators.commercetools.clock import stamp
from archsyncd.simulators.commercetools.records import Document, Surroundings, reference

UNIT_PRICE_CENTS = 1000
INITIAL_STATE = "00000000-0000-4000-8000-000000000001"
PRODUCT_TYPE = "00000000-0000-4000-8000-000000000002"


@dataclass(frozen=True, slots=True)
class OrderLine:
    """One line a shopper buys: channel by key, None for none; `mode` overrides the order's."""

    sku: str | None
    quantity: int
    channel: str | None = None
    mode: str | None = None
    key: str | None = None
    gift: bool = False


@dataclass(frozen=True, slots=True)
class Purchase:
    """What a shopper orders beside the lines."""

    kind: str = "checkout"
    order_number: str | None = None
    payment_state: str | None = None
    shipment_state: str | None = None
    order_state: str = "Open"
    shipping_mode: str = "Single"
    shipping_method: bool = True
    custom_lines: tuple[tuple[str, int], ...] = ()
    email: str = "shopper@example.com"
    name: tuple[str, str] = ("Sam", "Shopper")


def money(cents: int) -> Document:
    """Return a CentPrecisionMoney."""
    return {"type": "centPrecision", "currencyCode": "EUR", "centAmount": cents, "fractionDigits": 2}


def address(purchase: Purchase) -> Document:
    """Return a postal address."""
    first, last = purchase.name
    return {
        "firstName": first,
        "lastName": last,
        "streetName": "Main Street",
        "streetNumber": "1",
        "postalCode": "10115",
        "city": "Berlin",
        "country": "DE",
        "email": purchase.email,
    }


def line_item(
    line: OrderLine, mode: str, channel_id: str | None, around: Surroundings, locale: str
) -> Document:
    """Return a LineItem."""
    variant: Document = {"id": 1, "prices": [], "images": [], "attributes": [], "assets": []}
    if line.sku is not None:
        variant["sku"] = line.sku
    document: Document = {
        "id": around.new_id(),
        "productId": around.new_id(),
        "name": {locale: line.sku or "unnamed"},
        "productType": reference("product-type", PRODUCT_TYPE),
        "variant": variant,
        "price": {"id": around.new_id(), "value": money(UNIT_PRICE_CENTS)},
        "quantity": line.quantity,
        "totalPrice": money(0 if line.gift else UNIT_PRICE_CENTS * line.quantity),
        "discountedPricePerQuantity": [],
        "taxedPricePortions": [],
        "perMethodTaxRate": [],
        "state": [{"quantity": line.quantity, "state": reference("state", INITIAL_STATE)}],
        "priceMode": "Platform",
        "lineItemMode": "GiftLineItem" if line.gift else "Standard",
        "inventoryMode": mode,
    }
    if line.key is not None:
        document["key"] = line.key
    if channel_id is not None:
        document["supplyChannel"] = reference("channel", channel_id)
    return document


def custom_line_item(slug: str, quantity: int, around: Surroundings, locale: str) -> Document:
    """Return a CustomLineItem."""
    return {
        "id": around.new_id(),
        "name": {locale: slug},
        "money": money(UNIT_PRICE_CENTS),
        "slug": slug,
        "quantity": quantity,
        "totalPrice": money(UNIT_PRICE_CENTS * quantity),
        "state": [{"quantity": quantity, "state": reference("state", INITIAL_STATE)}],
        "discountedPricePerQuantity": [],
        "taxedPricePortions": [],
        "perMethodTaxRate": [],
        "priceMode": "Standard",
    }


def shipping_info() -> Document:
    """Return a ShippingInfo without deliveries."""
    return {
        "shippingMethodName": "Standard",
        "price": money(500),
        "shippingRate": {"price": money(500), "tiers": []},
        "shippingMethodState": "MatchesCart",
        "deliveries": [],
    }


def total_cents(document: Document) -> int:
    """Return the sum of an order's lines."""
    return sum(
        item["totalPrice"]["centAmount"] for item in document["lineItems"] + document["customLineItems"]
    )


def _shipping(purchase: Purchase) -> Document:
    if purchase.shipping_mode == "Multiple":
        part = {"shippingKey": "home", "shippingInfo": shipping_info(), "shippingAddress": address(purchase)}
        return {"shipping": [part]}
    if not purchase.shipping_method:
        return {"shipping": [], "shippingAddress": address(purchase)}
    return {"shipping": [], "shippingAddress": address(purchase), "shippingInfo": shipping_info()}


def order(
    order_id: str,
    purchase: Purchase,
    lines: Sequence[Document],
    mode: str,
    around: Surroundings,
    locale: str,
) -> Document:
    """Return an Order made now, at version 1."""
    now = stamp(around.clock.now())
    who = {"clientId": "shop"}
    document: Document = {
        "id": order_id,
        "version": 1,
        "createdAt": now,
        "lastModifiedAt": now,
        "createdBy": who,
        "lastModifiedBy": who,
        "lineItems": list(lines),
        "customLineItems": [custom_line_item(*line, around, locale) for line in purchase.custom_lines],
        "origin": "RecurringOrder" if purchase.kind == "recurring" else "Customer",
        "orderState": purchase.order_state,
        "shippingMode": purchase.shipping_mode,
        "syncInfo": [],
        "returnInfo": [],
        "refusedGifts": [],
        "inventoryMode": mode,
        "customerEmail": purchase.email,
        "taxMode": "Platform",
        "country": "DE",
        **_shipping(purchase),
    }
    document["totalPrice"] = money(total_cents(document))
    optional: dict[str, Any] = {
        "orderNumber": purchase.order_number,
        "paymentState": purchase.payment_state,
        "shipmentState": purchase.shipment_state,
    }
    return document | {name: value for name, value in optional.items() if value is not None}

"""Answers of commercetools as they look when all is well: what the fuzzer begins with. Knows no reader."""

from __future__ import annotations

from typing import Any, Final

_AT: Final = "2026-03-01T10:00:00.250Z"
ENTRY: Final[dict[str, Any]] = {
    "id": "entry-1",
    "version": 7,
    "sku": "ABC-1",
    "supplyChannel": {"typeId": "channel", "id": "channel-id-1"},
    "quantityOnStock": 12,
    "availableQuantity": -3,
    "createdAt": _AT,
    "lastModifiedAt": _AT,
    "lastModifiedBy": {"clientId": "c", "externalUserId": "archsyncd@host"},
    "custom": {
        "type": {"typeId": "type", "id": "type-1"},
        "fields": {"archOp": "ledger-1/op-7", "archX": 12.0, "archSeq": "90", "archFence": 2},
    },
}
_LINE: Final[dict[str, Any]] = {
    "id": "n1",
    "key": "first",
    "variant": {"sku": "A"},
    "quantity": 2,
    "supplyChannel": {"typeId": "channel", "id": "c1"},
    "inventoryMode": "ReserveOnOrder",
    "price": {"value": {"centAmount": 1999, "currencyCode": "EUR", "fractionDigits": 2}},
    "shippingDetails": {"targets": [{"addressKey": "home", "quantity": 2, "shippingMethodKey": "s1"}]},
}
_PARCEL: Final = {"id": "p1", "key": "P1", "trackingData": {"trackingId": "t", "carrier": "DPD"}}
ORDER: Final[dict[str, Any]] = {
    "id": "o-1",
    "version": 7,
    "orderNumber": "CT-1",
    "createdAt": _AT,
    "orderState": "Open",
    "shipmentState": "Pending",
    "paymentState": "Paid",
    "shippingMode": "Single",
    "totalPrice": {"centAmount": 3998, "currencyCode": "EUR", "fractionDigits": 2},
    "store": {"typeId": "store", "key": "de"},
    "custom": {"type": {"id": "t"}, "fields": {"free": True, "note": "x", "list": [1]}},
    "lineItems": [_LINE],
    "shippingAddress": {"firstName": "Ann", "streetName": "Sesame", "country": "DE"},
    "shippingInfo": {
        "shippingMethodName": "DHL",
        "deliveries": [
            {"id": "d1", "key": "F-1", "items": [{"id": "n1", "quantity": 1}], "parcels": [_PARCEL]}
        ],
    },
    "syncInfo": [{"channel": {"typeId": "channel", "id": "c9"}, "externalId": "SO-1", "syncedAt": _AT}],
    "returnInfo": [
        {
            "items": [
                {"id": "r1", "key": "R-1", "lineItemId": "n1", "quantity": 1, "shipmentState": "Returned"}
            ]
        }
    ],
}
MESSAGE: Final[dict[str, Any]] = {
    "id": "m-1",
    "version": 1,
    "type": "OrderCreated",
    "resource": {"typeId": "order", "id": "o-1"},
    "createdAt": _AT,
}
CHANNEL: Final = {"id": "channel-id-1", "key": "north", "roles": ["InventorySupply"]}
MARKER_TYPE: Final = {
    "id": "t",
    "version": 1,
    "key": "archsyncd-stock",
    "resourceTypeIds": ["inventory-entry"],
    "fieldDefinitions": [
        {"name": "archOp", "type": {"name": "String"}},
        {"name": "archX", "type": {"name": "Number"}},
    ],
}
LEASE: Final = {
    "id": "l",
    "version": 1,
    "container": "archsyncd",
    "key": "lease",
    "value": {"holder": "h", "until": _AT, "fence": 2},
    "lastModifiedAt": _AT,
}
_CODES: Final = {"code": "ConcurrentModification", "currentVersion": 9}
REFUSAL: Final = {"statusCode": 409, "message": "x", "errors": [{"message": "x", **_CODES}]}
GRANT: Final = {
    "access_token": "t",
    "expires_in": 172800,
    "scope": "manage_products:demo",
    "token_type": "Bearer",
}
_PRODUCT: Final = {"masterData": {"current": {"masterVariant": {"sku": "ABC-1"}, "variants": [{"sku": "B"}]}}}
WRITTEN: Final[tuple[dict[str, Any], ...]] = (
    {"data": {"u0": {"id": "entry-1", "version": 8, "quantityOnStock": 10}}},
    {"data": {"u0": None}, "errors": [{"message": "no", "path": ["u0"], "extensions": _CODES}]},
    {"data": {"products": {"total": 1, "results": [{"id": "p", **_PRODUCT}]}}},
)

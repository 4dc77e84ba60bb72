"""Under which names other systems tell what r247/1 tells. Judges names alone, and looks at no value."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

# The first names of a field are the surest. Words of German systems stand last.
NAMES: Final[Mapping[str, str]] = {
    "sku": "sku stockKeepingUnit stockCode itemCode item_code productCode articleNumber itemNumber partNumber materialNumber "
    "productId productID item_id article item material product objectId ean gtin upcCode barCode epcClass artikelnummer "
    "artikelnr artnr artikel",
    "location": "location locationIdentifier locationId locationCode warehouse_id warehouseCode warehouse whse shipNode "
    "fulfillment_node_id inventory_warehouse_id storeId siteId facility ctChannelKey bizLocation plant depot site store lager "
    "lagerort",
    "onHand": "onHand on_hand quantityOnHand qtyOnHand in_stock stockLevel numberOfItems physical physicalStock stock "
    "quantity qty units bestand lagerbestand menge ist istbestand",
    "available": "available availableQuantity qtyAvailable totalAvailability availableToPromise ATP ATS unallocated AFP AOS "
    "free freeStock inventory sellable verfuegbar frei",
    "allocated": "allocated committed in_reserve reserved reserve quantityOnPicklist reserviert",
    "picked": "picked quantityPicked qty_in_totes",
    "unavailable": "unavailable non_sellable damaged quality_control blocked isStatusLockedForSale gesperrt",
    "backordered": "backordered backorder_quantity backorder",
    "safety": "safety safetyStockCount safety_stock buffer",
    "delta": "delta qtyDelta quantityChange change adjustment qtyAdjusted transactionNumberOfItems diff differenz",
    "asOf": "asOf snapshotTime effectiveDate modifiedDateTimeUTC modified modifiedAt lastModified updated updatedAt timestamp "
    "eventTimeStamp raised-on capturedAt dateTime stand zeitstempel datum "
    "geaendertAm geaendert letzteBewegung letzteAenderung lastMovement",
    "id": "id recordId eventId changeId webhookEventId messageId actionRequestId transactionId",
    "seq": "seq sequence sequenceNumber changeId changeNumber rowVersion version transactionId",
    "uom": "uom unitOfMeasure unit einheit mengeneinheit me",
    "orderNumber": "orderNumber orderNo salesOrder order_number webOrder externalOrderId customerReference "
    "auftragsnummer auftrag",
    "orderId": "orderId order_id",
    "fulfilmentId": "fulfilmentId fulfillmentId shipmentId shipmentNo shipmentNumber deliveryNumber despatchNumber dispatchId "
    "lieferschein lieferscheinnummer",
    "status": "status state fulfilmentStatus shipmentStatus",
    "at": "at shippedAt dispatchedAt shipDate despatchDate dispatchDate",
    "returnId": "returnId returnNo returnNumber rmaNumber rma",
    "quantity": "quantity qty units count pieces menge anzahl",
    "disposition": "disposition condition zustand",
    "lineRef": "lineRef lineItemId lineId",
    "parcelId": "parcelId packageId cartonId boxId",
    "trackingNumber": "trackingNumber tracking trackingCode consignment sendungsnummer",
    "carrier": "carrier shipper courier spediteur",
    "code": "code reasonCode errorCode",
    "delta_before": "previous_on_hand",
}
# How units are written where nothing names the column that has them.
_UNITS: Final = (
    "st stk stck stueck pc pcs pce piece pieces ea each kar krt karton carton cartons ctn case cs box bx pal pallet palette "
    "pk pck pack pkg ve set dz doz dozen paar pair rol rolle roll sack bag kg g t l ml m m2 m3"
)
UNITS: Final = frozenset(_UNITS.split())
LISTS: Final[Mapping[str, frozenset[str]]] = {
    "lines": frozenset({"lines", "items", "lineitems", "orderlines", "positions", "details", "positionen"}),
    "parcels": frozenset({"parcels", "packages", "cartons", "shipments", "boxes", "pakete"}),
}
SURE, LIKELY, MAYBE, NO = 0.95, 0.8, 0.5, 0.0
_SURE_NAMES: Final = 8
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_UMLAUTS: Final = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue"})


def plain(name: str) -> str:
    """A name without case, blanks and signs."""
    return "".join(each for each in name.translate(_UMLAUTS).casefold() if each.isalnum())


def words(name: str) -> frozenset[str]:
    """The words of a name: `Qty On-Hand`, `qtyOnHand` and `QTY_ON_HAND` have the same."""
    return frozenset(word.casefold() for word in _WORD.findall(name.translate(_UMLAUTS)))


_PLAIN: Final = {field: [plain(one) for one in names.split()] for field, names in NAMES.items()}


def likeness(field: str, way: Iterable[str]) -> float:
    """How much the last names on the way to a value speak for a field, from 0 to 1."""
    steps = list(way)
    if not steps:
        return NO
    known = _PLAIN.get(field, [])
    last = plain(steps[-1].lstrip("@"))
    around = plain("".join(steps[-2:]).replace("@", "")) if len(steps) > 1 else last
    for candidate in (last, around):
        if candidate in known:
            return SURE if known.index(candidate) < _SURE_NAMES else LIKELY
    told = words(steps[-1].lstrip("@"))
    for name in NAMES.get(field, "").split():
        needed = words(name)
        if needed and needed <= told:
            return MAYBE
    return NO

"""What lies in which parcel of a dispatch, and how Archean's names and texts are written in commercetools. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from archsyncd.domain.feed import DispatchedParcel
from archsyncd.domain.kit_orders import Gathered
from archsyncd.domain.whole_order import WholeOrder

TEXT_LIMIT_CHARACTERS = 256
_KEY = re.compile(r"[A-Za-z0-9_-]{2,200}")


@dataclass(frozen=True, slots=True)
class ParcelDraft:
    """A parcel to be booked: pieces by line item id."""

    key: str
    tracking: str | None
    carrier: str | None
    pieces: Mapping[str, int]


def wire_key(name: str) -> str:
    """A name of Archean's as a key of commercetools: itself where it can be one, else a hash of it."""
    if _KEY.fullmatch(name) and "__" not in name:  # what follows two underscores is ours
        return name
    return f"sha256-{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()}"


def clean_text(text: str | None) -> str | None:
    """A text of somebody else's for people: printable, of reasonable length, None where nothing is left of it."""
    if text is None:
        return None
    kept = "".join(each for each in text if each.isprintable())[:TEXT_LIMIT_CHARACTERS].strip()
    return kept or None


def cut(parcel: ParcelDraft, pieces: Mapping[str, int]) -> ParcelDraft:
    """A parcel with what of these lines lies in it."""
    inside = {line_id: count for line_id, count in parcel.pieces.items() if line_id in pieces}
    return ParcelDraft(parcel.key, parcel.tracking, parcel.carrier, inside)


def pack(
    order: WholeOrder,
    fulfilment_id: str,
    parcels: Sequence[DispatchedParcel],
    pieces: Mapping[str, int],
    taken: set[str],
    gathered: Gathered | None,
) -> tuple[ParcelDraft, ...]:
    """The parcels, each piece in one of them at most; what nobody can place is left out of the parcel, not of the delivery.

    `taken`: keys of other parcels of the order.
    """
    drafts: list[ParcelDraft] = []
    for parcel, inside in zip(parcels, _inside(order, parcels, pieces, gathered), strict=True):
        key = _parcel_key(fulfilment_id, parcel, taken)
        taken = taken | {key}
        drafts.append(ParcelDraft(key, clean_text(parcel.tracking), clean_text(parcel.carrier), inside))
    return tuple(drafts)


def _inside(
    order: WholeOrder,
    parcels: Sequence[DispatchedParcel],
    pieces: Mapping[str, int],
    gathered: Gathered | None,
) -> list[dict[str, int]]:
    """By parcel, pieces by line; a kit lies where its last piece does."""
    left = dict(pieces)
    skus = {line.line_id: line.sku for line in order.order.lines}
    found: list[dict[str, int]] = []
    loose: list[dict[str, int]] = []
    for parcel in parcels:
        found.append({})
        loose.append({})
        for sku, count in parcel.pieces.items():
            alike = [(line_id, left[line_id]) for line_id in left if skus.get(line_id) == sku]
            rest = count
            for line_id, room in alike:
                rest -= _take(line_id, min(rest, room), found[-1], left)
            loose[-1][sku] = rest
    for inside, kits in zip(found, gathered.packed(loose) if gathered else (), strict=False):
        for line_id, count in kits.items():
            _take(line_id, min(count, left.get(line_id, 0)), inside, left)
    return found


def _take(line_id: str, count: int, inside: dict[str, int], left: dict[str, int]) -> int:
    if count:
        inside[line_id] = inside.get(line_id, 0) + count
        left[line_id] -= count
    return count


def _parcel_key(fulfilment_id: str, parcel: DispatchedParcel, taken: set[str]) -> str:
    """The parcel's own id; with its fulfilment's before it where another parcel of the order has that id."""
    key = wire_key(parcel.parcel_id)
    return key if key not in taken else wire_key(f"{fulfilment_id}_{parcel.parcel_id}")

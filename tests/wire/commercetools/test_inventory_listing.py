"""A page of all inventory entries: what is asked, and how every kind of row is read."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsyncd.domain.inventory import SupplyChannel
from archsyncd.domain.reconciling import Stray
from archsyncd.wire.commercetools.entries import ChannelMap, inventory_request, listing_of
from archsyncd.wire.commercetools.strict import MalformedAnswer

CHANNELS = ChannelMap.of([SupplyChannel("warehouse-1", "c1", supplies=True)])


def row(entry_id: str, channel: str | None = "c1", **changes: Any) -> dict[str, Any]:
    reference = {} if channel is None else {"supplyChannel": {"typeId": "channel", "id": channel}}
    return {
        "id": entry_id,
        "version": 1,
        "sku": f"sku-{entry_id}",
        "quantityOnStock": 3,
        "availableQuantity": 3,
        "createdAt": "2026-01-01T00:00:00.000Z",
        **reference,
        **changes,
    }


def test_a_page_is_asked_for_by_id_and_within_what_was_told() -> None:
    """The first page has no bound; a value from outside cannot end its literal."""
    assert "where" not in inventory_request("", None, "", 500).target
    target = unquote(inventory_request("e1", "c1", 'A" or id > "', 500).target)
    where = 'id > "e1" and supplyChannel(id="c1") and sku = "A\\" or id > \\""'
    assert target == f"/inventory?where={where}&sort=id asc&limit=500&withTotal=false"


def test_entries_of_no_known_channel_are_strays_and_unreadable_ones_faults() -> None:
    """None is lost: each is an entry, a stray, or a fault with its id."""
    tree = {"results": [row("a"), row("b", None), row("c", "c9"), row("d", version="x")]}
    page = listing_of(tree, CHANNELS, "", 4, 1_000)
    assert [entry.id for entry in page.entries] == ["a"]
    assert page.strays == (Stray("b", "sku-b", None, 3), Stray("c", "sku-c", "c9", 3))
    assert [fault.id for fault in page.faults] == ["d"]
    assert (page.last, page.full, page.ordered) == ("d", True, True)


@given(ids=st.lists(st.text("abcdef", min_size=1, max_size=4), min_size=2, max_size=6, unique=True))
def test_whatever_order_the_ids_come_in_the_walk_goes_on_behind_all_of_them(ids: list[str]) -> None:
    """Only ids that rise tell whose entry is missing between them."""
    page = listing_of({"results": [row(each) for each in ids]}, CHANNELS, "", 500, 0)
    assert page.last == max(ids)
    assert page.ordered is (ids == sorted(ids))


def test_a_full_page_without_any_id_cannot_be_gone_on_from() -> None:
    """Else the walk would read the same page for ever."""
    with pytest.raises(MalformedAnswer):
        listing_of({"results": [{"sku": "A"}]}, CHANNELS, "", 1, 0)

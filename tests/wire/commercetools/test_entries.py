"""Entries as read and as written."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsyncd.domain.inventory import (
    Entry,
    EntryFault,
    EntryWrite,
    Marker,
    StockKey,
    SupplyChannel,
    WriteKind,
    Written,
)
from archsyncd.wire.commercetools.entries import (
    ChannelMap,
    actions_of,
    draft_of,
    entry_of,
    entry_page,
    marker_fields,
    marker_of,
    write_request,
    written,
)
from archsyncd.wire.commercetools.strict import MalformedAnswer

NORTH = SupplyChannel("north", "channel-id-1", supplies=True)
CHANNELS = ChannelMap.of([NORTH])
KEY = StockKey("north", "ABC-1")
MARKER = Marker("ledger-1", "op-7", -4, "90", 2)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=8),
    lambda children: (
        st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=8), children, max_size=4)
    ),
    max_leaves=12,
)


def entry_tree(**changes: Any) -> dict[str, Any]:
    tree: dict[str, Any] = {
        "id": "entry-1",
        "version": 7,
        "sku": "ABC-1",
        "supplyChannel": {"typeId": "channel", "id": "channel-id-1"},
        "quantityOnStock": 12,
        "availableQuantity": -3,
        "createdAt": "2026-03-01T10:00:00.250Z",
        "lastModifiedAt": "2026-03-01T10:00:00.250Z",
        "restockableInDays": 0,
        "lastModifiedBy": {"clientId": "c", "externalUserId": "archsyncd@host"},
        "stockLevels": {"new": ["in", "2026"]},
        "custom": {
            "type": {"typeId": "type", "id": "type-1"},
            "fields": {
                "archOp": "ledger-1/op-7",
                "archX": 12.0,
                "archSeq": "90",
                "archFence": 2,
                "other": True,
            },
        },
    }
    return tree | changes


def test_an_entry_is_read_whole() -> None:
    """Quantities keep their sign, Number fields may come as 12.0, unknown fields are no matter."""
    assert entry_of(entry_tree(), CHANNELS, 99) == Entry(
        id="entry-1",
        version=7,
        key=KEY,
        quantity_on_stock=12,
        available_quantity=-3,
        marker=Marker("ledger-1", "op-7", 12, "90", 2),
        type_id="type-1",
        created_at_ms=1_772_359_200_250,
        read_at_ms=99,
        restockable_in_days=0,
        written_by="archsyncd@host",
    )


def test_a_bare_entry_has_no_marker_and_no_type() -> None:
    """What is not set is None, so that it can never pass for a proof."""
    tree = entry_tree()
    for name in ("custom", "restockableInDays", "lastModifiedBy"):
        del tree[name]
    entry = entry_of(tree, CHANNELS, 99)
    assert (entry.marker, entry.type_id) == (Marker(), None)
    assert (entry.restockable_in_days, entry.written_by) == (None, None)


@pytest.mark.parametrize(
    "changes",
    [
        {"quantityOnStock": True},
        {"quantityOnStock": "12"},
        {"quantityOnStock": 12.0},
        {"quantityOnStock": None},
        {"availableQuantity": 2**63},
        {"version": None},
        {"version": 1e3},
        {"id": ""},
        {"id": 5},
        {"sku": None},
        {"createdAt": "yesterday"},
        {"createdAt": "2026-03-01T10:00:00"},
        {"createdAt": "2026-13-01T10:00:00Z"},
        {"createdAt": 17},
        {"restockableInDays": "0"},
        {"supplyChannel": None},
        {"supplyChannel": "channel-id-1"},
        {"supplyChannel": {"typeId": "channel", "id": "a-shop-channel"}},
        {"custom": "x"},
        {"custom": {"fields": {}}},
    ],
    ids=str,
)
def test_f120_a_malformed_entry_is_a_fault_beside_its_good_neighbours(changes: dict[str, Any]) -> None:
    """It is skipped with its reason, the others are read, and no value is guessed."""
    body = {"results": [entry_tree(id="entry-0"), entry_tree(**changes), entry_tree(id="entry-2")]}
    page = entry_page(orjson.loads(orjson.dumps(body)), CHANNELS, 99)
    assert [entry.id for entry in page.entries] == ["entry-0", "entry-2"]
    (fault,) = page.faults
    assert fault.reason


def test_a_fault_tells_its_key_so_that_it_does_not_look_absent() -> None:
    """An entry that exists but cannot be read must not be created again."""
    page = entry_page({"results": [entry_tree(version="7")]}, CHANNELS, 99)
    assert page.faults == (EntryFault("entry-1", KEY, "version is not an integer of 64 bits"),)
    assert entry_page({"results": [5]}, CHANNELS, 99).faults[0].key is None


@given(JSON)
def test_f120_no_json_breaks_the_reader(tree: Any) -> None:
    """Any tree is an entry, a fault, or a malformed answer; nothing else is ever raised."""
    try:
        page = entry_page({"results": [tree, entry_tree(custom=tree)]}, CHANNELS, 99)
    except MalformedAnswer:
        pytest.fail("a bad entry must not spoil its page")
    assert len(page.entries) + len(page.faults) == 2


@pytest.mark.parametrize("body", [b"[]", b"{}", b'{"results": {}}', b"null", b'{"results": "x"}'])
def test_a_page_without_results_is_no_answer(body: bytes) -> None:
    """A missing list is not an empty one: that would make every key look absent."""
    with pytest.raises(MalformedAnswer):
        entry_page(orjson.loads(body), CHANNELS, 99)


@pytest.mark.parametrize(
    ("fields", "marker"),
    [
        ({}, Marker()),
        (None, Marker()),
        ({"archOp": "ledger-1/op/with/slashes"}, Marker("ledger-1", "op/with/slashes")),
        ({"archOp": "no slash"}, Marker("no slash", None)),
        ({"archOp": 5, "archX": "12", "archSeq": 9, "archFence": 2.5}, Marker()),
        ({"archX": True, "archFence": 1e300}, Marker()),
        ({"archX": float("inf"), "archFence": float("nan")}, Marker()),
        ({"archX": 2**63, "archFence": 2.0**60}, Marker()),
        ({"archX": -12.0, "archFence": 0}, Marker(x=-12, fence=0)),
    ],
    ids=str,
)
def test_a_marker_that_is_not_ours_proves_nothing(fields: Any, marker: Marker) -> None:
    """Fields of other types or beyond exact numbers are None each."""
    assert marker_of(fields) == marker


@given(
    st.text("abc-0", min_size=1),
    st.text("abc-/0", min_size=1),
    st.integers(-(2**53), 2**53),
    st.text(max_size=5),
    st.integers(0, 2**31),
)
def test_a_marker_reads_back_as_it_was_written(ledger: str, op_id: str, x: int, seq: str, fence: int) -> None:
    """Through JSON and back, also when Numbers come back as floats."""
    marker = Marker(ledger, op_id, x, seq, fence)
    tree = orjson.loads(orjson.dumps(marker_fields(marker)))
    assert marker_of(tree) == marker
    assert marker_of(tree | {"archX": float(x), "archFence": float(fence)}) == marker


def actions_sent(write: EntryWrite) -> Any:
    return orjson.loads(write_request(write, "archsyncd").body or b"")["actions"]


def test_a_decrease_removes() -> None:
    """The API takes amounts, the sign is the action."""
    write = EntryWrite(WriteKind.INCREMENT, KEY, -5, MARKER, "entry-1", 3)
    assert actions_sent(write)[0] == {"action": "removeQuantity", "quantity": 5}
    assert actions_sent(write)[2] == {"action": "setCustomField", "name": "archX", "value": -4}


def test_an_entry_without_a_type_gets_it_with_its_first_increment() -> None:
    """SetCustomType carries the four fields, in the same request as the quantity."""
    write = EntryWrite(WriteKind.INCREMENT, KEY, 5, MARKER, "entry-1", 3, needs_type=True)
    assert actions_sent(write) == [
        {"action": "addQuantity", "quantity": 5},
        {
            "action": "setCustomType",
            "type": {"typeId": "type", "key": "archsyncd"},
            "fields": {"archOp": "ledger-1/op-7", "archX": -4, "archSeq": "90", "archFence": 2},
        },
    ]


def test_untracked_mode_sets_and_does_not_sign() -> None:
    """Without a marker only the quantity is written."""
    write = EntryWrite(WriteKind.SET, KEY, -2, None, "entry-1", 3)
    assert actions_sent(write) == [{"action": "changeQuantity", "quantity": -2}]


def test_a_create_names_key_sku_channel_and_marker() -> None:
    """The draft carries everything at once: an entry without our marker would be foreign to us."""
    request = write_request(EntryWrite(WriteKind.CREATE, KEY, -4, MARKER), "archsyncd")
    assert (request.method, request.path, request.writes) == ("POST", "/inventory", True)
    assert not request.addresses_one
    assert orjson.loads(request.body or b"") == {
        "key": "north__ABC-1",
        "sku": "ABC-1",
        "supplyChannel": {"typeId": "channel", "key": "north"},
        "quantityOnStock": -4,
        "custom": {
            "type": {"typeId": "type", "key": "archsyncd"},
            "fields": {"archOp": "ledger-1/op-7", "archX": -4, "archSeq": "90", "archFence": 2},
        },
    }


def test_an_answer_about_another_entry_is_no_answer() -> None:
    """What was written must be what was asked for."""
    tree = {"id": "entry-1", "version": 8, "quantityOnStock": -1}
    assert written(tree, "entry-1") == Written("entry-1", 8, -1)
    created = tree | {"createdAt": "2026-03-01T10:00:00.250Z"}
    assert written(created) == Written("entry-1", 8, -1, 1_772_359_200_250)
    with pytest.raises(MalformedAnswer):
        written(tree)
    with pytest.raises(MalformedAnswer):
        written(tree, "entry-2")


def test_an_expected_delivery_rides_with_an_increment_or_goes_alone() -> None:
    """Quantity, marker, then the date; alone it is the only action, and cleared it names no date."""
    riding = EntryWrite(
        WriteKind.INCREMENT, KEY, 5, MARKER, "entry-1", 3, delivery="2026-12-01T00:00:00.000Z"
    )
    actions = actions_of(riding, "archsyncd")
    assert actions[0] == {"action": "addQuantity", "quantity": 5}
    assert actions[-1] == {"action": "setExpectedDelivery", "expectedDelivery": "2026-12-01T00:00:00.000Z"}
    alone = EntryWrite(WriteKind.DELIVERY, KEY, 0, None, "entry-1", 3, delivery="")
    assert actions_of(alone, "archsyncd") == [{"action": "setExpectedDelivery"}]
    created = EntryWrite(WriteKind.CREATE, KEY, 5, MARKER, delivery="2026-12-01T00:00:00.000Z")
    assert draft_of(created, "archsyncd")["expectedDelivery"] == "2026-12-01T00:00:00.000Z"
    assert "expectedDelivery" not in draft_of(
        EntryWrite(WriteKind.CREATE, KEY, 5, MARKER, delivery=""), "archsyncd"
    )

"""Project settings, channels, the marker's type, the lease and the token's scopes."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given

from archsyncd.domain.inventory import MarkerType, Refused, SupplyChannel, TenureRecord
from archsyncd.wire.commercetools.exchange import Reply
from archsyncd.wire.commercetools.projects import (
    FIELD_TYPES,
    channels_of,
    create_type_request,
    marker_type_of,
    project_of,
    tenure_of,
)
from archsyncd.wire.commercetools.strict import MalformedAnswer
from archsyncd.wire.commercetools.token import (
    Grant,
    TokenRefused,
    TokenUnavailable,
    excess_scopes,
    missing_scopes,
    needed_scopes,
    token_answer,
)
from tests.wire.commercetools.test_entries import JSON

FIELDS = [{"name": name, "type": {"name": kind}} for name, kind in FIELD_TYPES.items()]
NEEDED = needed_scopes("shop")


def type_tree(**changes: Any) -> dict[str, Any]:
    return {
        "id": "t-1",
        "version": 2,
        "resourceTypeIds": ["order", "inventory-entry"],
        "fieldDefinitions": FIELDS,
    } | changes


def lease(**changes: Any) -> dict[str, Any]:
    value = {"ledger": "l", "holder": "h", "fence": 3, "seconds": 30} | changes
    return {"version": 4, "value": value, "lastModifiedAt": "2026-03-01T10:00:00.123Z"}


def test_a_type_tells_what_it_lacks() -> None:
    """A shop's own type lists our missing fields; the whole one lists none."""
    assert marker_type_of(type_tree()) == MarkerType("t-1", 2, ())
    assert marker_type_of(type_tree(fieldDefinitions=FIELDS[:2])) == MarkerType(
        "t-1", 2, ("archSeq", "archFence")
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"resourceTypeIds": ["order"]},
        {"fieldDefinitions": [{"name": "archX", "type": {"name": "String"}}]},
    ],
)
def test_f091_a_type_that_cannot_carry_the_marker_is_refused(changes: dict[str, Any]) -> None:
    """Made for other resources, or our field's name taken by another kind: a person must act."""
    assert isinstance(marker_type_of(type_tree(**changes)), Refused)


def test_our_type_never_requires_its_fields() -> None:
    """The shop stays able to write its entries without us."""
    draft = orjson.loads(create_type_request("archsyncd").body or b"")
    assert draft["key"] == "archsyncd"
    assert [field["required"] for field in draft["fieldDefinitions"]] == [False] * 4
    assert marker_type_of({"id": "t", "version": 1, **draft}) == MarkerType("t", 1, ())


def test_f126_a_channel_tells_whether_it_supplies() -> None:
    """Only the role InventorySupply makes a supply channel; a full page goes on behind its last id."""
    rows = [
        {"key": "a", "id": "1", "roles": ["Primary"]},
        {"key": "b", "id": "2", "roles": ["InventorySupply"]},
    ]
    assert channels_of({"results": rows}) == (
        (SupplyChannel("a", "1", supplies=False), SupplyChannel("b", "2", supplies=True)),
        None,
    )
    assert channels_of({"results": rows * 250})[1] == "2"
    with pytest.raises(MalformedAnswer):
        channels_of({"results": [{"key": "a", "id": "1"}]})


def test_a_project_without_message_settings_keeps_none() -> None:
    """Absent settings mean disabled; a wrong type is no answer."""
    tree = {"key": "shop", "createdAt": "2024-01-01T00:00:00.000Z"}
    assert not project_of(tree).messages_enabled
    with pytest.raises(MalformedAnswer):
        project_of(tree | {"messages": {"enabled": "yes"}})


def test_the_lease_is_read_strictly() -> None:
    """The server's clock and version come with it, and the host where it is told."""
    assert tenure_of(lease(), 99) == TenureRecord(4, "l", "h", 3, 30.0, 1_772_359_200_123, 99)
    assert tenure_of(lease(host="a"), 99).host == "a"
    assert tenure_of(lease(host=7), 99).host == ""


@pytest.mark.parametrize(
    "changes",
    [{"fence": "3"}, {"fence": 3.5}, {"seconds": True}, {"seconds": -1}, {"seconds": None}, {"ledger": ""}],
)
def test_f162_a_lease_that_is_not_ours_in_form_is_not_taken(changes: dict[str, Any]) -> None:
    """Guessing a fence would let two writers in."""
    with pytest.raises(MalformedAnswer):
        tenure_of(lease(**changes), 99)


@given(JSON)
def test_no_tree_breaks_a_reader(tree: Any) -> None:
    """Each reader answers or says that the answer is malformed."""
    for read in (project_of, channels_of, marker_type_of):
        try:
            read(tree)
        except MalformedAnswer:
            continue


def test_f069_scopes_are_compared_with_what_covers_them() -> None:
    """Manage covers view, manage_project covers all, a store's or another project's scope covers nothing."""
    assert missing_scopes(NEEDED, NEEDED) == frozenset()
    assert missing_scopes(NEEDED, {"manage_project:shop"}) == frozenset()
    assert missing_scopes(NEEDED, (NEEDED - {"view_messages:shop"}) | {"view_messages:other"}) == {
        "view_messages:shop"
    }
    assert missing_scopes({"view_orders:shop"}, {"manage_orders:shop"}) == frozenset()
    assert missing_scopes({"manage_orders:shop"}, {"view_orders:shop", "manage_orders:shop:store"}) == {
        "manage_orders:shop"
    }


def test_f069_scopes_beyond_every_need_are_named() -> None:
    """A client that may do more than the daemon asks for should be narrowed."""
    assert excess_scopes(NEEDED, NEEDED | {"manage_customers:shop"}) == {"manage_customers:shop"}
    assert excess_scopes(NEEDED, {"manage_project:shop"}) == {"manage_project:shop"}
    assert excess_scopes(NEEDED, []) == frozenset()
    assert excess_scopes(NEEDED, NEEDED | {"view_products:shop"}) == frozenset()


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, b'{"access_token":"t","expires_in":5,"scope":"a b"}', Grant),
        (200, b'{"access_token":"t"}', TokenUnavailable),
        (200, b"", TokenUnavailable),
        (401, b"", TokenRefused),
        (400, b'{"error":"invalid_client"}', TokenRefused),
        (403, b'{"error":"access_denied"}', TokenRefused),
        (403, b"<html>blocked</html>", TokenUnavailable),
        (400, b"<html>bad</html>", TokenUnavailable),
        (500, b'{"error":"server_error"}', TokenUnavailable),
        (429, b"", TokenUnavailable),
    ],
)
def test_f068_only_the_endpoints_own_words_refuse_for_good(status: int, body: bytes, kind: type) -> None:
    """A proxy's error page must not open the circuit until a restart."""
    assert isinstance(token_answer(Reply(status, body)), kind)

"""Notifications of a commercetools Subscription: only which resource is read, in either format."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsyncd.domain.notices import Notice
from archsyncd.wire.commercetools.notifications import read_notification

ORDER = "7a3c5e1f-0d5e-4c3d-9c5e-1f0d5e4c3d9c"
PLATFORM: dict[str, Any] = {
    "notificationType": "Message",
    "projectKey": "shop",
    "resource": {"typeId": "order", "id": ORDER},
    "id": "m1",
    "type": "OrderCreated",
    "order": {"id": "another", "lineItems": []},
}


def read(body: Any) -> Notice:
    return read_notification("h", body if isinstance(body, bytes) else json.dumps(body).encode())


@pytest.mark.parametrize(
    "body",
    [
        PLATFORM,
        {**PLATFORM, "payloadNotIncluded": {"reason": "Payload too large", "payloadType": "OrderCreated"}},
        {
            "specversion": "1.0",
            "id": "m1",
            "type": "com.commercetools.order.message.OrderCreated",
            "data": PLATFORM,
        },
        {**PLATFORM, "notificationType": "ResourceUpdated"},
    ],
)
def test_a_notification_says_which_order(body: Any) -> None:
    """With its payload or without, as a message or a change, in the platform's format or as a CloudEvent."""
    assert read(body) == Notice("h", "shop", "order", ORDER)


@pytest.mark.parametrize(
    "body",
    [
        b"no json",
        [],
        {},
        {**PLATFORM, "resource": None},
        {**PLATFORM, "resource": {"typeId": "order", "id": "../carts"}},
        {**PLATFORM, "resource": {"typeId": "order", "id": 'a" or 1=1'}},
        {**PLATFORM, "projectKey": 7},
        {"specversion": "1.0", "data": "text"},
    ],
)
def test_what_names_no_resource_in_plain_letters_says_nothing(body: Any) -> None:
    """An id goes into an address: whatever could change that is no id."""
    assert read(body) == Notice("h")
    assert read_notification("h", None) == Notice("h")


@given(st.binary(max_size=200))
def test_no_notification_breaks_the_reader(data: bytes) -> None:
    """It is readable or says nothing."""
    assert read_notification("h", data).handle == "h"

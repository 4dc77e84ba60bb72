"""Orders as files: names that stay in their folder, and answers that are read whole or not at all."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from archsyncd.domain.feed import OrderLookup
from archsyncd.domain.handover import CancelAnswer, Objection, Taken
from archsyncd.wire.r247_order_files import (
    ACK_LIMIT_BYTES,
    cancellation_file,
    dispatch_file,
    is_order_file,
    name_part,
    order_file,
    read_cancellation_ack,
    read_dispatch_ack,
    read_order_ack,
)
from archsyncd.wire.r247_values import Unreadable

ORDER_ID = "0f1c7a52-3a1e-4a8e-9a52-0f4d3f6f0001"


def said(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


def test_files_are_called_as_the_contract_says() -> None:
    """A UUID stands in the name as it is, an order's version behind it."""
    assert order_file(ORDER_ID, '{"version":3}') == f"order-{ORDER_ID}-v3.json"
    assert cancellation_file(ORDER_ID) == f"cancel-{ORDER_ID}.json"
    assert dispatch_file("F-77") == "shipped-F-77.json"


@given(own_id=st.text(alphabet=st.characters(), max_size=300))
@example(own_id="../../etc/passwd")
@example(own_id="..")
@example(own_id="")
@example(own_id="\0")
@example(own_id="\udc80")
@example(own_id="€" * 128)
def test_whatever_an_id_says_its_name_stays_in_the_folder(own_id: str) -> None:
    """No separator, no dots, no byte beyond ASCII, never too long; short ones can be read back."""
    part = name_part(own_id)
    assert part.isascii()
    assert part.isprintable()
    assert not set(part) & set("/\\. \0")
    assert 0 < len(f".{dispatch_file(own_id)}.ack.json.tmp") <= 255
    if not part.startswith("sha256-"):
        assert unquote(part, errors="surrogatepass") == own_id


@given(first=st.text(max_size=130), second=st.text(max_size=130))
def test_different_ids_have_different_names(first: str, second: str) -> None:
    """Otherwise one order's answer would be another's."""
    assert (name_part(first) == name_part(second)) is (first == second)


@pytest.mark.parametrize(
    "body", ["", "[]", "{}", '{"version":"3"}', '{"version":-1}', '{"version":1e3}', "{"]
)
def test_a_body_without_version_has_no_name(body: str) -> None:
    """Such a body was not made here."""
    with pytest.raises(Unreadable):
        order_file(ORDER_ID, body)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("order-a-v1.json", True),
        ("order-a-v22.json", True),
        ("order-a-v1.json.bak", False),
        ("order-a-v1-v2.json", False),
        ("order-ab-v1.json", False),
        (".order-a-v1.json", False),
        ("cancel-a.json", False),
    ],
)
def test_files_of_an_order_are_known_by_their_names(name: str, meant: bool) -> None:
    """Of every version, and of no other order."""
    assert is_order_file(name, "a") is meant


def test_an_order_is_answered_by_its_status() -> None:
    """Accepted with number and place, received, cancelled; a refusal with its code, another order under the id apart."""
    place = {"epoch": "e1", "seq": "104"}
    assert read_order_ack(said(status="accepted", sourceOrder="SO-1", position=place)) == OrderLookup(
        "accepted", "SO-1", "e1", 104
    )
    assert read_order_ack(said(status="received")) == OrderLookup("received")
    assert read_order_ack(said(status="cancelled")) == OrderLookup("cancelled")
    assert read_order_ack(said(status="rejected", code="unknown_sku", detail="Q")) == Objection(
        "unknown_sku", "Q"
    )
    assert read_order_ack(said(status="rejected")) == Objection("rejected")
    assert read_order_ack(said(status="rejected", code="different_content")) == Objection(
        "different_content", different=True
    )


def test_a_wish_to_cancel_is_answered_by_status_and_code() -> None:
    """Granted, to be decided, too late, or about an order that is unknown there."""
    assert read_cancellation_ack(said(status="cancelled")) is CancelAnswer.CANCELLED
    assert read_cancellation_ack(said(status="received")) is CancelAnswer.PENDING
    assert (
        read_cancellation_ack(said(status="rejected", code="already_shipped")) is CancelAnswer.ALREADY_SHIPPED
    )
    assert read_cancellation_ack(said(status="rejected", code="unknown_order")) is CancelAnswer.UNKNOWN_THERE


def test_a_booked_dispatch_is_answered_by_its_status() -> None:
    """Taken notice of, to be decided, or refused with a code."""
    assert read_dispatch_ack(said(status="acknowledged")) is Taken.TAKEN
    assert read_dispatch_ack(said(status="received")) is Taken.PENDING
    assert read_dispatch_ack(said(status="rejected", code="unknown_fulfilment")) == Objection(
        "unknown_fulfilment"
    )


@pytest.mark.parametrize("read", [read_order_ack, read_cancellation_ack, read_dispatch_ack])
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b'{"status":"acc',
        b'{"status":"accepted"}{',
        b"[]",
        b"{}",
        b"null",
        b'{"status":17}',
        b'{"status":"shrugged"}',
        b'{"status":"accepted","status":"rejected"}',
        b'{"status":"\xff"}',
        b"[" * 60_000,
        b'{"status":"received","detail":"' + b"x" * ACK_LIMIT_BYTES + b'"}',
    ],
)
def test_what_is_no_answer_is_unreadable(read: Any, data: bytes) -> None:
    """Half of one, none of the known ones, or one that is too large: nothing of it is believed."""
    with pytest.raises(Unreadable):
        read(data)


@given(data=st.binary(max_size=80), cut=st.integers(0, 60))
def test_arbitrary_and_cut_answers_raise_nothing_else(data: bytes, cut: int) -> None:
    """A reader gets an answer or one kind of fault; no part of an answer passes for a whole one."""
    whole = said(status="rejected", code="already_shipped", detail="gone")
    for read in (read_order_ack, read_cancellation_ack, read_dispatch_ack):
        with pytest.raises(Unreadable):
            read(whole[:cut])
        try:
            read(data)
        except Unreadable:
            continue


def test_a_refusal_that_says_nothing_of_the_order_is_no_answer_to_a_wish() -> None:
    """The wish stays open, and the code is told."""
    with pytest.raises(Unreadable, match="bad_field"):
        read_cancellation_ack(said(status="rejected", code="bad_field"))

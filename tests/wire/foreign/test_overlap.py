"""What is news among rows that were read before, and what is remembered of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsyncd.wire.foreign.overlap import (
    REMEMBERED_LIMIT,
    ROUND_LIMIT,
    UNTIMED_KEPT_MS,
    Known,
    Memory,
    Round,
    TooMany,
)
from archsyncd.wire.foreign.places import Numbers, Stand, decode_stand, place
from archsyncd.wire.profile.contract import Mapped
from archsyncd.wire.r247_values import Misread


def row(sku: str | None, pieces: int | None, at: str = "10:00:00", **more: Any) -> Mapped:
    value = {
        "type": "stock.level",
        "sku": sku,
        "location": "W",
        "onHand": pieces,
        "asOf": f"2026-01-01T{at}Z",
        **more,
    }
    return Mapped(
        1, lambda: repr(value).encode(), {name: one for name, one in value.items() if one is not None}
    )


def news(memory: Memory, *rows: Mapped, since_ms: int = 0) -> list[tuple[str, Any]]:
    """What a round of these rows tells, and remembers."""
    gathered = Round(memory, since_ms)
    gathered.take_all(rows)
    found = list(gathered.news())
    for one in found:
        gathered.remember(one)
    return [
        (one.item.value.get("sku", one.item.value.get("id", "")), one.item.value.get("onHand"))
        for one in found
    ]


def test_of_several_rows_of_a_key_the_newest_counts_and_of_equal_times_the_last() -> None:
    """A list of events shows each; only where the key stands now is told."""
    rows = (row("A", 5), row("A", 3, "10:00:02"), row("A", 4, "10:00:01"), row("B", 1), row("B", 2))
    memory = Memory()
    assert news(memory, *rows) == [("B", 2), ("A", 3)]
    assert news(memory, *rows) == []


def test_a_row_whose_time_has_no_offset_is_set_aside_and_the_others_are_told() -> None:
    """Nobody can say when that was."""
    gathered = Round(Memory(), 0)
    gathered.take_all([row("A", 5), row("B", 1, asOf="2026-01-01T10:00:00")])
    assert [(one.item.value["sku"], [f.code for f in one.item.faults]) for one in gathered.news()] == [
        ("A", []),
        ("B", ["missing"]),
    ]


def test_what_tells_of_orders_comes_behind_all_stock() -> None:
    """A level of the same round need not exclude an order that the round says was accepted."""
    accepted = row(None, None, "09:00:00", type="order.accepted", id="o", orderId="o-1", location=None)
    assert [name for name, _ in news(Memory(), accepted, row("A", 1))] == ["A", "o"]


def test_a_fulfilment_that_is_restated_is_told_again() -> None:
    """By its own id and what it says; the same once more is not."""
    said: dict[str, Any] = {"type": "fulfilment", "fulfilmentId": "F", "location": None}
    memory = Memory()
    assert len(news(memory, row(None, None, status="picked", **said))) == 1
    assert len(news(memory, row(None, None, status="picked", **said))) == 0
    assert len(news(memory, row(None, None, status="shipped", **said))) == 1


def test_a_row_without_a_readable_time_is_set_aside_once() -> None:
    """It is remembered longer than the night's longest hour."""
    memory = Memory()
    spoilt = Mapped(1, lambda: b"x", {"sku": "A"}, (Misread("not_a_time", "is no time", "/asOf"),))
    bare = Mapped(2, lambda: b"y", {"type": "stock.level", "sku": "B", "location": "W", "onHand": 1})
    assert [name for name, _ in news(memory, spoilt, bare)] == ["A", "B"]
    memory.forget_before(UNTIMED_KEPT_MS - 1)
    assert news(memory, spoilt, bare) == []


def test_a_round_beyond_reason_is_told_and_not_held() -> None:
    """So many keys at once: a full picture is cheaper."""
    gathered = Round(Memory(), 0)
    with pytest.raises(TooMany):
        gathered.take_all(row(f"S{number}", 1) for number in range(ROUND_LIMIT + 1))


@given(
    st.dictionaries(
        st.binary(min_size=6, max_size=6),
        st.builds(Known, st.binary(min_size=8, max_size=8), st.integers(1_000_000, 2_000_000)),
        max_size=40,
    )
)
def test_what_is_remembered_survives_its_checkpoint(known: dict[bytes, Known]) -> None:
    """To the byte, as long as it fits."""
    stand = Stand("time-overlap", "e", 5, newest_ms=1_100_000, overlap_ms=100_000, memory=Memory(dict(known)))
    found = decode_stand(stand.encode(), "time-overlap")
    assert found is not None
    assert found.memory.known == known
    assert found == stand


def test_what_does_not_fit_is_the_oldest_and_said_to_be_missing() -> None:
    """The checkpoint stays bounded."""
    known = {
        number.to_bytes(6, "big"): Known(b"x" * 8, 1_000 + number) for number in range(REMEMBERED_LIMIT + 10)
    }
    stand = Stand("time-overlap", "e", 5, newest_ms=1_000, memory=Memory(known))
    found = decode_stand(stand.encode(), "time-overlap")
    assert found is not None
    assert found.memory.lossy
    assert min(one.at_ms for one in found.memory.known.values()) == 1_010


@pytest.mark.parametrize(
    "text",
    [
        "",
        "c1",
        "[]",
        "5",
        '{"v":2,"m":"cursor","e":"x","r":1}',
        '{"v":1,"m":"cursor","e":"x"}',
        '{"v":1,"m":"cursor","e":"x","r":-1}',
        '{"v":1,"m":"cursor","e":"x","r":true}',
        '{"v":1,"m":"cursor","e":"x","r":1,"c":5}',
        '{"v":1,"m":"cursor","e":"x","r":1,"i":[5]}',
        '{"v":1,"m":"cursor","e":"x","r":1,"s":"???"}',
        '{"v":1,"m":"cursor","e":"x","r":1,"s":"QUJD"}',
    ],
)
def test_what_is_no_checkpoint_of_ours_is_none(text: str) -> None:
    """It is never read half."""
    assert decode_stand(text, "cursor") is None


STEPS = st.lists(st.sampled_from(["round", "told", "read", "restart"]), max_size=40)


@given(STEPS)
def test_what_is_asked_for_later_stands_later_whatever_happens(steps: list[str]) -> None:
    """Rounds, readings and restarts: no position is given twice, and none below an earlier one."""
    numbers, kept, told = Numbers(readings=True), 1, [0]
    numbers.enter("e", kept)
    for step in steps:
        if step == "round":
            numbers.next_round(kept)
        elif step == "told":
            kept = numbers.next_round(kept)
            told += [place(kept, 0), place(kept, 1)]
            numbers.kept()
        elif step == "read":
            found = numbers.reading()
            told += [] if found is None else [found]
        else:
            numbers = Numbers(readings=True)
            numbers.enter("e", kept)
    assert told == sorted(set(told))

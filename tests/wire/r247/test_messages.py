"""Messages of a queue are read strictly, and one that is spoilt spoils only itself."""

from __future__ import annotations

import contextlib
import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsyncd.domain.feed import Level, Movement
from archsyncd.wire.pubsub import read_error, read_pull
from archsyncd.wire.r247_messages import Message, read_message
from archsyncd.wire.r247_values import Unreadable

TOLD = {"schema": "r247/1", "feed": "main", "epoch": "e1"}
LEVEL = {"id": "r1", "type": "stock.level", "seq": "1", "sku": "A", "location": "WH1", "onHand": 4}


def message(body: Any, **attributes: str) -> Message:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read_message(data, TOLD | attributes)


def code(found: Message) -> str:
    """The code of the only reject; nothing else is told."""
    (reject,) = found.rejects
    assert (found.records, found.part, found.closing) == ((), None, None)
    return reject.code


def test_a_record_and_a_batch_say_the_same() -> None:
    """One object, or a list of them."""
    assert message(LEVEL).records == message({"items": [LEVEL]}).records
    assert len(message({"items": [LEVEL, LEVEL | {"id": "r2", "seq": "2"}]}).records) == 2


def test_feed_and_epoch_stand_in_the_attributes_or_in_the_body() -> None:
    """The attribute counts where both say it; without an epoch a place means nothing."""
    found = read_message(json.dumps({"feed": "main", "epoch": "e2", "items": [LEVEL]}).encode(), {})
    assert (found.feed, found.epoch) == ("main", "e2")
    assert message({"epoch": "e2", "items": [LEVEL]}).epoch == "e1"
    assert code(read_message(json.dumps(LEVEL).encode(), {})) == "no_epoch"


def test_of_figures_without_a_place_of_their_own_the_last_one_of_a_key_counts() -> None:
    """They all stand where the message does, and the store would take the first."""
    bare = {name: value for name, value in LEVEL.items() if name != "seq"}
    found = message({"items": [bare, bare | {"sku": "B"}, bare | {"onHand": 9}]}, seq="7")
    told = {(one.sku, one.on_hand, one.seq) for one in found.records if isinstance(one, Level)}
    assert told == {("A", 9, 7), ("B", 4, 7)}
    movement = {
        "id": "m",
        "type": "stock.movement",
        "sku": "A",
        "location": "WH1",
        "delta": -1,
        "state": "onHand",
    }
    both = message({"items": [movement, movement | {"id": "n"}]}, seq="7").records
    assert [type(one) for one in both] == [Movement, Movement]


@pytest.mark.parametrize(
    ("data", "attributes", "wanted"),
    [
        (b"", {}, "not_json"),
        (b"\xff\xfe", {}, "not_json"),
        (b"[1]", {}, "not_an_object"),
        (b'{"items":[1,', {}, "not_json"),
        (b"{}", {"schema": "r247/2"}, "unknown_schema"),
        (b"{}", {"contentEncoding": "br"}, "unknown_encoding"),
        (b"plain", {"contentEncoding": "gzip"}, "not_gzip"),
        (gzip.compress(json.dumps(LEVEL).encode(), mtime=0)[:-4], {"contentEncoding": "gzip"}, "not_gzip"),
        (gzip.compress(b"{}", mtime=0) + b"x", {"contentEncoding": "gzip"}, "not_gzip"),
        (gzip.compress(b" " * 40_000_000, mtime=0), {"contentEncoding": "gzip"}, "too_large"),
        (json.dumps(LEVEL | {"type": "stock.riddle"}).encode(), {}, "unknown_type"),
        (
            json.dumps({"type": "snapshot.part", "snapshotId": "s", "part": 0, "items": []}).encode(),
            {},
            "out_of_range",
        ),
        (
            json.dumps({"type": "snapshot.part", "snapshotId": "s", "part": 10**9, "items": []}).encode(),
            {},
            "out_of_range",
        ),
        (json.dumps({"type": "snapshot.end", "snapshotId": "s", "parts": 1}).encode(), {}, "missing"),
    ],
)
def test_f104_f106_a_message_that_cannot_be_read_is_one_exception(
    data: bytes, attributes: dict[str, str], wanted: str
) -> None:
    """With what is known of it: its place by the attribute, and its bytes."""
    found = read_message(data, TOLD | {"seq": "5"} | attributes)
    assert code(found) == wanted
    assert found.rejects[0].payload
    assert read_message(None, TOLD).rejects[0].code == "not_base64"


def test_f104_one_bad_record_of_a_batch_spoils_only_itself() -> None:
    """As on a page: the others count."""
    text = json.dumps({"items": [LEVEL, LEVEL | {"id": "r2", "seq": "2", "onHand": 0}]})
    found = message(text.replace('"onHand": 0', '"onHand": 1e400').encode())
    assert [record.id for record in found.records] == ["r1"]
    assert [(one.seq, one.sku, one.location) for one in found.rejects] == [(2, "A", "WH1")]


def test_f106_unknown_members_are_ignored() -> None:
    """Of the message, of the record and of the attributes."""
    assert message(LEVEL | {"colour": "red"}, colour="red").records == message(LEVEL).records


@given(
    st.binary(max_size=200)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["items", "type", "seq", "id", "part", "epoch", "sku", "x"]),
                inner,
                max_size=5,
            )
        ),
    ).map(lambda tree: json.dumps(tree).encode()),
    st.dictionaries(
        st.sampled_from(["schema", "feed", "epoch", "seq", "contentEncoding", "type"]), st.text(max_size=6)
    ),
)
def test_f104_no_message_breaks_the_reader(data: bytes, attributes: dict[str, str]) -> None:
    """Whatever is published becomes records, pieces of a snapshot, or rejects."""
    found = read_message(data, attributes)
    assert found.epoch or found.rejects or not found.records


@given(st.binary(max_size=300))
def test_no_answer_breaks_the_readers_of_google(data: bytes) -> None:
    """They are no pull, or a list of messages; an error says something or nothing."""
    with contextlib.suppress(Unreadable):
        assert isinstance(read_pull(data), list)
    assert read_error(data).message.isprintable()


def test_the_examples_that_sites_are_given_read_as_they_say() -> None:
    """Those of the contract's page: a batch, a part of a snapshot and its end."""
    page = (Path(__file__).parents[3] / "packaging/r247.md").read_text("utf-8")
    section = page.partition("## Transport `pubsub`")[2].partition("\n## ")[0]
    examples = [line.strip() for line in section.splitlines() if line.startswith("    {")]
    batch, part, end = (message(line.encode()) for line in examples)
    assert [record.seq for record in batch.records] == [101]
    assert part.part is not None
    assert [item.on_hand for item in part.part.items] == [42]
    assert end.closing is not None
    assert (end.closing.parts, end.closing.seq_at, end.closing.sum_on_hand) == (1, 101, 42)

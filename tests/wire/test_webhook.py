"""Signatures of webhooks: the published vector, and that any change of anything refuses."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsyncd.domain.feed import Level, Reject
from archsyncd.wire.r247_values import Unreadable
from archsyncd.wire.webhook import (
    CONTENTS,
    STANDARD,
    Algorithm,
    Scheme,
    is_id,
    keys_of,
    own_id,
    seconds_of,
    signature,
    verified,
)
from archsyncd.wire.webhook_body import read_batch

KEYS = st.binary(min_size=16, max_size=64)
IDS = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="."), min_size=1, max_size=40
)
TIMES = st.integers(0, 10**10).map(str)
BODIES = st.binary(max_size=200)
SCHEMES = st.builds(
    Scheme,
    encoding=st.sampled_from(["base64", "hex"]),
    prefix=st.sampled_from(["v1,", "sha256=", ""]),
    content=st.sampled_from(CONTENTS),
)


def test_the_published_example_of_standard_webhooks_is_verified() -> None:
    """The vector that its libraries are tested with."""
    keys = keys_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    told = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    message = ("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", b'{"test": 2432232314}')
    assert signature(STANDARD, keys[0], *message) == told
    assert verified(STANDARD, keys, told, *message)
    assert verified(STANDARD, keys, f"v1,AAAA v2,x {told}", *message)


@given(SCHEMES, KEYS, KEYS, IDS, TIMES, BODIES, st.data())
def test_f168_any_change_of_key_id_time_or_body_refuses(
    scheme: Scheme,
    key: bytes,
    other: bytes,
    message_id: str,
    timestamp: str,
    body: bytes,
    data: st.DataObject,
) -> None:
    """One byte is enough, as far as the scheme signs it; another scheme's shape refuses as well."""
    told = signature(scheme, key, message_id, timestamp, body)
    assert verified(scheme, [other, key], told, message_id, timestamp, body)
    if other.rstrip(b"\0") != key.rstrip(b"\0"):
        assert not verified(scheme, [other], told, message_id, timestamp, body)
    place = data.draw(st.integers(0, len(body)))
    sign = data.draw(st.binary(min_size=1, max_size=3))
    changed = body[:place] + sign + body[place + data.draw(st.integers(0, 1)) :]
    if changed != body:
        assert not verified(scheme, [key], told, message_id, timestamp, changed)
    if "{ts}" in scheme.content:
        assert not verified(scheme, [key], told, message_id, timestamp + "0", body)
    if "{id}" in scheme.content:
        assert not verified(scheme, [key], told, message_id + "x", timestamp, body)


@given(SCHEMES, KEYS, IDS, TIMES, BODIES, st.data())
def test_f168_any_change_of_the_signature_refuses(
    scheme: Scheme, key: bytes, message_id: str, timestamp: str, body: bytes, data: st.DataObject
) -> None:
    """Cut, longer, another letter; unless it is the same bytes written otherwise."""
    told = signature(scheme, key, message_id, timestamp, body)
    place = data.draw(st.integers(0, len(told) - 1))
    letter = data.draw(st.characters(min_codepoint=0x21, max_codepoint=0x7E))
    changed = told[:place] + letter + told[place + 1 :]
    if changed != told and not (scheme.encoding == "hex" and changed.lower() == told):
        assert verified(scheme, [key], changed, message_id, timestamp, body) is _same_bytes(
            scheme, changed, told
        )
    assert not verified(scheme, [key], told[:-1], message_id, timestamp, body) or told[:-1] == ""


def _same_bytes(scheme: Scheme, changed: str, told: str) -> bool:
    # The last letter of base64 holds bits that stand for nothing.
    if not changed.startswith(scheme.prefix) or scheme.encoding == "hex":
        return False
    try:
        both = [base64.b64decode(one.removeprefix(scheme.prefix), validate=True) for one in (changed, told)]
    except ValueError:
        return False
    return both[0] == both[1]


@given(st.text(max_size=100), BODIES)
def test_no_header_makes_the_judge_fail(told: str, body: bytes) -> None:
    """Whatever a stranger sends is yes or no."""
    for scheme in (STANDARD, replace(STANDARD, encoding="hex", prefix=""), Scheme(algorithm=Algorithm.TOKEN)):
        assert verified(scheme, [b"k" * 24], told, "m1", "1", body) in {True, False}
    assert seconds_of(told) is None or told.isdigit()
    assert not is_id(told) or "." not in told


@given(IDS, BODIES, BODIES)
def test_an_id_that_nobody_signs_is_one_only_with_its_body(
    message_id: str, body: bytes, other: bytes
) -> None:
    """Who records a call cannot use up the id of another."""
    bare = Scheme(content="{body}", ts_header="")
    assert own_id(STANDARD, message_id, body) == own_id(STANDARD, message_id, other) == message_id
    assert (own_id(bare, message_id, body) == own_id(bare, message_id, other)) is (body == other)


@pytest.mark.parametrize(
    ("credential", "says"),
    [
        ("", "0 secrets"),
        ("\n\n", "0 secrets"),
        ("a" * 20 + "\n" + "b" * 20 + "\n" + "c" * 20, "3 secrets"),
        ("short", "can be guessed"),
        ("whsec_", "can be guessed"),
        ("whsec_###", "no base64"),
        ("a" * 20 + "\nwhsec_AAAA", "can be guessed"),
    ],
)
def test_a_credential_that_proves_nothing_is_refused(credential: str, says: str) -> None:
    """And nothing of it is told."""
    with pytest.raises(ValueError, match=says) as refused:
        keys_of(credential)
    assert "aaaa" not in str(refused.value)


@given(st.binary(max_size=300))
def test_no_body_makes_the_reader_fail(body: bytes) -> None:
    """Anything is read or refused."""
    wrapped = (
        b'{"type":"stock.batch","data":{"schema":"r247/1","feed":"f","epoch":"e","items":[' + body + b"]}}"
    )
    for data in (body, wrapped):
        try:
            told = read_batch(data)
        except Unreadable:
            continue
        assert all(isinstance(one, Reject) for one in told.rejects)


def test_a_body_in_doubt_is_read_as_a_clean_one_record_by_record() -> None:
    """A name stated twice, a number beyond bounds and a nest without end spoil one record each."""
    good = b'{"id":"r1","type":"stock.level","seq":"1","sku":"A","location":"WH1","onHand":5}'
    bad = [
        b'{"id":"r2","type":"stock.level","seq":"2","sku":"B","location":"WH1","onHand":5,"onHand":6}',
        b'{"id":"r3","type":"stock.level","seq":"3","sku":"C","location":"WH1","onHand":1e400}',
        b'{"id":"r4","type":"stock.level","seq":"4","sku":"D","location":"WH1","x":'
        + b"[" * 5_000
        + b"]" * 5_000
        + b"}",
    ]
    body = (
        b'{"type":"stock.batch","data":{"epoch":"e1","feed":"f","schema":"r247/1","items":['
        + b",".join([good, *bad, good.replace(b'"1"', b'"5"')])
        + b']},"timestamp":"2026-01-01T00:00:00Z"}'
    )
    told = read_batch(body)
    assert [(one.sku, one.seq, one.as_of) for one in told.records if isinstance(one, Level)] == [
        ("A", 1, "2026-01-01T00:00:00Z"),
        ("A", 5, "2026-01-01T00:00:00Z"),
    ]
    assert [one.code for one in told.rejects] == ["duplicate_key", "not_an_integer", "too_deep"]


def test_a_name_that_is_stated_twice_is_seen_though_all_else_is_clean() -> None:
    """A fast parser would take the last of them, and nobody would know."""
    good = b'{"id":"r1","type":"stock.level","seq":"1","sku":"A","location":"WH1","onHand":5}'
    start, end = b'{"type":"stock.batch","data":{"epoch":"e1","feed":"f","schema":"r247/1","items":[', b"]}}"
    told = read_batch(start + good.replace(b'"onHand":5', b'"onHand":5,"onHand":6') + end)
    assert [one.code for one in told.rejects] == ["duplicate_key"]
    for twice in (
        start + good + b'],"epoch":"e2"}}',
        start + good + b']},"data":{}}',
        start + good + b']},"type":"x"}',
    ):
        with pytest.raises(Unreadable):
            read_batch(twice)

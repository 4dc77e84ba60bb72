"""From answers to failures: one table, total and unambiguous."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsyncd.domain.inventory import (
    Conflict,
    Exists,
    Failure,
    Forbidden,
    Missing,
    Refused,
    Throttled,
    TooLarge,
    Unauthorised,
    Unknown,
)
from archsyncd.wire.commercetools.errors import (
    MESSAGE_LIMIT_CHARACTERS,
    clean,
    error_in,
    failure_of,
    failure_of_error,
)
from archsyncd.wire.commercetools.exchange import Reply, Request, retry_after_seconds, server_ms

WRITE = Request("POST", "/inventory/1", writes=True, addresses_one=True)
CREATE = Request("POST", "/inventory", writes=True)
READ = Request("GET", "/inventory")
NOW = "Mon, 02 Mar 2026 10:00:00 GMT"


def reply(status: int, code: str | None = None, retry_after: str | None = None, **more: Any) -> Reply:
    if code is None:
        return Reply(status, b"<html>front end</html>", NOW, retry_after)
    tree = {"statusCode": status, "message": "m", "errors": [{"code": code, "message": "m", **more}]}
    return Reply(status, orjson.dumps(tree), NOW, retry_after)


@pytest.mark.parametrize(
    ("request_", "answer", "wanted"),
    [
        (WRITE, reply(409, "ConcurrentModification", currentVersion=12), Conflict(12)),
        (WRITE, reply(409, "ConcurrentModification"), Conflict(None)),
        (WRITE, reply(409), Conflict(None)),
        (CREATE, reply(400, "DuplicateField", field="sku"), Exists("sku")),
        (CREATE, reply(400, "DuplicateField", field="key"), Exists("key")),
        (WRITE, reply(404, "ResourceNotFound"), Missing()),
        (CREATE, reply(404, "ResourceNotFound"), Refused("ResourceNotFound", "m")),
        (WRITE, reply(404), Unknown("answer 404", 404)),
        (WRITE, reply(400), Refused("400", "")),
        (WRITE, reply(405), Refused("405", "")),
        (READ, reply(400, "QueryTimedOut"), TooLarge("QueryTimedOut", "m")),
        (READ, reply(400, "QueryComplexityLimitExceeded"), TooLarge("QueryComplexityLimitExceeded", "m")),
        (READ, reply(413, "ContentTooLarge"), TooLarge("ContentTooLarge", "m")),
        (READ, reply(414), TooLarge("414", "")),
        (READ, reply(431), TooLarge("431", "")),
        (WRITE, reply(401, "invalid_token"), Unauthorised("invalid_token: m")),
        (WRITE, reply(403), Forbidden("", "")),
        (WRITE, reply(429, retry_after="7"), Throttled(429, "", 7.0)),
        (WRITE, reply(503, "OverCapacity"), Throttled(503, "OverCapacity", None)),
        (WRITE, reply(503, "PendingOperation", retry_after="3"), Throttled(503, "PendingOperation", 3.0)),
        (WRITE, reply(503, retry_after="9"), Unknown("answer 503", 503, 9.0)),
        (READ, reply(503, retry_after="9"), Throttled(503, "", 9.0)),
        (WRITE, reply(502), Unknown("answer 502", 502)),
        (READ, reply(502, "BadGateway"), Throttled(502, "BadGateway", None)),
        (WRITE, reply(500, "General"), Unknown("answer 500 General m", 500)),
        (WRITE, reply(504), Unknown("answer 504", 504)),
        (WRITE, reply(408), Unknown("answer 408", 408)),
        (WRITE, reply(302), Unknown("redirect 302 not followed", 302)),
        (WRITE, reply(204), Unknown("answer 204", 204)),
    ],
    ids=lambda value: str(value)[:60],
)
def test_f078_each_answer_is_one_failure(request_: Request, answer: Reply, wanted: Failure) -> None:
    """The table, row by row: writes and reads differ where a front end spoke."""
    assert failure_of(request_, answer) == wanted


@pytest.mark.parametrize(
    "code",
    [
        "InvalidInput",
        "InvalidField",
        "InvalidOperation",
        "RequiredField",
        "ReferencedResourceNotFound",
        "OutOfStock",
        "MaxResourceLimitExceeded",
        "ResourceSizeLimitExceeded",
    ],
)
def test_f081_a_refusal_names_its_code_and_holds_that_key_only(code: str) -> None:
    """Permanent refusals carry commercetools' code and not the body."""
    failure = failure_of(WRITE, reply(400, code))
    assert failure == Refused(code, "m")
    assert failure_of_error(error_in({"message": "m", "extensions": {"code": code}})) == failure


def test_f081_an_unknown_code_is_the_keys_fault_only_where_the_status_says_so() -> None:
    """A 400 of commercetools is its verdict on what was asked; inside a 200 an unknown word is none."""
    code = "SomethingNewIn2027"
    assert failure_of(WRITE, reply(400, code)) == Refused(code, "m")
    answered = failure_of_error(error_in({"message": "m", "extensions": {"code": code}}))
    assert answered == Unknown(f"answer 200 {code} m", 200)


@pytest.mark.parametrize(
    "code",
    [
        "Unauthorized",
        "UNAUTHENTICATED",
        "invalid_token",
        "ServiceUnavailable",
        "GatewayTimeout",
        "INTERNAL_SERVER_ERROR",
        "Timeout",
        "TooManyRequests",
        "too_many_requests",
    ],
)
def test_f078_what_is_said_of_the_transport_parks_no_key_and_stops_nobody(code: str) -> None:
    """A token or an overload told inside a batch: the key is looked at and sent again, decreases included."""
    answered = failure_of_error(error_in({"message": "m", "extensions": {"code": code}}))
    assert isinstance(answered, Unknown | Throttled)
    assert isinstance(failure_of(WRITE, reply(400, code)), Unknown | Throttled)


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        ("TooManyRequests", Throttled(429, "TooManyRequests")),
        ("ConcurrentModification", Conflict(5)),
        ("ResourceNotFound", Missing()),
        ("DuplicateField", Exists()),
        ("OverCapacity", Throttled(200, "OverCapacity")),
        ("PendingOperation", Throttled(200, "PendingOperation")),
        ("QueryComplexityLimitExceeded", TooLarge("QueryComplexityLimitExceeded", "m")),
        ("General", Unknown("answer 200 General m", 200)),
        ("", Unknown("answer 200  m", 200)),
        ("insufficient_scope", Forbidden("", "m")),
    ],
)
def test_a_graphql_error_is_judged_by_its_code(code: str, wanted: Failure) -> None:
    """An alias that fails inside a 200 means what the same code means in REST; without a code nobody knows."""
    tree = {"message": "m", "path": ["a0"], "extensions": {"code": code, "currentVersion": 5}}
    assert failure_of_error(error_in(tree)) == wanted


def test_f069_the_missing_scope_is_found_in_the_message() -> None:
    """The scope to add is named where commercetools names it."""
    body = orjson.dumps(
        {
            "statusCode": 403,
            "message": "Insufficient scope. One of the following scopes is missing: manage_types:shop-1.",
            "errors": [
                {"code": "insufficient_scope", "message": "One of ... is missing: manage_types:shop-1."}
            ],
        }
    )
    failure = failure_of(WRITE, Reply(403, body))
    assert isinstance(failure, Forbidden)
    assert failure.scope == "manage_types:shop-1"


@given(
    st.integers(100, 999).filter(lambda status: status not in {200, 201}),
    st.one_of(st.binary(max_size=60), st.text().map(str.encode), st.just(b"[" * 5_000)),
    st.booleans(),
    st.booleans(),
    st.one_of(st.none(), st.text(max_size=30)),
    st.one_of(st.none(), st.text(max_size=30)),
)
def test_any_answer_is_exactly_one_failure(
    status: int, body: bytes, writes: bool, one: bool, date: str | None, after: str | None
) -> None:
    """No body, header or status breaks the judgement, and a write is never called undone by a strange answer."""
    failure = failure_of(
        Request("POST", "/x", writes=writes, addresses_one=one), Reply(status, body, date, after)
    )
    assert isinstance(failure, Failure)
    if writes and status >= 500:
        assert isinstance(failure, Unknown)


@given(st.text())
def test_messages_are_short_and_harmless(text: str) -> None:
    """Nothing a terminal or the journal acts on survives, and nothing longer than the limit."""
    cleaned = clean(text)
    assert len(cleaned) <= MESSAGE_LIMIT_CHARACTERS
    assert cleaned.isprintable()


@pytest.mark.parametrize(
    ("value", "date", "seconds"),
    [
        (None, NOW, None),
        ("7", None, 7.0),
        (" 7 ", None, 7.0),
        ("0", None, 0.0),
        ("301", None, 300.0),
        ("9" * 50, None, 300.0),
        ("-5", NOW, None),
        ("1.5", NOW, None),
        ("٧", NOW, None),
        ("soon", NOW, None),
        ("Mon, 02 Mar 2026 10:00:30 GMT", NOW, 30.0),
        ("Mon, 02 Mar 2026 09:00:00 GMT", NOW, 0.0),
        ("Tue, 03 Mar 2026 10:00:00 GMT", NOW, 300.0),
        ("Mon, 02 Mar 2026 10:00:30 GMT", None, None),
        ("Mon, 02 Mar 2026 10:00:30 GMT", "garbage", None),
        ("Mon, 99 Foo 2026 10:00:30 GMT", NOW, None),
    ],
)
def test_f076_retry_after_is_a_bounded_lower_bound(
    value: str | None, date: str | None, seconds: float | None
) -> None:
    """Seconds or a date, a date by the server's own clock, never beyond five minutes, garbage tells nothing."""
    assert retry_after_seconds(value, date) == seconds


def test_f044_the_servers_clock_is_its_date_header() -> None:
    """Milliseconds of UTC, or None; never ours."""
    assert server_ms(NOW) == 1_772_445_600_000
    assert server_ms("garbage") is None
    assert server_ms(None) is None

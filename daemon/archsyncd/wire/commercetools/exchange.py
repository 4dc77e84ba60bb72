"""One HTTP request to commercetools and its answer, as values. Knows no session, no token and no host."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any
from urllib.parse import quote

import orjson

from archsyncd.wire.commercetools.strict import MalformedAnswer

# What the front end takes; a longer URL is answered 414 or cut off (commercetools' limits page).
URL_LIMIT_BYTES = 7000
RETRY_AFTER_LIMIT_SECONDS = 300.0

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RETRY_AFTER_LIMIT_DIGITS = 10
# Sub-delimiters that need no escaping in a query: predicates are full of them and the URL is short of room.
_QUERY_SAFE = "(),"


@dataclass(frozen=True, slots=True)
class Request:
    """A call below the project's URL. `path` and `query` are percent-encoded already.

    `writes`: a lost answer leaves the outcome unknown. `addresses_one`: the path names one resource, a 404 means that
    it is gone. `body` may hold stock figures, never a secret.
    """

    method: str
    path: str
    query: str = ""
    body: bytes | None = field(default=None, repr=False)
    writes: bool = False
    addresses_one: bool = False

    @property
    def target(self) -> str:
        """Path and query as they stand in the URL."""
        return f"{self.path}?{self.query}" if self.query else self.path


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: status, whole body, and the headers that matter."""

    status: int
    body: bytes = field(repr=False)
    date: str | None = None
    retry_after: str | None = None

    @property
    def succeeded(self) -> bool:
        """Whether commercetools says that it did what was asked."""
        return self.status in {200, 201}

    def tree(self) -> Any:
        """The body as JSON values. Raises MalformedAnswer."""
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError as error:
            raise MalformedAnswer("body", "is not JSON") from error


def query_of(parameters: Iterable[tuple[str, str]]) -> str:
    """Encode query parameters in the given order; a name may come several times."""
    return "&".join(f"{name}={quote(value, safe=_QUERY_SAFE)}" for name, value in parameters)


def encoded_bytes(text: str) -> int:
    """How many bytes of a URL this query text takes."""
    return len(quote(text, safe=_QUERY_SAFE))


def path_segment(text: str) -> str:
    """Encode one path segment; slashes and dots of hostile ids must not move the path."""
    return quote(text, safe="").replace(".", "%2E")


def post(path: str, tree: Any, *, addresses_one: bool = False, writes: bool = True) -> Request:
    """Build a POST of a JSON tree. `writes` is False for queries that only travel as a POST."""
    return Request("POST", path, body=orjson.dumps(tree), writes=writes, addresses_one=addresses_one)


@lru_cache(maxsize=8)  # a server answers many requests in one second
def server_ms(date: str | None) -> int | None:
    """UTC milliseconds of a Date header, None when it is absent or not a date."""
    moment = _http_date(date)
    return None if moment is None else (moment - _EPOCH) // timedelta(milliseconds=1)


def retry_after_seconds(retry_after: str | None, date: str | None) -> float | None:
    """Seconds told by Retry-After within [0, 300]; None when it tells nothing usable.

    A date is judged by the answer's own Date header, never by our clock (RFC 9110, section 10.2.3).
    """
    if retry_after is None:
        return None
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        seconds = float(text) if len(text) <= _RETRY_AFTER_LIMIT_DIGITS else RETRY_AFTER_LIMIT_SECONDS
    else:
        until, now = _http_date(text), _http_date(date)
        if until is None or now is None:
            return None
        seconds = (until - now).total_seconds()
    return min(max(seconds, 0.0), RETRY_AFTER_LIMIT_SECONDS)


def _http_date(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)

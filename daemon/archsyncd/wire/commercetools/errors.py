"""From status and error code to exactly one failure. Knows no resource, only what commercetools' error pages say.

answer ─┬─ 409, ConcurrentModification ──────────── Conflict
        ├─ 400 DuplicateField ───────────────────── Exists
        ├─ 404 of one resource ──────────────────── Missing
        ├─ 413, 414, QueryTimedOut, …Complexity… ── TooLarge
        ├─ 429, OverCapacity, PendingOperation ──── Throttled
        ├─ 401 ──────────────────────────────────── Unauthorised
        ├─ 403 ──────────────────────────────────── Forbidden
        ├─ other 4xx ────────────────────────────── Refused
        └─ 3xx, 5xx, not commercetools' words ───── Unknown

GraphQL answers 200, so that an error's code is all there is to go by: what is not known to be said of the content is not
held against a key, whose decreases would stop until somebody acts. It is Unknown: the entry is read, by REST, whose status
tells what a refused token or an overload is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import orjson

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
from archsyncd.wire.commercetools.exchange import Reply, Request, retry_after_seconds
from archsyncd.wire.commercetools.strict import is_integer

MESSAGE_LIMIT_CHARACTERS = 300

_CODE_LIMIT_CHARACTERS = 64
_ERRORS_LIMIT = 20
_SCOPE = re.compile(r"(?:view|manage)_[a-z_]{1,60}(?::[A-Za-z0-9_-]{1,256}){1,2}")


@dataclass(frozen=True, slots=True)
class ErrorObject:
    """One error of an answer in commercetools' words; `code` is "" when a front end answered in its own."""

    code: str = ""
    message: str = ""
    field: str | None = None
    current_version: int | None = None


@dataclass(frozen=True, slots=True)
class _Case:
    status: int
    error: ErrorObject
    writes: bool = False
    addresses_one: bool = False
    retry_after_seconds: float | None = None


_Verdict: TypeAlias = Callable[[_Case], Failure]


def clean(text: str) -> str:
    """Cut to 300 characters and escape what a terminal or the journal could act on."""
    short = text[:MESSAGE_LIMIT_CHARACTERS]
    escaped = "".join(
        character if character.isprintable() else f"\\u{ord(character):04x}" for character in short
    )
    return escaped[:MESSAGE_LIMIT_CHARACTERS]


def failure_of(request: Request, reply: Reply) -> Failure:
    """Judge an answer that is not 200 or 201."""
    case = _Case(
        status=reply.status,
        error=error_of(reply.body),
        writes=request.writes,
        addresses_one=request.addresses_one,
        retry_after_seconds=retry_after_seconds(reply.retry_after, reply.date),
    )
    verdict = _BY_STATUS.get(reply.status)
    if verdict is not None:
        return verdict(case)
    # 408 and 425 speak about the transport, not about what was asked.
    refused = 400 <= reply.status < 500 and reply.status not in {408, 425}  # noqa: PLR2004  # HTTP's own class
    return _refused(case) if refused else _unknown(case)


def failure_of_error(error: ErrorObject) -> Failure:
    """Judge one GraphQL error by its code; the answer's HTTP status was 200."""
    case = _Case(status=200, error=error, writes=True, addresses_one=True)
    return _refused(case) if error.code in _OF_CONTENT else _BY_CODE.get(_folded(error.code), _unknown)(case)


def error_of(body: bytes) -> ErrorObject:
    """Read the error that decides from an error answer's body; never raises."""
    try:
        tree = orjson.loads(body)
    except orjson.JSONDecodeError:
        return ErrorObject()
    if not isinstance(tree, dict):
        return ErrorObject()
    listed = tree.get("errors")
    errors = [error_in(item) for item in listed[:_ERRORS_LIMIT]] if isinstance(listed, list) else []
    known = [error for error in errors if _folded(error.code) in _BY_CODE] or [
        error for error in errors if error.code
    ]
    if known:
        return known[0]
    # A body of commercetools always repeats its status; without one these are a front end's words.
    code = str(tree["statusCode"]) if is_integer(tree.get("statusCode")) else ""
    return ErrorObject(code=code, message=_text(tree, "message"))


def error_in(tree: Any) -> ErrorObject:
    """Read one error object: REST tells its code beside the message, GraphQL in `extensions`."""
    if not isinstance(tree, dict):
        return ErrorObject()
    extensions = tree.get("extensions")
    details: Mapping[str, Any] = {**tree, **extensions} if isinstance(extensions, dict) else tree
    version = details.get("currentVersion")
    return ErrorObject(
        code=_text(details, "code")[:_CODE_LIMIT_CHARACTERS],
        message=_text(tree, "message") or _text(details, "message"),
        field=_text(details, "field") or None,
        current_version=version if is_integer(version) else None,
    )


def _text(tree: Mapping[str, Any], name: str) -> str:
    value = tree.get(name)
    return clean(value) if isinstance(value, str) else ""


def _code(case: _Case) -> str:
    return case.error.code or str(case.status)


def _conflict(case: _Case) -> Failure:
    return Conflict(case.error.current_version)


def _exists(case: _Case) -> Failure:
    return Exists(case.error.field or "sku")


def _too_large(case: _Case) -> Failure:
    return TooLarge(_code(case), case.error.message)


def _refused(case: _Case) -> Failure:
    return Refused(_code(case), case.error.message)


def _throttled(case: _Case) -> Failure:
    return Throttled(case.status, case.error.code, case.retry_after_seconds)


def _unauthorised(case: _Case) -> Failure:
    return Unauthorised(f"{_code(case)}: {case.error.message}")


def _forbidden(case: _Case) -> Failure:
    scope = _SCOPE.search(case.error.message)
    return Forbidden(scope.group() if scope else "", case.error.message)


def _unknown(case: _Case) -> Failure:
    if 300 <= case.status < 400:  # noqa: PLR2004  # HTTP's own class
        reason = f"redirect {case.status} not followed"
    else:
        reason = f"answer {case.status} {case.error.code} {case.error.message}".rstrip()
    return Unknown(reason, case.status, case.retry_after_seconds)


def _not_found(case: _Case) -> Failure:
    # A front end's 404 says nothing about the entry: taking it for "gone" would create what exists.
    if not case.error.code:
        return _unknown(case)
    return Missing() if case.addresses_one else _refused(case)


def _busy(case: _Case) -> Failure:
    # A gateway that gave up may have passed a write on before; only commercetools' own word excludes that.
    if case.writes and case.error.code not in {"OverCapacity", "PendingOperation"}:
        return _unknown(case)
    return _throttled(case)


def _too_many(case: _Case) -> Failure:
    return Throttled(429, case.error.code, case.retry_after_seconds)


def _by_code(case: _Case) -> Failure:
    return _BY_CODE.get(_folded(case.error.code), _refused)(case)


def _folded(code: str) -> str:
    """A code however it is spelt: gateways before GraphQL write UNAUTHENTICATED or too_many_requests."""
    return code.replace("_", "").lower()


# Said of what was asked, before it took any effect; it would be said again.
_OF_CONTENT = frozenset(
    {
        "InvalidInput",
        "InvalidField",
        "InvalidJsonInput",
        "InvalidOperation",
        "InternalConstraintViolated",
        "LockedField",
        "MaxResourceLimitExceeded",
        "MissingRoleOnChannel",
        "OutOfStock",
        "ReferencedResourceNotFound",
        "ReferenceExists",
        "RequiredField",
        "ResourceSizeLimitExceeded",
        "SemanticError",
        "SyntaxError",
    }
)

_VERDICTS: Mapping[_Verdict, tuple[str, ...]] = {
    _conflict: ("ConcurrentModification",),
    _exists: ("DuplicateField", "DuplicateFieldWithConflictingResource"),
    _not_found: ("ResourceNotFound", "ObjectNotFound"),
    _too_large: (
        "QueryTimedOut",
        "QueryComplexityLimitExceeded",
        "ContentTooLarge",
        "BulkOperationMaxItemsExceeded",
    ),
    _throttled: ("OverCapacity", "PendingOperation"),
    _too_many: ("TooManyRequests", "RateLimited", "RateLimitExceeded"),
    _forbidden: ("insufficient_scope",),
    # Of the way there and back, never of a key. That a token is refused only a 401 can say: it stops everybody.
    _unknown: (
        "",
        "General",
        "BadGateway",
        "GatewayTimeout",
        "InternalError",
        "InternalServerError",
        "RequestTimeout",
        "ServiceUnavailable",
        "Timeout",
        "Unauthenticated",
        "Unauthorized",
        "invalid_token",
    ),
}
_BY_CODE: Mapping[str, _Verdict] = {
    _folded(code): verdict for verdict, codes in _VERDICTS.items() for code in codes
}

_BY_STATUS: Mapping[int, _Verdict] = {
    400: lambda case: _by_code(case) if case.error.code else _refused(case),
    401: _unauthorised,
    403: _forbidden,
    404: _not_found,
    409: _conflict,
    413: _too_large,
    414: _too_large,
    429: _throttled,
    431: _too_large,
    502: _busy,
    503: _busy,
}

"""Scripted faults: which requests fail, how often and in what manner; does not carry them out."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from archsyncd.simulators.commercetools.config import RetryAfter


class FaultKind(StrEnum):
    """The ways a request can fail; `applied` means that its effect happened nevertheless."""

    INVALID_TOKEN = "invalid_token"  # noqa: S105 - a fault's name
    INSUFFICIENT_SCOPE = "insufficient_scope"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    INVALID_INPUT = "invalid_input"
    QUERY_TIMED_OUT = "query_timed_out"
    CONTENT_TOO_LARGE = "content_too_large"
    THROTTLED = "throttled"
    SERVER_ERROR = "server_error"
    SERVER_ERROR_APPLIED = "server_error_applied"
    SERVER_ERROR_APPLIED_LATE = "server_error_applied_late"
    BAD_GATEWAY = "bad_gateway"
    BAD_GATEWAY_APPLIED = "bad_gateway_applied"
    OVER_CAPACITY = "over_capacity"
    PENDING_OPERATION = "pending_operation"
    UNAVAILABLE_TEXT = "unavailable_text"
    GATEWAY_TIMEOUT = "gateway_timeout"
    GATEWAY_TIMEOUT_APPLIED = "gateway_timeout_applied"
    UNKNOWN_ERROR = "unknown_error"
    LOST_ANSWER = "lost_answer"
    LOST_ANSWER_APPLIED_LATE = "lost_answer_applied_late"
    DROP = "drop"
    SLOW = "slow"
    STALL = "stall"
    TRUNCATED = "truncated"
    NOT_JSON = "not_json"
    GARBAGE_TOKEN = "garbage_token"  # noqa: S105 - a fault's name
    REDIRECT = "redirect"
    HUGE = "huge"
    ENDLESS = "endless"


STATUS: dict[FaultKind, tuple[int, str]] = {
    FaultKind.INVALID_TOKEN: (401, "invalid_token"),
    FaultKind.INSUFFICIENT_SCOPE: (403, "insufficient_scope"),
    FaultKind.NOT_FOUND: (404, "ResourceNotFound"),
    FaultKind.CONFLICT: (409, "ConcurrentModification"),
    FaultKind.INVALID_INPUT: (400, "InvalidInput"),
    FaultKind.QUERY_TIMED_OUT: (400, "QueryTimedOut"),
    FaultKind.CONTENT_TOO_LARGE: (413, "ContentTooLarge"),
    FaultKind.THROTTLED: (429, "TooManyRequests"),
    FaultKind.SERVER_ERROR: (500, "General"),
    FaultKind.SERVER_ERROR_APPLIED: (500, "General"),
    FaultKind.SERVER_ERROR_APPLIED_LATE: (500, "General"),
    FaultKind.BAD_GATEWAY: (502, "BadGateway"),
    FaultKind.BAD_GATEWAY_APPLIED: (502, "BadGateway"),
    FaultKind.OVER_CAPACITY: (503, "OverCapacity"),
    FaultKind.PENDING_OPERATION: (503, "PendingOperation"),
    FaultKind.GATEWAY_TIMEOUT: (504, "General"),
    FaultKind.GATEWAY_TIMEOUT_APPLIED: (504, "General"),
    FaultKind.UNKNOWN_ERROR: (520, "General"),
}
# A front end turns whole requests away in its own words; one field of an answer can only fail by a code of the schema.
IN_AN_ALIAS = {FaultKind.THROTTLED: (503, "OverCapacity"), FaultKind.BAD_GATEWAY: (503, "OverCapacity")}
APPLIED = frozenset(
    {
        FaultKind.SERVER_ERROR_APPLIED,
        FaultKind.BAD_GATEWAY_APPLIED,
        FaultKind.GATEWAY_TIMEOUT_APPLIED,
        FaultKind.LOST_ANSWER,
        FaultKind.SLOW,
        FaultKind.TRUNCATED,
        FaultKind.NOT_JSON,
    }
)
LATE = frozenset({FaultKind.SERVER_ERROR_APPLIED_LATE, FaultKind.LOST_ANSWER_APPLIED_LATE})
ALIAS_ROUTES = "graphql."
Matcher = Callable[[str, str, bytes], bool]


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to fail with its details: seconds for delays and Retry-After, status and location for redirects."""

    kind: FaultKind
    seconds: float = 0.0
    retry_after: RetryAfter = RetryAfter.NONE
    status: int = 302
    location: str = "https://elsewhere.example/"
    size_bytes: int = 50_000_000


@dataclass(slots=True)
class Rule:
    """A fault for requests of a route (`*` for all); `contains` looks into path, query and body.

    `count` None means for ever; `probability` is drawn for every request that matches.
    """

    route: str
    fault: Fault
    count: int | None = 1
    probability: float = 1.0
    contains: str | None = None
    matcher: Matcher | None = None
    skip: int = 0
    hits: int = field(default=0)

    def matches(self, route: str, method: str, target: str, body: bytes) -> bool:
        """Say whether a request is meant, leaving count and probability aside."""
        if self.route not in ("*", route):
            return False
        if self.contains is not None and self.contains not in target and self.contains.encode() not in body:
            return False
        return self.matcher is None or self.matcher(method, target, body)


class Faults:
    """The rules in force, first match first."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._next_id = 1
        self.rules: dict[int, Rule] = {}

    def add(
        self,
        route: str,
        kind: FaultKind | str,
        *,
        count: int | None = 1,
        probability: float = 1.0,
        contains: str | None = None,
        matcher: Matcher | None = None,
        skip: int = 0,
        **details: Any,
    ) -> int:
        """Put a rule in force and return its number; `skip` lets so many matching requests pass first.

        Routes are those of `Journal.requests`; `graphql.updateInventoryEntry` and the like mean one alias.
        Raises ValueError for an unknown or unfit kind and TypeError for an unknown detail.
        """
        fault = Fault(FaultKind(kind), **details)
        if route.startswith(ALIAS_ROUTES) and (fault.kind not in STATUS or fault.kind in LATE):
            raise ValueError(f"{kind} cannot fail one alias of a GraphQL request")
        self.rules[self._next_id] = Rule(route, fault, count, probability, contains, matcher, skip)
        self._next_id += 1
        return self._next_id - 1

    def clear(self, number: int | None = None) -> None:
        """Take one rule, or all, out of force."""
        if number is None:
            self.rules.clear()
        else:
            self.rules.pop(number, None)

    def take(self, route: str, method: str, target: str, body: bytes) -> Fault | None:
        """Return the fault this request meets, using up one of its count."""
        for rule in self.rules.values():
            if rule.count is not None and rule.hits >= rule.count:
                continue
            if not rule.matches(route, method, target, body):
                continue
            if rule.skip > 0:
                rule.skip -= 1
                continue
            if rule.probability < 1.0 and self._chance.random() >= rule.probability:
                continue
            rule.hits += 1
            return rule.fault
        return None

"""The OAuth token exchange as values: the form, the answer, and which scopes are missing or too wide. No sockets.

Client credentials flow: commercetools, "Authorization"; RFC 6749, section 4.4.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from archsyncd.wire.commercetools import strict
from archsyncd.wire.commercetools.errors import clean
from archsyncd.wire.commercetools.exchange import Reply, retry_after_seconds

# Asked without `scope`, the answer lists everything that the client may do: only so can it be called too wide.
TOKEN_FORM = b"grant_type=client_credentials"

_TOKEN = re.compile(r"[\x21-\x7e]{1,8192}")
_LIFETIME_LIMIT_SECONDS = 10 * 366 * 86_400
_NEEDED = (
    "manage_products",
    "view_channels",
    "view_orders",
    "view_messages",
    "manage_types",
    "manage_key_value_documents",
    "view_project_settings",
)
_NEEDED_TO_READ = ("view_products", "view_channels", "view_orders", "view_messages", "view_project_settings")


@dataclass(frozen=True, slots=True)
class Grant:
    """A token as answered. The token itself never shows in a repr."""

    access_token: str = field(repr=False)
    expires_in_seconds: int
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class TokenRefused:
    """The token endpoint refuses our credentials: a person must act."""

    reason: str


@dataclass(frozen=True, slots=True)
class TokenUnavailable:
    """No usable answer now; it may come later."""

    reason: str
    retry_after_seconds: float | None = None


TokenAnswer: TypeAlias = Grant | TokenRefused | TokenUnavailable


def basic_authorization(client_id: str, secret: str) -> str:
    """The Authorization header of the token call (RFC 7617)."""
    return "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode("ascii")


def token_answer(reply: Reply) -> TokenAnswer:
    """Judge the token endpoint's answer; whatever is not understood is only unavailable."""
    if reply.succeeded:
        try:
            return _grant(reply)
        except strict.MalformedAnswer as error:
            return TokenUnavailable(f"the token answer's {error}")
    reason = _refusal(reply)
    if reason:
        return TokenRefused(reason)
    after = retry_after_seconds(reply.retry_after, reply.date)
    return TokenUnavailable(f"the token endpoint answers {reply.status}", after)


def _grant(reply: Reply) -> Grant:
    item = strict.mapping(reply.tree(), "body")
    token = item.get("access_token")
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise strict.MalformedAnswer("access_token", "is not a token")
    kind = strict.optional_text(item, "token_type") or "Bearer"
    if kind.lower() != "bearer":
        raise strict.MalformedAnswer("token_type", "is not Bearer")
    lifetime = strict.integer(item, "expires_in")
    if not 0 < lifetime <= _LIFETIME_LIMIT_SECONDS:
        raise strict.MalformedAnswer("expires_in", "is not a lifetime")
    scope = item.get("scope")
    return Grant(token, lifetime, frozenset(scope.split()) if isinstance(scope, str) else frozenset())


def _refusal(reply: Reply) -> str | None:
    """The reason when the endpoint speaks of our credentials; 401 always does (RFC 6749, section 5.2)."""
    try:
        item = strict.mapping(reply.tree(), "body")
    except strict.MalformedAnswer:
        item = {}
    error = item.get("error")
    if reply.status not in {400, 401, 403} or (reply.status != 401 and not isinstance(error, str)):  # noqa: PLR2004
        return None
    return clean(
        f"the token endpoint answers {reply.status} {error if isinstance(error, str) else ''}"
    ).rstrip()


def needed_scopes(project_key: str, *, writes: bool = True, carries: bool = False) -> frozenset[str]:
    """What the daemon's calls need. Inventory has no scope of its own: it stands under products.

    `writes` False: while the rollout only plans, which reads and neither keeps a lease nor makes the marker's type. `carries`:
    orders are handed over and dispatches booked, which changes orders.
    """
    names = {*(_NEEDED if writes else _NEEDED_TO_READ), *(("manage_orders",) if writes and carries else ())}
    if "manage_orders" in names:
        names.discard("view_orders")
    return frozenset(f"{name}:{project_key}" for name in names)


def missing_scopes(needed: Iterable[str], granted: Iterable[str]) -> frozenset[str]:
    """Which needed scopes no granted one covers: manage covers view, manage_project nearly everything."""
    owned = frozenset(granted)
    return frozenset(scope for scope in needed if not owned & _covering(scope))


def excess_scopes(needed: Iterable[str], granted: Iterable[str]) -> frozenset[str]:
    """Which granted scopes are wider than any need: the client should be narrowed."""
    enough = frozenset(needed)
    narrower = frozenset(
        f"view_{scope.removeprefix('manage_')}" for scope in enough if scope.startswith("manage_")
    )
    return frozenset(granted) - enough - narrower


def _covering(scope: str) -> frozenset[str]:
    name, _, project = scope.partition(":")
    wider = {scope, f"manage_project:{project}"}
    if name.startswith("view_"):
        wider.add(f"manage_{name.removeprefix('view_')}:{project}")
    return frozenset(wider)

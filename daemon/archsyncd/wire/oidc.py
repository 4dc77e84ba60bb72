"""Who a Google token says that calls: its signature, its audience and its account judged. Pure; keys and time are passed in."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from archsyncd.wire.signatures import library

if TYPE_CHECKING:
    from jwt import PyJWK

ISSUERS: Final = frozenset({"https://accounts.google.com", "accounts.google.com"})
TOKEN_LIMIT_CHARACTERS: Final = 8_192
KEYS_LIMIT: Final = 32
CLOCKS_APART_SECONDS: Final = 300.0


class NoIdentity(Exception):
    """The token proves nothing to us. `unknown_key`: it may be signed by a key that is newer than those we have."""

    def __init__(self, reason: str, *, unknown_key: bool = False) -> None:
        super().__init__(reason)
        self.unknown_key = unknown_key


def read_keys(document: Any) -> Mapping[str, PyJWK]:
    """Google's published keys by their ids; what cannot be used among them is left out. Raises ValueError for no such list."""
    jwt = library()
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise ValueError("the document lists no keys")  # noqa: TRY004 - it came from outside
    found: dict[str, PyJWK] = {}
    for one in listed[:KEYS_LIMIT]:
        if not isinstance(one, dict) or not isinstance(one.get("kid"), str) or one.get("kty") != "RSA":
            continue
        try:
            found[one["kid"]] = jwt.PyJWK.from_dict(one, algorithm="RS256")
        except (jwt.PyJWTError, ValueError, TypeError):
            continue
    return found


def identify(token: str, keys: Mapping[str, PyJWK], audience: str, email: str, now_seconds: float) -> None:
    """Raise NoIdentity unless Google says in this token, now, that this account calls this audience."""
    jwt = library()
    if len(token) > TOKEN_LIMIT_CHARACTERS:
        raise NoIdentity("the token is too long")
    if not token.isascii():
        raise NoIdentity("it is no token")
    try:
        head = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
        raise NoIdentity("it is no token") from None
    key = keys.get(str(head.get("kid")))
    if head.get("alg") != "RS256" or key is None:
        raise NoIdentity("no key of Google's signs it", unknown_key=head.get("alg") == "RS256")
    # Time is passed in: the library would read the clock.
    unjudged = {f"verify_{name}": False for name in ("exp", "iat", "nbf", "aud", "iss", "sub", "jti")}
    try:
        # The key itself: older versions of the library, such as Debian 12's, do not take it in its wrapping.
        told = jwt.decode(token, key.key, algorithms=["RS256"], options=unjudged)
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
        raise NoIdentity("its signature is not Google's") from None
    _judge(told, audience, email, now_seconds)


def _judge(told: Mapping[str, Any], audience: str, email: str, now_seconds: float) -> None:
    if told.get("iss") not in ISSUERS:
        raise NoIdentity("Google did not issue it")
    if not _same(told.get("aud"), audience) or not _same(told.get("email"), email):
        raise NoIdentity("it is for another audience, or another account calls")
    if told.get("email_verified") is not True:
        raise NoIdentity("its account is not verified")
    begins, ends = told.get("iat"), told.get("exp")
    if not isinstance(begins, int | float) or not isinstance(ends, int | float):
        raise NoIdentity("it does not say when it holds")
    if now_seconds > ends or begins > now_seconds + CLOCKS_APART_SECONDS:
        raise NoIdentity("it does not hold now")


def _same(told: object, wanted: str) -> bool:
    return isinstance(told, str) and hmac.compare_digest(
        told.encode("utf-8", "surrogateescape"), wanted.encode()
    )

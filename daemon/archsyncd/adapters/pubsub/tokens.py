"""Access tokens for Google's services: by a service account's key, or from the machine that we run on. Repeats nothing.

A service account's key signs a statement (JWT, RFC 7523) that the token endpoint takes in exchange for a token.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, Final, Protocol
from urllib.parse import urlencode

from archsyncd.adapters.pubsub.caller import Answer, Call, Caller
from archsyncd.adapters.pubsub.options import METADATA, SCOPE, check_address
from archsyncd.engine.ports import Clock, FeedFault, SecretFault
from archsyncd.wire.pubsub import Token, read_error, read_token
from archsyncd.wire.r247_values import Unreadable
from archsyncd.wire.signatures import LibraryMissing, library

TOKEN_URI: Final = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
STATEMENT_SECONDS: Final = 3_600
EARLY_SECONDS: Final = 300.0
REQUEST_SECONDS: Final = 20.0
CLOCK_OFF_SECONDS: Final = 60.0
_FLAVOUR: Final = "Metadata-Flavor"
_OK: Final = 200


class Tokens(Protocol):
    """Where the token for a request comes from."""

    async def header(self) -> str | None:
        """The Authorization header's text; None: none is wanted. Raises FeedFault."""
        ...

    def refused(self) -> None:
        """The last one was refused: the next is asked for anew."""
        ...


class NoTokens:
    """For an emulator, which asks for none."""

    async def header(self) -> str | None:
        """None."""
        return None

    def refused(self) -> None:
        """Nothing to forget."""


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """A service account's key, as its file tells it."""

    email: str
    key_id: str
    private_key: str = field(repr=False)
    token_uri: str


class GoogleTokens:
    """Keeps a token until it is about to run out. `credential` gives the key file's text, None where there is none."""

    def __init__(
        self,
        caller: Caller,
        credential: Callable[[], str | None],
        clock: Clock,
        metadata_url: str = METADATA,
    ) -> None:
        self._caller = caller
        self._credential = credential
        self._clock = clock
        self._metadata_url = metadata_url
        self._token: Token | None = None
        self._until = 0.0

    async def header(self) -> str | None:
        """The Authorization header's text. Raises FeedFault, blind where a person must act."""
        now = self._clock.monotonic()
        if self._token is None or now >= self._until:
            self._token = token = await self._fresh()
            self._until = now + max(token.lasts_seconds - EARLY_SECONDS, token.lasts_seconds / 2)
        return f"Bearer {self._token.text}"

    def refused(self) -> None:
        """Forget the token."""
        self._token = None

    async def _fresh(self) -> Token:
        try:
            text = self._credential()
        except SecretFault as fault:
            raise FeedFault(str(fault), blind=True) from None
        answer = await (self._of_machine() if text is None else self._of_account(read_account(text)))
        try:
            return read_token(answer.body)
        except Unreadable as fault:
            raise FeedFault(f"{answer.told}: {fault.reason}") from None

    async def _of_machine(self) -> Answer:
        """Ask the metadata server of the machine, which gives a token of the account it runs under."""
        path = "/computeMetadata/v1/instance/service-accounts/default/token"
        call = Call(
            "GET",
            f"{self._metadata_url}{path}",
            "metadata server's token",
            REQUEST_SECONDS,
            {_FLAVOUR: "Google"},
        )
        try:
            answer = await self._caller.ask(call)
        except FeedFault as fault:
            told = f"there is no credential, and no metadata server gives a token: {fault.reason}"
            raise FeedFault(told, blind=fault.unreached) from None
        if answer.status != _OK or answer.headers.get(_FLAVOUR) != "Google":
            raise FeedFault(
                f"{answer.told}: gives no token; is a service account attached to this machine?", blind=True
            )
        return answer

    async def _of_account(self, account: ServiceAccount) -> Answer:
        form = {"grant_type": GRANT, "assertion": self._statement(account)}
        call = Call(
            "POST",
            account.token_uri,
            f"token for {account.email}",
            REQUEST_SECONDS,
            {"Content-Type": "application/x-www-form-urlencoded"},
            urlencode(form).encode(),
        )
        answer = await self._caller.ask(call)
        if answer.status == _OK:
            return answer
        error = read_error(answer.body)
        told = f"{answer.told} {error.status}: {error.message}".rstrip(": ")
        # A clock that is wrong makes every statement invalid, and nobody thinks of it.
        raise FeedFault(f"{told}{self._clock_off(answer)}", blind=answer.status in {400, 401, 403})

    def _statement(self, account: ServiceAccount) -> str:
        try:
            jwt = library()
        except LibraryMissing as missing:
            raise FeedFault(str(missing), blind=True) from None
        now = self._clock.wall_ms() // 1000
        claims = {
            "iss": account.email,
            "scope": SCOPE,
            "aud": account.token_uri,
            "iat": now,
            "exp": now + STATEMENT_SECONDS,
        }
        head = {"kid": account.key_id}
        try:
            signed: str = jwt.encode(claims, account.private_key, algorithm="RS256", headers=head)
        except (jwt.PyJWTError, ValueError, TypeError):
            # The library's own words may quote the key.
            raise FeedFault("the credential's private_key is no RSA key in PEM", blind=True) from None
        return signed

    def _clock_off(self, answer: Answer) -> str:
        try:
            theirs = parsedate_to_datetime(answer.headers.get("Date", "")).timestamp()
        except (TypeError, ValueError):
            return ""
        off = self._clock.wall_ms() / 1000 - theirs
        if abs(off) < CLOCK_OFF_SECONDS:
            return ""
        return f"; this host's clock is {abs(off):.0f} s {'ahead of' if off > 0 else 'behind'} Google's"


def read_account(text: str) -> ServiceAccount:
    """Read a service account's key file. Raises FeedFault, which quotes nothing of it."""
    try:
        fields: Any = json.loads(text)
    except ValueError:
        raise FeedFault("the credential is no service account's key: it is no JSON", blind=True) from None
    if not isinstance(fields, Mapping) or fields.get("type") != "service_account":
        raise FeedFault(
            'the credential is no service account\'s key: its "type" is not service_account', blind=True
        )
    for name in ("client_email", "private_key", "private_key_id"):
        if not isinstance(fields.get(name), str) or not fields[name]:
            raise FeedFault(
                f"the credential is no whole service account's key: {name} is missing", blind=True
            )
    uri = fields.get("token_uri") or TOKEN_URI
    try:
        check_address(uri if isinstance(uri, str) else "", "token_uri")
    except ValueError as error:
        raise FeedFault(f"the credential cannot be used: {error}", blind=True) from None
    email = "".join(each for each in fields["client_email"][:200] if each.isprintable())
    return ServiceAccount(email, fields["private_key_id"], fields["private_key"], uri)

"""OAuth client credentials of one project: who may have a token and what a token allows.

Sources: RFC 6749 sections 4.4 and 5.2; the platform's "Authorization" page. Secrets never appear in a repr.
"""

import base64
import binascii
import hmac
from dataclasses import dataclass
from urllib.parse import parse_qsl

from archsyncd.simulators.commercetools.config import ApiClient, SimulatorConfig
from archsyncd.simulators.commercetools.errors import ApiError, AuthError
from archsyncd.simulators.commercetools.records import Document, Surroundings

IMPLIED = {
    "view_products": ("manage_products",),
    "view_orders": ("manage_orders",),
    "view_types": ("manage_types",),
    "view_channels": ("manage_channels",),
    "view_key_value_documents": ("manage_key_value_documents",),
    "view_project_settings": ("manage_project_settings",),
}


@dataclass(frozen=True, slots=True)
class Token:
    """A granted access token: whose it is, until when, and its scopes without the project key."""

    client_id: str
    expires_at: float
    scopes: frozenset[str]

    def allows(self, scope: str) -> bool:
        """Say whether the token covers a scope; manage covers view, manage_project covers all."""
        granted = self.scopes
        return (
            scope in granted or "manage_project" in granted or not granted.isdisjoint(IMPLIED.get(scope, ()))
        )


class Tokens:
    """Grants and checks access tokens."""

    def __init__(self, around: Surroundings, config: SimulatorConfig) -> None:
        self._around = around
        self._project_key = config.project_key
        self._lifetime = config.token_lifetime_seconds
        self._clients = {client.client_id: client for client in config.clients}
        self._granted: dict[str, Token] = {}

    def grant(self, authorization: str | None, content_type: str, body: bytes) -> Document:
        """Answer a token request. Raises ApiError 400 or 401."""
        client = self._client(authorization)
        form = self._form(content_type, body)
        if form.get("grant_type") != "client_credentials":
            raise AuthError(400, "unsupported_grant_type", "Only client_credentials is granted here.")
        scopes = self._scopes(client, form.get("scope"))
        secret = f"{self._around.chance.getrandbits(256):064x}"
        self._granted[f"Bearer {secret}"] = Token(
            client.client_id, self._around.clock.now() + self._lifetime, frozenset(scopes)
        )
        return {
            "access_token": secret,
            "token_type": "Bearer",
            "expires_in": self._lifetime,
            "scope": " ".join(f"{scope}:{self._project_key}" for scope in scopes),
        }

    def check(self, authorization: str | None) -> Token:
        """Return the token of an Authorization header. Raises ApiError 401."""
        token = self._granted.get(authorization or "")
        if token is None:
            raise AuthError(401, "invalid_token", "invalid_token")
        if token.expires_at <= self._around.clock.now():
            raise AuthError(401, "invalid_token", "invalid_token")
        return token

    def revoke_all(self) -> None:
        """Forget every token granted so far."""
        self._granted.clear()

    def replace_client(self, client: ApiClient) -> None:
        """Rotate a client's secret or change its scopes; tokens granted before stay valid."""
        self._clients[client.client_id] = client

    def remove_client(self, client_id: str) -> None:
        """Revoke a client and its tokens."""
        self._clients.pop(client_id, None)
        self._granted = {
            secret: token for secret, token in self._granted.items() if token.client_id != client_id
        }

    def _client(self, authorization: str | None) -> ApiClient:
        scheme, _, coded = (authorization or "").partition(" ")
        try:
            name, _, secret = base64.b64decode(coded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            name, secret = "", ""
        client = self._clients.get(name)
        known = client.secret if client is not None else ""
        if (
            client is None
            or scheme.lower() != "basic"
            or not hmac.compare_digest(known.encode(), secret.encode())
        ):
            raise AuthError(401, "invalid_client", "The client's credentials are not right.")
        return client

    def _form(self, content_type: str, body: bytes) -> dict[str, str]:
        if content_type.partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
            raise AuthError(400, "invalid_request", "A token request is a form.")
        try:
            return dict(parse_qsl(body.decode("ascii"), keep_blank_values=True, strict_parsing=bool(body)))
        except ValueError:
            raise AuthError(400, "invalid_request", "The form cannot be read.") from None

    def _scopes(self, client: ApiClient, asked: str | None) -> tuple[str, ...]:
        if not asked:
            return client.scopes
        suffix = f":{self._project_key}"
        scopes = tuple(scope.removesuffix(suffix) for scope in asked.split() if scope.endswith(suffix))
        if len(scopes) != len(asked.split()) or not set(scopes) <= set(client.scopes):
            raise AuthError(400, "invalid_scope", "A scope asked for is not this client's.")
        return scopes


def missing_scope(scopes: tuple[str, ...], project_key: str) -> ApiError:
    """Refuse a token that lacks every one of the scopes that would do."""
    names = ", ".join(f"{scope}:{project_key}" for scope in scopes)
    return AuthError(
        403, "insufficient_scope", f"Insufficient scope. One of the following scopes is missing: {names}."
    )

"""How a webhook is signed and how its signature is judged, over the bytes as they came. Pure; knows no clock and no body.

The usual scheme is Standard Webhooks: HMAC-SHA256 over id, time and body. `Scheme` describes others by the header that holds
the signature and what it is made over.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - how such a secret begins
SECRETS_AT_ONCE: Final = 2
KEY_LEAST_BYTES: Final = 16
ID_LIMIT_CHARACTERS: Final = 256
SIGNATURES_AT_ONCE: Final = 8
SIGNATURE_LIMIT_CHARACTERS: Final = 512
CONTENTS: Final = ("{body}", "{ts}.{body}", "{id}.{ts}.{body}")
_MILLISECONDS_DIGITS: Final = 13
# Without a full stop: the parts are joined by one, and could be cut apart elsewhere.
_ID: Final = re.compile(r"[!-\-/-~]{1,256}")
_SECONDS: Final = re.compile(r"[0-9]{1,13}", re.ASCII)


class Algorithm(StrEnum):
    """`token`: the header carries the secret itself, and the body is signed by nobody.

    `oidc`: it carries a token of Google's, which says whose account calls, and signs no body either.
    """

    HMAC_SHA256 = "hmac-sha256"
    TOKEN = "token"  # noqa: S105 - a word, no secret
    OIDC = "oidc"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """How one sender signs. An empty `id_header` or `ts_header`: the sender tells none.

    `audience` and `email`: what a token of Google's must say.
    """

    header: str = "webhook-signature"
    algorithm: Algorithm = Algorithm.HMAC_SHA256
    encoding: str = "base64"
    prefix: str = "v1,"
    content: str = "{id}.{ts}.{body}"
    id_header: str = "webhook-id"
    ts_header: str = "webhook-timestamp"
    audience: str = ""
    email: str = ""

    @property
    def signs_id(self) -> bool:
        """Whether the id is part of what is signed; otherwise anybody on the way can put another one there."""
        return self.algorithm is Algorithm.HMAC_SHA256 and "{id}" in self.content

    @property
    def signs_time(self) -> bool:
        """Whether the time is part of what is signed."""
        return self.algorithm is Algorithm.HMAC_SHA256 and "{ts}" in self.content


STANDARD: Final = Scheme()


def google_scheme(audience: str, email: str) -> Scheme:
    """How Pub/Sub's authenticated push shows who calls."""
    return Scheme(
        header="Authorization",
        algorithm=Algorithm.OIDC,
        prefix="Bearer ",
        id_header="",
        ts_header="",
        audience=audience,
        email=email,
    )


def signing_key(secret: str) -> bytes:
    """The key in a secret: what stands in base64 behind whsec_, else the text itself. Raises ValueError."""
    clean = secret.strip()
    if not clean.startswith(SECRET_PREFIX):
        return clean.encode()
    try:
        return base64.b64decode(clean.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("what stands behind whsec_ is no base64") from None


def keys_of(credential: str) -> tuple[bytes, ...]:
    """The keys in a credential: a secret on each line, two at most while one replaces the other. Raises ValueError."""
    lines = [line for line in credential.splitlines() if line.strip()]
    if not 1 <= len(lines) <= SECRETS_AT_ONCE:
        raise ValueError(f"holds {len(lines)} secrets: one, or two while one replaces the other, each a line")
    keys = tuple(signing_key(line) for line in lines)
    if any(len(key) < KEY_LEAST_BYTES for key in keys):
        raise ValueError(f"holds a secret of less than {KEY_LEAST_BYTES} bytes, which can be guessed")
    return keys


def is_id(text: str) -> bool:
    """Whether this can be a message's id: visible ASCII without a full stop, so that what is signed reads one way only."""
    return _ID.fullmatch(text) is not None


def seconds_of(text: str) -> float | None:
    """A timestamp in UTC seconds, told in seconds or milliseconds; None for anything else."""
    if not _SECONDS.fullmatch(text):
        return None
    return int(text) / 1000 if len(text) == _MILLISECONDS_DIGITS else float(int(text))


def mac(scheme: Scheme, key: bytes, message_id: str, timestamp: str, body: bytes) -> bytes:
    """HMAC-SHA256 over what the scheme signs. The body is not copied."""
    made = hmac.new(key, digestmod=hashlib.sha256)
    head = {"{body}": "", "{ts}.{body}": f"{timestamp}.", "{id}.{ts}.{body}": f"{message_id}.{timestamp}."}
    made.update(head[scheme.content].encode("utf-8", "surrogateescape"))
    made.update(body)
    return made.digest()


def signature(scheme: Scheme, key: bytes, message_id: str, timestamp: str, body: bytes) -> str:
    """What a sender of this scheme puts into its header."""
    if scheme.algorithm is Algorithm.TOKEN:
        return f"{scheme.prefix}{key.decode('utf-8', 'surrogateescape')}"
    made = mac(scheme, key, message_id, timestamp, body)
    return f"{scheme.prefix}{made.hex() if scheme.encoding == 'hex' else base64.b64encode(made).decode()}"


def verified(
    scheme: Scheme, keys: Sequence[bytes], told: str, message_id: str, timestamp: str, body: bytes
) -> bool:
    """Whether one of the signatures told is one of ours, over these very bytes. Takes as long whichever it is."""
    candidates = [one for each in _candidates(scheme, told) if (one := _decoded(scheme, each)) is not None]
    found = False
    for key in keys:
        wanted = key if scheme.algorithm is Algorithm.TOKEN else mac(scheme, key, message_id, timestamp, body)
        for candidate in candidates:
            found |= hmac.compare_digest(wanted, candidate)
    return found


def _candidates(scheme: Scheme, told: str) -> list[str]:
    if len(told) > SIGNATURES_AT_ONCE * SIGNATURE_LIMIT_CHARACTERS:
        return []
    if scheme.algorithm is Algorithm.TOKEN:
        return [told.removeprefix(scheme.prefix).strip()] if told.startswith(scheme.prefix) else []
    parts = told.split(" ")[:SIGNATURES_AT_ONCE]
    return [part.removeprefix(scheme.prefix) for part in parts if part.startswith(scheme.prefix)]


def _decoded(scheme: Scheme, text: str) -> bytes | None:
    if scheme.algorithm is Algorithm.TOKEN:
        return text.encode("utf-8", "surrogateescape")
    try:
        if scheme.encoding == "hex":
            return binascii.unhexlify(text)
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def own_id(scheme: Scheme, message_id: str, body: bytes) -> str:
    """By which a message is known again. Where nobody signs its id the body, or part of it, stands for it."""
    if message_id and scheme.signs_id:
        return message_id
    digest = hashlib.sha256(body).hexdigest()
    return f"{message_id}.{digest[:32]}" if message_id else digest


def header(headers: Mapping[str, str], name: str) -> str:
    """A header's text, empty where it is not told."""
    return headers.get(name, "") if name else ""

"""The keys that say how the calls of a `push` feed are signed. Decides nothing."""

from dataclasses import dataclass, field

from archsyncd.config.keys import key
from archsyncd.config.kinds import Choice, Word
from archsyncd.wire.webhook import CONTENTS, Algorithm

_HEADER = r"[A-Za-z0-9-]{1,64}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureSettings:
    """A sender's scheme; the defaults are Standard Webhooks."""

    header: str = field(
        default="webhook-signature",
        metadata=key(
            Word("the name of a header", _HEADER, empty=True),
            """The header that holds the signature; several of them stand in it with blanks between. "" with algorithm
            `token`: the parameter token of the address.""",
            restart=True,
        ),
    )
    algorithm: Algorithm = field(
        default=Algorithm.HMAC_SHA256,
        metadata=key(
            Choice(tuple(Algorithm), Algorithm),
            """How it is made. `token`: the header holds the secret itself, which proves who calls and not what is said;
            only where a sender cannot sign, and only by TLS. `oidc`: Google's own token of an authenticated Pub/Sub push,
            which needs `audience` and `email` and nothing else here.""",
            restart=True,
        ),
    )
    encoding: str = field(
        default="base64",
        metadata=key(Choice(("base64", "hex")), "How the signature is written.", restart=True),
    )
    prefix: str = field(
        default="v1,",
        metadata=key(
            Word("up to 32 characters", r"\S{1,32}", empty=True),
            "What stands before the signature, such as sha256=, or Bearer before a token.",
            restart=True,
        ),
    )
    content: str = field(
        default="{id}.{ts}.{body}",
        metadata=key(
            Choice(CONTENTS),
            "What is signed: the body as it is sent, with the time and the id before it where the sender does so.",
            restart=True,
        ),
    )
    id_header: str = field(
        default="webhook-id",
        metadata=key(
            Word("the name of a header", _HEADER, empty=True),
            """The header with a message's id, the same when it is sent again. "": the sender tells none, and the same
            body is the same message.""",
            restart=True,
        ),
    )
    ts_header: str = field(
        default="webhook-timestamp",
        metadata=key(
            Word("the name of a header", _HEADER, empty=True),
            """The header with the time of sending, in seconds or milliseconds since 1970; a call that is 300 s off is
            refused. "": the sender tells none, and a call that somebody recorded can be played again.""",
            restart=True,
        ),
    )
    audience: str = field(
        default="",
        metadata=key(
            Word("the audience of the push subscription", empty=True),
            "With `oidc`: the audience that the push subscription states.",
            restart=True,
        ),
    )
    email: str = field(
        default="",
        metadata=key(
            Word("a service account's address", r"[^@\s]{1,128}@[^@\s]{1,128}", empty=True),
            """With `oidc`: the service account that the push subscription authenticates with. Without it anybody's account at
            Google could call.""",
            restart=True,
        ),
    )

"""One request and one answer as plain values, with how the answer is to be delivered; knows no sockets."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import NamedTuple

from archsyncd.simulators.commercetools.records import Actor
from archsyncd.simulators.commercetools.tokens import Token


class Request(NamedTuple):
    """A request as it came: path and query undecoded, headers looked up without regard to case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


class Call(NamedTuple):
    """A request let in: its path arguments decoded, and who asks."""

    arguments: tuple[str, ...]
    query: str
    body: bytes
    actor: Actor
    token: Token


class Delivery(Enum):
    """What becomes of an answer on its way."""

    WHOLE = auto()
    DROPPED = auto()
    STALLED = auto()
    TRUNCATED = auto()
    ENDLESS = auto()


@dataclass(slots=True)
class Reply:
    """An answer, when it leaves and whether it arrives. `genuine` False: a scripted fault wrote what the platform never would."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    delivery: Delivery = Delivery.WHOLE
    delay_seconds: float = 0.0
    genuine: bool = True


class LostConnectionError(ConnectionError):
    """The answer never came: what a client sees when the connection breaks."""

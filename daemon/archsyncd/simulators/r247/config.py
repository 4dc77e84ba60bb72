"""What a simulated Archean is like and what it promises; knows nothing of how it behaves."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol


class Clock(Protocol):
    """UTC seconds since 1970, and a wait measured on the same clock."""

    def now(self) -> float:
        """Return UTC seconds."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return once `seconds` have passed on this clock."""
        ...


class Reflection(StrEnum):
    """Which proofs of "this order is in my figures" the source offers (stock ledger, "When is a line reflected?")."""

    ORDERS_INCLUDED = "ordersIncluded"
    ORDERS_THROUGH = "ordersThrough"
    ACCEPTED_ONLY = "accepted-only"
    POSITION_ONLY = "position-only"
    NONE = "none"
    ALL = "all"

    @property
    def lists_orders(self) -> bool:
        """Levels carry the ids of the orders they account for."""
        return self in {Reflection.ORDERS_INCLUDED, Reflection.ALL}

    @property
    def tells_through(self) -> bool:
        """Levels carry the time of creation up to which orders are in them."""
        return self is Reflection.ORDERS_THROUGH

    @property
    def announces(self) -> bool:
        """An `order.accepted` record stands before the levels of an import."""
        return self in {Reflection.ACCEPTED_ONLY, Reflection.ALL}

    @property
    def positions(self) -> bool:
        """Answers about an order carry its position in the feed."""
        return self in {Reflection.POSITION_ONLY, Reflection.ALL}


class Movements(StrEnum):
    """Whether a change is told as a level, or as movements with or without the balance after them."""

    NONE = "none"
    BARE = "bare"
    BALANCE = "balance"


class Auth(StrEnum):
    """How callers of the feed prove who they are."""

    NONE = "none"
    BEARER = "bearer"
    BASIC = "basic"
    API_KEY = "api-key"


FIGURES = ("onHand", "available")
ACCEPTANCES = ("at-once", "later")


@dataclass(frozen=True, slots=True)
class R247Config:
    """One simulated source. Seconds are floats, pairs of seconds are the bounds of a drawn delay.

    `channels` names the commercetools channel key of a location (absent: the location's own name). `figures` are those
    a level states. `later_share` of the orders are accepted later where `acceptance` says so, the others at once.
    `floor_seconds` lets the warehouse pick, pack and ship by itself, each step after a drawn delay: `floor_parts` of the
    orders of several pieces leave in parts, and of `floor_shorts` of them one piece is not found.
    `offers_lookup` and `idempotent` switched off make the source that must be configured as
    `duplicate_protection = "none"`. `seq_gap_chance` skips numbers; gaps are allowed by the contract.
    """

    feed: str = "main"
    epoch: str = "2026-05-01a"
    locations: tuple[str, ...] = ("WH1",)
    channels: Mapping[str, str] = field(default_factory=dict)
    default_location: str | None = None
    reflection: Reflection = Reflection.ALL
    movements: Movements = Movements.NONE
    figures: tuple[str, ...] = FIGURES
    auth: Auth = Auth.NONE
    credential: str = field(default="", repr=False)
    first_seq: int = 1
    seq_gap_chance: float = 0.0
    retain_seconds: float = 7 * 86_400.0
    retain_records: int = 1_000_000
    heartbeat_seconds: float = 15.0
    page_limit: int = 500
    page_limit_maximum: int = 5_000
    snapshot_limit: int = 2_000
    wait_maximum_seconds: float = 60.0
    keep_alive_seconds: float = 5.0
    cursor_line_records: int = 500
    cursor_line_seconds: float = 15.0
    stream_seconds: float = 300.0
    snapshot_seconds: float = 0.0
    snapshots_kept: int = 8
    acceptance: str = "at-once"
    acceptance_seconds: tuple[float, float] = (0.5, 2.0)
    later_share: float = 1.0
    import_seconds: tuple[float, float] = (1.0, 10.0)
    floor_seconds: tuple[float, float] | None = None
    floor_parts: float = 0.0
    floor_shorts: float = 0.0
    offers_orders: bool = True
    offers_lookup: bool = True
    idempotent: bool = True
    tick_seconds: float = 0.05

    def __post_init__(self) -> None:
        if not self.figures or set(self.figures) - set(FIGURES):
            raise ValueError(f"figures: {self.figures}, known are {FIGURES}")
        if self.acceptance not in ACCEPTANCES:
            raise ValueError(f"acceptance: {self.acceptance!r}, known are {ACCEPTANCES}")
        if self.auth is not Auth.NONE and not self.credential:
            raise ValueError("credential: needed when callers must authenticate")
        if self.default_location is not None and self.default_location not in self.locations:
            raise ValueError(f"default_location: {self.default_location!r} is none of the locations")

    def channel_of(self, location: str) -> str:
        """Name the supply channel that sells a location's stock."""
        return self.channels.get(location, location)

"""Where reading a foreign source stands: the checkpoint as text, and the numbers that records get. Reads no clock.

A source without positions of its own is numbered by arrival. What was asked for later stands later: every request belongs to a
round, and a record's number is its round and its place in it. A single SKU that is read meanwhile stands behind all that its
round may still tell, since that was asked for before, and before the round that follows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from archsyncd.domain.feed import ID_LIMIT_CHARACTERS, INT64_MAXIMUM
from archsyncd.wire.foreign.overlap import Memory
from archsyncd.wire.r247_values import CURSOR_LIMIT_CHARACTERS

PLACE_BITS: Final = 19
READINGS_FROM: Final = 1 << (PLACE_BITS - 1)
ROUNDS_LIMIT: Final = INT64_MAXIMUM >> PLACE_BITS
# A process that begins leaves so many rounds free: readings of the one before it may stand there without a checkpoint.
LEAP: Final = 1 << 20
IDS_LIMIT: Final = 16
NOTED_EVERY_ROUNDS: Final = 1 << 18
_VERSION: Final = 1


@dataclass(slots=True)
class Stand:
    """How far a source was read. `round` is the last whose records were told.

    `cursor`: of mode cursor; so many records behind it were `told`, of this `digest`; `ids` are of the last ones before it.
    `link`: the cursor is an address. `full_ms`: when the whole stock was asked for last. `newest_ms` and `memory` are those of
    mode time-overlap: the newest time seen, UTC milliseconds.
    """

    mode: str
    epoch: str
    round: int = 0
    cursor: str = ""
    told: int = 0
    digest: str = ""
    ids: tuple[str, ...] = ()
    link: bool = False
    full_ms: int = 0
    newest_ms: int = 0
    overlap_ms: int = 0
    memory: Memory = field(default_factory=Memory)

    @property
    def since_ms(self) -> int:
        """From where a round asks."""
        return max(self.newest_ms - self.overlap_ms, 0)

    def encode(self) -> str:
        """Write it as a checkpoint."""
        told: dict[str, Any] = {"v": _VERSION, "m": self.mode, "e": self.epoch, "r": self.round}
        if self.cursor:
            told["c"] = self.cursor
        if self.told:
            told |= {"k": self.told, "d": self.digest}
        if self.link:
            told["a"] = 1
        if self.ids:
            told["i"] = list(self.ids)
        if self.full_ms:
            told["f"] = self.full_ms
        if self.newest_ms:
            known, lossy = self.memory.encode(self.since_ms)
            told |= {"t": self.newest_ms, "o": self.overlap_ms, "s": known}
            if lossy or self.memory.lossy:
                told["l"] = 1
        return orjson.dumps(told).decode()


def decode_stand(checkpoint: str, mode: str) -> Stand | None:
    """Read a checkpoint; None for one that another way of reading left behind."""
    try:
        told = orjson.loads(checkpoint)
        if not isinstance(told, dict) or (told["v"], told["m"]) != (_VERSION, mode):
            return None
        stand = Stand(
            mode,
            _text(told["e"], ID_LIMIT_CHARACTERS),
            _whole(told["r"], ROUNDS_LIMIT),
            _text(told.get("c", ""), CURSOR_LIMIT_CHARACTERS),
            _whole(told.get("k", 0), READINGS_FROM),
            _text(told.get("d", ""), ID_LIMIT_CHARACTERS),
            tuple(_text(one, ID_LIMIT_CHARACTERS) for one in told.get("i", ())[:IDS_LIMIT]),
            bool(told.get("a")),
            _whole(told.get("f", 0), INT64_MAXIMUM),
            _whole(told.get("t", 0), INT64_MAXIMUM),
            _whole(told.get("o", 0), INT64_MAXIMUM),
        )
        stand.memory = Memory.decode(told.get("s", ""), stand.since_ms, lossy=bool(told.get("l")))
    except (KeyError, TypeError, ValueError):
        return None
    return stand


def _text(value: Any, limit_characters: int) -> str:
    if not isinstance(value, str) or len(value) > limit_characters:
        raise ValueError("no text")
    return value


def _whole(value: Any, most: int) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError("no number")
    return value


class Numbers:
    """Gives rounds and places; one instance for a feed, for as long as its process runs.

    Without `readings` nothing stands between the rounds: what was not committed is numbered again as it was.
    """

    def __init__(self, *, readings: bool) -> None:
        self._offered = readings
        self.epoch: str | None = None
        self.round = 0
        self._entered = False
        self._kept = False
        self._readings = 0

    @property
    def entered(self) -> bool:
        """Whether it is known where the feed stood."""
        return self._entered

    def enter(self, epoch: str, last_round: int) -> None:
        """Go on behind a checkpoint; a process that did not write it leaps."""
        if self._entered and epoch == self.epoch:
            self.round = max(self.round, last_round)
            return
        self.round = last_round + (LEAP if self._offered and last_round else 0)
        self.epoch, self._entered, self._kept = epoch, True, False

    def begin_epoch(self, name: str) -> None:
        """Begin anew where nobody knows what was numbered before."""
        self.epoch, self.round, self._entered, self._kept = name, 0, True, False

    def next_round(self, last_round: int) -> int:
        """Begin a round; `last_round`: the last one whose records were told."""
        self.round = (max(self.round, last_round) if self._offered else last_round) + 1
        self._readings = 0
        return self.round

    @property
    def durable(self) -> bool:
        """Whether a checkpoint of this process is."""
        return self._kept

    def kept(self) -> None:
        """A checkpoint of this process is durable: readings may stand after it."""
        self._kept = True

    def reading(self) -> int | None:
        """The place of a reading that begins now; None while no checkpoint of this process is durable."""
        if not self._kept or self._readings >= READINGS_FROM - 1:
            return None
        self._readings += 1
        return (self.round << PLACE_BITS) + READINGS_FROM + self._readings


def place(round_number: int, index: int) -> int:
    """The number of the record at an index (from 0) of a round."""
    return (round_number << PLACE_BITS) + index + 1

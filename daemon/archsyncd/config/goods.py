"""The keys about goods: kits and the file that lists many of them. Reads nothing, decides nothing."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

from archsyncd.config.keys import key
from archsyncd.config.kinds import Choice, FilePath, Kind, ListOf, NumbersByName, Whole, Word
from archsyncd.config.sources import CHANNEL_KEY
from archsyncd.domain.kits import (
    COMPONENT_PIECES_LIMIT,
    COMPONENTS_LIMIT,
    PIECES_LIMIT,
    SHARED,
    WHOLE_PERCENT,
)

SKU: Final = Word("an SKU: 1 to 256 characters without blanks around it", most_characters=256)
HAND_OVERS: Final = ("components", "kit")
_PERCENT: Final = re.compile(r"([0-9]{1,3})%")


@dataclass(frozen=True, slots=True)
class Allotment(Kind):
    """What is kept for a kit: "20%" of each component, so many kits, or "shared"."""

    def _phrase(self) -> str:
        return f'"1%" to "{WHOLE_PERCENT}%" of each component, a whole number of kits from 0, or "{SHARED}"'

    def _read(self, value: object) -> str:
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= PIECES_LIMIT:
            return str(value)
        if value == SHARED:
            return SHARED
        found = _PERCENT.fullmatch(value) if isinstance(value, str) else None
        if found is None or not 1 <= int(found[1]) <= WHOLE_PERCENT:
            raise self.refusal()
        return f"{int(found[1])}%"


@dataclass(frozen=True, slots=True, kw_only=True)
class KitSettings:
    """One kit: what it is made of, and what is kept for it."""

    components: Mapping[str, int] = field(
        default_factory=lambda: MappingProxyType({}),
        metadata=key(
            NumbersByName(SKU, Whole(1, COMPONENT_PIECES_LIMIT), most=COMPONENTS_LIMIT),
            """The SKUs that one kit is made of, with how many pieces of each: { "A" = 1, "B" = 2 }. None of them may be a kit
            itself. Needed.""",
        ),
    )
    allotment: str = field(
        default="",
        metadata=key(
            Allotment(),
            """What is kept for the kit of what a channel may sell of each component: a share of it ("20%", rounded down) or so
            many kits (30). The components are offered without it, so that no piece is offered twice. "shared" keeps nothing:
            the kit and its components offer the same pieces, and each order of one lowers the others once it was learnt; within
            that time (orders.poll_seconds and the platform's own delay) the same pieces can be sold twice. Needed.""",
        ),
    )
    channels: tuple[str, ...] = field(
        default=(),
        metadata=key(
            ListOf(CHANNEL_KEY),
            "The channels that sell the kit as one; empty for all. Elsewhere its SKU is any other.",
        ),
    )
    hand_over: str = field(
        default="components",
        metadata=key(
            Choice(HAND_OVERS),
            """How a kit's line is brought to Archean where orders are handed over: as the lines of its components ("components"),
            or as the kit's own SKU, which Archean then takes apart by itself ("kit"). What a kit is made of is written down with
            each order that is handed over, so that a change touches later orders only. Either way dispatches and returns are
            understood by the kit's line, by a component's, or by SKU alone, and a kit is booked when all of it is there.""",
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class GoodsSettings:
    """What is told of many SKUs in files."""

    kits_file: Path | None = field(
        default=None,
        metadata=key(
            FilePath(),
            """Further kits, as CSV with the columns kit,component,quantity,allotment and perhaps hand_over: a line for each
            component, the allotment (and hand_over, else "components") on one line of each kit at least. They are sold in all
            channels. Read at the start and at each reload.""",
        ),
    )

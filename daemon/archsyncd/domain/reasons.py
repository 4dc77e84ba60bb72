"""Why a verdict is what it is: the codes that can be told, each with its meaning. Knows no figure and no threshold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from archsyncd.domain.cases import CaseKind


class Level(IntEnum):
    """How bad it is; the value is the exit status of `archsyncctl status --check`."""

    HEALTHY = 0
    DEGRADED = 1
    CRITICAL = 2

    @property
    def word(self) -> str:
        """The word that people and programs read."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Reason:
    """One cause: how bad, a stable code, what is the matter, and the next step."""

    level: Level
    code: str
    says: str
    next_step: str


# Besides these, each kind of an open exception is a code of its own (CODES has them all).
OWN_CODES: Mapping[str, str] = {
    "store_broken": "The database cannot be used any more; nothing else can be known.",
    "disk_full": "There is no room for the database: nothing more is read from Archean until there is.",
    "disk_low": "The disk of the database fills up; below 64 MiB nothing more is read from Archean.",
    "store_doubt": "The database works, and something is wrong with its file: its log grows, as another program holds it open.",
    "credential_refused": "commercetools refuses the API client: nothing is read from it or written to it.",
    "commercetools_unreachable": "commercetools does not answer. Critical once decreases wait because of it.",
    "marker_type": "The custom type that increments are marked with cannot be used: no stock is written.",
    "feed_paused": "A person paused a feed: its records are not read.",
    "feed_stale": "A feed gave no sign of life for five times its interval: published stock grows old.",
    "feed_late": "A feed gave no sign of life for twice its interval.",
    "feed_fault": "A feed gives signs of life, and something about it fails.",
    "feed_stuck": "A feed says that it has newer records, and gives none of them.",
    "snapshot_due": "A feed cannot go on without a snapshot.",
    "withheld": "A location offers nothing, since its feeds are silent (health.fail_closed_minutes).",
    "location_unheard": "A location stands in the configuration, and nothing was ever told of it.",
    "location_quiet": "A feed gives signs of life, and told no level of a location for health.quiet_minutes.",
    "copied": "The database was made on another host: this one touches nothing.",
    "idle": "Nothing is written here though it should be: another host may hold the lease.",
    "lease": "The lease is not renewed: increases are held back, decreases go on.",
    "orders_unknown": "Orders are not known completely since the start: stock is lowered, and not raised where that matters.",
    "orders_behind": "The order list stands further behind than it should.",
    "decrease_waits": "A decrease waits too long to be written: too much may be on sale.",
    "in_doubt": "For too long nobody knows what became of a write; nothing more is sent for its key.",
    "requests_saturated": "Requests to commercetools had to wait most of the last minutes: changes arrive late.",
    "unknown_skus": "So large a share of all keys has no product in commercetools that this is no slip of one record.",
    "drifting": "So large a share of all keys was changed by others that this is no slip of one person.",
    "channel_paused": "A person paused writing to a channel.",
}
CODES: Mapping[str, str] = {
    **OWN_CODES,
    **{kind.value: f"Exceptions of the kind {kind.value} are open." for kind in CaseKind},
}

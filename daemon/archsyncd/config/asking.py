"""Profiles of feeds that ask a source by requests of its own: read at the check, and held against the feed's keys.

Asks nobody. The faults of a profile are told with its own file, line and column.
"""

from pathlib import Path
from typing import Final

from archsyncd.config.drafting import Draft
from archsyncd.config.faults import Fault, KeyPath
from archsyncd.config.profiles import profile_bytes
from archsyncd.config.sources import FeedSettings
from archsyncd.wire.foreign.source import Source, read_source
from archsyncd.wire.profile.faults import ProfileFaults

# Keys of r247/1's own requests, which a profile replaces.
_REPLACED: Final = ("stream", "acknowledge", "consumer", "wait_seconds")


def load_source(path: Path) -> Source:
    """Read the profile of a feed that asks. Raises ProfileFaults, OSError."""
    return read_source(*profile_bytes(path))


def check_asking(draft: Draft) -> None:
    """Add a fault for everything that is wrong with a profile of a pull feed, or between it and the feed's keys."""
    for index, feed in enumerate(draft.settings.feeds):
        if feed.profile is None or feed.transport != "pull" or not draft.sound("feed", index, "profile"):
            continue
        try:
            source = load_source(feed.profile)
        except ProfileFaults as found:
            draft.faults += [
                Fault(str(feed.profile), one.path, one.line, one.column, one.value, one.says, one.suggestion)
                for one in found.faults
            ]
        except OSError:
            continue  # told where every profile is read
        else:
            _Rules(draft, index, feed, source).check()


class _Rules:
    def __init__(self, draft: Draft, index: int, feed: FeedSettings, source: Source) -> None:
        self._draft = draft
        self._index = index
        self._feed = feed
        self._requests = source.requests

    def check(self) -> None:
        self._keys()
        self._full_pictures()
        self._places()
        self._desk()

    def _keys(self) -> None:
        for name in _REPLACED:
            if self._draft.stated("feed", self._index, name):
                told = "belongs to sources that speak r247/1; what this feed asks for stands in its profile"
                self._fault(name, told)

    def _full_pictures(self) -> None:
        if self._requests.needs_partner and not self._feed.snapshot_from:
            told = (
                f"is required, as the profile follows changes (mode {self._requests.mode}) and says nothing of how the whole "
                "stock is asked for: deletions and changes that were missed would never show. Add request.snapshot to the "
                'profile, name the feed that brings fulls, or say "none-accepted"'
            )
            self._fault("snapshot_from", told)

    def _places(self) -> None:
        if not self._requests.by_location:
            return
        if not self._feed.locations:
            self._fault("locations", "is required, as the profile asks for one {location} after the other")
            return
        by_place = "location" in self._requests.changes.ask.names
        if by_place and self._requests.mode == "cursor" and len(self._feed.locations) > 1:
            told = "must be one, as a cursor is of one list: make a feed for each {location}"
            self._fault("locations", told)

    def _desk(self) -> None:
        orders = self._draft.settings.orders
        if orders.mode != "hand-over" or orders.hand_over_to != self._feed.name:
            return
        if self._requests.orders is None:
            told = f"{self._feed.name} is read by a profile that does not say how its source takes orders (request.orders)"
            self._draft.fault(("orders", "hand_over_to"), told, near=("feed", self._index, "profile"))
        elif self._requests.orders.look_up is None and orders.duplicate_protection == "lookup":
            told = f"lookup needs request.orders.lookUp in the profile of {self._feed.name}; use key or none"
            self._draft.fault(("orders", "duplicate_protection"), told, value=orders.duplicate_protection)

    def _fault(self, name: str, told: str) -> None:
        path: KeyPath = ("feed", self._index, name)
        self._draft.fault(path, told, near=("feed", self._index, "profile"))

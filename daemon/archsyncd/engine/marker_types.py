"""The types that carry our marker: ours, made once, and the shop's own, to which our fields are added. Writes no stock."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from archsyncd.domain.inventory import (
    Entry,
    Failure,
    MarkerType,
    Missing,
    Throttled,
    Unauthorised,
    Unknown,
    Unreached,
)
from archsyncd.engine.limiter import Limiter, Priority
from archsyncd.engine.ports import Commercetools
from archsyncd.engine.shared import Shared, describe

TYPES_LIMIT = 1_000
_NOTE = "marker"


class MarkerTypes:
    """Knows which types have our fields. Nothing is asked for or made while `writes` says that we only plan."""

    def __init__(
        self,
        client: Commercetools,
        limiter: Limiter,
        shared: Shared,
        *,
        tracked: bool,
        writes: Callable[[], bool],
    ) -> None:
        self._client = client
        self._limiter = limiter
        self._shared = shared
        self._tracked = tracked
        self._writes = writes
        self._types: set[str] = set()
        self._refused: dict[str, str] = {}
        self.ready = not tracked

    async def prepare(self) -> bool:
        """Make sure once that the marker's type exists with its fields. False: try again.

        A daemon that only plans makes nothing, and needs none.
        """
        if self.ready or not self._writes():
            return True
        found = await self._limiter.call(Priority.LOOKUP, 1.0, self._client.marker_type)
        if isinstance(found, Missing) or (isinstance(found, MarkerType) and found.type_id is None):
            found = await self._limiter.call(Priority.LOOKUP, 1.0, self._client.create_marker_type)
        elif isinstance(found, MarkerType) and found.missing and found.type_id is not None:
            found = await self._extend(found.type_id)
        if isinstance(found, MarkerType) and found.type_id is not None and not found.missing:
            self._types.add(found.type_id)
            self.ready = True
            self._tell_refused()
            return True
        if isinstance(found, Throttled | Unknown | Unreached | Unauthorised):
            return False  # that is about commercetools as a whole, and told as such
        self._shared.notes[_NOTE] = (
            f"the marker's type cannot be used ({describe(found)}); keys that are new here wait until it can: give the "
            "API client the scope manage_types, or have the type created as the README says"
        )
        return False

    async def learn(self, entries: Sequence[Entry]) -> None:
        """Add our fields to the types that these entries carry, before anything is written to them; never replace one."""
        for type_id in {entry.type_id for entry in entries if entry.type_id is not None} - self._types:
            if len(self._types) >= TYPES_LIMIT or not (self._tracked and self._writes()):
                return
            found = await self._extend(type_id)
            if isinstance(found, MarkerType) and not found.missing:
                self._types.add(type_id)
                self._refused.pop(type_id, None)
            elif not isinstance(found, Throttled | Unknown | Unreached | Unauthorised):
                self._refused[type_id] = describe(found)
            self._tell_refused()

    def _tell_refused(self) -> None:
        """The note stands as long as some type lacks our fields; that of `prepare` is its own to take away."""
        if self._refused:
            type_id, why = next(iter(self._refused.items()))
            self._shared.notes[_NOTE] = (
                f"the marker's fields could not be added to the type {type_id} ({why})"
            )
        elif self.ready:
            self._shared.notes.pop(_NOTE, None)

    async def _extend(self, type_id: str) -> MarkerType | Failure:
        return await self._limiter.call(Priority.LOOKUP, 1.0, lambda: self._client.extend_type(type_id))

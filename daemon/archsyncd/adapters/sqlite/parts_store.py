"""Snapshots sent in parts, in the store, step by step."""

from __future__ import annotations

from archsyncd.adapters.sqlite import parts
from archsyncd.adapters.sqlite.session import Session
from archsyncd.domain.feed import SnapshotPage
from archsyncd.domain.parts import Sending


class PartsStore:
    """Snapshots that come in parts among the records of a feed."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def whole(self, feed: str) -> Sending | None:
        """The oldest one of which nothing is missing any more."""
        async with self._session.read() as tx:
            return await parts.next_whole(self._session.scope(tx), feed)

    async def page_after(self, sending: Sending, part: int) -> tuple[int, SnapshotPage] | None:
        """Its next part: the number and the items; None behind the last."""
        async with self._session.read() as tx:
            return await parts.page_after(self._session.scope(tx), sending, part)

    async def taken(self, sending: Sending) -> None:
        """It was judged, whatever came of it: its parts are dropped."""
        await self._session.write(lambda scope: parts.taken(scope, sending))

    async def give_up(self, feed: str, timeout_seconds: float) -> int:
        """Drop those that are not whole after so long, each an exception; how many."""
        timeout_ms = int(timeout_seconds * 1000)
        return await self._session.write(lambda scope: parts.give_up_old(scope, feed, timeout_ms))

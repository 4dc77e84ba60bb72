"""The feed of a source that does not speak r247/1, read over HTTP as its mapping profile describes. Decides nothing."""

from __future__ import annotations

import ssl
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import aclosing
from dataclasses import replace
from typing import Final

from archsyncd.adapters.r247_pull.caller import Caller
from archsyncd.adapters.r247_pull.feed import new_correlation_id
from archsyncd.adapters.r247_pull.foreign.changes import DAY_MS, Changes
from archsyncd.adapters.r247_pull.foreign.desk import ForeignDesk
from archsyncd.adapters.r247_pull.foreign.lists import Lists
from archsyncd.adapters.r247_pull.foreign.looking import Looked, look
from archsyncd.adapters.r247_pull.foreign.snapshot import read_levels
from archsyncd.adapters.r247_pull.options import PullOptions
from archsyncd.adapters.r247_pull.refusal import NOT_OFFERED
from archsyncd.adapters.r247_pull.session import Sessions
from archsyncd.domain.feed import (
    Batch,
    KeyReading,
    Level,
    OrderLookup,
    Outcome,
    Reject,
    SnapshotCause,
    SnapshotDue,
)
from archsyncd.engine.ports import Clock, FeedFault, SnapshotSource
from archsyncd.wire.foreign.overlap import Memory, Round, TooMany
from archsyncd.wire.foreign.places import Numbers, Stand, decode_stand
from archsyncd.wire.foreign.section import CURSOR, OVERLAP, Listing
from archsyncd.wire.foreign.source import Source

# Wider than any mistake about a time zone: what was told lately is known again, whatever zone its times are read in.
FIRST_LOOK_MS: Final = DAY_MS + 2 * 3_600_000
_REMEMBERED: Final = 4
_NOT_AGAIN: Final = "its records have no positions of their own: they cannot be read again"


class ForeignFeed:
    """A `Feed` by profile. One instance is read by one task; look-ups may run beside it.

    Where the profile has `{location}` in a request, `options.locations` are asked for one by one.
    """

    def __init__(
        self,
        options: PullOptions,
        source: Source,
        credential: Callable[[], str],
        clock: Clock,
        sessions: Sessions,
        beat: Callable[[], None],
        correlation: Callable[[], str] = new_correlation_id,
    ) -> None:
        """Raises ValueError where the profile asks by location and none is known."""
        requests = source.requests
        if requests.by_location and not options.locations:
            raise ValueError(
                "the profile asks for one {location} after the other: state the feed's locations"
            )
        if (
            requests.mode == CURSOR
            and "location" in requests.changes.ask.names
            and len(options.locations) > 1
        ):
            raise ValueError("a cursor is of one list: a feed for each {location} is needed")
        self._options = options
        self._source = source
        self._clock = clock
        self._beat = beat
        self._sessions = sessions
        self._correlation = correlation
        self._caller = Caller(options, credential, sessions, correlation)
        self._lists = Lists(self._caller, options, source, beat)
        self._numbers = Numbers(readings=requests.key is not None)
        self._told: deque[str] = deque(maxlen=_REMEMBERED)
        told = self._told.append
        self._changes = Changes(source, self._lists, self._numbers, options, clock, beat, told)
        self._newest_ms = 0
        self._memory: Memory | None = None
        self._busy = False
        self.desk = ForeignDesk(source, self._lists)

    @property
    def name(self) -> str:
        """The feed's name in the configuration."""
        return self._options.name

    @property
    def step_seconds(self) -> float:
        """The longest that one request may take by right."""
        return self._options.step_seconds

    @property
    def offers_lookup(self) -> bool:
        """Whether orders can be looked up; where none are handed over, single SKUs that can be read are enough."""
        orders = self._source.requests.orders
        return self._source.requests.key is not None if orders is None else orders.look_up is not None

    @property
    def reads_keys(self) -> bool:
        """Whether the profile says how a single SKU is asked for."""
        return self._source.requests.key is not None

    @property
    def gives_fulls(self) -> bool:
        """Whether the profile says how the whole stock is asked for."""
        return not self._source.requests.needs_partner

    async def batches(self, after: str | None) -> AsyncIterator[Batch | SnapshotDue | SnapshotSource]:
        """Yield what follows the checkpoint. Without one the whole stock is due first, where the profile can ask for it."""
        if self._busy and self._source.requests.positions == "arrival":
            # What was told is remembered once: a second reader beside the first would take news away from it.
            yield SnapshotDue(SnapshotCause.GAP, _NOT_AGAIN)
            return
        stand = self._stand(after)
        if isinstance(stand, SnapshotDue):
            yield stand
            return
        self._busy = True
        try:
            async with aclosing(self._changes.after(stand)) as reading:
                async for one in reading:
                    self._newest_ms, self._memory = stand.newest_ms, stand.memory
                    yield one
        finally:
            self._busy = False

    def _stand(self, after: str | None) -> Stand | SnapshotDue:
        """Where to go on; a snapshot that is due where that is not known, or leads back over what has no positions."""
        requests = self._source.requests
        stand = None if after is None else decode_stand(after, requests.mode)
        if stand is None:
            if requests.snapshot is not None:
                cause = SnapshotCause.START if after is None else SnapshotCause.EPOCH_CHANGED
                return SnapshotDue(cause, "nothing was read from this source yet, or in another way")
            return self._first_stand()
        if (
            requests.positions == "arrival"
            and self._told
            and after not in self._told
            and requests.snapshot is not None
        ):
            return SnapshotDue(SnapshotCause.GAP, _NOT_AGAIN)
        if self._told and after == self._told[-1] and self._memory is not None:
            # The reading was only interrupted: nothing of what it knew is forgotten.
            stand.memory = self._memory
        elif stand.memory.lossy and requests.snapshot is not None:
            return SnapshotDue(SnapshotCause.GAP, "more changed at once than is remembered over a restart")
        self._numbers.enter(stand.epoch, stand.round)
        if after in self._told:
            self._numbers.kept()
        self._told.append(after or "")
        stand.overlap_ms = requests.overlap_ms
        self._newest_ms = stand.newest_ms
        return stand

    def _first_stand(self) -> Stand:
        """Where a source is read from that gives no full picture: another feed does, or the site does without."""
        requests = self._source.requests
        if not self._numbers.entered:
            self._numbers.begin_epoch(self._new_epoch())
        newest_ms = self._clock.wall_ms() if requests.mode == OVERLAP else 0
        return self._stand_here(cursor=requests.start or "", newest_ms=newest_ms)

    def _stand_here(self, cursor: str = "", newest_ms: int = 0) -> Stand:
        requests, numbers = self._source.requests, self._numbers
        assert numbers.epoch is not None
        return Stand(
            requests.mode,
            numbers.epoch,
            numbers.round,
            cursor=cursor,
            newest_ms=newest_ms,
            full_ms=self._clock.wall_ms(),
            overlap_ms=requests.overlap_ms,
        )

    def _new_epoch(self) -> str:
        """Records that are numbered by arrival begin anew where nobody knows how far they were numbered."""
        return "source" if self._source.requests.positions == "source" else self._correlation()

    async def acknowledge(self, checkpoint: str, outcome: Outcome) -> None:
        """Do nothing: such a source is not told."""

    async def take_snapshot(self, locations: Collection[str]) -> SnapshotSource | None:
        """Ask for the whole stock; None where the profile does not say how. Raises FeedFault.

        Where changes go on is read before anything is asked for: what happens meanwhile must be read afterwards.
        """
        requests = self._source.requests
        listing = requests.snapshot
        if listing is None:
            return None
        if not self._numbers.entered:
            self._numbers.begin_epoch(self._new_epoch())
        stand = await self._before_snapshot()
        stand.round = self._numbers.next_round(self._numbers.round)
        self._told.clear()
        self._memory = stand.memory
        wanted = self._options.locations if "location" in listing.ask.names else tuple(sorted(locations))
        return self._changes.whole(listing, stand, wanted)

    async def _before_snapshot(self) -> Stand:
        requests = self._source.requests
        if requests.mode == OVERLAP:
            return await self._lately()
        if requests.head is None:
            return self._stand_here()
        self._beat()
        follow = requests.head.cursor or requests.next
        assert follow is not None
        sheet = await self._lists.read(
            requests.head,
            await self._lists.ask(requests.head, self._lists.values(requests.head, **self._place())),
        )
        cursor = self._lists.following(sheet, follow)
        if cursor is None:
            raise FeedFault(f"{sheet.answer.told}: does not tell where its changes end")
        return replace(self._stand_here(cursor=cursor), link=follow.link)

    def _place(self) -> dict[str, str]:
        return {"location": self._options.locations[0]} if self._source.requests.by_location else {}

    async def _lately(self) -> Stand:
        """Read what changed lately and take it as told: the snapshot that is asked for next holds it."""
        now_ms = self._clock.wall_ms()
        stand = self._stand_here(newest_ms=self._newest_ms or max(now_ms - FIRST_LOOK_MS, 1))
        try:
            gathered, source_ms = await self._changes.gather(stand)
            if not self._newest_ms and source_ms < now_ms - FIRST_LOOK_MS:
                # Our clock is far ahead of the source's.
                stand = self._stand_here(newest_ms=max(source_ms - FIRST_LOOK_MS, 1))
                gathered, source_ms = await self._changes.gather(stand)
        except TooMany:
            stand = self._stand_here(newest_ms=now_ms)
            gathered, source_ms = await self._just_now(stand)
        gathered.remember_all()
        self._changes.pass_by(stand, gathered, source_ms)
        return stand

    async def _just_now(self, stand: Stand) -> tuple[Round, int]:
        try:
            return await self._changes.gather(stand)
        except TooMany:
            raise FeedFault(
                "more changes within the overlap than can be told apart; it is tried again"
            ) from None

    async def read_key(self, sku: str) -> KeyReading | None:
        """Read one SKU at all locations. None when the source offers no such read. Raises FeedFault."""
        listing = self._source.requests.key
        if listing is None:
            return None
        own = self._source.requests.positions == "source"
        epoch, seq_at = self._numbers.epoch, 0 if own else self._numbers.reading()
        if epoch is None or seq_at is None:
            raise FeedFault(
                "changes were not read yet in this run, so nothing can be told apart from them", answered=True
            )
        levels: list[Level] = []
        rejects: list[Reject] = []
        for known in self._places_of(listing):
            answer = await self._lists.ask(listing, self._lists.values(listing, sku=sku, **known))
            if answer.status in NOT_OFFERED:
                return None
            sheet = await self._lists.read(listing, answer)
            if own and listing.seq_at is not None:
                seq_at = sheet.number(listing.seq_at)
            found, bad = read_levels(
                self._source.shape_of(listing), sheet.items, f"{epoch}/{sku}", seq_at, own_seq=own
            )
            levels += found
            rejects += bad
        if any(level.sku != sku for level in levels):
            raise FeedFault(f"{listing.where}: levels of another SKU than {sku!r}")
        return KeyReading(self.name, epoch, seq_at, tuple(levels), tuple(rejects))

    def _places_of(self, listing: Listing) -> list[dict[str, str]]:
        if "location" not in listing.ask.names:
            return [{}]
        return [{"location": name} for name in self._options.locations]

    async def look_up_order(self, reference: str) -> OrderLookup | None:
        """Ask for an order. None only when the source itself says that it does not know it. Raises FeedFault."""
        return await self.desk.look_up(reference)

    async def look(self) -> list[Looked]:
        """Ask for each list once, to see whether the profile fits. Raises FeedFault."""
        return await look(self._source, self._lists, self._clock.wall_ms(), self._options.locations)

    def trust(self, tls: ssl.SSLContext) -> None:
        """Verify the source's certificate with this from now on; connections in use keep theirs."""
        self._sessions.trust(tls)

    async def close(self) -> None:
        """Release connections."""
        await self._caller.close()

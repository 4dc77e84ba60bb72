"""Bases: looking up entries never looked at, and reading entries once more until their base is proven.

A first start with many keys looks entries up in bulk. A key whose SKU no product carries is parked, never created blindly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from archsyncd.domain.cases import CaseKind, NewCase
from archsyncd.domain.inventory import (
    Entry,
    EntryPage,
    Failure,
    Forbidden,
    Missing,
    Refused,
    StockKey,
    SupplyChannel,
    TooLarge,
)
from archsyncd.domain.lookup import Unentered, not_created, unasked, unreadable, unsold
from archsyncd.domain.outbox import OutboxRow
from archsyncd.domain.reconciling import RaiseGuard
from archsyncd.engine.drain import Drain
from archsyncd.engine.entry_reader import EntryReader
from archsyncd.engine.fencing import fenced_by
from archsyncd.engine.limiter import Limiter, Priority, Quiesced
from archsyncd.engine.marker_types import MarkerTypes
from archsyncd.engine.portions import Portion, in_portions
from archsyncd.engine.ports import Commercetools
from archsyncd.engine.shared import Shared, describe, wait_for
from archsyncd.engine.store import Store

IDLE_SECONDS = 2.0
# So long at most nothing is looked for because all keys wait: whatever makes one due without telling costs no more.
QUIET_SECONDS = 30.0
LOOKUP_KEYS = 2_000
PRODUCTS_PER_REQUEST = 500
CHANNELS_EVERY_SECONDS = 60.0
CHANNEL_PAGES = 100
CHECK_KEYS = 500
FIRST_FIGURES_SECONDS = 600.0
SAMPLE_SECONDS = 60.0
PREPARE_AGAIN_SECONDS = 5.0
UNREADABLE_MS = 30_000
_CHANNEL_NOTE = "channel "


@dataclass(frozen=True, slots=True)
class BaseOptions:
    """What may be created, the time within which orders show on entries, and how many of them are looked at anew a minute.

    An old copy of the database, or somebody's edit, shows on an entry that nothing is due for only when it is read.
    `raises`: how many entries that show too few are raised within a day by itself.
    """

    create_missing: bool
    check_products: bool
    lag_seconds: float
    tracked: bool
    sample_keys_per_minute: int
    raises: RaiseGuard | None = None


class Bases:
    """Gives every key its base, and proves provisional ones."""

    def __init__(
        self,
        store: Store,
        client: Commercetools,
        limiter: Limiter,
        shared: Shared,
        drain: Drain,
        options: BaseOptions,
        types: MarkerTypes,
        beat: Callable[[], None],
    ) -> None:
        self._store = store
        self._client = client
        self._limiter = limiter
        self._shared = shared
        self._drain = drain
        self.options = options
        self._beat = beat
        self._channels_at = float("-inf")
        self._after: StockKey | None = None
        self._quiet_until = float("-inf")
        self._sampled: StockKey | None = None
        self._began = shared.clock.monotonic()
        self._sample_at = self._shared.clock.monotonic() + SAMPLE_SECONDS
        self._types = types
        self._reader = EntryReader(store, client, limiter, shared, Priority.LOOKUP, beat)
        self._checker = EntryReader(store, client, limiter, shared, Priority.CHECK, beat)
        self._catalogue = Portion(PRODUCTS_PER_REQUEST)

    async def run(self) -> None:
        """Work until the limiter lets nothing more begin. Raises FencedOff when a newer tenure has written."""
        told = True
        try:
            while not self._shared.stopping:
                self._beat()
                # First: no order can be counted before it is known which channel its lines are of.
                await self.refresh_channels()
                if not await self._types.prepare():
                    await self._shared.rest(PREPARE_AGAIN_SECONDS)
                    continue
                done = await self.look_up_due(told)
                await self._sample()
                done += await self.check_some()
                told = done > 0 or await wait_for(self._shared.bases, IDLE_SECONDS)
        except Quiesced:
            pass

    async def _sample(self) -> None:
        """Once a minute have some more entries read, so that every one is looked at in its turn."""
        now = self._shared.clock.monotonic()
        count = self.options.sample_keys_per_minute
        if not count or not self.options.tracked or now < self._sample_at:
            return
        self._sample_at = now + SAMPLE_SECONDS
        self._sampled = await self._store.outbox.plan_checks(self._sampled, count)

    async def refresh_channels(self) -> None:
        """Learn commercetools' channels anew from time to time, and tell of those that are missing and wanted."""
        now = self._shared.clock.monotonic()
        if now - self._channels_at < CHANNELS_EVERY_SECONDS and not self._shared.channels_stale:
            return
        channels = await self._read_channels()
        if channels is None:
            return
        self._channels_at = now
        self._shared.channels_stale = False
        self._shared.channels_read += 1
        self._client.use_channels(channels)
        before = set(self._shared.channel_keys.values())
        self._shared.channel_keys = {channel.id: channel.key for channel in channels}
        self._shared.export_channels = frozenset(channel.key for channel in channels if channel.exports)
        self._shared.doubt.set()
        self._shared.channels_without_role = frozenset(
            channel.key for channel in channels if not channel.supplies
        )
        for key in self._managed():
            usable = self._usable(key)
            if usable and (key not in before or f"{_CHANNEL_NOTE}{key}" in self._shared.notes):
                self._shared.notes.pop(f"{_CHANNEL_NOTE}{key}", None)
                note = "the channel exists and may supply stock"
                await self._store.cases.resolve(CaseKind.CHANNEL_MISSING, key, key, note)
            elif not usable and self._store.rules.policies.channels[key].locations:
                await self._channel_missing(key)
        await self._forget_unwanted()

    async def _forget_unwanted(self) -> None:
        """A missing channel is nobody's business once no location sells in it: its key was corrected, perhaps."""
        wanted = {name for name, each in self._store.rules.policies.channels.items() if each.locations}
        for case in await self._store.cases.listed(kind=CaseKind.CHANNEL_MISSING):
            if case.subject not in wanted:
                note = "no location sells in it any more"
                await self._store.cases.resolve(CaseKind.CHANNEL_MISSING, case.scope, case.subject, note)
        for name in [name for name in self._shared.notes if name.startswith(_CHANNEL_NOTE)]:
            if name.removeprefix(_CHANNEL_NOTE) not in wanted:
                del self._shared.notes[name]

    def _managed(self) -> tuple[str, ...]:
        return tuple(self._store.rules.policies.channels)

    def _usable(self, channel: str) -> bool:
        known = set(self._shared.channel_keys.values())
        return channel in known and channel not in self._shared.channels_without_role

    async def _channel_missing(self, key: str) -> None:
        why = (
            "has not the role InventorySupply"
            if key in self._shared.channels_without_role
            else "does not exist"
        )
        self._shared.notes[f"{_CHANNEL_NOTE}{key}"] = f"the supply channel {key} {why} in commercetools"
        reason = f"the supply channel {key} {why} in commercetools; no entry is made in it, nor without a channel instead"
        await self._store.cases.open(NewCase(CaseKind.CHANNEL_MISSING, key, key, reason))

    async def _read_channels(self) -> list[SupplyChannel] | None:
        found: list[SupplyChannel] = []
        after: str | None = None
        for _ in range(CHANNEL_PAGES):
            at = after
            page = await self._limiter.call(Priority.LOOKUP, 1.0, lambda at=at: self._client.channels(at))  # type: ignore[misc]
            if not isinstance(page, tuple):
                return None
            channels, after = page
            found.extend(channels)
            if after is None:
                break
        return found

    async def look_up_due(self, told: bool) -> int:
        """Look up some keys, unless all of them wait and nothing was `told` since that was found; how many were booked."""
        if not told and self._shared.clock.monotonic() < self._quiet_until:
            return 0
        self._quiet_until = float("-inf")
        return await self.look_up_some()

    async def _be_quiet(self) -> None:
        """No key may be looked up now: the waiting ones, which may be any number, are not passed over again before one may."""
        again_ms = await self._store.outbox.unknown_again_ms()
        self._quiet_until = self._shared.clock.monotonic() + QUIET_SECONDS
        if again_ms is not None:
            self._quiet_until = min(self._quiet_until, again_ms / 1000)

    async def look_up_some(self) -> int:
        """Look up a bounded number of unknown keys; how many were booked."""
        if self._shared.orders_needed and not self._shared.orders_known:
            # A base is what the entry shows and the orders that it shows the effect of: without these it falls short.
            return 0
        whole = self._after is None
        rows = await self._store.outbox.unknown_bases(self._after, LOOKUP_KEYS)
        if whole and not rows:
            await self._be_quiet()
        self._after = rows[-1].key if len(rows) == LOOKUP_KEYS else None
        told = await self._told(rows)
        unknown = {row.key: row for row in rows if row.key.channel in told and self._usable(row.key.channel)}
        done = 0
        async for asked, page in self._reader.by_key(list(unknown)):
            self._beat()
            done += await self._book_looked_up([unknown[key] for key in asked], page)
        if done:
            self._shared.work.set()
        return done

    async def _told(self, rows: Sequence[OutboxRow]) -> frozenset[str]:
        """Channels of which every location has told something, so that no quantity is made of half of them.

        While a full is being applied none has. A location that stays silent is waited for a bounded time.
        """
        if not rows or await self._store.snapshots.unfinished():
            return frozenset()
        known = set(await self._store.feeds.locations())
        waited = self._shared.clock.monotonic() - self._began >= FIRST_FIGURES_SECONDS
        told = set()
        for name, policy in self._store.rules.policies.channels.items():
            missing = sorted(set(policy.locations) - known)
            note = f"first figures of {name}"
            if missing and not waited:
                self._shared.notes[note] = (
                    f"keys of {name} that are new here wait for the first figures of {', '.join(missing)}, at most "
                    f"{FIRST_FIGURES_SECONDS / 60:.0f} minutes after the start"
                )
            else:
                self._shared.notes.pop(note, None)
                told.add(name)
        return frozenset(told)

    async def _book_looked_up(self, rows: Sequence[OutboxRow], page: EntryPage) -> int:
        self._watch_fences(page.entries)
        await self._types.learn(page.entries)
        wanted = {row.key for row in rows}
        found = [entry for entry in page.entries if entry.key in wanted]
        seen = {entry.key for entry in found}
        # An entry that exists but could not be read is neither a base nor a reason to create one.
        unread = {fault.key for fault in page.faults} - seen
        withheld = [unreadable(row.key, row.attempts) for row in rows if row.key in unread]
        absent = [row for row in rows if row.key not in seen and row.key not in unread]
        creatable, waiting = await self._without_entry(absent)
        await self._store.outbox.book_lookups(
            found, creatable, [*withheld, *waiting], self._drain.settle_rules()
        )
        return len(found) + len(creatable)

    async def _without_entry(self, rows: Sequence[OutboxRow]) -> tuple[list[StockKey], list[Unentered]]:
        """Which of these keys are to be created, and which stay without an entry, with the reason.

        What commercetools did not answer for now is in neither, and is looked up again at once.
        """
        answers = await self._sold(list(dict.fromkeys(row.key.sku for row in rows)))
        creatable: list[StockKey] = []
        withheld: list[Unentered] = []
        for row in rows:
            sold = answers.get(row.key.sku)
            if sold is False:
                withheld.append(unsold(row.key, row.f, row.attempts))
            elif sold is not None and not self.options.create_missing:
                withheld.append(not_created(row.key, row.f, row.attempts))
            elif sold is True:
                creatable.append(row.key)
            elif sold is not None:
                withheld.append(unasked(row.key, row.f, describe(sold), sold.correlation, row.attempts))
        return creatable, withheld

    def _watch_fences(self, entries: Sequence[Entry]) -> None:
        fence = self._drain.options.fence
        for entry in entries:
            if self._drain.options.writes and entry.marker.fence is not None and entry.marker.fence > fence:
                raise fenced_by(entry, fence)

    async def _sold(self, skus: Sequence[str]) -> dict[str, bool | Failure]:
        """Whether some product carries each SKU, or the refusal to tell; SKUs that nothing was said of are left out."""
        if not self.options.check_products:
            self._shared.notes.pop("catalogue", None)
            return dict.fromkeys(skus, True)
        answers: dict[str, bool | Failure] = {}
        async for part, answer in in_portions(skus, self._catalogue, self._products):
            if isinstance(answer, frozenset):
                self._shared.notes.pop("catalogue", None)
                answers |= {sku: sku in answer for sku in part}
            elif isinstance(answer, TooLarge | Refused | Forbidden | Missing):
                answers |= dict.fromkeys(part, answer)
                if not isinstance(answer, TooLarge):
                    self._catalogue_refused(answer)
        return answers

    async def _products(self, part: Sequence[str]) -> frozenset[str] | Failure:
        self._beat()
        return await self._limiter.call(Priority.LOOKUP, 1.0, lambda: self._client.products(part))

    def _catalogue_refused(self, answer: Failure) -> None:
        self._shared.notes["catalogue"] = (
            f"commercetools does not tell which SKUs have a product ({describe(answer)}); no entry is created blindly: let "
            "the API client ask /graphql for products, or set commercetools.check_products to false"
        )

    async def check_some(self) -> int:
        """Read entries whose check is due, and judge earlier reads that the order list covers by now."""
        done = 0
        rows = await self._store.outbox.checks_due(min(CHECK_KEYS, self._client.entries_per_request))
        if rows:
            done += await self._read_for_check(rows)
        lag_ms = int(self.options.lag_seconds * 1000)
        proven, _ = await self._store.outbox.judge_reads(
            self._shared.orders_complete_ms, lag_ms, CHECK_KEYS, self.options.raises
        )
        if proven:
            self._shared.count("proven", proven)
            self._shared.work.set()
        return done + proven

    async def _read_for_check(self, rows: Sequence[OutboxRow]) -> int:
        done = 0
        async for asked, page in self._checker.by_id([row for row in rows if row.entry_id is not None]):
            self._beat()
            self._watch_fences(page.entries)
            await self._types.learn(page.entries)
            unread = {fault.id for fault in page.faults}
            if unread:
                # Due as they are, they would be asked for again and again without a pause, and before all others.
                put_off = [row.key for row in asked if row.entry_id in unread]
                await self._store.outbox.put_off_checks(put_off, UNREADABLE_MS)
            # One that is found under another key was moved to another channel: the key has no entry any more.
            wanted = {(row.entry_id, row.key) for row in asked}
            found = [entry for entry in page.entries if (entry.id, entry.key) in wanted]
            there = {entry.key for entry in found}
            missing = [row.key for row in asked if row.key not in there and row.entry_id not in unread]
            await self._store.outbox.book_reads(found, missing)
            done += len(asked)
        return done

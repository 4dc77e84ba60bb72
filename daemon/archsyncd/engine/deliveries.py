"""Shows on entries when more goods are expected, where a channel wants that. It never moves a quantity, and nothing waits for it.

A change rides with a write of the key's quantity where one is due; else it has one of its own, with what requests all others
leave. A lost answer is no matter: what is written is absolute, and is written again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Protocol

from archsyncd.domain.delivery import DueDelivery
from archsyncd.domain.inventory import (
    Conflict,
    Entry,
    EntryWrite,
    Failure,
    Missing,
    Refused,
    StockKey,
    WriteAnswer,
    WriteKind,
    Written,
)
from archsyncd.engine.limiter import Limiter, Priority, Quiesced
from archsyncd.engine.ports import Commercetools, StoreFull
from archsyncd.engine.shared import Shared, describe

IDLE_SECONDS = 2.0
KEYS_PER_ROUND = 200
# Several changes of one key within this time cost one write.
BETWEEN_MS = 60_000
AGAIN_MS = 30_000
REFUSED_AGAIN_MS = 3_600_000
ASIDE_SECONDS = 2.0
NOTE = "expected deliveries"
FOREIGN_NOTE = "expected deliveries of others"
FOREIGN_KEPT = 1_000


class DeliveryBook(Protocol):
    """What entries should show of expected goods, and what was written."""

    async def due(self, paused: Collection[str], limit: int) -> Sequence[DueDelivery]:
        """What a write of its own is due for: keys of which nothing else is due or in flight."""
        ...

    async def riding(self, keys: Collection[StockKey]) -> Mapping[StockKey, str]:
        """What writes of these keys' quantities may carry ("": that nothing is expected)."""
        ...

    async def settled(self, keys: Collection[StockKey]) -> Mapping[StockKey, str]:
        """What entries of these keys show by our last write ("": nothing), where nothing newer is to be shown."""
        ...

    async def written(self, shown: Mapping[StockKey, str], again_ms: int) -> None:
        """Entries show this by our writes. The next write of its own goes after `again_ms`, of each."""
        ...

    async def versions(self, known: Iterable[tuple[StockKey, str, int]]) -> None:
        """Versions of entries as our writes left them, where no operation is in flight."""
        ...

    async def put_off(self, keys: Iterable[StockKey], again_ms: int) -> None:
        """Try again after so long."""
        ...


class Deliveries:
    """Brings what is expected onto entries. `on`: whether any channel wants that."""

    def __init__(
        self,
        book: DeliveryBook,
        client: Commercetools,
        limiter: Limiter,
        shared: Shared,
        may_write: Callable[[], bool],
        batch: Callable[[], int],
        beat: Callable[[], None],
    ) -> None:
        """`batch`: how many keys one request may carry."""
        self._book = book
        self._client = client
        self._limiter = limiter
        self._shared = shared
        self._may_write = may_write
        self._batch = batch
        self._beat = beat
        self.on = False
        self._rode: dict[StockKey, str] = {}
        self._versions: dict[StockKey, int] = {}
        # Refused once: they ride with no quantity any more, so that no quantity is ever refused for them.
        self._refused: set[StockKey] = set()
        self._foreign: set[StockKey] = set()

    async def run(self) -> None:
        """Write until the limiter lets nothing more begin."""
        try:
            while not self._shared.stopping:
                self._beat()
                try:
                    busy = await self.work_some() if self.on else 0
                except StoreFull:
                    busy = 0
                if not busy:
                    await self._shared.rest(IDLE_SECONDS)
        except Quiesced:
            pass

    async def work_some(self) -> int:
        """Book what rode, and write some of what is due; how many keys."""
        await self._book_rides()
        if not self._may_write() or not self._shared.may_increase():
            return 0
        due = await self._book.due(self._shared.paused_channels, KEYS_PER_ROUND)
        size = max(1, self._batch())
        for start in range(0, len(due), size):
            self._beat()
            await self._send(due[start : start + size])
        return len(due)

    async def _book_rides(self) -> None:
        if self._rode:
            rode, self._rode = self._rode, {}
            try:
                await self._book.written(rode, BETWEEN_MS)
            except StoreFull:
                self._rode = rode | self._rode
                raise

    async def _send(self, group: Sequence[DueDelivery]) -> None:
        async with await self._limiter.permit(Priority.CHECK):
            keys = {each.key for each in group}
            # The drain leaves them alone for a moment, and what it took meanwhile is left to it: one write of an entry at a time.
            self._shared.set_aside(keys, ASIDE_SECONDS)
            try:
                free = {
                    each.key for each in await self._book.due(self._shared.paused_channels, KEYS_PER_ROUND)
                }
                going = [each for each in group if each.key in free]
                answers = await self._ask(going) if going else ()
            finally:
                self._shared.take_back(keys)
        await self._book_answers(going, answers)

    async def _ask(self, going: Sequence[DueDelivery]) -> Sequence[WriteAnswer]:
        writes = [
            EntryWrite(
                WriteKind.DELIVERY,
                each.key,
                0,
                None,
                each.entry_id,
                self._versions.pop(each.key, each.version),
                delivery=each.expected,
            )
            for each in going
        ]
        answer: tuple[WriteAnswer, ...] | Failure
        if len(writes) == 1:
            one = await self._client.write(writes[0])
            answer = (one,)
            self._limiter.report(one)
        else:
            answer = await self._client.write_many(writes)
            self._limiter.report(answer)
        return answer if isinstance(answer, tuple) else (answer,) * len(going)

    async def _book_answers(self, going: Sequence[DueDelivery], answers: Sequence[WriteAnswer]) -> None:
        shown: dict[StockKey, str] = {}
        versions: list[tuple[StockKey, str, int]] = []
        again: list[StockKey] = []
        later: list[StockKey] = []
        for each, answer in zip(going, answers, strict=True):
            match answer:
                case Written(version=version):
                    shown[each.key] = each.expected
                    versions.append((each.key, each.entry_id, version))
                case Conflict(current_version=int(version)):
                    # It changes nothing but itself, so whatever came first may stay.
                    self._versions[each.key] = version
                case Missing() | Refused():
                    later.append(each.key)
                    self._note(each, answer)
                case _:
                    again.append(each.key)
        if shown:
            await self._book.versions(versions)
            await self._book.written(shown, BETWEEN_MS)
            self._shared.count("expected_deliveries", len(shown))
        await self._book.put_off(again, AGAIN_MS)
        await self._book.put_off(later, REFUSED_AGAIN_MS)

    def _note(self, due: DueDelivery, answer: WriteAnswer) -> None:
        self._shared.notes[NOTE] = (
            f"the entry of {due.key.sku} in {due.key.channel} cannot show its expected delivery ({describe(answer)}); its stock "
            "is kept in step all the same"
        )

    async def compare(self, entries: Sequence[Entry]) -> None:
        """Tell of entries that somebody else gave another date. Nothing is done about it: it is information, not stock."""
        if not self.on:
            return
        ours = await self._book.settled([entry.key for entry in entries])
        listed = {entry.key for entry in entries}
        differing = {
            each.key
            for each in entries
            if each.key in ours and (each.expected_delivery or "") != ours[each.key]
        }
        self._foreign = (
            (self._foreign - listed) | differing if len(self._foreign) < FOREIGN_KEPT else differing
        )
        if not self._foreign:
            self._shared.notes.pop(FOREIGN_NOTE, None)
            return
        first = min(self._foreign)
        self._shared.notes[FOREIGN_NOTE] = (
            f"{len(self._foreign):,} entries show another expected delivery than was written, {first.sku} in {first.channel} for "
            "one: somebody else set it, and it stays until Archean tells another date"
        )

    async def riding(self, keys: Collection[StockKey]) -> Mapping[StockKey, str]:
        """What writes of these keys' quantities carry as well."""
        if not self.on or not keys:
            return {}
        found = await self._book.riding(keys)
        return {key: told for key, told in found.items() if key not in self._refused}

    def rode(self, key: StockKey, expected: str) -> None:
        """A write that carried it took effect."""
        self._rode[key] = expected

    def refused(self, key: StockKey) -> None:
        """A write that carried it was refused, perhaps for it."""
        self._refused.add(key)

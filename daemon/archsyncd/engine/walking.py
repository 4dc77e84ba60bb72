"""One run over the inventory: pages read ahead within bounds, and judged once the orders are complete beyond them.

It decides when a page may be compared, and nothing of what the comparison says.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from archsyncd.domain.inventory import Failure, Forbidden, Missing, Refused, TooLarge
from archsyncd.domain.reconciling import END, Listing, Run, RunState
from archsyncd.engine.drain import Drain
from archsyncd.engine.fencing import fenced_by
from archsyncd.engine.limiter import Limiter, Priority
from archsyncd.engine.portions import Portion
from archsyncd.engine.ports import Commercetools
from archsyncd.engine.shared import Shared, describe
from archsyncd.engine.store import Store

# So many pages wait in memory for the orders to be complete beyond them: twenty thousand entries.
WINDOW_PAGES = 40
PAGE_ENTRIES = 500
SCOPE_HINT = "see that the API client has the scope view_products"


class Walk:
    """Reads the pages of a run from its place on, and has them judged in their order."""

    def __init__(
        self,
        run: Run,
        store: Store,
        client: Commercetools,
        limiter: Limiter,
        shared: Shared,
        drain: Drain,
        beat: Callable[[], None],
    ) -> None:
        self.run = run
        self._store = store
        self._client = client
        self._limiter = limiter
        self._shared = shared
        self._drain = drain
        self._beat = beat
        self._held: deque[Listing] = deque()
        self._read_to = run.after
        # All of it was judged before a restart that came before the end was noted.
        self._read_all = run.after == END
        self._portion = Portion(PAGE_ENTRIES)
        self.outcome: RunState | None = None
        self.reason = ""
        self.lost = False

    @property
    def waiting(self) -> int:
        """How many pages wait to be judged."""
        return len(self._held)

    async def step(self, lag_ms: int, *, tracked: bool) -> bool:
        """Judge what may be judged and read one more page if there is room; whether anything was done.

        `outcome` tells afterwards whether the run is over; `lost` that these pages are not those that follow its place: the
        run was stopped meanwhile, or a part of a page was judged and the rest was not. Then it is walked anew from its place.
        """
        done = False
        while self._held and self._covered(self._held[0], lag_ms, tracked=tracked):
            self._beat()
            if not await self._judge(self._held[0], lag_ms):
                self.lost = True
                return False
            self._held.popleft()
            done = True
        if not self._read_all and len(self._held) < WINDOW_PAGES:
            done = await self._read() or done
        if self._read_all and not self._held and self.outcome is None:
            self.outcome = RunState.DONE
        return done

    def _covered(self, page: Listing, lag_ms: int, *, tracked: bool) -> bool:
        """Untracked no order moves an entry, and there is nothing to wait for."""
        return not tracked or self._shared.orders_complete_ms >= page.server_ms + lag_ms

    async def _judge(self, page: Listing, lag_ms: int) -> bool:
        planned = await self._store.reconciles.judge(self.run, page, lag_ms, self._beat)
        if planned:
            self._shared.bases.set()
        return planned is not None

    async def _read(self) -> bool:
        wanted, after, limit = self.run.wanted, self._read_to, self._portion.now
        page = await self._limiter.call(
            Priority.CHECK,
            1.0,
            lambda: self._client.inventory(after, channel=wanted.channel, sku=wanted.sku, limit=limit),
        )
        if not isinstance(page, Listing):
            return self._unanswered(page, limit)
        if page.full and page.last <= after:
            self._fail("pages of its inventory do not follow one another by id, as was asked for")
            return False
        self._shared.saw_server_time(page.server_ms)
        self._watch_fences(page)
        await self._shared.listed(page.entries)
        self._held.append(page)
        self._read_all = not page.full
        self._read_to = page.last
        self._portion.went_well(limit)
        return True

    def _unanswered(self, answer: Failure, limit: int) -> bool:
        """Less at once where a page is too large; a plain refusal ends the run; all else is asked again."""
        if isinstance(answer, TooLarge) and limit > 1:
            self._portion.too_large(limit)
            return True
        if isinstance(answer, Refused | Forbidden | Missing | TooLarge):
            self._fail(f"commercetools does not list its inventory ({describe(answer)}): {SCOPE_HINT}")
        return False

    def _fail(self, reason: str) -> None:
        self.outcome = RunState.FAILED
        self.reason = reason

    def _watch_fences(self, page: Listing) -> None:
        """Only in channels of ours: in another's, somebody else's ledger may write by fences of its own."""
        if not self._drain.options.writes:
            return
        fence, channels = self._drain.options.fence, self._store.rules.policies.channels
        for entry in page.entries:
            seen = entry.marker.fence
            if entry.key.channel in channels and seen is not None and seen > fence:
                raise fenced_by(entry, fence)

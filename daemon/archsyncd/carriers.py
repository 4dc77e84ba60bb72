"""What carries orders to Archean and dispatches back: the three loops, put together from the settings. Decides nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from archsyncd.assembly import dispatch_options, hand_over_options, placement_of
from archsyncd.config import Settings
from archsyncd.connections import desks_of
from archsyncd.domain.rules import LearnRules
from archsyncd.domain.stock import Policies
from archsyncd.engine.dispatching import Dispatching
from archsyncd.engine.handing_over import HandOver
from archsyncd.engine.limiter import Limiter
from archsyncd.engine.named_feed import archean_lines
from archsyncd.engine.noting import Noting
from archsyncd.engine.ports import Commercetools, Feed
from archsyncd.engine.shared import Shared
from archsyncd.engine.store import Store
from archsyncd.engine.supervise import Pump


@dataclass(frozen=True, slots=True)
class Carriers:
    """The loops. They exist only where no other system hands orders over."""

    hand_over: HandOver
    noting: Noting
    dispatching: Dispatching

    def pumps(self, asking_seconds: float, held_back: Callable[[], bool]) -> list[Pump]:
        """As the supervisor runs them; `asking_seconds`: how long a question to Archean may take."""
        return [
            Pump("hand-over", self.hand_over.run, limit_seconds=asking_seconds, excused=held_back),
            Pump("dispatches", self.dispatching.run, limit_seconds=asking_seconds, excused=held_back),
            Pump("notes", self.noting.run, excused=held_back),
        ]

    def put_in_force(self, settings: Settings) -> None:
        """A reload: what they go by from now on."""
        self.hand_over.options = hand_over_options(settings)
        self.dispatching.options = dispatch_options(settings)
        self.noting.channel = settings.orders.sync_channel


def carriers(
    settings: Callable[[], Settings],
    store: Store,
    client: Commercetools,
    feeds: Sequence[Feed],
    limiter: Limiter,
    shared: Shared,
    policies: Callable[[], Policies],
    learn_rules: Callable[[], LearnRules],
    chance: Callable[[], float],
    beater: Callable[[str], Callable[[], None]],
    may_write: Callable[[], bool],
    goods: Callable[[Collection[str]], Awaitable[Mapping[str, str]]],
) -> Carriers:
    """Put them together. `settings`, `policies`: those in force whenever they are asked for.

    `goods`: what Archean calls the goods of commercetools' SKUs.
    """
    now, desks = settings(), desks_of(feeds)
    source = next(feed for feed in feeds if feed.name == now.orders.hand_over_to)
    return Carriers(
        HandOver(
            store,
            client,
            source,
            desks[source.name],
            limiter,
            shared,
            hand_over_options(now),
            lambda: placement_of(settings(), shared.channel_keys, policies()),
            chance,
            beater("hand-over"),
            may_write,
            partial(archean_lines, source),
        ),
        Noting(
            store,
            client,
            limiter,
            shared,
            now.orders.sync_channel,
            chance,
            beater("notes"),
            may_write,
        ),
        Dispatching(
            store,
            client,
            desks,
            limiter,
            shared,
            dispatch_options(now),
            learn_rules,
            chance,
            beater("dispatches"),
            may_write,
            goods,
        ),
    )

"""Notifications of commercetools' orders from a subscription. Believes nothing of them but which order to read."""

from __future__ import annotations

from collections.abc import Sequence

from archsyncd.adapters.pubsub.leases import Leases
from archsyncd.adapters.pubsub.options import PubsubOptions
from archsyncd.adapters.pubsub.subscription import Subscription
from archsyncd.domain.notices import Notice
from archsyncd.engine.ports import Clock
from archsyncd.wire.commercetools.notifications import read_notification


class PubsubNotices:
    """A `Notices` over a Pub/Sub subscription."""

    def __init__(self, options: PubsubOptions, subscription: Subscription, clock: Clock) -> None:
        self._options = options
        self._leases = Leases(options, subscription, clock)

    @property
    def step_seconds(self) -> float:
        """The longest that one request may take by right."""
        return self._options.step_seconds

    async def take(self) -> Sequence[Notice]:
        """Wait for notifications; empty when none came. Raises FeedFault."""
        return [read_notification(one.ack_id, one.data) for one in await self._leases.pull()]

    async def done(self, notices: Sequence[Notice]) -> None:
        """What they told of is known here. Raises FeedFault; they come again then."""
        await self._leases.acknowledge([notice.handle for notice in notices])

    async def close(self) -> None:
        """Give back what is not done, and release connections."""
        await self._leases.close()

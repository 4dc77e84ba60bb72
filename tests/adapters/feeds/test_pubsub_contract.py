"""The pubsub transport keeps the contract of feeds, at the simulated Pub/Sub and at Google's emulator."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from tests.adapters.feeds.contract import FeedContract, RecordContract, RecordSite, Site
from tests.adapters.feeds.subscribing import TallySite, emulated_site, simulated_site


class TestSimulated(RecordContract):
    """Our own server."""

    def site(self) -> AbstractAsyncContextManager[RecordSite]:
        return simulated_site()


class TestForeign(FeedContract):
    """Our own server, to which somebody publishes in words of their own."""

    def site(self) -> AbstractAsyncContextManager[Site]:
        return simulated_site(TallySite)


class TestEmulated(FeedContract):
    """Google's emulator, where it is installed."""

    def site(self) -> AbstractAsyncContextManager[Site]:
        return emulated_site()

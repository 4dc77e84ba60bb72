"""From settings to connections: commercetools' client and the feeds, each with its limits and credential."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from functools import partial
from typing import Protocol

from archsyncd.adapters.commercetools.client import HttpCommercetools
from archsyncd.adapters.commercetools.options import ClientOptions
from archsyncd.adapters.commercetools.transport import TrustMissing
from archsyncd.adapters.r247_drop import DropFeed, DropOptions, Readiness
from archsyncd.adapters.r247_pull import PullAuth, PullFeed, PullOptions, session_factory
from archsyncd.config import CLIENT_SECRET, FeedSettings, Settings
from archsyncd.domain.fatal import EXIT_CONFIGURATION, Fatal
from archsyncd.engine.limiter import Limiter
from archsyncd.engine.ports import Clock, Feed

SPARE_CONNECTIONS = 8


class Surroundings(Protocol):
    """What connections need of the process."""

    @property
    def clock(self) -> Clock:
        """Time."""
        ...

    @property
    def host_name(self) -> str:
        """Our name in commercetools' history."""
        ...

    @property
    def chance(self) -> Callable[[], float]:
        """Draws a number in [0, 1)."""
        ...

    def secret(self, name: str) -> str:
        """A credential's text."""
        ...

    def new_id(self) -> str:
        """A fresh random id."""
        ...


def commercetools_client(settings: Settings, world: Surroundings, limiter: Limiter) -> HttpCommercetools:
    """The client, charged to the limiter. Raises Fatal when the trust store is missing or an address is refused."""
    project = settings.commercetools
    try:
        options = ClientOptions(
            api_url=project.api_address,
            auth_url=project.auth_address,
            project_key=project.project_key,
            client_id=project.client_id,
            host_name=world.host_name,
            marker_type_key=project.marker_type_key,
            connect_seconds=float(project.connect_timeout_seconds),
            write_seconds=float(project.request_timeout_seconds),
            connections=project.max_in_flight + SPARE_CONNECTIONS,
            ca_file=project.ca_file,
        )
        return HttpCommercetools(
            options,
            secret=partial(world.secret, CLIENT_SECRET),
            clock=world.clock,
            chance=world.chance,
            budget=limiter.charge,
            correlation=world.new_id,
        )
    except (ValueError, TrustMissing) as error:
        raise Fatal(EXIT_CONFIGURATION, f"commercetools: {error}") from error


def feed_of(feed: FeedSettings, settings: Settings, world: Surroundings) -> Feed:
    """The feed of one [[feed]] table. Raises Fatal."""
    try:
        return _drop(feed, settings, world) if feed.transport == "drop" else _pull(feed, world)
    except (ValueError, OSError) as error:
        raise Fatal(EXIT_CONFIGURATION, f"feed.{feed.name}: {error}") from error


def _pull(feed: FeedSettings, world: Surroundings) -> Feed:
    options = PullOptions(
        name=feed.name,
        url=feed.url,
        auth=PullAuth(feed.auth),
        page_limit=feed.page_limit,
        wait_seconds=feed.wait_seconds,
        stream=feed.stream,
        consumer=feed.consumer if feed.acknowledge else None,
        margin_seconds=float(feed.request_timeout_seconds),
    )
    context = ssl.create_default_context(cafile=feed.ca_file) if feed.ca_file else None
    return PullFeed(
        options, partial(world.secret, f"feed-{feed.name}"), world.clock, session_factory(context)
    )


def _drop(feed: FeedSettings, settings: Settings, world: Surroundings) -> Feed:
    assert feed.directory is not None
    locations = tuple(name for name, location in settings.locations.items() if not location.ignore)
    options = DropOptions(
        name=feed.name,
        directory=feed.directory,
        ready=Readiness(feed.ready),
        delimiter=feed.delimiter,
        locations=locations,
        gap_grace_seconds=float(feed.gap_grace_seconds),
        stable_seconds=float(feed.stable_seconds),
    )
    return DropFeed(options, world.clock)

"""What check-config says of a queue: offline its credential, online whether it may be pulled and which role is missing."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from archsyncd.checking import EXIT_ACT, check, check_credential
from archsyncd.simulators.pubsub import Broker, serve
from tests.adapters.feeds.subscribing import NAME, TOPIC
from tests.operator.test_checking import Site, SourceClock, line_about, site
from tests.support.virtual_time import VirtualClock

TABLE = """
[[feed]]
name = "queue"
transport = "pubsub"
subscription = "{name}"
snapshot_from = "main"
"""


@asynccontextmanager
async def queued(directory: Path, more: str = "") -> AsyncIterator[tuple[Site, Broker]]:
    """A site with a queue at an emulator, whose subscription also brings notifications."""
    broker = Broker(SourceClock(), random.Random(7))
    broker.subscribe(NAME, TOPIC, attempts=7)
    async with site(directory) as here, serve(broker) as url:
        with here.config.open("a") as file:
            file.write(TABLE.format(name=NAME) + f'emulator = "{url.removeprefix("http://")}"\n{more}')
        yield here, broker


async def test_a_subscription_that_may_be_pulled_is_described(tmp_path: Path) -> None:
    """Topic, deadline and dead letters; nothing is pulled for that."""
    async with queued(tmp_path) as (here, broker):
        broker.publish(TOPIC, "", {})
        code, text = await here.check()
        assert code == 0, text
        assert "feed.queue: may be pulled by our account" in text
        assert f"of {TOPIC}, deadline 10 s, a dead-letter topic after 7 deliveries" in text
        assert [one.attempts for one in broker.subscriptions[NAME].backlog] == [0]


async def test_f117_a_role_that_is_missing_is_named(tmp_path: Path) -> None:
    """And one that is only wanted for the look itself is no fault."""
    async with queued(tmp_path) as (here, broker):
        switches = broker.subscriptions[NAME].switches
        switches.forbidden.add("")
        code, text = await here.check()
        assert (code, "roles/pubsub.viewer" in line_about(text, "may not be looked at")) == (0, True)
        switches.forbidden.add("pull")
        code, text = await here.check()
        assert code == EXIT_ACT
        assert "roles/pubsub.subscriber" in line_about(text, "may not be pulled")


async def test_a_subscription_that_is_not_there_is_wrong(tmp_path: Path) -> None:
    """It must be made by somebody else."""
    async with queued(tmp_path) as (here, broker):
        broker.subscriptions.clear()
        code, text = await here.check()
        assert (code, "feed.queue: " in line_about(text, "must exist")) == (EXIT_ACT, True)


async def test_notifications_are_asked_about_too(tmp_path: Path) -> None:
    """Their subscription is another one, under its own name in the report."""
    other = "projects/shop/subscriptions/orders"
    async with queued(tmp_path) as (here, broker):
        address = here.config.read_text().rpartition('emulator = "')[2].partition('"')[0]
        told = f'[orders]\nnotifications = "{other}"\nnotifications_emulator = "{address}"\n'
        with here.config.open("a") as file:
            file.write(told)
        code, text = await here.check()
        assert (code, "must exist" in line_about(text, "orders.notifications")) == (EXIT_ACT, True)
        broker.subscribe(other, "projects/shop/topics/orders")
        code, text = await here.check()
        assert (code, "orders.notifications: may be pulled" in text) == (0, True)


async def test_a_key_that_is_not_there_means_the_machines_own_account(tmp_path: Path) -> None:
    """Said offline already; with a key nothing of that is said."""
    async with site(tmp_path) as here:
        with here.config.open("a") as file:
            file.write(TABLE.format(name=NAME))
        code, text = await check(here.config, here.credentials, online=False, environment={})
        assert (code, "metadata server" in line_about(text, "feed-queue")) == (0, True)
        (here.credentials / "feed-queue").write_text("{}")
        _, text = await check(here.config, here.credentials, online=False, environment={})
        assert "feed-queue" not in text


async def test_a_new_key_is_tried_before_the_daemon_gets_it(tmp_path: Path) -> None:
    """One that is no service account's key is told so, and nothing of it."""
    async with site(tmp_path) as here:
        with here.config.open("a") as file:
            file.write(TABLE.format(name=NAME))
        key = tmp_path / "key.json"
        key.write_text('{"type":"authorized_user","secret":"canary"}')
        code, notes = await check_credential(here.config, "feed-queue", key, VirtualClock())
        (note,) = notes
        assert (code, "not service_account" in note.says, "canary" in note.says) == (EXIT_ACT, True, False)

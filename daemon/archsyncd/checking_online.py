"""What the systems say to a configuration: token, scopes, project, channels, marker type, sources. Asks, never writes."""

from __future__ import annotations

import asyncio
import difflib
import os
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias, TypeVar

from archsyncd.adapters.commercetools.client import HttpCommercetools
from archsyncd.adapters.pubsub import PubsubFeed
from archsyncd.adapters.r247_drop.directory import FOLDERS
from archsyncd.adapters.r247_drop.order_files import DESK_FOLDERS
from archsyncd.adapters.r247_pull import PullFeed
from archsyncd.adapters.r247_pull.foreign import ForeignFeed
from archsyncd.checking_calls import call_notes
from archsyncd.checking_profiles import understood
from archsyncd.checking_queue import queue_notes
from archsyncd.config import CLIENT_SECRET, ORDER_NOTIFICATIONS, FeedSettings, MappingNote, Settings, Weight
from archsyncd.connections import Surroundings, commercetools_client, feed_of, notifications_of
from archsyncd.domain.fatal import Fatal
from archsyncd.domain.inventory import (
    Failure,
    Forbidden,
    MarkerType,
    Project,
    Refused,
    SupplyChannel,
    Throttled,
    Unauthorised,
    Unknown,
    Unreached,
)
from archsyncd.engine.limiter import Limiter, Priority
from archsyncd.engine.ports import FeedFault
from archsyncd.wire.commercetools.token import missing_scopes, needed_scopes

Answers: TypeAlias = list[tuple[str, Sequence[MappingNote]]]
T = TypeVar("T")

CHANNEL_PAGES = 20
PART_SECONDS = 120.0
NAMES_SHOWN = 20
ANY_SKU = "archsyncd-check"
_FACT, _LOOK, _WRONG = Weight.FACT, Weight.LOOK, Weight.WRONG
# What stands still without a scope; the rest is told by where it is missing.
_NEEDED_FOR = {
    "manage_products": "no stock can be read or written",
    "view_products": "no stock can be read",
    "view_channels": "supply channels cannot be found, so nothing can be written",
    "manage_orders": "dispatches cannot be booked on orders, nor Archean's numbers noted",
    "view_orders": "orders cannot be learnt, so nothing may be raised",
    "view_messages": "new orders are learnt by sweeps alone, later",
    "manage_types": "the marker's type cannot be created or completed",
    "manage_key_value_documents": "the lease cannot be held",
    "view_project_settings": "it cannot be told whether messages are switched on",
}


async def ask_systems(settings: Settings, person: Surroundings) -> Answers:
    """Ask commercetools and every source; each part is bounded in time and does not stop the others."""
    parts: Answers = [("commercetools", await _bounded("commercetools", _commercetools(settings, person)))]
    for feed in settings.feeds:
        name = f"feed {feed.name}"
        parts.append((name, await _bounded(name, _feed(feed, settings, person))))
    if settings.orders.notifications:
        name = "order notifications"
        parts.append((name, await _bounded(name, _notifications(settings, person))))
    return parts


async def ask_with(name: str, settings: Settings, person: Surroundings) -> list[MappingNote]:
    """What the system that a credential is for says to it. Asks and writes nothing."""
    feed = next((feed for feed in settings.feeds if name == f"feed-{feed.name}"), None)
    if feed is not None:
        notes = await _bounded(name, _feed(feed, settings, person))
        # What is mapped is no matter of the secret; an answer of any kind but a refusal proves it.
        return [
            replace(note, weight=_LOOK) if note.subject.startswith("locations.") else note for note in notes
        ]
    if name == CLIENT_SECRET:
        return await _bounded(name, _commercetools(settings, person, Asking.token))
    if name == ORDER_NOTIFICATIONS:
        return await _bounded(name, _notifications(settings, person))
    return [MappingNote(_FACT, name, "is readable; nobody else can say more about it")]


async def _bounded(subject: str, asking: Awaitable[list[MappingNote]]) -> list[MappingNote]:
    try:
        async with asyncio.timeout(PART_SECONDS):
            return await asking
    except TimeoutError:
        return [MappingNote(_WRONG, subject, f"did not answer within {PART_SECONDS:.0f} s")]
    except OSError as error:
        return [MappingNote(_WRONG, subject, f"cannot be looked at: {error}")]
    except Fatal as fatal:
        return [MappingNote(_WRONG, subject, fatal.sentence)]


async def _commercetools(
    settings: Settings,
    person: Surroundings,
    asking: Callable[[Asking], Awaitable[list[MappingNote]]] = lambda asking: asking.all(),
) -> list[MappingNote]:
    project = settings.commercetools
    limiter = Limiter(float(project.requests_per_second), float(project.burst), 1, person.clock, lambda: 0.5)
    client = commercetools_client(settings, person, limiter)
    try:
        return await asking(Asking(settings, client, limiter))
    finally:
        await client.close()


class Asking:
    """The questions to one project, in the order in which their answers are needed."""

    def __init__(self, settings: Settings, client: HttpCommercetools, limiter: Limiter) -> None:
        self._settings = settings
        self._client = client
        self._limiter = limiter
        self._notes: list[MappingNote] = []

    async def token(self) -> list[MappingNote]:
        """Ask for a token and what it may do."""
        project = await self._call(self._client.project)
        if self._answers(project):
            self._note(_FACT, "token", "commercetools gives one for this secret")
            self._project(project)
            self._scopes(await self._marker_type())
        return self._notes

    async def _marker_type(self) -> MarkerType | Failure | None:
        return await self._call(self._client.marker_type) if self._tracked and not self._planning else None

    def _answers(self, project: Project | Failure) -> bool:
        if isinstance(project, Unauthorised | Unreached | Throttled | Unknown):
            self._note(_WRONG, "token", f"{_told(project)}; nothing else could be asked")
            return False
        return True

    async def all(self) -> list[MappingNote]:
        """Ask everything that can be asked after what was answered."""
        project = await self._call(self._client.project)
        if not self._answers(project):
            return self._notes
        marker = await self._marker_type()
        self._project(project)
        self._scopes(marker)
        if marker is not None:
            self._marker(marker)
        await self._channels()
        await self._catalogue()
        return self._notes

    @property
    def _tracked(self) -> bool:
        return self._settings.commercetools.inventory_mode == "tracked"

    @property
    def _planning(self) -> bool:
        return self._settings.rollout.stage == "plan"

    async def _call(self, make: Callable[[], Awaitable[T]]) -> T:
        return await self._limiter.call(Priority.CHECK, 1.0, make)

    def _note(self, weight: Weight, subject: str, says: str) -> None:
        self._notes.append(MappingNote(weight, subject, says))

    def _project(self, answer: Project | Failure) -> None:
        key = self._settings.commercetools.project_key
        if isinstance(answer, Project):
            self._note(_FACT, "project", f"{answer.key} answers, created {answer.created_at}")
            if answer.messages_enabled:
                self._note(_FACT, "messages", "are switched on")
            else:
                told = "are switched off: orders are learnt by sweeps alone, later; switch them on in the project's settings"
                self._note(_LOOK, "messages", told)
        elif isinstance(answer, Forbidden):
            self._note(_LOOK, "project", f"{key}: its settings may not be read ({_told(answer)})")
        else:
            self._note(_WRONG, "project", f"{key}: {_told(answer)}")

    def _scopes(self, marker: MarkerType | Failure | None) -> None:
        granted = sorted(self._client.granted_scopes)
        if not granted:
            self._note(_LOOK, "scopes", "the token does not tell what it may do")
            return
        self._note(_FACT, "scopes", f"granted: {', '.join(granted[:NAMES_SHOWN])}")
        project = self._settings.commercetools.project_key
        for scope in sorted(missing_scopes(self._needed(project), granted)):
            name = scope.partition(":")[0]
            weight = _LOOK if self._dispensable(name, marker) else _WRONG
            self._note(weight, f"scope {scope}", f"is missing: {_NEEDED_FOR.get(name, 'it is needed')}")
        if self._planning and self._client.missing_scopes:
            names = ", ".join(sorted(self._client.missing_scopes))
            self._note(_LOOK, "scopes", f"needed once the rollout goes beyond planning: {names}")
        for scope in sorted(self._client.excess_scopes)[:NAMES_SHOWN]:
            self._note(_LOOK, f"scope {scope}", "is wider than needed: take it from the API client")

    def _needed(self, project: str) -> frozenset[str]:
        carries = self._settings.orders.mode == "hand-over"
        return needed_scopes(project, writes=not self._planning, carries=carries)

    def _dispensable(self, scope: str, marker: MarkerType | Failure | None) -> bool:
        """Whether the daemon does its work without a scope, under this configuration."""
        if scope == "manage_types":
            complete = isinstance(marker, MarkerType) and marker.type_id is not None and not marker.missing
            return complete or not self._tracked
        if scope == "manage_key_value_documents":
            return self._settings.lease.seconds == 0
        return scope in {"view_messages", "view_project_settings"}

    def _marker(self, answer: MarkerType | Failure) -> None:
        key = self._settings.commercetools.marker_type_key
        subject = f"marker type {key}"
        lacking = any(scope.startswith("manage_types:") for scope in self._client.missing_scopes)
        weight, how = (
            (_WRONG, "and manage_types is missing") if lacking else (_FACT, "the first start does it")
        )
        if isinstance(answer, MarkerType) and answer.type_id is None:
            self._note(weight, subject, f"does not exist and is to be created: {how}")
        elif isinstance(answer, MarkerType) and answer.missing:
            self._note(weight, subject, f"lacks {', '.join(answer.missing)}, to be added: {how}")
        elif isinstance(answer, MarkerType):
            self._note(_FACT, subject, "exists with its four fields")
        else:
            self._note(_WRONG, subject, f"cannot be used: {_told(answer)}")

    async def _channels(self) -> None:
        found: dict[str, SupplyChannel] = {}
        after: str | None = None
        for _ in range(CHANNEL_PAGES):
            at = after
            page = await self._call(lambda at=at: self._client.channels(at))  # type: ignore[misc]
            if not isinstance(page, tuple):
                self._note(_WRONG, "channels", _told(page))
                return
            found |= {channel.key: channel for channel in page[0]}
            after = page[1]
            if after is None:
                break
        used = [name for place in self._settings.locations.values() for name in place.channels]
        for key in dict.fromkeys(used):
            self._channel(key, found)
        sync = self._settings.orders.sync_channel
        if sync and sync not in found:
            self._note(_WRONG, f"channel {sync}", f"(orders.sync_channel) does not exist{_near(sync, found)}")
        elif sync and not found[sync].exports:
            told = "(orders.sync_channel) has not the role OrderExport: Archean's numbers cannot be noted on orders"
            self._note(_WRONG, f"channel {sync}", told)

    async def _catalogue(self) -> None:
        """Whether products can be asked for by SKU; any answer will do, so the SKU need not exist."""
        project = self._settings.commercetools
        if not project.check_products:
            return
        answer = await self._call(lambda: self._client.products((ANY_SKU,)))
        if isinstance(answer, frozenset):
            self._note(_FACT, "catalogue", "answers which SKUs have a product")
            return
        lost = (
            "no entry would be created" if project.create_missing_entries else "missing products are not told"
        )
        told = (
            f"does not answer which SKUs have a product ({_told(answer)}): {lost}; let the API client ask /graphql for "
            "products, or set commercetools.check_products to false"
        )
        self._note(_WRONG if project.create_missing_entries else _LOOK, "catalogue", told)

    def _channel(self, key: str, found: dict[str, SupplyChannel]) -> None:
        if key not in found:
            self._note(_WRONG, f"channel {key}", f"does not exist{_near(key, found)}")
        elif not found[key].supplies:
            self._note(_WRONG, f"channel {key}", "has not the role InventorySupply")
        else:
            self._note(_FACT, f"channel {key}", "exists and supplies inventory")


async def _feed(feed: FeedSettings, settings: Settings, person: Surroundings) -> list[MappingNote]:
    subject = f"feed.{feed.name}"
    if feed.transport == "drop" and feed.directory is not None:
        desk = settings.orders.mode == "hand-over" and settings.orders.hand_over_to == feed.name
        folders = (*FOLDERS, *DESK_FOLDERS) if desk else FOLDERS
        root = feed.directory
        return list(await asyncio.to_thread(lambda: list(_directory(subject, root, folders))))
    if feed.transport == "push":
        return list(await asyncio.to_thread(lambda: list(call_notes(feed, person.secret))))
    source = feed_of(feed, person, beat=lambda: None)
    try:
        if isinstance(source, PubsubFeed):
            return await queue_notes(subject, source.subscription)
        if isinstance(source, ForeignFeed):
            return list(understood(subject, await source.look(), settings))
        if not isinstance(source, PullFeed):
            return [MappingNote(_LOOK, subject, f"cannot be asked: its transport is {feed.transport}")]
        return list(_locations(subject, feed.name, await source.locations(), settings))
    except FeedFault as fault:
        # A refused credential or a silent host is for a person; a source may not offer this one question.
        weight = _LOOK if " 404" in fault.reason or " 501" in fault.reason else _WRONG
        return [MappingNote(weight, subject, f"{feed.url}: {fault.reason}")]
    finally:
        await source.close()


async def _notifications(settings: Settings, person: Surroundings) -> list[MappingNote]:
    """The subscription that orders' notifications come by."""
    _, subscription = notifications_of(settings, person)
    try:
        return await queue_notes("orders.notifications", subscription)
    finally:
        await subscription.close()


def _locations(subject: str, feed: str, told: Sequence[str], settings: Settings) -> Iterator[MappingNote]:
    names = ", ".join(sorted(told)[:NAMES_SHOWN])
    yield MappingNote(_FACT, subject, f"answers; its locations: {names or 'none'}")
    for name in sorted(set(told) - set(settings.locations))[:NAMES_SHOWN]:
        says = "is told by this source and not mapped: each of its records becomes part of an exception"
        yield MappingNote(_LOOK, f"locations.{name}", says)
    for name in settings.locations_of_feed(feed):
        if name not in told:
            says = f"is mapped, and this source does not know it{_near(name, told)}"
            yield MappingNote(_WRONG, f"locations.{name}", says)


def _directory(subject: str, root: Path, folders: Sequence[str]) -> Iterator[MappingNote]:
    """The folders of a drop directory (r247/1, sections 3 and 9), as this user sees them."""
    if not root.is_dir():
        yield MappingNote(_WRONG, subject, f"{root} is no directory, or this user may not see it")
        return
    for folder in (root, *(root / name for name in folders)):
        if folder.is_symlink() and folder != root:
            yield MappingNote(_WRONG, subject, f"{folder} is a link; links are not followed")
        elif not folder.exists():
            weight = _FACT if os.access(root, os.W_OK | os.X_OK) else _WRONG
            yield MappingNote(weight, subject, f"{folder} does not exist and is to be made")
        elif not folder.is_dir():
            yield MappingNote(_WRONG, subject, f"{folder} is no directory")
        elif not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            yield MappingNote(_WRONG, subject, f"{folder} may not be read and written by this user")
        else:
            found = folder.stat()
            owner = f"owner {found.st_uid}:{found.st_gid}, mode {found.st_mode & 0o7777:04o}"
            yield MappingNote(
                _FACT, subject, f"{folder} is there ({owner}); the daemon's user must be let in"
            )


def _told(failure: Failure) -> str:
    """A failure as a sentence for a person."""
    match failure:
        case Unauthorised(reason=reason):
            return f"commercetools refuses the credential ({reason})"
        case Unreached(reason=reason):
            return f"commercetools cannot be reached ({reason})"
        case Unknown(reason=reason):
            return f"commercetools gave no usable answer ({reason})"
        case Forbidden(scope=scope, message=message):
            return f"a scope is missing: {scope or message}"
        case Throttled(status=status):
            return f"commercetools turns requests away ({status})"
        case Refused(code=code, message=message):
            return f"{code}: {message}"
        case _:
            return f"commercetools answers {type(failure).__name__}"


def _near(word: str, known: Sequence[str] | dict[str, SupplyChannel]) -> str:
    found = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {found[0]}?" if found else ""

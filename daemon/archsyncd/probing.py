"""Settles on a sandbox project what only a live one can tell. Writes only what it makes itself, and takes that away again."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from archsyncd.config import Settings
from archsyncd.connections import Surroundings, commercetools_client
from archsyncd.domain.fatal import EXIT_USAGE, Fatal
from archsyncd.domain.inventory import Project
from archsyncd.engine.limiter import Limiter
from archsyncd.engine.shared import describe
from archsyncd.probe_questions import QUESTIONS, Question, Reply
from archsyncd.probe_site import ProbeSite, Unsettled

T = TypeVar("T")

IN_FLIGHT = 4
# Taking away what was made ends by then, whatever the project answers; more than its watching and all its tries need.
CLEAN_SECONDS = 300.0
CHANNEL_PAGES = 100


@dataclass(frozen=True, slots=True)
class ProbeReport:
    """What was settled. `unsettled`: question and reason; `left`: what could not be taken away; `lines`: configuration."""

    project: str
    prefix: str
    replies: tuple[Reply, ...]
    unsettled: tuple[tuple[str, str], ...]
    left: tuple[str, ...]
    lines: tuple[str, ...]

    @property
    def well(self) -> bool:
        """Everything is settled, nothing alarming, and nothing left behind."""
        return not (self.unsettled or self.left or any(reply.alarm for reply in self.replies))


class Stopped(Exception):
    """Somebody stopped the probe; `left`: what could not be taken away, each with the reason."""

    def __init__(self, left: Sequence[str]) -> None:
        super().__init__("the probe was stopped")
        self.left = tuple(left)


def sandbox(settings: Settings, named: str) -> None:
    """Somebody must say which project this is, so that nobody probes another one. Raises Fatal."""
    key = settings.commercetools.project_key
    if named != key:
        raise Fatal(
            EXIT_USAGE,
            f"the configuration names the project {key!r}, and --i-know-this-is says {named!r}: nothing was written. A probe "
            "places and cancels orders, so it is for a sandbox project",
        )


async def probe(
    settings: Settings,
    person: Surroundings,
    named: str,
    tell: Callable[[str], None] = lambda _: None,
    questions: Mapping[str, Question] = QUESTIONS,
) -> ProbeReport:
    """Ask every question. `tell` hears what is being done. Raises Fatal when nothing can be asked at all, Stopped.

    Cancelled before anything was made it ends at once. Later what was made is taken away first, and to be cancelled while that
    goes on changes nothing.
    """
    sandbox(settings, named)
    project = settings.commercetools
    limiter = Limiter(
        float(project.requests_per_second),
        float(project.burst),
        min(IN_FLIGHT, project.max_in_flight),
        person.clock,
        person.chance,
    )
    client = commercetools_client(settings, person, limiter)
    site = ProbeSite(client, limiter, person.clock, person.new_id(), _channel_of(settings))
    try:
        await _check(site, project.project_key)
        tell(f"everything that is made in {project.project_key} begins with {site.prefix}")
        stopped = False
        try:
            replies, unsettled = await _settle(site, questions, tell)
        except asyncio.CancelledError:
            stopped = True
        finally:
            # Also when somebody stops it: what is here is nobody's stock.
            tell("taking away what was made")
            left = await _to_its_end(site.clean(CLEAN_SECONDS))
        if stopped:
            raise Stopped(left)
    finally:
        await _to_its_end(client.close())
    lines = configuration(replies, settings)
    return ProbeReport(project.project_key, site.prefix, tuple(replies), tuple(unsettled), tuple(left), lines)


async def _to_its_end(work: Coroutine[Any, Any, T]) -> T:
    """What comes of bounded work, however often it is to be given up meanwhile."""
    task = asyncio.ensure_future(work)
    while not task.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait({task})
    return task.result()


def _channel_of(settings: Settings) -> str:
    for place in settings.locations.values():
        if place.channels:
            return place.channels[0]
    raise Fatal(
        EXIT_USAGE, "the configuration maps no location to a supply channel, and entries are made in one"
    )


async def _check(site: ProbeSite, key: str) -> None:
    """The project answers, is the one that is meant, and has the channel."""
    answer = await site.call(site.client.project)
    if not isinstance(answer, Project):
        raise Fatal(
            EXIT_USAGE, f"the project {key} does not answer ({describe(answer)}): nothing was written"
        )
    if answer.key != key:
        raise Fatal(EXIT_USAGE, f"the project that answers is {answer.key}, not {key}: nothing was written")
    after: str | None = None
    found = []
    for _ in range(CHANNEL_PAGES):
        at = after
        page = await site.call(lambda at=at: site.client.channels(at))  # type: ignore[misc]
        if not isinstance(page, tuple):
            raise Fatal(EXIT_USAGE, f"the channels cannot be listed ({describe(page)}): nothing was written")
        found += page[0]
        after = page[1]
        if after is None:
            break
    site.client.use_channels(found)
    if site.channel not in {channel.key for channel in found if channel.supplies}:
        raise Fatal(
            EXIT_USAGE,
            f"{key} has no channel {site.channel} with the role InventorySupply: make one, or map another in the configuration",
        )


async def _settle(
    site: ProbeSite, questions: Mapping[str, Question], tell: Callable[[str], None]
) -> tuple[list[Reply], list[tuple[str, str]]]:
    """Every question at once, as most of the time is waiting; a reason for each that stays open."""
    unsettled: list[tuple[str, str]] = []
    replies: dict[str, Reply] = {}
    try:
        await site.make_type()
    except Unsettled as open_:
        return [], [(name, str(open_)) for name in questions]

    async def one(name: str, question: Question) -> None:
        try:
            replies[name] = await question(site)
        except Unsettled as open_:
            unsettled.append((name, str(open_)))
        except (KeyError, TypeError, IndexError, AttributeError) as strange:
            unsettled.append((name, f"an answer has another shape than expected ({strange!r})"))
        tell(f"{name} is answered, {len(questions) - len(replies) - len(unsettled)} are open")

    async with asyncio.TaskGroup() as group:
        for name, question in questions.items():
            group.create_task(one(name, question))
    order = list(questions)
    return [replies[name] for name in order if name in replies], sorted(
        unsettled, key=lambda each: order.index(each[0])
    )


def configuration(replies: Sequence[Reply], settings: Settings) -> tuple[str, ...]:
    """The lines of the configuration that follow, under their tables. A batch smaller than the configured one is told."""
    found: dict[str, dict[str, str]] = {}
    events = {"cancel", "delete", "back_in_stock"}
    asked = [reply for reply in replies if reply.question in events and not reply.alarm]
    if {reply.question for reply in asked} == events:
        restoring = [reply.question for reply in asked if reply.sets]
        listed = ", ".join(f'"{event}"' for event in restoring)
        found.setdefault("commercetools", {})["restores_stock_on"] = f"[{listed}]"
    for reply in replies:
        for path, value in (reply.sets or {}).items():
            table, _, key = path.partition(".")
            if key == "restores_stock_on":
                continue
            if (
                key == "write_batch"
                and isinstance(value, int)
                and value >= settings.commercetools.write_batch
            ):
                continue
            found.setdefault(table, {})[key] = str(value)
    return tuple(
        line
        for table, keys in found.items()
        for line in (f"[{table}]", *(f"{key} = {value}" for key, value in keys.items()))
    )

"""Every question to a source of the transport `pull`, in the order in which their answers are needed. Writes nothing.

POST /v1/snapshots is asked only by wish: it makes the source work. Everything else is a GET.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from archsyncd.adapters.r247_pull.caller import NDJSON, Call
from archsyncd.conformance.asking import OK, REFUSED, Asker, NoMore, Reply, Source, Useless
from archsyncd.conformance.changes import BAD_REQUEST, CHANGES, GONE, Pages, Reader, Walk
from archsyncd.conformance.findings import Evidence, Notebook, Report, number
from archsyncd.conformance.fulls import NOT_FOUND, NOT_OFFERED, Full, Fulls
from archsyncd.conformance.records import RecordBook
from archsyncd.conformance.rules import PULL_RULES, RECORD_RULES
from archsyncd.engine.ports import Clock
from archsyncd.wire.commercetools.exchange import path_segment
from archsyncd.wire.ndjson import read_lines
from archsyncd.wire.r247 import Page, read_cursor_line
from archsyncd.wire.r247_answers import read_locations, read_problem
from archsyncd.wire.r247_values import Unreadable, to_ms

NO_CURSOR: Final = "archsyncctl-verify-source-no-cursor"
NO_ORDER: Final = "archsyncctl-verify-source-no-order"
PROBLEM: Final = "application/problem+json"
DAY_SECONDS: Final = 86_400
WEEK_SECONDS: Final = 7 * DAY_SECONDS
SKEW_SECONDS: Final = 60.0
SETTLING_SECONDS: Final = 3.0
NAMED: Final = 8
# What every question but the reading of the stock needs at most.
KEPT_REQUESTS: Final = 80


@dataclass(frozen=True, slots=True)
class Wishes:
    """How far a source is asked. `interval_seconds`: within which a heartbeat is expected. `has_credential`: one is sent."""

    requests_limit: int = 200
    seconds_limit: float = 270.0
    page_limit: int = 200
    pages_most: int = 6
    wait_seconds: int = 3
    interval_seconds: float = 15.0
    singles: int = 5
    snapshot: bool = False
    has_credential: bool = True
    old_cursor: str = ""
    locations: tuple[str, ...] = ()


async def verify_pull(source: Source, named: str, wishes: Wishes, clock: Clock) -> Report:
    """Ask everything that can be asked. Never raises for what the source does wrong."""
    notebook = Notebook()
    asker = Asker(
        source,
        clock,
        notebook,
        requests_limit=wishes.requests_limit,
        seconds_limit=wishes.seconds_limit,
    )
    questions = Questions(asker, clock, notebook, wishes)
    why = await questions.all()
    otherwise = why if asker.answered else f"the source gave no usable answer: {why}"
    findings = notebook.findings((*RECORD_RULES, *PULL_RULES), otherwise)
    return Report(named, findings, asker.requests, asker.seconds, reached=asker.answered > 0)


class Questions:
    """The questions to one source."""

    def __init__(self, asker: Asker, clock: Clock, notebook: Notebook, wishes: Wishes) -> None:
        self._asker = asker
        self._clock = clock
        self._notebook = notebook
        self._wishes = wishes
        self._book = RecordBook(notebook)
        self._reader = Reader(asker, clock, notebook, self._book)
        pages_most = max(1, wishes.requests_limit - KEPT_REQUESTS)
        self._fulls = Fulls(asker, clock, notebook, self._book, pages_most)
        self._walks: list[Walk] = []
        self._now: str | None = None

    async def all(self) -> str:
        """Ask; why what was not asked was not."""
        why = "what it rests on could not be asked"
        steps: Sequence[Callable[[], Awaitable[None]]] = (
            self._forwards,
            self._manners,
            self._at_head,
            self._stock,
            self._tail,
        )
        for step in steps:
            try:
                await step()
            except Useless as useless:
                why = str(useless)
                if not self._asker.answered:
                    break
            except NoMore as no_more:
                why = str(no_more)
                break
        self._book.judge()
        self._times()
        return why

    async def _forwards(self) -> None:
        """From the oldest record, twice, in pages of two sizes; and the place of `cursor=now` before."""
        wishes, reader = self._wishes, self._reader
        await self._from_now()
        first = await reader.walk(None, Pages(wishes.page_limit, wishes.pages_most))
        self._walks.append(first)
        if first.first_page is None:
            return
        await reader.check_more(first, wishes.page_limit)
        smaller = max(1, min(wishes.page_limit, len(first.records)) * 2 // 3)
        second = await reader.walk(None, Pages(smaller, 2 * wishes.pages_most))
        self._walks.append(second)
        reader.compare(first, second, f"GET {CHANGES}?limit={smaller}, and on")

    async def _from_now(self) -> None:
        found = await self._reader.page("now", self._wishes.page_limit)
        if found is None:
            return
        self._now = found.page.next
        says = f"`cursor=now` gives {number(len(found.items), 'record')}"
        self._notebook.judge("cursor_now", not found.items, says, says, found.reply.evidence())

    async def _manners(self) -> None:
        await self._bad_cursor()
        await self._old_cursor()
        await self._without_credential()
        await self._stream()
        await self._unknown_order()
        await self._locations()

    async def _bad_cursor(self) -> None:
        if not self._reader.epoch:
            return
        reply = await self._asker.get(CHANGES, (("cursor", NO_CURSOR), ("limit", "1")))
        code = read_problem(reply.body).code
        well = reply.status == BAD_REQUEST and code == "bad_cursor"
        says = f"a cursor that is none is answered with {reply.status} {code}".rstrip()
        self._notebook.judge("bad_cursor", well, says, says, reply.evidence())
        self._problem(reply)

    def _problem(self, reply: Reply) -> None:
        if reply.status < BAD_REQUEST:
            return
        code = read_problem(reply.body).code
        well = bool(code) and reply.content_type == PROBLEM
        lacks = "no code" if not code else f"the type {reply.content_type or 'of nothing'}"
        says = f"an error ({reply.status}) is told with {lacks}"
        self._notebook.judge(
            "errors_told", well, "errors are told with type and code", says, reply.evidence()
        )

    async def _old_cursor(self) -> None:
        if not self._wishes.old_cursor:
            why = "nobody can make an expired cursor; give one that is older than what is kept with --old-cursor"
            self._notebook.unasked("expired_cursor", why)
            return
        reply = await self._asker.get(CHANGES, (("cursor", self._wishes.old_cursor), ("limit", "1")))
        says = f"an old cursor is answered with {reply.status} {read_problem(reply.body).code}".rstrip()
        self._notebook.judge("expired_cursor", reply.status == GONE, says, says, reply.evidence())
        self._problem(reply)

    async def _without_credential(self) -> None:
        if not self._wishes.has_credential:
            self._notebook.unasked("auth_required", "no credential was given to leave out; see --credential")
            return
        reply = await self._asker.once(
            Call("GET", CHANGES, (("cursor", "now"), ("limit", "1"))), credential=False
        )
        says = f"a request without the credential is answered with {reply.status}"
        if reply.status == OK or reply.status in REFUSED:
            seen = reply.evidence(str(reply.status))
            self._notebook.judge("auth_required", reply.status in REFUSED, says, says, seen)
        else:
            self._notebook.unasked("auth_required", says if reply.status else reply.fault)

    async def _stream(self) -> None:
        """As lines, without waiting: what is there now, then the end."""
        query = (("limit", str(self._wishes.page_limit)),)
        reply = await self._asker.once(Call("GET", CHANGES, query, accept=NDJSON))
        if reply.status != OK or reply.content_type != NDJSON:
            said = reply.fault or f"{reply.status} {reply.content_type}"
            self._notebook.unasked(
                "stream_lines", f"NDJSON is not offered, or does not end without wait: {said}"
            )
            return
        lines = [line for line in reply.body.split(b"\n") if line.strip()]
        try:
            controls = [read_cursor_line(line) is not None for line in lines]
        except Unreadable as fault:
            self._notebook.fails("stream_lines", fault.reason, reply.evidence())
            return
        records = [line for line, control in zip(lines, controls, strict=True) if not control]
        _, rejects = read_lines(records)
        spoilt = [one.reason for one in rejects if one.code == "not_json"]
        says = f"{number(len(records), 'record')} as lines, {number(sum(controls), 'cursor line')}"
        ended = bool(controls) and controls[-1] and not spoilt
        failed = f"{says}; {spoilt[0] if spoilt else 'a cursor line does not stand last'}"
        self._notebook.judge("stream_lines", ended, says, failed, reply.evidence())

    async def _unknown_order(self) -> None:
        reply = await self._asker.get(f"/v1/orders/{path_segment(NO_ORDER)}")
        code = read_problem(reply.body).code
        says = f"an unknown order is answered with {reply.status} {code}".rstrip()
        if reply.status in NOT_OFFERED and code in {"not_offered", "not_found", "method_not_allowed"}:
            self._notebook.unasked("order_lookup", f"order look-ups are not offered: {says}")
            return
        well = reply.status == NOT_FOUND and code == "unknown_order"
        self._notebook.judge("order_lookup", well, says, says, reply.evidence())

    async def _locations(self) -> None:
        reply = await self._asker.get("/v1/locations")
        if reply.status != OK:
            self._notebook.fails(
                "locations_told", f"GET /v1/locations is answered with {reply.status}", reply.evidence()
            )
            return
        try:
            told = set(read_locations(reply.body))
        except Unreadable as fault:
            self._notebook.fails("locations_told", fault.reason, reply.evidence())
            return
        seen = {
            str(item["location"])
            for walk in self._walks
            for item in walk.records.values()
            if isinstance(item.get("location"), str) and str(item.get("type", "")).startswith("stock.")
        }
        missing = ", ".join(sorted(seen - told)[:NAMED])
        says = f"locations that records speak of are not told: {missing}"
        self._notebook.judge(
            "locations_told", not missing, f"{number(len(told), 'location')} told", says, reply.evidence()
        )

    async def _at_head(self) -> None:
        """Wait for news at the head."""
        if self._now is None:
            return
        cursor = self._now
        for _ in range(self._wishes.pages_most):
            found = await self._reader.page(cursor, self._wishes.page_limit)
            if found is None or found.page.next == cursor or not found.items:
                break
            cursor = found.page.next
        wait = self._wishes.wait_seconds
        found = await self._reader.page(cursor, self._wishes.page_limit, wait=wait)
        if found is None:
            return
        took = found.reply.seconds
        says = f"asked to wait {wait} s at the head, it answered after {took:.1f} s with {number(len(found.items), 'record')}"
        held = bool(found.items) or took >= wait * 0.8
        self._notebook.judge("long_poll", held, says, says, found.reply.evidence(says))

    async def _stock(self) -> None:
        wishes = self._wishes
        full = await self._fulls.read(by_wish=wishes.snapshot, locations=wishes.locations)
        if full is None:
            return
        self._fulls.judge(full)
        if self._now is not None and full.first is not None:
            # What changed while the questions before this one were asked is in the stock as well.
            pages = Pages(self._wishes.page_limit, self._wishes.pages_most)
            self._walks.append(await self._reader.walk(self._now, pages))
        self._fulls.against_feed(full, self._walks)
        await self._fulls.single(full, wishes.singles)
        await self._joined(full)

    async def _joined(self, full: Full) -> None:
        """Read on from the snapshot's cursor, and from before it: nothing after its seqAt may be missing."""
        first = full.first
        if self._notebook.has_failed("repeatable_reads"):
            return
        if first is None or first.cursor is None or self._now is None:
            why = "the snapshot tells no cursor; `cursor=now` is read before it instead"
            self._notebook.unasked("snapshot_cursor", why)
            return
        pages = Pages(self._wishes.page_limit, self._wishes.pages_most)
        reply = await self._asker.get(CHANGES, (("cursor", first.cursor), ("limit", "1")))
        if reply.status != OK:
            says = f"the snapshot's cursor is refused with {reply.status}"
            self._notebook.fails("snapshot_cursor", says, reply.evidence())
            return
        before = await self._reader.walk(self._now, pages)
        after = await self._reader.walk(first.cursor, pages)
        # What the second reading has not come to is not missing.
        end = None if after.at_head else after.newest or first.seq_at
        missed = sorted(
            seq
            for seq in before.records
            if seq > first.seq_at and seq not in after.records and (end is None or seq <= end)
        )
        held = f"nothing after seqAt {first.seq_at} is missed"
        says = f"{number(len(missed), 'record')} after the snapshot's seqAt {first.seq_at} not read from its cursor"
        if missed:
            says = f"{says}, the first is seq {missed[0]}"
        asked = f"GET {CHANGES}?cursor={first.cursor}, and on"
        self._notebook.judge("snapshot_cursor", not missed, held, says, Evidence(asked))

    async def _tail(self) -> None:
        """The newest records once more, from where the head was in the beginning."""
        if self._now is None or self._notebook.has_failed("repeatable_reads"):
            return
        pages = Pages(self._wishes.page_limit, self._wishes.pages_most)
        await self._clock.sleep(SETTLING_SECONDS)
        first = await self._reader.walk(self._now, pages)
        if first.records:
            await self._clock.sleep(SETTLING_SECONDS)
            second = await self._reader.walk(self._now, pages)
            self._reader.compare(first, second, f"GET {CHANGES}?cursor={self._now}, and on")

    def _times(self) -> None:
        """What the times that were told show: clocks, heartbeats, how much is kept."""
        newest = self._reader.newest
        if newest is None:
            return
        page, reply, wall_ms = newest
        told_ms = None if reply.date is None else _date_ms(reply.date)
        if told_ms is None:
            self._notebook.unasked("clock_skew", "the source tells no Date that can be read")
        else:
            apart = (told_ms - wall_ms) / 1000
            way = "ahead" if apart > 0 else "behind"
            says = f"the source's clock is {abs(apart):.0f} s {way}, by this machine's"
            seen = reply.evidence(f"Date: {reply.date}")
            self._notebook.judge("clock_skew", abs(apart) <= SKEW_SECONDS, says, says, seen)
        self._heartbeat(page, float(wall_ms) if told_ms is None else told_ms)

    def _heartbeat(self, last: Page, now_ms: float) -> None:
        if last.head is None or last.head.at is None:
            self._notebook.unasked("heartbeat", "the head tells no time")
            return
        silent = (now_ms - to_ms(last.head.at)) / 1000
        allowed = 2 * self._wishes.interval_seconds
        says = f"the newest record is {max(silent, 0.0):,.0f} s old, expected is one within {allowed:.0f} s"
        seen = Evidence(f"GET {CHANGES}", f"head {last.head.seq} at {last.head.at}")
        self._notebook.judge("heartbeat", silent <= allowed, says, says, seen)
        if last.oldest is None or last.oldest.at is None:
            return
        kept = (to_ms(last.head.at) - to_ms(last.oldest.at)) / 1000
        says = f"the oldest record is {kept / DAY_SECONDS:.1f} days older than the newest"
        if kept >= WEEK_SECONDS:
            self._notebook.holds("week_kept", says, seen)
        else:
            self._notebook.unasked("week_kept", f"{says}, which may be all that there ever was")


def _date_ms(date: str) -> float | None:
    try:
        found = parsedate_to_datetime(date)
    except ValueError:
        return None
    aware: datetime = found if found.tzinfo is not None else found.replace(tzinfo=UTC)
    return aware.timestamp() * 1000

"""A Pub/Sub subscription held against the contract: what it is, and, by wish, a few of its messages (r247/1, section 4).

Acknowledges nothing. To look at a message is to have it delivered: for a moment nobody else gets it, it counts as an
attempt, and it is given back at once.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from archsyncd.conformance.dialects import PROFILE_PUBSUB_RULES, promised_by_messages
from archsyncd.conformance.findings import Evidence, Notebook, Report, number
from archsyncd.conformance.records import RecordBook, shown
from archsyncd.conformance.rules import DEADLINE_LEAST_SECONDS, PUBSUB_RULES, RECORD_RULES
from archsyncd.domain.feed import Reject
from archsyncd.engine.ports import Clock, FeedFault
from archsyncd.wire.foreign.messages import MessageReader, sent_of
from archsyncd.wire.pubsub import Delivered, SubscriptionTold
from archsyncd.wire.r247_json import decode_carefully, decode_list_document
from archsyncd.wire.r247_messages import UNPACKED_LIMIT_BYTES, Message, read_message
from archsyncd.wire.r247_values import Misread, Unreadable

TOLD: Final = ("schema", "feed", "epoch")
GZIP: Final = 31


class Peeked(Protocol):
    """One subscription, as the daemon's own adapter is."""

    async def describe(self) -> SubscriptionTold | None:
        """What Pub/Sub says of it; None where our account may not ask. Raises FeedFault."""
        ...

    async def may_pull(self) -> bool | None:
        """Whether our account may pull; None: nobody says. Raises FeedFault."""
        ...

    async def pull(self) -> list[Delivered]:
        """Take some messages. Raises FeedFault."""
        ...

    async def put_off(self, ack_ids: Sequence[str], seconds: int) -> None:
        """Give these back after so long; 0: at once. Raises FeedFault."""
        ...


@dataclass(frozen=True, slots=True)
class Peek:
    """How far a subscription is looked at. `messages`: whether some of them are taken and given back.

    `reader`: of messages that do not speak r247/1.
    """

    messages: bool = False
    reader: MessageReader | None = None


async def verify_subscription(source: Peeked, named: str, peek: Peek, clock: Clock) -> Report:
    """Ask what can be asked. Never raises for what the source does wrong."""
    began, notebook = clock.monotonic(), Notebook()
    questions = Looking(source, notebook, peek.reader)
    rules = (*PUBSUB_RULES, *RECORD_RULES) if peek.reader is None else PROFILE_PUBSUB_RULES
    if peek.reader is not None:
        promised_by_messages(peek.reader.profile, notebook)
    why = (
        "its messages are not looked at; --peek has some delivered and given back, which counts as an attempt"
    )
    try:
        await questions.described()
        if peek.messages:
            why = "no message waits that could show it"
            await questions.messages()
    except FeedFault as fault:
        why = fault.reason
        notebook.fails(
            "subscription_there", f"it cannot be asked: {fault.reason}", Evidence(named, fault.reason)
        )
    questions.book.judge()
    findings = notebook.findings(rules, why)
    return Report(named, findings, questions.requests, clock.monotonic() - began, reached=questions.reached)


class Looking:
    """The questions to one subscription."""

    def __init__(self, source: Peeked, notebook: Notebook, reader: MessageReader | None = None) -> None:
        self._source = source
        self._reader = reader
        self._notebook = notebook
        self.book = RecordBook(notebook)
        self.requests = 0
        self.reached = False

    async def described(self) -> None:
        """What it is, and whether our account may pull. Raises FeedFault."""
        self.requests += 2
        told, may = await self._source.describe(), await self._source.may_pull()
        self.reached = True
        if may is None:
            self._notebook.unasked("pull_allowed", "an emulator does not say")
        else:
            says = f"the account may{'' if may else ' not'} pull (pubsub.subscriptions.consume)"
            self._notebook.judge("pull_allowed", may, says, says, Evidence("POST :testIamPermissions", says))
        if told is None:
            for name in ("subscription_there", "no_push", "dead_letter", "deadline"):
                self._notebook.unasked(name, "the account may not look at it (roles/pubsub.viewer)")
            return
        self._judge(told)

    def _judge(self, told: SubscriptionTold) -> None:
        seen = Evidence("GET the subscription", repr(told))
        says = (
            f"it belongs to {told.topic}"
            if not told.detached
            else "its topic is gone, or it is detached from it"
        )
        self._notebook.judge("subscription_there", not told.detached, says, says, seen)
        says = "it is pushed to an address" if told.pushes else "it is one to be pulled"
        self._notebook.judge("no_push", not told.pushes, says, says, seen)
        dead = told.attempts is not None
        says = (
            f"after {told.attempts} attempts"
            if dead
            else "a message that nobody can read is delivered for ever"
        )
        self._notebook.judge("dead_letter", dead, says, says, seen)
        says = f"a delivery lasts {told.deadline_seconds} s"
        self._notebook.judge("deadline", told.deadline_seconds >= DEADLINE_LEAST_SECONDS, says, says, seen)

    async def messages(self) -> None:
        """Take some messages once, give all of them back, then look at what they said. Raises FeedFault."""
        self.requests += 1
        try:
            taken = await self._source.pull()
        except FeedFault as fault:
            if fault.blind:
                self._notebook.fails("pull_allowed", fault.reason, Evidence("POST :pull", fault.reason))
            else:
                # An empty subscription keeps a pull waiting for longer than we do.
                self._notebook.unasked("message_readable", f"no message came: {fault.reason}")
            return
        if taken:
            self.requests += 1
            await self._source.put_off([one.ack_id for one in taken], 0)
        for one in taken:
            if self._reader is None:
                self._message(one)
            else:
                self._foreign(self._reader, one)
        if taken:
            self._notebook.holds("attributes_told", f"{number(len(taken), 'message')} with {', '.join(TOLD)}")
            self._notebook.holds("message_readable", f"{number(len(taken), 'message')} read and given back")

    def _foreign(self, reader: MessageReader, one: Delivered) -> None:
        """As `_message`, by a profile: what cannot be read as a whole, and each record of the rest."""
        asked, read = f"message {one.message_id}", reader.read(one.data, sent_of(one))
        try:
            items = reader.items(one.data, sent_of(one))
        except (Misread, Unreadable):
            fault = read.rejects[0]
            seen = fault.payload[:300].decode("utf-8", "replace")
            says = f"a message cannot be read: {fault.reason}"
            self._notebook.fails("message_readable", says, Evidence(asked, seen))
            return
        values = [item.value for item in items if not item.faults]
        self.book.look(asked, values, [shown(value) for value in values], read.rejects)

    def _message(self, one: Delivered) -> None:
        asked = f"message {one.message_id}"
        missing = [name for name in TOLD if not one.attributes.get(name)]
        if missing:
            says = f"a message has no attribute {', '.join(missing)}"
            self._notebook.fails("attributes_told", says, Evidence(asked, repr(dict(one.attributes))))
        read = read_message(one.data, one.attributes)
        rejects = (*read.rejects, *(read.part.rejects if read.part is not None else ()))
        items = _items(one, read)
        if items is None:
            first = rejects[0] if rejects else None
            says = f"a message cannot be read: {first.reason if first is not None else 'nothing is in it'}"
            seen = (one.data or b"")[:300].decode("utf-8", "replace")
            self._notebook.fails("message_readable", says, Evidence(asked, seen))
            return
        self.book.look(asked, items, [_place(read, item) for item in items], rejects)


def _items(one: Delivered, read: Message) -> list[Any] | None:
    """The records of a message as JSON values; None where it is none."""
    whole = [
        each for each in read.rejects if each.path == "" and each.code not in {"duplicate_key", "too_many"}
    ]
    if one.data is None or _spoilt(whole):
        return None
    try:
        body = _plain(one)
        if b'"items"' in body:
            return [item.value for item in decode_list_document(body, "items")[1]]
        return [] if read.closing is not None else [decode_carefully(body)]
    except (Misread, Unreadable, zlib.error):
        return None


def _spoilt(rejects: Sequence[Reject]) -> bool:
    return any(each.code in {"not_json", "not_gzip", "too_large", "not_base64"} for each in rejects)


def _plain(one: Delivered) -> bytes:
    data = one.data or b""
    if one.attributes.get("contentEncoding") != "gzip":
        return data
    return zlib.decompressobj(GZIP).decompress(data, UNPACKED_LIMIT_BYTES)


def _place(read: Message, item: Any) -> str | None:
    """Where a record stands; items of a snapshot stand nowhere of their own."""
    seq = item.get("seq") if isinstance(item, dict) else None
    return None if read.part is not None or seq is None else f"{read.epoch}/{seq}"

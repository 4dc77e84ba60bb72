"""What a profile says about orders: requests of the desk, and how their answers are understood. Sends nothing.

An answer that cannot be understood leaves an order in doubt, never taken and never refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from archsyncd.domain.feed import ID_LIMIT_CHARACTERS, OrderLookup
from archsyncd.domain.handover import Objection
from archsyncd.wire.foreign.asking import Ask, read_ask
from archsyncd.wire.foreign.following import value_or_none
from archsyncd.wire.foreign.reading import Section
from archsyncd.wire.foreign.shapes import (
    CANCEL_FIELDS,
    ORDER_FIELDS,
    SHIPPED_FIELDS,
    Shape,
    read_shape,
)
from archsyncd.wire.profile.paths import as_text
from archsyncd.wire.r247_answers import ORDER_STATUSES
from archsyncd.wire.r247_values import Misread, Unreadable, checked_text, sequence

DETAIL_LIMIT_CHARACTERS: Final = 500
_REFUSALS: Final = (400, 409, 413, 422)


@dataclass(frozen=True, slots=True)
class Reading:
    """Where an answer says what. Paths from its top, "" where it does not say it. `words`: the source's to r247/1's."""

    status: str = ""
    words: Mapping[str, str] = field(default_factory=dict)
    source_order: str = ""
    code: str = ""
    detail: str = ""
    epoch: str = ""
    seq: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One request of the desk. `done`: statuses that say that it was done. Codes and statuses else by meaning."""

    ask: Ask
    body: Shape | None
    done: tuple[int, ...]
    received: tuple[int, ...] = ()
    refused: tuple[int, ...] = _REFUSALS
    different: tuple[str, ...] = ()
    shipped: tuple[str, ...] = ()
    unknown_status: tuple[int, ...] = ()
    unknown_codes: tuple[str, ...] = ()
    unknown_without: str = ""


@dataclass(frozen=True, slots=True)
class Orders:
    """The desk of a source; what it does not offer is None."""

    place: Step
    answer: Reading
    look_up: Step | None = None
    cancel: Step | None = None
    shipped: Step | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """What an answer says of itself; "" where it says nothing."""

    status: str = ""
    code: str = ""
    detail: str = field(default="", repr=False)


def read_orders(section: Section) -> Orders | None:
    """Read the section; its faults are noted."""
    answer = _reading(section)
    place = _place(section)
    found = _steps(section)
    section.done()
    return None if place is None else Orders(place, answer, *found)


def _place(section: Section) -> Step | None:
    inner = section.inner("place")
    if inner is None:
        section.fault("place", "is required: the request that gives an order to the source")
        return None
    ask = _ask(inner, "PUT", ("order",))
    body = read_shape(inner, "order", ORDER_FIELDS)
    if body is None:
        inner.fault("order", "is required: the shape in which the source takes an order")
    step = Step(
        ask,
        body,
        done=inner.numbers("done", 200, 299, (200, 201)),
        received=inner.numbers("received", 200, 299, (202,)),
        refused=inner.numbers("refused", 400, 499, _REFUSALS),
        different=inner.words("different"),
    )
    inner.done()
    return step


def _steps(section: Section) -> tuple[Step | None, Step | None, Step | None]:
    return _look_up(section), _cancel(section), _shipped(section)


def _look_up(section: Section) -> Step | None:
    inner = section.inner("lookUp")
    if inner is None:
        return None
    ask = _ask(inner, "GET", ("order",))
    status: tuple[int, ...] = ()
    codes: tuple[str, ...] = ()
    without = ""
    unknown = inner.inner("unknown")
    if unknown is None:
        told = (
            "is required: how the source says that it has no such order. A bare 404 any gateway says, and an order would be "
            "sent twice"
        )
        inner.fault("unknown", told)
    else:
        status = unknown.numbers("status", 200, 499, (404,))
        codes, without = unknown.words("code"), unknown.text("without", _path, "")
        if not codes and not without:
            unknown.fault("code", "is required, or without: what in the answer says so beside its status")
        if codes and not section.has("answer"):
            unknown.fault("code", "needs answer.code, the path at which the answer tells its code")
        unknown.done()
    inner.done()
    return Step(
        ask,
        None,
        done=(200,),
        unknown_status=status,
        unknown_codes=codes,
        unknown_without=without,
    )


def _cancel(section: Section) -> Step | None:
    inner = section.inner("cancel")
    if inner is None:
        return None
    step = Step(
        _ask(inner, "POST", ("order",)),
        read_shape(inner, "wish", CANCEL_FIELDS),
        done=inner.numbers("done", 200, 299, (200, 204)),
        shipped=inner.words("shipped"),
        unknown_codes=inner.words("unknown"),
    )
    inner.done()
    return step


def _shipped(section: Section) -> Step | None:
    inner = section.inner("shipped")
    if inner is None:
        return None
    step = Step(
        _ask(inner, "POST", ("order", "fulfilment")),
        read_shape(inner, "booking", SHIPPED_FIELDS),
        done=inner.numbers("done", 200, 299, (200, 201, 202, 204)),
        refused=inner.numbers("refused", 400, 499, _REFUSALS),
        unknown_codes=inner.words("unknown"),
    )
    inner.done()
    return step


def _ask(section: Section, method: str, names: tuple[str, ...]) -> Ask:
    ask = read_ask(section, names, method=method)
    if ask.body is not None:
        section.fault("body", "is told as order, wish or booking here: the shape of what is sent")
    return ask


def _reading(section: Section) -> Reading:
    inner = section.inner("answer")
    if inner is None:
        return Reading()
    raw = inner.raw("words") or {}
    words: dict[str, str] = {}
    if not isinstance(raw, dict):
        inner.fault(
            "words",
            "must be an object: accepted, received, rejected, cancelled, each with the source's words",
        )
        raw = {}
    named = inner.inner("words") if raw else None
    for ours in raw:
        if ours not in ORDER_STATUSES and named is not None:
            named.fault(ours, f"must be one of {', '.join(sorted(ORDER_STATUSES))}")
        elif named is not None:
            words |= dict.fromkeys(named.words(ours), ours)
    found = Reading(
        inner.text("status", _path, ""),
        words,
        inner.text("sourceOrder", _path, ""),
        inner.text("code", _path, ""),
        inner.text("detail", _path, ""),
        inner.text("epoch", _path, ""),
        inner.text("seq", _path, ""),
    )
    if bool(found.epoch) != bool(found.seq):
        inner.fault("seq", "and epoch stand together: a position is both")
    inner.done()
    return found


def _path(text: str) -> str:
    if not text.startswith("/"):
        raise ValueError('must be a path from the top of the answer, beginning with "/"')
    return text


def said_by(reading: Reading, value: Callable[[str], Any]) -> Said:
    """What an answer says of itself. Raises Unreadable for values that are none."""
    told = {name: _text(value, path) for name, path in _told(reading) if path}
    word = told.get("status", "")
    if reading.status and not word:
        raise Unreadable(f"{reading.status} is not stated, which says what became of the order")
    status = reading.words.get(word, word)
    if word and status not in ORDER_STATUSES:
        raise Unreadable(f"{reading.status} is {word[:40]!r}, which the profile's words do not translate")
    return Said(
        status, told.get("code", "")[:ID_LIMIT_CHARACTERS], told.get("detail", "")[:DETAIL_LIMIT_CHARACTERS]
    )


def code_of(reading: Reading, value: Callable[[str], Any]) -> Said:
    """As `said_by`, of an answer that refuses: its code and words, as far as they can be read."""
    found = {name: _quietly(value, path) for name, path in _told(reading)[1:] if path}
    return Said(
        "", found.get("code", "")[:ID_LIMIT_CHARACTERS], found.get("detail", "")[:DETAIL_LIMIT_CHARACTERS]
    )


def _told(reading: Reading) -> tuple[tuple[str, str], ...]:
    return (("status", reading.status), ("code", reading.code), ("detail", reading.detail))


def _quietly(value: Callable[[str], Any], path: str) -> str:
    try:
        return _text(value, path)
    except Unreadable:
        return ""


def _text(value: Callable[[str], Any], path: str) -> str:
    return (as_text(value_or_none(value, path)) or "").strip()


def look_up_of(reading: Reading, said: Said, value: Callable[[str], Any]) -> OrderLookup:
    """What an answer says of an order that the source has. Raises Unreadable."""
    try:
        source_order = _text(value, reading.source_order) if reading.source_order else ""
        if source_order:
            checked_text(source_order, reading.source_order, ID_LIMIT_CHARACTERS)
        epoch = _text(value, reading.epoch) if reading.epoch else ""
        seq = sequence({"seq": _text(value, reading.seq)}, "seq") if epoch else None
    except Misread as fault:
        raise Unreadable(f"{fault.path} {fault.reason}") from None
    extra = {"code": said.code} if said.code else {}
    return OrderLookup(said.status or "accepted", source_order or None, epoch or None, seq, extra)


def objection_of(step: Step, said: Said) -> Objection:
    """What a refusal means."""
    return Objection(said.code or "refused", said.detail, different=said.code in step.different)

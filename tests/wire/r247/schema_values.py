"""Values for a table of fields: mostly right, sometimes wrong, as a source's programmer would get them wrong."""

from __future__ import annotations

from datetime import timedelta, timezone
from typing import Any

from hypothesis import strategies as st

from archsyncd.wire.r247_fields import (
    RECORDS,
    AnyRecord,
    Digest,
    Either,
    Field,
    Flag,
    Kind,
    ListOf,
    Moment,
    Number,
    OneOf,
    Structure,
    Sum,
    Text,
    Told,
    Whole,
)

JUNK: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    12,
    3.7,
    2**63 - 1,
    2**63,
    -(2**63),
    -(2**63) - 1,
    10**25,
    "",
    " ",
    "12",
    "-12",
    "007",
    "1" * 19,
    "9223372036854775807",
    "9223372036854775808",
    "9" * 20,
    "12\n",
    "\u0661\u0662",
    "1_000",
    "A\nB",
    "A\u0007B",
    "A\u2028B",
    "A\u0085B",
    "A\u00a0B",
    "\U0001f600" * 128,
    "X" * 128,
    "X" * 129,
    "X" * 256,
    "X" * 257,
    "X" * 4097,
    "f" * 64,
    "F" * 64,
    "g" * 64,
    "f" * 64 + "\n",
    "-9" * 1,
    "9" * 31,
    "true",
    "onhand",
    "stock.level",
    "stock.teleported",
    "rejected",
    "running",
    "ready",
    "r247/2",
    "2026-11-23T10:15:02Z",
    "2026-11-23T10:15:02+01:00",
    "2026-11-23T10:15:60Z",
    "2026-11-23T10:15:02.1234567891Z",
    "2026-11-23t10:15:02z",
    "2026-11-23 10:15:02Z",
    "2026-11-23T10:15:02",
    "2026-11-23",
    "2026-13-23T10:15:02Z",
    "2026-11-00T10:15:02Z",
    "2026-11-23T24:00:00Z",
    "2026-11-23T10:15:02+24:00",
    "2026-11-23T10:15:02+00:53:28",
    "2026-11-23T10:60:02Z",
    "0000-11-23T10:15:02Z",
    "2026-11-23T10:15:02Z\n",
    [],
    [None],
    [3],
    {},
    {"value": 1},
    {str(name): 1 for name in range(257)},
]
_LETTERS = st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp"))
_OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
_RARELY = st.sampled_from([False] * 24 + [True])


@st.composite
def documents(draw: st.DrawFn, structure: Structure) -> Any:
    """A document of this structure; now and then something in it is wrong."""
    return draw(_value(structure))


def _value(kind: Kind) -> st.SearchStrategy[Any]:
    return _RARELY.flatmap(lambda wrong: st.sampled_from(JUNK) if wrong else _right(kind))


def _right(kind: Kind) -> st.SearchStrategy[Any]:
    match kind:
        case Structure():
            return _object(kind)
        case ListOf(entry=entry):
            return st.lists(_value(entry), max_size=3)
        case Either(forms=forms):
            return st.sampled_from(forms).flatmap(_value)
        case AnyRecord():
            return st.sampled_from(RECORDS).flatmap(_value)
        case OneOf(words=words):
            return st.sampled_from(words)
        case Told():
            return st.sampled_from(JUNK)
        case Text(limit=limit):
            return st.text(_LETTERS, min_size=1, max_size=6) | st.just("L" * limit)
    return _plain(kind)


def _plain(kind: Whole | Number | Moment | Flag | Sum | Digest) -> st.SearchStrategy[Any]:
    match kind:
        case Whole(minimum=minimum, maximum=maximum):
            return st.integers(minimum, maximum)
        case Number():
            return st.integers(0, 2**63 - 1).map(str)
        case Moment():
            return st.datetimes(timezones=_OFFSETS | st.none()).map(
                lambda moment: moment.isoformat() + ("" if moment.tzinfo else "Z")
            )
        case Flag():
            return st.booleans()
        case Sum():
            return st.integers(-(10**29), 10**29).map(str)
        case Digest():
            return st.binary(min_size=32, max_size=32).map(bytes.hex)


@st.composite
def _object(draw: st.DrawFn, structure: Structure) -> dict[str, Any]:
    fields = [*structure.fields, *(structure.instead or ())]
    made = {"xAisle": 17} if draw(st.booleans()) else {}
    for field in fields:
        if draw(_told(field)):
            made[field.name] = draw(_value(field.kind))
    return made


def _told(field: Field) -> st.SearchStrategy[bool]:
    return _RARELY.map(lambda rarely: not rarely) if field.required else st.booleans()

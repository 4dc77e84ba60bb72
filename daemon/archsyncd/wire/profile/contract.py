"""What a mapping profile offers to the transports that read by it. Knows no transport and no payload.

Order of use, for one answer or one file:

    profile = read_profile(text, "profiles/site1.json")       # profile.py; raises ProfileFaults with every fault in it
    answer = profile.read(data)                               # raises Unreadable: nothing of these bytes may be used
    for item in answer.items:
        found = profile.record(item)                          # a Record, or a Reject that names the profile's line
    cursor = answer.value("/LastId")                          # for paging: a path from the top of the document

`item.value` is an object of r247/1 that the readers of wire/r247_records have not seen yet. A transport may put `id` and
`seq` into it first (a profile need not give them; `item_hash` makes an id of the content), or read it with `read_item` for
a snapshot; then `profile.told` rewrites the Reject, which names r247/1 fields, into the profile's and the payload's words.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson

from archsyncd.domain.feed import Record, Reject
from archsyncd.wire.r247_values import Misread


@dataclass(frozen=True, slots=True)
class Mapped:
    """One record of a payload.

    `line`: in CSV and NDJSON the line on which it ends, else its number from 1. `value`: the r247/1 object; where there are
    `faults` it holds what could be read beside them, for naming the record. `places` leads from an r247/1 path (`/onHand`,
    `/lines/*/sku`) to the profile's line and the payload's path. `evidence` writes the record's bytes when asked.
    """

    line: int
    evidence: Callable[[], bytes]
    value: dict[str, Any]
    faults: tuple[Misread, ...] = ()
    places: Mapping[str, tuple[int, str]] = field(default_factory=dict)

    @property
    def payload(self) -> bytes:
        """The record's bytes as far as they can be shown, capped."""
        return self.evidence()


@dataclass(frozen=True, slots=True)
class Answer:
    """One whole document. `passed_over`: records that the profile says to skip. `value` reads a path from its top.

    `value` gives a text, an integer, true or false as the document has it; None when it is not stated. It raises Misread
    for what is no single value.
    """

    items: tuple[Mapped, ...]
    passed_over: int
    value: Callable[[str], Any]


class MappingProfile(Protocol):
    """A description that was read and found sound.

    `name` is the profile's own, `file` how messages call it. `form` is one of `json`, `ndjson`, `csv`, `xml`;
    `reads_by_line`: of the two that are never held as a whole. `request`
    is the section of that name as plain data (objects, lists, texts, numbers), None where there is none; who pulls
    judges it, and `line_of(("request", "path"))` tells on which line of the profile something stands.
    """

    @property
    def name(self) -> str: ...  # noqa: D102 - told above

    @property
    def file(self) -> str: ...  # noqa: D102 - told above

    @property
    def form(self) -> str: ...  # noqa: D102 - told above

    @property
    def reads_by_line(self) -> bool: ...  # noqa: D102 - told above

    @property
    def request(self) -> Mapping[str, Any] | None: ...  # noqa: D102 - told above

    def line_of(self, path: tuple[str | int, ...]) -> tuple[int, int]:
        """Line and column, from 1, of what stands in the profile at this path, else of what stands around it."""
        ...

    def read(self, data: bytes, parts: Mapping[str, str] = ...) -> Answer:
        """Read one whole answer, file or message; `parts`: what the file's name or the message's attributes told.

        Raises Unreadable: nothing may be used.
        """
        ...

    def rows(self, pieces: Iterable[bytes], parts: Mapping[str, str] = ...) -> Iterator[Mapped]:
        """As `read`, for a file that comes in pieces; CSV and NDJSON are never held as a whole. Raises Unreadable."""
        ...

    def record(self, item: Mapped) -> Record | Reject:
        """Check an item with the reader of r247/1 and give the record, or why it is none."""
        ...

    def told(self, rejected: Reject, item: Mapped) -> Reject:
        """Say a Reject of this item in the words of the profile and the payload."""
        ...


def item_hash(value: Mapping[str, Any], *without: str) -> str:
    """An id made of what an r247/1 object says, for records that have none: equal content has an equal id.

    It does not judge: an object with half a character or a number beyond 64 bits has an id as well, and its reader says
    what is wrong with it.
    """
    kept = {name: one for name, one in value.items() if name not in without}
    try:
        written = orjson.dumps(kept, option=orjson.OPT_SORT_KEYS)
    except (TypeError, RecursionError):
        # What the fast writer refuses is written in ASCII; never like anything that it wrote.
        written = json.dumps(kept, sort_keys=True, default=repr).encode("ascii")
    return hashlib.sha256(written).hexdigest()

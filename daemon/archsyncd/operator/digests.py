"""Names exactly the open cases that a list has shown, so that an act on them is on nothing else. Knows no socket and no store."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from archsyncd.operator.protocol import EXIT_USAGE, Refusal

HASH_CHARACTERS = 16
DIGEST_LIMIT_CHARACTERS = 100
# More than this nobody has looked at, and a digest does not name it.
SHOWN_LIMIT_CASES = 20_000
TOLD_IDS = 5
_DIGEST = re.compile(r"([0-9]{1,5})-([0-9]{1,19})-([0-9]{17})-([0-9a-f]{16})")


@dataclass(frozen=True, slots=True)
class Digest:
    """What a digest says in clear: how many cases, the highest id, and the time (its digits) at which they were listed."""

    cases: int
    last_id: int
    at: str
    hash: str


def digest_of(kind: str, owner: str, at: str, rows: Sequence[Mapping[str, Any]]) -> str | None:
    """The digest of open cases as a list tells them; None for an empty one, and for more than anybody looks at.

    `at`: when they were listed, RFC 3339. It holds the cases' ids, how often and when each was last seen, and the filters.
    """
    if not rows or len(rows) > SHOWN_LIMIT_CASES:
        return None
    at = _digits(at)
    return f"{len(rows)}-{rows[-1]['id']}-{at}-{_hash(kind, owner, at, rows)}"


def read_digest(text: str) -> Digest:
    """A digest as somebody has copied it. Raises Refusal."""
    found = _DIGEST.fullmatch(text)
    if found is None:
        raise Refusal(
            "That is no digest of a list: copy it from the end of `archsyncctl exceptions list`.", EXIT_USAGE
        )
    return Digest(int(found[1]), int(found[2]), found[3], found[4])


def differs(digest: Digest, kind: str, owner: str, rows: Sequence[Mapping[str, Any]]) -> str | None:
    """What has changed about the cases that a digest names; None when nothing has.

    `rows`: the open cases up to its highest id, by the same filters, as they are now.
    """
    if len(rows) == digest.cases and _hash(kind, owner, digest.at, rows) == digest.hash:
        return None
    closed = digest.cases - len(rows)
    again = [str(row["id"]) for row in rows if _digits(row["last_seen"]) > digest.at]
    changes = []
    if closed > 0:
        changes.append(f"{closed} of the {digest.cases} cases shown {'is' if closed == 1 else 'are'} closed")
    if again:
        more = f" and {len(again) - TOLD_IDS} more" if len(again) > TOLD_IDS else ""
        named = f"{'case' if len(again) == 1 else 'cases'} {', '.join(again[:TOLD_IDS])}{more}"
        changes.append(f"{named} {'was' if len(again) == 1 else 'were'} seen again")
    return ", ".join(changes) or "it was of other filters, or a case was seen again at that very moment"


def _digits(moment: str) -> str:
    """An RFC 3339 time as digits alone: they sort as the times do."""
    return "".join(each for each in moment if each.isdigit())


def _hash(kind: str, owner: str, at: str, rows: Iterable[Mapping[str, Any]]) -> str:
    digest = hashlib.sha256(json.dumps([kind, owner, at]).encode())
    for row in rows:
        digest.update(json.dumps([row["id"], row["count"], row["last_seen"]]).encode())
    return digest.hexdigest()[:HASH_CHARACTERS]

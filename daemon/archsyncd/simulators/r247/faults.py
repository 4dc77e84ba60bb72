"""Scripted faults: what a source does wrong on purpose, and the wrong bytes themselves; knows no warehouse."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum


class FaultKind(StrEnum):
    """What goes wrong with one answer."""

    STATUS = "status"  # an error status, with Retry-After where given
    SLOW = "slow"  # the answer waits
    STALL = "stall"  # the answer never comes while the fault is set
    DROP_BEFORE = "drop_before"  # the connection breaks, nothing was done
    DROP_AFTER = "drop_after"  # done, but the answer is lost
    CUT_BODY = "cut_body"  # half of the body, then the connection breaks
    HALF_LINE = "half_line"  # an NDJSON stream ends in the middle of a line
    GARBAGE = "garbage"  # 200 with bytes that are no JSON
    REDIRECT = "redirect"  # 302 to another origin
    FOREIGN_NEXT = "foreign_next"  # next, cursor and nextPage are addresses at another origin
    EXPIRED = "expired"  # 410 cursor_expired
    EPOCH = "epoch"  # 410 epoch_changed
    DUPLICATE = "duplicate"  # every record of a page stands twice
    REPEAT = "repeat"  # the page does not move: `next` is the cursor that was asked with
    REORDER = "reorder"  # the records of a page are shuffled
    GAP = "gap"  # records in the middle of a page are left out for good
    LATE = "late"  # a record is shown only some seconds after one that has a larger seq
    TRUNCATED = "truncated"  # a snapshot ends after its first page
    NO_TRAILER = "no_trailer"  # a snapshot's last page lacks `check`
    EMPTY = "empty"  # a snapshot of nothing, complete by its own word
    MISCOUNT = "miscount"  # `check.records` is wrong
    MISSUM = "missum"  # `check.sumOnHand` is wrong
    LACKS_KEYS = "lacks_keys"  # a snapshot without some SKUs, its check figures fitting


SNAPSHOT_KINDS = frozenset(
    {
        FaultKind.TRUNCATED,
        FaultKind.NO_TRAILER,
        FaultKind.EMPTY,
        FaultKind.MISCOUNT,
        FaultKind.MISSUM,
        FaultKind.LACKS_KEYS,
    }
)
PAGE_KINDS = frozenset(
    {FaultKind.DUPLICATE, FaultKind.REPEAT, FaultKind.REORDER, FaultKind.GAP, FaultKind.LATE}
)
ENDPOINTS = ("changes", "ack", "snapshots", "stock", "locations", "orders", "fulfilments", "any")


@dataclass(frozen=True, slots=True)
class Fault:
    """One scripted fault of one endpoint: it skips `after` requests, then hits `times` of them (None: until cleared).

    `status` and `retry_after` (text, sent as it is) belong to STATUS, `seconds` to SLOW and LATE, `skus` to LACKS_KEYS,
    `records` to GAP (how many are left out).
    """

    kind: FaultKind
    endpoint: str = "changes"
    times: int | None = 1
    after: int = 0
    status: int = 503
    retry_after: str | None = None
    seconds: float = 1.0
    skus: tuple[str, ...] = ()
    records: int = 1

    def __post_init__(self) -> None:
        if self.endpoint not in ENDPOINTS:
            raise ValueError(f"endpoint: {self.endpoint!r}, known are {ENDPOINTS}")


@dataclass(slots=True)
class Script:
    """The faults still to come, in the order they were given."""

    _waiting: list[Fault] = field(default_factory=list)
    _cleared: asyncio.Event = field(default_factory=asyncio.Event)
    struck: dict[str, int] = field(default_factory=dict)

    @property
    def waiting(self) -> tuple[Fault, ...]:
        """What has not run out."""
        return tuple(self._waiting)

    def add(self, *faults: Fault) -> None:
        """Script faults."""
        self._waiting.extend(faults)

    def clear(self) -> None:
        """Forget every fault; what stalled goes on."""
        self._waiting.clear()
        cleared, self._cleared = self._cleared, asyncio.Event()
        cleared.set()

    async def cleared(self) -> None:
        """Wait until the faults are cleared."""
        await self._cleared.wait()

    def strike(self, endpoint: str, kinds: Iterable[FaultKind] | None = None) -> tuple[Fault, ...]:
        """Take the faults that hit this request; `kinds` narrows which are looked at."""
        hitting, remaining = [], []
        wanted = None if kinds is None else frozenset(kinds)
        for fault in self._waiting:
            if fault.endpoint not in {endpoint, "any"} or (wanted is not None and fault.kind not in wanted):
                remaining.append(fault)
            elif fault.after > 0:
                remaining.append(replace(fault, after=fault.after - 1))
            else:
                hitting.append(fault)
                self.struck[fault.kind.value] = self.struck.get(fault.kind.value, 0) + 1
                if fault.times is None:
                    remaining.append(fault)
                elif fault.times > 1:
                    remaining.append(replace(fault, times=fault.times - 1))
        self._waiting[:] = remaining
        return tuple(hitting)


# The values of fault 120, as the bytes that stand where a quantity should.
BAD_QUANTITIES: dict[str, str] = {
    "nan": "NaN",
    "infinity": "Infinity",
    "1e400": "1e400",
    "minus_zero_point": "-0.0",
    "text": '"12"',
    "comma": '"12,5"',
    "space": '"1 000"',
    "3.0": "3.0",
    "3.7": "3.7",
    "true": "true",
    "null": "null",
    "empty": '""',
    "arabic": '"\u0661\u0662"',
    "underscore": '"1_000"',
    "above_int64": "9223372036854775808",
    "5000_digits": "9" * 5000,
    "object": '{"value":1}',
}
# Identifiers of row 124, as JSON text.
BAD_SKUS: dict[str, str] = {
    "sku_empty": '""',
    "sku_long": '"' + "X" * 257 + '"',
    "sku_null_character": '"A\\u0000B"',
    "sku_newline": '"A\\nB"',
    "sku_control": '"A\\u0007B"',
    "sku_number": "12",
    "sku_absent": "null",
}
# Whole records that are wrong in another way; `{id}`, `{seq}` and `{at}` are filled in by the log.
BAD_RECORDS: dict[str, str] = {
    "unknown_type": '{"id":"{id}","type":"stock.teleported","seq":"{seq}","occurredAt":"{at}"}',
    "no_type": '{"id":"{id}","seq":"{seq}","occurredAt":"{at}"}',
    "no_figure": '{"id":"{id}","type":"stock.level","seq":"{seq}","sku":%SKU%,"location":%LOCATION%}',
    "not_an_object": '["{id}"]',
    "deep": '{"id":"{id}","type":"stock.level","seq":"{seq}","sku":' + "[" * 2000 + "]" * 2000 + "}",
    "duplicate_names": '{"id":"{id}","type":"stock.level","seq":"{seq}","occurredAt":"{at}","sku":%SKU%,'
    '"location":%LOCATION%,"onHand":1,"available":1,"available":900}',
}
MORE_FIELDS = ',"colour":{"of":["money",null]},"xAisle":17'
LEVEL = (
    '{"id":"{id}","type":"stock.level","seq":"{seq}","occurredAt":"{at}","sku":%SKU%,"location":%LOCATION%,'
    '"onHand":%VALUE%,"available":%VALUE%,"asOf":"{at}"%MORE%}'
)
POISONS = (*BAD_QUANTITIES, *BAD_SKUS, *BAD_RECORDS, "unknown_fields")


def poison(kind: str, sku: str, location: str) -> str:
    """Write the record text of one bad (or merely strange) input; `sku` and `location` are JSON texts. Raises ValueError."""
    if kind in BAD_RECORDS:
        text = BAD_RECORDS[kind]
    elif kind in BAD_QUANTITIES:
        text = LEVEL.replace("%VALUE%", BAD_QUANTITIES[kind])
    elif kind in BAD_SKUS:
        text, sku = LEVEL.replace("%VALUE%", "5"), BAD_SKUS[kind]
    elif kind == "unknown_fields":
        text = LEVEL.replace("%VALUE%", "5").replace("%MORE%", MORE_FIELDS)
    else:
        raise ValueError(f"{kind!r} is none of {', '.join(POISONS)}")
    return text.replace("%MORE%", "").replace("%SKU%", sku).replace("%LOCATION%", location)

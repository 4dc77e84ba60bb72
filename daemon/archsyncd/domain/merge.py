"""Merging: what one stock record does to the level kept for its (SKU, location). Pure; positions decide, never times."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple, TypeAlias

from archsyncd.domain.feed import Figure, Level, Movement, Removal, StockRecord
from archsyncd.domain.stock import ChannelPolicy, needs_person


class Verdict(Enum):
    """What became of a record. UNCHANGED: newer, with the figures we had; its position counts all the same."""

    APPLIED = "applied"
    UNCHANGED = "unchanged"
    STALE = "stale"
    HELD = "held"
    RESYNC = "resync"
    OTHER_FEED = "other_feed"
    UNUSABLE = "unusable"


class KeptLevel(NamedTuple):
    """A level as stored, in the order of its row: one is made for every record, and is stored as it is.

    `epoch` is the ordinal of the source's epoch. Figures are None where never stated.
    `as_of_ms` and `orders_through_ms` are the source's own times, UTC. `lapsed` (0 or 1, as stored): it was told in names or
    units that are in force no more, or inferred from what a full left out; nothing is added to it, and whoever states the key as
    it is at that position or later takes its place.
    """

    location: str
    sku: str
    feed: str
    epoch: int
    seq: int
    on_hand: int | None
    available: int | None
    as_of_ms: int | None = None
    orders_through_ms: int | None = None
    rev: str | None = None
    lapsed: int = 0

    def figure(self, figure: Figure) -> int | None:
        """The figure asked for, None when the source never stated it."""
        return self.on_hand if figure is Figure.ON_HAND else self.available


# No site holds more pieces of anything; the sums of a channel's locations and lines stay within 64 bits below it.
QUANTITY_LIMIT = 10**15
_REV_DIGITS = 19

Merged: TypeAlias = tuple[Verdict, KeptLevel | None]


def merge(
    kept: KeptLevel | None,
    record: StockRecord,
    feed: str,
    epoch: int,
    policy: ChannelPolicy | None,
    as_of_ms: int | None = None,
    *,
    interrupted: bool = False,
    takes_over: bool = False,
    stated_at: int | None = None,
) -> Merged:
    """Apply one record to what is kept (None: nothing yet); `policy` None for an unmapped location.

    `interrupted`: a record of this key between what is kept and this one was set aside, so that a movement has nothing
    to stand on. `takes_over`: what another feed told is out of date whatever its times say: that feed is read no more, or
    the record answers a question that was asked after it. `stated_at`: where the full or the reading stands that tells the
    record, which may be the last one of its key and much older: so the key is there. Rules: r247/1 section 1, "Rules of
    application" 2, 5 and 5b.
    HELD, RESYNC, OTHER_FEED, STALE and UNUSABLE leave what is kept.
    """
    if kept is not None:
        verdict = _refused(kept, record, feed, epoch, as_of_ms, takes_over=takes_over, stated_at=stated_at)
        if verdict is not None:
            return verdict, None
    if isinstance(record, Movement) and not record.states_balance:
        return (Verdict.RESYNC, None) if interrupted else _moved(kept, record, feed, epoch, policy)
    if isinstance(record, Removal):
        return _kept_or_changed(
            kept, KeptLevel(record.location, record.sku, feed, epoch, record.seq, None, None, as_of_ms)
        )
    level = _not_before(kept, _level(record, feed, epoch, as_of_ms))
    if not _within_limit(level.on_hand) or not _within_limit(level.available):
        return Verdict.UNUSABLE, None
    if policy is not None:
        figure = policy.locations[record.location].sellable
        after = level.on_hand if figure is Figure.ON_HAND else level.available
        if after is None:
            return Verdict.UNUSABLE, None
        before = None if kept is None else kept.on_hand if figure is Figure.ON_HAND else kept.available
        if needs_person(policy, before, after):
            return Verdict.HELD, level
    return _kept_or_changed(kept, level)


def _not_before(kept: KeptLevel | None, level: KeptLevel) -> KeptLevel:
    """What takes the place of a level that lapsed stands no earlier: what was proven there stays proven."""
    if kept is None or not kept.lapsed or (kept.feed, kept.epoch) != (level.feed, level.epoch):
        return level
    return level if level.seq >= kept.seq else level._replace(seq=kept.seq)


def _within_limit(figure: int | None) -> bool:
    return figure is None or -QUANTITY_LIMIT <= figure <= QUANTITY_LIMIT


def _refused(
    kept: KeptLevel,
    record: StockRecord,
    feed: str,
    epoch: int,
    as_of_ms: int | None,
    *,
    takes_over: bool,
    stated_at: int | None,
) -> Verdict | None:
    """Why a record may not take the place of what is kept, None when it may."""
    if kept.lapsed and stated_at is not None:
        return _outlived(kept, record, feed, epoch, stated_at)
    if kept.feed == feed:
        return None if _newer(kept, record, epoch) else Verdict.STALE
    if isinstance(record, Movement) and not record.states_balance:
        return Verdict.RESYNC
    if takes_over:
        return None
    # Positions of two feeds do not compare: only the sources' own capture times can say which is newer.
    if as_of_ms is None:
        return Verdict.OTHER_FEED
    return Verdict.STALE if kept.as_of_ms is not None and as_of_ms <= kept.as_of_ms else None


def _outlived(kept: KeptLevel, record: StockRecord, feed: str, epoch: int, stated_at: int) -> Verdict | None:
    """Why what was stated as a whole may not take the place of a level that lapsed: it shows what was before that."""
    if kept.feed != feed or kept.epoch < epoch:
        return None
    return Verdict.STALE if (kept.epoch, kept.seq) > (epoch, max(stated_at, record.seq)) else None


def _newer(kept: KeptLevel, record: StockRecord, epoch: int) -> bool:
    if epoch != kept.epoch:
        return epoch > kept.epoch
    if record.seq != kept.seq:
        return record.seq > kept.seq
    rev = record.rev if isinstance(record, Level) else None
    return rev is not None and kept.rev is not None and _rank(rev) > _rank(kept.rev)


def _rank(rev: str) -> tuple[int, str]:
    return (int(rev), "") if rev.isascii() and rev.isdigit() and len(rev) <= _REV_DIGITS else (-1, rev)


def _level(record: Level | Movement, feed: str, epoch: int, as_of_ms: int | None) -> KeptLevel:
    if isinstance(record, Movement):
        return KeptLevel(
            record.location,
            record.sku,
            feed,
            epoch,
            record.seq,
            record.balance_on_hand,
            record.balance_available,
            as_of_ms,
        )
    return KeptLevel(
        record.location,
        record.sku,
        feed,
        epoch,
        record.seq,
        record.on_hand,
        record.available,
        as_of_ms,
        record.orders_through_ms,
        record.rev,
    )


def _kept_or_changed(kept: KeptLevel | None, level: KeptLevel) -> Merged:
    same = kept is not None and kept.on_hand == level.on_hand and kept.available == level.available
    return (Verdict.UNCHANGED if same else Verdict.APPLIED), level


def _moved(
    kept: KeptLevel | None, record: Movement, feed: str, epoch: int, policy: ChannelPolicy | None
) -> Merged:
    """A movement without balance needs a baseline of the same feed and epoch, and must move the figure that is sold."""
    if kept is None or kept.feed != feed or kept.epoch != epoch or kept.lapsed:
        return Verdict.RESYNC, None
    sells = policy.locations[record.location].sellable if policy is not None else record.figure
    before = kept.on_hand if record.figure is Figure.ON_HAND else kept.available
    if before is None or sells is not record.figure:
        return Verdict.RESYNC, None
    after = before + record.delta
    if abs(after) > QUANTITY_LIMIT:
        return Verdict.UNUSABLE, None
    on_hand, available = (after, kept.available) if record.figure is Figure.ON_HAND else (kept.on_hand, after)
    level = KeptLevel(record.location, record.sku, feed, epoch, record.seq, on_hand, available, kept.as_of_ms)
    if policy is not None and needs_person(policy, before, after):
        return Verdict.HELD, level
    return _kept_or_changed(kept, level)

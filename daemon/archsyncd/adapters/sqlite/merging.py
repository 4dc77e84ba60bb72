"""Merging a batch: levels, proofs, rejects and the checkpoint in one transaction. Decides nothing the domain decides."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from archsyncd.adapters.sqlite import advising
from archsyncd.adapters.sqlite.cases import open_cases, resolve_case
from archsyncd.adapters.sqlite.delivering import keep_deliveries, settle_overtaken
from archsyncd.adapters.sqlite.delivery_store import note_expected
from archsyncd.adapters.sqlite.file_cases import note_file
from archsyncd.adapters.sqlite.parts import stage_parts, watch_attempts
from archsyncd.adapters.sqlite.proofs import (
    book_order_records,
    enter_epoch,
    levels_carry_orders,
    newest_epoch,
)
from archsyncd.adapters.sqlite.recompute import kept_levels, recompute
from archsyncd.adapters.sqlite.scope import Scope, array, require_terms
from archsyncd.domain.cases import CaseKind, NewCase
from archsyncd.domain.counting import counted
from archsyncd.domain.feed import (
    INT64_MAXIMUM,
    PAYLOAD_LIMIT_BYTES,
    Batch,
    Heartbeat,
    Level,
    Movement,
    OrderRecord,
    Outcome,
    Record,
    RecordFault,
    Reject,
    Removal,
    StockRecord,
)
from archsyncd.domain.inventory import StockKey
from archsyncd.domain.kits import Kit
from archsyncd.domain.merge import KeptLevel, Verdict, merge
from archsyncd.domain.stock import leaps
from archsyncd.domain.times import age, rfc3339, utc_ms

FAULTS_LIMIT = 100
CLOCKS_APART_MS = 300_000


@dataclass(frozen=True, slots=True)
class Gap:
    """A record was set aside at `seq`; `whole`: it may have stood anywhere before, so what came before is not known either."""

    seq: int
    whole: bool = False


@dataclass(slots=True)
class Merge:
    """What merging some records comes to, gathered before anything is written."""

    levels: dict[tuple[str, str], KeptLevel]
    epoch: int = 0
    ordered: bool = True
    gaps: dict[tuple[str, str], list[Gap]] = field(default_factory=dict)
    changed: dict[tuple[str, str], KeptLevel] = field(default_factory=dict)
    carrying: list[Level] = field(default_factory=list)
    resync: list[tuple[str, str, int]] = field(default_factory=list)
    lost_seq: int = 0
    # How far the latest time that was told lies ahead of our clock, 0 at the least; None: no time was told.
    ahead_ms: int | None = None
    expected: dict[tuple[str, str], str] = field(default_factory=dict)
    cases: list[NewCase] = field(default_factory=list)
    faults: list[RecordFault] = field(default_factory=list)
    applied: int = 0
    unchanged: int = 0
    stale: int = 0
    rejected: int = 0


async def record_batch(scope: Scope, batch: Batch, *, again: bool = False) -> Outcome:
    """Merge a batch and move the feed's checkpoint with it; the outcome for a receipt.

    `again`: it was read from an earlier place, at a person's wish, and shows nobody that the source has news. Raises OtherTerms.
    """
    await require_terms(scope, batch.terms, f"a batch of feed {batch.feed}")
    await scope.tx.run("feed_insert", (batch.feed,))
    if batch.void:
        return await _record_void(scope, batch, again=again)
    epoch, touched = await enter_epoch(scope, batch.feed, batch.epoch)
    stock = [record for record in batch.records if isinstance(record, (Level, Movement, Removal))]
    orders = [record for record in batch.records if isinstance(record, OrderRecord)]
    newest = max((record.seq for record in batch.records), default=0)
    done = await apply_stock(scope, batch.feed, epoch, stock, batch.rejects, newest, ordered=batch.ordered)
    if scope.carrying is not None and epoch == await newest_epoch(scope, batch.feed):
        # First, as it may take back pieces that were closed short and have been found after all.
        touched |= await advising.tell(scope, batch.feed, epoch, orders)
    touched |= await book_order_records(scope, batch.feed, epoch, orders)
    await _finish(scope, batch.feed, done, touched)
    await open_cases(scope.tx, (reject_case(batch.feed, reject) for reject in batch.rejects), scope.now_ms)
    forgotten = await keep_deliveries(scope, batch, epoch, done.resync)
    outcome = Outcome(
        read=len(batch.records) + len(batch.rejects),
        applied=done.applied + len(batch.records) - len(stock),
        unchanged=done.unchanged,
        stale=done.stale,
        rejected=done.rejected + len(batch.rejects),
        faults=(*_reject_faults(batch.rejects), *done.faults)[:FAULTS_LIMIT],
        forgotten=forgotten,
    )
    if batch.file is not None:
        await note_file(scope, batch.feed, batch.epoch, batch.file)
    await _watch_epoch(scope, batch, epoch)
    await _watch_clock(scope, batch.feed, done.ahead_ms)
    if epoch == await newest_epoch(scope, batch.feed):
        rejects = await stage_parts(scope, batch)
        await open_cases(scope.tx, (reject_case(batch.feed, reject) for reject in rejects), scope.now_ms)
    await watch_attempts(scope, batch)
    await _progress(scope, batch, epoch, outcome, again)
    return outcome


async def _record_void(scope: Scope, batch: Batch, *, again: bool) -> Outcome:
    """Count records that may not be applied, and keep what could not be read of them."""
    await open_cases(scope.tx, (reject_case(batch.feed, reject) for reject in batch.rejects), scope.now_ms)
    if batch.file is not None:
        await note_file(scope, batch.feed, batch.epoch, batch.file)
    stale, rejected = len(batch.records), len(batch.rejects)
    outcome = Outcome(
        stale + rejected, stale=stale, rejected=rejected, faults=tuple(_reject_faults(batch.rejects))
    )
    await watch_attempts(scope, batch)
    await _progress(scope, batch, 0, outcome, again)
    return outcome


async def _watch_epoch(scope: Scope, batch: Batch, epoch: int) -> None:
    """A source that goes on in an epoch it had left is read and not used, which must not look like a healthy feed."""
    feed = await scope.tx.row("feed", (batch.feed,))
    if not batch.records or feed is None or feed[0] == batch.checkpoint:
        return
    subject = f"{batch.feed} epoch"
    if epoch >= await newest_epoch(scope, batch.feed):
        note = "the source goes on in its newest epoch"
        await resolve_case(scope.tx, CaseKind.STALE_FEED, batch.feed, subject, note, scope.now_ms)
        return
    reason = (
        f"feed {batch.feed} goes on in the epoch {batch.epoch}, which it had left: nothing of it is used. A source that was "
        "restored must begin an epoch of a new name"
    )
    case = NewCase(CaseKind.STALE_FEED, batch.feed, subject, reason, code="retired_epoch")
    await open_cases(scope.tx, [case], scope.now_ms)


async def _watch_clock(scope: Scope, feed: str, ahead_ms: int | None) -> None:
    """A source whose times lie in the future: whoever compares them with another feed's would be misled."""
    if ahead_ms is None:
        return
    subject = f"{feed} clock"
    if ahead_ms <= CLOCKS_APART_MS:
        note = "the source tells times that have been"
        await resolve_case(scope.tx, CaseKind.STALE_FEED, feed, subject, note, scope.now_ms)
        return
    reason = (
        f"feed {feed} says that figures were taken at times that are still to come, by up to {age(ahead_ms / 1000)}: each counts "
        "as taken when it was read. Look at the clock of the source and of this host, and at the zone in which it tells times"
    )
    case = NewCase(CaseKind.STALE_FEED, feed, subject, reason, code="time_ahead")
    await open_cases(scope.tx, [case], scope.now_ms)


async def apply_stock(
    scope: Scope,
    feed: str,
    epoch: int,
    records: Sequence[StockRecord],
    rejects: Sequence[Reject] = (),
    newest: int = 0,
    *,
    answers: bool = False,
    ordered: bool = True,
    stated_at: int | None = None,
) -> Merge:
    """Merge stock records into the levels kept; nothing is written yet but that their locations were told.

    `rejects` were told between them and could not be read: a movement after one of its key has nothing to stand on, and where
    it did not even say its key, no movement has. `newest`: the highest position told with them.
    `answers`: the records answer a question that was asked after everything kept was merged. `ordered`: they came in their
    order and whole; else no movement can be added to what is kept. `stated_at`: where a full or a reading stands that tells them
    all, however old each of them is.
    """
    if not records and not rejects:
        return Merge({}, epoch)
    places = {(record.location, record.sku) for record in records}
    done = Merge(await kept_levels(scope, places), epoch, ordered)
    if epoch < await newest_epoch(scope, feed):
        # A retired epoch is old whatever its numbers say (r247/1, section 1, rule 2).
        done.stale = len(records)
        return done
    await _find_gaps(scope, feed, records, rejects, newest, done)
    judging = scope.policies.judging
    read_still = scope.rules.feeds
    for record in records:
        place = (record.location, record.sku)
        policy = judging.get(record.location)
        as_of = _believed_ms(record, scope.now_ms, done)
        kept = done.levels.get(place)
        gaps = done.gaps.get(place) if done.gaps else None
        gap = not ordered or (
            gaps is not None and kept is not None and _interrupted(gaps, kept.seq, record.seq)
        )
        over = answers or _is_orphaned(kept, feed, read_still)
        verdict, level = merge(
            kept,
            record,
            feed,
            epoch,
            policy,
            as_of,
            interrupted=gap,
            takes_over=over,
            stated_at=stated_at,
        )
        if verdict is Verdict.APPLIED or verdict is Verdict.UNCHANGED:
            if level is not None:
                done.levels[place] = done.changed[place] = level
            if verdict is Verdict.APPLIED:
                done.applied += 1
            else:
                done.unchanged += 1
            _note_besides(record, place, done)
        else:
            _set_aside(scope, feed, epoch, record, verdict, level, done)
    told = sorted({record.location for record in records} & judging.keys())
    await scope.tx.run_many("location_tell", [(location, feed, scope.now_ms) for location in told])
    return done


def _note_besides(record: StockRecord, place: tuple[str, str], done: Merge) -> None:
    """What a record that counts tells besides figures: orders that are in them, and goods to come."""
    if isinstance(record, Level):
        if record.orders_included:
            done.carrying.append(record)
        if record.expected is not None:
            done.expected[place] = record.expected
    elif isinstance(record, Removal):
        done.expected[place] = ""


def _is_orphaned(kept: KeptLevel | None, feed: str, read_still: Collection[str]) -> bool:
    """Whether a level was told by a feed that is not read any more, so that another one may take it over."""
    return kept is not None and kept.feed != feed and bool(read_still) and kept.feed not in read_still


def _believed_ms(record: StockRecord, now_ms: int, done: Merge) -> int | None:
    """When the figures count as taken: as told, unless that is to come. `done` keeps how far ahead the source's times are.

    They were taken before they came, whatever they say: a mistyped year would make every other feed's figures look older.
    """
    as_of = _captured_ms(record)
    if as_of is None:
        return None
    done.ahead_ms = max(done.ahead_ms or 0, as_of - now_ms)
    return as_of if as_of - now_ms <= CLOCKS_APART_MS else now_ms


def _captured_ms(record: StockRecord) -> int | None:
    """When the source took the figures that a record states, as far as it says so."""
    told = None
    if isinstance(record, Level):
        told = record.as_of
    elif isinstance(record, Movement) and record.states_balance:
        told = record.occurred_at
    return utc_ms(told) if told else None


async def _find_gaps(
    scope: Scope,
    feed: str,
    records: Sequence[StockRecord],
    rejects: Sequence[Reject],
    newest: int,
    done: Merge,
) -> None:
    """Where movements may not be applied: keys that wait for a level, and keys of which a record could not be read."""
    waiting = await scope.tx.row("resync_any")
    bare = {
        (record.sku, record.location)
        for record in records
        if isinstance(record, Movement) and not record.states_balance
    }
    if bare:
        gap = await scope.tx.row("feed_missed", (feed,))
        if gap is not None and gap[0] == done.epoch:
            # Up to there only a held full tells what happened, or nobody.
            for sku, location in bare:
                done.gaps.setdefault((location, sku), []).append(Gap(gap[1], whole=True))
    if bare and waiting is not None and waiting[0]:
        for sku, location, epoch, seq in await scope.tx.rows("resync_among", (feed, array(sorted(bare)))):
            if epoch == done.epoch:
                done.gaps.setdefault((location, sku), []).append(Gap(seq, whole=True))
    lost = [reject for reject in rejects if reject.stock]
    if lost:
        await _note_lost(scope, feed, lost, newest, bare, done)


async def _note_lost(
    scope: Scope, feed: str, lost: Sequence[Reject], newest: int, bare: set[tuple[str, str]], done: Merge
) -> None:
    """Stop movements over records that nobody could read; `bare`: keys (SKU, location) that come with such movements."""
    # One without a position stood somewhere between what was read before and what came with it, perhaps last.
    state = await scope.tx.row("feed", (feed,))
    behind = min(state[2] + 1, INT64_MAXIMUM) if state is not None and state[1] == done.epoch else 1
    unplaced = max(newest, behind, *(reject.seq or 0 for reject in lost))
    for reject in lost:
        seq = unplaced if reject.seq is None else reject.seq
        hole = Gap(seq, whole=reject.seq is None)
        if reject.sku is not None and reject.location is not None:
            done.gaps.setdefault((reject.location, reject.sku), []).append(hole)
            done.resync.append((reject.sku, reject.location, seq))
        elif reject.code != "unknown_type":
            done.lost_seq = max(done.lost_seq, seq)
            for sku, location in bare:
                done.gaps.setdefault((location, sku), []).append(hole)


def _interrupted(gaps: Iterable[Gap], kept_seq: int, seq: int) -> bool:
    """Whether a record of the key was set aside after what is kept and before this one."""
    return any(kept_seq < gap.seq and (gap.whole or gap.seq < seq) for gap in gaps)


async def _finish(scope: Scope, feed: str, done: Merge, touched: set[StockKey]) -> None:
    """Write what was gathered and recompute every key it touches."""
    tx = scope.tx
    if done.changed:
        await tx.run_many("level_put", list(done.changed.values()))
    if done.resync:
        await tx.run_many(
            "resync_put", [(feed, sku, place, done.epoch, seq) for sku, place, seq in done.resync]
        )
    if done.lost_seq:
        await tx.run("feed_gap_up_to", (done.epoch, done.lost_seq, feed))
    if done.changed or done.resync:
        await _settle_resyncs(scope, feed, done)
    if done.changed:
        await _heal(scope, feed, done)
    await note_expected(scope, done.expected)
    if done.carrying:
        touched |= await levels_carry_orders(scope, feed, done.epoch, done.carrying)
    keys = _keys_of(scope, feed, done)
    keys.update(dict.fromkeys(touched))
    await recompute(scope, keys, done.changed)
    await open_cases(tx, done.cases, scope.now_ms)


def _keys_of(scope: Scope, feed: str, done: Merge) -> dict[StockKey, None]:
    """The keys that changed levels fill; `done` gets the cases of levels that fill none."""
    by_location, kits = scope.policies.by_location, scope.policies.kits.by_sku
    keys: dict[StockKey, None] = {}
    unmapped: dict[str, int] = {}
    for (location, sku), level in done.changed.items():
        known = by_location.get(location)
        if known is not None:
            for place in known:
                keys[StockKey(place.channel, sku)] = None
            if sku in kits and all(kits[sku].sold_in(place.channel) for place in known):
                done.cases.append(_kit_case(feed, level, kits[sku]))
        elif location not in scope.policies.ignored:
            unmapped[location] = unmapped.get(location, 0) + 1
    done.cases.extend(_unmapped_case(feed, location, count) for location, count in unmapped.items())
    return keys


def _kit_case(feed: str, level: KeptLevel, kit: Kit) -> NewCase:
    """Archean tells a level of a SKU that is reckoned from its components."""
    subject = f"{level.sku} at {level.location}"
    figure = level.available if level.available is not None else level.on_hand
    reason = (
        f"Archean tells {'no figure' if figure is None else f'{figure} pieces'} of {subject}, which is configured as a kit of "
        f"{', '.join(sku for sku, _ in kit.components)}: this level is not sold, and the kit is offered as its components "
        "allow. Take it out of [kits] if it lies on the shelf as one, or have Archean tell its components only"
    )
    return NewCase(CaseKind.INVALID_RECORD, feed, subject, reason, code="level_of_a_kit")


async def finish_merge(scope: Scope, feed: str, done: Merge) -> None:
    """Write a merge that did not come in a batch: a snapshot's items, a single-key reading, a released level."""
    await _finish(scope, feed, done, set())


async def _settle_resyncs(scope: Scope, feed: str, done: Merge) -> None:
    waiting = await scope.tx.row("resync_any")
    if waiting is None:
        return
    # Only a new level, or a wish that an older record leaves behind, can settle any: the others need not be looked at.
    keys = {(sku, location) for location, sku in done.changed}
    keys |= {(sku, location) for sku, location, _ in done.resync}
    settled = await scope.tx.rows("resync_settled", (feed, array(sorted(keys))))
    await settle_overtaken(scope, feed, list(done.changed.values()))
    for sku, location in settled:
        subject = f"{sku} at {location}"
        note = "a newer level has arrived"
        await resolve_case(scope.tx, CaseKind.NEEDS_RESYNC, feed, subject, note, scope.now_ms)


async def _heal(scope: Scope, feed: str, done: Merge) -> None:
    """Close what a good record of the same key has made up for: unreadable ones, and levels held above the maximum."""
    waiting = await scope.tx.rows("case_healable", (feed,))
    if not waiting:
        return
    places = {f"{sku} at {location}" for location, sku in done.changed}
    skus = {sku for _, sku in done.changed}
    for kind, subject in waiting:
        # A subject is a key, or a key and what is wrong with its record; without a location any of the SKU's will do.
        named = {subject, subject.rsplit(" ", 1)[0]}
        if named & places or (" at " not in subject and named & skus):
            note = "a newer record of it was applied"
            await resolve_case(scope.tx, CaseKind(kind), feed, subject, note, scope.now_ms)


def _set_aside(
    scope: Scope,
    feed: str,
    epoch: int,
    record: StockRecord,
    verdict: Verdict,
    level: KeptLevel | None,
    done: Merge,
) -> None:
    if verdict is Verdict.STALE:
        done.stale += 1
        return
    done.rejected += 1
    if len(done.faults) < FAULTS_LIMIT:
        done.faults.append(RecordFault(verdict.value, sku=record.sku))
    subject = f"{record.sku} at {record.location}"
    # Movements that follow have nothing to stand on until a level comes at or after this one.
    done.resync.append((record.sku, record.location, record.seq))
    done.gaps.setdefault((record.location, record.sku), []).append(Gap(record.seq))
    if verdict is Verdict.RESYNC:
        reason = f"a movement of {subject} cannot be applied: no level of this epoch is known to apply it to"
        kept = done.levels.get((record.location, record.sku))
        if kept is not None and kept.lapsed:
            why = "its level is to be told anew (by a full, or singly), since its name or unit has changed or a full left it out"
            reason = f"a movement of {subject} cannot be applied: {why}"
        if not done.ordered:
            told = "came without the balance after it, by a way that promises no order: its level is awaited"
            reason = f"a movement of {subject} {told}"
        code = "no_baseline" if done.ordered else "unordered"
        done.cases.append(NewCase(CaseKind.NEEDS_RESYNC, feed, subject, reason, code=code))
    elif verdict is Verdict.OTHER_FEED:
        kept = done.levels[record.location, record.sku]
        reason = (
            f"{subject} was last told by feed {kept.feed}, and this record of feed {feed} does not say when its figures were "
            "taken (asOf), so nobody can tell which is newer; the level before stays"
        )
        done.cases.append(NewCase(CaseKind.NEEDS_RESYNC, feed, subject, reason, code="other_feed"))
    elif verdict is Verdict.HELD and level is not None:
        done.cases.append(_held_case(scope, feed, epoch, record, level, done))
    else:
        reason = f"the record about {subject} does not state the figure this location sells by, or leaves its range"
        done.cases.append(NewCase(CaseKind.INVALID_RECORD, feed, subject, reason, code="figure_not_stated"))


def _held_case(
    scope: Scope, feed: str, epoch: int, record: StockRecord, level: KeptLevel, done: Merge
) -> NewCase:
    """A level above what a person must see first; it is kept in the case exactly as it came."""
    subject = f"{record.sku} at {record.location}"
    location = scope.policies.by_location[record.location][0]
    policy = scope.policies.judging[record.location]
    before = done.levels.get((record.location, record.sku))
    was = None if before is None else before.figure(location.sellable)
    figure = level.figure(location.sellable)
    why = f"more than the channel's maximum of {policy.maximum}"
    if leaps(policy, was, figure or 0):
        why = f"more than {policy.maximum_factor} times the {was} pieces of before"
    reason = f"{figure} pieces of {subject} are {why}; the level before stays"
    payload = held_payload(feed, epoch, level, record)
    return NewCase(CaseKind.HELD_LEVEL, feed, subject, reason, payload, "above_maximum")


def held_payload(feed: str, epoch: int, level: KeptLevel, record: StockRecord) -> bytes:
    """A held level as the payload of its case, so that it can be applied later exactly as it came.

    Orders it names beyond what a payload holds are left out: they are proven by whatever comes later.
    """
    orders = record.orders_included if isinstance(record, Level) else ()
    told: dict[str, Any] = {
        "feed": feed,
        "epoch": epoch,
        "seq": level.seq,
        "sku": level.sku,
        "location": level.location,
        "onHand": level.on_hand,
        "available": level.available,
        "asOfMs": level.as_of_ms,
        "ordersThroughMs": level.orders_through_ms,
        "rev": level.rev,
        "ordersIncluded": list(orders),
    }
    payload = json.dumps(told).encode()
    return (
        payload
        if len(payload) <= PAYLOAD_LIMIT_BYTES
        else json.dumps({**told, "ordersIncluded": []}).encode()
    )


def held_level(payload: bytes) -> tuple[str, int, Level]:
    """The feed, the epoch's ordinal and the level of a held case's payload."""
    told = json.loads(payload)
    as_of = told["asOfMs"]
    level = Level(
        "",
        told["seq"],
        told["sku"],
        told["location"],
        told["onHand"],
        told["available"],
        as_of=None if as_of is None else rfc3339(as_of),
        rev=told["rev"],
        orders_included=tuple(told["ordersIncluded"]),
        orders_through_ms=told["ordersThroughMs"],
    )
    return told["feed"], told["epoch"], level


def _unmapped_case(feed: str, location: str, count: int) -> NewCase:
    told = f"{counted(count, 'level')} of the last batch {'is' if count == 1 else 'are'}"
    reason = f"{told} at the location {location}, which no supply channel is mapped to"
    return NewCase(CaseKind.LOCATION_UNMAPPED, feed, location, reason)


def reject_case(feed: str, reject: Reject) -> NewCase:
    """The case of a record that could not be read: one an SKU and fault, or one a place in the feed."""
    if reject.code == CaseKind.SKU_COLLISION:
        # Nothing of it is of the key that its name would be, whose next record must not close this.
        return NewCase(CaseKind.SKU_COLLISION, feed, reject.record_id or "", reject.reason, code=reject.code)
    seq = f"seq {reject.seq}" if reject.seq is not None else None
    subject = reject.sku or reject.place or reject.record_id or seq
    if reject.sku and reject.location:
        subject = f"{reject.sku} at {reject.location}"
    if subject is None:
        subject = f"line {reject.line}" if reject.line is not None else "a record"
    where = f" at {reject.path}" if reject.path else ""
    value = f" (it is {reject.value})" if reject.value else ""
    return NewCase(
        CaseKind.INVALID_RECORD,
        feed,
        f"{subject} {reject.code}",
        f"{reject.reason}{where}{value}",
        reject.payload,
        reject.code,
    )


def _reject_faults(rejects: Iterable[Reject]) -> list[RecordFault]:
    return [RecordFault(reject.code, reject.line, reject.sku) for reject in rejects]


async def _progress(scope: Scope, batch: Batch, epoch: int, outcome: Outcome, again: bool) -> None:
    current = await scope.tx.row("feed", (batch.feed,))
    retired = current is not None and epoch < current[1]
    newest = 0 if retired else max((record.seq for record in batch.records), default=0)
    alive: list[Record] = [record for record in batch.records if not isinstance(record, Heartbeat)]
    # An answer without news is no sign of life: a source may answer for ever and stand still (fault 118). Nor is another feed.
    ours = any(reject.code != "other_feed" for reject in batch.rejects)
    others = bool(batch.rejects) and not ours
    refused = batch.file is not None and bool(batch.file.code)
    told = (
        batch.records
        or ours
        or refused
        or ((current is None or current[0] != batch.checkpoint) and not others)
    )
    moved = current is not None and (batch.head_seq, batch.head_at) != (current[5], current[6])
    await scope.tx.run(
        "feed_progress",
        (
            batch.checkpoint,
            max(epoch, current[1] if current else 0),
            newest,
            batch.head_seq,
            batch.head_at,
            scope.now_ms if (told or moved) and not again else None,
            scope.now_ms if (alive or ours) and not again else None,
            outcome.read,
            outcome.applied,
            outcome.stale,
            outcome.rejected,
            batch.feed,
        ),
    )

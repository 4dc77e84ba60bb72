"""Learning orders into the store: heads and lines, their changes, and folding lines that are done for good."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from archsyncd.adapters.sqlite import advising, handing
from archsyncd.adapters.sqlite.as_ordered import late_as_ordered
from archsyncd.adapters.sqlite.cases import open_cases, resolve_case
from archsyncd.adapters.sqlite.codec import outbox_rows, put_outbox_rows
from archsyncd.adapters.sqlite.implying import stored
from archsyncd.adapters.sqlite.lines import (
    lines_as_handed_over,
    no_longer_unproven,
    open_lines,
    release_order,
)
from archsyncd.adapters.sqlite.moving import move_late
from archsyncd.adapters.sqlite.proofs import take_early
from archsyncd.adapters.sqlite.recompute import kept_levels, lines_of_orders, recompute
from archsyncd.adapters.sqlite.scope import Scope, array
from archsyncd.domain.cases import CaseKind, NewCase
from archsyncd.domain.handover import UNSENT, Stage
from archsyncd.domain.inventory import Order, StockKey
from archsyncd.domain.kit_lines import kit_of, reflected_of, shelf_places, shipped_of
from archsyncd.domain.ledger import Base
from archsyncd.domain.order import (
    CANCELLED,
    DELETED,
    ELSEWHERE,
    CountedLine,
    Trouble,
    count_lines,
    goods_of,
    is_final,
)
from archsyncd.domain.outbox import learnt_late, read_discarded, scheduled
from archsyncd.domain.rules import LearnRules

# Up to where orders that were folded are forgotten altogether.
FORGOTTEN = "forgotten"
ORDERS_SCOPE = "orders"
# What commercetools changes through an order shows on the entry up to 10 s later; a read before that proves nothing.
EFFECT_LAG_MS = 15_000


async def learn_orders(scope: Scope, orders: Sequence[Order], rules: LearnRules) -> int:
    """Take orders in, new or changed; how many were new. Everything else about them follows in the same transaction."""
    if scope.carrying is not None:
        orders = [goods_of(order, scope.carrying.not_goods) for order in orders]
    ids = array([order.id for order in orders])
    closed = {row[0] for row in await scope.tx.rows("closed_by_reference", (ids,))}
    known = {row[0]: row for row in await scope.tx.rows("heads_by_id", (ids,))}
    forgotten = await scope.tx.row("cursor", (FORGOTTEN,))
    touched: set[StockKey] = set()
    fresh = 0
    for order in orders:
        if order.id in closed:
            continue
        if order.id not in known and forgotten is not None and order.created_at_ms < forgotten[2]:
            # Orders were complete beyond it: it was folded, and a late change of it must not count it a second time.
            continue
        if order.id in known:
            if order.version > known[order.id][2]:
                touched |= await _change(scope, order, rules)
                await handing.changed(scope, order)
                if order.number != known[order.id][1]:
                    # What names its order by number finds it now.
                    await advising.order_met(
                        scope, order, ours=await handing.get(scope, order.id) is not None
                    )
        else:
            fresh += 1
            touched |= await _learn(scope, order, rules)
    await recompute(scope, touched)
    return fresh


async def _head(scope: Scope, order: Order, rules: LearnRules) -> None:
    await scope.tx.run(
        "head_put",
        (
            order.id,
            order.number,
            order.version,
            order.created_at_ms,
            order.order_state,
            int(is_final(order)),
            None,
            None,
            0,
            scope.now_ms,
            scope.now_ms + rules.lookup_after_ms,
            scope.now_ms + rules.refresh_after_ms,
        ),
    )


async def _counted(scope: Scope, order: Order, rules: LearnRules, *, known: bool) -> tuple[CountedLine, ...]:
    keys = {
        StockKey(channel, line.sku)
        for line in order.lines
        if line.sku is not None
        and (channel := rules.channel_keys.get(line.channel_id or "")) in scope.policies.channels
        and channel is not None
    }
    rows = await outbox_rows(scope, keys)
    created = {key: row.entry_created_ms for key, row in rows.items() if row.entry_created_ms is not None}
    lines, troubles = count_lines(order, rules.channel_keys, scope.policies, created)
    uncounted = [each for each in troubles if each.kind is CaseKind.ORDER_UNMAPPED_LINE]
    cases = [
        NewCase(each.kind, each.scope, each.subject, each.reason)
        for each in troubles
        if each.kind is not CaseKind.ORDER_UNMAPPED_LINE
    ]
    await open_cases(scope.tx, cases, scope.now_ms)
    if uncounted or known:
        await _tell_uncounted(scope, order, uncounted)
    return lines


async def _tell_uncounted(scope: Scope, order: Order, uncounted: Sequence[Trouble]) -> None:
    """One case an order, as long as something is still to happen with it: what has left needs nobody's hand."""
    carried = await handing.get(scope, order.id)
    held = carried is not None and carried.stage is Stage.HELD
    still = not is_final(order) and (carried is None or held or carried.stage in UNSENT)
    name = order.number or order.id
    if uncounted and still:
        more = f" (and {len(uncounted) - 1} more of its lines)" if len(uncounted) > 1 else ""
        case = NewCase(CaseKind.ORDER_UNMAPPED_LINE, ORDERS_SCOPE, name, f"{uncounted[0].reason}{more}")
        await open_cases(scope.tx, [case], scope.now_ms)
    elif not (held and still):
        # A held order has its case until it can go.
        note = "each of its lines can be counted now" if still else "nothing is left to be done for it"
        await _resolve_uncounted(scope, name, order.id, note)


async def _resolve_uncounted(scope: Scope, name: str, order_id: str, note: str) -> None:
    for subject in dict.fromkeys((name, order_id)):
        await resolve_case(scope.tx, CaseKind.ORDER_UNMAPPED_LINE, ORDERS_SCOPE, subject, note, scope.now_ms)


async def _learn(scope: Scope, order: Order, rules: LearnRules) -> set[StockKey]:
    if is_final(order) and order.created_at_ms < rules.settled_before_ms:
        # Counted nowhere, it is neutral: the entry that a base is read from shows it, and Archean's figures exclude it.
        await scope.tx.run("closed_put", (order.id, order.created_at_ms))
        await advising.order_met(scope, order, ours=False)
        return set()
    lines = await _counted(scope, order, rules, known=False)
    await _head(scope, order, rules)
    if not lines:
        await scope.tx.run("head_lookup_due", (None, order.id))
    reflected = order.created_at_ms < rules.reflected_before_ms
    await scope.tx.run_many(
        "line_put",
        [
            _line_row(order, line, released=reflected and line.tracked)
            for line in lines
            if not reflected or line.tracked
        ],
    )
    touched = {line.key for line in lines}
    touched |= await _counted_late(scope, order.id, touched)
    await _count_late(scope, _tracked_pieces(lines), order.created_at_ms)
    if reflected:
        await scope.tx.run("head_lookup_due", (None, order.id))
    if rules.hand_over_since_ms is not None:
        await handing.meet(scope, order, rules)
        await advising.order_met(scope, order, ours=await handing.get(scope, order.id) is not None)
    touched |= await take_early(scope, order.id, order.number)
    if order.order_state == CANCELLED and rules.restores_on_cancel:
        touched |= await _give_back(scope, order.id)
    return touched


async def _count_late(scope: Scope, pieces: Mapping[StockKey, int], created_ms: int) -> None:
    """Tracked pieces learnt after a provisional base was read that may show them (stock ledger, "Take-over")."""
    rows = await outbox_rows(scope, pieces) if pieces else {}
    after = {key: learnt_late(row, pieces[key], created_ms, scope.now_ms) for key, row in rows.items()}
    await put_outbox_rows(scope, [row for key, row in after.items() if row is not rows[key]])


def _tracked_pieces(lines: Iterable[CountedLine]) -> dict[StockKey, int]:
    pieces: dict[StockKey, int] = {}
    for line in lines:
        if line.tracked:
            pieces[line.key] = pieces.get(line.key, 0) + line.quantity
    return pieces


def _line_row(order: Order, line: CountedLine, *, released: bool) -> Sequence[Any]:
    return (
        line.key.channel,
        line.key.sku,
        order.id,
        line.line_id,
        line.quantity,
        int(line.tracked),
        order.created_at_ms,
        int(released),
    )


async def _change(scope: Scope, order: Order, rules: LearnRules) -> set[StockKey]:
    """An order changed in commercetools: its state always, its lines perhaps (an order edit)."""
    _, _, _, _, state, _, _, _, released, refused = (
        await scope.tx.rows("heads_by_id", (array([order.id]),))
    )[0]
    if released or (state == CANCELLED and rules.restores_on_cancel):
        # Its lines are given back: nothing of it is counted again.
        await _head(scope, order, rules)
        await _tell_uncounted(scope, order, ())
        return set()
    before = (await open_lines(scope, (order.id,))).get(order.id, [])
    await _head(scope, order, rules)
    lines = {(line.key, line.line_id): line for line in await _counted(scope, order, rules, known=True)}
    touched: set[StockKey] = set()
    moved = {line.line_id.partition(ELSEWHERE)[0] for line in before if ELSEWHERE in line.line_id}
    edited: set[StockKey] = set()
    parts: set[StockKey] = set()
    more: list[CountedLine] = []
    for line in before:
        if ELSEWHERE in line.line_id or line.line_id in moved:
            continue
        now = lines.pop((line.key, line.line_id), None)
        if now is None:
            await scope.tx.run("line_delete", (line.key.channel, line.key.sku, order.id, line.line_id))
            edited.add(line.key)
            parts |= line.touches
        elif now.quantity != line.quantity:
            kept = replace(now, tracked=line.tracked)
            await scope.tx.run("line_put", _line_row(order, kept, released=False))
            edited.add(line.key)
            if now.quantity > line.quantity:
                more.append(replace(kept, quantity=now.quantity - line.quantity))
    stated = order.created_at_ms < rules.reflected_before_ms
    added = [
        line for (_, line_id), line in lines.items() if line_id not in moved and (line.tracked or not stated)
    ]
    await scope.tx.run_many("line_put", [_line_row(order, line, released=False) for line in added])
    touched |= edited | {line.key for line in added}
    touched |= await _counted_late(scope, order.id, {line.key for line in added})
    touched |= await _limit_proofs(
        scope, order, [*more, *added], {line.line_id: line.quantity for line in before}
    )
    await _count_late(scope, _tracked_pieces([*more, *added]), order.created_at_ms)
    if order.order_state == CANCELLED and refused:
        touched |= await release_order(scope, order.id)
    if edited or added:
        await doubt_bases(scope, touched)
    touched |= parts
    if order.order_state == CANCELLED and rules.restores_on_cancel:
        touched |= await _give_back(scope, order.id)
    return touched


async def _counted_late(scope: Scope, order_id: str, keys: Collection[StockKey]) -> set[StockKey]:
    """Lines of what is sold under another name or elsewhere by now are counted there; the keys that this touches."""
    if not keys:
        return set()
    await late_as_ordered(scope, keys)
    return await move_late(scope, order_id)


async def _limit_proofs(
    scope: Scope, order: Order, grown: Iterable[CountedLine], before: Mapping[str, int]
) -> set[StockKey]:
    """Archean has an order as it was handed over: no word of it is about what an edit adds. The keys that this frees.

    `grown`: lines that are larger or new; `before`: pieces that lines had.
    """
    outgrown = await handing.outgrown(scope, order)
    if outgrown is None:
        return set()
    if not outgrown:
        return await lines_as_handed_over(scope, order.id)
    rows = [
        (before.get(line.line_id, 0), line.key.channel, line.key.sku, order.id, line.line_id)
        for line in grown
    ]
    await scope.tx.run_many("line_there", rows)
    return set()


async def forget_order(scope: Scope, order_id: str) -> None:
    """The order was deleted in commercetools: what that did to the entries is read off them anew.

    Its pieces stay counted until Archean has proven to have taken them, or does not know it: a deleted order may be on its
    way out of the warehouse.
    """
    heads = await scope.tx.rows("heads_by_id", (array([order_id]),))
    if not heads or heads[0][4] == DELETED:
        return
    keys = {line.key for line in (await open_lines(scope, (order_id,))).get(order_id, [])}
    await scope.tx.run("head_deleted", (DELETED, scope.now_ms, order_id))
    await handing.deleted(scope, order_id)
    await _resolve_uncounted(scope, heads[0][1] or order_id, order_id, "the order was deleted")
    if heads[0][9]:
        await release_order(scope, order_id)
    await doubt_bases(scope, keys)
    await recompute(scope, keys)


async def _give_back(scope: Scope, order_id: str) -> set[StockKey]:
    lines = (await open_lines(scope, (order_id,))).get(order_id, [])
    for line in lines:
        await scope.tx.run("line_delete", (line.key.channel, line.key.sku, order_id, line.line_id))
    await doubt_bases(scope, {line.key for line in lines})
    return {key for line in lines for key in line.touches}


async def doubt_bases(scope: Scope, keys: Iterable[StockKey], wait_ms: int = EFFECT_LAG_MS) -> None:
    """Nobody can say what these entries' stock rests on: provisional until a clean read of what is to come."""
    doubted = []
    for row in (await outbox_rows(scope, keys)).values():
        sure = row.base in {Base.PROVEN, Base.BOUNDED} and row.entry_id is not None
        base = Base.PROVISIONAL if sure else row.base
        unread = read_discarded(row, max(row.check_due_ms or 0, scope.now_ms + wait_ms))
        doubted.append(scheduled(replace(unread, base=base), scope.now_ms))
    await put_outbox_rows(scope, doubted)


async def recount_orders(scope: Scope) -> int:
    """Have every open order read and counted anew, since lines may count in other keys now; how many there are."""
    row = await scope.tx.row("heads_count")
    await scope.tx.run("heads_recount", (scope.now_ms,))
    return int(row[0]) if row else 0


async def fold_order(scope: Scope, order_id: str, *, final: bool) -> bool:
    """Fold an order whose lines are all reflected for good into one number a key; whether it was folded.

    Final: commercetools holds it done, or Archean has shipped or released every piece.
    """
    lines = (await open_lines(scope, (order_id,))).get(order_id, [])
    if not lines and not final:
        return False  # nothing of it counts by this mapping; by another one it may
    keys = {line.key for line in lines}
    places = shelf_places(
        keys, scope.policies, {key: [each for each in lines if each.key == key] for key in keys}
    )
    if any(row.read_at_ms is not None for row in (await outbox_rows(scope, keys)).values()):
        return False  # a read that waits for its judgement is judged by the lines as they are
    kept = await kept_levels(scope, places)
    levels = {place: stored(level) for place, level in kept.items()}
    counted = await lines_of_orders(scope, (order_id,))
    units: dict[StockKey, int] = {}
    for key in keys:
        if key.channel not in scope.policies.channels:
            return False
        for line in counted.get(key, ()):
            done = line.released or final or shipped_of(key, line, scope.policies) >= line.quantity
            if not done or reflected_of(key, line, scope.policies, levels) < line.quantity:
                return False
            if line.tracked:
                units[key] = units.get(key, 0) + line.quantity
    for key, pieces in units.items():
        await scope.tx.run("closed_add", (pieces, key.channel, key.sku))
    head = await scope.tx.row("heads_by_id", (array([order_id]),))
    await scope.tx.run("closed_put", (order_id, head[3] if head else scope.now_ms))
    await no_longer_unproven(scope, order_id, "it is proven now")
    await scope.tx.run("head_delete", (order_id,))
    return True


async def unproven_keys(scope: Scope, order_ids: Iterable[str]) -> dict[str, list[StockKey]]:
    """By order, the keys in which some piece that Archean can tell of is not yet proven to have left the warehouse's figure.

    Of a kit its components' keys: Archean tells of these.
    """
    policies = scope.policies
    lines = await lines_of_orders(scope, order_ids)
    kept = await kept_levels(scope, shelf_places(lines, policies, lines))
    levels = {place: stored(level) for place, level in kept.items()}
    found: dict[str, list[StockKey]] = {}
    for key, own in lines.items():
        if key.channel not in policies.channels:
            continue
        for line in own:
            if reflected_of(key, line, policies, levels) < line.provable:
                kit = kit_of(key, line, policies)
                skus = [key.sku] if kit is None else [sku for sku, _ in kit.components]
                seek = found.setdefault(line.order_id, [])
                seek.extend(at for sku in skus if (at := StockKey(key.channel, sku)) not in seek)
    return found

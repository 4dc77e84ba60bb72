"""Single steps of putting other rules, or another mode, in force. Decides no rule."""

from __future__ import annotations

from collections.abc import Sequence

from archsyncd.adapters.sqlite.connection import Transaction
from archsyncd.adapters.sqlite.handed_kits import tell_apart
from archsyncd.adapters.sqlite.history import keep_unbasing
from archsyncd.adapters.sqlite.recompute import recompute
from archsyncd.adapters.sqlite.scope import Scope, pairs
from archsyncd.domain.inventory import StockKey
from archsyncd.domain.pools import is_pooled
from archsyncd.domain.report import LedgerState
from archsyncd.domain.rules import past_text, policies_of_text
from archsyncd.domain.stock import LocationPolicy, Policies
from archsyncd.engine.ports import StoreTracked


async def forget_pools(scope: Scope) -> None:
    """Who waits for whom is reckoned anew by every set of rules, and which kits are what they were handed over as.

    What keys owe is so too, key by key: forgotten before that, it would be offered by others meanwhile. Only of keys that share
    nothing by these rules nobody would hear again.
    """
    owing = [StockKey(row[0], row[1]) for row in await scope.tx.rows("debts_all")]
    alone = [
        key
        for key in owing
        if key.channel not in scope.policies.channels or not is_pooled(key, scope.policies, past=True)
    ]
    await scope.tx.run("debts_drop", (pairs(alone),))
    await scope.tx.run("waits_clear")
    await tell_apart(scope, scope.policies.kits)


async def note_past(scope: Scope, policies: Policies) -> None:
    """Keep what was sold where by earlier rules, as long as any of it is not settled."""
    told = past_text(policies)
    if told is None:
        await scope.tx.run("pool_past_drop")
    else:
        await scope.tx.run("pool_past_put", told)


async def recompute_kits(keys: Sequence[StockKey], scope: Scope) -> int:
    """Reckon these kits, or what were kits, with their components; how many targets changed."""
    kits, past = scope.policies.kits, scope.policies.past_kits
    together = dict.fromkeys(keys)
    for key in keys:
        for each in (kits, past):
            kit = each.kit(key.channel, key.sku)
            if kit is not None:
                together.update(dict.fromkeys(StockKey(key.channel, sku) for sku, _ in kit.components))
    changed = await recompute(scope, together)
    for key in keys:
        if kits.kit(key.channel, key.sku) is None:
            await scope.tx.run("kit_drop", (key.channel, key.sku))
    return changed


async def above_maximum(location: LocationPolicy, maximum: int, tx: Transaction) -> int:
    """How many levels of a location lie above a maximum, in pieces."""
    wanted = {"location": location.location, "sells": location.sellable.value, "maximum": maximum}
    row = await tx.row("levels_above", wanted)
    return int(row[0]) if row else 0


async def begin_mode(tx: Transaction, state: LedgerState, now_ms: int, *, tracked: bool) -> None:
    """Refuse a mode that the file's figures deny; where it is another one than before, every entry is looked at anew.

    Pieces that commercetools took from its entries count as reflected for good: an absolute figure would put them back on sale.
    An entry that was written untracked bears no marker, and shows orders that were counted as if it did not.
    """
    if not state.in_force or policies_of_text(state.in_force).tracked is tracked:
        return
    if not tracked and await tx.row("tracked_any") is not None:
        raise StoreTracked("orders are counted that commercetools took from its entries")
    await keep_unbasing(tx, now_ms)
    await tx.run("outbox_unbase_all")

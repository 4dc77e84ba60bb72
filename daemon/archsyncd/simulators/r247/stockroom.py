"""What lies where: holdings, the movements that change them and the records that tell of it; knows no order's state."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from archsyncd.simulators.r247.config import Movements, R247Config
from archsyncd.simulators.r247.log import FeedLog, stamp

INCLUDED_KEPT = 200
# Pieces of `available` and of `on_hand`.
Moved: TypeAlias = tuple[int, int]
NOTHING: Moved = (0, 0)


class Refused(Exception):
    """The warehouse does not do this. `code` is stable and short, `lines` names what is wrong where it is known."""

    def __init__(self, code: str, detail: str, lines: tuple[dict[str, Any], ...] = ()) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.lines = lines


@dataclass(slots=True)
class Holding:
    """One SKU at one location, in pieces. `effects`: by order, what it has moved of (`available`, `on_hand`), where it has."""

    on_hand: int = 0
    allocated: int = 0
    picked: int = 0
    unavailable: int = 0
    effects: dict[str, Moved] = field(default_factory=dict)
    last_seq: int | None = None
    included: dict[str, None] = field(default_factory=dict)

    @property
    def available(self) -> int:
        """What may still be sold; negative when more is allocated than lies there."""
        return self.on_hand - self.allocated - self.unavailable


@dataclass(frozen=True, slots=True)
class Change:
    """A change of one holding. `order_id` is set when an order causes it, None for everything else."""

    sku: str
    location: str
    on_hand: int = 0
    allocated: int = 0
    picked: int = 0
    unavailable: int = 0
    order_id: str | None = None


class JournalEntry(NamedTuple):
    """What a holding did, for the judge: `available` and `on_hand` moved so far at `at_ms`, told at `seq` of the epoch."""

    at_ms: int
    epoch_ordinal: int
    seq: int
    sku: str
    location: str
    available: int
    on_hand: int
    cause: str
    order_id: str | None


class HoldingFigures(NamedTuple):
    """A holding's (`available`, `on_hand`), and what of them each order caused."""

    figures: Moved
    effects: dict[str, Moved]


class Stockroom:
    """Holdings by (SKU, location); every change is journalled and told by level or movement records."""

    def __init__(self, config: R247Config, log: FeedLog) -> None:
        self._config = config
        self._log = log
        self.holdings: dict[tuple[str, str], Holding] = {}
        self.skus: set[str] = set()
        self.journal: list[JournalEntry] = []
        self.through_ms: int | None = None
        # In which unit a SKU is counted here; pieces where it does not say.
        self.units: dict[str, str] = {}
        # What is on order, by SKU and location, as levels tell it; nothing is told of any other.
        self.future: dict[tuple[str, str], list[dict[str, Any]]] = {}

    def holding(self, sku: str, location: str) -> Holding:
        """Return the holding. Raises Refused unknown_sku or unknown_location."""
        found = self.holdings.get((sku, location))
        if found is not None:
            return found
        if location not in self._config.locations:
            raise Refused("unknown_location", f"{location!r} is not a location here")
        if sku not in self.skus:
            raise Refused("unknown_sku", "the SKU is not kept here")
        return self.holdings.setdefault((sku, location), Holding())

    def seed(self, sku: str, location: str, on_hand: int, unavailable: int = 0) -> None:
        """Put stock there before opening: journalled, not told."""
        self.skus.add(sku)
        holding = self.holding(sku, location)
        available, lay_there = holding.available, holding.on_hand
        holding.on_hand, holding.unavailable = on_hand, unavailable
        moved = (holding.available - available, on_hand - lay_there)
        self._journal(Change(sku, location), moved, "seed", self._log.head_seq)

    def apply(self, changes: Iterable[Change], reason: str, ref: str | None = None) -> int | None:
        """Do all changes at once, then tell the new state of every touched holding. Return the first seq told."""
        net: dict[tuple[str, str], Change] = {}
        for change in changes:
            key = (change.sku, change.location)
            self.holding(*key)
            net[key] = _sum(net.get(key), change)
        for change in net.values():
            self.alter(change)
        return self._tell(net, reason, ref)

    def alter(self, change: Change) -> None:
        """Change the figures without a record or a journal entry."""
        holding = self.holding(change.sku, change.location)
        holding.on_hand += change.on_hand
        holding.allocated += change.allocated
        holding.picked += change.picked
        holding.unavailable += change.unavailable
        if change.order_id is not None:
            effect = _plus(holding.effects.pop(change.order_id, NOTHING), _moved(change))
            if any(effect):
                holding.effects[change.order_id] = effect

    def _tell(self, net: dict[tuple[str, str], Change], reason: str, ref: str | None) -> int | None:
        first: int | None = None
        for key, change in net.items():
            holding = self.holdings[key]
            seqs = self._tell_one(change, holding, reason, ref)
            holding.last_seq = seqs[-1]
            first = seqs[0] if first is None else first
            self._journal(change, _moved(change), reason, seqs[-1])
        return first

    def _tell_one(self, change: Change, holding: Holding, reason: str, ref: str | None) -> list[int]:
        seqs = self._movements(change, holding, reason, ref)
        # An accepted order promises a level after it, whatever the style (r247/1, section 1).
        if not seqs or change.order_id is not None:
            seqs.append(self._level(change.sku, change.location, holding))
        return seqs

    def _level(self, sku: str, location: str, holding: Holding) -> int:
        fields = self.level_fields(sku, location, holding)
        return self._log.append("stock.level", fields, location=location)

    def tell_level(self, sku: str, location: str) -> int:
        """Tell a holding as it is; return the seq."""
        return self._level(sku, location, self.holding(sku, location))

    def recount(self, sku: str, location: str, on_hand: int) -> int:
        """Count a holding; a level is told even when nothing differs."""
        holding = self.holding(sku, location)
        delta = on_hand - holding.on_hand
        if delta:
            told = self.apply([Change(sku, location, on_hand=delta)], "count")
            assert told is not None
            return told
        holding.last_seq = self._level(sku, location, holding)
        return holding.last_seq

    def remove(self, sku: str, location: str) -> int:
        """Stop keeping a SKU at a location: a tombstone."""
        holding = self.holding(sku, location)
        del self.holdings[sku, location]
        seq = self._log.append("stock.removed", {"sku": sku, "location": location}, location=location)
        self._journal(Change(sku, location), (-holding.available, -holding.on_hand), "removed", seq)
        return seq

    def include(self, order_id: str, keys: Iterable[tuple[str, str]]) -> None:
        """Remember that these holdings' `available` accounts for the order."""
        for key in keys:
            included = self.holding(*key).included
            included[order_id] = None
            if len(included) > INCLUDED_KEPT:
                del included[next(iter(included))]

    def exclude(self, order_id: str, keys: Iterable[tuple[str, str]]) -> None:
        """Forget it again, when the order's stock came back."""
        for key in keys:
            self.holding(*key).included.pop(order_id, None)

    def level_fields(self, sku: str, location: str, holding: Holding) -> dict[str, Any]:
        """Build a `stock.level` record's own fields, with the proofs this source offers."""
        figures = {"onHand": holding.on_hand, "available": holding.available}
        fields: dict[str, Any] = {"sku": sku, "location": location}
        fields |= {name: figures[name] for name in self._config.figures}
        fields |= {"allocated": holding.allocated, "picked": holding.picked}
        fields |= {"unavailable": holding.unavailable, "asOf": stamp(self._log.now_ms())}
        fields["uom"] = self.units.get(sku, "EA")
        if (sku, location) in self.future:
            fields["future"] = self.future[sku, location]
        if self._config.reflection.lists_orders:
            fields["ordersIncluded"] = list(holding.included)
        if self._config.reflection.tells_through and self.through_ms is not None:
            fields["ordersThrough"] = stamp(self.through_ms)
        return fields

    def _movements(self, change: Change, holding: Holding, reason: str, ref: str | None) -> list[int]:
        if self._config.movements is Movements.NONE:
            return []
        balance = {"onHand": holding.on_hand, "available": holding.available}
        deltas = {
            "onHand": change.on_hand,
            "available": change.on_hand - change.allocated - change.unavailable,
        }
        seqs = []
        for figure in self._config.figures:
            if not deltas[figure]:
                continue
            fields: dict[str, Any] = {"sku": change.sku, "location": change.location}
            fields |= {"delta": deltas[figure], "state": figure, "reason": reason, "ref": ref}
            if change.sku in self.units:
                fields["uom"] = self.units[change.sku]
            if self._config.movements is Movements.BALANCE:
                fields["balanceAfter"] = {name: balance[name] for name in self._config.figures}
            seqs.append(self._log.append("stock.movement", fields, location=change.location))
        return seqs

    def _journal(self, change: Change, moved: Moved, cause: str, seq: int) -> None:
        if any(moved):
            at_ms, ordinal = self._log.now_ms(), self._log.epoch_ordinal
            entry = (at_ms, ordinal, seq, change.sku, change.location, *moved, cause, change.order_id)
            self.journal.append(JournalEntry(*entry))

    def figures(self) -> dict[tuple[str, str], HoldingFigures]:
        """Every holding's figures now, for `journal_restore`."""
        return {key: _figures(holding) for key, holding in self.holdings.items()}

    def journal_restore(self, before: dict[tuple[str, str], HoldingFigures]) -> None:
        """Journal what a restored state changed, given the figures before it."""
        nothing = _figures(Holding())
        for sku, location in before.keys() | self.holdings.keys():
            old, new = before.get((sku, location), nothing), nothing
            if (sku, location) in self.holdings:
                new = _figures(self.holdings[sku, location])
            external = _plus(new.figures, old.figures, -1)
            for order_id in old.effects.keys() | new.effects.keys():
                effect = _plus(new.effects.get(order_id, NOTHING), old.effects.get(order_id, NOTHING), -1)
                external = _plus(external, effect, -1)
                self._journal(
                    Change(sku, location, order_id=order_id), effect, "forgotten", self._log.head_seq
                )
            self._journal(Change(sku, location), external, "restore", self._log.head_seq)


def _figures(holding: Holding) -> HoldingFigures:
    return HoldingFigures((holding.available, holding.on_hand), dict(holding.effects))


def _moved(change: Change) -> Moved:
    return change.on_hand - change.allocated - change.unavailable, change.on_hand


def _plus(first: Moved, second: Moved, sign: int = 1) -> Moved:
    return first[0] + second[0] * sign, first[1] + second[1] * sign


def _sum(first: Change | None, second: Change) -> Change:
    if first is None:
        return second
    return Change(
        second.sku,
        second.location,
        first.on_hand + second.on_hand,
        first.allocated + second.allocated,
        first.picked + second.picked,
        first.unavailable + second.unavailable,
        first.order_id,
    )

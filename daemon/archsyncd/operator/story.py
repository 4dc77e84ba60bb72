"""One SKU's story: its levels, the ledger line by line with its arithmetic checked, its entry, orders and cases. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from archsyncd.domain.feed import Figure, Position
from archsyncd.domain.inventory import StockKey
from archsyncd.domain.kit_lines import component_lines, kit_line, kit_of, reflected_of
from archsyncd.domain.kits import Components
from archsyncd.domain.ledger import Figures, Line, Proof, figures, holds
from archsyncd.domain.merge import KeptLevel
from archsyncd.domain.outbox import OutboxRow
from archsyncd.domain.pools import is_pooled
from archsyncd.domain.priority import DueClass
from archsyncd.domain.report import KeyStory
from archsyncd.domain.rules import Rules
from archsyncd.domain.stock import ChannelPolicy, StoredLevel
from archsyncd.domain.times import rfc3339
from archsyncd.operator.pool_story import Beside, PoolStory
from archsyncd.operator.status import CLASS_NAMES

LINES_LIMIT = 100
PROOFS_LIMIT = 20


@dataclass(frozen=True, slots=True)
class Check:
    """One piece of arithmetic done again from what lies beneath: whether it agrees, and in words."""

    name: str
    ok: bool
    says: str


class Story:
    """A SKU's rows, read in one look, as values of the domain."""

    def __init__(self, found: KeyStory, rules: Rules) -> None:
        self.found = found
        self.rules = rules
        shelf = {(row[0], row[1]): _stored(KeptLevel(*row)) for row in (*found.levels, *found.shelf)}
        self.levels = {name: level for (name, sku), level in shelf.items() if sku == found.sku}
        self._shelf = shelf
        debts = {StockKey(row[0], row[1]): int(row[2]) for row in found.debts}
        rows = {row.key: row for row in found.beside}
        self._pools = PoolStory(rules.policies, Beside(shelf, rows, debts))
        self.heads = {row[0]: row for row in found.heads}
        self.answered: dict[str, int] = {row[0]: row[1] for row in found.answered}
        self.lines = list(_lines(found.lines, found.proofs, found.handed))

    @property
    def empty(self) -> bool:
        """Whether nothing at all is known of the SKU."""
        return not (self.found.levels or self.found.rows or self.found.lines or self.found.cases)

    def policy(self, channel: str) -> ChannelPolicy | None:
        """The channel's rules for this SKU, None when no location fills it any more."""
        found = self.rules.policies.channels.get(channel)
        return None if found is None else found.of(self.found.sku)

    def reckoned(self, row: OutboxRow) -> Figures | None:
        """The key's figures, reckoned anew from levels and lines."""
        policy = self.policy(row.key.channel)
        if policy is None:
            return None
        lines = [line for key, line in self.lines if key == row.key]
        handed = row.key in self.found.taken or any(line.made_of for line in lines)
        if handed or is_pooled(row.key, self.rules.policies):
            return self._pools.reckoned(row, lines, taken=row.key in self.found.taken)
        own = {name: self.levels[name] for name in policy.locations if name in self.levels}
        return figures(policy, own, lines, row.closed, self.rules.policies.withheld)

    def told(self, now_ms: int) -> dict[str, Any]:
        """Everything but the cases, as plain values."""
        return {
            "sku": self.found.sku,
            "levels": [self._level(level) for level in self.levels.values()],
            "keys": [self._key(row, now_ms) for row in self.found.rows],
            "lines": [self._line(key, line) for key, line in self.lines[:LINES_LIMIT]],
            "lines_total": len(self.lines),
        }

    def _level(self, level: StoredLevel) -> dict[str, Any]:
        sold = self.rules.policies.by_location.get(level.location, ())
        location = sold[0] if sold else None
        stated = level.figure(location.sellable) if location else None
        return {
            "location": level.location,
            "channel": ", ".join(each.channel for each in sold) or None,
            "sells": location.sellable.value if location else None,
            "counts": stated - location.buffer if location and stated is not None else None,
            "buffer": location.buffer if location else 0,
            "withheld": level.location in self.rules.policies.withheld,
            "feed": level.feed,
            "epoch": level.position.epoch,
            "seq": level.position.seq,
            "on_hand": level.on_hand,
            "available": level.available,
            "as_of": _time(level.as_of_ms),
        }

    def _key(self, row: OutboxRow, now_ms: int) -> dict[str, Any]:
        checks = checked(row, self.reckoned(row))
        return {
            "channel": row.key.channel,
            "rule": self._rule(row.key.channel),
            "f": row.f,
            "reflected": row.refl,
            "untracked": row.ntrk,
            "closed": row.closed,
            "known": row.known,
            "x_target": row.x_target,
            "x_applied": row.x_applied,
            "base": row.base.value,
            "parked": row.parked,
            "attempts": row.attempts,
            "entry": _entry(row, self.answered.get(row.key.channel)),
            "operation": _operation(row),
            "waiting": _waiting(row, now_ms),
            "made_of": list(self._pools.made_of(row.key)) if self.policy(row.key.channel) else [],
            "waits_for": self._waits_for(row),
            "sentence": sentence(row),
            "checks": [{"name": check.name, "ok": check.ok, "says": check.says} for check in checks],
            "adds_up": all(check.ok for check in checks),
        }

    def _rule(self, channel: str) -> str | None:
        found = self.rules.policies.channels.get(channel)
        rule = None if found is None else found.skus.of(self.found.sku)
        return None if rule is None else str(rule)

    def _waits_for(self, row: OutboxRow) -> list[str]:
        """Keys that must be down to their part before this one's increase goes, in words."""
        if row.due_class is None or row.due_class < DueClass.INCREASE_FROM_ZERO:
            return []
        return [
            f"{sku} in {channel}, which may show {'nobody can say how many' if pieces is None else pieces} beyond its part, or "
            "sold them before it fell"
            for own, _, channel, sku, pieces, _ in self.found.waits
            if own == row.key.channel
        ]

    def _line(self, key: StockKey, line: Line) -> dict[str, Any]:
        policy, head = self.policy(key.channel), self.heads.get(line.order_id)
        return {
            "order": line.order_id,
            "number": head[1] if head else None,
            "state": head[4] if head else None,
            "line": line.line_id,
            "channel": key.channel,
            "quantity": line.quantity,
            "tracked": line.tracked,
            "released": line.released,
            "reflected": reflected_of(key, line, self.rules.policies, self._shelf),
            "created": _time(line.created_ms),
            "accepted": _time(line.accepted_ms),
            "proofs": self._proofs(key, line, policy)[:PROOFS_LIMIT],
        }

    def _proofs(self, key: StockKey, line: Line, policy: ChannelPolicy | None) -> list[dict[str, Any]]:
        """What was told of a line; of a kit's, component by component."""
        kit = kit_of(key, line, self.rules.policies)
        parts = (
            [(key.sku, line)]
            if kit is None
            else [(part.sku, part.line) for part in component_lines(line, kit)]
        )
        return [self._proof(proof, policy, sku) for sku, part in parts for proof in part.proofs]

    def _proof(self, proof: Proof, policy: ChannelPolicy | None, sku: str) -> dict[str, Any]:
        places = (proof.location,) if proof.location else tuple(policy.locations) if policy else ()
        covered = policy is not None and all(self._covers(proof, policy, place, sku) for place in places)
        return {
            "feed": proof.feed,
            "epoch": proof.position.epoch,
            "seq": proof.position.seq,
            "figure": proof.figure.value,
            "quantity": proof.quantity,
            "location": proof.location,
            "source": proof.source or None,
            "holds": bool(places) and covered,
        }

    def _covers(self, proof: Proof, policy: ChannelPolicy, place: str, sku: str) -> bool:
        location, level = policy.locations.get(place), self._shelf.get((place, sku))
        return location is not None and level is not None and holds(proof, level, location.sellable)


def _stored(level: KeptLevel) -> StoredLevel:
    return StoredLevel(
        level.location,
        level.feed,
        Position(level.epoch, level.seq),
        level.on_hand,
        level.available,
        level.as_of_ms,
        level.orders_through_ms,
    )


def _lines(
    rows: Iterable[Sequence[Any]],
    proof_rows: Iterable[Sequence[Any]],
    handed: Mapping[tuple[str, str], Components],
) -> Iterable[tuple[StockKey, Line]]:
    proofs: dict[tuple[str, str], list[Proof]] = {}
    parts: dict[tuple[str, str], list[tuple[str, Proof]]] = {}
    for order_id, line_id, location, figure, source, feed, epoch, seq, quantity in proof_rows:
        proof = Proof(feed, Position(epoch, seq), Figure(figure), quantity, location or None, source)
        proofs.setdefault((order_id, line_id), []).append(proof)
        if kit_line(line_id) != line_id:
            parts.setdefault((order_id, kit_line(line_id)), []).append((line_id, proof))
    for channel, sku, order_id, line_id, quantity, tracked, released, created, accepted, there in rows:
        own = tuple(proofs.get((order_id, line_id), ()))
        told = tuple(parts.get((order_id, line_id), ()))
        line = Line(
            order_id,
            line_id,
            quantity,
            bool(tracked),
            own,
            bool(released),
            created,
            accepted,
            there,
            told,
            handed.get((order_id, line_id), ()),
        )
        yield StockKey(channel, sku), line


def checked(row: OutboxRow, reckoned: Figures | None) -> tuple[Check, ...]:
    """Do a key's arithmetic again: from levels to f, from lines to the units, from both to X."""
    total = row.f + row.refl - row.ntrk
    sums = Check(
        "x", total == row.x_target, f"{row.f} + {row.refl} − {row.ntrk} = {total}, booked {row.x_target}"
    )
    if reckoned is None:
        return (sums,)
    pairs: Mapping[str, tuple[str, int, int]] = {
        "f": ("the levels give f", reckoned.f, row.f),
        "reflected": ("the lines give reflected", reckoned.refl, row.refl),
        "untracked": ("the lines give untracked", reckoned.ntrk, row.ntrk),
        "known": ("the lines give orders known", reckoned.known, row.known),
    }
    again = tuple(
        Check(name, found == booked, f"{says} {found}, booked {booked}")
        for name, (says, found, booked) in pairs.items()
    )
    return (*again, sums)


def sentence(row: OutboxRow) -> str:
    """The ledger of one key in one line, from the warehouse's figure to what commercetools should show."""
    ledger = (
        f"{row.f} by the levels + {row.refl} of orders that they left out − {row.ntrk} of orders that commercetools does not "
        f"count = {row.x_target} before orders"
    )
    if row.applied is None:
        return f"{ledger}; nothing applied yet, {row.known} of known orders → commercetools is to show {row.x_target - row.known}"
    shows, wanted = row.applied - row.known, row.x_target - row.known
    late = f" + {row.late} of orders learnt late" if row.late else ""
    told = f"{ledger}; {row.x_applied} applied{late} − {row.known} of known orders → commercetools should show {shows}"
    operation = row.operation
    if operation is not None:
        doubt = ", outcome unknown" if row.in_doubt else ""
        told += f"; {operation.delta:+d} in flight ({operation.op_id}{doubt})"
    return told if shows == wanted else f"{told}, to become {wanted}"


def _entry(row: OutboxRow, answered_ms: int | None) -> dict[str, Any] | None:
    """The entry as booked: nobody has looked at it for this."""
    if row.entry_id is None:
        return None
    return {
        "id": row.entry_id,
        "version": row.version,
        "created": _time(row.entry_created_ms),
        "shows": None if row.applied is None else row.applied - row.known,
        "wanted": row.x_target - row.known,
        "answered": _time(max(answered_ms or 0, row.read_at_ms or 0)),
    }


def _operation(row: OutboxRow) -> dict[str, Any] | None:
    operation = row.operation
    if operation is None:
        return None
    return {
        "id": operation.op_id,
        "kind": row.op_kind.value if row.op_kind else None,
        "delta": operation.delta,
        "base": operation.base,
        "in_doubt": row.in_doubt,
        "superseded": list(row.superseded),
    }


def _waiting(row: OutboxRow, now_ms: int) -> dict[str, Any] | None:
    if row.due_class is None:
        return None
    since = row.since_ms or now_ms
    names = {int(due_class): name for due_class, name in CLASS_NAMES.items()}
    return {
        "class": row.due_class,
        "name": names.get(row.due_class, ""),
        "seconds": round(max(now_ms - since, 0) / 1000, 1),
    }


def _time(at_ms: int | None) -> str | None:
    return rfc3339(at_ms) if at_ms else None

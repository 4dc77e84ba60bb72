"""The ledger kept on paper: one key at a time, in memory, from the pure functions alone. Knows nothing of storage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from archsyncd.domain.feed import (
    Figure,
    Fulfilment,
    Level,
    LineShare,
    Movement,
    OrderAccepted,
    OrderCancelled,
    Position,
    Record,
    Removal,
)
from archsyncd.domain.inventory import Order, StockKey
from archsyncd.domain.ledger import Figures, Line, Proof, figures
from archsyncd.domain.merge import KeptLevel, merge
from archsyncd.domain.order import CountedLine, assign, count_lines
from archsyncd.domain.stock import Policies, StoredLevel
from archsyncd.domain.times import utc_ms
from tests.domain.nouns import CHANNEL_IDS


@dataclass
class PaperLedger:
    """What the store keeps, as plain dictionaries: levels by place, lines by key, epochs by first sight."""

    policies: Policies
    entry_born_ms: dict[StockKey, int] = field(default_factory=dict)
    levels: dict[tuple[str, str], KeptLevel] = field(default_factory=dict)
    lines: dict[tuple[StockKey, str, str], Line] = field(default_factory=dict)
    epochs: dict[str, list[str]] = field(default_factory=dict)

    def learn(self, order: Order) -> None:
        counted, _ = count_lines(order, CHANNEL_IDS, self.policies, self.entry_born_ms)
        for one in counted:
            line = Line(order.id, one.line_id, one.quantity, one.tracked, (), created_ms=order.created_at_ms)
            self.lines[one.key, order.id, one.line_id] = line

    def read(self, feed: str, epoch_name: str, records: Sequence[Record]) -> None:
        epoch = self._epoch(feed, epoch_name)
        for record in records:
            match record:
                case Level() | Movement() | Removal():
                    self._merge(feed, epoch, record)
                case OrderAccepted():
                    position = Position(epoch, record.seq)
                    self._prove(record.order_id, record.lines, feed, position, Figure.AVAILABLE, "")
                case Fulfilment(status="shipped"):
                    shares = [
                        replace(told, location=told.location or record.location) for told in record.lines
                    ]
                    position = Position(epoch, record.seq)
                    self._prove(record.order_id, shares, feed, position, Figure.ON_HAND, record.fulfilment_id)
                case OrderCancelled():
                    self._release(record.order_id)
                case _:
                    pass

    def figures(self, key: StockKey) -> Figures:
        policy = self.policies.channels[key.channel]
        levels = {
            name: _stored(self.levels[name, key.sku])
            for name in policy.locations
            if (name, key.sku) in self.levels
        }
        lines = [line for (at, _, _), line in self.lines.items() if at == key]
        return figures(policy, levels, lines, 0, self.policies.withheld)

    def _epoch(self, feed: str, name: str) -> int:
        names = self.epochs.setdefault(feed, [])
        if name not in names:
            names.append(name)
            for place, line in self.lines.items():
                kept = tuple(proof for proof in line.proofs if proof.feed != feed)
                self.lines[place] = replace(line, proofs=kept)
        return names.index(name) + 1

    def _merge(self, feed: str, epoch: int, record: Level | Movement | Removal) -> None:
        place = (record.location, record.sku)
        policy = self.policies.judging.get(record.location)
        as_of = utc_ms(record.as_of) if isinstance(record, Level) and record.as_of else None
        verdict, kept = merge(self.levels.get(place), record, feed, epoch, policy, as_of)
        if kept is not None and verdict.value in {"applied", "unchanged"}:
            self.levels[place] = kept
        for name in record.orders_included if isinstance(record, Level) else ():
            self._prove(name, (), feed, Position(epoch, record.seq), Figure.AVAILABLE, "")

    def _prove(
        self,
        order_id: str | None,
        shares: Sequence[LineShare],
        feed: str,
        position: Position,
        figure: Figure,
        source: str,
    ) -> None:
        whole = figure is Figure.AVAILABLE and not shares
        own = {place: line for place, line in self.lines.items() if place[1] == order_id}
        counted = [
            CountedLine(place[0], line.line_id, line.quantity, line.tracked) for place, line in own.items()
        ]
        parts = assign(shares, counted, {}, self.policies)
        for place, line in own.items():
            if whole:
                at = self.policies.channels[place[0].channel].place_of(None)
                proofs = [Proof(feed, position, figure, line.quantity, at, source)]
            else:
                proofs = [
                    Proof(feed, position, figure, part.pieces, part.location, source)
                    for part in parts
                    if part.line_id == line.line_id
                ]
            self.lines[place] = replace(line, proofs=(*line.proofs, *proofs))

    def _release(self, order_id: str | None) -> None:
        for place in [place for place in self.lines if place[1] == order_id]:
            if self.lines[place].tracked:
                self.lines[place] = replace(self.lines[place], released=True)
            else:
                del self.lines[place]


def _stored(kept: KeptLevel) -> StoredLevel:
    return StoredLevel(
        kept.location,
        kept.feed,
        Position(kept.epoch, kept.seq),
        kept.on_hand,
        kept.available,
        kept.as_of_ms,
        kept.orders_through_ms,
    )

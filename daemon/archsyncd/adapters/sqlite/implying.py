"""Proofs that levels imply of lines, and levels and proofs as rows. Writes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from archsyncd.adapters.sqlite.scope import Scope
from archsyncd.domain.feed import Position
from archsyncd.domain.ledger import Line, Proof
from archsyncd.domain.merge import KeptLevel
from archsyncd.domain.order import implied_proofs
from archsyncd.domain.stock import ChannelPolicy, StoredLevel

# (location, SKU), and what is reckoned of a key: f, refl, ntrk, known.
Place: TypeAlias = tuple[str, str]
Levels: TypeAlias = Mapping[Place, KeptLevel]
Reckoned: TypeAlias = tuple[int, int, int, int]


@dataclass(slots=True)
class Found:
    """What reckoning keys finds beside their figures: proofs to keep, and orders of which a piece is unproven."""

    proofs: list[Sequence[Any]] = field(default_factory=list)
    unproven: set[str] = field(default_factory=set)


def stored(level: KeptLevel) -> StoredLevel:
    """A kept level as the ledger sees it."""
    return StoredLevel(
        level.location,
        level.feed,
        Position(level.epoch, level.seq),
        level.on_hand,
        level.available,
        level.as_of_ms,
        level.orders_through_ms,
    )


def implied_of(
    line: Line,
    policy: ChannelPolicy,
    levels: Mapping[str, StoredLevel],
    arrived: Sequence[str],
    scope: Scope,
    found: list[Sequence[Any]],
) -> tuple[Proof, ...]:
    """What levels imply of a line and was not known of it; `found` gets the rows that keep it."""
    seconds = scope.policies.reflection_seconds
    extra = implied_proofs(line, policy, levels, seconds, scope.now_ms, arrived)
    fresh = tuple(proof for proof in extra if not _has(line, proof))
    found.extend(proof_row(line.order_id, line.line_id, proof) for proof in fresh)
    return fresh


def with_implied(
    lines: Iterable[Line],
    policy: ChannelPolicy,
    levels: Mapping[str, StoredLevel],
    arrived: Sequence[str],
    scope: Scope,
    found: list[Sequence[Any]],
) -> list[Line]:
    """Lines with what levels imply of them."""
    counted = []
    for line in lines:
        fresh = implied_of(line, policy, levels, arrived, scope, found)
        counted.append(_plus(line, fresh) if fresh else line)
    return counted


def _has(line: Line, proof: Proof) -> bool:
    return any(
        known.source == proof.source
        and known.location == proof.location
        and known.feed == proof.feed
        and known.position.epoch == proof.position.epoch
        for known in line.proofs
    )


def _plus(line: Line, proofs: tuple[Proof, ...]) -> Line:
    return Line(
        line.order_id,
        line.line_id,
        line.quantity,
        line.tracked,
        line.proofs + proofs,
        line.released,
        line.created_ms,
        line.accepted_ms,
        line.there,
        line.parts,
        line.made_of,
    )


def proof_row(order_id: str, line_id: str, proof: Proof) -> Sequence[Any]:
    """A proof as the parameters of `proof_put`."""
    return (
        order_id,
        line_id,
        proof.location or "",
        proof.figure.value,
        proof.source,
        proof.feed,
        proof.position.epoch,
        proof.position.seq,
        proof.quantity,
    )

"""What every statement of one transaction works under: the rules in force, the time, and small shared helpers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from archsyncd.adapters.sqlite.connection import Transaction
from archsyncd.domain.history import Cause
from archsyncd.domain.inventory import StockKey
from archsyncd.domain.outbox import OutboxRow
from archsyncd.domain.rules import Carrying, Rules
from archsyncd.domain.stock import Policies
from archsyncd.engine.ports import OtherTerms


@dataclass(frozen=True, slots=True)
class Scope:
    """One transaction with the rules and the wall time (UTC milliseconds) that hold in it.

    `carrying`: how orders are carried to Archean and their dispatches back, None where another system does that. `lags`:
    what the transaction measures, a name and milliseconds each; told once it is durable. `before`: outbox rows as they were
    read or written last in it, and `causes`: why one is about to change; both for the history. `delivering`: channels whose
    entries show when more goods are expected.
    """

    tx: Transaction
    rules: Rules
    now_ms: int
    carrying: Carrying | None = None
    lags: list[tuple[str, int]] = field(default_factory=list)
    before: dict[StockKey, OutboxRow] = field(default_factory=dict)
    causes: dict[StockKey, Cause] = field(default_factory=dict)
    delivering: frozenset[str] = frozenset()

    @property
    def policies(self) -> Policies:
        """The channels' rules."""
        return self.rules.policies


async def require_terms(scope: Scope, terms: str | None, what: str) -> None:
    """Raise OtherTerms where `what` was translated by other names and units than those in force (None: it was told in ours)."""
    row = await scope.tx.row("aliases_fingerprint") if terms is not None else None
    if row is not None and row[0] != terms:
        raise OtherTerms(what)


def pairs(keys: Iterable[StockKey]) -> str:
    """Keys as the JSON array that queries take."""
    return orjson.dumps([(key.channel, key.sku) for key in keys]).decode()


def array(values: Sequence[Any] | Iterable[Any]) -> str:
    """Values as the JSON array that queries take."""
    return orjson.dumps(list(values)).decode()

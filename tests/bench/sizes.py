"""How much each measurement takes on: the full run, and a tiny one that only shows that everything runs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sizes:
    """Counts of records and keys; `rounds` of which the best counts, so that a busy neighbour spoils none."""

    rounds: int
    ingest_records: int
    ingest_batches: tuple[int, ...]
    drain_updates: int
    waiting_changes: int
    resident_keys: tuple[int, ...]
    idle_seconds: float
    orders: int
    order_seconds: float
    history_keys: int = 1_000_000
    reconcile_keys: int = 100_000
    audit_skus: int = 100_000
    transport_records: int = 10_000


FULL = Sizes(3, 100_000, (1_000, 5_000), 10_000, 10_000, (10_000, 100_000, 1_000_000), 10.0, 2_000, 40.0)
QUICK = Sizes(1, 400, (100, 200), 60, 300, (200,), 0.2, 20, 1.0, 700, 1_200, 300, 250)

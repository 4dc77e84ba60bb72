"""The metrics by name: kind, labels and meaning. Names are frozen: dashboards and rules rest on them. Knows no value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

MetricKind: TypeAlias = Literal["gauge", "counter", "summary", "info"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One family. A counter's name here lacks its `_total`, an info's its `_info`."""

    kind: MetricKind
    means: str
    labels: tuple[str, ...] = ()


METRICS: Mapping[str, Metric] = {
    "archsyncd_build": Metric(
        "info", "The program and how it is set up.", ("version", "project", "rollout", "inventory_mode")
    ),
    "archsyncd_uptime_seconds": Metric("gauge", "How long the process runs."),
    "archsyncd_event_loop_lag_seconds": Metric(
        "gauge", "How long the process stood still at the worst, within the last minute."
    ),
    "archsyncd_verdict": Metric(
        "gauge", "1 for the verdict that holds (healthy, degraded, critical).", ("verdict",)
    ),
    "archsyncd_reason": Metric(
        "gauge", "1 for each cause of the verdict, by its code and how bad it is.", ("code", "verdict")
    ),
    "archsyncd_writing": Metric("gauge", "1 while stock is written."),
    "archsyncd_feed_age_seconds": Metric("gauge", "Since a feed's last sign of life.", ("feed",)),
    "archsyncd_feed_interval_seconds": Metric(
        "gauge", "How often a feed is to give a sign of life.", ("feed",)
    ),
    "archsyncd_feed_verdict": Metric(
        "gauge", "1 for the verdict that holds (fresh, late, stale).", ("feed", "verdict")
    ),
    "archsyncd_feed_behind_records": Metric("gauge", "Records that a feed has and we have not.", ("feed",)),
    "archsyncd_feed_records": Metric(
        "counter",
        "Records of a feed since the database began, by outcome (read, applied, rejected).",
        ("feed", "outcome"),
    ),
    "archsyncd_locations": Metric(
        "gauge", "Locations by state (fresh, late, stale, quiet, unheard).", ("state",)
    ),
    "archsyncd_locations_withheld": Metric(
        "gauge", "Locations that offer nothing while their feeds are silent."
    ),
    "archsyncd_location_oldest_level_seconds": Metric(
        "gauge", "Of all locations, the longest time since a level was told."
    ),
    "archsyncd_changes_waiting": Metric("gauge", "Keys whose change waits to be written.", ("class",)),
    "archsyncd_oldest_change_seconds": Metric(
        "gauge", "How long the oldest of them has waited; 0 where none does.", ("class",)
    ),
    "archsyncd_oldest_decrease_seconds": Metric(
        "gauge", "How long the oldest decrease has waited; 0 where none does."
    ),
    "archsyncd_writes_in_doubt": Metric("gauge", "Writes whose outcome is not known."),
    "archsyncd_oldest_write_in_doubt_seconds": Metric(
        "gauge", "Since when the change of the oldest of them waits; 0 where there is none."
    ),
    "archsyncd_keys": Metric("gauge", "Keys, a SKU in a supply channel each."),
    "archsyncd_keys_out_of_step": Metric(
        "gauge", "Keys to be written, to be read before it is sure that they are right, or parked."
    ),
    "archsyncd_keys_to_read": Metric(
        "gauge", "Those of them that wait for a clean read of their entry: no change of theirs waits."
    ),
    "archsyncd_keys_unlooked": Metric(
        "gauge", "Keys whose entry was not looked at yet, counted up to 1,000."
    ),
    "archsyncd_keys_parked": Metric(
        "gauge", "Keys that are not written, by the kind of exception.", ("kind",)
    ),
    "archsyncd_keys_unknown_ratio": Metric(
        "gauge", "Keys without a product in commercetools, as a share of all."
    ),
    "archsyncd_keys_drifting": Metric("gauge", "Keys whose entry others changed."),
    "archsyncd_suspected_oversells": Metric(
        "gauge", "Keys of which more is ordered than there is, for too long."
    ),
    "archsyncd_untracked_pieces": Metric(
        "gauge", "Pieces in open orders that commercetools does not count itself."
    ),
    "archsyncd_requests": Metric("counter", "Requests to commercetools since the start."),
    "archsyncd_requests_throttled": Metric("counter", "Requests that it turned away since the start."),
    "archsyncd_requests_per_second": Metric("gauge", "Requests a second, over the last ten seconds."),
    "archsyncd_requests_limit_per_second": Metric("gauge", "Requests a second that are allowed just now."),
    "archsyncd_requests_in_flight": Metric("gauge", "Requests that are not answered yet."),
    "archsyncd_requests_waiting": Metric("gauge", "Requests that wait for leave to be made."),
    "archsyncd_requests_saturated_ratio": Metric(
        "gauge", "The share of the last five minutes in which requests were scarce."
    ),
    "archsyncd_orders_open": Metric(
        "gauge", "Orders that are not done: not shipped and booked, cancelled, or let go of."
    ),
    "archsyncd_orders_behind_seconds": Metric("gauge", "How far behind orders are known completely."),
    "archsyncd_orders_stalled": Metric("gauge", "Orders and dispatches that do not get on."),
    "archsyncd_untaken_seconds": Metric(
        "gauge",
        "How long nobody has taken what waits (orders, cancellations, dispatches, bookings); 0 where somebody does.",
        ("way",),
    ),
    "archsyncd_orders_handover": Metric(
        "gauge", "Orders on their way to Archean and back, by state.", ("state",)
    ),
    "archsyncd_orders_handover_oldest_seconds": Metric(
        "gauge", "How long the first of them is in that state.", ("state",)
    ),
    "archsyncd_dispatches_waiting": Metric(
        "gauge", "Dispatches and returns that are not done, by kind and state.", ("kind", "state")
    ),
    "archsyncd_dispatches_oldest_seconds": Metric(
        "gauge", "How long the first of them is in that state.", ("kind", "state")
    ),
    "archsyncd_lag_seconds": Metric(
        "summary",
        "Of the newest 1,000: handed_over, from an order's creation to its acceptance; booked, from a dispatch to its booking. "
        "One that still waits counts with the time that is gone.",
        ("lag",),
    ),
    "archsyncd_exceptions_open": Metric(
        "gauge", "Open exceptions by kind, with its severity and owner.", ("kind", "severity", "owner")
    ),
    "archsyncd_exceptions_oldest_seconds": Metric(
        "gauge", "The age of a kind's oldest open exception.", ("kind",)
    ),
    "archsyncd_exceptions_overdue": Metric(
        "gauge", "1 for each kind that waits beyond its owner's limit.", ("kind",)
    ),
    "archsyncd_records_read": Metric("counter", "Records read from Archean since the start."),
    "archsyncd_batches_read": Metric("counter", "Batches of them."),
    "archsyncd_snapshots_read": Metric("counter", "Snapshots and fulls read since the start."),
    "archsyncd_calls_stored": Metric("counter", "Calls of sources that were stored since the start."),
    "archsyncd_calls_known": Metric("counter", "Calls that were known already."),
    "archsyncd_calls_put_off": Metric(
        "counter", "Calls that were told to come again: nothing could be stored."
    ),
    "archsyncd_calls_refused": Metric(
        "counter", "Calls that were refused: not signed, too large, malformed."
    ),
    "archsyncd_calls_forgotten": Metric(
        "counter",
        "Calls whose ids were forgotten early, of more than 200,000: a repeat of one is read again.",
    ),
    "archsyncd_writes_settled": Metric("counter", "Writes of stock whose outcome was booked."),
    "archsyncd_write_conflicts": Metric("counter", "Writes that found a newer version of their entry."),
    "archsyncd_doubts_resolved": Metric("counter", "Writes of unknown outcome that were settled."),
    "archsyncd_bases_proven": Metric("counter", "Entries proven to be as the books say."),
    "archsyncd_orders_learned": Metric("counter", "Orders learnt since the start."),
    "archsyncd_orders_swept": Metric("counter", "Orders read again in sweeps."),
    "archsyncd_orders_folded": Metric("counter", "Orders that need not be counted line by line any more."),
    "archsyncd_dispatches_booked": Metric("counter", "Dispatches booked in commercetools since the start."),
    "archsyncd_order_notices": Metric("counter", "Notifications of orders that came by a subscription."),
    "archsyncd_expected_deliveries_written": Metric(
        "counter", "Dates of expected deliveries that were written."
    ),
    "archsyncd_database_bytes": Metric("gauge", "The size of the database."),
    "archsyncd_database_log_bytes": Metric("gauge", "The size of its write-ahead log."),
    "archsyncd_database_free_bytes": Metric("gauge", "Room on its file system."),
}
# The daemon's counters since its start, by the metric that tells them.
COUNTERS: Mapping[str, str] = {
    "archsyncd_records_read": "records",
    "archsyncd_batches_read": "batches",
    "archsyncd_snapshots_read": "snapshots",
    "archsyncd_calls_stored": "calls_stored",
    "archsyncd_calls_known": "calls_known",
    "archsyncd_calls_put_off": "calls_put_off",
    "archsyncd_calls_refused": "calls_refused",
    "archsyncd_calls_forgotten": "calls_forgotten",
    "archsyncd_writes_settled": "settled",
    "archsyncd_write_conflicts": "conflicts",
    "archsyncd_doubts_resolved": "resolved",
    "archsyncd_bases_proven": "proven",
    "archsyncd_orders_learned": "orders",
    "archsyncd_orders_swept": "swept",
    "archsyncd_orders_folded": "folded",
    "archsyncd_dispatches_booked": "booked",
    "archsyncd_order_notices": "notices",
    "archsyncd_expected_deliveries_written": "expected_deliveries",
}
# Of the process, as every program tells them (prometheus-client).
PROCESS_METRICS = (
    "process_cpu_seconds",
    "process_max_fds",
    "process_open_fds",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
    "process_virtual_memory_bytes",
)

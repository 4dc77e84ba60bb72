"""`/metrics` for Prometheus: one status told as series. A scrape asks for nothing that the status does not ask for.

Labels are bounded by the configuration and by words of ours; no SKU, no order, no location is one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from aiohttp import web
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from archsyncd.adapters.clock import booted_seconds
from archsyncd.domain.cases import TEXTS, CaseKind
from archsyncd.domain.rules import LET_GO, ROLLOUT
from archsyncd.operator.metric_names import COUNTERS, METRICS

# Feeds beyond so many are not told one by one: no scrape has more than some hundred series.
FEEDS_TOLD = 16
SERIES_LIMIT = 500
PATH = "/metrics"
_VERDICTS = ("healthy", "degraded", "critical")
_FEED_VERDICTS = ("fresh", "late", "stale")
_LOCATION_STATES = ("fresh", "late", "stale", "quiet", "unheard")
_CLASSES = {1: "decrease_near_zero", 2: "decrease", 3: "increase_from_zero", 4: "increase"}
_PARKED = (*(kind.value for kind in CaseKind), ROLLOUT, LET_GO)
_LAGS = {"0.5": "p50_seconds", "0.99": "p99_seconds"}

Answer: TypeAlias = Mapping[str, Any]
# A metric's name, the values of its labels in their order, and its value; None where that is not known.
Sample: TypeAlias = tuple[str, tuple[str, ...], float | None]


class StatusCollector(Collector):
    """The families of one status. `owner`: whose a kind of exception is."""

    def __init__(self, owner: Callable[[str], str]) -> None:
        self._owner = owner
        self.status: Answer | None = None

    def describe(self) -> Iterable[Family]:
        """The names, for the registry; there are no values before the first status."""
        return [_family(name) for name in METRICS]

    def collect(self) -> Iterator[Family]:
        """The families that have a value now."""
        families: dict[str, Family] = {}
        for name, labels, value in samples(self.status or {}, self._owner):
            if value is not None:
                _add(families.setdefault(name, _family(name)), name, labels, value)
        yield from families.values()


def _family(name: str) -> Family:
    return Family(name, METRICS[name].means, METRICS[name].kind)


def _add(family: Family, name: str, labels: tuple[str, ...], value: float) -> None:
    metric = METRICS[name]
    names = (*metric.labels, "quantile") if metric.kind == "summary" else metric.labels
    suffix = {"counter": "_total", "info": "_info"}.get(metric.kind, "")
    family.add_sample(name + suffix, dict(zip(names, labels, strict=True)), value)


def samples(status: Answer, owner: Callable[[str], str]) -> Iterator[Sample]:
    """All samples of a status, which tells little while the store is broken."""
    if not status:
        return
    yield from _process(status)
    if "feeds" not in status:
        return
    for feed in status["feeds"][:FEEDS_TOLD]:
        yield from _feed(feed)
    yield from _locations(status["data"])
    yield from _outbox(status)
    yield from _data(status)
    yield from _requests(status["requests"])
    yield from _orders(status)
    yield from _exceptions(status["exceptions"], owner)


def _process(status: Answer) -> Iterator[Sample]:
    told = tuple(status[name] for name in ("version", "project", "rollout", "inventory_mode"))
    yield "archsyncd_build", told, 1
    yield "archsyncd_uptime_seconds", (), status["uptime_seconds"]
    yield "archsyncd_event_loop_lag_seconds", (), status["loop_lag_seconds"]
    yield "archsyncd_writing", (), status["writes"]
    for verdict in _VERDICTS:
        yield "archsyncd_verdict", (verdict,), status["verdict"] == verdict
    for code, verdict in dict.fromkeys((each["code"], each["level"]) for each in status["reasons"]):
        yield "archsyncd_reason", (code, verdict), 1
    for name, counter in COUNTERS.items():
        yield name, (), status["counters"].get(counter, 0)


def _feed(feed: Answer) -> Iterator[Sample]:
    name = feed["name"]
    yield "archsyncd_feed_age_seconds", (name,), feed["age_seconds"]
    yield "archsyncd_feed_interval_seconds", (name,), feed["interval_seconds"]
    yield "archsyncd_feed_behind_records", (name,), feed["behind"]
    for verdict in _FEED_VERDICTS:
        yield "archsyncd_feed_verdict", (name, verdict), feed["verdict"] == verdict
    for outcome in ("read", "applied", "rejected"):
        yield "archsyncd_feed_records", (name, outcome), feed[outcome]


def _locations(data: Answer) -> Iterator[Sample]:
    for state in _LOCATION_STATES:
        yield "archsyncd_locations", (state,), data["locations"].get(state, 0)
    yield "archsyncd_locations_withheld", (), data["withheld"]
    yield "archsyncd_location_oldest_level_seconds", (), data["oldest_level_seconds"]


def _outbox(status: Answer) -> Iterator[Sample]:
    waiting = {each["class"]: each for each in status["waiting"]}
    for number, name in _CLASSES.items():
        found = waiting.get(number, {"keys": 0, "oldest_seconds": 0})
        yield "archsyncd_changes_waiting", (name,), found["keys"]
        yield "archsyncd_oldest_change_seconds", (name,), found["oldest_seconds"]
    yield "archsyncd_oldest_decrease_seconds", (), status["oldest_decrease_seconds"] or 0
    yield "archsyncd_writes_in_doubt", (), status["in_doubt"]["keys"]
    yield "archsyncd_oldest_write_in_doubt_seconds", (), status["in_doubt"]["oldest_seconds"] or 0
    yield "archsyncd_keys", (), status["keys"]["total"]
    yield "archsyncd_keys_out_of_step", (), status["keys"]["out_of_step"]
    yield "archsyncd_keys_to_read", (), status["keys"]["to_read"]
    yield "archsyncd_keys_unlooked", (), status["unlooked"]
    for reason in _PARKED:
        if reason in status["parked"]:
            yield "archsyncd_keys_parked", (reason,), status["parked"][reason]


def _data(status: Answer) -> Iterator[Sample]:
    data = status["data"]
    yield "archsyncd_keys_unknown_ratio", (), data["unknown_share"]
    yield "archsyncd_keys_drifting", (), data["drifting"]
    yield "archsyncd_suspected_oversells", (), data["suspected_oversells"]
    yield "archsyncd_untracked_pieces", (), data["untracked_pieces"]
    yield "archsyncd_orders_stalled", (), data["stalled"]
    for way, seconds in data["untaken_seconds"].items():
        yield "archsyncd_untaken_seconds", (way,), seconds
    yield "archsyncd_requests_saturated_ratio", (), data["saturated_share"]
    yield "archsyncd_database_bytes", (), data["database_bytes"]
    yield "archsyncd_database_log_bytes", (), data["log_bytes"]
    yield "archsyncd_database_free_bytes", (), data["free_bytes"]


def _requests(requests: Answer) -> Iterator[Sample]:
    yield "archsyncd_requests", (), requests["total"]
    yield "archsyncd_requests_throttled", (), requests["throttled"]
    for name in ("per_second", "limit_per_second", "in_flight", "waiting"):
        yield f"archsyncd_requests_{name}", (), requests[name]


def _orders(status: Answer) -> Iterator[Sample]:
    yield "archsyncd_orders_open", (), status["orders"]["open"]
    yield "archsyncd_orders_behind_seconds", (), status["orders"]["behind_seconds"]
    carrying = status["hand_over"]
    if carrying is None:
        return
    for each in carrying["states"]:
        yield "archsyncd_orders_handover", (each["state"],), each["orders"]
        yield "archsyncd_orders_handover_oldest_seconds", (each["state"],), each["oldest_seconds"]
    for each in carrying["dispatches"]:
        place = (each["kind"], each["stage"])
        yield "archsyncd_dispatches_waiting", place, each["count"]
        yield "archsyncd_dispatches_oldest_seconds", place, each["oldest_seconds"]
    for lag, figures in carrying["lags"].items():
        for quantile, field in _LAGS.items():
            yield "archsyncd_lag_seconds", (lag, quantile), None if figures is None else figures[field]


def _exceptions(found: Iterable[Answer], owner: Callable[[str], str]) -> Iterator[Sample]:
    """Every kind, also those of which none is open: an alert needs a series to be over."""
    kinds = {each["kind"]: each for each in found}
    for kind in CaseKind:
        each = kinds.get(kind.value)
        place = (kind.value, TEXTS[kind].severity.value, owner(kind.value))
        yield "archsyncd_exceptions_open", place, each["cases"] if each else 0
        yield "archsyncd_exceptions_oldest_seconds", (kind.value,), each["oldest_seconds"] if each else 0
        yield "archsyncd_exceptions_overdue", (kind.value,), bool(each and each["overdue"])


class OwnProcess(ProcessCollector):
    """The series of this process. The unit hides `/proc/stat` from it: the clocks tell when the machine started."""

    def _boot_time(self) -> float:
        return booted_seconds()


class MetricsPage:
    """Answers a scrape. `status`: the daemon's status, which is looked at once a second at most however many ask."""

    def __init__(
        self, status: Callable[[], Awaitable[Answer]], owner: Callable[[str], str], proc: str = "/proc"
    ) -> None:
        self._status = status
        self._collector = StatusCollector(owner)
        self._registry = CollectorRegistry()
        self._registry.register(self._collector)
        OwnProcess(registry=self._registry, proc=proc)

    async def answer(self, _: web.Request) -> web.Response:
        """The text format."""
        status = await self._status()
        return web.Response(body=self.text(status), headers={"Content-Type": CONTENT_TYPE_LATEST})

    def text(self, status: Answer) -> bytes:
        """A status in the text format."""
        self._collector.status = status
        return generate_latest(self._registry)

"""What nobody takes though it waits: orders, cancellations, dispatches, bookings. Judges nothing, changes nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from archsyncd.domain.advice import AdviceKind, AdviceStage
from archsyncd.domain.handover import Stage
from archsyncd.domain.silence import JUDGED, Silence, Untaken, Way, silent_seconds
from archsyncd.engine.gate import Gate
from archsyncd.operator.daemon import Daemon


async def silences(daemon: Daemon) -> tuple[Silence, ...]:
    """Each way on which the last call came to nothing and something waits, and for how long that is so."""
    if not (daemon.drain.options.writes and daemon.shared.may_increase()):
        return ()  # nothing is handed over or booked from here then, and that has causes of its own
    faults = {
        place: _fault(daemon.shared.gates, *place) for place in daemon.shared.gates if place[0] in JUDGED
    }
    faults = {place: fault for place, fault in faults.items() if fault}
    waiting, now_ms = await _waiting(daemon, {way for way, _ in faults}), daemon.clock.wall_ms()
    found = []
    for (way, feed), fault in faults.items():
        each = waiting[way]
        seconds = silent_seconds(now_ms, each.since_ms, daemon.shared.gates[way, feed].answered_ms)
        if seconds:
            found.append(Silence(way, feed, round(seconds, 1), each.waiting, each.in_doubt, fault))
    return tuple(found)


def _fault(gates: Mapping[tuple[Way, str], Gate], way: Way, feed: str) -> str:
    """What the last call on a way came to; an order in doubt is not sent before the question about it is answered."""
    fault = gates[way, feed].fault
    return fault or (gates[Way.LOOKUPS, feed].fault if way is Way.ORDERS else "")


def untaken_seconds(found: Iterable[Silence]) -> dict[str, float]:
    """For how long nobody has taken what waits, by way; 0 where somebody does, or nothing waits."""
    lasting = {way.value: 0.0 for way in Way if way in JUDGED}
    for each in found:
        lasting[each.way] = max(lasting[each.way], each.seconds)
    return lasting


async def _waiting(daemon: Daemon, ways: Collection[Way]) -> Mapping[Way, Untaken]:
    """What waits on these ways."""
    store, found = daemon.store, {}
    if Way.ORDERS in ways:
        found[Way.ORDERS] = await store.handovers.untaken()
    if Way.CANCELLATIONS in ways:
        found[Way.CANCELLATIONS] = _of((await store.handovers.counts()).get(Stage.CANCELLING))
    counts = await store.advices.counts() if {Way.DISPATCHES, Way.BOOKINGS} & set(ways) else {}
    for way, stage in ((Way.DISPATCHES, AdviceStage.DUE), (Way.BOOKINGS, AdviceStage.BOOKED)):
        found[way] = _of(counts.get((AdviceKind.FULFILMENT, stage)))
    return found


def _of(counted: tuple[int, int] | None) -> Untaken:
    return Untaken() if counted is None else Untaken(counted[0], 0, counted[1])

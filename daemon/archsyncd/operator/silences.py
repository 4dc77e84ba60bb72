"""What nobody takes though it waits: orders, cancellations, dispatches, bookings. Judges nothing, changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from archsyncd.domain.advice import AdviceKind, AdviceStage
from archsyncd.domain.handover import Stage
from archsyncd.domain.silence import JUDGED, Silence, Untaken, Way, silent_seconds
from archsyncd.engine.gate import Gate
from archsyncd.operator.daemon import Daemon


async def silences(daemon: Daemon) -> tuple[Silence, ...]:
    """Each way on which the last call came to nothing and something waits, and for how long that is so."""
    if not (daemon.drain.options.writes and daemon.shared.may_increase()):
        return ()  # nothing is handed over or booked from here then, and that has causes of its own
    gates = {place: gate for place, gate in daemon.shared.gates.items() if gate.fault and place[0] in JUDGED}
    if not gates:
        return ()
    waiting, now_ms = await _waiting(daemon, gates), daemon.clock.wall_ms()
    found = []
    for (way, feed), gate in gates.items():
        each = waiting[way]
        seconds = silent_seconds(now_ms, each.since_ms, gate.answered_ms)
        if seconds:
            found.append(Silence(way, feed, round(seconds, 1), each.waiting, each.in_doubt, gate.fault))
    return tuple(found)


def untaken_seconds(found: Iterable[Silence]) -> dict[str, float]:
    """For how long nobody has taken what waits, by way; 0 where somebody does, or nothing waits."""
    lasting = {way.value: 0.0 for way in Way if way in JUDGED}
    for each in found:
        lasting[each.way] = max(lasting[each.way], each.seconds)
    return lasting


async def _waiting(daemon: Daemon, gates: Mapping[tuple[Way, str], Gate]) -> Mapping[Way, Untaken]:
    """What waits on the ways of these gates."""
    store, ways = daemon.store, {way for way, _ in gates}
    found = {}
    if Way.ORDERS in ways:
        found[Way.ORDERS] = await store.handovers.untaken()
    if Way.CANCELLATIONS in ways:
        found[Way.CANCELLATIONS] = _of((await store.handovers.counts()).get(Stage.CANCELLING))
    counts = await store.advices.counts() if ways & {Way.DISPATCHES, Way.BOOKINGS} else {}
    for way, stage in ((Way.DISPATCHES, AdviceStage.DUE), (Way.BOOKINGS, AdviceStage.BOOKED)):
        found[way] = _of(counts.get((AdviceKind.FULFILMENT, stage)))
    return found


def _of(counted: tuple[int, int] | None) -> Untaken:
    return Untaken() if counted is None else Untaken(counted[0], 0, counted[1])

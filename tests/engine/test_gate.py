"""A gate: shut when several things in a row got no answer, tried by one call now and then, open with the first answer."""

from __future__ import annotations

from itertools import pairwise

from archsyncd.engine.gate import PROBE_LIMIT_SECONDS, SHUT_AFTER, Gate
from archsyncd.engine.ports import FeedFault
from tests.support.virtual_time import VirtualClock, virtual

SILENT = FeedFault("it answers 503")


def shut(clock: VirtualClock) -> Gate:
    """A gate on which nobody answers, as far as it knows."""
    gate = Gate(clock, lambda: 0.5)
    for number in range(SHUT_AFTER):
        assert gate.passes()
        gate.failed(f"order {number}", SILENT)
    return gate


@virtual
async def test_one_thing_that_never_gets_an_answer_shuts_no_gate() -> None:
    """It may be that thing's fault: others are not held up by it."""
    gate = Gate(VirtualClock(), lambda: 0.5)
    for _ in range(100):
        assert gate.passes()
        gate.failed("order 1", SILENT)
    assert gate.fault == "it answers 503"
    assert not gate.shut


@virtual
async def test_an_answer_that_is_of_no_use_for_one_thing_shuts_no_gate() -> None:
    """The source is there."""
    gate = Gate(VirtualClock(), lambda: 0.5)
    for number in range(10):
        gate.failed(f"order {number}", FeedFault("it cannot be read", answered=True))
    assert not gate.shut


@virtual
async def test_a_shut_gate_is_tried_by_one_call_at_a_time_ever_more_rarely() -> None:
    """In five minutes of silence it is asked no more than every few seconds, and never less often than the limit says."""
    clock = VirtualClock()
    gate, tries = shut(clock), []
    for _ in range(300):
        await clock.sleep(1)
        if gate.passes():
            assert not gate.passes(), "a second call beside the first"
            tries.append(clock.monotonic())
            gate.failed("order 9", SILENT)
    waits = [later - earlier for earlier, later in pairwise(tries)]
    assert 20 <= len(tries) <= 40
    assert max(waits) <= PROBE_LIMIT_SECONDS + 1


@virtual
async def test_one_answer_opens_it_for_all() -> None:
    """And who was answered is told whether it was shut until then, so that all who wait can be woken."""
    clock = VirtualClock()
    gate = shut(clock)
    await clock.sleep(PROBE_LIMIT_SECONDS)
    assert gate.passes()
    assert gate.answered()
    assert (gate.shut, gate.fault, gate.answered_ms) == (False, "", clock.wall_ms())
    assert gate.passes()
    assert not gate.answered()


@virtual
async def test_a_call_that_was_not_made_after_all_leaves_the_gate_to_the_next() -> None:
    """Else nobody would try it ever again."""
    clock = VirtualClock()
    gate = shut(clock)
    await clock.sleep(PROBE_LIMIT_SECONDS)
    assert gate.passes()
    gate.withdrawn()
    await clock.sleep(PROBE_LIMIT_SECONDS)
    assert gate.passes()


@virtual
async def test_a_source_that_asks_to_be_left_alone_for_a_while_is() -> None:
    """Within reason: a minute at most."""
    clock = VirtualClock()
    gate = shut(clock)
    await clock.sleep(PROBE_LIMIT_SECONDS)
    assert gate.passes()
    gate.failed("order 1", FeedFault("busy", retry_after_seconds=45.0))
    await clock.sleep(44)
    assert not gate.probe_due
    await clock.sleep(2)
    assert gate.probe_due

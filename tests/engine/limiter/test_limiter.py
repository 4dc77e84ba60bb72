"""The budget of requests: R1, R2, R3, priorities without starvation, and what outages do to it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsyncd.domain.inventory import Throttled, Unauthorised, Unknown, Unreached, Written
from archsyncd.engine.limiter import Limiter, Permit, Priority, Quiesced
from tests.support.examples import examples
from tests.support.virtual_time import VirtualClock, run_virtual, virtual

SUCCESS = Written("e", 1, 1)
BUSY = Throttled(429, "TooManyRequests")
DOWN = Throttled(503, "ServiceUnavailable")


def limiter(
    rate: float = 50, burst: float = 100, places: int = 16, chance: Callable[[], float] = lambda: 0.5
) -> Limiter:
    return Limiter(rate, burst, places, VirtualClock(), chance)


async def settled() -> None:
    """Let everybody run who can."""
    for _ in range(20):
        await asyncio.sleep(0)


async def one_call(
    budget: Limiter, answer: object = SUCCESS, priority: Priority = Priority.DECREASE
) -> float:
    """Make one request and tell when it was let through."""
    async with await budget.permit(priority):
        begun = VirtualClock().monotonic()
        budget.report(answer)
        return begun


def assert_r1(times: list[tuple[float, float]], rate: float, burst: float) -> None:
    """Requests in any window ≤ r·w + b; times are (moment, tokens) in order."""
    for first in range(len(times)):
        used = 0.0
        for moment, tokens in times[first:]:
            used += tokens
            assert used <= rate * (moment - times[first][0]) + burst + 1e-6


script = st.lists(
    st.tuples(
        st.sampled_from(list(Priority)),
        st.floats(0, 3),  # how long after the one before it is asked for, seconds
        st.floats(0, 2),  # how long the request takes, seconds
        st.sampled_from(
            [SUCCESS, SUCCESS, BUSY, Throttled(429, "x", 2.5), DOWN, Unknown("cut"), Unreached("name")]
        ),
    ),
    max_size=40,
)


@settings(max_examples=examples(60), deadline=None)
@given(script=script, rate=st.floats(0.5, 20), burst=st.floats(1, 10), places=st.integers(1, 5))
def test_requests_in_any_window_stay_within_rate_and_burst(
    script: list[tuple[Priority, float, float, object]], rate: float, burst: float, places: int
) -> None:
    """R1, with bulk permits and token calls counted, whatever is answered; and every request is let through in the end."""

    async def judge() -> list[tuple[float, float]]:
        budget, clock = limiter(rate, burst, places), VirtualClock()
        times: list[tuple[float, float]] = []
        most = 0

        async def request(priority: Priority, seconds: float, answer: object) -> None:
            nonlocal most
            async with await budget.permit(priority):
                times.append((clock.monotonic(), 1.0))
                most = max(most, budget.state().in_flight)
                extra = budget.try_permits(2)
                times.extend((clock.monotonic(), 1.0) for _ in extra)
                await clock.sleep(seconds)
                await budget.charge()
                times.append((clock.monotonic(), 1.0))
                for permit in extra:
                    permit.release()
                budget.report(answer)

        async with asyncio.TaskGroup() as group:
            for priority, gap, seconds, answer in script:
                await clock.sleep(gap)
                group.create_task(request(priority, seconds, answer))
        assert most <= places
        assert budget.state().in_flight == 0
        assert budget.state().requests_total == len(times)
        return times

    times = run_virtual(judge())
    assert len(times) >= 2 * len(script)
    assert_r1(times, rate, burst)


@settings(max_examples=examples(40), deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(list(Priority)), st.floats(0, 0.5)), min_size=2, max_size=120),
    st.floats(0.5, 3),
)
def test_nobody_is_overtaken_for_longer_than_the_steps_of_aging(
    arrivals: list[tuple[Priority, float]], rate: float
) -> None:
    """No starvation: who is overtaken was overtaken by one who came at most 10 s for each step of priority later."""

    async def judge() -> list[tuple[Priority, float, float]]:
        budget, clock = limiter(rate, 1, 20), VirtualClock()
        served: list[tuple[Priority, float, float]] = []

        async def request(priority: Priority) -> None:
            arrived = clock.monotonic()
            async with await budget.permit(priority):
                served.append((priority, arrived, clock.monotonic()))

        async with asyncio.TaskGroup() as group:
            for priority, gap in arrivals:
                group.create_task(request(priority))
                await clock.sleep(gap)
        return served

    served = run_virtual(judge())
    assert len(served) == len(arrivals)
    for place, (priority, arrived, left) in enumerate(served):
        for later_priority, later_arrived, _ in served[place + 1 :]:
            overtook = later_arrived < left and arrived + 10 * priority > later_arrived + 10 * later_priority
            assert not overtook


@virtual
async def test_waiters_are_served_by_priority_when_requests_are_scarce() -> None:
    """Decreases go before increases however late they come, and settling goes before both."""
    budget, served = limiter(rate=1, burst=1), list[Priority]()

    async def request(priority: Priority) -> None:
        async with await budget.permit(priority):
            served.append(priority)

    async with asyncio.TaskGroup() as group:
        for priority in [Priority.CHECK, *reversed(Priority), Priority.DECREASE]:
            group.create_task(request(priority))
    assert served == sorted(served)
    assert len(served) == 8


@virtual
async def test_an_increase_waits_only_its_steps_under_a_storm_of_decreases() -> None:
    """Decreases arriving for ever at the full rate hold an increase back for two steps of ten seconds, not for ever."""
    budget, clock = limiter(rate=1, burst=1), VirtualClock()
    storm = [asyncio.ensure_future(one_call(budget)) for _ in range(2)]
    began = clock.monotonic()
    increase = asyncio.ensure_future(one_call(budget, priority=Priority.INCREASE))
    while not increase.done():
        storm.append(asyncio.ensure_future(one_call(budget)))
        await clock.sleep(1)
    assert 19 <= await increase - began <= 23
    await asyncio.gather(*storm)


@virtual
async def test_a_better_waiter_overtakes_one_that_waits_for_tokens() -> None:
    """Who comes while the first in line saves up tokens is still served first when it ranks higher."""
    budget, clock, served = limiter(rate=1, burst=10), VirtualClock(), list[str]()
    async with await budget.permit(Priority.CHECK, 10):
        pass

    async def request(name: str, priority: Priority, cost: float) -> None:
        async with await budget.permit(priority, cost):
            served.append(name)

    async with asyncio.TaskGroup() as group:
        group.create_task(request("bulk", Priority.INCREASE, 10))
        await clock.sleep(2)
        group.create_task(request("decrease", Priority.DECREASE, 1))
        await settled()
        assert served == ["decrease"]
    assert served == ["decrease", "bulk"]


@virtual
async def test_f048_a_jump_of_time_never_gives_more_than_the_burst() -> None:
    """After a suspend of a day the bucket is full, not a day fuller."""
    budget, clock = limiter(rate=50, burst=5, places=100), VirtualClock()
    await one_call(budget)
    await clock.sleep(86_400)
    waiting = [asyncio.ensure_future(budget.permit(Priority.DECREASE)) for _ in range(20)]
    await settled()
    assert sum(task.done() for task in waiting) == 5
    for permit in await asyncio.gather(*waiting):
        permit.release()


@virtual
async def test_f075_a_429_without_retry_after_pauses_halves_the_places_and_drops_the_rate() -> None:
    """Throttled: a jittered pause of a second at first, half the places, half the rate; then slow recovery."""
    budget, clock = limiter(rate=50, burst=100, places=16), VirtualClock()
    moment = await one_call(budget, BUSY)
    state = budget.state()
    assert (state.rate_now, state.in_flight_limit, state.throttled_total) == (25, 8, 1)
    assert state.retry_at_monotonic == moment + 0.5
    assert await one_call(budget) == pytest.approx(moment + 0.5)
    await clock.sleep(60)
    began = clock.monotonic()
    moments = [await one_call(budget, Written("e", 1, 1)) for _ in range(55)]
    assert all(moment < began + 1.5 for moment in moments), "a burst is left, dearer at first"
    for _ in range(10):
        await clock.sleep(1)
        await one_call(budget)
    assert budget.state().rate_now == 50
    assert budget.state().in_flight_limit < 16
    for _ in range(60):
        await one_call(budget)
    assert budget.state().in_flight_limit == 16


@virtual
async def test_f075_a_batch_of_which_a_part_was_throttled_slows_down_as_any_other() -> None:
    """One alias that was turned away speaks for the service; one of unknown outcome among others does not."""
    budget = limiter(rate=50, burst=100, places=16)
    await one_call(budget, (SUCCESS, Unknown("?"), SUCCESS))
    assert budget.state().rate_now == 50
    moment = await one_call(budget, (SUCCESS, Throttled(200, "OverCapacity", 7), SUCCESS))
    assert (budget.state().rate_now, budget.state().throttled_total) == (25, 1)
    assert await one_call(budget, (Unknown("?"), Unknown("?"))) == pytest.approx(moment + 7)
    assert budget.state().rate_now == pytest.approx(12.5)


@virtual
async def test_f075_repeated_429s_wait_longer_each_time() -> None:
    """The pause doubles with every throttled round up to 8 s (here halved by chance); the rate falls, never to zero."""
    budget, clock = limiter(rate=50, burst=100), VirtualClock()
    pauses = []
    for _ in range(7):
        began = await one_call(budget, BUSY)
        pauses.append((budget.state().retry_at_monotonic or began) - began)
        await clock.sleep(90)
    assert pauses == pytest.approx([0.5, 1, 2, 4, 4, 4, 4])
    assert budget.state().rate_now == pytest.approx(50 * 0.02)


@virtual
async def test_a_slower_pace_is_kept_over_any_length_of_time() -> None:
    """At a fifth of the rate a backlog is served at a fifth of the rate."""
    budget, clock = limiter(rate=10, burst=10, places=1), VirtualClock()
    for _ in range(3):
        await one_call(budget, BUSY)
        await clock.sleep(90)
    rate = budget.state().rate_now
    assert rate == pytest.approx(1.25)
    permits = 0
    began = clock.monotonic()
    while clock.monotonic() < began + 100:
        (await budget.permit(Priority.CHECK)).release()
        permits += 1
    assert permits == pytest.approx(100 * rate, abs=3)


@virtual
async def test_f076_no_call_is_made_before_retry_after() -> None:
    """R2: after `Retry-After: 7` nobody is let through for seven seconds: no class, no bulk and no token call."""
    budget = limiter()
    moment = await one_call(budget, Throttled(429, "TooManyRequests", 7))
    assert budget.try_permits(3, Priority.RESOLVE) == ()
    assert budget.held_back
    charge = asyncio.ensure_future(budget.charge())
    assert await one_call(budget, priority=Priority.RESOLVE) >= moment + 7
    await charge
    assert not budget.held_back


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@virtual
async def test_f076_retry_after_is_kept_where_the_outcome_is_unknown_too(status: int) -> None:
    """R2: a front end that says when to come back is obeyed, whether or not the write got through to commercetools."""
    budget = limiter()
    moment = await one_call(budget, Unknown(f"answer {status}", status, 120))
    assert budget.held_back
    assert await one_call(budget, priority=Priority.RESOLVE) == pytest.approx(moment + 120)


@virtual
async def test_f076_retry_after_is_clamped_and_never_shortened() -> None:
    """A shorter Retry-After that comes later does not lift a longer one, and none holds for more than five minutes."""
    budget = limiter()
    first = await budget.permit(Priority.ORDERS)
    second = await budget.permit(Priority.ORDERS)
    moment = VirtualClock().monotonic()
    budget.report(Throttled(429, "TooManyRequests", 1e9))
    budget.report(Throttled(429, "TooManyRequests", 1))
    first.release()
    second.release()
    assert await one_call(budget) == pytest.approx(moment + 300)


@virtual
async def test_f076_retry_after_ignores_the_wall_clock() -> None:
    """D8: an hour's jump of the wall clock neither lifts nor prolongs the wait."""
    clock = VirtualClock()
    budget = Limiter(50, 100, 16, clock, lambda: 0.5)
    moment = await one_call(budget, Throttled(503, "PendingOperation", 7))
    clock.jump_wall(3_600)
    assert await one_call(budget) == pytest.approx(moment + 7)


@virtual
async def test_f080_an_outage_of_hours_is_probed_rarely_and_one_at_a_time() -> None:
    """503 for two hours: at most a probe a minute or so after the first moments; full service when it is over."""
    budget, clock = limiter(rate=50, burst=100, places=16), VirtualClock()
    began, calls, most = clock.monotonic(), list[float](), 0

    async def worker() -> None:
        nonlocal most
        while clock.monotonic() < began + 7_300:
            async with await budget.permit(Priority.DECREASE):
                calls.append(clock.monotonic())
                most = max(most, budget.state().in_flight)
                await clock.sleep(0.05)
                budget.report(DOWN if clock.monotonic() < began + 7_200 else SUCCESS)
            await clock.sleep(0.01)

    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(worker())
        await clock.sleep(3_600)
        most = 0
        assert budget.blocked is not None
        assert budget.state().blocked_reason == budget.blocked
        assert budget.held_back
        await clock.sleep(3_599)
        assert most == 1
    quiet = [moment for moment in calls if began + 300 <= moment < began + 7_200]
    assert 60 <= len(quiet) <= 240
    last = [moment for moment in calls if moment >= began + 7_260]
    assert len(last) > 40 * 35
    assert budget.blocked is None


@virtual
async def test_a_probe_that_is_given_up_makes_room_for_another() -> None:
    """A cancelled probe does not close the door for good."""
    budget, clock = limiter(), VirtualClock()
    for _ in range(6):
        await one_call(budget, Unreached("connect"))
        await clock.sleep(3)
    probe = await budget.permit(Priority.CHECK)
    waiting = asyncio.ensure_future(budget.permit(Priority.CHECK))
    await clock.sleep(600)
    assert not waiting.done()
    await budget.charge()
    probe.release()
    (await waiting).release()


@virtual
async def test_f067_a_refused_credential_stops_everybody_until_a_restart() -> None:
    """After Unauthorised nobody is let through, the reason names the restart, and waiting is right."""
    budget, clock = limiter(), VirtualClock()
    await one_call(budget, Unauthorised("invalid_client"))
    waiting = asyncio.ensure_future(budget.permit(Priority.RESOLVE))
    await clock.sleep(86_400)
    assert not waiting.done()
    assert "restart" in (budget.state().blocked_reason or "")
    assert budget.held_back
    budget.report(SUCCESS)
    await clock.sleep(60)
    assert not waiting.done()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert budget.state().waiting == 0


@virtual
async def test_places_bound_the_requests_in_flight_and_come_back() -> None:
    """A place is held until its permit is left, by whatever way."""
    budget = limiter(places=2)
    held = [await budget.permit(Priority.CHECK) for _ in range(2)]
    third = asyncio.ensure_future(budget.permit(Priority.CHECK))
    await settled()
    assert not third.done()
    assert budget.state().in_flight == 2
    held[0].release()
    held[0].release()
    permit = await third
    assert budget.state().in_flight == 2
    with pytest.raises(LookupError):
        async with permit:
            raise LookupError
    assert budget.state().in_flight == 1
    held[1].release()


@virtual
async def test_more_than_twenty_places_are_only_reached_by_success() -> None:
    """The first ramp holds twenty in flight; success adds a place for each round of requests."""
    budget = limiter(places=64)
    assert budget.state().in_flight_limit == 20
    for _ in range(50):
        await one_call(budget)
    assert 21 < budget.state().in_flight_limit < 24


@virtual
async def test_a_waiter_cancelled_as_it_is_served_gives_its_place_back() -> None:
    """No place is lost when the grant and the cancellation meet."""
    budget = limiter(places=1)
    held = await budget.permit(Priority.CHECK)
    waiting = asyncio.ensure_future(budget.permit(Priority.CHECK))
    await settled()
    held.release()
    for _ in range(20):
        if budget.state().in_flight:
            break
        await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert budget.state().in_flight == 0
    (await budget.permit(Priority.CHECK)).release()


@virtual
async def test_bulk_permits_take_what_is_there_and_never_wait() -> None:
    """`try_permits` is bounded by tokens and places, and yields to a waiter that ranks no lower."""
    budget = limiter(rate=1, burst=3, places=16)
    permits = budget.try_permits(10)
    assert len(permits) == 3
    waiting = asyncio.ensure_future(budget.permit(Priority.ORDERS))
    await settled()
    await VirtualClock().sleep(0.5)
    assert budget.try_permits(1, Priority.DECREASE) == ()
    (await waiting).release()
    for permit in permits:
        permit.release()
    few = limiter(places=2)
    taken: tuple[Permit, ...] = few.try_permits(5)
    assert len(taken) == 2


@virtual
async def test_a_stop_turns_away_all_who_wait_and_lets_those_in_flight_finish() -> None:
    """After quiesce nothing new begins, and the request in flight still reports and leaves."""
    budget = limiter(places=1)
    held = await budget.permit(Priority.CHECK)
    waiting = asyncio.ensure_future(budget.permit(Priority.CHECK))
    await settled()
    budget.quiesce()
    with pytest.raises(Quiesced):
        await waiting
    with pytest.raises(Quiesced):
        await budget.permit(Priority.RESOLVE)
    with pytest.raises(Quiesced):
        await budget.charge()
    assert budget.try_permits(1) == ()
    budget.report(SUCCESS)
    held.release()
    assert budget.state().in_flight == 0


@virtual
async def test_a_call_reports_its_answer_and_frees_its_place_when_it_raises() -> None:
    """`call` is permit, request and report in one; an error inside passes on and holds nothing."""
    budget = limiter()

    async def throttled() -> Throttled:
        return BUSY

    async def broken() -> Throttled:
        raise LookupError

    assert await budget.call(Priority.LOOKUP, 1.0, throttled) is BUSY
    assert budget.state().throttled_total == 1
    with pytest.raises(LookupError):
        await budget.call(Priority.LOOKUP, 1.0, broken)
    assert budget.state().in_flight == 0


@virtual
async def test_a_cost_beyond_the_bucket_is_refused_at_once() -> None:
    """What could never be paid is an error and not a wait for ever."""
    budget = limiter(burst=5)
    for cost in (0.0, -1.0, 5.5, float("nan")):
        with pytest.raises(ValueError, match="tokens"):
            await budget.permit(Priority.CHECK, cost)


@pytest.mark.parametrize("answer", [Unreached("name"), Unknown("cut"), Throttled(429, "x")])
@virtual
async def test_f078_repetitions_have_their_quota(answer: object) -> None:
    """R3: a tenth of the requests and a small reserve are repeated at once; each further one after a longer pause."""
    budget, clock = limiter(rate=1_000, burst=10_000, places=64), VirtualClock()
    for _ in range(200):
        await one_call(budget)
    for _ in range(10):
        await one_call(budget, answer)
        await clock.sleep(10)
    pauses = []
    for _ in range(6):
        began = await one_call(budget, answer)
        pauses.append((budget.state().retry_at_monotonic or began) - began)
        await clock.sleep(10)
    assert min(pauses[2:]) >= 2
    for _ in range(120):
        await one_call(budget)
    await clock.sleep(10)
    began = await one_call(budget, Unreached("name"))
    assert budget.state().retry_at_monotonic is None


@virtual
async def test_f078_half_of_everything_failing_for_long_is_asked_rarely() -> None:
    """R3, whoever it is that repeats, and however many: beyond the quota each round of failures costs a pause."""
    budget, clock = limiter(rate=1_000, burst=1_000, places=8), VirtualClock()
    chance, began = random.Random(78), clock.monotonic()
    answered: list[object] = []

    async def worker() -> None:
        while clock.monotonic() < began + 600:
            answer = SUCCESS if chance.random() < 0.5 else Unreached("name")
            await one_call(budget, answer)
            answered.append(answer)
            await clock.sleep(0.01)

    await asyncio.gather(*(worker() for _ in range(8)))
    failed = sum(answer is not SUCCESS for answer in answered)
    assert 600 < len(answered) < 600 * 40
    # A pause lasts at least half a second here, and a place is under way once for each.
    assert failed <= 10 + len(answered) / 10 + 8 * 600 / 0.5


@virtual
async def test_f066_token_calls_and_replays_take_from_the_quota() -> None:
    """A service that refuses each new token after one use is not asked three times as often as it answers."""
    budget, clock = limiter(rate=1_000, burst=1_000), VirtualClock()
    began, calls = clock.monotonic(), 0
    while clock.monotonic() < began + 60:
        async with await budget.permit(Priority.DECREASE):
            await budget.charge()
            await budget.charge()
            budget.report(SUCCESS)
        calls += 1
        await clock.sleep(0.001)
    assert calls < 60 * 3


@virtual
async def test_new_limits_begin_without_a_burst_and_keep_the_pace_that_was_learnt() -> None:
    """A reload neither gives a second burst nor forgets that the service asked for less; who waits is served on."""
    budget, clock = limiter(rate=10, burst=10, places=16), VirtualClock()
    for _ in range(3):
        await one_call(budget)
    moment = await one_call(budget, BUSY)
    waiting = [asyncio.ensure_future(one_call(budget, Unknown("silence"))) for _ in range(40)]
    await clock.sleep(0.6)
    budget.retune(20, 5, 4)
    retuned = clock.monotonic()
    assert budget.state().rate_now == pytest.approx(10, rel=0.1)
    assert budget.state().in_flight_limit <= 4
    later = [begun for begun in await asyncio.gather(*waiting) if begun > retuned]
    assert_r1([(moment, 5.0), *((begun, 1.0) for begun in sorted(later))], 20, 5)
    assert len(later) > 20
    assert min(later) > retuned

"""The virtual clock is a judge of other code, so it is judged first."""

from __future__ import annotations

import asyncio
import time

import aiosqlite
import pytest

from tests.support.virtual_time import START_SECONDS, Stuck, VirtualClock, run_virtual, virtual


@virtual
async def test_a_long_wait_passes_at_once_and_exactly() -> None:
    """Sleeping moves the loop's time by the slept seconds and no more."""
    clock = VirtualClock()
    began = time.monotonic()
    await clock.sleep(86_400 * 30)
    assert clock.monotonic() - START_SECONDS == pytest.approx(86_400 * 30)
    assert time.monotonic() - began < 5


def test_timers_fire_even_after_many_years() -> None:
    """The coarseness of large floats neither stops nor hastens a timer."""
    decade_seconds = 86_400 * 3_650

    async def wait_three_decades() -> None:
        clock = VirtualClock()
        for _ in range(3):
            due = clock.monotonic() + decade_seconds
            await clock.sleep(decade_seconds)
            assert due <= clock.monotonic() < due + 0.001

    run_virtual(wait_three_decades(), limit_seconds=4 * decade_seconds)


@virtual
async def test_timers_fire_in_the_order_of_their_times() -> None:
    """Whoever waits shorter wakes first, however they were started."""
    woke: list[float] = []

    async def wait(seconds: float) -> None:
        await asyncio.sleep(seconds)
        woke.append(seconds)

    await asyncio.gather(wait(3), wait(1), wait(2), wait(0.001))
    assert woke == [0.001, 1, 2, 3]


@virtual
async def test_the_wall_clock_jumps_without_monotonic_time_noticing() -> None:
    """A stepped wall clock leaves every wait alone."""
    clock = VirtualClock()
    before, wall = clock.monotonic(), clock.wall_ms()
    clock.jump_wall(-3_600)
    assert clock.wall_ms() == wall - 3_600_000
    assert clock.monotonic() == before
    await clock.sleep(1.5)
    assert clock.wall_ms() == wall - 3_600_000 + 1_500


@virtual
async def test_time_stands_still_while_a_thread_works() -> None:
    """A bound of a millisecond does not cut off work done in a thread or by aiosqlite."""
    async with asyncio.timeout(0.001):
        await asyncio.to_thread(time.sleep, 0.02)
        async with aiosqlite.connect(":memory:") as connection:
            rows = await connection.execute_fetchall(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) SELECT count(*) FROM n"
            )
    assert list(rows) == [(20_000,)]


@virtual
async def test_loopback_sockets_answer_before_time_moves() -> None:
    """A request over a real loopback socket takes no virtual time."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readline())
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(echo, "127.0.0.1", 0) as server, asyncio.timeout(0.001):
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"hello\n")
        assert await reader.readline() == b"hello\n"
        writer.close()
        await writer.wait_closed()


@virtual
async def test_a_wait_for_a_hair_of_time_ends() -> None:
    """Time creeps on when tasks run for long in one moment, so rounding never turns a wait into a spin."""
    clock = VirtualClock()
    due = clock.monotonic() + 1e-8
    while clock.monotonic() < due:
        await clock.sleep(1e-17)
    assert clock.monotonic() < due + 1e-7


def test_a_wait_for_nothing_is_an_error_and_not_a_hang() -> None:
    """A coroutine that nothing can wake is reported at once."""

    async def wait_for_ever() -> None:
        await asyncio.Event().wait()

    with pytest.raises(Stuck, match="nothing is scheduled"):
        run_virtual(wait_for_ever())


def test_a_loop_that_never_ends_is_bounded_in_virtual_time() -> None:
    """A coroutine that keeps waking itself ends at the limit."""

    async def tick() -> None:
        loop = asyncio.get_running_loop()
        while loop.time() > 0:
            await VirtualClock().sleep(1)

    with pytest.raises(Stuck, match="ran out"):
        run_virtual(tick(), limit_seconds=100)

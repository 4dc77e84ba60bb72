"""What the searches over the daemon's parts share: steps in virtual time, coming to rest, and scenes for the controls."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Generic, Protocol, TypeVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from tests.support.examples import examples
from tests.support.virtual_time import VirtualLoop
from tests.system.truth import Violation

LONGEST_SECONDS = 86_400.0


class World(Protocol):
    """A site with daemons on it, and what must hold there."""

    async def passes(self, seconds: float) -> None:
        """Time passes."""
        ...

    async def comes_to_rest(self) -> None:
        """Faults end, everything settles, and what must hold in the end is checked."""
        ...

    async def close(self) -> None:
        """Nothing of it is left."""
        ...


T = TypeVar("T")
W = TypeVar("W", bound=World)


class Search(RuleBasedStateMachine, Generic[W]):
    """One world, made by an initialize rule that sets `plant`; each step runs in its virtual time."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner(loop_factory=functools.partial(VirtualLoop, LONGEST_SECONDS))
        self.plant: W | None = None
        self.sound = False

    @property
    def world(self) -> W:
        """The world, once it is there."""
        assert self.plant is not None
        return self.plant

    def run(self, step: Coroutine[Any, Any, T]) -> T:
        """Run a step to its end."""
        self.sound = False  # what failed need not come to rest
        done = self.runner.run(step)
        self.sound = True
        return done

    def happens(self, act: Callable[[], object], wait: float = 0.1) -> None:
        """Something happens in the world, and time passes."""

        async def step() -> None:
            act()
            await self.world.passes(wait)

        self.run(step())

    def teardown(self) -> None:
        """Let it come to rest, unless it has failed already."""
        try:
            if self.plant is not None and self.sound:
                self.run(self.plant.comes_to_rest())
        finally:
            if self.plant is not None:
                self.run(self.plant.close())
            self.runner.close()


def searched(machine: type[Search[Any]], *, count: int, steps: int) -> None:
    """Search by Hypothesis, so many examples in the suite; a failure names its invariant and the steps to it."""
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples(count),
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            # A step takes too long to be tried a thousand times over: what is found is told as it was found.
            phases=[Phase.explicit, Phase.generate],
        ),
    )


async def plays(world: W, opening: Awaitable[None], scene: Callable[[W], Awaitable[None]]) -> str:
    """Play a scene to its rest; the name of what was violated, empty when nothing was."""
    try:
        await opening
        await scene(world)
        await world.comes_to_rest()
    except Violation as found:
        return found.name
    finally:
        await world.close()
    return ""

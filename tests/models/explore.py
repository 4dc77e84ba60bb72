"""Walks every reachable state of a small model, breadth first; it must not know what the states mean."""

import gc
from abc import ABC, abstractmethod
from array import array
from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import ClassVar, Generic, TypeVar

S = TypeVar("S", bound=Hashable)
Trace = tuple[str, ...]


class Model(ABC, Generic[S]):
    """One key of the shop, its warehouse and its daemons as a finite machine.

    A step is a pair of label and next state.  Steps whose label begins with one of `voluntary` need not
    happen: a state that has only such steps is at rest, and there `stuck` judges the stock.
    """

    voluntary: ClassVar[tuple[str, ...]] = ("order",)

    @abstractmethod
    def initial(self) -> S:
        """Return the state everything starts from."""

    @abstractmethod
    def steps(self, state: S) -> list[tuple[str, S]]:
        """Return everything that can happen next."""

    @abstractmethod
    def oversold(self, state: S) -> bool:
        """Tell whether an accepted order can no longer be fulfilled."""

    @abstractmethod
    def stuck(self, state: S) -> str | None:
        """Name what is wrong with the published stock of a state at rest, or return None."""

    def within(self, state: S) -> bool:  # noqa: ARG002 - the default bounds nothing
        """Tell whether the state lies inside the bound of the search."""
        return True

    def at_rest(self, steps: list[tuple[str, S]]) -> bool:
        """Tell whether nothing more has to happen."""
        voluntary = self.voluntary
        for label, _ in steps:  # noqa: SIM110 - a generator per state costs a tenth of the whole search
            if not label.startswith(voluntary):
                return False
        return True


@dataclass(frozen=True, slots=True)
class Result:
    """What a search found: numbers of states, and the shortest trace to each kind of failure."""

    states: int
    resting: int
    complete: bool
    oversell: Trace | None = None
    stuck: Mapping[str, Trace] = field(default_factory=dict)

    def require_safe(self) -> None:
        """Raise AssertionError with the shortest trace when an order was sold that cannot be fulfilled."""
        assert self.oversell is None, f"oversell: {show(self.oversell)}"
        assert self.complete, f"the search stopped at {self.states} states"

    def require_live(self) -> None:
        """Raise AssertionError with the shortest traces when stock at rest differs from the warehouse's."""
        found = "; ".join(f"{word}: {show(trace)}" for word, trace in sorted(self.stuck.items()))
        assert not found, f"wrong at rest: {found}"
        assert self.complete, f"the search stopped at {self.states} states"
        assert self.resting > 0, "nothing ever came to rest"

    def require_exact(self) -> None:
        """Raise AssertionError unless nothing oversells and everything at rest is exact."""
        self.require_safe()
        self.require_live()


def show(trace: Trace) -> str:
    """Return the labels of a trace in one line."""
    return " -> ".join(trace)


@dataclass(slots=True)
class _Search(Generic[S]):
    """States in the order of their discovery, each with the index of the state it was first reached from."""

    model: Model[S]
    order: list[S] = field(default_factory=list)
    parents: "array[int]" = field(default_factory=lambda: array("L"))
    oversell: int | None = None
    stuck: dict[str, int] = field(default_factory=dict)
    resting: int = 0
    complete: bool = False

    def run(self, limit: int, *, stop_at_oversell: bool) -> None:
        model, order, parents = self.model, self.order, self.parents
        order.append(model.initial())
        parents.append(0)
        seen = set(order)
        for index, state in enumerate(order):  # the list grows under the loop: it is the queue, too
            if self.oversell is None and model.oversold(state):
                self.oversell = index
                if stop_at_oversell:
                    return
            steps = model.steps(state)
            if model.at_rest(steps):
                self._judge(index, state)
            for _, after in steps:
                # A state beyond the bound is remembered, too: its hash costs more than its place.
                known = len(seen)
                seen.add(after)
                if len(seen) > known and model.within(after):
                    order.append(after)
                    parents.append(index)
            if len(order) > limit:
                return
        self.complete = True

    def _judge(self, index: int, state: S) -> None:
        self.resting += 1
        word = self.model.stuck(state)
        if word is not None:
            self.stuck.setdefault(word, index)

    def result(self) -> Result:
        return Result(
            states=len(self.order),
            resting=self.resting,
            complete=self.complete,
            oversell=None if self.oversell is None else self._trace(self.oversell),
            stuck={word: self._trace(index) for word, index in self.stuck.items()},
        )

    def _trace(self, index: int) -> Trace:
        labels: list[str] = []
        while index:
            parent = self.parents[index]
            labels.append(self._label(parent, index))
            index = parent
        return tuple(reversed(labels))

    def _label(self, parent: int, child: int) -> str:
        wanted = self.order[child]
        return next(label for label, state in self.model.steps(self.order[parent]) if state == wanted)


@contextmanager
def _without_collector() -> Iterator[None]:
    """States form no cycles, and a collector that walks a million tuples doubles the time of a search."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def explore(model: Model[S], *, limit: int = 3_000_000, stop_at_oversell: bool = False) -> Result:
    """Visit every reachable state within the model's bound, at most `limit` of them."""
    search = _Search(model)
    with _without_collector():
        search.run(limit, stop_at_oversell=stop_at_oversell)
    return search.result()

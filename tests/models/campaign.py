"""The searches that are too large for every run of the suite; it must not know why a model is right or wrong.

Run `python -m tests.models.campaign` from the root of the repository: about five minutes of one core and
half a gigabyte of memory.  Each line tells a search, its states, what it found and whether that was expected; the
exit code is 1 when one was not.  Words given after the command choose the searches whose name holds one.
"""

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tests.models import (
    batches,
    cancellation,
    epochs,
    locations,
    onhand,
    oversell,
    takeover,
)
from tests.models.explore import Model, Result, explore, show


@dataclass(frozen=True)
class Run:
    """A search of any model with what is expected of it; without `oversells` it must be exact."""

    name: str
    model: Model[Any]
    states: int
    oversells: bool = False

    def complaints(self, result: Result) -> list[str]:
        """Return what differs from the expectation, one sentence each."""
        found = []
        if result.states != self.states:
            found.append(f"{self.states} states were expected")
        if not result.complete:
            found.append("the search was cut off")
        if self.oversells and result.oversell is None:
            found.append("an oversell was expected")
        if not self.oversells:
            if result.oversell is not None:
                found.append(f"oversell: {show(result.oversell)}")
            found.extend(f"{word} at rest: {show(trace)}" for word, trace in sorted(result.stuck.items()))
        return found


def runs() -> Iterator[Run]:
    """Yield every search of the campaign."""
    units = (1, 1, 1)
    known, versioned = oversell.Strategy.KNOWN_ORDERS, oversell.Strategy.KNOWN_ORDERS_VERSIONED
    own, every = locations.Rule.OWN_LOCATION, locations.Rule.EVERY_LOCATION
    unfenced = oversell.Oversell(
        oversell.Strategy.LEDGER_UNFENCED, (2, 1, 1), stock=1, receipt_units=2, daemons=2
    )
    unsent = cancellation.Cancellation(cancellation.Rule.UNSENT, observed=True, strict=False)
    increments = oversell.Strategy.LEDGER
    yield Run(
        "increments, four orders, two receipts",
        oversell.Oversell(increments, (1, 1, 1, 1), receipts=2),
        677_853,
    )
    yield Run(
        "increments of several units, two daemons",
        oversell.Oversell(increments, (2, 1, 1), stock=1, receipt_units=2, daemons=2),
        172_771,
    )
    yield Run("orders never late", oversell.Oversell(oversell.Strategy.CURRENT_ORDERS), 301_199)
    yield Run("absolute minus known orders", oversell.Oversell(known), 1_662_884, True)
    yield Run("absolute minus known orders, versioned", oversell.Oversell(versioned), 1_662_884, True)
    alone = oversell.Oversell(oversell.Strategy.LEDGER_UNFENCED, stock=1, daemons=2)
    yield Run("two daemons without a fence", alone, 425_011, True)
    yield Run("two daemons without a fence, batches", unfenced, 828_088, True)
    both = takeover.Takeover("adopt", predecessor_counts_old=True, standby_counts_old=True)
    yield Run("adopt, both count the old order", both, 178_932)
    yield Run("adopt, lease never checked", takeover.Takeover("adopt", lease_checked=False), 241_402)
    yield Run(
        "adopt, fewer orders counted", takeover.Takeover("adopt", standby_counts_old=True), 270_878, True
    )
    falls = takeover.Takeover("rebase", orders=2, shrinks=1)
    yield Run("rebase, a foreign fall", falls, 200_738, True)
    yield Run("rebase, shorter window", takeover.Takeover("rebase", predecessor_counts_old=True), 740_524)
    yield Run(
        "rebase, longer window, one new order", takeover.Takeover("rebase", standby_counts_old=True), 744_899
    )
    unchecked = takeover.Takeover("rebase", standby_counts_old=True, lease_checked=False)
    yield Run("rebase, lease never checked", unchecked, 1_116_001)
    late = takeover.Takeover("rebase", standby_counts_old=True, late=True)
    yield Run("rebase, orders learnt late, two new orders", late, 1_369_045)
    offered = takeover.Takeover(
        "rebase", standby_counts_old=True, orders=2, shrinks=1, late=True, watch="offer"
    )
    yield Run("rebase, orders learnt late, receipts and falls", offered, 248_545)
    yield Run("three orders in portions", batches.Batches(), 204_441)
    yield Run("portions of three units", batches.Batches(quantities=(3, 2), receipts=2), 574_488)
    yield Run(
        "percentage", batches.Batches(quantities=(2, 2, 1), stock=4, receipts=2, percentage=70), 364_251
    )
    three = cancellation.Cancellation(quantities=(1, 1, 1), stock=1)
    yield Run("release by the warehouse's proof, three orders", three, 344_135)
    by_others = cancellation.Cancellation(observed=True)
    yield Run("release by the warehouse's proof, handed over by others", by_others, 193_899)
    yield Run("unsent lines released in observe mode", unsent, 545_224, True)
    yield Run("own location, three lines", locations.Locations(own, (2, 1, 1), (2, 1)), 501_245)
    yield Run("every location, three lines", locations.Locations(every, (2, 1, 1), (2, 1)), 959_909)
    yield Run("on hand, three orders", onhand.OnHand(quantities=units), 1_006_897)
    yield Run("new epoch, three orders", epochs.Epochs(quantities=units), 1_610_552)


def main(words: Sequence[str]) -> int:
    """Run the searches whose name holds one of the words, all without words; return the exit code."""
    chosen = [run for run in runs() if not words or any(word in run.name for word in words)]
    wrong = not chosen
    for run in chosen:
        started = time.perf_counter()
        result = explore(run.model)
        seconds = time.perf_counter() - started
        complaints = run.complaints(result)
        wrong = wrong or bool(complaints)
        outcome = "oversells" if result.oversell is not None else "exact" if not result.stuck else "wrong"
        verdict = "; ".join(complaints) or "as expected"
        sys.stdout.write(f"{run.name:40} {result.states:9,} {outcome:10} {seconds:5.0f} s  {verdict}\n")
        sys.stdout.flush()
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

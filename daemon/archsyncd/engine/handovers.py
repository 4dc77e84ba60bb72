"""Orders on their way, as their loop sees them in the store; each step may raise StoreFull, StoreBroken or FencedOff."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

from archsyncd.domain.concerned import Concerned
from archsyncd.domain.feed import OrderLookup
from archsyncd.domain.handover import CancelAnswer, Carried, Flaw, Objection, OrderStory, Stage
from archsyncd.domain.kits import NO_KITS, Kit
from archsyncd.domain.silence import Untaken


class Handovers(Protocol):
    """Orders on their way to Archean. A step with an order that stands elsewhere by now is not taken."""

    async def due(self, limit: int) -> list[Carried]:
        """Orders about which something is to be done now, the oldest first."""
        ...

    async def to_note(self, limit: int) -> list[Carried]:
        """Orders that Archean has and whose number there is to be noted on them now, the oldest first."""
        ...

    async def listed(self, stage: Stage, limit: int) -> list[Carried]:
        """Orders in a state, those first that have been in it longest."""
        ...

    async def counts(self) -> Mapping[Stage, tuple[int, int]]:
        """How many orders are in each state that is not the end, and since when the first is in it (UTC milliseconds)."""
        ...

    async def story(self, reference: str) -> OrderStory | None:
        """An order by its id or number, and what became of it; None when it is not ours to carry."""
        ...

    async def concerned(self, names: Collection[str]) -> Mapping[str, Concerned]:
        """By name, the order whose id or number it is, else that of the dispatch or return which is called so."""
        ...

    async def recover(self) -> int:
        """After a start: what was being sent may have arrived. How many orders are in doubt by that.

        Open orders that were known before hand-over began are carried from now on.
        """
        ...

    async def wait(self, carried: Carried, reason: str, version: int, again_ms: int) -> None:
        """The order may not go yet."""
        ...

    async def hold(self, carried: Carried, flaw: Flaw, version: int) -> None:
        """The order cannot go whole: it waits for a person, or for its cause to go away."""
        ...

    async def not_ours(self, carried: Carried, reason: str) -> None:
        """Nothing of the order is for a warehouse."""
        ...

    async def ready(
        self, carried: Carried, body: str, lines: str, version: int, kits: Mapping[str, Kit] = NO_KITS
    ) -> Carried | None:
        """Write down what will be sent; durable before the first byte. None when the order stands elsewhere by now.

        `kits`: by line id, what the order's kits are made of; written down with it.
        """
        ...

    async def prepared(
        self,
        carried: Carried,
        body: str,
        lines: str,
        version: int,
        reason: str,
        again_ms: int,
        kits: Mapping[str, Kit] = NO_KITS,
    ) -> None:
        """Write down what will be sent, and that it is not sent now."""
        ...

    async def untaken_since(self, limit: int) -> list[int]:
        """When the oldest orders were placed that may go and are not with Archean for certain (UTC milliseconds)."""
        ...

    async def wake(self, stages: Collection[Stage], limit: int) -> int:
        """Have some of the orders in these states that were put off be due now, those tried least first; how many."""
        ...

    async def untaken(self) -> Untaken:
        """What is to be handed over and is not with Archean for certain."""
        ...

    async def answered(self, carried: Carried, feed: str, found: OrderLookup, again_ms: int) -> None:
        """Archean says how it stands with the order: the ledger learns it in the same transaction."""
        ...

    async def refused(self, carried: Carried, feed: str, objection: Objection) -> None:
        """Archean does not take the order as it is."""
        ...

    async def doubted(self, carried: Carried, reason: str, again_ms: int | None) -> None:
        """Whether Archean has the order is unknown. `again_ms`: when it is asked; None: a person must say."""
        ...

    async def unsent(self, carried: Carried, reason: str, again_ms: int) -> None:
        """Archean does not have the order, so it may be sent (again)."""
        ...

    async def noted(self, carried: Carried, reason: str) -> None:
        """Archean's number stands on the order in commercetools, or need not."""
        ...

    async def cancelled_unsent(self, carried: Carried, reason: str) -> None:
        """Nothing was ever sent of an order that commercetools has cancelled: its pieces are released with that."""
        ...

    async def cancelling(self, carried: Carried) -> Carried | None:
        """Archean is about to be asked to cancel the order."""
        ...

    async def cancel_answered(self, carried: Carried, feed: str, answer: CancelAnswer) -> None:
        """What Archean says to the wish to cancel; stock is released by its word alone."""
        ...

    async def put_off(self, carried: Carried, reason: str, again_ms: int | None) -> None:
        """Nobody answered: the same is tried again later; None: there is nothing to do."""
        ...

    async def again(self, reference: str, note: str) -> bool:
        """A person has an order tried again that was held or in doubt; False when it is neither."""
        ...

    async def forgotten(self, carried: Carried, note: str) -> bool:
        """Archean had the order and does not know it any more: it is judged and sent anew. False when that cannot be so."""
        ...

    async def dismiss(self, reference: str, note: str) -> bool:
        """A person says that an order is not to be handed over by us; False when it is on its way already."""
        ...

    async def as_it_is(self, reference: str) -> bool:
        """A person says that Archean has an order as it is now, edited after the hand-over; whether that frees any piece."""
        ...

    async def put_down(self, began: str) -> None:
        """Another system hands over now: what was not sent is its own. `began`: the name of the time at which ours began."""
        ...

    async def ours_now(self, carried: Carried) -> Carried | None:
        """Archean does not know it, and nobody else can have it on its way: it is ours to send."""
        ...

    async def tell_stalled(self, before_ms: int, waiting_before_ms: int) -> None:
        """Tell of orders placed before that which are not with Archean yet; of those that wait by right after a longer time."""
        ...

    async def check_claims(self, before_ms: int) -> int:
        """Tell of orders marked as shipped before that of which Archean has told no dispatch; how many were looked at."""
        ...

    async def look_again(self) -> None:
        """The rules may be others: orders that wait or are held, and were never sent, are judged anew."""
        ...

    async def tidy(self) -> bool:
        """Drop some of the orders that were closed long ago; whether more of them are left."""
        ...

"""What Archean advises of goods, as its loop sees it in the store; each step may raise StoreFull, StoreBroken or FencedOff."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from archsyncd.domain.advice import Advice, AdviceKind, AdviceStage
from archsyncd.domain.booking import Finding
from archsyncd.domain.handover import Stage
from archsyncd.domain.inventory import Order
from archsyncd.domain.kits import Kit
from archsyncd.domain.rules import LearnRules


class Advices(Protocol):
    """Fulfilments and returns on their way into commercetools. A step with one that has moved on meanwhile is not taken."""

    async def due(self, limit: int) -> list[Advice]:
        """Advices about which something is to be done now, the oldest first."""
        ...

    async def of_order(self, order_id: str) -> list[Advice]:
        """Everything advised of an order, the oldest first."""
        ...

    async def kits_of(self, order: Order, rules: LearnRules) -> Mapping[str, Kit]:
        """By line id, the kits that an order was handed over with; of lines that were not, as the rules are now."""
        ...

    async def unbooked_since(self, limit: int) -> list[int]:
        """When Archean told the oldest of the dispatches that are not booked (UTC milliseconds)."""
        ...

    async def wake(self, stage: AdviceStage, limit: int, feed: str = "") -> int:
        """Have some of those in this stage (of one feed) that were put off be due now, those tried least first; how many."""
        ...

    async def counts(self) -> Mapping[tuple[AdviceKind, AdviceStage], tuple[int, int]]:
        """How many advices wait or are held, by stage, and since when the first of them is (UTC milliseconds)."""
        ...

    async def booked(
        self,
        advice: Advice,
        order: Order,
        rules: LearnRules,
        findings: Sequence[Finding],
        stands: Stage | None,
        delivery_key: str | None,
        booked_at: str,
    ) -> None:
        """Commercetools has booked it. `order`: as it is after that; `stands`: how far it has come by its deliveries.

        `delivery_key` is None where there was nothing to deliver. The order's new version is learnt in the same transaction.
        """
        ...

    async def hold(self, advice: Advice, findings: Sequence[Finding]) -> None:
        """It cannot be booked as it is: it waits for a person, or for a newer record."""
        ...

    async def close_shorts(self, advice: Advice) -> None:
        """What is short of it will never be shipped: the ledger counts it as gone, and the order may be whole without it."""
        ...

    async def tell_shorts(self, advice: Advice, name: str) -> None:
        """Somebody must decide what becomes of pieces that the warehouse did not find. `name`: what people call the order."""
        ...

    async def shorts_settled(self, advice: Advice) -> None:
        """Nothing is short of it any more."""
        ...

    async def acknowledged(self, advice: Advice) -> None:
        """Archean knows that it is booked: with the last one of a shipped order the circle is closed."""
        ...

    async def park(self, advice: Advice, again_ms: int | None, told: str | None) -> None:
        """Its order is still not known. `told`: why a person must look at it, None as long as that may be so by right."""
        ...

    async def put_off(self, advice: Advice, reason: str, again_ms: int) -> None:
        """Nobody answered, or the order changed meanwhile: the same is tried again later."""
        ...

    async def tell_stalled(self, before_ms: int) -> None:
        """Tell of what has waited since before that to be booked, or to be taken notice of."""
        ...

    async def again(self, name: str) -> bool:
        """A person has what is held tried again; False when nothing of that name is."""
        ...

    async def dismiss(self, name: str, note: str) -> bool:
        """A person has settled by hand what is held, or says that what is parked is not ours; False when neither is."""
        ...

    async def close_short_by_name(self, name: str) -> bool:
        """A person closes what is short of an advice; False when nothing is."""
        ...

    async def tidy(self) -> bool:
        """Drop some of what was finished long ago; whether more of it is left."""
        ...

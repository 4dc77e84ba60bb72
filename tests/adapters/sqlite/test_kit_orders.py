"""Kits' lines as they were handed over, in the store: written down with what is sent, and reckoned so by whatever rules later."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st

from archsyncd.domain.handover import Carried, Stage, asked_for
from archsyncd.domain.inventory import Order
from archsyncd.domain.kit_lines import component_name
from archsyncd.domain.kit_orders import kits_ordered
from archsyncd.domain.kits import Kit, Kits
from archsyncd.domain.ledger import Figures
from archsyncd.domain.rules import Carrying, Rules
from tests.adapters.sqlite.shelf import Shelf
from tests.adapters.sqlite.test_pools import KIT, WEB, kitted, opened, shows
from tests.domain.nouns import (
    BORN_MS,
    CHANNEL_IDS,
    accepted,
    cancelled,
    channel,
    key,
    learn_rules,
    level,
    line,
    order,
    place,
    rejected,
    rules,
    share,
    shipped,
)
from tests.support.virtual_time import virtual

HANDED = replace(learn_rules(), hand_over_since_ms=BORN_MS - 1_000)
B, C = key("B"), key("C")
NONE = rules(channel(place("WH1")))
SINGLES = {"A": (("A", 1),), "B": (("B", 1),), "C": (("C", 1),)}


async def stocked(path: Path, use: Rules | None = None) -> Shelf:
    """Ten A, twenty B and ten C; orders are carried."""
    shelf = await opened(path, use or kitted())
    shelf.store.carry(Carrying())
    await shelf.store.use_rules(shelf.store.rules)
    await shelf.read(level(1, 10), level(2, 20, sku="B"), level(3, 10, sku="C"))
    return shelf


@pytest_asyncio.fixture
async def kit(tmp_path: Path) -> AsyncIterator[Shelf]:
    shelf = await stocked(tmp_path)
    yield shelf
    await shelf.close()


async def hand_over(shelf: Shelf, bought: Order, body: str = "{}") -> Carried:
    """What may go is written down, with the kits as they are by the rules in force."""
    await shelf.learn(bought, use=HANDED)
    (due,) = [each for each in await shelf.store.handovers.due(99) if each.order_id == bought.id]
    kits = kits_ordered(bought, CHANNEL_IDS, shelf.store.rules.policies)
    found = await shelf.store.handovers.ready(due, body, asked_for(bought), bought.version, kits)
    assert found is not None
    assert found.stage is Stage.SENDING
    return found


def made_of(*parts: tuple[str, int], percent: int = 50) -> Rules:
    return rules(channel(place("WH1")), kits=Kits({"KIT": Kit("KIT", parts, percent)}))


OTHER = made_of(("A", 1), ("C", 1))


async def handed(shelf: Shelf, bought: Order) -> Mapping[str, object]:
    kits = await shelf.store.advices.kits_of(bought, HANDED)
    return {line_id: each.components for line_id, each in kits.items()}


@pytest.mark.parametrize("use", [OTHER, NONE], ids=["other components", "no kit any more"])
async def test_a_kit_stays_what_it_was_handed_over_as(kit: Shelf, use: Rules) -> None:
    """By other rules, and after a restart; an order that is handed over later goes by these."""
    first, second = order(line(2, "KIT")), order(line(1, "KIT"), name="o2")
    await hand_over(kit, first)
    await kit.store.use_rules(use)
    await kit.again(use)
    kit.store.carry(Carrying())
    await kit.store.use_rules(use)
    await hand_over(kit, second)
    assert await handed(kit, first) == {"n1": (("A", 1), ("B", 2))}
    assert await handed(kit, second) == ({"n1": (("A", 1), ("C", 1))} if use is OTHER else {})


async def test_what_was_written_down_is_not_written_anew_while_it_may_be_on_its_way(kit: Shelf) -> None:
    """Body and components go together: a repeat is the same to the byte, though the kit is another one by now."""
    bought = order(line(2, "KIT"))
    sending = await hand_over(kit, bought, "as it was")
    await kit.store.handovers.unsent(sending, "not reached", 0)
    await kit.store.use_rules(OTHER)
    again = await hand_over(kit, bought, "as it would be now")
    assert again.body == "as it was"
    assert await handed(kit, bought) == {"n1": (("A", 1), ("B", 2))}


async def test_an_order_that_archean_rejected_goes_as_the_kit_is_now(kit: Shelf) -> None:
    """Somebody has corrected what the kit is made of, which was the reason."""
    bought = order(line(2, "KIT"))
    sending = await hand_over(kit, bought)
    await kit.store.handovers.doubted(sending, "lost", None)
    await kit.read(rejected(4))
    assert await kit.store.handovers.again("o1", "corrected")
    await kit.store.use_rules(OTHER)
    await hand_over(kit, bought, "corrected")
    assert await handed(kit, bought) == {"n1": (("A", 1), ("C", 1))}
    assert await shows(kit, KIT, WEB, B, C) == (3, 5, 20, 5)


async def test_a_kit_that_is_another_one_counts_at_what_it_was_handed_over_as(kit: Shelf) -> None:
    """Two of it take two A and four B until Archean's figures exclude them; C, which the kit has now, is not taken."""
    await hand_over(kit, order(line(2, "KIT")))
    assert await shows(kit, KIT, WEB, B, C) == (3, 5, 10, 10)
    await kit.store.use_rules(OTHER)
    assert await shows(kit, KIT, WEB, B, C) == (5, 3, 16, 5)
    assert (await kit.figures(B)).ntrk == 4
    parts = [
        share(2, sku="A", line=component_name("n1", "A")),
        share(4, sku="B", line=component_name("n1", "B")),
    ]
    await kit.read(accepted(5, "o1", *parts), level(6, 8), level(7, 16, sku="B"))
    assert await shows(kit, KIT, WEB, B, C) == (4, 4, 16, 5)
    assert ((await kit.figures(B)).ntrk, (await kit.figures(WEB)).ntrk) == (0, 0)
    assert await kit.figures(KIT) == Figures(4, 2, 0, 2)


async def test_a_component_of_it_does_not_prove_a_line_that_was_ordered_by_that_sku(kit: Shelf) -> None:
    """What Archean says of the kit's B is about no other B, though the kit has none by the rules in force."""
    await hand_over(kit, order(line(1, "KIT"), line(2, "B", "n2")))
    await kit.store.use_rules(NONE)
    await kit.read(
        accepted(5, "o1", share(2, sku="B", line=component_name("n1", "B"))), level(6, 18, sku="B")
    )
    assert (await kit.figures(B)).refl == 0
    assert await shows(kit, B) == (16,)


async def test_a_cancelled_kit_that_is_none_any_more_gives_its_pieces_back(kit: Shelf) -> None:
    """Nothing was sent, so nothing leaves."""
    sending = await hand_over(kit, order(line(2, "KIT", mode=line(1).mode)))
    await kit.store.use_rules(NONE)
    assert await shows(kit, WEB, B) == (8, 16)
    await kit.store.handovers.unsent(sending, "not reached", 0)
    (due,) = await kit.store.handovers.due(9)
    await kit.store.handovers.put_off(due, "", 0)
    await kit.read(cancelled(5))
    assert await shows(kit, WEB, B) == (10, 20)


async def test_a_shipped_kit_is_folded_by_what_it_was_handed_over_as(kit: Shelf) -> None:
    """Its components have left: the order is done, and every figure stays."""
    bought = order(line(2, "KIT"))
    await hand_over(kit, bought)
    await kit.store.use_rules(OTHER)
    lines = [share(2, "WH1", "A", component_name("n1", "A")), share(4, "WH1", "B", component_name("n1", "B"))]
    await kit.read(shipped(5, *lines), level(6, 8), level(7, 16, sku="B"))
    before = await shows(kit, KIT, WEB, B, C)
    assert await kit.store.orders.fold(["o1"], 0) == 1
    assert await shows(kit, KIT, WEB, B, C) == before == (4, 4, 16, 5)
    assert await handed(kit, bought) == {"n1": (("A", 1), ("B", 2))}


@dataclass
class Market:
    """A store, what lies on the shelf, and what was sold and not imported yet."""

    shelf: Shelf
    there: dict[str, int] = field(default_factory=lambda: {"A": 10, "B": 20, "C": 10})
    kit: tuple[tuple[str, int], ...] | None = (("A", 1), ("B", 2))
    open: dict[str, tuple[tuple[str, int], ...]] = field(default_factory=dict)
    seq: int = 10
    orders: int = 0

    async def offered(self, sku: str) -> int:
        if not await self.shelf.has_row(key(sku)):
            return 0
        (found,) = await shows(self.shelf, key(sku))
        return found

    async def sell(self, sku: str, pieces: int) -> None:
        """Commercetools sells what it shows, and no more; the order is handed over at once."""
        pieces = min(pieces, await self.offered(sku))
        if pieces <= 0:
            return
        self.orders += 1
        name = f"o{self.orders}"
        await hand_over(self.shelf, order(line(pieces, sku), name=name))
        made = self.kit if sku == "KIT" and self.kit else SINGLES[sku]
        self.open[name] = tuple((part, count * pieces) for part, count in made)

    async def import_(self, chosen: int) -> None:
        """Archean accepts one order: an acceptance line by line, and the levels without its pieces."""
        if not self.open:
            return
        name = sorted(self.open)[chosen % len(self.open)]
        parts = self.open.pop(name)
        is_kit = len(parts) > 1
        lines = [
            share(count, "WH1", sku, component_name("n1", sku) if is_kit else "n1") for sku, count in parts
        ]
        records: list[object] = [accepted(self.seq, name, *lines)]
        for sku, count in parts:
            self.seq += 1
            self.there[sku] -= count
            records.append(level(self.seq, self.there[sku], sku=sku))
        self.seq += 1
        await self.shelf.read(*records)  # type: ignore[arg-type]

    async def change(self, parts: tuple[tuple[str, int], ...] | None) -> None:
        self.kit = parts
        await self.shelf.store.use_rules(NONE if parts is None else made_of(*parts))

    async def check(self) -> None:
        """Of each SKU: what is offered of it, alone and in kits, and what was sold and is on the shelf still, is there."""
        kits = max(await self.offered("KIT"), 0) if self.kit else 0
        if not self.kit and await self.shelf.has_row(KIT):
            assert await self.offered("KIT") <= 0
        for sku, there in self.there.items():
            alone = max(await self.offered(sku), 0)
            in_kits = kits * dict(self.kit or ()).get(sku, 0)
            sold = sum(count for parts in self.open.values() for part, count in parts if part == sku)
            assert alone + in_kits + sold <= there, (sku, alone, in_kits, sold, there)

    async def settle(self) -> None:
        """In the end everything is imported, and nothing of what is there is hidden."""
        while self.open:
            await self.import_(0)
        await self.change(None)
        for sku, there in self.there.items():
            assert await self.offered(sku) == there


COMPOSITIONS = st.sampled_from(
    [(("A", 1), ("B", 2)), (("A", 1), ("C", 1)), (("A", 2), ("B", 1)), (("B", 3), ("C", 2)), None]
)
ACTS = st.one_of(
    st.tuples(st.just("sell"), st.sampled_from(["KIT", "KIT", "A", "B", "C"]), st.integers(1, 4)),
    st.tuples(st.just("import"), st.integers(0, 5)),
    st.tuples(st.just("change"), COMPOSITIONS),
)


@settings(max_examples=20)
@given(st.lists(ACTS, min_size=4, max_size=8))
def test_f128_whatever_a_kit_becomes_no_piece_is_offered_twice(acts: list[tuple[object, ...]]) -> None:
    """Kits are sold, imported piece by piece and made of other things, in any order (row 128)."""

    @virtual
    async def run() -> None:
        with tempfile.TemporaryDirectory(prefix="archsyncd-kits-") as directory:
            shelf = await stocked(Path(directory))
            market = Market(shelf)
            for what, *rest in acts:
                if what == "sell":
                    await market.sell(*rest)  # type: ignore[arg-type]
                elif what == "import":
                    await market.import_(*rest)  # type: ignore[arg-type]
                else:
                    await market.change(*rest)  # type: ignore[arg-type]
                await market.check()
            await market.settle()
            await shelf.close()

    run()

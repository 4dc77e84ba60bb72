"""What people are told of keys that share their pieces: made of what, checked again, and waiting for whom."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from archsyncd.domain.settlement import Booked
from archsyncd.operator.sku_screen import sku_lines
from archsyncd.operator.story import Story
from tests.adapters.sqlite.shelf import Shelf, open_sqlite
from tests.adapters.sqlite.test_pools import EVER, SHOP, WEB, kitted, shared
from tests.domain.nouns import accepted, level, line, order, share


async def told(shelf: Shelf, sku: str) -> dict[str, Any]:
    """The story of a SKU as it is told."""
    story = Story(await shelf.store.report.story(sku), shelf.store.rules)
    return story.told(shelf.clock.now_ms) | {"timelines": [], "cases": []}


async def test_a_kit_is_explained_by_its_components(tmp_path: Path) -> None:
    """Each component with what is kept of it and how many kits that makes."""
    shelf = await Shelf.open(open_sqlite, tmp_path, kitted())
    await shelf.read(level(1, 10), level(2, 9, sku="B"))
    await shelf.learn(order(line(1, "KIT")))
    await shelf.read(accepted(3, "o1", share(1, "WH1", "A"), share(2, "WH1", "B")), level(4, 9))
    story = await told(shelf, "KIT")
    (web,) = story["keys"]
    assert web["made_of"] == [
        "4 of the 9 of A that may be sold are kept (50%), 1 for each kit: 4",
        "4 of the 9 of B that may be sold are kept (50%), 2 for each kit: 2",
    ]
    assert web["adds_up"], web["checks"]
    (told_line,) = story["lines"]
    assert [proof["holds"] for proof in told_line["proofs"]] == [True, False]
    assert told_line["reflected"] == 0
    (component,) = (await told(shelf, "B"))["keys"]
    assert component["made_of"] == ["of 9 that may be sold, 4 are kept for the kit KIT (50%)"]
    assert component["adds_up"], component["checks"]
    assert any("made of" in each for each in sku_lines(story))
    await shelf.close()


async def test_a_sharing_kit_and_its_components_are_explained(tmp_path: Path) -> None:
    """Nothing is kept, and that is said on both."""
    shelf = await Shelf.open(open_sqlite, tmp_path, kitted(None))
    await shelf.read(level(1, 10), level(2, 9, sku="B"))
    await shelf.learn(order(line(1, "KIT")))
    (web,) = (await told(shelf, "KIT"))["keys"]
    assert web["made_of"][1] == "7 of B are offered, 2 for each kit: 3 (shared, nothing is kept)"
    assert web["adds_up"], web["checks"]
    (component,) = (await told(shelf, "A"))["keys"]
    assert component["made_of"] == ["shared with the kit KIT, which takes 1 for each of it"]
    assert component["adds_up"], component["checks"]
    await shelf.close()


async def test_a_kit_without_a_level_of_a_component_says_so(tmp_path: Path) -> None:
    """Once it was offered; a component that is unknown is named."""
    shelf = await Shelf.open(open_sqlite, tmp_path, kitted())
    await shelf.read(level(1, 10), level(2, 9, sku="B"))
    await shelf.store.use_rules(kitted(A=1, C=1))
    (web,) = (await told(shelf, "KIT"))["keys"]
    assert "Archean has told of no C at a location of web: nothing of the kit is offered" in web["made_of"]
    await shelf.close()


async def test_a_share_its_debts_and_who_waits_are_told(tmp_path: Path) -> None:
    """The level's percentage, what is left to the other channel, and the fall that an increase waits for."""
    shelf = await Shelf.open(open_sqlite, tmp_path, shared())
    await shelf.read(level(1, 10))
    await shelf.based(6, WEB, name="E-web")
    await shelf.based(4, SHOP, name="E-shop")
    await shelf.learn(order(line(6)))
    await shelf.read(level(2, 8))
    keys = {each["channel"]: each for each in (await told(shelf, "A"))["keys"]}
    assert keys["shop"]["made_of"] == [
        "40 % of what is at WH1, which web sells too: 3",
        "2 are left to others that owe more than their part: A in web owes 2",
    ]
    assert all(each["adds_up"] for each in keys.values())
    await shelf.read(accepted(3), level(4, 4))
    for lease in await shelf.lease(orders_complete_ms=EVER):
        await shelf.settle(lease, Booked(lease.entry_id or "", 2))
    assert await shelf.lease(orders_complete_ms=0) == []
    keys = {each["channel"]: each for each in (await told(shelf, "A"))["keys"]}
    assert keys["web"]["waits_for"][0].startswith("A in shop, which may show 3 beyond its part")
    await shelf.close()

"""packaging/profiles.md, "Asking a source over HTTP": its examples read the invented houses, and every key is on it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from archsyncd.wire.foreign import section
from archsyncd.wire.foreign.section import MODES
from archsyncd.wire.foreign.source import read_source
from archsyncd.wire.foreign.templates import ORDER_NAMES, STOCK_NAMES
from tests.dialects.houses import House, Ledger, Shelf
from tests.dialects.reading import reading
from tests.support.virtual_time import VirtualClock, virtual

PACKAGING = Path(__file__).parents[2] / "packaging"
PAGE = (PACKAGING / "profiles.md").read_text("utf-8").partition("## Asking a source over HTTP")[2]
EXAMPLES = {"request-by-time.json": Shelf, "request-by-cursor.json": Ledger}


@pytest.mark.parametrize("name", EXAMPLES)
@virtual
async def test_the_examples_read_the_houses_that_they_are_about(name: str) -> None:
    """A snapshot, then changes, by the file as it is installed."""
    profile = json.loads((PACKAGING / "examples" / name).read_text("utf-8"))
    house: House = EXAMPLES[name](VirtualClock().wall_ms)
    assert isinstance(house, Shelf | Ledger)
    async with reading(house, profile) as site:
        house.put("A", 5)
        after, pages = await site.whole()
        assert [(level.sku, level.on_hand) for page in pages for level in page.items] == [("A", 5)]
        house.put("A", 4)
        batches = await site.next(after, rounds=2)
        assert [record.sku for batch in batches for record in batch.records] == ["A"]  # type: ignore[union-attr]
        assert await site.feed.read_key("A") is not None


CALL = re.compile(
    r"(?:raw|has|inner|text|choice|whole|words|numbers|parse_next|_listing|_pairs|_duration|read_shape)"
    r"\(\s*(?:section, |inner, )?\"([a-zA-Z]+)\""
)


def asked_for() -> set[str]:
    """Every key that the readers of the section ask for."""
    folder = Path(section.__file__).parent
    return {name for file in folder.glob("*.py") for name in CALL.findall(file.read_text("utf-8"))}


def test_every_key_mode_and_placeholder_is_on_the_page() -> None:
    """Whoever writes a profile need not read the program."""
    words = set(re.findall(r"[A-Za-z0-9-]+", PAGE))
    keys = asked_for()
    assert {"mode", "lookUp", "seqAt", "wish", "different", "until"} <= keys
    assert (keys | set(MODES) | {*STOCK_NAMES, *ORDER_NAMES}) - words == set()


def test_the_examples_are_sound_and_whole() -> None:
    """Each with a full picture of its own."""
    for name in EXAMPLES:
        source = read_source((PACKAGING / "examples" / name).read_bytes(), name)
        assert not source.requests.needs_partner
        assert name in PAGE

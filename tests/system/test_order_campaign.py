"""The campaign over many orders, with few: that it comes to its end, and that it complains."""

from __future__ import annotations

import pytest

from tests.support.virtual_time import run_virtual
from tests.system import order_controls as controls
from tests.system.order_campaign import Campaign, main


def test_a_short_campaign_ends_well(capsys: pytest.CaptureFixture[str]) -> None:
    """Its status is 0, and its summary says what came of the orders."""
    assert main(["--orders", "40"]) == 0
    told = capsys.readouterr().out
    assert "every order is in a final state or explained" in told
    assert "duplicates                            0" in told


def test_a_campaign_with_a_wrong_part_fails() -> None:
    """What is violated is named, and the status is 1."""
    told: list[str] = []

    async def play() -> int:
        campaign = Campaign(60, 3, "lookup", told.append)
        campaign.world.bent = controls.books_without_a_key()
        return await campaign.run()

    assert run_virtual(play()) == 1
    assert any(line.startswith("violated: P2") for line in told)

"""What the contract's document has a site type works as it stands there."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from archsyncd.adapters.clock import SystemClock
from archsyncd.domain.feed import Level
from tests.adapters.feeds.calling import SECRET, called
from tests.support import printed as printing

DOCUMENT = Path(__file__).parents[3] / "packaging/r247.md"
STEPS = printing.sections(DOCUMENT)["Transport `push`: signed calls"]
NEEDED = ("bash", "curl", "openssl", "od")
pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, NEEDED)), reason=f"one of {', '.join(NEEDED)} is not installed"
)


async def typed(url: str, secret: str) -> str:
    """What the shell prints."""
    around = {"URL": url, "SECRET": secret, "PATH": "/usr/bin:/bin"}
    (printed,) = await printing.typed(STEPS, around)
    return printed


async def test_the_call_that_is_signed_by_hand_is_stored() -> None:
    """Once; typed again it is known. With another secret it is refused."""
    async with called(clock=SystemClock()) as desk:
        (step,) = STEPS
        refused = json.loads(await typed(desk.url, "whsec_AAAAAAAAAAAAAAAAAAAAAAAA"))
        assert refused == {"code": "bad_signature"}
        assert step.is_answered(await typed(desk.url, SECRET))
        assert json.loads(await typed(desk.url, SECRET)) == {"status": "duplicate"}
        (told,) = desk.shelf.batches
        (record,) = told.records
        assert isinstance(record, Level)
        assert (record.sku, record.on_hand, record.available) == ("ABC-1", 42, 37)

"""What the contract's document has a site type works as it stands there."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from pathlib import Path

import pytest

from archsyncd.adapters.clock import SystemClock
from archsyncd.domain.feed import Level
from tests.adapters.feeds.calling import SECRET, called

DOCUMENT = Path(__file__).parents[3] / "packaging/r247.md"
NEEDED = ("bash", "curl", "openssl", "od")
pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, NEEDED)), reason=f"one of {', '.join(NEEDED)} is not installed"
)


def example() -> str:
    """The lines from the body to the call."""
    (found,) = re.findall(r"(?m)^    body='(?:.*\n)(?:    .*\n)+", DOCUMENT.read_text("utf-8"))
    return "\n".join(line.removeprefix("    ") for line in str(found).splitlines())


async def typed(url: str, secret: str) -> dict[str, object]:
    """What the shell prints."""
    shell = await asyncio.create_subprocess_exec(
        "bash",
        "-euo",
        "pipefail",
        "-c",
        example(),
        env={"URL": url, "SECRET": secret, "PATH": "/usr/bin:/bin", "no_proxy": "*"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await shell.communicate()
    assert shell.returncode == 0, err
    told: dict[str, object] = json.loads(out)
    return told


async def test_the_call_that_is_signed_by_hand_is_stored() -> None:
    """Once; typed again it is known. With another secret it is refused."""
    async with called(clock=SystemClock()) as desk:
        assert await typed(desk.url, "whsec_AAAAAAAAAAAAAAAAAAAAAAAA") == {"code": "bad_signature"}
        assert await typed(desk.url, SECRET) == {"status": "stored", "items": 1}
        assert await typed(desk.url, SECRET) == {"status": "duplicate"}
        (told,) = desk.shelf.batches
        (record,) = told.records
        assert isinstance(record, Level)
        assert (record.sku, record.on_hand, record.available) == ("ABC-1", 42, 37)

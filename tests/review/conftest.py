"""A store for the tests of interplay, the same as the store's own tests use."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.adapters.sqlite.shelf import Shelf, open_sqlite


@pytest_asyncio.fixture
async def shelf(tmp_path: Path) -> AsyncIterator[Shelf]:
    """An open store under a tenure, one channel `web` with one location `WH1` until told otherwise."""
    found = await Shelf.open(open_sqlite, tmp_path)
    try:
        yield found
    finally:
        await found.close()

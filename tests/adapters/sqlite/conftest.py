"""Stores for the tests: the contract takes a factory, so that another store joins with one more entry."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.adapters.sqlite.shelf import OpenStore, Shelf, open_sqlite

STORES: dict[str, OpenStore] = {"sqlite": open_sqlite}


@pytest_asyncio.fixture(params=list(STORES))
async def shelf(request: object, tmp_path: Path) -> AsyncIterator[Shelf]:
    """An open store under a tenure, one channel `web` with one location `WH1` until told otherwise."""
    name = getattr(request, "param", "sqlite")
    found = await Shelf.open(STORES[name], tmp_path)
    try:
        yield found
    finally:
        await found.close()

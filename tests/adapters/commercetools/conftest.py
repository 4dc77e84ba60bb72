"""Fixtures: a client in front of a scripted API."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.adapters.commercetools.bench import Bench, open_bench


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with open_bench() as opened:
        yield opened

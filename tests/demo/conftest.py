"""A directory with a short name: a Unix socket's path has 107 bytes at most, and the usual one is long."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def place() -> Iterator[Path]:
    """An empty directory, removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="demo-") as name:
        yield Path(name)

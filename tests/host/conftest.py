"""The package, built once for everything that installs it or looks into it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.host.site import build


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Debian package of this checkout."""
    return build(tmp_path_factory.mktemp("package"))

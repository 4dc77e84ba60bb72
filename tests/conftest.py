"""How tests are dealt out to workers, and how Hypothesis looks for counterexamples: the same cases in every run of the suite.

`--hypothesis-profile=search` tries more and new ones, of searches whose number is written down as well
(`tests.support.examples`). Neither judges by the clock: a busy machine fails no test.
"""

from __future__ import annotations

import gc
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

# What shares something dear stays together: machines that must not run side by side, one package, one browser.
_TOGETHER = ("tests/host/", "tests/operator/test_page_browser.py")

_SLOW = (HealthCheck.too_slow,)
settings.register_profile("suite", deadline=None, derandomize=True, suppress_health_check=_SLOW)
settings.register_profile("search", deadline=None, max_examples=1_000, suppress_health_check=_SLOW)
settings.load_profile("suite")


class OneByOne(LoadScopeScheduling):  # type: ignore[misc]
    """Deals tests out singly, so that no core is left without work at the end."""

    def _split_scope(self, nodeid: str) -> str:
        return next((place for place in _TOGETHER if nodeid.startswith(place)), nodeid)


def pytest_collection_finish() -> None:
    """Modules and tests stay to the end: the collector need not walk them again with each test."""
    gc.collect()
    gc.freeze()


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> OneByOne:
    """Used wherever there are several workers."""
    return OneByOne(config, log)

"""Negative controls: the check that passes the right rule must catch the wrong one, by the trace given."""

import re

import pytest

from tests.models.explore import Result


def must_oversell(result: Result, trace: str) -> None:
    """Raise AssertionError unless the check for safety fails, with this trace in its message."""
    with pytest.raises(AssertionError, match=f"^oversell: {re.escape(trace)}$"):
        result.require_safe()


def must_be_wrong_at_rest(result: Result, word: str, trace: str) -> None:
    """Raise AssertionError unless the check of stock at rest fails, with this word and trace in its message."""
    with pytest.raises(AssertionError, match=f"^wrong at rest: .*{word}: {re.escape(trace)}(;|$)"):
        result.require_live()

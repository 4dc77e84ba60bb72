"""How many cases a dear search tries: a sound number in the suite, and many more with `--hypothesis-profile=search`."""

from __future__ import annotations

from hypothesis import settings

# What Hypothesis tries where a test says nothing, in the suite and in a search.
SUITE_EXAMPLES = 100
SEARCH_EXAMPLES = 1_000


def examples(count: int) -> int:
    """So many cases in the suite; with a longer search's profile as many times more as any other test tries."""
    return max(count, count * settings().max_examples // SUITE_EXAMPLES)

<<<<<<< HEAD
"""How many cases a dear search tries: a sound number in the suite, and many more with `--hypothesis-profile=search`."""
=======
"""How many examples a dear search tries: few in every run of the suite, many where longer searches are asked for."""
>>>>>>> main

from __future__ import annotations

from hypothesis import settings

<<<<<<< HEAD
# What Hypothesis tries where a test says nothing, in the suite and in a search.
SUITE_EXAMPLES = 100
SEARCH_EXAMPLES = 1_000


def examples(count: int) -> int:
    """So many cases in the suite; with a longer search's profile as many times more as any other test tries."""
    return max(count, count * settings().max_examples // SUITE_EXAMPLES)
=======
_SUITE = settings.get_profile("suite").max_examples


def examples(suite: int, search: int = 300) -> int:
    """`suite` of them in every run, `search` with --hypothesis-profile=search: no more than the limit of a test's time allows."""
    return suite if settings().max_examples == _SUITE else search
>>>>>>> main

"""How many examples a dear search tries: few in every run of the suite, many where longer searches are asked for."""

from __future__ import annotations

from hypothesis import settings

_SUITE = settings.get_profile("suite").max_examples


def examples(suite: int, search: int = 300) -> int:
    """`suite` of them in every run, `search` with --hypothesis-profile=search: no more than the limit of a test's time allows."""
    return suite if settings().max_examples == _SUITE else search

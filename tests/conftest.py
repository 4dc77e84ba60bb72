"""How Hypothesis looks for counterexamples: the same cases in every run of the suite, others when asked for.

`--hypothesis-profile=search` tries more and new ones. Neither judges by the clock: a busy machine fails no test.
"""

from hypothesis import HealthCheck, settings

_SLOW = (HealthCheck.too_slow,)
settings.register_profile("suite", deadline=None, derandomize=True, suppress_health_check=_SLOW)
settings.register_profile("search", deadline=None, max_examples=1_000, suppress_health_check=_SLOW)
settings.load_profile("suite")

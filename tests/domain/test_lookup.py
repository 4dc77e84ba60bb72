"""How often a key without an entry is looked up again."""

from __future__ import annotations

import pytest

from archsyncd.domain.lookup import Unentered, not_created, unasked, unsold
from tests.domain.nouns import key


@pytest.mark.parametrize(
    "found",
    [
        lambda attempts: unsold(key(), 5, attempts),
        lambda attempts: not_created(key(), 5, attempts),
        lambda attempts: unasked(key(), 5, "Forbidden", "c-1", attempts),
    ],
)
def test_what_stays_missing_is_looked_for_ever_more_rarely(found: object) -> None:
    """Soon at first, as the product may be on its way; a SKU that nobody sells costs next to nothing."""
    assert callable(found)
    looks: list[Unentered] = [found(attempts) for attempts in range(50)]
    pauses = [look.delay_ms for look in looks]
    assert pauses[:8] == [30_000] * 8
    assert pauses == sorted(pauses)
    assert pauses[-1] == 900_000

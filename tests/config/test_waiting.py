"""Keys that this version reads and does nothing with."""

import pytest

from archsyncd.config import described, not_in_force
from tests.config.texts import LEAST, settings_of


def test_what_is_set_and_not_in_force_is_named_by_its_path() -> None:
    """In tables and feeds; what keeps its default, works, or is switched off is not named."""
    text = (
        '[[feed]]\nname = "second"\nurl = "https://r247.test/api"\nemulator = "127.0.0.1:8085"\n'
        '[reconcile]\nnightly_at = "04:00"\n'
        '[alerts]\nemail = ["ops@example.com"]\n'
        '[status]\nlisten = ""\n'
    )
    assert not_in_force(settings_of(LEAST + text)) == ("feed.second.emulator",)


def test_a_least_configuration_is_wholly_in_force() -> None:
    """Nobody is told of defaults."""
    assert not_in_force(settings_of(LEAST)) == ()


@pytest.mark.parametrize(
    "path",
    [
        "feed.emulator",
        "feed.snapshot_timeout_minutes",
    ],
)
def test_the_declaration_is_what_explains_it(path: str) -> None:
    """One declaration serves the check, the start and the explanation."""
    assert [each.in_force for each in described() if each.path == path] == [False]

"""Keys that a version reads and does nothing with; this one has none."""

from dataclasses import dataclass, field

from archsyncd.config import described, not_in_force
from archsyncd.config.keys import key
from archsyncd.config.kinds import Flag
from archsyncd.config.waiting import _idle
from tests.config.texts import LEAST, settings_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table with a key of a later version."""

    works: bool = field(default=False, metadata=key(Flag(), "Works."))
    waits: bool = field(default=False, metadata=key(Flag(), "Waits.", in_force=False))


def test_what_is_set_and_not_in_force_is_named_by_its_path() -> None:
    """What keeps its default or works is not named."""
    assert list(_idle(Table, Table(works=True, waits=True), ("table",), in_force=True)) == [
        ("table", "waits")
    ]
    assert list(_idle(Table, Table(works=True), ("table",), in_force=True)) == []


def test_every_key_of_this_version_is_in_force() -> None:
    """Nobody is told of defaults, nor of what is set."""
    assert [each.path for each in described() if not each.in_force] == []
    assert not_in_force(settings_of(LEAST + '[reconcile]\nnightly_at = "04:00"\n')) == ()

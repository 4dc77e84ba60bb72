"""The list of faults and tests is true: every row is there once, every test it names exists."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parent
LINE = re.compile(r"\| (\d+) \| (.+) \|")
NAMED = re.compile(r"`([a-z0-9_/]+\.py)`: ((?:`test_[a-z0-9_]+`(?:, )?)+)")
ORDER_ROWS = (134, 136, *range(138, 147), 148, 149, 151, 153, *range(155, 159), 160)
FIRST_ROWS, LAST_ROWS = (
    range(1, 127),
    (129, 130, 132, 133, *ORDER_ROWS, 161, 162, 164, 165, 167, 169, 170, 171, 174, 175, 176, 177, 178),
)
# Numbers that the catalogue does not use, and rows of what this version does not do.
UNUSED = {9, 17, 22, 33, 45, 46, 55, 57, 63, 71, 77, 79, 83, 88, 98, 99, 103, 107, 109, 113, 116, 123}
NOT_HERE = {114, 115}


def listed() -> dict[int, str]:
    """Rows of the list with what it says of them."""
    lines = (TESTS / "FAULTS.md").read_text("utf-8").splitlines()
    found = [LINE.fullmatch(line) for line in lines]
    return {int(match[1]): match[2] for match in found if match}


def test_every_row_is_listed() -> None:
    """None forgotten, none invented."""
    wanted = (set(FIRST_ROWS) - UNUSED - NOT_HERE) | set(LAST_ROWS)
    assert set(listed()) == wanted


def test_every_test_that_is_named_exists_and_carries_the_number() -> None:
    """A renamed test must be renamed here; a row without tests says why."""
    for row, text in listed().items():
        named = NAMED.findall(text)
        assert named or text.startswith("no test: "), row
        for file, names in named:
            source = (TESTS / file).read_text("utf-8")
            for name in re.findall(r"test_[a-z0-9_]+", names):
                assert f"def {name}(" in source, (row, file, name)
                assert f"f{row:03}" in name, (row, name)

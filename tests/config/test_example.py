"""The example that is installed as /etc/archsyncd/config.toml."""

import re
from pathlib import Path

from archsyncd.config import described, load, read_settings
from tests.config.texts import settings_of

EXAMPLE = Path(__file__).parents[2] / "config.toml"


def test_the_example_loads_once_its_placeholders_are_accepted() -> None:
    """What is shipped is sound; only the site's own values are missing."""
    settings = load(EXAMPLE, None, {}, require_credentials=False, allow_placeholders=True)
    assert settings == settings_of(EXAMPLE.read_text(encoding="utf-8"))


def test_every_default_shown_in_the_example_is_the_default_that_holds() -> None:
    """Taking away the '#' before a key changes nothing."""
    text = EXAMPLE.read_text(encoding="utf-8")
    uncommented = re.sub(r"(?m)^#(?=[a-z_]+ = )", "", text)
    assert uncommented.count("\n#") < text.count("\n#") - 50
    assert settings_of(uncommented) == settings_of(text)


def test_every_key_is_found_in_the_example() -> None:
    """An administrator who reads the file once has seen every key."""
    text = EXAMPLE.read_text(encoding="utf-8")
    missing = [
        entry.path for entry in described() if not re.search(rf"\b{entry.path.rpartition('.')[2]}\b", text)
    ]
    assert missing == []


def test_the_second_feed_of_the_example_is_sound() -> None:
    """The block for a directory of files works as it stands when its marks are taken away."""
    text = EXAMPLE.read_text(encoding="utf-8")
    start = text.index('# [[feed]]\n# name = "nightly"')
    block = text[start : text.index("\n\n", start)]
    settings, faults = read_settings(text.replace(block, re.sub(r"(?m)^# ", "", block)), "config.toml")
    assert faults == ()
    assert settings is not None
    assert [feed.name for feed in settings.feeds] == ["main", "nightly"]


def test_lines_of_the_example_fit_a_wide_terminal() -> None:
    """No line needs to be scrolled."""
    assert max(len(line) for line in EXAMPLE.read_text(encoding="utf-8").splitlines()) <= 120

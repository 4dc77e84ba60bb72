"""Configuration texts for the tests: the least that loads, and ways to add to it."""

from archsyncd.config import Fault, Settings, read_settings

PROJECT = '[commercetools]\nproject_key = "shop"\nclient_id = "sync"\n'
FEED = '[[feed]]\nname = "main"\nurl = "https://r247.test/api"\n'
LEAST = PROJECT + FEED


def settings_of(text: str) -> Settings:
    """The settings of a text that has no fault."""
    settings, faults = read_settings(text, "config.toml")
    assert faults == ()
    assert settings is not None
    return settings


def faults_of(text: str) -> tuple[Fault, ...]:
    """The faults of a text that has some."""
    settings, faults = read_settings(text, "config.toml")
    assert settings is None
    assert faults
    return faults


def only_fault(text: str) -> Fault:
    """The one fault of a text."""
    faults = faults_of(text)
    assert len(faults) == 1, [str(fault) for fault in faults]
    return faults[0]

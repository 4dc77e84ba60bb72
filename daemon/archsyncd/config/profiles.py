"""Mapping profiles named in the configuration: read from their files, their faults told like the configuration's own."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from archsyncd.config.drafting import Draft
from archsyncd.config.faults import Fault
from archsyncd.config.mapping import MappingNote, Weight
from archsyncd.config.settings import Settings
from archsyncd.wire.profile.faults import ProfileFaults
from archsyncd.wire.profile.profile import Profile, read_profile
from archsyncd.wire.profile.tree import TEXT_LIMIT_BYTES

PROFILE_TRANSPORTS: Final = ("drop", "pull")


def load_profile(path: Path) -> Profile:
    """Read a profile's file. Messages call it by its name and its folder's. Raises ProfileFaults, OSError."""
    return read_profile(*profile_bytes(path))


def profile_bytes(path: Path) -> tuple[bytes, str]:
    """A profile's text, a little more than it may have at most, and how messages call it. Raises OSError."""
    with path.open("rb") as file:
        data = file.read(TEXT_LIMIT_BYTES + 1)
    return data, f"{path.parent.name}/{path.name}" if path.parent.name else path.name


def check_profiles(draft: Draft) -> None:
    """Add every fault of every profile that can be read, and what does not go together with its feed."""
    for index, feed in enumerate(draft.settings.feeds):
        key_path = ("feed", index, "profile")
        if feed.profile is None or not draft.sound(*key_path):
            continue
        try:
            profile = load_profile(feed.profile)
        except OSError:
            draft.fault(key_path, "must name a file that can be read", value=str(feed.profile))
        except ProfileFaults as told:
            draft.faults += [
                Fault(str(feed.profile), one.path, one.line, one.column, one.value, one.says, one.suggestion)
                for one in told.faults
            ]
        else:
            _check_feed(draft, index, profile)


def _check_feed(draft: Draft, index: int, profile: Profile) -> None:
    feed = draft.settings.feeds[index]
    if not draft.sound("feed", index, "transport"):
        return
    if feed.transport not in PROFILE_TRANSPORTS:
        told = f"is read by transport {' or '.join(PROFILE_TRANSPORTS)} only, but this feed's is {feed.transport}"
        draft.fault(("feed", index, "profile"), told)
    elif feed.transport == "drop" and profile.names and feed.ready == "manifest":
        told = (
            'must be "rename" or "stable" with this profile: files of its names come without a manifest of ours, '
            "and would be waited for in vain"
        )
        draft.fault(("feed", index, "ready"), told, near=("feed", index, "profile"))


def profile_notes(settings: Settings) -> tuple[MappingNote, ...]:
    """What each profile reads, and what cannot be noticed with its names; for a configuration without faults."""
    return tuple(
        note
        for feed in settings.feeds
        if feed.profile is not None
        for note in _notes(f"feed.{feed.name}.profile", load_profile(feed.profile))
    )


def _notes(subject: str, profile: Profile) -> Iterator[MappingNote]:
    kinds = ", ".join(profile.types) or "whatever type a record tells"
    called = " or ".join(rule.pattern.text for rule in profile.names)
    files = f", from files called {called}" if called else ""
    yield MappingNote(Weight.FACT, subject, f"{profile.name} reads {profile.form} as {kinds}{files}")
    timed = " and ".join(rule.pattern.text for rule in profile.names if not rule.pattern.number)
    if timed:
        told = (
            f"files called {timed} are ordered by their time alone: one that never came is not noticed, and one that comes "
            "late is refused"
        )
        yield MappingNote(Weight.LOOK, subject, told)

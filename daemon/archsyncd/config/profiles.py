"""Mapping profiles named in the configuration: read from their files, their faults told like the configuration's own."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from archsyncd.config.drafting import Draft
from archsyncd.config.faults import Fault
from archsyncd.config.mapping import MappingNote, Weight
from archsyncd.config.settings import Settings
from archsyncd.config.sources import NONE_ACCEPTED, FeedSettings
from archsyncd.wire.profile.faults import ProfileFaults
from archsyncd.wire.profile.profile import Profile, read_profile
from archsyncd.wire.profile.tree import TEXT_LIMIT_BYTES
from archsyncd.wire.r247_values import STOCK_TYPES
from archsyncd.wire.webhook import Algorithm

# Over these a profile reads single messages, which come late, twice and in any order.
MESSAGE_TRANSPORTS: Final = ("pubsub", "push")
TIMES: Final = frozenset({"asOf", "occurredAt", "seq"})


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
    if feed.transport in MESSAGE_TRANSPORTS:
        if draft.sound("feed", index, "fetch") and draft.sound("feed", index, "signature"):
            for told in message_faults(profile, feed):
                draft.fault(("feed", index, "profile"), told, value=str(feed.profile))
    elif profile.attributes:
        told = f"fills fields from attributes ({', '.join(profile.attributes)}), which only messages of Pub/Sub have"
        draft.fault(("feed", index, "profile"), told, value=str(feed.profile))
    elif feed.transport == "drop" and profile.names and feed.ready == "manifest":
        told = (
            'must be "rename" or "stable" with this profile: files of its names come without a manifest of ours, '
            "and would be waited for in vain"
        )
        draft.fault(("feed", index, "ready"), told, near=("feed", index, "profile"))


def message_faults(profile: Profile, feed: FeedSettings) -> Iterator[str]:
    """Why a profile cannot read this feed's messages; nothing where it can."""
    if feed.transport == "push" and feed.fetch:
        yield "belongs to calls that say what has changed; with fetch they only name SKUs, at sku_path: leave one of the two out"
        return
    if profile.parts:
        yield f"fills fields from parts of a file's name ({', '.join(profile.parts)}), and messages have none"
    numbered = {"seq" in fields for _, fields in profile.kinds}
    if len(numbered) > 1:
        yield "gives seq for some kinds of records and not for others: places by number and by time do not compare"
    elif feed.transport == "push":
        yield from _call_faults(profile, feed)


def _call_faults(profile: Profile, feed: FeedSettings) -> Iterator[str]:
    pushed = feed.signature.algorithm is not Algorithm.HMAC_SHA256
    if profile.attributes and not pushed:
        yield f"fills fields from attributes ({', '.join(profile.attributes)}), and a call that its sender signs has none"
    # Numbers do not say whether a full of the other feed is newer.
    enough = TIMES if feed.snapshot_from == NONE_ACCEPTED else TIMES - {"seq"}
    timeless = [kind or "what tells its own type" for kind, fields in _stock(profile) if not enough & fields]
    if timeless and feed.signature.algorithm is not Algorithm.OIDC:
        yield (
            f"does not say when stock was what it is told to be (asOf or occurredAt of {', '.join(timeless)}): a call that is "
            "sent again comes behind one that is newer, and behind a newer full of the other feed. Where the source does not "
            "tell it, have its calls only name SKUs (fetch = true)"
        )


def _stock(profile: Profile) -> list[tuple[str | None, frozenset[str]]]:
    return [(kind, fields) for kind, fields in profile.kinds if kind is None or kind.startswith(STOCK_TYPES)]


def profile_notes(settings: Settings) -> tuple[MappingNote, ...]:
    """What each profile reads, and what cannot be noticed with its names; for a configuration without faults."""
    return tuple(
        note
        for feed in settings.feeds
        if feed.profile is not None
        for note in _notes(f"feed.{feed.name}.profile", load_profile(feed.profile), feed)
    )


def placing(profile: Profile) -> str:
    """In what order records of messages count, and what cannot be noticed of that; no full stop."""
    if profile.numbers:
        return "records count in the order of their seq: numbers that begin anew are not noticed, and pass for old ones"
    timed = all(TIMES & fields for _, fields in _stock(profile))
    whose = "that they tell" if timed else "that they tell or, where they tell none, at which they were sent"
    told = f"stock counts in the order of the times {whose}: of two figures of one time the one that was sent later counts"
    if any("delta" in fields and "balanceAfter" not in fields for _, fields in profile.kinds):
        told += "; movements without balanceAfter are added to nothing, and wait for a level"
    return told


def _fulls_of(feed: FeedSettings) -> str:
    if feed.snapshot_from in {"", NONE_ACCEPTED}:
        return "nowhere, as nobody gives fulls"
    return f"in the fulls of {feed.snapshot_from}"


def _notes(subject: str, profile: Profile, feed: FeedSettings) -> Iterator[MappingNote]:
    kinds = ", ".join(profile.types) or "whatever type a record tells"
    called = " or ".join(rule.pattern.text for rule in profile.names)
    messages = feed.transport in MESSAGE_TRANSPORTS
    files = f", from files called {called}" if called and not messages else ""
    yield MappingNote(Weight.FACT, subject, f"{profile.name} reads {profile.form} as {kinds}{files}")
    if messages:
        yield MappingNote(
            Weight.LOOK, subject, f"{placing(profile)}; what was missed shows {_fulls_of(feed)}"
        )
        return
    timed = " and ".join(rule.pattern.text for rule in profile.names if not rule.pattern.number)
    if timed:
        told = (
            f"files called {timed} are ordered by their time alone: one that never came is not noticed, and one that comes "
            "late is refused"
        )
        yield MappingNote(Weight.LOOK, subject, told)

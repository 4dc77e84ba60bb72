"""For which transports a profile can be used, with the table that would go into the configuration. Reads no file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from archsyncd.config import FeedSettings
from archsyncd.config.profiles import message_faults
from archsyncd.config.signing import SignatureSettings
from archsyncd.wire.foreign.section import read_requests
from archsyncd.wire.profile.faults import ProfileFaults
from archsyncd.wire.profile.profile import Profile
from archsyncd.wire.webhook import Algorithm

TRANSPORTS: Final = ("drop", "pull", "pubsub", "push")
_PARTNER: Final = ('snapshot_from = "fulls"', "the feed that brings the whole stock")
_FEED: Final = '[[feed]]\nname = "{name}"\n{lines}\nprofile = "{profile}"\n'
_GOOGLE: Final = (
    '\n[feed.signature]\nalgorithm = "oidc"  # only messages that Pub/Sub pushes have attributes\n'
    'audience = "https://HOST/hooks/r247"\nemail = "NAME@PROJECT.iam.gserviceaccount.com"\n'
)


def transports_of(profile: Profile, name: str, path: str) -> list[dict[str, Any]]:
    """Each transport: whether the profile can be used there, why not or what to look at, and the table.

    `name`: what to call the feed; `path`: where the table has the profile.
    """
    return [_one(transport, profile, name, path) for transport in TRANSPORTS]


def _one(transport: str, profile: Profile, name: str, path: str) -> dict[str, Any]:
    pushed = transport == "push" and bool(profile.attributes)
    faults = list(_faults(transport, profile, pushed=pushed))
    lines = "\n".join(_commented(*line) for line in _lines(transport, profile))
    table = _FEED.format(name=name, lines=lines, profile=path) + (_GOOGLE if pushed else "")
    return {
        "transport": transport,
        "usable": not faults,
        "says": "; ".join(faults) if faults else _look(transport, profile),
        "config": None if faults else table,
    }


def _commented(line: str, says: str = "") -> str:
    return f"{line}  # {says}" if says else line


def _lines(transport: str, profile: Profile) -> Iterator[tuple[str, ...]]:
    if transport == "pull":
        yield ('url = "https://r247.example/api"', "what the paths of request stand behind")
        requests = _requests(profile)
        if requests is not None and requests.by_location:
            yield ('locations = ["WH1"]', "asked for one after the other")
        if requests is not None and requests.needs_partner:
            yield _PARTNER
        return
    yield (f'transport = "{transport}"',)
    if transport == "drop":
        yield ('directory = "/srv/archean"',)
        if profile.names:
            yield ('ready = "rename"',)
        return
    if transport == "pubsub":
        yield ('subscription = "projects/PROJECT/subscriptions/NAME"',)
    yield _PARTNER


def _requests(profile: Profile) -> Any:
    try:
        return None if profile.request is None else read_requests(profile.request, profile)
    except ProfileFaults:
        return None


def _faults(transport: str, profile: Profile, *, pushed: bool) -> Iterator[str]:
    if transport in {"pubsub", "push"}:
        signature = SignatureSettings(algorithm=Algorithm.OIDC) if pushed else SignatureSettings()
        yield from message_faults(profile, FeedSettings(transport=transport, signature=signature))
        return
    if profile.attributes:
        yield f"it fills fields from attributes of messages ({', '.join(profile.attributes)})"
    if transport == "pull":
        yield from _not_asked(profile)


def _not_asked(profile: Profile) -> Iterator[str]:
    if profile.request is None:
        yield "it does not say how the source is asked: add request"
        return
    try:
        read_requests(profile.request, profile)
    except ProfileFaults as found:
        yield from (str(one) for one in found.faults[:1])


def _look(transport: str, profile: Profile) -> str:
    if transport == "drop":
        timed = any(not rule.pattern.number for rule in profile.names)
        if timed:
            return "files are ordered by the time in their names: one that never came is not noticed"
        return "" if profile.names else "files must be called as r247.md says; else add names"
    if transport == "pull":
        return "archsyncctl verify-source URL --profile FILE says what it can promise"
    if profile.numbers:
        return "records count in the order of their seq"
    timed = all({"asOf", "occurredAt"} & fields for kind, fields in profile.kinds if kind != "feed.heartbeat")
    return (
        "figures count in the order of their times"
        if timed
        else "what tells no time counts from when it was sent"
    )

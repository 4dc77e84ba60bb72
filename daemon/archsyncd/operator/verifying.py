"""`archsyncctl verify-source`: a source held against r247/1, rule by rule. Needs no daemon and writes nothing."""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import secrets
import textwrap
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from archsyncd.adapters.clock import SystemClock
from archsyncd.adapters.commercetools.transport import TrustMissing, trusted_context
from archsyncd.adapters.pubsub import Caller, GoogleTokens, NoTokens, PubsubOptions, Subscription
from archsyncd.adapters.pubsub.options import GOOGLE
from archsyncd.adapters.r247_drop import DropOptions, Readiness
from archsyncd.adapters.r247_pull import PullAuth, PullOptions, Sessions
from archsyncd.config import (
    ConfigurationFaults,
    CredentialFault,
    CredentialMissing,
    FeedSettings,
    load,
    read_credential,
    read_secret,
)
from archsyncd.config.asking import load_source
from archsyncd.config.profiles import load_profile
from archsyncd.conformance.drop import DropWishes, verify_drop
from archsyncd.conformance.findings import Finding, Report, Verdict, told
from archsyncd.conformance.foreign import verify_foreign
from archsyncd.conformance.http_source import HttpSource
from archsyncd.conformance.pull import Wishes, verify_pull
from archsyncd.conformance.subscription import Peek, verify_subscription
from archsyncd.domain.fatal import EXIT_CONFIGURATION
from archsyncd.operator.parser import DEFAULT_CREDENTIALS
from archsyncd.operator.protocol import EXIT_USAGE, Refusal
from archsyncd.operator.tables import LEFT, Table, shown
from archsyncd.wire.foreign.messages import MessageReader
from archsyncd.wire.profile.faults import ProfileFaults

MARGIN_SECONDS: Final = 30.0
PEEK_SECONDS: Final = 20.0
PEEK_MOST: Final = 100
SUBSCRIPTION: Final = re.compile(r"projects/[^/\s]+/subscriptions/[^/\s]+")
WORDS: Final = {
    Verdict.HOLDS: "holds",
    Verdict.FAILS: "FAILS",
    Verdict.UNASKED: "not asked",
    Verdict.CANNOT: "cannot",
}
PAGE_LIMIT: Final = 200
T = TypeVar("T")
WIDTH: Final = 100
_ORDER: Final = (Verdict.FAILS, Verdict.CANNOT, Verdict.UNASKED, Verdict.HOLDS)


def verify_source(options: argparse.Namespace) -> tuple[dict[str, Any], str, int]:
    """The answer for programs, for people, and the exit status. Raises Refusal where nothing could be asked."""
    try:
        report = _verified(options)
    except (ConfigurationFaults, CredentialFault) as fault:
        raise Refusal(str(fault), EXIT_CONFIGURATION) from fault
    except ProfileFaults as fault:
        raise Refusal(str(fault), EXIT_CONFIGURATION) from fault
    except (ValueError, TrustMissing) as fault:
        raise Refusal(str(fault), EXIT_USAGE) from fault
    return dict(told(report)), text_of(report), report.exit


def _verified(options: argparse.Namespace) -> Report:
    feed = None if options.config is None else _feed(options)
    if feed is None and not options.source:
        raise Refusal(
            "Say which source: a URL or a directory, or --config FILE with --feed NAME.", EXIT_USAGE
        )
    if feed is not None and feed.transport == "push" and not options.source:
        told = f"The source of feed {feed.name} calls us and cannot be asked: keep the body of a call, and"
        raise Refusal(f"{told} archsyncctl inspect FILE --profile FILE says what is read of it.", EXIT_USAGE)
    where = options.source or (feed and _place(feed)) or ""
    if SUBSCRIPTION.fullmatch(where):
        return asyncio.run(_subscription(where, options, feed))
    if re.match(r"https?://", where):
        return asyncio.run(_pull(where, options, feed))
    return verify_drop(_drop_wishes(Path(where), options, feed), SystemClock())


def _place(feed: FeedSettings) -> str:
    return feed.url or str(feed.directory or "") or feed.subscription


def _feed(options: argparse.Namespace) -> FeedSettings:
    settings = load(Path(options.config), None, {}, require_credentials=False)
    names = [feed.name for feed in settings.feeds]
    for feed in settings.feeds:
        if feed.name == (options.feed or names[0]):
            return feed
    raise Refusal(f"The configuration has no feed {options.feed}; it has {', '.join(names)}.", EXIT_USAGE)


def _profile(
    options: argparse.Namespace, feed: FeedSettings | None, load_it: Callable[[Path], T]
) -> T | None:
    """The profile that was named, or else the feed's. Raises ProfileFaults, Refusal."""
    path = Path(options.profile) if options.profile else None if feed is None else feed.profile
    try:
        return None if path is None else load_it(path)
    except OSError as fault:
        raise Refusal(
            f"{path} cannot be read: {os.strerror(fault.errno or 0)}.", EXIT_CONFIGURATION
        ) from None


def _credential(options: argparse.Namespace, feed: FeedSettings | None) -> Callable[[], str] | None:
    if options.credential:
        return read_secret(Path(options.credential)).reveal
    if feed is None or feed.emulator or (feed.transport == "pull" and feed.auth == "none"):
        return None
    directory = Path(options.credentials or DEFAULT_CREDENTIALS)
    try:
        return read_credential(directory, f"feed-{feed.name}").reveal
    except CredentialMissing:
        if feed.transport == "pull":
            raise
        return None


async def _pull(url: str, options: argparse.Namespace, feed: FeedSettings | None) -> Report:
    clock, secret = SystemClock(), _credential(options, feed)
    auth = options.auth or (feed.auth if feed is not None else "bearer")
    dialect = _profile(options, feed, load_source)
    told_by = PullOptions(
        name=feed.name if feed is not None else "source",
        url=url,
        auth=PullAuth(auth) if secret is not None else PullAuth.NONE,
        page_limit=feed.page_limit if feed is not None else PAGE_LIMIT,
        networks=feed.allow_cidr if feed is not None else (),
        locations=feed.locations if feed is not None else (),
        margin_seconds=MARGIN_SECONDS,
        total_seconds=MARGIN_SECONDS,
    )
    sessions = Sessions(trusted_context(_authorities(options, feed)), told_by.networks)
    source = HttpSource(told_by, secret or _nothing, sessions, clock, partial(secrets.token_hex, 8))
    wishes = Wishes(
        requests_limit=options.limit,
        interval_seconds=float(options.interval or (feed.interval_seconds if feed is not None else 15)),
        snapshot=options.snapshot,
        has_credential=secret is not None,
        old_cursor=options.old_cursor,
        locations=feed.locations if feed is not None else (),
    )
    if dialect is not None and dialect.requests.by_location and not told_by.locations:
        raise ValueError(
            "the profile asks for one {location} after the other: name them in a feed (--config FILE --feed NAME)"
        )
    try:
        if dialect is None:
            return await verify_pull(source, url, wishes, clock)
        return await verify_foreign(source, url, wishes, clock, dialect, told_by)
    finally:
        await source.close()


async def _subscription(where: str, options: argparse.Namespace, feed: FeedSettings | None) -> Report:
    clock, secret = SystemClock(), _credential(options, feed)
    emulator = feed.emulator if feed is not None else ""
    profile = _profile(options, feed, load_profile)
    peek = Peek(options.peek, None if profile is None else MessageReader(profile))
    told_by = PubsubOptions(
        name="source",
        subscription=where,
        url=f"http://{emulator}" if emulator else GOOGLE,
        emulated=bool(emulator),
        networks=feed.allow_cidr if feed is not None else (),
        page_limit=min(options.limit, PEEK_MOST),
        pull_seconds=PEEK_SECONDS,
        request_seconds=MARGIN_SECONDS,
    )
    caller = Caller(trusted_context(_authorities(options, feed)), told_by.networks, told_by.connect_seconds)
    tokens = NoTokens() if emulator else GoogleTokens(caller, secret or _no_key, clock)
    source = Subscription(told_by, caller, tokens)
    try:
        return await verify_subscription(source, where, peek, clock)
    finally:
        await source.close()


def _no_key() -> str | None:
    """Without a key it is the account of the machine that asks."""
    return None


def _nothing() -> str:
    return ""


def _authorities(options: argparse.Namespace, feed: FeedSettings | None) -> Path | None:
    if options.ca_file:
        return Path(options.ca_file)
    return None if feed is None else feed.ca_file


def _drop_wishes(directory: Path, options: argparse.Namespace, feed: FeedSettings | None) -> DropWishes:
    if not directory.is_dir():
        raise Refusal(f"{directory} is neither a URL nor a directory that this user may see.", EXIT_USAGE)
    profile = _profile(options, feed, load_profile)
    named = profile is not None and bool(profile.names)
    usual = Readiness.RENAME if named else Readiness.MANIFEST
    ready = options.ready or (feed.ready if feed is not None else usual.value)
    if named and ready == Readiness.MANIFEST.value:
        raise ValueError(
            "--ready: files that this profile names have no manifest of ours; say rename or stable"
        )
    delimiter = options.delimiter or (feed.delimiter if feed is not None else ",")
    name = feed.name if feed is not None else ""
    made = DropOptions(
        name=name or "source",
        directory=directory,
        ready=Readiness(ready),
        delimiter=delimiter,
        profile=profile,
    )
    return DropWishes(made, files_limit=options.limit, feed=name)


def text_of(report: Report) -> str:
    """The report as lines for people: what fails first, then what was not asked, then the rest."""
    found = sorted(report.findings, key=lambda each: (_ORDER.index(each.verdict), each.rule.weight.value))
    # Of a source that says nothing the long list of what was not asked says nothing either.
    listed = [each for each in found if report.reached or each.verdict is Verdict.FAILS]
    rows = [[WORDS[each.verdict], each.rule.weight.value, each.rule.name, each.says] for each in listed]
    lines = Table([("", LEFT), ("", LEFT), ("rule", LEFT), ("what was seen", LEFT)], rows).lines()
    for each in found:
        if each.verdict is Verdict.FAILS:
            lines += ["", *_failure(each)]
    lines += _cannot([each for each in listed if each.verdict is Verdict.CANNOT])
    over_a_network = re.match(r"https?://", report.source) or SUBSCRIPTION.fullmatch(report.source)
    what = "requests" if over_a_network else "files"
    return "\n".join([*lines, "", f"{report.source}: {report.says}", _took(report, what)])


def _cannot(found: Sequence[Finding]) -> list[str]:
    """What a dialect has no way to promise, with what the site has of it."""
    if not found:
        return []
    lines = ["", "What this source speaks cannot promise, whatever it does (profiles.md):"]
    for each in found:
        told = f"{each.rule.name}: not that {each.rule.says} ({each.says}). Then {each.rule.costs}."
        lines += textwrap.wrap(shown(told), WIDTH, initial_indent="    ", subsequent_indent="        ")
    return lines


def _took(report: Report, what: str) -> str:
    return f"It took {report.requests} {what} and {report.seconds:.0f} s; nothing was written."


def _failure(each: Finding) -> list[str]:
    lines = [
        f"{each.rule.name} ({each.rule.weight.value}; {each.rule.page}, {each.rule.section}): {each.rule.says}."
    ]
    lines += [f"    found   {each.says}", f"    costs   {each.rule.costs}"]
    for one in each.evidence:
        lines += [f"    asked   {one.asked}"] if one.asked else []
        lines += textwrap.wrap(
            shown(one.excerpt), WIDTH, initial_indent="    got     ", subsequent_indent=" " * 12
        )
    return [shown(line) for line in lines]

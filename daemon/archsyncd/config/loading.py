"""Loads the configuration of a real start: the file, the credentials beside it and the environment. Decides no rule."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

from archsyncd.config.asking import check_asking
from archsyncd.config.credentials import (
    Secret,
    credential_directory,
    has_credential,
    missing,
    read_credential,
)
from archsyncd.config.drafting import Draft
from archsyncd.config.faults import ConfigurationFaults, CredentialFault, Fault, KeyPath, in_file_order
from archsyncd.config.profiles import check_profiles
from archsyncd.config.reading import TEXT_LIMIT_CHARACTERS, draft_of
from archsyncd.config.secrecy import secret_faults
from archsyncd.config.service import StatusSettings
from archsyncd.config.settings import Settings
from archsyncd.wire.webhook import Algorithm

CLIENT_SECRET: Final = "commercetools-client-secret"  # noqa: S105  # the file's name, not the secret
ALERT_WEBHOOK: Final = "alert-webhook"
ALERT_WEBHOOK_SECRET: Final = "alert-webhook-secret"  # noqa: S105  # the file's name, not the secret
ORDER_NOTIFICATIONS: Final = "orders-notifications"
STATUS_TOKEN: Final = "status-token"  # noqa: S105  # the file's name, not the secret
PLACEHOLDER_IDS: Final = ("your-client-id", "…")
PLACEHOLDER_HOST: Final = "r247.example"
_SHORTEST_COMPARED_CHARACTERS: Final = 8


def load(
    path: Path,
    credentials: Path | None,
    environment: Mapping[str, str],
    *,
    require_credentials: bool = True,
    allow_placeholders: bool = False,
) -> Settings:
    """The settings in the file at `path`, with relative paths made absolute and $STATE_DIRECTORY applied.

    `credentials` is the directory given by hand; None: $CREDENTIALS_DIRECTORY. With `require_credentials` every
    credential that the settings need must be there and usable. `allow_placeholders` accepts the values that the shipped
    example asks to replace. Raises ConfigurationFaults with every fault of file, credentials and environment.
    """
    text = _read(path)
    draft, unreadable = draft_of(text, str(path))
    if draft is None:
        raise ConfigurationFaults(unreadable)
    draft.settings = _placed(draft, path, environment)
    _check_files(draft)
    check_profiles(draft)
    check_asking(draft)
    if not allow_placeholders:
        _check_placeholders(draft)
    directory = credential_directory(credentials, environment)
    secrets, missing_faults = _credentials(draft, directory) if require_credentials else ({}, ())
    # A credential may hold two secrets, or a key of many lines; each is one.
    revealed = [line for secret in secrets.values() for line in secret.reveal().splitlines()]
    _check_text(draft, text, secrets)
    faults = (*in_file_order(draft.faults), *missing_faults, *secret_faults(environment, (), revealed))
    if faults:
        raise ConfigurationFaults(faults)
    return draft.settings


def required_credentials(settings: Settings) -> tuple[str, ...]:
    """The names of the credentials without which the daemon does not start, each once, in the file's order."""
    feeds = [
        f"feed-{feed.name}" for feed in settings.feeds if feed.transport == "pull" and feed.auth != "none"
    ]
    for feed in settings.feeds:
        if feed.transport == "push":
            feeds += [] if feed.signature.algorithm is Algorithm.OIDC else [f"feed-{feed.name}"]
            feeds += [key_credential(feed.name)] if feed.certificate else []
    listen = settings.status.listen
    page = [STATUS_TOKEN] if listen is not None and listen.path is None else []
    return tuple(dict.fromkeys([CLIENT_SECRET, *feeds, *page]))


def key_credential(feed: str) -> str:
    """The name of the credential that holds the key of a feed's certificate."""
    return f"feed-{feed}-key"


def optional_credentials(settings: Settings) -> tuple[str, ...]:
    """The names of credentials that are used where they are there."""
    feeds = [
        f"feed-{feed.name}" for feed in settings.feeds if feed.transport == "pubsub" and not feed.emulator
    ]
    notified = (
        [ORDER_NOTIFICATIONS]
        if settings.orders.notifications and not settings.orders.notifications_emulator
        else []
    )
    return tuple(dict.fromkeys([*feeds, *notified]))


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(4 * TEXT_LIMIT_CHARACTERS + 1)
    except OSError as cause:
        reason = os.strerror(cause.errno) if cause.errno else "unknown reason"
        raise ConfigurationFaults([_whole_file(path, 0, 0, f"cannot be read: {reason}")]) from None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as cause:
        before = raw[: cause.start]
        line = before.count(b"\n") + 1
        column = len(before.rpartition(b"\n")[2].decode("utf-8", "replace")) + 1
        raise ConfigurationFaults([_whole_file(path, line, column, "the file must be UTF-8 text")]) from None


def _whole_file(path: Path, line: int, column: int, allowed: str) -> Fault:
    return Fault(str(path), "", line, column, None, allowed)


def _placed(draft: Draft, path: Path, environment: Mapping[str, str]) -> Settings:
    settings = draft.settings
    beside = path.absolute().parent
    feeds = tuple(
        replace(feed, profile=beside / feed.profile) if feed.profile else feed for feed in settings.feeds
    )
    state = environment.get("STATE_DIRECTORY", "").partition(":")[0]
    daemon = replace(settings.daemon, state_dir=Path(state)) if state.startswith("/") else settings.daemon
    aliases, units = settings.aliases, settings.units
    if aliases.file:
        aliases = replace(aliases, file=beside / aliases.file)
    if units.file:
        units = replace(units, file=beside / units.file)
    channels = MappingProxyType(
        {
            name: replace(each, skus_file=beside / each.skus_file) if each.skus_file else each
            for name, each in settings.channels.items()
        }
    )
    return replace(settings, feeds=feeds, daemon=daemon, aliases=aliases, units=units, channels=channels)


def _check_files(draft: Draft) -> None:
    settings = draft.settings
    named: list[tuple[KeyPath, Path | None]] = [
        (("commercetools", "ca_file"), settings.commercetools.ca_file),
        (("rollout", "skus_file"), settings.rollout.skus_file),
        (("aliases", "file"), settings.aliases.file),
        (("units", "file"), settings.units.file),
    ]
    named += [(("channels", name, "skus_file"), each.skus_file) for name, each in settings.channels.items()]
    for index, feed in enumerate(settings.feeds):
        named += [(("feed", index, "profile"), feed.profile), (("feed", index, "ca_file"), feed.ca_file)]
        named += [(("feed", index, "certificate"), feed.certificate)]
    for key_path, file in named:
        if file is not None and draft.sound(*key_path) and not os.access(file, os.R_OK):
            draft.fault(key_path, "must name a file that can be read", value=str(file))
        elif file is not None and draft.sound(*key_path) and not file.is_file():
            draft.fault(key_path, "must name a regular file", value=str(file))


def _check_placeholders(draft: Draft) -> None:
    if draft.settings.commercetools.client_id in PLACEHOLDER_IDS:
        draft.fault(
            ("commercetools", "client_id"), "is still the example's value; write your API client's id"
        )
    for index, feed in enumerate(draft.settings.feeds):
        if draft.sound("feed", index, "url") and urlsplit(feed.url).hostname == PLACEHOLDER_HOST:
            draft.fault(("feed", index, "url"), "is still the example's value; write your source's address")


def _credentials(draft: Draft, directory: Path | None) -> tuple[dict[str, Secret], tuple[Fault, ...]]:
    secrets: dict[str, Secret] = {}
    faults: list[Fault] = []
    for name in _names_to_read(draft, directory):
        try:
            if directory is None:
                raise missing(name, None)
            secrets[name] = read_credential(directory, name)
        except CredentialFault as fault:
            faults.append(Fault("credentials", name, 0, 0, None, fault.reason))
    return secrets, tuple(faults)


def _names_to_read(draft: Draft, directory: Path | None) -> tuple[str, ...]:
    # What a fault made a stand-in of would ask for a credential that nobody meant.
    settings = draft.settings
    sound = tuple(feed for index, feed in enumerate(settings.feeds) if _login_is_sound(draft, index))
    status = settings.status if draft.sound("status") else StatusSettings()
    needed = required_credentials(replace(settings, feeds=sound, status=status))
    optional = (ALERT_WEBHOOK, ALERT_WEBHOOK_SECRET, *optional_credentials(replace(settings, feeds=sound)))
    there = (name for name in optional if directory is not None and has_credential(directory, name))
    return (*needed, *there)


def _login_is_sound(draft: Draft, index: int) -> bool:
    return all(draft.sound("feed", index, name) for name in ("name", "transport", "auth"))


def _check_text(draft: Draft, text: str, secrets: Mapping[str, Secret]) -> None:
    for name, secret in secrets.items():
        lines = [line for line in secret.reveal().splitlines() if len(line) >= _SHORTEST_COMPARED_CHARACTERS]
        at = max((text.find(line) for line in lines), default=-1)
        if at >= 0:
            line, column = text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
            told = f"the secret of the credential {name} stands in this file; take it out, and replace it as it is known"
            draft.faults.append(Fault(draft.source, "", line, column, None, told))

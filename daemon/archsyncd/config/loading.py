"""Loads the configuration of a real start: the file, the credentials beside it and the environment. Decides no rule."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
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

CLIENT_SECRET: Final = "commercetools-client-secret"  # noqa: S105  # the file's name, not the secret
ALERT_WEBHOOK: Final = "alert-webhook"
ALERT_WEBHOOK_SECRET: Final = "alert-webhook-secret"  # noqa: S105  # the file's name, not the secret
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
    revealed = [secret.reveal() for secret in secrets.values()]
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
    listen = settings.status.listen
    page = [STATUS_TOKEN] if listen is not None and listen.path is None else []
    return tuple(dict.fromkeys([CLIENT_SECRET, *feeds, *page]))


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
    return replace(settings, feeds=feeds, daemon=daemon)


def _check_files(draft: Draft) -> None:
    settings = draft.settings
    named: list[tuple[KeyPath, Path | None]] = [
        (("commercetools", "ca_file"), settings.commercetools.ca_file),
        (("rollout", "skus_file"), settings.rollout.skus_file),
    ]
    for index, feed in enumerate(settings.feeds):
        named += [(("feed", index, "profile"), feed.profile), (("feed", index, "ca_file"), feed.ca_file)]
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
    optional = (ALERT_WEBHOOK, ALERT_WEBHOOK_SECRET)
    there = (name for name in optional if directory is not None and has_credential(directory, name))
    return (*needed, *there)


def _login_is_sound(draft: Draft, index: int) -> bool:
    return all(draft.sound("feed", index, name) for name in ("name", "transport", "auth"))


def _check_text(draft: Draft, text: str, secrets: Mapping[str, Secret]) -> None:
    for name, secret in secrets.items():
        revealed = secret.reveal()
        at = text.find(revealed) if len(revealed) >= _SHORTEST_COMPARED_CHARACTERS else -1
        if at >= 0:
            line, column = text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
            told = f"the secret of the credential {name} stands in this file; take it out, and replace it as it is known"
            draft.faults.append(Fault(draft.source, "", line, column, None, told))

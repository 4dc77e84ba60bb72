"""What check-config says of the ways that alerts take. Sends nothing: `archsyncctl alerts test` does."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from archsyncd.adapters.alerts.webhook import checked
from archsyncd.config import (
    ALERT_WEBHOOK,
    ALERT_WEBHOOK_SECRET,
    CredentialFault,
    MappingNote,
    Settings,
    Weight,
    read_credential,
)
from archsyncd.wire.webhook import signing_key

# As the unit has it (ExecPaths=).
PROGRAMS = Path("/usr")


def alert_notes(settings: Settings, directory: Path | None) -> tuple[MappingNote, ...]:
    """Where alerts would go, and what is wrong with that; nothing where the journal alone has them."""
    return (*_webhook(settings, directory), *_mail(settings), *_command(settings.alerts.command))


def _webhook(settings: Settings, directory: Path | None) -> Iterator[MappingNote]:
    address = _credential(directory, ALERT_WEBHOOK) or settings.alerts.webhook_url
    if not address:
        return
    secret = _credential(directory, ALERT_WEBHOOK_SECRET)
    try:
        host = urlsplit(checked(address)).hostname
        if secret:
            signing_key(secret)
    except ValueError as fault:
        yield MappingNote(Weight.WRONG, "alerts.webhook_url", str(fault))
        return
    yield MappingNote(
        Weight.FACT, "alerts.webhook_url", f"goes to {host}, {'signed' if secret else 'not signed'}"
    )


def _credential(directory: Path | None, name: str) -> str:
    """An optional credential's text; whether one can be read is checked with the others."""
    try:
        return read_credential(directory, name).reveal() if directory else ""
    except CredentialFault:
        return ""


def _mail(settings: Settings) -> Iterator[MappingNote]:
    alerts = settings.alerts
    if alerts.email:
        yield MappingNote(Weight.FACT, "alerts.email", f"go to {', '.join(alerts.email)} by {alerts.smtp}")


def _command(program: Path | None) -> Iterator[MappingNote]:
    if program is None:
        return
    if not program.is_file() or not os.access(program, os.X_OK):
        yield MappingNote(Weight.WRONG, "alerts.command", f"{program} is no file that can be started")
    elif not program.resolve().is_relative_to(PROGRAMS):
        told = f"{program} is not below {PROGRAMS}: the service's sandbox will not start it"
        yield MappingNote(Weight.LOOK, "alerts.command", told)
    else:
        yield MappingNote(Weight.FACT, "alerts.command", f"{program} is started for each")

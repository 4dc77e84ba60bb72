"""`archsyncd check-config`: every fault of the configuration at once, the mapping, and on request what the systems say.

Starts nothing and writes nothing: online it asks commercetools and the sources read-only questions.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from archsyncd import config
from archsyncd.adapters.clock import SystemChance, SystemClock
from archsyncd.assembly import rules_of
from archsyncd.checking_alerts import alert_notes
from archsyncd.checking_online import Answers, ask_systems, ask_with
from archsyncd.checking_profiles import looks_up_orders, request_notes
from archsyncd.config import ConfigurationFaults, MappingNote, Settings, UnknownKey, Weight, mapping_report
from archsyncd.config.profiles import profile_notes
from archsyncd.domain.fatal import EXIT_CONFIGURATION, EXIT_USAGE, Fatal
from archsyncd.engine.ports import Clock
from archsyncd.listed_files import RolloutFault
from archsyncd.policy_files import PolicyFileFault, terms_of

EXIT_ACT = 1
_MARKS = {Weight.FACT: "   ", Weight.LOOK: "?  ", Weight.WRONG: "!! "}


@dataclass(frozen=True, slots=True)
class Person:
    """What a check by hand stands in: time, names and secrets, as the daemon's connections want them."""

    clock: Clock
    host_name: str
    credentials: Path | None
    chance: Callable[[], float]
    instead: Mapping[str, config.Secret] = field(default_factory=dict)

    def secret(self, name: str) -> str:
        """A credential's text. Raises CredentialFault."""
        if name in self.instead:
            return self.instead[name].reveal()
        if self.credentials is None:
            raise config.CredentialFault(name, "no credential directory is given (--credentials DIR)")
        return config.read_credential(self.credentials, name).reveal()

    def new_id(self) -> str:
        """A random id for one request."""
        return os.urandom(8).hex()


async def check(
    path: Path,
    credentials: Path | None,
    *,
    online: bool,
    environment: Mapping[str, str] = os.environ,
    clock: Clock | None = None,
) -> tuple[int, str]:
    """Check the file at `path`; the exit status and the report.

    0: ready. 1: somebody must act, in the mapping or on one of the systems. 78: the configuration has faults; all of
    them are told, each with line and column. Credentials are checked when a directory of them is known, and online.
    """
    directory = config.credential_directory(credentials, environment)
    try:
        settings = config.load(
            path, credentials, environment, require_credentials=online or directory is not None
        )
    except ConfigurationFaults as faults:
        return EXIT_CONFIGURATION, _refused([str(faults)], len(faults.faults))
    told, count = _beside(path, settings)
    if count:
        return EXIT_CONFIGURATION, _refused(told, count)
    parts: Answers = [
        ("mapping", mapping_report(settings)),
        ("credentials", _credentials(settings, directory)),
        ("state", _state(settings)),
    ]
    if notes := profile_notes(settings):
        parts.append(("profiles", notes))
    if notes := request_notes(settings):
        parts.append(("requests", notes))
    if notes := _orders(settings):
        parts.append(("orders", notes))
    if notes := alert_notes(settings, directory):
        parts.append(("alerts", notes))
    if online:
        person = Person(clock or SystemClock(), socket.gethostname(), directory, SystemChance())
        parts += await ask_systems(settings, person)
    return _report(path, parts)


def _beside(path: Path, settings: Settings) -> tuple[list[str], int]:
    """Every fault of the files that the configuration names, and how many there are."""
    told: list[str] = []
    count = 0
    for read in (rules_of, terms_of):
        try:
            read(settings)
        except RolloutFault as fault:
            told.append(f"{path}: {fault}")
            count += 1
        except PolicyFileFault as fault:
            told.append(str(fault))
            count += fault.count
    return told, count


def _refused(told: Sequence[str], count: int) -> str:
    return "\n".join([*told, f"{count} fault{'s' if count != 1 else ''}; nothing was started."])


async def check_credential(
    path: Path, name: str, file: Path, clock: Clock | None = None
) -> tuple[int, list[MappingNote]]:
    """Try a new secret in `file` before the daemon gets it: ask the system that it is for, as the configuration names it.

    0: it works. 1: it does not, or nobody could say so. Raises ConfigurationFaults, CredentialFault for a file that holds no
    secret, and Fatal (64) for a name that the configuration does not use.
    """
    settings = config.load(path, None, {}, require_credentials=False)
    used = (*config.required_credentials(settings), *config.optional_credentials(settings))
    if name not in used:
        raise Fatal(EXIT_USAGE, f"the configuration uses no credential {name}; it uses {', '.join(used)}")
    instead = {name: config.read_secret(file)}
    person = Person(clock or SystemClock(), socket.gethostname(), None, SystemChance(), instead)
    notes = await ask_with(name, settings, person)
    weights = {note.weight for note in notes}
    return (0 if Weight.FACT in weights and Weight.WRONG not in weights else EXIT_ACT), notes


def explain(key: str) -> str:
    """What a key means, what it may hold, its default and when a change applies. Raises Fatal for an unknown key."""
    try:
        return config.explain(key)
    except UnknownKey as unknown:
        raise Fatal(EXIT_USAGE, str(unknown)) from unknown


def _credentials(settings: Settings, directory: Path | None) -> tuple[MappingNote, ...]:
    needed = ", ".join(config.required_credentials(settings))
    if directory is None:
        told = f"were not checked: give --credentials DIR to have them read ({needed})"
        return (MappingNote(Weight.FACT, "credentials", told),)
    notes = [MappingNote(Weight.FACT, "credentials", f"are all there: {needed}")]
    for name in config.optional_credentials(settings):
        if not config.has_credential(directory, name):
            told = "is not there: the account of this machine is used, as its metadata server tells"
            notes.append(MappingNote(Weight.FACT, name, told))
    return tuple(notes)


def _state(settings: Settings) -> tuple[MappingNote, ...]:
    """The service's own directory is made by systemd when it first starts; nobody makes one for a run by hand."""
    directory = settings.daemon.state_dir
    there = directory.is_dir()
    told = "is there" if there else "is not there: the service makes it, a run by hand needs it made"
    return (MappingNote(Weight.FACT, str(directory), told),)


def _orders(settings: Settings) -> tuple[MappingNote, ...]:
    """Where nobody can be asked about an order, only the site's own word settles those of before the first start."""
    orders = settings.orders
    tracked = settings.commercetools.inventory_mode == "tracked"
    asked = [feed.name for feed in settings.feeds if looks_up_orders(feed)]
    if not tracked or asked or orders.reflected_before is not None:
        return ()
    told = (
        f"is not stated, and no feed can be asked about an order: every order of the last {orders.history_days} days is held "
        "back from sale until a record proves that Archean has it. State the moment up to which all orders are in its figures"
    )
    return (MappingNote(Weight.LOOK, "orders.reflected_before", told),)


def _report(path: Path, parts: Sequence[tuple[str, Sequence[MappingNote]]]) -> tuple[int, str]:
    lines = [f"{path}: no fault"]
    for title, notes in parts:
        lines.append(title)
        lines += [f"  {note_line(note)}" for note in notes]
    every = [note.weight for _, notes in parts for note in notes]
    wrong, look = every.count(Weight.WRONG), every.count(Weight.LOOK)
    seen = f", {look} to look at (?)" if look else ""
    if wrong:
        return EXIT_ACT, "\n".join([*lines, f"not ready: {wrong} wrong (!!){seen}"])
    return 0, "\n".join([*lines, f"ready: nothing wrong{seen}"])


def note_line(note: MappingNote) -> str:
    """One note for a person, marked by its weight."""
    return f"{_MARKS[note.weight]}{_printable(f'{note.subject}: {note.says}')}"


def _printable(text: str) -> str:
    # What the systems answered may hold anything.
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)

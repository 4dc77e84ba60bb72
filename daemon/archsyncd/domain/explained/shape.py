"""What is told of one code, as plain text with backticks around commands. Knows no code, and nothing of how it is shown."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

OWNERS = ("operations", "data", "ecommerce", "finance")
# As root types it: the service gets its secrets from systemd.
CHECK_ONLINE = "archsyncd check-config --online --credentials /etc/archsyncd/credentials"
# Words in capitals that stand for something of the site's; what is known of a case takes their place.
PLACEHOLDERS = (
    "CHANNEL",
    "CODE",
    "DIGEST",
    "FEED",
    "FILE",
    "ID",
    "NUMBER",
    "SKU",
    "SNAPSHOT",
    "TEXT",
)
_PLACEHOLDER = re.compile(rf"(?<![A-Za-z_])({'|'.join(PLACEHOLDERS)})(?![A-Za-z_])")
_COMMAND = re.compile(r"`([^`]*)`")


class Severity(StrEnum):
    """How soon somebody must look: stock may be wrong, something is stuck, or it is only told."""

    CRITICAL = "critical"
    WARNING = "warning"
    NOTICE = "notice"


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """One code and all that people are told of it; tests/domain/test_explained.py says what is missing of an entry.

    `severity`: the worst that it can be. `owner`: the team whose it usually is; `[owners]` of a site decides. `meaning`: what
    has happened. `impact`: what shoppers, the warehouse or finance notice. `by_itself`: what the daemon does meanwhile.
    `look`, `remedy`: commands as they are typed, at most two each, with PLACEHOLDERS in them. `next_step`: what its owner does
    first. `closes`: when it is over by itself. `retry`: of an exception, what `archsyncctl exceptions retry` does; "" where it
    does nothing.
    """

    code: str
    severity: Severity
    owner: str
    meaning: str
    impact: str
    by_itself: str
    next_step: str
    closes: str
    look: tuple[str, ...] = ()
    remedy: tuple[str, ...] = ()
    retry: str = ""


def filled(command: str, names: Mapping[str, str]) -> str:
    """A command with what is known in place of its placeholders, quoted for the shell.

    A value that a program would take for an option is left for the person to type.
    """
    usable = {name: shlex.quote(value) for name, value in names.items() if value and value[0] != "-"}
    return _PLACEHOLDER.sub(lambda found: usable.get(found[1], found[1]), command)


def told(text: str, names: Mapping[str, str]) -> str:
    """A text whose commands in backticks are filled."""
    return _COMMAND.sub(lambda found: f"`{filled(found[1], names)}`", text)


def commands_in(text: str) -> list[str]:
    """What stands in backticks."""
    return _COMMAND.findall(text)

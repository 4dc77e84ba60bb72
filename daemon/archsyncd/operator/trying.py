"""`archsyncctl credentials check`: a new secret is tried before the daemon gets it. Needs no daemon and changes nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from archsyncd.checking import check_credential, note_line
from archsyncd.config import ConfigurationFaults, CredentialFault
from archsyncd.domain.fatal import EXIT_CONFIGURATION, Fatal
from archsyncd.operator.protocol import Refusal

NEXT = (
    "It works. Put it in place and restart, since a reload cannot hand a new secret to the service: "
    "install -m 0600 {file} /etc/archsyncd/credentials/{name} && systemctl restart archsyncd"
)
REFUSED = "It does not work, or nobody could say that it does: nothing was changed, the daemon goes on with the secret it has."


def try_credential(name: str, file: str, config: str) -> tuple[dict[str, Any], str]:
    """The answer for programs and for people. Raises Refusal where it could not be tried."""
    try:
        code, notes = asyncio.run(check_credential(Path(config), name, Path(file)))
    except (ConfigurationFaults, CredentialFault) as fault:
        raise Refusal(str(fault), EXIT_CONFIGURATION) from fault
    except Fatal as fatal:
        raise Refusal(fatal.sentence, fatal.code) from fatal
    says = REFUSED if code else NEXT.format(file=file, name=name)
    told = [
        {"weight": note.weight.name.lower(), "subject": note.subject, "says": note.says} for note in notes
    ]
    answer = {"done": code == 0, "says": says, "notes": told}
    return answer, "\n".join([*map(note_line, notes), says])

"""What the process stands in: time, chance, secrets, names and the service manager. Tests pass their own."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from archsyncd.adapters.systemd import Notifier
from archsyncd.config import Settings
from archsyncd.engine.ports import Clock

if TYPE_CHECKING:
    from archsyncd.app import App


def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True)
class World:
    """One process's surroundings.

    `secret(name)` gives a credential's text; `new_id()` a fresh random id; `reload()` reads the configuration again.
    `tick` is called every second; `control` serves operators while the daemon runs. `sockets` are those that the service
    manager opened, by name.
    """

    clock: Clock
    chance: Callable[[], float]
    secret: Callable[[str], str]
    new_id: Callable[[], str]
    host_id: str
    host_name: str
    pid: int
    notifier: Notifier
    reload: Callable[[], Settings]
    tick: Callable[[], None] = _nothing
    control: Callable[[App], contextlib.AbstractAsyncContextManager[object]] | None = None
    sockets: Mapping[str, socket.socket] = field(default_factory=dict)

"""Faults of a source under names for people, each switched on and off at any time; knows no command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from archsyncd.simulators.r247.drop import DropFault
from archsyncd.simulators.r247.faults import Fault, FaultKind
from archsyncd.simulators.r247.simulator import R247Simulator
from archsyncd.simulators.switch_names import FAULTS, LATE_SECONDS, SLOW_SECONDS

FROZEN: Final = "frozen"


@dataclass(frozen=True, slots=True)
class Switch:
    """What a name does: to answers (`fault`, until it is switched off), or to the next files (`file`)."""

    fault: Fault | None = None
    file: DropFault | None = None


def _on(kind: FaultKind, endpoint: str = "changes", **details: Any) -> Switch:
    return Switch(Fault(kind, endpoint, times=None, **details))


_SWITCHED: Final[Mapping[str, Switch]] = {
    "duplicate": _on(FaultKind.DUPLICATE),
    "reorder": _on(FaultKind.REORDER),
    "gap": _on(FaultKind.GAP),
    "late": _on(FaultKind.LATE, seconds=LATE_SECONDS),
    "repeat": _on(FaultKind.REPEAT),
    "foreign-next": _on(FaultKind.FOREIGN_NEXT),
    "410": _on(FaultKind.EXPIRED),
    "epoch": _on(FaultKind.EPOCH),
    FROZEN: Switch(),
    "slow": _on(FaultKind.SLOW, "any", seconds=SLOW_SECONDS),
    "429": _on(FaultKind.STATUS, "any", status=429, retry_after="1"),
    "503": _on(FaultKind.STATUS, "any", status=503),
    "half-body": _on(FaultKind.CUT_BODY, "any"),
    "garbage": _on(FaultKind.GARBAGE),
    "redirect": _on(FaultKind.REDIRECT, "any"),
    "truncated-full": _on(FaultKind.TRUNCATED, "any"),
    "no-trailer": _on(FaultKind.NO_TRAILER, "any"),
    "empty-full": _on(FaultKind.EMPTY, "any"),
    "miscount": _on(FaultKind.MISCOUNT, "any"),
    "missum": _on(FaultKind.MISSUM, "any"),
    "lacks-keys": _on(FaultKind.LACKS_KEYS, "any"),
    "half-file": Switch(file=DropFault.HALF_WRITTEN),
    "truncated-file": Switch(file=DropFault.TRUNCATED),
    "wrong-hash": Switch(file=DropFault.WRONG_HASH),
    "miscount-file": Switch(file=DropFault.MISCOUNT),
    "no-manifest": Switch(file=DropFault.NO_MANIFEST),
    "incomplete-file": Switch(file=DropFault.INCOMPLETE),
    "gap-file": Switch(file=DropFault.WITHHELD),
}
# In the order in which people are told of them; a name that only one side knows is an error at once.
SWITCHES: Final[Mapping[str, Switch]] = {name: _SWITCHED[name] for name in FAULTS}


def switch_on(simulator: R247Simulator, name: str, times: int | None = None) -> None:
    """Let a fault act: `times` answers or files; None: answers until it is switched off, one file. Raises ValueError."""
    switch = SWITCHES.get(name)
    if switch is None:
        raise ValueError(f"{name!r} is none of {', '.join(SWITCHES)}")
    if times is not None and times < 1:
        raise ValueError("times: at least 1")
    if name == FROZEN:
        simulator.log.freeze()
    if switch.fault is not None:
        simulator.script.add(replace(switch.fault, times=times))
    if switch.file is not None:
        simulator.drop_faults.extend([switch.file] * (times or 1))


def switch_off(simulator: R247Simulator) -> None:
    """Let nothing be wrong any more."""
    simulator.script.clear()
    simulator.drop_faults.clear()
    simulator.log.thaw()

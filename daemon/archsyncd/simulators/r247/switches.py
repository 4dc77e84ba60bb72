"""Faults of a source under names for people, each switched on and off at any time; knows no command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from archsyncd.simulators.r247.drop import DropFault
from archsyncd.simulators.r247.faults import Fault, FaultKind
from archsyncd.simulators.r247.simulator import R247Simulator

FROZEN: Final = "frozen"
SLOW_SECONDS: Final = 6.0
LATE_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Switch:
    """What a name does: to answers (`fault`, until it is switched off), or to the next files (`file`)."""

    says: str
    fault: Fault | None = None
    file: DropFault | None = None


def _on(kind: FaultKind, says: str, endpoint: str = "changes", fault: Fault | None = None) -> Switch:
    return Switch(says, replace(fault or Fault(kind), kind=kind, endpoint=endpoint, times=None))


SWITCHES: Final[Mapping[str, Switch]] = {
    "duplicate": _on(FaultKind.DUPLICATE, "every record of a page stands twice"),
    "reorder": _on(FaultKind.REORDER, "the records of a page are shuffled"),
    "gap": _on(FaultKind.GAP, "a record in the middle of each page is left out"),
    "late": _on(
        FaultKind.LATE,
        f"a record is shown {LATE_SECONDS:.0f} s after one with a larger seq",
        fault=Fault(FaultKind.LATE, seconds=LATE_SECONDS),
    ),
    "repeat": _on(FaultKind.REPEAT, "`next` does not move behind the records of its page"),
    "foreign-next": _on(FaultKind.FOREIGN_NEXT, "`next` is an address at another host"),
    "410": _on(FaultKind.EXPIRED, "every cursor has expired"),
    "epoch": _on(FaultKind.EPOCH, "the feed says that its epoch has changed"),
    FROZEN: Switch("nothing newer is shown, though the warehouse goes on"),
    "slow": _on(
        FaultKind.SLOW,
        f"each answer waits {SLOW_SECONDS:.0f} s",
        "any",
        Fault(FaultKind.SLOW, seconds=SLOW_SECONDS),
    ),
    "429": _on(
        FaultKind.STATUS,
        "each request is turned away with Retry-After: 1",
        "any",
        Fault(FaultKind.STATUS, status=429, retry_after="1"),
    ),
    "503": _on(
        FaultKind.STATUS,
        "each request is answered with 503",
        "any",
        Fault(FaultKind.STATUS, status=503),
    ),
    "half-body": _on(FaultKind.CUT_BODY, "the connection breaks in the middle of each answer", "any"),
    "garbage": _on(FaultKind.GARBAGE, "a page is HTML"),
    "redirect": _on(FaultKind.REDIRECT, "each request is sent to another host", "any"),
    "truncated-full": _on(FaultKind.TRUNCATED, "a snapshot ends in the middle", "any"),
    "no-trailer": _on(FaultKind.NO_TRAILER, "a snapshot's last page has no `check`", "any"),
    "empty-full": _on(FaultKind.EMPTY, "a snapshot of nothing, complete by its own word", "any"),
    "miscount": _on(FaultKind.MISCOUNT, "a snapshot's `check.records` is wrong", "any"),
    "missum": _on(FaultKind.MISSUM, "a snapshot's `check.sumOnHand` is wrong", "any"),
    "lacks-keys": _on(FaultKind.LACKS_KEYS, "a snapshot lacks a SKU, its check figures fitting", "any"),
    "half-file": Switch("the next file is half written, without a manifest", file=DropFault.HALF_WRITTEN),
    "truncated-file": Switch("the next file lacks a third of its bytes", file=DropFault.TRUNCATED),
    "wrong-hash": Switch("the next file's manifest has another sha256", file=DropFault.WRONG_HASH),
    "miscount-file": Switch("the next file's manifest counts one record more", file=DropFault.MISCOUNT),
    "no-manifest": Switch("the next file has no manifest", file=DropFault.NO_MANIFEST),
    "incomplete-file": Switch('the next file\'s manifest says "complete":false', file=DropFault.INCOMPLETE),
    "gap-file": Switch("the next file is withheld, those behind it come", file=DropFault.WITHHELD),
}


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

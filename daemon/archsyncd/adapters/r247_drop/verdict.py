"""Judges a file whose content is known: as its manifest says, again, too late, or changed since it was begun. Pure."""

from __future__ import annotations

from archsyncd.adapters.r247_drop.content import Checked
from archsyncd.adapters.r247_drop.memory import Memory
from archsyncd.adapters.r247_drop.refusing import CHANGED, STALE
from archsyncd.adapters.r247_drop.survey import Role
from archsyncd.adapters.r247_drop.work import Work
from archsyncd.wire.drop_names import DropCheckpoint, Kind, Manifest
from archsyncd.wire.r247_values import Unreadable


def compare(manifest: Manifest | None, checked: Checked, kind: Kind) -> None:
    """Compare the content with what its writer says. Raises Unreadable; then nothing of it may be used."""
    if manifest is None:
        return
    for what, told, is_so in (
        ("bytes", manifest.bytes, checked.bytes),
        ("records", manifest.records, checked.records),
        ("sha256", manifest.sha256, checked.sha256),
    ):
        if told not in (None, is_so):
            raise Unreadable(f"{what}: {is_so} here, {told} in the manifest")
    if manifest.complete is False and kind is not Kind.FULL:
        raise Unreadable("its manifest says that it is not complete")


def judge(role: Role, work: Work, checked: Checked, last: DropCheckpoint, memory: Memory) -> Role:
    """Say what the file is taken as in the end. A status set on `work` means that it is not read."""
    same = checked.sha256 == last.sha256
    if role is Role.RESUMED:
        if same or last.line == 0:
            return role
        # The part that was applied and the part that follows must be one file's.
        return _refused(work, CHANGED, "a part of this file was applied with other content")
    if role is Role.ENDED:
        if same:
            work.passed = work.ended = True
            return role
        role = Role.EARLIER
    # A receipt that is written anew for a file dropped again must not forget that the sequence went on behind it.
    place = (work.epoch, work.name.file_seq)
    work.follows = memory.skipped_after(*place) if role is Role.EARLIER else last.file_seq
    work.passed = role is Role.EARLIER and (memory.applied(*place) or work.follows is not None)
    again = memory.first_of(checked.sha256, work.name, work.as_of, last, has_ids=checked.has_ids)
    if again is not None:
        work.status, work.reasons = "duplicate", (f"the content of {again}",)
    elif role is Role.EARLIER and work.name.kind in {Kind.FULL, Kind.DELTA}:
        # Levels of an earlier file are superseded; acceptances and shipments are not, those are read whenever they come.
        work.status, work.code = "rejected", STALE
        work.reasons = (_stale(work, last, memory),)
    return role


def _stale(work: Work, last: DropCheckpoint, memory: Memory) -> str:
    read = memory.name_at(last.epoch, last.file_seq)
    if read == work.name.text:
        return "a file of this name was read before, with other content"
    if work.name.file_seq == last.file_seq:
        return f"another file of its {'number' if work.name.counted else 'time'} was read before" + (
            f": {read}" if read else ""
        )
    return f"{read or 'a later file'}, which comes after it, was read before"


def _refused(work: Work, code: str, reason: str) -> Role:
    work.status, work.code, work.reasons = "rejected", code, (reason,)
    return Role.REFUSED

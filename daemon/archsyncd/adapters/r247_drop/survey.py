"""One look at the directory: which file is next, what is missing, what is not ready. Moves nothing. Blocks."""

from __future__ import annotations

import heapq
import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from archsyncd.adapters.r247_drop.content import faulty_entry
from archsyncd.adapters.r247_drop.directory import IN, WORK, DropDirectory
from archsyncd.adapters.r247_drop.memory import Memory
from archsyncd.adapters.r247_drop.naming import UNFINISHED, name_of
from archsyncd.adapters.r247_drop.options import DropOptions, Readiness
from archsyncd.adapters.r247_drop.refusing import missing
from archsyncd.domain.counting import counted
from archsyncd.domain.feed import FileNews
from archsyncd.wire.drop_names import (
    MANIFEST_ENDING,
    MANIFEST_LIMIT_BYTES,
    DropCheckpoint,
    DropName,
    Kind,
    Manifest,
    read_manifest,
)
from archsyncd.wire.r247_values import Unreadable

_LOG: Final = logging.getLogger(__name__)
STRANGERS_LIMIT: Final = 1_000


class Role(StrEnum):
    """Why a file is taken."""

    NEXT = "next"  # its turn has come, or it is the first
    RESUMED = "resumed"  # a part of it was read before
    ENDED = "ended"  # all of it was read before, but its receipt was not written
    OVER_GAP = "over_gap"  # a full file that makes up for what is missing
    EARLIER = "earlier"  # its place in the sequence has passed
    REFUSED = "refused"  # it must not be read


@dataclass(frozen=True, slots=True)
class Found:
    """A data file that lies there. `claimed`: in work/ already, by an earlier run."""

    name: DropName
    claimed: bool

    @property
    def folder(self) -> str:
        """Where it lies."""
        return WORK if self.claimed else IN


@dataclass(frozen=True, slots=True)
class Ready:
    """The file is whole, as far as can be told without reading it."""

    manifest: Manifest | None


@dataclass(frozen=True, slots=True)
class Unready:
    """The file cannot be taken. `code` set: it must be refused, at once or when it stays so."""

    reason: str
    code: str = ""
    at_once: bool = False


@dataclass(frozen=True, slots=True)
class Take:
    """Take this file. `code` and `reason` say why a refused one is refused."""

    found: Found
    role: Role
    manifest: Manifest | None = None
    code: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do now. `alarm` tells what has been missing for too long, `awaits` the file; `note`: a wait that is right."""

    alarm: str | None = None
    awaits: FileNews | None = None
    note: str = ""


class Surveyor:
    """Looks at the directory again and again; remembers since when something is missing, by the time it is given."""

    def __init__(self, directory: DropDirectory, memory: Memory, options: DropOptions) -> None:
        self._directory = directory
        self._memory = memory
        self._options = options
        self._since: dict[object, float] = {}
        self._touched: dict[object, float] = {}
        self._sizes: dict[str, tuple[int, int, float]] = {}
        self._strangers: set[str] = set()

    def look(self, last: DropCheckpoint, busy: Collection[str], now: float) -> Take | Wait:
        """Say what to do after `last`; `busy` names files in hand. `now` in monotonic seconds. Raises OSError."""
        self._directory.refresh()
        self._touched = {}
        found = self._scan(busy)
        try:
            return self._earlier(found, last, now) or self._upcoming(found, last, now)
        finally:
            self._since = self._touched
            names = {one.name.text for one in found}
            self._sizes = {name: size for name, size in self._sizes.items() if name in names}

    def _scan(self, busy: Collection[str]) -> list[Found]:
        limit = self._options.names_limit
        claimed = self._names(WORK, busy)
        lying = [one for one in self._names(IN, busy) if one.text not in {name.text for name in claimed}]
        found = [Found(name, claimed=True) for name in claimed] + [Found(one, claimed=False) for one in lying]
        return heapq.nsmallest(limit, found, key=lambda one: (one.name.file_seq, one.name.text))

    def _names(self, folder: str, busy: Collection[str]) -> list[DropName]:
        names: list[DropName] = []
        fulls: list[DropName] = []
        for text in self._directory.names(folder):
            name = name_of(text, self._options)
            if name is None:
                self._note_stranger(text)
            elif name.feed == self._options.feed_in_names and text not in busy:
                (fulls if name.kind is Kind.FULL else names).append(name)
            if len(names) > 2 * self._options.names_limit:
                names = heapq.nsmallest(self._options.names_limit, names, key=lambda one: one.file_seq)
        return names + heapq.nsmallest(self._options.names_limit, fulls, key=lambda one: one.file_seq)

    def _note_stranger(self, text: str) -> None:
        passed_over = text.startswith(".") or text.endswith(UNFINISHED)
        if passed_over or text in self._strangers or len(self._strangers) >= STRANGERS_LIMIT:
            return
        self._strangers.add(text)
        _LOG.warning(
            "not a data file's name, left alone: %s", ascii(text)[:200], extra={"feed": self._options.name}
        )

    def _earlier(self, found: list[Found], last: DropCheckpoint, now: float) -> Take | None:
        """Choose a file whose number has passed: to finish it, or because it came late, again or in a new epoch."""
        for one in found:
            if one.name.file_seq > last.file_seq or (one.name.file_seq == last.file_seq and not last.ended):
                return None
            state = self._state(one, now)
            if isinstance(state, Unready):
                if state.at_once or (state.code and self._overdue(("unready", one.name.text), now)):
                    return Take(one, Role.REFUSED, None, state.code, state.reason)
                continue
            if self._begins_epoch(state.manifest, last):
                if self._may_begin(one, state.manifest, now):
                    return Take(one, Role.NEXT, state.manifest)
                continue
            ended = one.claimed and one.name.file_seq == last.file_seq
            return Take(one, Role.ENDED if ended else Role.EARLIER, state.manifest)
        return None

    def _upcoming(self, found: list[Found], last: DropCheckpoint, now: float) -> Take | Wait:
        coming = [
            one
            for one in found
            if one.name.file_seq > last.file_seq or (one.name.file_seq == last.file_seq and not last.ended)
        ]
        wanted = last.file_seq if not last.ended else last.file_seq + 1
        refused = self._memory.refused_at(last.epoch, wanted) if last.file_seq else None
        if not coming:
            return self._nothing_comes(last, refused, now)
        first = coming[0]
        state = self._state(first, now)
        taken = self._turn(first, state, last, now)
        if taken is not None:
            return taken
        overdue = self._overdue(("gap", last.epoch, last.file_seq), now)
        corrected_comes = first.name.file_seq == wanted and isinstance(state, Unready)
        if not overdue and (refused is None or corrected_comes):
            return Wait(note=self._first_waits(first, state, last, now))
        if overdue and isinstance(state, Unready) and state.code:
            return Take(first, Role.REFUSED, None, state.code, state.reason)
        over_gap = self._over_gap(coming, last, now)
        if over_gap is not None:
            return over_gap
        if refused is not None:
            # Nobody need be waited for: what is missing lies in error/.
            return Wait(_awaits_better(refused, wanted, coming, state))
        alarm = self._missing(first, state, last, len(coming))
        return Wait(alarm, missing(wanted, alarm) if last.file_seq else None)

    def _nothing_comes(self, last: DropCheckpoint, refused: str | None, now: float) -> Wait:
        if refused is not None:
            return Wait(_awaits_better(refused, last.file_seq + last.ended, (), None))
        if last.ended or not self._overdue(("gone", last.file_seq), now):
            return Wait()
        alarm = f"file {last.file_seq} is gone, read to line {last.line} only"
        return Wait(alarm, missing(last.file_seq, alarm))

    def _first_waits(self, first: Found, state: Ready | Unready, last: DropCheckpoint, now: float) -> str:
        """What is to be told of a first file that others may come before; "" where that is not what is waited for."""
        since = self._touched.get(("begin", first.name.text))
        if last.file_seq or since is None or isinstance(state, Unready):
            return ""
        left = max(self._options.gap_grace_seconds - (now - since), 0)
        return (
            f"{first.name.text} is the first file here, and earlier ones may still come: it is read in {left:.0f} s at the "
            "latest (gap_grace_seconds); a full is read at once"
        )

    def _turn(self, first: Found, state: Ready | Unready, last: DropCheckpoint, now: float) -> Take | None:
        """Take the lowest file that lies there if its turn has come."""
        if isinstance(state, Unready):
            return Take(first, Role.REFUSED, None, state.code, state.reason) if state.at_once else None
        manifest = state.manifest
        if not last.ended:
            resumed = first.name.file_seq == last.file_seq
            return Take(first, Role.RESUMED, manifest) if resumed else None
        if last.file_seq == 0 or self._begins_epoch(manifest, last):
            begins = self._follows(first, manifest, last) or self._may_begin(first, manifest, now)
            return Take(first, Role.NEXT, manifest) if begins else None
        if manifest is not None and manifest.epoch != last.epoch:
            # An epoch that was left: its numbers mean nothing any more.
            return Take(first, Role.EARLIER, manifest)
        return Take(first, Role.NEXT, manifest) if self._follows(first, manifest, last) else None

    def _follows(self, found: Found, manifest: Manifest | None, last: DropCheckpoint) -> bool:
        """Whether nothing lies between what was read and this file."""
        if not found.name.counted and last.file_seq > 0:
            return True  # ordered by time: what is missing cannot be seen
        before = found.name.file_seq - 1
        if manifest is not None and manifest.previous_seq is not None:
            before = manifest.previous_seq
        return last.file_seq > 0 and self._memory.only_skipped_between(last.epoch, last.file_seq, before)

    def _epoch_of(self, manifest: Manifest | None) -> str:
        return self._options.epoch if manifest is None else manifest.epoch

    def _begins_epoch(self, manifest: Manifest | None, last: DropCheckpoint) -> bool:
        if manifest is None or manifest.epoch == last.epoch:
            return False
        return not self._memory.left(manifest.epoch, last.epoch)

    def _may_begin(self, found: Found, manifest: Manifest | None, now: float) -> bool:
        """Whether to begin with this file: at once if nothing can come before it, else when nothing did for a while.

        Never behind files that a database that is gone has read: what they said would be missed without a word.
        """
        nothing_before = found.name.file_seq <= 1 or (manifest is not None and manifest.previous_seq == 0)
        if nothing_before or found.name.kind is Kind.FULL:
            return True
        if self._memory.reached(self._epoch_of(manifest)):
            return False
        return self._overdue(("begin", found.name.text), now)

    def _over_gap(self, coming: list[Found], last: DropCheckpoint, now: float) -> Take | None:
        for one in coming:
            if one.name.kind is Kind.FULL and one.name.file_seq > last.file_seq:
                state = self._state(one, now)
                if isinstance(state, Ready):
                    return Take(one, Role.OVER_GAP, state.manifest)
        return None

    def _missing(self, first: Found, state: Ready | Unready, last: DropCheckpoint, count: int) -> str:
        if isinstance(state, Unready):
            return f"{first.name.text}: {state.reason}"
        epoch = self._epoch_of(state.manifest)
        known = self._memory.reached(epoch)
        if known and (last.file_seq == 0 or self._begins_epoch(state.manifest, last)):
            return (
                f"this database has read nothing of the epoch {epoch}, whose receipts go up to file {known}: move its "
                "newest full file and what follows it back from done to in, or drop a new full; what came since is held"
            )
        wanted = last.file_seq if not last.ended else last.file_seq + 1
        if self._memory.applied(last.epoch, wanted):
            return (
                f"file {wanted} was applied by a database newer than this one: "
                "move it and what follows back from done to in (what was rejected lies in error)"
            )
        return f"file {wanted} is missing; {count} later files are held, the first is {first.name.text}"

    def _overdue(self, what: object, now: float) -> bool:
        since = self._touched[what] = self._touched.get(what, self._since.get(what, now))
        return now - since >= self._options.gap_grace_seconds

    def _state(self, found: Found, now: float) -> Ready | Unready:
        """Tell whether a file is whole, by the configured sign of it. Raises OSError."""
        name = found.name.text
        stat = self._directory.look(found.folder, name)
        if stat is None:
            return Unready("it has just gone")
        faulty = faulty_entry(stat)
        if faulty is not None:
            return Unready(faulty, "not_a_plain_file", at_once=True)
        if stat.st_nlink != 1:
            return Unready("it has another name as well", "hard_link")
        if self._options.ready is Readiness.MANIFEST:
            return self._by_manifest(found, stat.st_size)
        if self._options.ready is Readiness.STABLE and not found.claimed:
            size, modified, since = self._sizes.get(name, (-1, -1, now))
            if (size, modified) != (stat.st_size, stat.st_mtime_ns):
                since = now
            self._sizes[name] = (stat.st_size, stat.st_mtime_ns, since)
            if now - since < self._options.stable_seconds or stat.st_size == 0:
                return Unready("it was still written to")
        return Ready(None)

    def _by_manifest(self, found: Found, size: int) -> Ready | Unready:
        name = found.name.text + MANIFEST_ENDING
        data = None
        for folder in (WORK, IN) if found.claimed else (IN,):
            data = self._directory.read_small(folder, name, MANIFEST_LIMIT_BYTES) if data is None else data
        if data is None:
            return Unready("its manifest has not come")
        try:
            manifest = read_manifest(data, found.name)
        except Unreadable as fault:
            return Unready(fault.reason, "bad_manifest", at_once=True)
        if manifest.bytes is not None and manifest.bytes != size:
            return Unready(f"it has {size} bytes, its manifest says {manifest.bytes}", "wrong_size")
        return Ready(manifest)


def _awaits_better(refused: str, wanted: int, coming: Sequence[Found], state: Ready | Unready | None) -> str:
    """What holds while the next file of the sequence lies in error/. `state`: of the first that comes."""
    told = (
        f"{refused} was refused and lies in error/; nothing after it is read: the feed waits for a corrected file of the same "
        f"number ({wanted}), or a full of this feed, in in/"
    )
    later = [one for one in coming if one.name.file_seq > wanted]
    if coming and coming[0].name.file_seq == wanted and isinstance(state, Unready):
        told += f"; {coming[0].name.text} is there: {state.reason}"
    waits = f"; {counted(len(later), 'later file')} {'waits' if len(later) == 1 else 'wait'}"
    return told + (waits if later else "")

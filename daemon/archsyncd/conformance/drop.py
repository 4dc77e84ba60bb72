"""A directory of the transport `drop` as it lies there: names, manifests, numbers, content (r247/1, section 3).

Reads files, and moves, makes and writes none. All of it blocks.
"""

from __future__ import annotations

import itertools
import os
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from archsyncd.adapters.r247_drop import DropOptions, Readiness
from archsyncd.adapters.r247_drop.content import Checked, Content, faulty_entry
from archsyncd.adapters.r247_drop.directory import DONE, ERROR, IN, WORK
from archsyncd.adapters.r247_drop.naming import name_of
from archsyncd.conformance.asking import NoMore
from archsyncd.conformance.dialects import PROFILE_DROP_RULES, promised_by_files
from archsyncd.conformance.findings import Evidence, Notebook, Report, Rule, number
from archsyncd.conformance.records import RecordBook
from archsyncd.conformance.rules import DROP_RULES, RECORD_RULES
from archsyncd.domain.feed import Reject
from archsyncd.engine.ports import Clock
from archsyncd.wire.drop_names import (
    MANIFEST_ENDING,
    MANIFEST_LIMIT_BYTES,
    DropName,
    Kind,
    Manifest,
    read_manifest,
)
from archsyncd.wire.drop_records import UNPARSED, Entry, Numbering, read_entries
from archsyncd.wire.ndjson import decode_line
from archsyncd.wire.r247_values import Misread, Unreadable

LOOKED_AT: Final = (IN, WORK, DONE, ERROR)
PASSED_OVER: Final = (MANIFEST_ENDING, ".tmp", ".part", ".filepart", ".progress", ".err.json")
NAMES_LIMIT: Final = 100_000
PIECE: Final = 1_000
NAMED: Final = 5
_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


_MANIFESTS: Final = tuple(rule for rule in DROP_RULES if rule.name.startswith("manifest_"))


@dataclass(frozen=True, slots=True)
class DropWishes:
    """How the directory is looked at: the newest `files_limit` files within `seconds_limit`. `feed`: of this one alone."""

    options: DropOptions
    files_limit: int = 200
    seconds_limit: float = 270.0
    feed: str = ""


@dataclass(frozen=True, slots=True)
class Lying:
    """A data file: where it lies, and what its name says."""

    folder: str
    name: DropName

    @property
    def told(self) -> str:
        """Its place as people read it."""
        return f"{self.folder}/{self.name.text}"


def verify_drop(wishes: DropWishes, clock: Clock) -> Report:
    """Look at everything that lies there. Never raises for what the source does wrong."""
    began = clock.monotonic()
    notebook = Notebook()
    survey = Survey(wishes, clock, notebook)
    profile = wishes.options.profile
    if profile is not None:
        promised_by_files(profile, notebook)
    why = "no file lies there that could show it"
    try:
        survey.all()
    except NoMore as no_more:
        why = str(no_more)
    except OSError as error:
        notebook.fails(
            "folders", f"the directory cannot be read: {error.strerror}", Evidence(str(error.filename))
        )
    survey.book.judge()
    findings = notebook.findings(rules_of(wishes.options), why)
    return Report(str(wishes.options.directory), findings, survey.files, clock.monotonic() - began)


def rules_of(options: DropOptions) -> tuple[Rule, ...]:
    """The rules for files that become ready and are read in this way: those of manifests where there are any."""
    if options.profile is not None:
        own = PROFILE_DROP_RULES
        return (*own, *_MANIFESTS) if options.ready is Readiness.MANIFEST else own
    if options.ready is Readiness.MANIFEST:
        return (*RECORD_RULES, *DROP_RULES)
    return (*RECORD_RULES, *(rule for rule in DROP_RULES if rule not in _MANIFESTS))


class Survey:
    """One look at the directory. `files`: how many were read."""

    def __init__(self, wishes: DropWishes, clock: Clock, notebook: Notebook) -> None:
        self._wishes = wishes
        self._root = wishes.options.directory
        self._clock = clock
        self._ends = clock.monotonic() + wishes.seconds_limit
        self._notebook = notebook
        self.book = RecordBook(notebook)
        self.files = 0
        self._contents: dict[str, str] = {}
        self._manifests: dict[str, Manifest] = {}

    def all(self) -> None:
        """Look at names, then at manifests and content, the newest files first. Raises NoMore, OSError."""
        if not (self._root / IN).is_dir():
            self._notebook.fails("folders", f"{self._root} has no in/", Evidence(str(self._root / IN)))
            return
        self._notebook.holds("folders", "in/ is there")
        found = [one for folder in LOOKED_AT for one in self._names(folder)]
        found.sort(key=lambda one: one.name.file_seq)
        for one in found:
            self._manifest(one)
        self._sequence(found)
        self._fulls(found)
        # Newest first: what a site writes now matters more than what it wrote once.
        readable = [one for one in reversed(found) if self._may_be_read(one)]
        for one in readable[: self._wishes.files_limit]:
            if self._clock.monotonic() >= self._ends:
                raise NoMore(f"the limit of {self._wishes.seconds_limit:.0f} seconds is reached")
            self._content(one)
        self._held(found)

    def _held(self, found: list[Lying]) -> None:
        if any(not one.name.counted for one in found):
            self._notebook.unasked(
                "file_sequence", "files are ordered by the time in their names, which leaves no gaps"
            )
        for name, says in _HELD.items():
            if name == "file_sequence" and any(not one.name.counted for one in found):
                continue
            if found and (self.files or name not in _HELD_BY_CONTENT):
                self._notebook.holds(name, says)

    def _names(self, folder: str) -> Iterator[Lying]:
        path = self._root / folder
        if path.is_symlink():
            self._notebook.fails("plain_files", f"{folder} is a link", Evidence(folder))
            return
        if not path.is_dir():
            return
        with os.scandir(path) as entries:
            for entry in itertools.islice(entries, NAMES_LIMIT):
                name = name_of(entry.name, self._wishes.options)
                if name is None:
                    self._stranger(folder, entry.name)
                elif self._wishes.feed in {"", name.feed} and self._plain(folder, entry):
                    yield Lying(folder, name)

    def _stranger(self, folder: str, name: str) -> None:
        # What the daemon has put away may have a number behind its name.
        if name.startswith(".") or name.endswith(PASSED_OVER) or folder in {DONE, ERROR}:
            return
        self._notebook.fails(
            "file_names", f"{name[:80]!r} is no name of a data file", Evidence(f"{folder}/{name[:120]}")
        )

    def _plain(self, folder: str, entry: os.DirEntry[str]) -> bool:
        found = entry.stat(follow_symlinks=False)
        faulty = faulty_entry(found) or ("a file with another name as well" if found.st_nlink != 1 else None)
        if faulty is not None:
            self._notebook.fails(
                "plain_files", f"{entry.name} is {faulty}", Evidence(f"{folder}/{entry.name}")
            )
        return faulty is None

    def _manifest(self, one: Lying) -> None:
        if self._wishes.options.ready is not Readiness.MANIFEST:
            return
        path = self._root / one.folder / f"{one.name.text}{MANIFEST_ENDING}"
        try:
            data = _small(path)
        except FileNotFoundError:
            if one.folder in {IN, WORK}:
                self._notebook.fails("manifest_there", f"{one.told} has no manifest", Evidence(one.told))
            return
        try:
            manifest = read_manifest(data, one.name)
        except Unreadable as fault:
            shown = data[:300].decode("utf-8", "replace")
            self._notebook.fails(
                "manifest_readable", f"{one.told}: {fault.reason}", Evidence(f"{one.told}.done", shown)
            )
            return
        self._manifests[one.told] = manifest
        if manifest.complete is False:
            says = f'the manifest of {one.told} says "complete":false'
            self._notebook.fails("manifest_complete", says, Evidence(f"{one.told}.done"))

    def _may_be_read(self, one: Lying) -> bool:
        """Whether the file is said to be whole; one that is not is still being written, as far as anybody can tell."""
        by_manifest = self._wishes.options.ready is Readiness.MANIFEST and one.folder in {IN, WORK}
        manifest = self._manifests.get(one.told)
        return not by_manifest or (manifest is not None and manifest.complete is not False)

    def _sequence(self, found: list[Lying]) -> None:
        groups: dict[tuple[str, str], list[Lying]] = {}
        for one in found:
            manifest = self._manifests.get(one.told)
            groups.setdefault((one.name.feed, "" if manifest is None else manifest.epoch), []).append(one)
        if any(epoch for _, epoch in groups):
            # Files without a manifest are of the epoch that their neighbours are of.
            for feed, epoch in [key for key in groups if key[1] == ""]:
                known = next((key for key in groups if key[0] == feed and key[1]), None)
                if known is not None:
                    groups[known] = sorted(
                        groups.pop((feed, epoch)) + groups[known], key=lambda one: one.name.file_seq
                    )
        for members in groups.values():
            self._numbers(members)

    def _numbers(self, members: list[Lying]) -> None:
        names: dict[int, str] = {}
        for one in members:
            first = names.setdefault(one.name.file_seq, one.name.text)
            if first != one.name.text:
                says = (
                    f"two files have the number {one.name.file_seq}"
                    if one.name.counted
                    else "two files are of one time"
                )
                self._notebook.fails("file_sequence", says, Evidence(one.told), Evidence(first))
        known = sorted(names)
        for one in members:
            place = bisect_left(known, one.name.file_seq)
            if one.folder not in {IN, WORK} or place == 0:
                continue
            manifest = self._manifests.get(one.told)
            told = None if manifest is None else manifest.previous_seq
            expected = one.name.file_seq - 1 if told is None else told
            if one.name.counted and expected != known[place - 1]:
                says = f"{one.told} follows file {expected}, and before it lies file {known[place - 1]}"
                self._notebook.fails("file_sequence", says, Evidence(one.told, f"prevFileSeq {told}"))

    def _fulls(self, found: list[Lying]) -> None:
        fulls = [one for one in found if one.name.kind is Kind.FULL]
        if not found:
            return
        says = number(len(fulls), "full file") if fulls else "no full file lies there"
        self._notebook.judge("full_there", bool(fulls), says, says, Evidence(fulls[-1].told if fulls else IN))
        for one in fulls:
            manifest = self._manifests.get(one.told)
            told = one.name.locations if manifest is None else manifest.locations
            if manifest is not None or self._wishes.options.profile is not None:
                says = f"{one.told} covers {', '.join(told[:NAMED]) or 'no location by its own word'}"
                self._notebook.judge("full_locations", bool(told), says, says, Evidence(one.told))

    def _content(self, one: Lying) -> None:
        handle = os.open(self._root / one.folder / one.name.text, _FLAGS)
        content = Content(handle, one.name, self._wishes.options)
        try:
            checked = self._checked(content)
            self.files += 1
            if self._agrees(one, checked) and self._is_new(one, checked):
                self._records(one, content, Numbering(one.name, checked.sha256))
        except Unreadable as fault:
            self._notebook.fails(
                "content_readable", f"{one.told}: {fault.reason}", Evidence(one.told, fault.reason)
            )
        finally:
            content.close()

    def _checked(self, content: Content) -> Checked:
        while True:
            checked = content.check_piece()
            if checked is not None:
                return checked
            if self._clock.monotonic() >= self._ends:
                raise NoMore(f"the limit of {self._wishes.seconds_limit:.0f} seconds is reached")

    def _agrees(self, one: Lying, checked: Checked) -> bool:
        manifest = self._manifests.get(one.told)
        if manifest is None:
            return True
        for name, told, found in (
            ("bytes", manifest.bytes, checked.bytes),
            ("sha256", manifest.sha256, checked.sha256),
            ("records", manifest.records, checked.records),
        ):
            if told is not None and told != found:
                says = f"{one.told}: its {name} is not what its manifest says"
                seen = f"{name} {told} in the manifest, {found} of the file"
                self._notebook.fails("manifest_agrees", says, Evidence(f"{one.told}.done", seen))
                return False
        return True

    def _is_new(self, one: Lying, checked: Checked) -> bool:
        first = self._contents.setdefault(checked.sha256, one.told)
        if first == one.told or not checked.has_ids:
            return True
        self._notebook.fails(
            "content_once", f"{one.told} is {first} again", Evidence(one.told), Evidence(first)
        )
        return False

    def _records(self, one: Lying, content: Content, numbering: Numbering) -> None:
        while True:
            entries = content.read(PIECE)
            if not entries:
                return
            places = [f"{one.name.text}/{entry.line}" for entry in entries]
            values = [_value(entry) for entry in entries]
            if "ordersIncluded" in content.columns:
                # An empty cell of that column says that no order is open, where an absent column says nothing.
                values = [{"ordersIncluded": ""} | one if isinstance(one, dict) else one for one in values]
            _, rejects = read_entries(entries, numbering)
            self.book.look(one.told, values, places, rejects)


_HELD: Final = {
    "file_names": "every name is a data file's",
    "plain_files": "every file is a plain one",
    "manifest_there": "every file has its manifest",
    "manifest_readable": "every manifest could be read",
    "manifest_complete": "no manifest says that its file is not complete",
    "manifest_agrees": "every file is what its manifest says",
    "file_sequence": "the numbers follow one another",
    "content_readable": "every file could be read to its end",
    "content_once": "no content was found twice",
}

_HELD_BY_CONTENT: Final = frozenset({"manifest_agrees", "content_readable", "content_once"})


def _value(entry: Entry) -> Any:
    value = decode_line(entry.payload, entry.line) if entry.value is UNPARSED else entry.value
    return None if isinstance(value, Reject | Misread) else value


def _small(path: Path) -> bytes:
    with os.fdopen(os.open(path, _FLAGS), "rb") as file:
        return file.read(MANIFEST_LIMIT_BYTES + 1)

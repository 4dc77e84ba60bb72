"""What every code means, for people: archsyncd.exceptions(7) as scdoc text, and the tables of the guide. Makes no text up.

`packaging/guide-tables` writes the tables into packaging/guide.md between their markers.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import pages
from archsyncd.config.service import DEFAULT_OWNER, shipped_owners
from archsyncd.domain.events import Event, explained
from archsyncd.domain.explained import CODES, KINDS, OWNERS, REASONS, Explained, Severity

GUIDE = Path(__file__).resolve().parents[1] / "guide.md"
BEGIN = "<!-- {}: made by packaging/guide-tables from the program's own texts -->"
END = "<!-- end of {} -->"


def manual() -> str:
    """archsyncd.exceptions(7): a section for each code, with its owner and its commands."""
    described_as = (
        "archsyncd tells of whatever needs a person under a code: the kind of an exception (archsyncctl exceptions), a cause of "
        "the verdict (archsyncctl status), a class of messages of the journal, or why a record or a file was not used (in "
        "receipts and exceptions). Each has a section here; archsyncctl explain "
        "CODE prints the same. The owner is the team whose it usually is; the table owners of the configuration decides.\n\n"
        "Words in capitals stand for something of your own: ID is the number that archsyncctl exceptions list tells, NUMBER an "
        "order's number, SNAPSHOT and DIGEST are told by archsyncctl snapshot list. archsyncctl exceptions show ID has them "
        "filled in."
    )
    parts = [
        ("DESCRIPTION", pages.prose(described_as)),
        ("EXCEPTIONS", sections(KINDS.values())),
        ("CAUSES OF A VERDICT", sections(REASONS.values())),
        ("CODES OF RECORDS AND FILES", sections(CODES.values())),
        ("MESSAGES OF THE JOURNAL", chain.from_iterable(of_event(event) for event in Event)),
        ("SEE ALSO", ["*archsyncctl*(1), *archsyncd*(8), *archsyncd.config*(5)"]),
    ]
    return pages.page(
        "archsyncd.exceptions", 7, "what each code of archsyncd means, and who does what about it", parts
    )


def sections(entries: Iterable[Explained]) -> Iterator[str]:
    """A section for each entry."""
    for entry in entries:
        yield from section(entry.code, entry)


def of_event(event: Event) -> Iterator[str]:
    """An event by its name, with the id that journalctl finds it by."""
    yield from section(event.name, explained(event), f"MESSAGE_ID={event.value.message_id}. ")


def section(name: str, entry: Explained, identity: str = "") -> Iterator[str]:
    """One code."""
    yield f"## {pages.escaped(name)}"
    yield ""
    yield from pages.prose(f"{identity}{entry.meaning}")
    yield f"Severity: *{entry.severity.value}*. Owner: *{entry.owner}*."
    yield ""
    facts = {
        "Impact": entry.impact,
        "By itself": entry.by_itself,
        "First": entry.next_step,
        "Over": entry.closes,
        "Retry": entry.retry,
    }
    yield from pages.told({term: says for term, says in facts.items() if says})
    for term, commands in (("To look", entry.look), ("To settle it", entry.remedy)):
        if commands:
            yield f"*{term}*"
            yield from (f"\t- _{pages.escaped(each)}_" for each in commands)
            yield ""


def owners() -> list[str]:
    """Who owns which exception and what they do first, by team, the worst first."""
    return [
        "| usually owned by | exception | severity | what they do first |",
        "|---|---|---|---|",
        *(
            f"| {entry.owner} | `{entry.code}` | {entry.severity} | {entry.next_step} |"
            for entry in by_owner(KINDS.values())
        ),
    ]


def causes() -> list[str]:
    """The causes of a verdict that are no exceptions."""
    return [
        "| code | at worst | what it means | what to do first |",
        "|---|---|---|---|",
        *(
            f"| `{entry.code}` | {entry.severity} | {entry.meaning} | {entry.next_step} |"
            for entry in REASONS.values()
        ),
    ]


def table_of_owners() -> list[str]:
    """`[owners]` with each kind at its usual team, for a site that has these teams."""
    shipped = shipped_owners()
    other = [entry for entry in by_owner(KINDS.values()) if entry.owner != shipped[DEFAULT_OWNER].team]
    return ["    [owners]"] + [
        f'    {entry.code} = {{ team = "{entry.owner}" }}' for entry in other if entry.code not in shipped
    ]


def by_owner(entries: Iterable[Explained]) -> list[Explained]:
    """By team, then the worst first, then as they stand."""
    order = list(Severity)
    return sorted(entries, key=lambda entry: (OWNERS.index(entry.owner), order.index(entry.severity)))


TABLES = {"who owns what": owners, "owners to copy": table_of_owners, "causes of a verdict": causes}


def filled_guide(text: str) -> str:
    """The guide with its tables as the program's texts are now. Raises ValueError where a marker is missing."""
    for name, make in TABLES.items():
        begin, end = BEGIN.format(name), END.format(name)
        found = re.compile(rf"(?s){re.escape(begin)}\n.*?{re.escape(end)}")
        block = "\n".join([begin, "", *make(), "", end])
        if len(found.findall(text)) != 1:
            raise ValueError(f"packaging/guide.md must have the markers of {name!r} once: {begin} and {end}")
        before, after = found.split(text)
        text = f"{before}{block}{after}"
    return text


def main() -> int:
    """Write the tables."""
    GUIDE.write_text(filled_guide(GUIDE.read_text("utf-8")), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

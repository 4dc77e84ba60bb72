"""What a class of events of the journal is told with, and its entry in journald's catalogue. Knows no event and no journal."""

from __future__ import annotations

from dataclasses import dataclass

from archsyncd.domain.explained.shape import Explained, Severity

_WARNING, _ERROR = 30, 40
_GUIDE = "file:/usr/share/doc/archsyncd/guide.md"
_MANUAL = "man:archsyncd.exceptions(7)"
# journald puts the entry's own fields in their place ("Message Catalogs"): only where every entry of the class has them.
_FIELDS = {"@ARCHSYNCD_CASE@": "ID", "@ARCHSYNCD_KIND@": "CODE"}
SHOW_CASE = "archsyncctl exceptions show @ARCHSYNCD_CASE@"
EXPLAIN_KIND = "archsyncctl explain @ARCHSYNCD_KIND@"
NOTHING_NOTICED = "Nobody notices anything of it."
NOTHING_MORE = "Nothing more than what it tells."
ONCE = "It tells of one moment; nothing stays open."


@dataclass(frozen=True, slots=True)
class EventText:
    """A class of events. `level` counts as Python's logging does; `cause` is what it means, `remedy` what to do.

    From warning on, the rest is told as well (Explained says what each is); `commands` are the remedy's, `closes` says when it
    is over.
    """

    message_id: str
    level: int
    subject: str
    cause: str
    remedy: str
    impact: str = NOTHING_NOTICED
    by_itself: str = NOTHING_MORE
    closes: str = ONCE
    look: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    owner: str = "operations"

    def explained(self, name: str) -> Explained:
        """The same as every other code is told."""
        return Explained(
            code=name.lower(),
            severity=self._severity(),
            owner=self.owner,
            meaning=f"{self.subject}. {_named(self.cause)}",
            impact=self.impact,
            by_itself=self.by_itself,
            next_step=_named(self.remedy),
            closes=self.closes,
            look=tuple(_named(each) for each in self.look),
            remedy=tuple(_named(each) for each in self.commands),
        )

    def _severity(self) -> Severity:
        if self.level >= _ERROR:
            return Severity.CRITICAL
        return Severity.WARNING if self.level >= _WARNING else Severity.NOTICE

    def catalogued(self) -> str:
        """Its entry in the catalogue, in journald's format."""
        parts = [self.cause]
        parts += [f"Impact: {self.impact}"] if self.impact != NOTHING_NOTICED else []
        parts += [f"By itself: {self.by_itself}"] if self.by_itself != NOTHING_MORE else []
        parts.append("\n".join((self.remedy, *(f"    {each}" for each in (*self.look, *self.commands)))))
        head = f"-- {self.message_id}\nSubject: {self.subject}\nDefined-By: archsyncd\n"
        return f"{head}Documentation: {_GUIDE}\nDocumentation: {_MANUAL}\n\n" + "\n\n".join(parts) + "\n"


def _named(text: str) -> str:
    for field, name in _FIELDS.items():
        text = text.replace(field, name)
    return text

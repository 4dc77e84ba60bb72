"""Whose names the files of a directory have: ours, or those that a profile describes. Looks at no file."""

from __future__ import annotations

from typing import Final

from archsyncd.adapters.r247_drop.options import DropOptions
from archsyncd.wire.drop_names import MANIFEST_ENDING, DropName, Form, Kind, read_name

UNFINISHED: Final = (MANIFEST_ENDING, ".tmp", ".part", ".filepart", ".progress")
_COMPRESSED: Final = ".gz"


def name_of(text: str, options: DropOptions) -> DropName | None:
    """Take a name apart; None when it is no data file's of this feed's directory, or not under its final name yet."""
    profile = options.profile
    if profile is None or not profile.names:
        return read_name(text)
    if text.startswith(".") or text.endswith(UNFINISHED):
        return None
    named = profile.file_name(text)
    if named is None:
        return None
    return DropName(
        text=text,
        feed=options.feed_in_names,
        kind=Kind(named.rule.kind),
        file_seq=named.number,
        at=named.at,
        form=Form(profile.form),
        compressed=text.endswith(_COMPRESSED),
        counted=named.counted,
        parts=named.parts,
        locations=named.rule.locations,
    )

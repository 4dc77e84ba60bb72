"""A source as its profile describes it: the requests, and what reads each of their answers. Asks nobody."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from archsyncd.wire.foreign.section import Listing, Requests, read_requests
from archsyncd.wire.profile.contract import MappingProfile
from archsyncd.wire.profile.faults import ProfileFault, ProfileFaults
from archsyncd.wire.profile.paths import JsonWalker, Walker, XmlWalker, one_value, parse_path
from archsyncd.wire.profile.profile import Profile, read_profile
from archsyncd.wire.profile.xml_file import parse_xml
from archsyncd.wire.r247_json import decode_carefully
from archsyncd.wire.r247_values import Misread, Unreadable

DOCUMENT_LIMIT_BYTES: Final = 1024 * 1024
_ONLY_TOP: Final = ("request", "names")


@dataclass(frozen=True, slots=True)
class Source:
    """A profile whose `request` section was read. `shapes`: what reads the answers to a listing, by where it is described."""

    profile: Profile
    requests: Requests
    shapes: Mapping[str, MappingProfile]

    def shape_of(self, listing: Listing) -> MappingProfile:
        """What reads this listing's answers."""
        return self.shapes.get(listing.where, self.profile)

    def document(self, data: bytes) -> Callable[[str], Any]:
        """Read an answer that holds no records; what gives the value at a path. Raises Unreadable."""
        if len(data) > DOCUMENT_LIMIT_BYTES:
            raise Unreadable(f"the answer has more than {DOCUMENT_LIMIT_BYTES} bytes")
        if self.profile.form == "xml":
            return _values(XmlWalker(), parse_xml([data]))
        try:
            return _values(JsonWalker(), decode_carefully(data))
        except Misread as fault:
            raise Unreadable(f"the answer {fault.reason}") from None


def _values(walker: Walker, top: Any) -> Callable[[str], Any]:
    def value(path: str) -> Any:
        try:
            return one_value(walker, (("", top),), parse_path(path, from_top=True))
        except ValueError as fault:
            raise Unreadable(f"{path[:60]}: {fault}") from None

    return value


def read_source(data: bytes, file: str) -> Source:
    """Read a profile for a source that is asked. `file` is how messages call it. Raises ProfileFaults."""
    profile = read_profile(data, file)
    if profile.request is None:
        line, column = profile.line_of(())
        says = "is required to ask a source: how changes are asked for"
        raise ProfileFaults([ProfileFault(file, line, column, "request", None, says)])
    requests = read_requests(profile.request, profile)
    listings = (requests.changes, requests.head, requests.snapshot, requests.key)
    shapes = {
        each.where: _shape(data, profile, each)
        for each in listings
        if each is not None and each.shape is not None
    }
    return Source(profile, requests, shapes)


def _shape(data: bytes, profile: MappingProfile, listing: Listing) -> MappingProfile:
    """The profile with the members that this listing's answers replace."""
    top = json.loads(data.decode("utf-8-sig"))
    merged = {name: value for name, value in top.items() if name not in _ONLY_TOP} | dict(listing.shape or {})
    try:
        return read_profile(json.dumps(merged).encode(), profile.file)
    except ProfileFaults as found:
        where = (*listing.where.split("."), "shape")
        line, column = profile.line_of(where)
        told = [
            ProfileFault(
                profile.file,
                line,
                column,
                f"{'.'.join(where)}.{one.path}",
                one.value,
                one.says,
                one.suggestion,
            )
            for one in found.faults
        ]
        raise ProfileFaults(told) from None

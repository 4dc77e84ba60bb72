"""The audit of identifiers: what counts as nearly the same SKU, and what a person is told of one. Pure; asks nobody."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from archsyncd.domain.feed import SKU_LIMIT_CHARACTERS

SEPARATORS = frozenset("-_./‐‑‒–—−")
SHOWN_CHARACTERS = 64


class FindingKind(StrEnum):
    """What an audit finds; the names are those of its answer."""

    NOT_SENT = "not_sent"
    NOT_SOLD = "not_sold"
    SKU_TWICE = "sku_twice"
    SKU_UNUSABLE = "sku_unusable"
    LOCATION_UNMAPPED = "location_unmapped"
    CHANNEL_MISSING = "channel_missing"
    CHANNEL_WITHOUT_LOCATION = "channel_without_location"


@dataclass(frozen=True, slots=True)
class Finding:
    """One identifier that does not fit. `place`: where it was met. `near`: the other side's SKU, "" without one, `differs` by."""

    kind: FindingKind
    name: str
    place: str
    says: str
    near: str = ""
    differs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SkuPage:
    """A page of a listing by id. `last_id`: to go on from, None at the end. `nameless`: variants without a SKU.

    `total`: how many there are of what is listed, where that was asked for.
    """

    skus: tuple[str, ...]
    last_id: str | None
    items: int
    nameless: int = 0
    total: int | None = None


@dataclass(frozen=True, slots=True)
class AuditSummary:
    """What an audit came to. Times are UTC milliseconds; `kept` counts the findings that its file holds."""

    started_ms: int
    ended_ms: int
    sold: int
    sent: int
    nameless: int
    requests: int
    kept: int
    counts: Mapping[str, int] = field(default_factory=dict)


def _alike(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


def _without_spaces(text: str) -> str:
    return "".join(text.split())


def _without_separators(text: str) -> str:
    return "".join(each for each in text if each not in SEPARATORS)


def _without_zeros(text: str) -> str:
    return text.lstrip("0") or text


_STAGES: Mapping[str, Callable[[str], str]] = {
    "look-alike characters": _alike,
    "case": str.casefold,
    "spaces": _without_spaces,
    "separators": _without_separators,
    "leading zeros": _without_zeros,
}


def loose_form(sku: str, leaving: str = "") -> str:
    """What all spellings of a SKU have in common; equal forms are nearly the same SKU. `leaving`: a difference that counts."""
    form = sku
    for name, stage in _STAGES.items():
        if name != leaving:
            form = stage(form) or form
    return form


def differences(one: str, other: str) -> tuple[str, ...]:
    """In what two SKUs of the same loose form differ."""
    found = tuple(name for name in _STAGES if loose_form(one, name) != loose_form(other, name))
    return found or ("spelling",)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A SKU of the other side with the same loose form; `paired`: it has its own counterpart already."""

    sku: str
    paired: bool


def nearest(sku: str, candidates: Sequence[Candidate]) -> Candidate | None:
    """The candidate most probably meant: one without a counterpart first, then the one that differs least."""
    return min(
        candidates, key=lambda each: (each.paired, len(differences(sku, each.sku)), each.sku), default=None
    )


def not_sent(sku: str, channel: str, candidates: Sequence[Candidate], *, in_catalogue: bool) -> Finding:
    """A SKU that commercetools sells and Archean has never told of. `channel`: of its entry, "" without one."""
    met = "a published product" if in_catalogue else f"an entry in {channel}"
    lead = f"{met} has it, Archean has never told of it"
    return _compared(FindingKind.NOT_SENT, sku, channel, lead, "Archean", candidates)


def not_sold(sku: str, location: str, channel: str, candidates: Sequence[Candidate]) -> Finding:
    """A SKU that Archean tells of and no published product has. `channel`: of its entry, "" without one."""
    entry = f", though {channel} has an entry of it" if channel else ""
    lead = f"Archean tells of it at {location}, no published product has it{entry}"
    return _compared(FindingKind.NOT_SOLD, sku, location, lead, "commercetools", candidates)


def _compared(
    kind: FindingKind, sku: str, place: str, lead: str, other: str, candidates: Sequence[Candidate]
) -> Finding:
    found = nearest(sku, candidates)
    if found is None:
        return Finding(kind, sku, place, f"{lead}, nor of anything like it" if other == "Archean" else lead)
    by = differences(sku, found.sku)
    told = f"{lead}; {other} has a SKU that differs by {', '.join(by)}"
    advice = (
        "which is in use on both sides: probably another article"
        if found.paired
        else "which fits nothing either: probably the same article, so write it alike in both systems, or give it a line in the "
        "file of [aliases]"
    )
    return Finding(kind, sku, place, f"{told}, {advice}", found.sku, by)


def sold_twice(sku: str, products: int) -> Finding:
    """Several products carry one SKU, which commercetools should not allow."""
    says = f"{products} published products have it: their stock is one figure"
    return Finding(FindingKind.SKU_TWICE, sku, "", f"{says}; give each variant a SKU of its own")


def usable(sku: str) -> bool:
    """Whether a SKU can be told by Archean at all."""
    return 0 < len(sku) <= SKU_LIMIT_CHARACTERS


def unusable(sku: str) -> Finding:
    """A SKU that Archean cannot tell; shown shortened."""
    says = (
        f"it has {len(sku):,} characters, of which the first {SHOWN_CHARACTERS} are shown; a source may tell SKUs of 1 to "
        f"{SKU_LIMIT_CHARACTERS} characters, so no stock will ever arrive for it"
    )
    return Finding(FindingKind.SKU_UNUSABLE, sku[:SHOWN_CHARACTERS], "", says)


def unmapped(location: str) -> Finding:
    """A location that Archean tells of and the configuration does not name."""
    says = "Archean tells of it and [locations] does not: its levels are kept and sold nowhere; map or ignore it, then reload"
    return Finding(FindingKind.LOCATION_UNMAPPED, location, "", says)


def no_such_channel(channel: str) -> Finding:
    """A channel of the configuration that commercetools does not have."""
    says = "[locations] sells in it and commercetools has no such channel; create it with the role InventorySupply"
    return Finding(FindingKind.CHANNEL_MISSING, channel, "", says)


def no_location(channel: str) -> Finding:
    """A supply channel that no location feeds."""
    says = "a supply channel of commercetools that no location sells in: nothing here keeps its stock"
    return Finding(FindingKind.CHANNEL_WITHOUT_LOCATION, channel, "", says)

"""Rules over the keys of kits, each a sentence an administrator can act on. Reads no file and walks no TOML."""

from collections.abc import Callable
from typing import Final

from archsyncd.config.drafting import Draft
from archsyncd.config.faults import nearest, quoted
from archsyncd.domain.kits import Kit, Kits, excess_users, nested, overallotted


def kit_of(
    sku: str,
    components: dict[str, int],
    allotment: str,
    *,
    channels: tuple[str, ...] = (),
    hand_over: str = "",
) -> Kit:
    """A kit as it is configured."""
    percent = int(allotment[:-1]) if allotment.endswith("%") else None
    kits = int(allotment) if allotment.isdigit() else None
    parts = tuple(sorted(components.items()))
    return Kit(sku, parts, percent, kits, frozenset(channels), hand_over == "kit")


def kits_stated(draft: Draft) -> dict[str, Kit]:
    """The kits of the file that have no fault of their own."""
    return {
        sku: kit_of(sku, dict(kit.components), kit.allotment, channels=kit.channels, hand_over=kit.hand_over)
        for sku, kit in draft.settings.kits.items()
        if draft.sound("kits", sku) and kit.components and kit.allotment
    }


def _kits_are_whole(draft: Draft) -> None:
    for sku, kit in draft.settings.kits.items():
        for word in ("components", "allotment"):
            if not getattr(kit, word) and draft.sound("kits", sku, word):
                draft.fault(("kits", sku, word), "is required", near=("kits", sku))


def _no_kit_is_made_of_kits(draft: Draft) -> None:
    for sku, component in nested(kits_stated(draft)):
        told = (
            f"{quoted(component)} is a kit itself: name what it is made of"
            if component != sku
            else "a kit is not made of itself"
        )
        draft.fault(("kits", sku, "components"), told)


def _allotments_fit(draft: Draft) -> None:
    kits = Kits(kits_stated(draft))
    for component, percent in overallotted(kits):
        first = kits.using[component][-1].sku
        told = f"kits keep {percent}% of {quoted(component)}: together they may keep 100% at most"
        draft.fault(("kits", first, "allotment"), told)
    for component, count in excess_users(kits):
        told = f"{quoted(component)} is part of {count} kits, more than can be kept up with"
        draft.fault(("kits", kits.using[component][-1].sku, "components"), told)


def _kits_are_sold_somewhere(draft: Draft) -> None:
    if not draft.sound("locations"):
        return
    filled = {name for place in draft.settings.locations.values() for name in place.channels}
    for sku, kit in draft.settings.kits.items():
        for index, channel in enumerate(kit.channels):
            if channel not in filled and draft.sound("kits", sku, "channels"):
                near = nearest(channel, filled)
                draft.fault(
                    ("kits", sku, "channels", index),
                    "no location fills this channel",
                    quoted(near) if near else None,
                )


KIT_RULES: Final[tuple[Callable[[Draft], None], ...]] = (
    _kits_are_whole,
    _no_kit_is_made_of_kits,
    _allotments_fit,
    _kits_are_sold_somewhere,
)

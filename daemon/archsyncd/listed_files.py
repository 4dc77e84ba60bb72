"""Files of the site's own beside the configuration: the list of kits. Reads them, and says what is wrong in one sentence."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path

from archsyncd.config import Settings
from archsyncd.config.goods import SKU, Allotment
from archsyncd.config.kinds import Refused, Whole
from archsyncd.config.kit_rules import kit_of
from archsyncd.domain.kits import (
    COMPONENT_PIECES_LIMIT,
    COMPONENTS_LIMIT,
    KITS_LIMIT,
    Kit,
    Kits,
    excess_users,
    nested,
    overallotted,
)

COLUMNS = ("kit", "component", "quantity", "allotment")
FILE_LIMIT_BYTES = 32 * 1024 * 1024
_QUANTITY = Whole(1, COMPONENT_PIECES_LIMIT)


class RolloutFault(Exception):
    """A file beside the configuration (the allow-list of SKUs, the kits) cannot be used."""


def kits_of(settings: Settings) -> Kits:
    """The kits of the configuration and of its file. Raises RolloutFault."""
    stated = {
        sku: kit_of(sku, dict(kit.components), kit.allotment, channels=kit.channels, hand_over=kit.hand_over)
        for sku, kit in settings.kits.items()
    }
    path = settings.goods.kits_file
    if path is None:
        return Kits(stated)
    listed = read_kits(path)
    for sku in stated:
        if sku in listed:
            raise RolloutFault(f"goods.kits_file {path}: the kit {sku} stands in the configuration too")
    kits = Kits({**listed, **stated})
    why = next(_unfit(kits), None)
    if why is not None:
        raise RolloutFault(f"goods.kits_file {path}: {why}")
    return kits


def _unfit(kits: Kits) -> Iterator[str]:
    for sku, component in nested(kits.by_sku):
        yield f"the kit {sku} has {component} as a component, which is a kit itself: name what that is made of"
    for component, percent in overallotted(kits):
        yield f"kits keep {percent}% of {component}: together they may keep 100% at most"
    for component, count in excess_users(kits):
        yield f"{component} is part of {count} kits, more than can be kept up with"


def read_kits(path: Path) -> Mapping[str, Kit]:
    """The kits of a CSV file with the columns kit, component, quantity, allotment. Raises RolloutFault."""
    try:
        if path.stat().st_size > FILE_LIMIT_BYTES:
            raise RolloutFault(f"goods.kits_file {path} is larger than {FILE_LIMIT_BYTES // 2**20} MiB")
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise RolloutFault(f"goods.kits_file {path} cannot be read: {error}") from error
    try:
        return _kits(text)
    except (csv.Error, ValueError) as error:
        raise RolloutFault(f"goods.kits_file {path}: {error}") from error


def _kits(text: str) -> Mapping[str, Kit]:
    reader = csv.reader(text.splitlines(), strict=True)
    header = next(reader, [])
    if tuple(name.strip().casefold() for name in header) != COLUMNS:
        raise ValueError(f"its first line must be {','.join(COLUMNS)}")
    parts: dict[str, dict[str, int]] = {}
    allotments: dict[str, str] = {}
    for row in reader:
        if not any(row):
            continue
        try:
            _take(row, parts, allotments)
        except (ValueError, Refused) as error:
            raise ValueError(f"line {reader.line_num}: {error}") from error
    if len(parts) > KITS_LIMIT:
        raise ValueError(f"more than {KITS_LIMIT} kits")
    for sku in parts:
        if sku not in allotments:
            raise ValueError(f"the kit {sku} has no allotment on any of its lines")
    return {sku: kit_of(sku, found, allotments[sku], hand_over="kit") for sku, found in parts.items()}


def _take(row: list[str], parts: dict[str, dict[str, int]], allotments: dict[str, str]) -> None:
    if len(row) != len(COLUMNS):
        raise ValueError(f"{len(row)} columns instead of {len(COLUMNS)}")
    kit, component, quantity, allotment = (cell.strip() for cell in row)
    found = parts.setdefault(SKU.read(kit), {})
    if SKU.read(component) in found:
        raise ValueError(f"{component} is named twice for the kit {kit}")
    found[component] = _QUANTITY.read(
        int(quantity) if quantity.isascii() and quantity.isdigit() else quantity
    )
    if len(found) > COMPONENTS_LIMIT:
        raise ValueError(f"the kit {kit} has more than {COMPONENTS_LIMIT} components")
    if allotment:
        told = Allotment().read(int(allotment) if allotment.isascii() and allotment.isdigit() else allotment)
        if allotments.setdefault(kit, told) != told:
            raise ValueError(f"the kit {kit} has two allotments, {allotments[kit]} and {told}")

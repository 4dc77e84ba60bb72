"""Files of the site's own beside the configuration: the list of kits. Reads them, and says what is wrong in one sentence."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path

from archsyncd.config import Settings
from archsyncd.config.goods import HAND_OVERS, SKU, Allotment
from archsyncd.config.kinds import Choice, Refused, Whole
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
HAND_OVER = "hand_over"
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
    """The kits of a CSV file with the columns kit, component, quantity, allotment, perhaps hand_over. Raises RolloutFault."""
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
    header = tuple(name.strip().casefold() for name in next(reader, []))
    if header not in {COLUMNS, (*COLUMNS, HAND_OVER)}:
        raise ValueError(
            f"its first line must be {','.join(COLUMNS)}, and may have {HAND_OVER} as a fifth column"
        )
    found = _Listed(len(header))
    for row in reader:
        if not any(row):
            continue
        try:
            found.take(row)
        except (ValueError, Refused) as error:
            raise ValueError(f"line {reader.line_num}: {error}") from error
    return found.kits()


class _Listed:
    """The kits of a file, line by line. `columns`: how many each line has."""

    def __init__(self, columns: int) -> None:
        self._columns = columns
        self._parts: dict[str, dict[str, int]] = {}
        self._allotments: dict[str, str] = {}
        self._hand_overs: dict[str, str] = {}

    def take(self, row: list[str]) -> None:
        """One line. Raises ValueError and Refused."""
        if len(row) != self._columns:
            raise ValueError(f"{len(row)} columns instead of {self._columns}")
        kit, component, quantity, allotment, *more = (cell.strip() for cell in row)
        found = self._parts.setdefault(SKU.read(kit), {})
        if SKU.read(component) in found:
            raise ValueError(f"{component} is named twice for the kit {kit}")
        found[component] = _QUANTITY.read(
            int(quantity) if quantity.isascii() and quantity.isdigit() else quantity
        )
        if len(found) > COMPONENTS_LIMIT:
            raise ValueError(f"the kit {kit} has more than {COMPONENTS_LIMIT} components")
        if allotment:
            told = Allotment().read(
                int(allotment) if allotment.isascii() and allotment.isdigit() else allotment
            )
            if self._allotments.setdefault(kit, told) != told:
                raise ValueError(f"the kit {kit} has two allotments, {self._allotments[kit]} and {told}")
        if more and more[0]:
            way = Choice(HAND_OVERS).read(more[0])
            if self._hand_overs.setdefault(kit, way) != way:
                raise ValueError(
                    f"the kit {kit} is handed over in two ways, {self._hand_overs[kit]} and {way}"
                )

    def kits(self) -> Mapping[str, Kit]:
        """All of them. Raises ValueError."""
        if len(self._parts) > KITS_LIMIT:
            raise ValueError(f"more than {KITS_LIMIT} kits")
        for sku in self._parts:
            if sku not in self._allotments:
                raise ValueError(f"the kit {sku} has no allotment on any of its lines")
        return {
            sku: kit_of(sku, parts, self._allotments[sku], hand_over=self._hand_overs.get(sku, ""))
            for sku, parts in self._parts.items()
        }

"""The tables that a configuration names as files: aliases, units. Every fault is told at once, with its line. Decides nothing."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Final

from archsyncd.config import AliasSettings, ChannelSettings, Settings, UnitSettings, factor_of
from archsyncd.domain.aliases import Aliases
from archsyncd.domain.feed import SKU_LIMIT_CHARACTERS
from archsyncd.domain.sku_rules import PATTERN_SIGNS, SkuRule, SkuRules
from archsyncd.domain.units import UNIT_LIMIT_CHARACTERS, Units
from archsyncd.engine.naming import Terms

LINES_LIMIT: Final = 500_000
BYTES_LIMIT: Final = 64 * 1024 * 1024
FAULTS_SHOWN: Final = 50
PATTERNS_LIMIT: Final = 200
SAFETY_MOST: Final = 10**15
SKU_COLUMNS: Final = ("sku", "safety_stock", "percentage", "offer")
OFFERS: Final = {"": True, "yes": True, "true": True, "no": False, "false": False}


class PolicyFileFault(Exception):
    """A file that the configuration names cannot be used; the text has a line for each fault."""

    def __init__(self, faults: Sequence[str]) -> None:
        more = [f"and {len(faults) - FAULTS_SHOWN} more faults"] if len(faults) > FAULTS_SHOWN else []
        super().__init__("\n".join([*faults[:FAULTS_SHOWN], *more]))
        self.count = len(faults)


def terms_of(settings: Settings) -> Terms:
    """How the sources' terms become ours. Raises PolicyFileFault."""
    return Terms(aliases_of(settings.aliases), units_of(settings.units))


def aliases_of(settings: AliasSettings) -> Aliases:
    """The aliases of a configuration. Raises PolicyFileFault."""
    listed: dict[str, str] = {}
    if settings.file is not None:
        faults: list[str] = []
        listed = _aliases(settings.file, faults)
        if faults:
            raise PolicyFileFault(faults)
    return Aliases(listed, settings.strip_prefix, settings.upper, settings.pad_left)


def _aliases(path: Path, faults: list[str]) -> dict[str, str]:
    listed: dict[str, str] = {}
    archean_at: dict[str, int] = {}
    sku_at: dict[str, int] = {}
    for line, (archean, sku) in rows(path, ("archean_sku", "commercetools_sku"), faults):
        wrong = [
            name
            for name, value in (("archean_sku", archean), ("commercetools_sku", sku))
            if not usable(value)
        ]
        if wrong:
            faults.append(
                f"{path}:{line}: {wrong[0]} must be a SKU of 1 to {SKU_LIMIT_CHARACTERS} printable characters"
            )
        elif archean in archean_at:
            faults.append(f"{path}:{line}: {archean!r} has an alias by line {archean_at[archean]} already")
        elif sku in sku_at:
            told = f"{archean!r} and line {sku_at[sku]}'s SKU would both be {sku!r}: two articles are never one quantity"
            faults.append(f"{path}:{line}: {told}")
        else:
            archean_at[archean] = sku_at[sku] = line
            listed[archean] = sku
    return listed


def units_of(settings: UnitSettings) -> Units:
    """The units of a configuration. Raises PolicyFileFault."""
    own: dict[tuple[str, str], Fraction] = {}
    path, faults = settings.file, list[str]()
    for line, (sku, unit, told) in rows(path, ("sku", "uom", "factor"), faults) if path else ():
        factor = factor_of(told)
        if not usable(sku) or len(unit) > UNIT_LIMIT_CHARACTERS or not unit.isprintable():
            faults.append(f"{path}:{line}: needs a SKU and a unit, which may be empty")
        elif factor is None:
            faults.append(f"{path}:{line}: factor must be a number of pieces above 0, which {told!r} is not")
        elif (sku, unit) in own:
            faults.append(f"{path}:{line}: {sku!r} has a factor for {unit!r} by an earlier line already")
        else:
            own[sku, unit] = factor
    if faults:
        raise PolicyFileFault(faults)
    return Units(settings.factors, own, frozenset(settings.pieces))


def sku_rules_of(settings: ChannelSettings) -> SkuRules:
    """The rules of single SKUs in a channel. Raises PolicyFileFault."""
    path, faults = settings.skus_file, list[str]()
    if path is None:
        return SkuRules()
    found: dict[str, SkuRule] = {}
    at: dict[str, int] = {}
    for line, (sku, safety, percentage, offer) in rows(path, SKU_COLUMNS, faults):
        rule = _rule(safety, percentage, offer)
        if not usable(sku):
            faults.append(
                f"{path}:{line}: sku must be a SKU of 1 to {SKU_LIMIT_CHARACTERS} printable characters"
            )
        elif isinstance(rule, str):
            faults.append(f"{path}:{line}: {rule}")
        elif sku in found:
            faults.append(f"{path}:{line}: {sku!r} has a rule by line {at[sku]} already")
        else:
            found[sku], at[sku] = rule, line
    patterns = tuple((sku, rule) for sku, rule in found.items() if PATTERN_SIGNS & set(sku))
    if len(patterns) > PATTERNS_LIMIT:
        faults.append(f"{path}: has more than {PATTERNS_LIMIT} lines with * or ?")
    if faults:
        raise PolicyFileFault(faults)
    return SkuRules({sku: rule for sku, rule in found.items() if not PATTERN_SIGNS & set(sku)}, patterns)


def _rule(safety: str, percentage: str, offer: str) -> SkuRule | str:
    """One line's rule, or what is wrong with it."""
    stock, share = _whole(safety, SAFETY_MOST), _whole(percentage, 100)
    if safety and stock is None:
        return (
            f"safety_stock must be empty or a whole number from 0 to {SAFETY_MOST}, which {safety!r} is not"
        )
    if percentage and share is None:
        return f"percentage must be empty or a whole number from 0 to 100, which {percentage!r} is not"
    if offer not in OFFERS:
        return f"offer must be empty, yes or no, which {offer!r} is not"
    return SkuRule(stock, share, OFFERS[offer])


def _whole(text: str, most: int) -> int | None:
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= len(str(most)) else None
    return number if number is not None and number <= most else None


def usable(sku: str) -> bool:
    """Whether a text can be a SKU."""
    return 0 < len(sku) <= SKU_LIMIT_CHARACTERS and sku.isprintable()


def rows(path: Path, columns: Sequence[str], faults: list[str]) -> Iterator[tuple[int, tuple[str, ...]]]:
    """The rows of a CSV file with exactly these columns, in this order, each with its line. Faults are added to the list."""
    text = _text(path, faults)
    if text is None:
        return
    lines = text.splitlines()
    if len(lines) > LINES_LIMIT:
        faults.append(f"{path}: has more than {LINES_LIMIT:,} lines")
        return
    reader = csv.reader(("" if line.startswith("#") else line for line in lines), strict=True)
    header: list[str] | None = None
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if not any(cells):
                continue
            if header is None:
                header = cells
                if header != list(columns):
                    faults.append(f"{path}:{reader.line_num}: the first line must be {','.join(columns)}")
                    return
            elif len(cells) != len(columns):
                faults.append(f"{path}:{reader.line_num}: has {len(cells)} cells instead of {len(columns)}")
            else:
                yield reader.line_num, tuple(cells)
    except csv.Error as error:
        faults.append(f"{path}:{reader.line_num}: is no CSV: {error}")
        return
    if header is None:
        faults.append(f"{path}: is empty; its first line must be {','.join(columns)}")


def _text(path: Path, faults: list[str]) -> str | None:
    try:
        with path.open("rb") as file:
            raw = file.read(BYTES_LIMIT + 1)
        if len(raw) > BYTES_LIMIT:
            faults.append(f"{path}: has more than {BYTES_LIMIT >> 20} MiB")
            return None
        return raw.decode("utf-8-sig")
    except OSError as error:
        faults.append(f"{path}: cannot be read: {error.strerror}")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        faults.append(f"{path}:{line}: is not UTF-8")
    return None

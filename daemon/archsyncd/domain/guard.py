"""Guards on a full or large batch: whether it may be applied or must wait for a person. Pure figures in, reasons out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from archsyncd.domain.counting import counted


@dataclass(frozen=True, slots=True)
class GuardLimits:
    """Percentages beyond which a batch is held (r247/1, section 7)."""

    minimum_records_percent: int = 80
    maximum_to_zero_percent: int = 30
    maximum_changed_percent: int = 50
    maximum_unmapped_percent: int = 5


@dataclass(frozen=True, slots=True)
class BatchFigures:
    """What a batch would do. Keys are (SKU, location).

    `previous_records`: of the last accepted full for the same locations, None when there was none. `in_stock` and `known`:
    keys we hold at those locations with stock, and at all. `to_zero`, `changed`: of those, how many would change so.
    `unmapped`: records at locations without a mapping. `absent`: keys we hold that the batch does not name.
    `older_than_applied`: keys whose level is newer than the batch. `pieces_up`, `pieces_down`: how they would
    change. `absent_to_zero`: absent keys in stock that the configuration would set to zero. `newer_applied`: a figure of this
    feed was taken at that time, later than the batch, and was applied in an earlier epoch; None when there is none.
    """

    records: int
    previous_records: int | None
    known: int
    in_stock: int
    to_zero: int
    changed: int
    unmapped: int
    absent: int
    older_than_applied: int
    missing_locations: tuple[str, ...]
    pieces_up: int = 0
    pieces_down: int = 0
    absent_to_zero: int = 0
    newer_applied: str | None = None


@dataclass(frozen=True, slots=True)
class RuleFigures:
    """What new rules would do. `keys`: those with a quantity; `in_stock`: those that may be sold now; of these `to_zero`.

    `raised`: keys whose quantity would rise. `above_maximum`: levels of newly mapped locations beyond their channel's maximum,
    which no person has seen. `let_go`: by channel that no location would fill any more, how many SKUs stay as they are there.
    """

    keys: int = 0
    in_stock: int = 0
    to_zero: int = 0
    raised: int = 0
    above_maximum: int = 0
    let_go: Mapping[str, int] = field(default_factory=dict)

    def plus(self, other: RuleFigures) -> RuleFigures:
        """Both together."""
        return RuleFigures(
            self.keys + other.keys,
            self.in_stock + other.in_stock,
            self.to_zero + other.to_zero,
            self.raised + other.raised,
            self.above_maximum + other.above_maximum,
            {
                channel: self.let_go.get(channel, 0) + other.let_go.get(channel, 0)
                for channel in {**self.let_go, **other.let_go}
            },
        )


def rule_objections(figures: RuleFigures, limits: GuardLimits) -> tuple[str, ...]:
    """Why new rules must wait for a person (stock ledger, S15); empty when they may be put in force."""
    reasons: list[str] = []
    if figures.in_stock and _beyond(figures.to_zero, figures.in_stock, limits.maximum_to_zero_percent):
        reasons.append(
            f"{figures.to_zero} of {figures.in_stock} SKUs for sale would fall to zero "
            f"(at most {limits.maximum_to_zero_percent} % allowed)"
        )
    if figures.keys and _beyond(figures.raised, figures.keys, limits.maximum_changed_percent):
        reasons.append(
            f"{figures.raised} of {figures.keys} SKUs would rise (at most {limits.maximum_changed_percent} % allowed)"
        )
    reasons.extend(
        f"no location would fill the supply channel {channel} any more: what it offers of {keys} SKUs stays on sale, and nobody "
        "would take store sales and orders off it (goods that are sold no more: set ignore = true for the location)"
        for channel, keys in figures.let_go.items()
    )
    if figures.above_maximum:
        reasons.append(f"{counted(figures.above_maximum, 'level')} would count above their channel's maximum")
    return tuple(reasons)


def _beyond(part: int, whole: int, limit_percent: int) -> bool:
    return part * 100 > whole * limit_percent


def objections(figures: BatchFigures, limits: GuardLimits) -> tuple[str, ...]:
    """Why the batch must wait for a person, in sentences; empty when it may be applied."""
    reasons: list[str] = []
    if figures.records == 0 and (figures.known or figures.previous_records):
        reasons.append(
            f"it is empty while {counted(figures.known, 'level')} {'is' if figures.known == 1 else 'are'} known at its locations"
        )
    elif figures.previous_records:
        percent = figures.records * 100 // figures.previous_records
        if percent < limits.minimum_records_percent:
            reasons.append(
                f"it has {figures.records} records, {percent} % of the last full's {figures.previous_records} "
                f"(at least {limits.minimum_records_percent} % expected)"
            )
    emptied = figures.to_zero + figures.absent_to_zero
    if figures.in_stock and _beyond(emptied, figures.in_stock, limits.maximum_to_zero_percent):
        reasons.append(
            f"{emptied} of {figures.in_stock} SKUs in stock would fall to zero "
            f"(at most {limits.maximum_to_zero_percent} % allowed)"
        )
    if figures.known and _beyond(figures.changed, figures.known, limits.maximum_changed_percent):
        reasons.append(
            f"{figures.changed} of {figures.known} known levels would change "
            f"(at most {limits.maximum_changed_percent} % allowed)"
        )
    if figures.records and figures.unmapped == figures.records:
        reasons.append("none of its locations is mapped")
    elif _beyond(figures.unmapped, figures.records, limits.maximum_unmapped_percent):
        reasons.append(
            f"{figures.unmapped} of {figures.records} records are at unmapped locations "
            f"(at most {limits.maximum_unmapped_percent} % allowed)"
        )
    if figures.newer_applied is not None:
        reasons.append(
            f"it is older than what was applied already: figures taken at {figures.newer_applied} came before its epoch"
        )
    if figures.missing_locations:
        reasons.append("no record for the location " + ", ".join(figures.missing_locations))
    return tuple(reasons)

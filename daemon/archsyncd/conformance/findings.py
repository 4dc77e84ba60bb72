"""What was found of each rule: it holds, it does not, or nobody could say, each with its evidence. Asks nobody."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

EVIDENCE_LIMIT: Final = 3
EXCERPT_LIMIT_CHARACTERS: Final = 300
EXIT_HOLDS, EXIT_FAILS, EXIT_UNASKED = 0, 1, 2


class Weight(StrEnum):
    """What a rule asks of a source: without a MUST it cannot be used safely, without a SHOULD something costs."""

    MUST = "must"
    SHOULD = "should"


class Verdict(StrEnum):
    """How a rule stands. CANNOT: what the source speaks has no way to promise it, whatever it does."""

    HOLDS = "holds"
    FAILS = "fails"
    UNASKED = "unasked"
    CANNOT = "cannot"


# What has a price that is to be known.
COSTLY: Final = frozenset({Verdict.FAILS, Verdict.CANNOT})


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of the contract. `section` is a heading of `page`; `costs`: what the site has when it does not hold."""

    name: str
    section: str
    weight: Weight
    says: str
    costs: str
    page: str = "r247.md"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was asked (or which file was read), and what came back of it, cut short."""

    asked: str
    excerpt: str = ""

    def __post_init__(self) -> None:
        if len(self.excerpt) > EXCERPT_LIMIT_CHARACTERS:
            object.__setattr__(self, "excerpt", f"{self.excerpt[: EXCERPT_LIMIT_CHARACTERS - 1]}…")


@dataclass(frozen=True, slots=True)
class Finding:
    """How one rule stands. `says` is a sentence."""

    rule: Rule
    verdict: Verdict
    says: str
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that was found of one source, in the order of the rules.

    `requests`: how many were sent; of a directory, files that were read. `reached`: whether anything usable came back.
    """

    source: str
    findings: tuple[Finding, ...]
    requests: int
    seconds: float
    reached: bool = True

    def of(self, verdict: Verdict, weight: Weight | None = None) -> tuple[Finding, ...]:
        """The findings of one verdict, of one weight or of both."""
        return tuple(
            each for each in self.findings if each.verdict is verdict and weight in (None, each.rule.weight)
        )

    @property
    def exit(self) -> int:
        """0: every MUST holds. 1: one fails. 2: the source could not be asked, or not for a MUST of which none fails."""
        if not self.reached:
            return EXIT_UNASKED
        if self.of(Verdict.FAILS, Weight.MUST):
            return EXIT_FAILS
        return EXIT_UNASKED if self.of(Verdict.UNASKED, Weight.MUST) else EXIT_HOLDS

    @property
    def says(self) -> str:
        """The report in a sentence or two."""
        counts = (
            [f"{len(self.of(Verdict.HOLDS))} of {len(self.findings)} rules hold"]
            if self.reached
            else ["it could not be asked"]
        )
        for weight, fault in ((Weight.MUST, "must be mended"), (Weight.SHOULD, "should be")):
            failing = self.of(Verdict.FAILS, weight)
            if failing:
                counts.append(f"{len(failing)} {fault}: {', '.join(each.rule.name for each in failing)}")
        unasked = self.of(Verdict.UNASKED)
        if unasked:
            counts.append(f"{len(unasked)} could not be asked")
        cannot = self.of(Verdict.CANNOT)
        if cannot and self.reached:
            counts.append(
                f"{len(cannot)} cannot be guaranteed: {', '.join(each.rule.name for each in cannot)}"
            )
        return "; ".join(counts) + "."


@dataclass(slots=True)
class Notebook:
    """Takes down what is seen. A failure stays one, whatever is seen later; of each rule the first few pieces are kept."""

    _failed: dict[str, tuple[str, list[Evidence]]] = field(default_factory=dict)
    _held: dict[str, tuple[str, tuple[Evidence, ...]]] = field(default_factory=dict)
    _unasked: dict[str, str] = field(default_factory=dict)
    _cannot: dict[str, str] = field(default_factory=dict)

    def fails(self, name: str, says: str, *evidence: Evidence) -> None:
        """A rule does not hold; the first sentence about it is kept."""
        kept = self._failed.setdefault(name, (says, []))[1]
        kept.extend([one for one in evidence if one not in kept][: EVIDENCE_LIMIT - len(kept)])

    def holds(self, name: str, says: str, *evidence: Evidence) -> None:
        """A rule held here; the last sentence about it is kept."""
        self._held[name] = (says, evidence[:EVIDENCE_LIMIT])

    def unasked(self, name: str, why: str) -> None:
        """Nobody could say; the first reason is kept."""
        self._unasked.setdefault(name, why)

    def promise(self, name: str, kept: bool, says: str) -> None:
        """A rule holds by what the source speaks, or nothing that it speaks can promise it."""
        if kept:
            self.holds(name, says)
        else:
            self._cannot[name] = says

    def judge(self, name: str, well: bool, held: str, failed: str, *evidence: Evidence) -> None:
        """A rule holds or does not."""
        if well:
            self.holds(name, held, *evidence)
        else:
            self.fails(name, failed, *evidence)

    def has_failed(self, name: str) -> bool:
        """Whether a rule is known not to hold."""
        return name in self._failed

    def findings(self, rules: Iterable[Rule], otherwise: str) -> tuple[Finding, ...]:
        """How each rule stands; `otherwise` is why those were not asked of which nothing was taken down."""
        return tuple(self._finding(rule, otherwise) for rule in rules)

    def _finding(self, rule: Rule, otherwise: str) -> Finding:
        if rule.name in self._failed:
            says, kept = self._failed[rule.name]
            return Finding(rule, Verdict.FAILS, says, tuple(kept))
        if rule.name in self._held:
            says, evidence = self._held[rule.name]
            return Finding(rule, Verdict.HOLDS, says, evidence)
        if rule.name in self._cannot:
            return Finding(rule, Verdict.CANNOT, self._cannot[rule.name])
        return Finding(rule, Verdict.UNASKED, self._unasked.get(rule.name, otherwise))


def number(count: int, noun: str) -> str:
    """So many of a thing: 1 record, 2,000 records."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def told(report: Report) -> Mapping[str, object]:
    """The report as plain values, with stable names."""
    return {
        "source": report.source,
        "exit": report.exit,
        "says": report.says,
        "rules": [
            {
                "rule": each.rule.name,
                "page": each.rule.page,
                "section": each.rule.section,
                "weight": each.rule.weight.value,
                "verdict": each.verdict.value,
                "asks": each.rule.says,
                "says": each.says,
                "costs": each.rule.costs if each.verdict in COSTLY else None,
                "evidence": [{"asked": one.asked, "excerpt": one.excerpt} for one in each.evidence],
            }
            for each in report.findings
        ],
        "requests": report.requests,
        "seconds": round(report.seconds, 1),
    }

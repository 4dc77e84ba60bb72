"""A sample to a mapping profile that would read it: which value is which field, how sure that is, what is missing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from archsyncd.operator.inspect.file_names import guess_name
from archsyncd.operator.inspect.sampling import Leaf, Sample
from archsyncd.operator.inspect.synonyms import LISTS, MAYBE, NO, UNITS, likeness, plain, words
from archsyncd.operator.inspect.values import guess_number, guess_time, numbers_among
from archsyncd.wire.profile.fields import NEEDED, TYPES, Kind, Nest, Shape
from archsyncd.wire.profile.model import Form

UNKNOWN_LOCATION: Final = "?"
SAMPLES_SHOWN: Final = 3
UNITS_SHOWN: Final = 12
_LAST_MOVED: Final = frozenset({"letztebewegung", "lastmovement"})
DISTINCT_KEY_SHARE: Final = 0.5
_SURE: Final = 0.85
_LIKELY: Final = 0.6
_LEAST: Final = 0.35
# Looked for in this order: what comes first takes a value that several could be.
_ORDER: Final[Mapping[str, tuple[str, ...]]] = {
    "stock.level": (
        "sku", "location", "available", "onHand", "allocated", "picked", "unavailable", "backordered", "safety", "asOf", "uom",
    ),
    "stock.movement": ("sku", "location", "delta", "asOf", "uom"),
    "fulfilment": ("fulfilmentId", "orderNumber", "orderId", "status", "location", "at"),
    "return.received": ("returnId", "orderNumber", "orderId", "location"),
    "order.accepted": ("orderNumber", "orderId", "sourceOrder"),
}  # fmt: skip
TYPES_OFFERED: Final = tuple(_ORDER)
_RECORD_NAMES: Final[Mapping[str, frozenset[str]]] = {
    "fulfilment": frozenset(
        {"shipment", "shipments", "fulfilment", "fulfillment", "despatch", "dispatch", "lieferung"}
    ),
    "return.received": frozenset({"return", "returns", "rma", "retoure"}),
    "stock.movement": frozenset({"movement", "movements", "transaction", "transactions", "bewegung"}),
}
_TIMES: Final = {"asOf", "at"}
_PLACES: Final = ("id", "seq")


@dataclass(frozen=True, slots=True)
class Guess:
    """One field: where it may stand, how sure that is (0 to 1), some values, and what to look at."""

    name: str
    path: str
    confidence: float
    samples: tuple[str, ...]
    note: str = ""

    @property
    def says(self) -> str:
        """The confidence in a word."""
        return "sure" if self.confidence >= _SURE else "likely" if self.confidence >= _LIKELY else "a guess"


@dataclass(slots=True)
class Proposal:
    """A profile that may be incomplete. `missing`: what must be found out; `unused`: paths that nothing was made of."""

    kind: str
    profile: dict[str, Any]
    guesses: list[Guess] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)
    complete: bool = True


def propose(
    sample: Sample, name: str, kind: str | None = None, zone: str | None = None, file: str = ""
) -> Proposal:
    """Propose a profile. `zone`: of times that tell none; where it is not given, UTC stands in and is told as missing.

    `file`: what the sample's file is called, "" where that says nothing.
    """
    return _Proposer(sample, name, kind or _kind_of(sample), zone).proposal(file)


def _kind_of(sample: Sample) -> str:
    """What the records are most likely about: by the name they go by, then by the values they have."""
    for kind, names in _RECORD_NAMES.items():
        if names & words(_record_name(sample)):
            return kind
    score = {
        kind: max((_best(field, sample.leaves.values()) for field in fields), default=NO)
        for kind, fields in (
            ("fulfilment", ("fulfilmentId", "trackingNumber")),
            ("return.received", ("returnId",)),
            ("stock.movement", ("delta",)),
        )
    }
    figures = max(_best(field, sample.leaves.values()) for field in ("onHand", "available"))
    for kind, found in score.items():
        if found > MAYBE and (kind != "stock.movement" or figures <= MAYBE):
            return kind
    return "stock.level"


def _record_name(sample: Sample) -> str:
    steps = [step for step in sample.records.split("/") if step not in {"", "*"}]
    return steps[-1] if steps else ""


def _best(name: str, leaves: Iterable[Leaf]) -> float:
    return max((likeness(name, leaf.steps) for leaf in leaves), default=NO)


class _Proposer:
    def __init__(self, sample: Sample, name: str, kind: str, zone: str | None) -> None:
        self._sample = sample
        self._zone = zone
        self._taken: set[tuple[str, ...]] = set()
        self._zoneless = False
        profile: dict[str, Any] = {"profile": name, "format": sample.form.value}
        if sample.form is not Form.XML and sample.encoding != "utf-8":
            profile["encoding"] = sample.encoding
        if sample.records:
            profile["records"] = sample.records
        if sample.table:
            profile["csv"] = sample.table
        self._made = Proposal(kind, profile)

    def proposal(self, file: str) -> Proposal:
        made, kind = self._made, self._made.kind
        self._name(file)
        fields: dict[str, Any] = {}
        for name in _ORDER[kind]:
            fields |= self._field(name, self._sample.leaves, self._taken, self._number_of(), TYPES[kind])
        for name in _PLACES:
            fields |= self._field(name, self._sample.leaves, set(), self._number_of(), TYPES[kind])
        for name in ("lines", "parcels"):
            shape = TYPES[kind].get(name)
            if isinstance(shape, Nest):
                fields |= self._list(name, shape)
        made.profile["const"] = {"type": kind} | self._constants(kind, fields)
        made.profile["fields"] = fields
        self._check(kind, fields)
        if self._zoneless:
            made.profile["tz"] = self._zone or "UTC"
            if self._zone is None:
                made.missing.append(
                    "The times tell no zone; UTC stands in. Ask, and write it as tz (or say --tz)."
                )
        made.unused = [
            leaf.path
            for leaf in self._sample.leaves.values()
            if leaf.steps not in self._taken and leaf.path not in _paths(fields)
        ]
        return made

    def _name(self, file: str) -> None:
        """How the files of a directory are called, which every drop with names of its own needs."""
        guess = guess_name(file, self._zone or "UTC") if file else None
        if guess is None:
            return
        self._made.profile["names"] = {"pattern": guess.pattern, "kind": guess.kind}
        other = "only what changed: delta" if guess.kind == "full" else "the whole stock: full"
        note = f"kind {guess.kind}; if it holds {other}"
        if guess.timed:
            self._zoneless = self._zoneless or "'Z'" not in guess.pattern
            note += ". A file that is missing is not noticed"
        self._made.guesses.append(Guess("names", guess.pattern, _LIKELY, (file,), note))

    def _number_of(self) -> int:
        return max((leaf.stated for leaf in self._sample.leaves.values()), default=0)

    def _constants(self, kind: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        constants: dict[str, Any] = {}
        if ("location",) in NEEDED.get(kind, ()) and "location" not in fields:
            constants["location"] = UNKNOWN_LOCATION
            self._made.missing.append(
                f'Nothing looks like a location: write the warehouse\'s name in const instead of "{UNKNOWN_LOCATION}".'
            )
        if kind == "stock.movement":
            constants["state"] = "onHand"
            self._made.missing.append(
                'Is the change one of what lies there (state "onHand") or of what can be sold ("available")?'
            )
        if kind == "fulfilment" and "status" not in fields:
            constants["status"] = "shipped"
            self._made.missing.append(
                "Nothing looks like a status: is a record written only once the goods have left (shipped)?"
            )
        return constants

    def _check(self, kind: str, fields: Mapping[str, Any]) -> None:
        made = self._made
        given = {*fields, *made.profile["const"]}
        for group in NEEDED.get(kind, ()):
            if not given & set(group):
                made.missing.append(f"Nothing looks like {' or '.join(group)}, which a {kind} needs.")
                made.complete = False
        lone = [guess for guess in made.guesses if guess.name in {"onHand", "available"}]
        if kind == "stock.level" and len(lone) == 1 and lone[0].confidence < _SURE:
            made.missing.append(
                f"Is {lone[0].path} what lies on the shelf (onHand), or what is left to sell after orders (available)? Ask: one "
                "taken for the other sells goods twice, or hides them."
            )
        made.missing += self._units(fields)
        if kind == "fulfilment" and "status" in fields:
            made.missing.append(
                "Translate its status as values of fields.status: allocated, picking, picked, packed, shipped, short, cancelled."
            )

    def _units(self, fields: Mapping[str, Any]) -> list[str]:
        """What must be asked of units; the column is left in the profile as uom, for the site's [units]."""
        leaf = next(
            (one for one in self._sample.leaves.values() if one.path in _paths({"": fields.get("uom", "")})),
            None,
        )
        units = list(dict.fromkeys(leaf.texts))[:UNITS_SHOWN] if leaf is not None and "uom" in fields else []
        if len(units) < 2:  # noqa: PLR2004 - several
            return []
        path = leaf.path if leaf else ""
        told = (
            f'There are several units ({", ".join(units)}): give each quantity "unit": "{path}" and "factors", which say what '
            "one of each is in pieces, in place of uom; or name their factors in [units]. A unit without a factor is set aside."
        )
        return [told]

    def _field(
        self,
        name: str,
        leaves: Mapping[tuple[str, ...], Leaf],
        taken: set[tuple[str, ...]],
        number: int,
        shapes: Mapping[str, Shape],
    ) -> dict[str, Any]:
        scored = [
            (score, leaf)
            for leaf in leaves.values()
            if leaf.steps not in taken and (score := self._score(name, leaf, number, shapes[name])) >= _LEAST
        ]
        if not scored:
            return {}
        score, leaf = max(scored, key=lambda one: one[0])
        rule, note = self._rule(shapes[name], leaf)
        taken.add(leaf.steps)
        samples = tuple(dict.fromkeys(leaf.texts))[:SAMPLES_SHOWN]
        self._made.guesses.append(Guess(name, leaf.path, score, samples, note))
        return {name: rule}

    def _score(self, name: str, leaf: Leaf, number: int, kind: Shape) -> float:
        """How likely it is: by its name, and by whether its values can be what the field holds."""
        # An own number is called after the record that it numbers: `no` of a Shipment is its shipmentNo.
        way = (_record_name(self._sample), *leaf.steps) if len(leaf.steps) == 1 else leaf.steps
        texts = leaf.texts
        score = likeness(name, way) or _by_values(name, texts)
        if score == NO:
            return NO
        distinct = len(set(texts)) / max(len(texts), 1)
        if kind is Kind.WHOLE:
            return NO if guess_number(numbers_among(leaf.values)[0]) is None else score
        if kind is Kind.TIME:
            return NO if guess_time(texts) is None else score
        if any(len(text) > 256 for text in texts):  # noqa: PLR2004 - longer than any name
            return NO
        if name == "seq":
            rising = all(text.isdigit() for text in texts) and distinct == 1
            return score if rising else NO
        if name == "id":
            return score if distinct == 1 else NO
        if name == "sku":
            rare = len(texts) > SAMPLES_SHOWN and distinct < DISTINCT_KEY_SHARE / 5
            return score * (0.6 if rare else 1) * (0.8 if leaf.stated < number else 1)
        if name in {"location", "status", "uom"}:
            odd = guess_number(leaf.values) is not None and distinct == 1 and len(texts) > SAMPLES_SHOWN
            return score * (0.6 if odd else 1)
        return score

    def _rule(self, kind: Shape, leaf: Leaf) -> tuple[Any, str]:
        keys: dict[str, Any] = {}
        note = ""
        if kind is Kind.WHOLE:
            good, odd = numbers_among(leaf.values)
            guess = guess_number(good)
            keys, note = ({}, "") if guess is None else (dict(guess.keys), guess.note)
            lines = self._sample.form in {Form.JSON, Form.NDJSON}
            if lines and any(isinstance(value, str) for value in leaf.values):
                keys.setdefault("decimal", ".")
            if guess is not None and guess.fractions:
                note = 'has fractions: "unit" and "factors", or "factor", say what one unit is in pieces; else they are set aside'
            if odd:
                note = f"not a number, and set aside: {shown_samples(odd[:SAMPLES_SHOWN])}"
        elif kind is Kind.TIME:
            keys, note = self._time(leaf)
            if plain(leaf.steps[-1]) in _LAST_MOVED:
                note = (
                    note
                    or "when it last moved is not when the figure was taken: prefer a time of the whole file"
                )
        elif any(text != text.strip() for text in leaf.texts):
            keys = {"trim": True}
        if len(set(leaf.texts)) == 1 and leaf.stated > SAMPLES_SHOWN and kind is Kind.TEXT:
            note = note or "always the same in this sample"
        return ({"path": leaf.path} | keys if keys else leaf.path), note

    def _time(self, leaf: Leaf) -> tuple[dict[str, Any], str]:
        guess = guess_time(leaf.texts)
        if guess is None or not guess.pattern:
            return {}, ""
        self._zoneless = self._zoneless or guess.needs_zone
        note = f"the day could be the month: {guess.other} fits as well" if guess.other else ""
        return {"format": guess.pattern}, note

    def _list(self, name: str, shape: Nest) -> dict[str, Any]:
        for steps, leaves in self._sample.lists.items():
            # XML repeats `Line` within `Lines`, or at once within the record.
            named = {plain(step) for step in steps} | {plain(steps[-1]) + "s"}
            if not named & LISTS[name] or not leaves:
                continue
            number = max(leaf.stated for leaf in leaves.values())
            taken: set[tuple[str, ...]] = set()
            fields: dict[str, Any] = {}
            for inner, kind in shape.fields.items():
                if not isinstance(kind, Nest):
                    fields |= self._field(inner, leaves, taken, number, {inner: kind})
            if fields:
                path = "/" + "/".join(steps) + ("" if self._sample.form is Form.XML else "/*")
                return {name: {"records": path, "fields": fields}}
        return {}


def _by_values(name: str, texts: Sequence[str]) -> float:
    """What values alone say, where the name says nothing: units, and times."""
    if name == "uom":
        told = {plain(text) for text in texts}
        return MAYBE if told and told <= UNITS else NO
    if name == "asOf":
        guess = guess_time(texts)
        # Digits alone may be anything.
        return _LEAST if guess is not None and not all(text.isdigit() for text in texts) else NO
    return NO


def _paths(fields: Mapping[str, Any]) -> set[str]:
    return {rule if isinstance(rule, str) else str(rule.get("path", "")) for rule in fields.values()}


def shown_samples(samples: Sequence[str]) -> str:
    """Some values for a table."""
    return ", ".join(sample if len(sample) <= 30 else sample[:29] + "…" for sample in samples)  # noqa: PLR2004 - a cell

"""One record of a payload to an object of r247/1, by the rules of a profile. Judges no value that r247/1 judges."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import orjson

from archsyncd.wire.profile.contract import Mapped, item_hash
from archsyncd.wire.profile.documents import Found
from archsyncd.wire.profile.fields import Kind
from archsyncd.wire.profile.model import Condition, NestRule, Specification, ValueRule, Variant
from archsyncd.wire.profile.paths import Chain, Walker, as_text, follow, one_value
from archsyncd.wire.r247_values import LIST_LIMIT, Misread

_FLAGS: Final[Mapping[str, bool]] = {"true": True, "false": False}
_NOT_STATED: Final[frozenset[str | None]] = frozenset({None})
_NO_PLACES: Final[Mapping[str, tuple[int, str]]] = {}


class Applier:
    """Applies one profile. Holds nothing between records."""

    def __init__(self, specification: Specification, walker: Walker) -> None:
        self._specification = specification
        self._walker = walker

    def mapped(self, found: Found, parts: Mapping[str, str]) -> Mapped | None:
        """Read one record; None when the profile says to pass it over. `parts`: what the file's name or the message tells."""
        if found.fault is not None:
            fault = self._told(found.fault, None, "")
            return Mapped(found.line, found.evidence, {}, (fault,), _NO_PLACES)
        try:
            variant = self._variant(found.chain)
        except Misread as fault:
            return Mapped(found.line, found.evidence, {}, (self._told(fault, None, ""),), _NO_PLACES)
        if variant.skip:
            return None
        faults: list[Misread] = []
        value = self._filled(variant.const, variant.rules, found.chain, parts, faults, "")
        for rule in variant.rules:
            if isinstance(rule, ValueRule) and rule.hashed and not rule.paths:
                value[rule.name] = item_hash(value, "id", "seq", rule.name)
        return Mapped(found.line, found.evidence, value, tuple(faults), variant.places)

    def _variant(self, chain: Chain) -> Variant:
        for variant in self._specification.variants:
            if all(self._holds(condition, chain) for condition in variant.conditions):
                return variant
        raise Misread("unknown_type", "the record fits nothing that when describes")

    def _holds(self, condition: Condition, chain: Chain) -> bool:
        if condition.wanted == _NOT_STATED:
            # Whether something stands there at all can be asked of objects and lists too.
            found = follow(self._walker, chain, condition.path)
            there = any(self._walker.is_stated(node, trim=condition.trim) for _, node in found)
            return there is condition.negated
        text = as_text(one_value(self._walker, chain, condition.path))
        if text is not None and condition.trim:
            text = text.strip()
        return ((text or None) in condition.wanted) is not condition.negated

    def _filled(
        self,
        const: Mapping[str, Any],
        rules: tuple[ValueRule | NestRule, ...],
        chain: Chain,
        parts: Mapping[str, str],
        faults: list[Misread],
        owner: str,
    ) -> dict[str, Any]:
        """Fill an object. What cannot be read is noted; what stands beside it is read all the same, to name the record."""
        value = dict(const)
        for rule in rules:
            try:
                if isinstance(rule, NestRule):
                    one = self._nested(rule, chain, parts, faults, owner)
                else:
                    one = self._value(rule, chain, parts)
            except Misread as fault:
                faults.append(self._told(fault, rule, owner))
                continue
            if one is not None:
                value[rule.name] = one
        return value

    def _told(self, fault: Misread, rule: ValueRule | NestRule | None, owner: str) -> Misread:
        file = self._specification.file
        if rule is None:
            return Misread(fault.code, f"{file}: {fault.reason}", fault.path, fault.value)
        reason = f"{file}:{rule.line} {owner}{rule.name}: {fault.reason}"
        return Misread(fault.code, reason, fault.path or rule.told, fault.value)

    def _nested(
        self, rule: NestRule, chain: Chain, parts: Mapping[str, str], faults: list[Misread], owner: str
    ) -> Any:
        inner = f"{owner}{rule.name}."
        if not rule.many:
            chains = [chain] if rule.records is None else self._chains(rule, chain)[:1]
            one = self._filled(rule.const, rule.rules, chains[0], parts, faults, inner) if chains else {}
            return one or None
        chains = self._chains(rule, chain)
        filled = [self._filled(rule.const, rule.rules, one, parts, faults, inner) for one in chains]
        return filled or None

    def _chains(self, rule: NestRule, chain: Chain) -> list[Chain]:
        """The ways to the entries of an inner list: each continues the record's own, so that `..` leads back through it."""
        path = rule.records
        if path is None:
            return [chain]
        start = chain[: len(chain) - path.back]
        if not start:
            return []
        chains = [start]
        for step in path.steps:
            chains = [(*one, inner) for one in chains for inner in self._walker.inner(one[-1][1], step)]
            if len(chains) > LIST_LIMIT:
                raise Misread("too_many", f"leads to more than {LIST_LIMIT} entries", path.text)
        return chains

    def _value(self, rule: ValueRule, chain: Chain, parts: Mapping[str, str]) -> Any:
        if rule.hashed:
            return self._hash(rule, chain) if rule.paths else None
        if rule.kind is Kind.TEXTS:
            return self._texts(rule, chain) or None
        raw = self._raw(rule, chain, parts)
        if raw is None:
            return None
        if rule.values is not None:
            text = as_text(raw)
            if text is None or text not in rule.values:
                raise Misread("unknown_value", "is none of the values that the profile knows", "", raw)
            raw = rule.values[text]
            return (
                raw
                if raw is None or rule.kind in {Kind.TEXT, Kind.FLAG}
                else self._converted(rule, raw, chain)
            )
        return self._converted(rule, raw, chain)

    def _raw(self, rule: ValueRule, chain: Chain, parts: Mapping[str, str]) -> Any:
        if rule.part is not None:
            return _cleaned(rule, parts.get(rule.part))
        if rule.attribute is not None:
            return _cleaned(rule, parts.get(rule.attribute))
        if rule.joined is not None:
            texts = [as_text(_cleaned(rule, one_value(self._walker, chain, path))) for path in rule.paths]
            whole = [text for text in texts if text is not None]
            return rule.joined.join(whole) if len(whole) == len(texts) else None
        for path in rule.paths:
            raw = _cleaned(rule, one_value(self._walker, chain, path))
            if raw is not None:
                return raw
        return None

    def _converted(self, rule: ValueRule, raw: Any, chain: Chain) -> Any:
        match rule.kind:
            case Kind.WHOLE if rule.number is not None:
                return self._whole(rule, raw, chain)
            case Kind.TIME if rule.time is not None:
                return rule.time.instant(raw)
            case Kind.DATE if rule.time is not None:
                return rule.time.day(raw)
            case Kind.FLAG:
                return _FLAGS.get(raw, raw) if isinstance(raw, str) else raw
            case Kind.SEQUENCE:
                text = _text(raw)
                return (text.lstrip("0") or "0") if text.isascii() and text.isdigit() else text
            case Kind.TEXT:
                return _text(raw)
        return raw

    def _whole(self, rule: ValueRule, raw: Any, chain: Chain) -> int:
        number = rule.number
        if number is None or number.factors is None or rule.unit is None:
            return raw if number is None else number.whole(raw)
        unit = _cleaned(rule, one_value(self._walker, chain, rule.unit))
        factor = number.factors.get(as_text(unit) or "")
        if factor is None:
            raise Misread("unknown_unit", "is a unit that factors does not name", rule.unit.text, unit)
        return number.whole(raw, factor)

    def _texts(self, rule: ValueRule, chain: Chain) -> list[str]:
        found: list[str] = []
        for path in rule.paths:
            for _, node in follow(self._walker, chain, path):
                raw = _cleaned(rule, self._walker.scalar(node, path))
                if raw is not None:
                    text = _text(raw)
                    found += [one for one in text.split(rule.split) if one] if rule.split else [text]
        return found

    def _hash(self, rule: ValueRule, chain: Chain) -> str:
        texts = [as_text(one_value(self._walker, chain, path)) for path in rule.paths]
        return hashlib.sha256(
            orjson.dumps([None if one is None else ascii(one) for one in texts])
        ).hexdigest()


def _cleaned(rule: ValueRule, raw: Any) -> Any:
    """What stands there, or None where that is not stated."""
    if isinstance(raw, str) and rule.trim:
        raw = raw.strip()
    if raw is None or raw == "" or (rule.unstated and as_text(raw) in rule.unstated):
        return None
    return raw


def _text(raw: Any) -> str:
    if isinstance(raw, str):
        return raw
    if type(raw) is int:
        return str(raw)
    raise Misread("not_a_text", "must be a text or a whole number", "", raw)

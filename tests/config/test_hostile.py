"""Whatever stands in the file, the answer is settings or faults, never another exception."""

import json
import tomllib
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsyncd.config import Fault, Settings, read_settings
from tests.config.test_reading import SEEDED, contract_text
from tests.support.examples import examples

TREE = tomllib.loads(
    contract_text() + '[locations]\nWH1 = { channel = "warehouse-1" }\n[channels.warehouse-1]\n'
)
# Stands for a number that Python will not write out; Hypothesis could not show it either.
HUGE = "<huge>"
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(
    [
        "",
        "pull",
        "proof",
        "accepted+1",
        "unix:/x",
        "https://[",
        "10.0.0.0/33",
        "25:00",
        "2026-02-30T00:00:00Z",
        "\x7f",
    ]
)
LEAVES = (
    st.booleans()
    | st.integers()
    | st.just(HUGE)
    | st.floats(allow_nan=True)
    | TEXTS
    | st.dates(min_value=date(1000, 1, 1))
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


def toml(value: Any) -> str:
    """A value as TOML, tables in line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(name)} = {toml(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(toml(item) for item in value) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    if value == HUGE:
        return "0x" + "f" * 5000
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, int):
        return hex(value) if value >= 0 else f"-{-value}"
    return str(value)


def document(tree: dict[str, Any]) -> str:
    """A whole document, one line for each top-level key."""
    return "".join(f"{json.dumps(name, ensure_ascii=False)} = {toml(item)}\n" for name, item in tree.items())


def mutated(data: st.DataObject, tree: Any) -> Any:
    """The tree with something in it replaced, renamed, removed or doubled."""
    if not isinstance(tree, dict) or not tree or data.draw(st.integers(0, 4)) == 0:
        return data.draw(VALUES)
    name = data.draw(st.sampled_from(sorted(tree)))
    rest = {key: item for key, item in tree.items() if key != name}
    change = data.draw(st.sampled_from(["deeper", "deeper", "rename", "remove", "wrap"]))
    if change == "rename":
        return rest | {data.draw(TEXTS): tree[name]}
    if change == "wrap":
        return rest | {name: [tree[name], tree[name]]}
    if change == "remove":
        return rest
    inner = tree[name][0] if isinstance(tree[name], list) and tree[name] else tree[name]
    return rest | {name: mutated(data, inner)}


def judged(text: str) -> None:
    """Reading ends in settings or in faults that can be shown on a terminal."""
    found, faults = read_settings(text, "config.toml")
    assert (found is None) == bool(faults)
    assert found is None or isinstance(found, Settings)
    for fault in faults:
        assert isinstance(fault, Fault)
        assert str(fault).isprintable()
        assert fault.line >= 1
        assert fault.column >= 1
        assert fault.line <= text.count("\n") + 1


@settings(max_examples=examples(60))
@given(st.data())
def test_no_mutation_of_types_or_names_raises(data: st.DataObject) -> None:
    """Any part of a sound configuration may be replaced by anything TOML can say."""
    tree: Any = TREE
    for _change in range(data.draw(st.integers(1, 3))):
        tree = mutated(data, tree)
    judged(document(tree if isinstance(tree, dict) else {"x": tree}))


@settings(max_examples=examples(60))
@given(st.data())
def test_no_damage_to_the_text_raises(data: st.DataObject) -> None:
    """Characters lost, doubled or changed at any place of a file."""
    text = SEEDED
    for _change in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text)))
        length = data.draw(st.integers(0, 12))
        text = (
            text[:at]
            + data.draw(st.sampled_from(["", "[", "]", '"', "=", "\n", "#", "'''", "\x00", "é"]))
            + text[at + length :]
        )
    judged(text)


@pytest.mark.timeout(30)
@pytest.mark.parametrize("part", ["a", "a1", "://", "@", "x=&", "Bearer ", "[](", "-", "\\\\"])
def test_a_very_long_value_is_judged_at_once(part: str) -> None:
    """No pattern takes more than linear time, whatever fills a file of the greatest size."""
    value = part * (900_000 // len(part))
    judged(f'[commercetools]\nregion = "{value}"\nclient_id = "{value[:50_000]}"\n')


@given(st.text(max_size=80))
def test_no_text_at_all_raises(text: str) -> None:
    """Arbitrary characters are no configuration, and say so in order."""
    judged(text)

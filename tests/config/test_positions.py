"""Where keys and values stand in a TOML text."""

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsyncd.config.faults import KeyPath
from archsyncd.config.positions import Place, Places

NAMES = st.from_regex(r"[A-Za-z0-9_-]{1,8}", fullmatch=True) | st.text(
    st.characters(exclude_categories=["Cs", "Cc"]), max_size=6
)
SCALARS = (
    st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.floats(allow_nan=False)
    | st.dates()
    | st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)
)
INLINE = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
GAPS = st.sampled_from(["", " ", "  \t", " # a remark = [\n", "\n\n"])


def text_of(value: str) -> str:
    """A basic string."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


class Writer:
    """Writes TOML and remembers where it put each value."""

    def __init__(self, draw: Any) -> None:
        self.draw = draw
        self.text = ""
        self.places: dict[KeyPath, Place] = {}

    def here(self) -> Place:
        return Place(self.text.count("\n") + 1, len(self.text) - self.text.rfind("\n"))

    def value(self, value: Any, path: KeyPath) -> None:
        self.places[path] = self.here()
        if isinstance(value, list):
            self.text += "["
            for index, item in enumerate(value):
                self.text += self.draw(GAPS)
                self.value(item, (*path, index))
                self.text += self.draw(GAPS) + ","
            self.text += "]"
        elif isinstance(value, dict):
            self.text += "{"
            for index, (name, item) in enumerate(value.items()):
                self.text += (", " if index else " ") + text_of(name) + " = "
                self.value(item, (*path, name))
            self.text += " }"
        elif isinstance(value, bool):
            self.text += str(value).lower()
        else:
            self.text += text_of(value) if isinstance(value, str) else str(value)


@given(st.data())
def test_every_value_is_found_where_it_was_written(data: st.DataObject) -> None:
    """For any document of tables, tables in lists, nested values and remarks, places are exact."""
    writer = Writer(data.draw)
    tables = data.draw(
        st.lists(st.tuples(NAMES, st.booleans()), max_size=4, unique_by=lambda table: table[0])
    )
    for name, many in tables:
        for index in range(2 if many else 1):
            path: KeyPath = (name, index) if many else (name,)
            writer.text += ("[[{}]]\n" if many else "[{}]\n").format(text_of(name))
            for inner, value in data.draw(st.dictionaries(NAMES, INLINE, max_size=3)).items():
                writer.text += f"{text_of(inner)} = "
                writer.value(value, (*path, inner))
                writer.text += " # end\n"
    tomllib.loads(writer.text)
    places = Places(writer.text)
    for path, place in writer.places.items():
        assert places.value(path) == place


@pytest.mark.parametrize(
    "value",
    [
        '"""a\n\\""" b"""""',
        "'''a\n''b'''''",
        '"#]"',
        "'#]'",
        "1979-05-27 07:32:00",
        "[ [ ], { } ]",
        '""""""',
        "''''''",
    ],
)
def test_no_form_of_value_hides_the_next_key(value: str) -> None:
    """Strings of four kinds, dates and nests end where TOML says."""
    text = f"first = {value}\nnext = 2\n"
    tomllib.loads(text)
    after = text.count("\n")
    assert Places(text).value(("next",)) == Place(after, 8)


def test_dotted_and_quoted_keys_are_one_path() -> None:
    """a."b c".'d' = 1 is found at a, b c, d."""
    places = Places("[x.'y']\na.\"b\\u0020c\" . d = 1\n")
    assert places.key(("x", "y", "a", "b c", "d")) == Place(2, 16)
    assert places.value(("x", "y", "a", "b c", "d")) == Place(2, 20)


def test_tables_below_a_table_in_a_list_belong_to_its_last_one() -> None:
    """[feed.x] after the second [[feed]] is feed[1].x."""
    places = Places("[[feed]]\n[[feed]]\n[feed.x]\ny = 1\n")
    assert places.key(("feed", 1, "x")) == Place(3, 1)
    assert places.value(("feed", 1, "x", "y")) == Place(4, 5)
    assert places.key(("feed", 1)) == Place(2, 1)


def test_what_is_not_written_has_the_place_of_its_table() -> None:
    """A missing key is told at its table, a missing table at the top."""
    places = Places("\n[daemon]\n")
    assert places.value(("daemon", "log_level")) == Place(2, 1)
    assert places.value(("drain", "x")) == Place(1, 1)


@given(st.text(st.sampled_from("[]{}=.\"'\n #,ab1\\"), max_size=60))
def test_no_text_makes_the_scanner_fail(text: str) -> None:
    """Even for what is no TOML it ends quietly; such a text never gets here."""
    Places(text)

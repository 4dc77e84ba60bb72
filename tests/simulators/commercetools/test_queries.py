"""Query predicates, sorting and paging of list endpoints."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsyncd.simulators.commercetools.errors import ApiError
from archsyncd.simulators.commercetools.predicate_tree import lower_bound, needles, parse
from archsyncd.simulators.commercetools.predicates import Kind, compile_predicate, moment
from tests.simulators.commercetools.caller import MARKER_TYPE, Caller


async def _stocked(count: int = 12) -> Caller:
    caller = Caller()
    caller.simulator.add_channel("wh-1")
    caller.simulator.add_channel("wh-2")
    caller.simulator.add_type(MARKER_TYPE)
    for number in range(count):
        custom = {"type": {"typeId": "type", "key": "archsyncd"}, "fields": {"archX": number}}
        caller.simulator.add_entry(f"S{number}", "wh-1", number, key=f"key-{number}", custom=custom)
        caller.clock.advance(1)
    caller.simulator.add_entry("S1", "wh-2", 50)
    caller.simulator.add_entry("S1", None, 70)
    return caller


async def _stocks(caller: Caller, where: str) -> list[int]:
    answer = await caller.get("/inventory", where=where, limit=500)
    return sorted(entry["quantityOnStock"] for entry in answer["results"])


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ('sku = "S1"', [1, 50, 70]),
        ('sku in ("S1", "S3","none")', [1, 3, 50, 70]),
        ('sku in ("S1") and supplyChannel is not defined', [70]),
        ('sku="S1" and supplyChannel(id="{wh-1}")', [1]),
        ('supplyChannel(typeId="channel" and id in ("{wh-2}"))', [50]),
        ("quantityOnStock > 9 and quantityOnStock <= 50", [10, 11, 50]),
        ("quantityOnStock < 2 or quantityOnStock >= 70", [0, 1, 70]),
        ("not(quantityOnStock < 50)", [50, 70]),
        ('sku not in ("S0","S2","S3","S4","S5","S6","S7","S8","S9","S10","S11")', [1, 50, 70]),
        ("custom(fields(archX=1))", [1]),
        ("custom(fields(archX in (1, 2) and archX != 2))", [1]),
        ("custom is defined and quantityOnStock > 10", [11]),
        ('key = "key-4"', [4]),
        ('(sku = "S1" or sku = "S2") and key is defined', [1, 2]),
        ('createdAt >= "2026-07-25T17:20:11.000Z" and key is defined', [11]),
        ('createdAt < "2026-07-25T17:20:01Z"', [0]),
        ('lastModifiedBy(externalUserId="person") and quantityOnStock > 11', [50, 70]),
    ],
)
async def test_predicate_selects_what_it_says(where: str, expected: list[int]) -> None:
    """Each documented form selects the right entries."""
    caller = await _stocked()
    for key in ("wh-1", "wh-2"):
        found = await caller.get("/channels", where=f'key="{key}"')
        where = where.replace(f"{{{key}}}", found["results"][0]["id"])
    assert await _stocks(caller, where) == expected


@pytest.mark.parametrize(
    "where",
    [
        "",
        "sku",
        "sku =",
        "sku == 1",
        'sku = "a',
        "sku = 1",
        'quantityOnStock = "1"',
        'skuu = "a"',
        'supplyChannel(key="wh-1")',
        'supplyChannel = "x"',
        'sku(id="x")',
        "sku in ()",
        'sku like "a"',
        'sku = "a" and',
        'sku = "a" sku = "b"',
        'createdAt > "yesterday"',
        'sku contains any ("a")',
        "sku is null",
        'sku = "a" within circle(1,2,3)',
        "(" * 60 + 'sku="a"' + ")" * 60,
    ],
)
async def test_predicate_that_is_not_documented_is_refused(where: str) -> None:
    """Unknown fields, operators, literals and broken syntax get 400 InvalidInput."""
    caller = await _stocked(1)
    assert await caller.refused("GET", "/inventory", query={"where": where}) == (400, "InvalidInput")


@pytest.mark.parametrize(
    "query",
    [
        "limit=501",
        "limit=-1",
        "limit=ten",
        "limit=1.5",
        "offset=10001",
        "offset=x",
        "withTotal=maybe",
        "withTotal=TRUE",
        "expand=supplyChannel",
        "filter=x",
        "staged=true",
        "limit=1&limit=2",
        "sort=nothing",
        "sort=id+up",
        "sort=supplyChannel",
        "sort=id+asc+desc",
        "limit",
        "where=%FF",
    ],
)
async def test_query_parameter_out_of_bounds_or_unknown_is_refused(query: str) -> None:
    """Nothing is guessed: each such request gets 400 InvalidInput."""
    caller = await _stocked(1)
    assert await caller.refused("GET", "/inventory", query=query) == (400, "InvalidInput")


async def test_f082_request_target_over_8_kb_is_refused_with_414() -> None:
    """A long predicate passes just below the bound and is refused above it."""
    caller = await _stocked(1)
    fits = '"' + '","'.join("x" * 97 for _ in range(60)) + '"'
    await caller.get("/inventory", where=f"sku in ({fits})")
    status, answer = await caller.call("GET", "/inventory", query={"where": f"sku in ({fits},{fits})"})
    assert (status, answer["statusCode"]) == (414, 414)


async def test_keyset_walk_by_id_sees_every_entry_once() -> None:
    """sort=id asc with id > last visits all entries, those created meanwhile included or not, none twice."""
    caller = await _stocked(30)
    seen: list[str] = []
    where: dict[str, str] = {}
    while True:
        page = await caller.get("/inventory", sort="id asc", limit=7, withTotal="false", **where)
        assert "total" not in page
        seen += [entry["id"] for entry in page["results"]]
        if page["count"] < 7:
            break
        where = {"where": f'id > "{seen[-1]}"'}
        caller.simulator.add_entry(f"new-{len(seen)}", None, 0)
    assert seen == sorted(set(seen))
    assert len(seen) >= 32


async def test_newest_first_is_the_other_way_round_and_ends_at_its_bound() -> None:
    """By time of creation and id, downwards: what both ascending give, backwards; a moment bounds it from below."""
    caller = await _stocked(12)
    upwards = (await caller.get("/inventory", sort=["createdAt asc", "id asc"]))["results"]
    newest_first = ["createdAt desc", "id desc"]
    page = await caller.get("/inventory", sort=newest_first)
    assert page["results"] == upwards[::-1]
    page = await caller.get("/inventory", sort=newest_first, limit=3, offset=2)
    assert page["results"] == upwards[::-1][2:5]
    since = upwards[6]["createdAt"]
    page = await caller.get("/inventory", sort=newest_first, where=f'createdAt >= "{since}"')
    assert page["results"] == [entry for entry in upwards[::-1] if entry["createdAt"] >= since]


async def test_page_tells_total_and_default_limit() -> None:
    """Without parameters 20 are shown and the total is counted."""
    caller = await _stocked(30)
    page = await caller.get("/inventory")
    assert (page["limit"], page["offset"], page["count"], page["total"]) == (20, 0, 20, 32)
    assert (await caller.get("/inventory", limit=0))["results"] == []


async def test_sort_directions_and_paths() -> None:
    """Several sort keys apply in their order, nested ones by path."""
    caller = await _stocked(5)
    page = await caller.get("/inventory", sort=["sku asc", "quantityOnStock desc"])
    assert [entry["quantityOnStock"] for entry in page["results"]] == [0, 70, 50, 1, 2, 3, 4]
    page = await caller.get("/inventory", sort="custom.fields.archX desc", where="custom is defined")
    assert [entry["quantityOnStock"] for entry in page["results"]] == [4, 3, 2, 1, 0]


async def test_channels_are_found_by_role_and_key() -> None:
    """The operators contains any and all look into the roles."""
    caller = Caller()
    caller.simulator.add_channel("wh-1", ["InventorySupply", "OrderExport"])
    caller.simulator.add_channel("shop", ["ProductDistribution"])
    for where, expected in (
        ('roles contains any ("InventorySupply")', ["wh-1"]),
        ('roles contains all ("InventorySupply","OrderExport")', ["wh-1"]),
        ('roles contains all ("InventorySupply","Primary")', []),
        ('key in ("shop","none")', ["shop"]),
    ):
        found = await caller.get("/channels", where=where)
        assert [channel["key"] for channel in found["results"]] == expected


TEXTS = st.text(st.characters(codec="utf-8"), max_size=8)


@given(values=st.lists(TEXTS, min_size=1, max_size=5), probe=TEXTS)
def test_any_text_survives_quoting(values: list[str], probe: str) -> None:
    """A predicate with escaped quotes and backslashes matches exactly the texts it lists."""
    quoted = ",".join('"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' for value in values)
    test = compile_predicate(parse(f"sku in ({quoted})"), {"sku": Kind.TEXT})
    assert test({"sku": probe}) == (probe in values)
    assert all(test({"sku": value}) for value in values)


@given(st.text(max_size=40))
def test_no_text_breaks_the_parser(text: str) -> None:
    """Any text is parsed or refused with ApiError, nothing else is raised."""
    with suppress(ApiError):
        parse(text)


LEAVES = st.builds(
    lambda name, sign, value: f'{name} {sign} "{value}"',
    st.sampled_from(["id", "sku"]),
    st.sampled_from(["=", ">", "<", ">=", "<=", "!="]),
    st.sampled_from("abcd"),
) | st.builds(
    lambda values: f"id in ({','.join(values)})", st.lists(st.sampled_from(['"a"', '"c"']), min_size=1)
)
PREDICATES = st.recursive(
    LEAVES,
    lambda inner: (
        st.builds(lambda a, word, b: f"({a} {word} {b})", inner, st.sampled_from(["and", "or"]), inner)
        | st.builds(lambda a: f"not({a})", inner)
    ),
    max_leaves=6,
)


@given(PREDICATES)
def test_shortcuts_never_lose_a_match(text: str) -> None:
    """The bounds and value sets that spare a scan hold for every document the predicate accepts."""
    node = parse(text)
    test = compile_predicate(node, {"id": Kind.TEXT, "sku": Kind.TEXT})
    only, low = needles(node, frozenset({("id",)})), lower_bound(node, "id", str)
    for identity in "abcd":
        for sku in "abcd":
            document: dict[str, Any] = {"id": identity, "sku": sku}
            if test(document):
                assert only is None or identity in only
                assert low is None or identity >= low


def test_moments_compare_as_times_whatever_their_precision() -> None:
    """A moment without or with few fraction digits is brought to milliseconds."""
    assert moment("2026-01-01T00:00:00Z") == "2026-01-01T00:00:00.000Z"
    assert moment("2026-01-01T00:00:00.5Z") == "2026-01-01T00:00:00.500Z"

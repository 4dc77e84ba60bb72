"""Query parameters of the platform's list endpoints and what they select; knows no resource."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any, Generic, TypeVar
from urllib.parse import parse_qsl

from archsyncd.simulators.commercetools.errors import ApiError, invalid_input
from archsyncd.simulators.commercetools.predicate_tree import Both, Node, lower_bound, needles, parse
from archsyncd.simulators.commercetools.predicates import FieldKinds, Kind, Test, compile_predicate, moment
from archsyncd.simulators.commercetools.shelf import Shelf

T = TypeVar("T")
MAXIMUM_LIMIT = 500
MAXIMUM_OFFSET = 10_000
DEFAULT_LIMIT = 20
LISTED = frozenset({"where", "sort", "limit", "offset", "withTotal"})
Sorting = tuple[tuple[tuple[str, ...], bool], ...]


@dataclass(frozen=True, slots=True)
class Page:
    """One checked list request: predicate, order, window."""

    where: tuple[str, ...] = ()
    sort: tuple[str, ...] = ()
    limit: int = DEFAULT_LIMIT
    offset: int = 0
    with_total: bool = True


def parameters(query: str, allowed: frozenset[str]) -> dict[str, list[str]]:
    """Return the values of each query parameter. Raises ApiError 400 InvalidInput on one not allowed."""
    found: dict[str, list[str]] = {}
    if not query:
        return found
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True, errors="strict")
    except (ValueError, UnicodeDecodeError):
        raise invalid_input("Malformed parameter: the query string cannot be read.") from None
    for name, value in pairs:
        if name not in allowed:
            raise invalid_input(f"Malformed parameter: '{name}' is not a parameter of this endpoint.")
        found.setdefault(name, []).append(value)
    return found


def single(found: Mapping[str, list[str]], name: str) -> str | None:
    """Return a parameter that may be given once."""
    values = found.get(name, [])
    if len(values) > 1:
        raise invalid_input(f"Malformed parameter: '{name}' is given more than once.")
    return values[0] if values else None


def whole_number(found: Mapping[str, list[str]], name: str) -> int | None:
    """Return a parameter that is a plain natural number."""
    value = single(found, name)
    if value is None:
        return None
    if not (value.isascii() and value.isdigit() and len(value) <= 18):  # noqa: PLR2004 - digits of an int64
        raise invalid_input(f"Malformed parameter: {name}: '{value}' is not a number.")
    return int(value)


def window(limit: int | None, offset: int | None) -> tuple[int, int]:
    """Return limit and offset within the platform's bounds. Raises ApiError 400 InvalidInput."""
    limit = DEFAULT_LIMIT if limit is None else limit
    offset = offset or 0
    if not 0 <= limit <= MAXIMUM_LIMIT:
        raise invalid_input(f"Malformed parameter: limit: {limit} is not between 0 and {MAXIMUM_LIMIT}.")
    if not 0 <= offset <= MAXIMUM_OFFSET:
        raise invalid_input(f"Malformed parameter: offset: {offset} is not between 0 and {MAXIMUM_OFFSET}.")
    return limit, offset


def page(query: str) -> Page:
    """Read the parameters of a list request. Raises ApiError 400 InvalidInput."""
    found = parameters(query, LISTED)
    limit, offset = window(whole_number(found, "limit"), whole_number(found, "offset"))
    total = single(found, "withTotal")
    if total not in (None, "true", "false"):
        raise invalid_input(f"Malformed parameter: withTotal: '{total}' is neither true nor false.")
    return Page(
        tuple(found.get("where", ())),
        tuple(found.get("sort", ())),
        limit,
        offset,
        with_total=total != "false",
    )


def _sort_refusal(text: str) -> ApiError:
    return invalid_input(f"Malformed parameter: sort: '{text}' cannot be sorted by.")


def _sorting(texts: tuple[str, ...], known: FieldKinds) -> Sorting:
    result = []
    for text in texts:
        words = text.split()
        if not 1 <= len(words) <= 2 or words[1:] not in ([], ["asc"], ["desc"]):  # noqa: PLR2004
            raise _sort_refusal(text)
        path = tuple(words[0].split("."))
        kind: Kind | FieldKinds | None = known
        for name in path:
            kind = kind.get(name) if not isinstance(kind, Kind) and kind is not None else kind
            if kind is None:
                raise _sort_refusal(text)
        if not isinstance(kind, Kind) or kind is Kind.TEXTS:
            raise _sort_refusal(text)
        result.append((path, words[1:] == ["desc"]))
    return tuple(result)


def _value(document: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        document = document.get(name) if isinstance(document, dict) else None
    return document


@dataclass(frozen=True, slots=True)
class _Plan:
    node: Node | None
    test: Test | None
    sorting: Sorting


class Catalog(Generic[T]):
    """A queryable collection: its fields, how a resource looks, and the indexes that spare a full scan."""

    def __init__(
        self,
        shelf: Shelf[T],
        known: FieldKinds,
        view: Callable[[T], dict[str, Any] | None],
        indexes: Mapping[frozenset[tuple[str, ...]], Callable[[Any], Iterable[T]]] | None = None,
    ) -> None:
        self._shelf = shelf
        self._known = known
        self._view = view
        self._indexes = indexes or {}
        self._plan = lru_cache(maxsize=512)(self._make_plan)

    def select(self, page: Page) -> dict[str, Any]:
        """Return the platform's paged answer. Raises ApiError 400 InvalidInput."""
        plan = self._plan(page.where, page.sort)
        found = self._matches(plan)
        if page.with_total:
            every = list(found)
            results, total = every[page.offset : page.offset + page.limit], {"total": len(every)}
        else:
            results, total = list(islice(found, page.offset, page.offset + page.limit)), {}
        window = {"limit": page.limit, "offset": page.offset, "count": len(results)}
        return {**window, **total, "results": results}

    def _make_plan(self, where: tuple[str, ...], sort: tuple[str, ...]) -> _Plan:
        nodes = tuple(parse(text) for text in where)
        node = Both(nodes) if len(nodes) > 1 else (nodes[0] if nodes else None)
        test = None if node is None else compile_predicate(node, self._known)
        return _Plan(node, test, _sorting(sort, self._known))

    def _matches(self, plan: _Plan) -> Iterator[dict[str, Any]]:
        source, ordered = self._source(plan)
        views = (view for item in source if (view := self._view(item)) is not None)
        test = plan.test
        found = views if test is None else (view for view in views if test(view))
        if ordered:
            return found
        rows = list(found)
        for path, descending in reversed(plan.sorting or ((("id",), False),)):
            rows.sort(key=lambda row: _sort_key(_value(row, path)), reverse=descending)
        return iter(rows)

    def _source(self, plan: _Plan) -> tuple[Iterable[T], bool]:
        for paths, lookup in self._indexes.items():
            wanted = None if plan.node is None else needles(plan.node, paths)
            if wanted is not None:
                return {id(item): item for value in wanted for item in lookup(value)}.values(), False
        name, descending = _NATURAL.get(plan.sorting, ("id", False))
        start = None
        if plan.node is not None:
            start = lower_bound(plan.node, name, moment if name == "createdAt" else str)
        walk = self._shelf.walk(name, start, descending=descending)
        return walk, plan.sorting in _NATURAL


_BY_ID, _BY_CREATED_AT = ("id",), ("createdAt",)
# The orders that a shelf is walked in without sorting, each with its name there and whether it goes downwards.
_NATURAL: Mapping[Sorting, tuple[str, bool]] = {
    (): ("id", False),
    ((_BY_ID, False),): ("id", False),
    ((_BY_CREATED_AT, False),): ("createdAt", False),
    ((_BY_CREATED_AT, False), (_BY_ID, False)): ("createdAt", False),
    ((_BY_CREATED_AT, True), (_BY_ID, True)): ("createdAt", True),
}


def _sort_key(value: Any) -> tuple[bool, Any]:
    return (value is not None, value if value is not None else 0)

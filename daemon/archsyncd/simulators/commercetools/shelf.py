"""Keeps resources by id and in sorted order, so that keyset walks over a million are cheap; knows no resource."""

from bisect import bisect_left
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")
Place = tuple[str, str]


class Shelf(Generic[T]):
    """Resources by id, walkable by id or by (createdAt, id)."""

    def __init__(self, created_at: Callable[[T], str]) -> None:
        self._created_at = created_at
        self._items: dict[str, T] = {}
        self._sorted: dict[str, list[Place]] = {}
        self._fresh: dict[str, list[Place]] = {}

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[T]:
        return iter(list(self._items.values()))

    def get(self, resource_id: str) -> T | None:
        """Return the resource of this id."""
        return self._items.get(resource_id)

    def add(self, resource_id: str, item: T) -> None:
        """Put a new resource, or replace the one of this id."""
        if resource_id not in self._items:
            for order, fresh in self._fresh.items():
                fresh.append(self._place(order, resource_id, item))
        self._items[resource_id] = item

    def remove(self, resource_id: str) -> T | None:
        """Take a resource out; its places are skipped from now on."""
        return self._items.pop(resource_id, None)

    def walk(self, order: str, start: str | None, *, descending: bool = False) -> Iterator[T]:
        """Yield resources ordered by `id` or `createdAt` (then id), from `start` on, inclusive.

        `descending`: the last one first, down to `start`.
        """
        places = self._places(order)
        begin = bisect_left(places, (start, "")) if start is not None else 0
        upwards = range(begin, len(places))
        for index in reversed(upwards) if descending else upwards:
            item = self._items.get(places[index][1])
            if item is not None:
                yield item

    def _place(self, order: str, resource_id: str, item: T) -> Place:
        return (resource_id if order == "id" else self._created_at(item), resource_id)

    def _places(self, order: str) -> list[Place]:
        if order not in self._sorted:
            self._sorted[order] = sorted(self._place(order, *pair) for pair in self._items.items())
            self._fresh[order] = []
        places, fresh = self._sorted[order], self._fresh[order]
        if fresh:
            places.extend(fresh)
            places.sort()
            fresh.clear()
        return places

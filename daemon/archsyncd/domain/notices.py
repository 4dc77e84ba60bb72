"""Notifications that something happened in commercetools. Knows neither queues nor documents."""

from __future__ import annotations

from dataclasses import dataclass

ORDER = "order"


@dataclass(frozen=True, slots=True)
class Notice:
    """A notification. `handle` names its delivery; `project` and `resource_id` are empty where it cannot be read.

    `kind` is the type of the resource, such as "order".
    """

    handle: str
    project: str = ""
    kind: str = ""
    resource_id: str = ""

    @property
    def readable(self) -> bool:
        """Whether it says what it is about."""
        return bool(self.resource_id)

"""A message and a clock for the tests of ways."""

from __future__ import annotations

from archsyncd.domain.alerting import Message, MessageKind

NOW_MS = 1_767_225_600_000
MESSAGE = Message(
    MessageKind.BEGAN,
    "data",
    "sku_not_found",
    "",
    1,
    12,
    0,
    NOW_MS - 60_000,
    NOW_MS,
    "12 open sku_not_found",
    "Create the product.",
    "archsyncctl exceptions list --kind sku_not_found",
    ("<!channel>", "Ä & 1"),
)


class StillClock:
    """Time that stands still."""

    def wall_ms(self) -> int:
        return NOW_MS

    def monotonic(self) -> float:
        return 1.0

    async def sleep(self, _seconds: float) -> None:
        """Nothing waits here."""

"""The published entry as the extended models share it; it must not know what the target is made of.

That an increment lands exactly once is the business of `oversell`; here it lands some time after it was
sent and is booked at once.
"""

from typing import NamedTuple


class Entry(NamedTuple):
    """commercetools' stock, the ledger value applied to it, and the increment on its way (0 for none)."""

    stock: int
    applied: int
    flight: int = 0

    def sold(self, units: int) -> "Entry":
        """Return the entry after an order took its units out of the stock."""
        return Entry(self.stock - units, self.applied, self.flight)


def drain(entry: Entry, target: int) -> tuple[str, Entry] | None:
    """Return the daemon's next step toward the target: land what is on its way, else send the difference."""
    stock, applied, flight = entry
    if flight:
        return f"land{flight:+d}", Entry(stock + flight, applied + flight)
    if target != applied:
        return f"send{target - applied:+d}", Entry(stock, applied, target - applied)
    return None

"""Keys whose entry is not known and is not created: why, in words for a person, and when they are looked up again."""

from __future__ import annotations

from dataclasses import dataclass

from archsyncd.domain.cases import CaseKind, NewCase
from archsyncd.domain.inventory import StockKey
from archsyncd.domain.retry import ceiling

# A row parked for one of these waits for its entry, and is freed by whatever look-up finds or creates it.
AWAITING_ENTRY = frozenset({CaseKind.SKU_NOT_FOUND, CaseKind.ENTRY_MISSING})
LOOK_AGAIN_MS = 30_000
_UNREADABLE_LIMIT_SECONDS = 3_600.0


@dataclass(frozen=True, slots=True)
class Withheld:
    """A key that stays without an entry for now: its exception (None: it has one already) and the pause until the next look."""

    key: StockKey
    case: NewCase | None
    delay_ms: int = LOOK_AGAIN_MS


def unsold(key: StockKey, pieces: int) -> Withheld:
    """No product carries the SKU."""
    reason = (
        f"commercetools has no product with the SKU {key.sku}: its {pieces} pieces in {key.channel} are not for sale; "
        "nothing is created until the product appears"
    )
    return Withheld(key, NewCase(CaseKind.SKU_NOT_FOUND, key.channel, key.sku, reason))


def not_created(key: StockKey, pieces: int) -> Withheld:
    """There is no entry, and the configuration leaves making one to somebody else."""
    reason = (
        f"there is no inventory entry of {key.sku} in {key.channel}, and none is created while "
        f"commercetools.create_missing_entries is false: its {pieces} pieces are not for sale; the entry is used as soon "
        "as somebody has created it"
    )
    return Withheld(key, NewCase(CaseKind.ENTRY_MISSING, key.channel, key.sku, reason, code="not-created"))


def unasked(key: StockKey, pieces: int, answer: str, correlation: str) -> Withheld:
    """There is no entry, and commercetools does not tell whether a product carries the SKU: never created blindly."""
    reason = (
        f"there is no inventory entry of {key.sku} in {key.channel}, and commercetools does not tell whether a product has "
        f"this SKU ({answer}): its {pieces} pieces are not for sale and nothing is created blindly; let the API client ask "
        "/graphql for products, create the entry yourself, or set commercetools.check_products to false"
    )
    case = NewCase(
        CaseKind.ENTRY_MISSING, key.channel, key.sku, reason, code="not-asked", correlation=correlation
    )
    return Withheld(key, case)


def unreadable(key: StockKey, attempts: int) -> Withheld:
    """The look-up's answer cannot be read, which is told already; asked ever more rarely, as it may stay so."""
    seconds = ceiling(attempts, LOOK_AGAIN_MS / 1000, _UNREADABLE_LIMIT_SECONDS)
    return Withheld(key, None, int(seconds * 1000))

"""Keys whose entry is not known and is not created: why, in words for a person, and when they are looked up again."""

from __future__ import annotations

from dataclasses import dataclass

from archsyncd.domain.cases import CaseKind, NewCase
from archsyncd.domain.inventory import StockKey
from archsyncd.domain.retry import ceiling

# A row parked for one of these waits for its entry, and is freed by whatever look-up finds or creates it.
AWAITING_ENTRY = frozenset({CaseKind.SKU_NOT_FOUND, CaseKind.ENTRY_MISSING})
LOOK_AGAIN_MS = 30_000
# What is missing is looked for ever more rarely: a warehouse may hold any number of SKUs that nobody sells in the shop.
_MISSING_LIMIT_SECONDS = 900.0
_LOOKS_AT_EACH_PACE = 8
_UNREADABLE_LIMIT_SECONDS = 3_600.0


def _pause_ms(attempts: int) -> int:
    steps = attempts // _LOOKS_AT_EACH_PACE
    return int(ceiling(steps, LOOK_AGAIN_MS / 1000, _MISSING_LIMIT_SECONDS) * 1000)


@dataclass(frozen=True, slots=True)
class Unentered:
    """A key that stays without an entry for now: its exception (None: it has one already) and the pause until the next look."""

    key: StockKey
    case: NewCase | None
    delay_ms: int = LOOK_AGAIN_MS


def unsold(key: StockKey, pieces: int, attempts: int = 0) -> Unentered:
    """No product carries the SKU."""
    reason = (
        f"commercetools has no product with the SKU {key.sku}: its {pieces} pieces in {key.channel} are not for sale; "
        "nothing is created until the product appears"
    )
    return Unentered(key, NewCase(CaseKind.SKU_NOT_FOUND, key.channel, key.sku, reason), _pause_ms(attempts))


def not_created(key: StockKey, pieces: int, attempts: int = 0) -> Unentered:
    """There is no entry, and the configuration leaves making one to somebody else."""
    reason = (
        f"there is no inventory entry of {key.sku} in {key.channel}, and none is created while "
        f"commercetools.create_missing_entries is false: its {pieces} pieces are not for sale; the entry is used as soon "
        "as somebody has created it"
    )
    case = NewCase(CaseKind.ENTRY_MISSING, key.channel, key.sku, reason, code="not-created")
    return Unentered(key, case, _pause_ms(attempts))


def unasked(key: StockKey, pieces: int, answer: str, correlation: str, attempts: int = 0) -> Unentered:
    """There is no entry, and commercetools does not tell whether a product carries the SKU: never created blindly."""
    reason = (
        f"there is no inventory entry of {key.sku} in {key.channel}, and commercetools does not tell whether a product has "
        f"this SKU ({answer}): its {pieces} pieces are not for sale and nothing is created blindly; let the API client ask "
        "/graphql for products, create the entry yourself, or set commercetools.check_products to false"
    )
    case = NewCase(
        CaseKind.ENTRY_MISSING, key.channel, key.sku, reason, code="not-asked", correlation=correlation
    )
    return Unentered(key, case, _pause_ms(attempts))


def unreadable(key: StockKey, attempts: int) -> Unentered:
    """The look-up's answer cannot be read, which is told already; asked ever more rarely, as it may stay so."""
    seconds = ceiling(attempts, LOOK_AGAIN_MS / 1000, _UNREADABLE_LIMIT_SECONDS)
    return Unentered(key, None, int(seconds * 1000))

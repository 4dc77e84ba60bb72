"""The one source of what every code means: kinds of exceptions and causes of a verdict by name, and events of the journal."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from archsyncd.domain.explained.health import HEALTH_REASONS
from archsyncd.domain.explained.orders import ORDER_KINDS
from archsyncd.domain.explained.reasons import VERDICT_REASONS
from archsyncd.domain.explained.records import FILE_CODES, RECORD_CODES
from archsyncd.domain.explained.shape import (
    OWNERS,
    PLACEHOLDERS,
    Explained,
    Severity,
    commands_in,
    filled,
    told,
)
from archsyncd.domain.explained.stock import STOCK_KINDS

__all__ = [
    "CODES",
    "KINDS",
    "MANUAL",
    "OWNERS",
    "PLACEHOLDERS",
    "REASONS",
    "Explained",
    "Severity",
    "commands_in",
    "filled",
    "told",
]

# Where people read on; whatever tells them of a code may end with it.
MANUAL = "man archsyncd.exceptions"
# To add a kind or a cause: one entry in one of these tuples. A kind is a cause as well, and stands among the kinds alone.
KINDS: Mapping[str, Explained] = MappingProxyType({each.code: each for each in STOCK_KINDS + ORDER_KINDS})
REASONS: Mapping[str, Explained] = MappingProxyType(
    {each.code: each for each in VERDICT_REASONS + HEALTH_REASONS}
)
# Why a record or a file was not used, as receipts, error files and exceptions tell it as their code.
CODES: Mapping[str, Explained] = MappingProxyType({each.code: each for each in RECORD_CODES + FILE_CODES})

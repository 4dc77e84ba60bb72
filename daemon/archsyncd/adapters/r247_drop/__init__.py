"""Reads an Archean source that drops files into a directory, and writes orders for it: `r247/1`, sections 3 and 9.

Decides nothing about stock.
"""

from archsyncd.adapters.r247_drop.feed import DropFeed
from archsyncd.adapters.r247_drop.options import DropOptions, Readiness

__all__ = ["DropFeed", "DropOptions", "Readiness"]

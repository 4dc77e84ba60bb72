"""Reads an Archean source that drops files into a directory: `r247/1`, section 3. Decides nothing about stock."""

from archsyncd.adapters.r247_drop.feed import DropFeed
from archsyncd.adapters.r247_drop.options import DropOptions, Readiness

__all__ = ["DropFeed", "DropOptions", "Readiness"]

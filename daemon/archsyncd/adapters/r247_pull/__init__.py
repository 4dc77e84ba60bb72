"""Reads an Archean source over HTTP: `r247/1`, section 2 and the look-ups of section 9. Decides nothing."""

from archsyncd.adapters.r247_pull.feed import PullFeed
from archsyncd.adapters.r247_pull.options import PullAuth, PullOptions
from archsyncd.adapters.r247_pull.session import Sessions

__all__ = ["PullAuth", "PullFeed", "PullOptions", "Sessions"]

"""Reads a source over HTTP that has its own requests and answers, as its mapping profile describes them. Decides nothing."""

from archsyncd.adapters.r247_pull.foreign.feed import ForeignFeed

__all__ = ["ForeignFeed"]

"""Signed calls of a source: received, verified, stored, and answered only then. Decides nothing of stock."""

from archsyncd.adapters.webhook.feed import PushFeed
from archsyncd.adapters.webhook.options import PushOptions
from archsyncd.adapters.webhook.receiver import Receiver

__all__ = ["PushFeed", "PushOptions", "Receiver"]

"""Google Pub/Sub over REST: a feed of r247/1 messages, and notifications of orders. Decides nothing."""

from archsyncd.adapters.pubsub.caller import Caller
from archsyncd.adapters.pubsub.feed import PubsubFeed
from archsyncd.adapters.pubsub.notices import PubsubNotices
from archsyncd.adapters.pubsub.options import PubsubOptions
from archsyncd.adapters.pubsub.subscription import Subscription
from archsyncd.adapters.pubsub.tokens import GoogleTokens, NoTokens, Tokens

__all__ = [
    "Caller",
    "GoogleTokens",
    "NoTokens",
    "PubsubFeed",
    "PubsubNotices",
    "PubsubOptions",
    "Subscription",
    "Tokens",
]

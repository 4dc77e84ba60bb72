"""commercetools over HTTPS, with aiohttp. Does what it is told and decides nothing; knows no format but the wire's."""

from archsyncd.adapters.commercetools.client import HttpCommercetools
from archsyncd.adapters.commercetools.options import ClientOptions
from archsyncd.adapters.commercetools.transport import TrustMissing, tcp_connector

__all__ = ["ClientOptions", "HttpCommercetools", "TrustMissing", "tcp_connector"]

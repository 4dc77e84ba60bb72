"""Keeps Archean R247 stock and commercetools inventory in step without overselling."""

__version__ = "0.1.0"

"""Mapping profiles: an unknown payload is read by a description, without code."""

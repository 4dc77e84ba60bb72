"""Formats: bytes to domain values and back. Pure; the only place that knows how a payload looks."""

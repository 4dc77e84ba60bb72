"""Requests to a source that does not speak r247/1: what is asked and how answers go on, as its profile describes it."""

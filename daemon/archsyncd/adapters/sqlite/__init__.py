"""The store: one SQLite file holding levels, outbox, orders and exceptions."""

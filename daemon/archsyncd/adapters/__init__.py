"""The edge: one module per technology, each deciding nothing."""

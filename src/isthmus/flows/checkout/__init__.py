"""Owns the way from a basket to a paid order, across all domains. Does not own any row: each domain keeps its own."""

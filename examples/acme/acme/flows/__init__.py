"""Flows of Acme: what composes packs."""

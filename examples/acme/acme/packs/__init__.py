"""Domains of Acme's own: each folder is a pack."""

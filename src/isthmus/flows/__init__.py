"""Flows: several capabilities in order. They import packs' `api` and nothing else of a pack."""

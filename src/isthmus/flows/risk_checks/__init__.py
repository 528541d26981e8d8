"""Judging what happens, and what follows from a person's look at it."""

"""Judging orders, and what follows from a person's look at them."""

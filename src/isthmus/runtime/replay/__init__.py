"""Recorded calls, and what a change would have made of them."""

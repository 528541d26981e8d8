"""Owns subscriptions: what is bought again every so many days, and what became of each time. Does not place orders."""

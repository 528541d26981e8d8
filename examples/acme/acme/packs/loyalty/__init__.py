"""Owns the stamp cards of members: stamps, filled cards, and when stamps go. Does not own points, tiers or orders."""

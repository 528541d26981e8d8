"""Owns price lists and what a line costs. Does not own discounts (promotion), tax (tax), what may be sold (catalog)."""

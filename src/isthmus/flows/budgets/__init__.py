"""Owns what is held of campaigns' budgets in the books. Does not own promotions, nor the books themselves."""

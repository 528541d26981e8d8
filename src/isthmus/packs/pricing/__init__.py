"""Owns what a SKU costs: price lists, their validity, the quote. Does not own discounts, tax or delivery fees."""

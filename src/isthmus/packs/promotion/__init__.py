"""Owns promotions, coupons, their limits and budgets, and discounts. Does not own prices or points."""

"""Owns baskets, orders, their numbers and history, and returns. Does not own prices, stock or money."""

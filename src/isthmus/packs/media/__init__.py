"""Owns files that front ends show, and what each is of. Does not own products, nor pages."""

"""Combinations of products and answers: which fit, which were tried, and what a change would have done last week."""

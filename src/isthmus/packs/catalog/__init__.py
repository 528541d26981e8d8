"""Owns products, SKUs, categories, sellers, and which front end offers what. Does not own prices or stock."""

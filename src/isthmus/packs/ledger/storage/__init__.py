"""Rows of the books."""

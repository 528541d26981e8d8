"""Ventures beside the platform: their money goes to the books, their sales to the lake, and what they owe is seen."""

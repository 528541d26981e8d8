"""Ventures: what they send is taken, what was seen of them is kept."""

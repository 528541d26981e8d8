"""Renewals: what members subscribe to is ordered and paid when its day has come, and past orders are ordered again."""

"""Owns what is booked when something happens. Does not own the books: the ledger keeps those."""

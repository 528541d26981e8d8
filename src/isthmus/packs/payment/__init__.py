"""Owns payments, their legs, and the providers that carry them out. Does not own orders or the ledger."""

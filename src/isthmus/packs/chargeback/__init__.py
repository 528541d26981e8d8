"""Owns what payers' banks took back of payments. Does not own the payments, nor what a chargeback costs whom."""

"""Owns the way of a chargeback from the provider to whom it concerns. Does not own payments, chargebacks or books."""

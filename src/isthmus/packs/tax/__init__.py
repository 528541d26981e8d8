"""Owns jurisdictions, rates, and the tax of a line. Does not own prices (pricing), invoices or declarations."""

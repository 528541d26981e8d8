"""Invoices and credit notes: numbered without a gap, reckoned as EN 16931 says, as UBL and as Factur-X."""

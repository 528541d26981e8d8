"""Invoices of orders: composed of what was sold, how it was taxed and who bought."""

"""Owns accounts, entries, and the days that are closed. Does not own what is booked why: flows say that."""

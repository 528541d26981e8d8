"""Owns messages to people, their delivery, and who gets none. Does not own whom an order is for, or why it is told."""

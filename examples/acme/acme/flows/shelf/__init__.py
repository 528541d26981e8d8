"""Fills the index of our own search service with what each front end offers."""

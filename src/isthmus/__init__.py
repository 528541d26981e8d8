"""Isthmus: a thin middle platform."""

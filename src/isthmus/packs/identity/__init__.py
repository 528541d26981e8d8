"""Owns who of staff is who, how they prove it, and their roles. Says nothing of what a role may: policies do."""

"""Connections to the outside: payment providers and others."""

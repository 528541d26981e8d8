"""Webhooks at work."""

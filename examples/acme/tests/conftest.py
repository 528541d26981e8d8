"""Tests run on the platform that isthmus.toml names, each on a fresh database of a real PostgreSQL."""

from isthmus.testing.platform import platform, server_url

__all__ = ["platform", "server_url"]

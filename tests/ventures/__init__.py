"""Ventures: the real one runs on Node beside the platform, and others say what is not so."""

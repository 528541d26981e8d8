"""The three shops, in a real browser over a real server."""

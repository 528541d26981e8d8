"""The grocer's own shop: a client of the public API, like any other."""

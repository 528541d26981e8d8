"""Books: a front end of its own, owned by books."""

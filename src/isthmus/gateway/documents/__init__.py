"""What the API documents say, to machines and to people."""

"""The console's pages of signing in, of staff, and of one's own account."""

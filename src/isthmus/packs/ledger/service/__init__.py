"""The books at work."""

"""Changes of code that the platform writes itself: proved on recorded calls, and left for somebody to review."""

"""How thin the platform is: what is observed of recorded calls, the index over it, and what to do about it."""

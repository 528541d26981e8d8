"""Owns the log of what commands did and who asked for it, and the proofs that nobody changed it. Judges nothing."""

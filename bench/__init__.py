"""Benchmarks: every figure as a ratio, with the peer or the limit measured in the same run."""

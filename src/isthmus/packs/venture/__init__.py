"""Ventures: businesses outside, on a stack of their own, that owe the group four things and nothing else."""

"""Owns feature flags of front ends: what is on for whom, since when and by whom, and experiments over them.

Does not own the answers that a flag switches (front ends declare them) nor the segments that rules name (members have
them, and the data platform works them out).
"""

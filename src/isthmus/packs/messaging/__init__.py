"""Owns what apps are pushed: where devices are reached, what was sent to whom, and the inbox, which is the truth.

Does not own consent (members give it) nor devices (they have keys of their own): it asks for both before each time.
"""

"""Owns the devices of apps: their keys, whose they are, and which of them are cut off.

Does not own who is signed in: a device is bound to a session of others, and ends with it.
"""

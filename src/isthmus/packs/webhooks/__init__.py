"""Owns webhooks: the addresses of other systems that events are sent to, their secrets, and what was sent.

Does not own the events (the platform keeps them) nor who may see which: a front end's own, and those it was granted.
"""

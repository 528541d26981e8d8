"""Owns releases of apps: what was published for which platform and channel, who is given it, and how it fares.

Does not own stores of apps (it hands out what lies here, or an address) nor what an app does with an update.
"""

"""Owns what apps change while they are offline: documents of a scope, the operations on them, and what met on the way.

Decides nothing of stock or money: a basket here is what somebody wants, and a preview of the order says what it costs.
"""

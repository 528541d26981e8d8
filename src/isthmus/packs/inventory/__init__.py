"""Owns stock by SKU and location, reservations, and the movements that explain every unit.

Does not own what an SKU is (catalog), who ordered it (order), or how it travels (fulfilment).
"""

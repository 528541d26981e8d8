"""Owns how goods reach the buyer: methods, zones, slots, fees and promises, shipments and their parcels.

Does not own the stock that leaves (inventory), the order (order), or what was paid for delivery (payment).
"""

"""Exits: a pack is written as a service that stands alone, put in the pack's place, and compared call by call."""

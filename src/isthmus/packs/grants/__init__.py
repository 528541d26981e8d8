"""Owns who shares what with whom: grants of rows, given and withdrawn by their owner.

Does not own the rows (each pack has its own) nor what `use` means for them; it says who may, how far and until when.
"""

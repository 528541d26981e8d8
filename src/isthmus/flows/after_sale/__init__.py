"""Owns the way back: goods into stock, money to the buyer. Does not own returns themselves: orders keep those."""

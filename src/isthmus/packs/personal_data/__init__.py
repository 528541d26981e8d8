"""Owns what is known of personal data: the register of it. It keeps none itself."""

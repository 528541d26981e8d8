"""The marketplace: many sellers, one basket."""

"""The demo: one company, three business lines, a year of real baskets."""

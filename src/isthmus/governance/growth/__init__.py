"""Whether a line of business still grows, towards which limit, and when it flattens."""

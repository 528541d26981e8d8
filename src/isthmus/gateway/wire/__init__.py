"""Bytes of a request and of an answer: their limits, their form, and refusals."""

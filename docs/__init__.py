"""The documentation; `python -m docs.generate` writes the part of it that follows from the code."""

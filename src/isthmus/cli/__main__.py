"""`python -m isthmus.cli` is `isthmus`."""

from .main import main

main()

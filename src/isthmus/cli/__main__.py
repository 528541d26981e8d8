"""`python -m isthmus.cli` is `isthmus`."""

from . import main

main()

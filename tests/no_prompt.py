"""Imported first where processes are forked: says that nobody sits at a prompt.

A program without a file is a person at a prompt to DuckDB, which looks when it is imported, and prints its progress
between what the program says as soon as a question takes two seconds: on a busy machine, that is.
"""

import sys

main = sys.modules["__main__"]
if not hasattr(main, "__file__"):
    main.__file__ = __file__

"""Messages, decided: which addresses are the same one, and when a try comes again."""

from __future__ import annotations

import hashlib
from datetime import timedelta

from isthmus.values import folded

RETRY_FIRST = timedelta(minutes=2)  # longer than a delivery's deadline: until then its own try may still be under way
RETRY_LAST = timedelta(hours=1)


def address_hash(front_end: str, medium: str, address: str) -> bytes:
    """Return what an address is known again by once it is forgotten, in the one form in which e-mails are compared."""
    return hashlib.sha256("\0".join((front_end, medium, folded(address))).encode()).digest()

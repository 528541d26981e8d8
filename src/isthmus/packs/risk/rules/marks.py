"""Marks in their one form, and the keyed hash that is kept of them; pure."""

from __future__ import annotations

import hmac
import unicodedata
from collections.abc import Sequence
from typing import Final

from .. import api

BY_MARK: Final = "mark/"  # before a reference that was made of a mark


def hashes(marks: Sequence[api.Mark], key: bytes) -> tuple[list[str], list[bytes]]:
    """Return the kinds and keyed hashes of marks, each kind once: the last one said counts."""
    found = {one.kind: hash_of(one, key) for one in marks}
    return list(found), list(found.values())


def reference_of(mark: api.Mark, key: bytes) -> str:
    """Return by what somebody who comes again is known, where nothing else names what they want."""
    return f"{BY_MARK}{hash_of(mark, key).hex()[:32]}"


def hash_of(mark: api.Mark, key: bytes) -> bytes:
    """Return what is kept of a mark: nobody without the key can try out whose it is."""
    return hmac.digest(key, f"{mark.kind}\0{_plain(mark.value)}".encode(), "sha256")


def _plain(value: str) -> str:
    """Return a value as it is compared: letters that look alike in form, no case, no spaces that say nothing."""
    return " ".join(unicodedata.normalize("NFKC", value).casefold().split())

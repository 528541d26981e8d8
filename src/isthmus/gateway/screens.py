"""A screen over HTTP: an answer that its asker may keep until it changes, and as many calls as it has parts."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final

from isthmus.kernel.host import Release
from isthmus.screens import Part, parts_of

from .pages import Reply

# Of who asks alone: another key may see other parts, and other things in them.
KEPT: Final = ((b"cache-control", b"private, no-cache"), (b"vary", b"authorization"))


def calls_of(release: Release, front_end: str, name: str) -> int:
    """Return how many calls a screen makes, and 0 for what is no screen."""
    if not name.startswith(f"{front_end}.") or (line := release.lines.get(front_end)) is None:
        return 0
    offered = line.offered.get(name)
    return sum(isinstance(one, Part) for one in parts_of(offered.implementation).values()) if offered else 0


def kept_answer(body: bytes, headers: Mapping[bytes, bytes]) -> Reply:
    """Return an answer under its tag, or that it is what the asker has (RFC 9110, 13.1.2)."""
    tag = b'"%s"' % hashlib.blake2b(body, digest_size=16).hexdigest().encode()
    known = {one.strip().removeprefix(b"W/") for one in headers.get(b"if-none-match", b"").split(b",")}
    sent = (*KEPT, (b"etag", tag))
    return Reply(status=304, headers=sent) if tag in known else Reply(body=body, headers=sent)

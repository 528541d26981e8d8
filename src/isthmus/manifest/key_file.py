"""Files of keys that packs make where there is none: read by their owner alone, and one for all processes."""

from __future__ import annotations

import os
from pathlib import Path


def make_once(file: Path, key: bytes) -> None:
    """Write a new key; of several processes that do, the first one's stays. Raises OSError."""
    file.parent.mkdir(parents=True, exist_ok=True)
    own = file.with_name(f"{file.name}.{os.getpid()}")
    with os.fdopen(os.open(own, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as written:
        written.write(key)
    try:
        os.link(own, file)
    except FileExistsError:
        pass
    finally:
        own.unlink()

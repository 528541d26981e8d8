"""What must be read again, such as the secret of a second factor, is sealed under a key of the platform's data.

So a copy of the database alone gives nobody a second factor.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .. import api

NONCE: Final = 12  # bytes, as AES-GCM has it
KEY_BITS: Final = 256


class Vault:
    """Seals and opens, with the key of a file, which is made where there is none."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def seal(self, text: str, of: str) -> bytes:
        """Return a text sealed; of: whose it is, so that it opens for nobody else."""
        nonce = os.urandom(NONCE)
        return nonce + self._cipher().encrypt(nonce, text.encode(), of.encode())

    def open(self, sealed: bytes, of: str) -> str:
        """Return what was sealed. Raises NoKey where it was sealed under another key, or for somebody else."""
        try:
            return self._cipher().decrypt(sealed[:NONCE], sealed[NONCE:], of.encode()).decode()
        except InvalidTag as wrong:
            raise api.NoKey(file=str(self._file), because="what is kept was sealed under another one") from wrong

    def _cipher(self) -> AESGCM:
        try:
            if not self._file.exists():
                _make(self._file)
            return AESGCM(self._file.read_bytes())
        except (OSError, ValueError) as wrong:
            raise api.NoKey(file=str(self._file), because=str(wrong)) from wrong


def _make(file: Path) -> None:
    """Write a new key; of several processes that do, the first one's stays."""
    file.parent.mkdir(parents=True, exist_ok=True)
    own = file.with_name(f"{file.name}.{os.getpid()}")
    with os.fdopen(os.open(own, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as written:
        written.write(AESGCM.generate_key(KEY_BITS))
    try:
        os.link(own, file)
    except FileExistsError:
        pass
    finally:
        own.unlink()

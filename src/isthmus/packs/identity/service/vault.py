"""What must be read again, such as the secret of a second factor, is sealed under a key of the platform's data.

So a copy of the database alone gives nobody a second factor.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from isthmus.manifest.key_file import make_once

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
                make_once(self._file, AESGCM.generate_key(KEY_BITS))
            return AESGCM(self._file.read_bytes())
        except (OSError, ValueError) as wrong:
            raise api.NoKey(file=str(self._file), because=str(wrong)) from wrong

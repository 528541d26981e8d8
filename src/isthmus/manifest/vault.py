"""What packs must read again, such as the secret of a second factor, sealed under a key of the platform's data.

So a copy of the database alone gives it to nobody.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from isthmus.kernel import errors

from .key_file import make_once

NONCE: Final = 12  # bytes, as AES-GCM has it
KEY_BITS: Final = 256


class NoKey(Protocol):
    """Makes the error of a pack for a key that cannot be used."""

    def __call__(self, *, file: str, because: str) -> errors.Fault: ...


class Vault:
    """Seals and opens, with the key of a file, which is made where there is none. no_key: what is raised without."""

    def __init__(self, file: Path, no_key: NoKey) -> None:
        self._file = file
        self._no_key = no_key

    def seal(self, text: str, of: str) -> bytes:
        """Return a text sealed; of: whose it is, so that it opens for nobody else."""
        nonce = os.urandom(NONCE)
        return nonce + self._cipher().encrypt(nonce, text.encode(), of.encode())

    def open(self, sealed: bytes, of: str) -> str:
        """Return what was sealed. Raises what is raised without a key, for another key or somebody else as well."""
        try:
            return self._cipher().decrypt(sealed[:NONCE], sealed[NONCE:], of.encode()).decode()
        except InvalidTag as wrong:
            raise self._no_key(file=str(self._file), because="what is kept was sealed under another one") from wrong

    def _cipher(self) -> AESGCM:
        try:
            if not self._file.exists():
                make_once(self._file, AESGCM.generate_key(KEY_BITS))
            return AESGCM(self._file.read_bytes())
        except (OSError, ValueError) as wrong:
            raise self._no_key(file=str(self._file), because=str(wrong)) from wrong

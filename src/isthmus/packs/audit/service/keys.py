"""The key that signs heads: an Ed25519 key in a file that the platform alone reads."""

from __future__ import annotations

import hashlib
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from isthmus.manifest.key_file import make_once

from .. import api


def signing_key(file: Path) -> Ed25519PrivateKey:
    """Return the key of a file; where there is none, one is made there, once, whoever else makes it too.

    Raises NoKey for what is no such key.
    """
    try:
        if not file.exists():
            key = Ed25519PrivateKey.generate()
            make_once(file, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        found = load_pem_private_key(file.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as wrong:
        raise api.NoKey(file=str(file), because=str(wrong)) from wrong
    if not isinstance(found, Ed25519PrivateKey):
        raise api.NoKey(file=str(file), because=f"it is a {type(found).__name__}")
    return found


def public_key(file: Path) -> Ed25519PublicKey:
    """Return the public key of a file that holds it, or the key that signs."""
    try:
        data = file.read_bytes()
        if b"PRIVATE KEY" in data:
            return signing_key(file).public_key()
        found = load_pem_public_key(data)
    except (OSError, ValueError) as wrong:
        raise api.NoKey(file=str(file), because=str(wrong)) from wrong
    if not isinstance(found, Ed25519PublicKey):
        raise api.NoKey(file=str(file), because=f"it is a {type(found).__name__}")
    return found


def key_id(key: Ed25519PublicKey) -> str:
    """Return what a head names its key by."""
    return hashlib.sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()[:16]


def public_pem(key: Ed25519PublicKey) -> str:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def is_signed(key: Ed25519PublicKey, signature: bytes, said: bytes) -> bool:
    try:
        key.verify(signature, said)
    except InvalidSignature:
        return False
    return True

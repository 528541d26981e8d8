"""Rules of devices: which keys are taken, and what is signed by one. Pure."""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_der_public_key

PublicKey = Ed25519PublicKey | EllipticCurvePublicKey


def public_key(key: str) -> PublicKey | None:
    """Return a key that can be verified with; None where it is of another kind, or none."""
    try:
        found = load_der_public_key(bytes.fromhex(key))
    except (ValueError, UnsupportedAlgorithm):
        return None
    if isinstance(found, EllipticCurvePublicKey):
        return found if isinstance(found.curve, SECP256R1) else None
    return found if isinstance(found, Ed25519PublicKey) else None


def is_signed(key: PublicKey, said: bytes, signature: str) -> bool:
    """True where a key has signed these bytes: 64 bytes in hex, of P-256 as r and s."""
    raw = bytes.fromhex(signature)
    try:
        if isinstance(key, Ed25519PublicKey):
            key.verify(raw, said)
        else:
            dss = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
            key.verify(dss, said, ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True

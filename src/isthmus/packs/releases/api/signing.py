"""What is signed, and how a client takes a delta: exactly these bytes, or nothing."""

from __future__ import annotations

import hashlib
from typing import Any

import bsdiff4

from isthmus.kernel import encode

from .errors import WrongDelta
from .model import AppRelease, Delta, Train

_bsdiff: Any = bsdiff4  # it says nothing of its types


def signed_bytes(release: AppRelease) -> bytes:
    """Return what a release's signature is over: what it is, for whom it is, and the hash of its artefact."""
    return release_bytes(release.train, release.version, release.sha256, release.url)


def release_bytes(train: Train, version: str, sha256: str | None, url: str | None) -> bytes:
    """Return the same, before there is a release."""
    return encode(["isthmus-release-1", train.app, train.platform, train.channel, version, sha256, url])


def delta_bytes(base_sha256: str, sha256: str, delta_sha256: str) -> bytes:
    """Return what a delta's signature is over."""
    return encode(["isthmus-delta-1", base_sha256, sha256, delta_sha256])


def apply_delta(base: bytes, delta: Delta, content: bytes, key: str) -> bytes:
    """Return the artefact that a delta leads to, to the byte; clients in Python call it, others do the same.

    Raises WrongDelta: another base, another file, a signature that is not the platform's, another result.
    """
    from cryptography.exceptions import InvalidSignature  # here: help of the command line waits for none of it
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    if hashlib.sha256(base).hexdigest() != delta.base_sha256:
        raise WrongDelta(because="the delta is for another base")
    if hashlib.sha256(content).hexdigest() != delta.delta_sha256:
        raise WrongDelta(because="the delta's file is another one than was signed")
    try:
        signed = delta_bytes(delta.base_sha256, delta.sha256, delta.delta_sha256)
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(bytes.fromhex(delta.signature), signed)
    except (InvalidSignature, ValueError):
        raise WrongDelta(because="the delta was not signed by this platform") from None
    found: bytes = _bsdiff.patch(base, content)
    if hashlib.sha256(found).hexdigest() != delta.sha256:
        raise WrongDelta(because="the delta leads to something else")
    return found

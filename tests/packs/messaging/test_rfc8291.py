"""Pushes are encrypted as RFC 8291 says: read by what is written here from it, held to the RFC's own example."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from isthmus.packs.messaging.service.web import encrypted

from .services import text

# Appendix A: what a browser has, and what it is pushed.
SAID = b"When I grow up, I want to be a watermelon"
PRIVATE = "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94"
PUBLIC = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
AUTH = "BTBZMqHH6r4Tts7J_aSIgg"
PUSHED = (
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_"
    "yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
)


def test_the_example_of_the_rfc_is_read() -> None:
    assert _read(_bytes(PUSHED)) == SAID


@pytest.mark.parametrize("said", [SAID, "Ripe now: 杏".encode(), bytes(3_800)])
def test_what_is_pushed_is_read_as_the_rfc_says(said: bytes) -> None:
    pushed, again = (encrypted(said, PUBLIC, AUTH) for _ in range(2))
    assert _read(pushed) == said
    assert len(pushed) <= 4_096  # what services take
    assert pushed[:16] != again[:16]  # a salt, and
    assert pushed[21:86] != again[21:86]  # a key, of each push alone


def _read(pushed: bytes) -> bytes:
    """Decrypt one record (section 3.4, with the header of RFC 8188)."""
    salt, length, sender = pushed[:16], pushed[20], pushed[21 : 21 + pushed[20]]
    assert int.from_bytes(pushed[16:20]) >= len(pushed) - 21 - length
    key = ec.derive_private_key(int.from_bytes(_bytes(PRIVATE)), ec.SECP256R1())
    shared = key.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), sender))
    secret = _derived(shared, _bytes(AUTH), b"WebPush: info\0" + _bytes(PUBLIC) + sender, 32)
    content = _derived(secret, salt, b"Content-Encoding: aes128gcm\0", 16)
    nonce = _derived(secret, salt, b"Content-Encoding: nonce\0", 12)
    plain = AESGCM(content).decrypt(nonce, pushed[21 + length :], None)
    said = plain.rstrip(b"\0")  # padding
    assert said.endswith(b"\2")  # the last record
    return said[:-1]


def _derived(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(SHA256(), length, salt, info).derive(secret)


def _bytes(written: str) -> bytes:
    raw = base64.urlsafe_b64decode(written + "=" * (-len(written) % 4))
    assert text(raw) == written
    return raw

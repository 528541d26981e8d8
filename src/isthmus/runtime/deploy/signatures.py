"""Who deploys is proved: an Ed25519 signature by a person's own key over the content, what is wanted, and a challenge.

    challenge (good once) ──▶ statement ──▶ signed by the person ──▶ checked before any code of the folder runs

The challenge is the database's, so a signature that was seen is of no use again, nor at another platform, and no clock
but the database's counts. Each signature is kept with its version, with what it is over.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from isthmus.kernel import Value, errors, ports
from isthmus.manifest.signers import Signer
from isthmus.store import Database

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

Act = Literal["deploy", "approve"]

GOOD_FOR_S: Final = 900  # to pack, to unlock a key and to send 8 MB
CHALLENGES_MAX: Final = 10_000  # open at once: whoever deploys has a key, and asks for one each time
KEY_DIGITS: Final = 16  # of the SHA-256 of a public key, by which it is named

_CHALLENGE: Final = "insert into runtime.challenge (challenge) values ($1)"
_PRUNE: Final = f"delete from runtime.challenge where made_at < now() - make_interval(secs => {GOOD_FOR_S})"
_COUNT: Final = "select count(*) from runtime.challenge"
_USE: Final = f"""
    delete from runtime.challenge where challenge = $1
    returning made_at > now() - make_interval(secs => {GOOD_FOR_S})"""
_KEEP: Final = """
    insert into runtime.signature (front_end, hash, act, person, key, public_key, statement, signature)
    values ($1, $2, $3, $4, $5, $6, $7, $8)"""


class BadSignature(errors.NotPermitted):
    """The signature is not of this key over this content."""

    slug = "runtime.bad-signature"


class Unsigned(errors.NotPermitted):
    """The front end takes signed deploys alone."""

    slug = "runtime.unsigned"

    def __init__(self, code: str) -> None:
        super().__init__(
            f"front end {code!r} takes deploys alone that a person has signed, and this one is not signed",
            remedy="sign it with your own key: isthmus deploy FOLDER --signing-key FILE",
        )


class ChallengeSpent(errors.NotPermitted):
    """What was signed is over a challenge that was used, is too old, or is of another platform."""

    slug = "runtime.challenge-spent"

    def __init__(self) -> None:
        super().__init__(
            f"this was signed for a challenge that was used already, is over {GOOD_FOR_S // 60} minutes old, or is of "
            "another platform",
            remedy="deploy again: it asks for another challenge and signs that",
        )


class Signature(Value):
    """What is sent along: which key, for which challenge, and the signature, as hexadecimal digits."""

    key: str
    challenge: str
    signature: str

    @property
    def text(self) -> str:
        """Return it as one word, for a header or an argument."""
        return f"{self.key}:{self.challenge}:{self.signature}"


def read(text: str) -> Signature:
    """Return a signature from its one word. Raises BadAsk."""
    parts = text.split(":")
    if len(parts) == 3 and all(part and set(part) <= set("0123456789abcdef") for part in parts):
        key, challenge_, signature = parts
        if (len(key), len(challenge_), len(signature)) == (KEY_DIGITS, 64, 128):
            return Signature(key=key, challenge=challenge_, signature=signature)
    raise errors.BadAsk(f"{text[:40]!r} is no signature", remedy="send KEY:CHALLENGE:SIGNATURE", path="signature")


def statement(act: Act, challenge_: str, digest: str, **said: object) -> bytes:
    """Return what is signed: lines that a person can read. digest: of the files."""
    lines = [f"isthmus {act} 1", f"challenge {challenge_}", f"files {digest}"]
    lines += [f"{name} {value}" for name, value in sorted(said.items())]
    return ("\n".join(lines) + "\n").encode()


class SigningKey:
    """A person's own key, from a file: PEM, or as ssh-keygen writes it. Raises BadAsk for what is no such key."""

    def __init__(self, file: Path, ask: Callable[[], str] | None = None) -> None:
        """Read it; ask: for the passphrase, where the file has one."""
        self._key = _private_key(file, ask)

    @property
    def name(self) -> str:
        """Return what the key is named by."""
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        return key_name(self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))

    def signed(self, act: Act, challenge_: str, digest: str, **said: object) -> Signature:
        """Sign a statement."""
        signature = self._key.sign(statement(act, challenge_, digest, **said))
        return Signature(key=self.name, challenge=challenge_, signature=signature.hex())


def key_name(public_key: bytes) -> str:
    """Return what a public key is named by: the first digits of its SHA-256."""
    return hashlib.sha256(public_key).hexdigest()[:KEY_DIGITS]


async def challenge(database: Database) -> str:
    """Return a new challenge, which is good once and not for long. Raises TooMany."""
    made = secrets.token_hex(32)
    async with database.platform_transaction() as session:
        await session.execute(_PRUNE)
        if await session.fetch_value(_COUNT) >= CHALLENGES_MAX:
            raise errors.TooMany("too many deploys were begun and not signed", remedy="try again in some minutes")
        await session.execute(_CHALLENGE, made)
    return made


async def check(database: Database, sent: Signature, signer: Signer, said: bytes) -> None:
    """Raise BadSignature where this is not the key's signature over what is said, ChallengeSpent for a used one.

    A challenge is used up by what is signed for it alone, so that nobody else uses up another's.
    """
    if not is_signed(signer.public_key, bytes.fromhex(sent.signature), said):
        raise BadSignature(
            f"the signature is not of key {sent.key!r} over this content and what was asked for with it",
            remedy="send what was signed, unchanged: isthmus deploy does both",
        )
    async with database.platform() as session:
        if not await session.fetch_value(_USE, sent.challenge):
            raise ChallengeSpent


def is_signed(public_key: bytes, signature: bytes, said: bytes) -> bool:
    """Say whether this is a key's signature over what is said."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, said)
    except (InvalidSignature, ValueError):
        return False
    return True


async def keep(
    session: ports.Session, code: str, hash_: str, act: Act, signer: Signer, sent: Signature, said: bytes
) -> None:
    """Keep a signature that was checked with the version that it is over."""
    await session.execute(
        _KEEP, code, hash_, act, signer.person.name, signer.key, signer.public_key, said.decode(),
        bytes.fromhex(sent.signature),
    )  # fmt: skip


def _private_key(file: Path, ask: Callable[[], str] | None) -> Ed25519PrivateKey:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_ssh_private_key

    try:
        held = file.read_bytes()
        load = load_ssh_private_key if b"OPENSSH PRIVATE KEY" in held else load_pem_private_key
        try:
            found = load(held, None)
        except TypeError:  # it has a passphrase
            if ask is None:
                raise
            found = load(held, ask().encode())
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as wrong:
        raise errors.BadAsk(
            f"{file} holds no key to sign with: {wrong}",
            remedy="make one: isthmus security new-signing-key FILE",
            path="signing-key",
        ) from wrong
    if not isinstance(found, Ed25519PrivateKey):
        raise errors.BadAsk(
            f"{file} holds a {type(found).__name__}, and deploys are signed with Ed25519",
            remedy="make one: isthmus security new-signing-key FILE",
            path="signing-key",
        )
    return found

"""Keys that people sign with: added, replaced with an overlap, revoked; and whose a key is that signed something."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_public_key,
    load_ssh_public_key,
)

from isthmus.kernel import Caller
from isthmus.language import mark
from isthmus.manifest import Place
from isthmus.manifest.key_file import make_once
from isthmus.manifest.sign_in import SignIn
from isthmus.manifest.signers import Signer

from .. import api
from ..storage import people, signing_keys
from .staff import Staff, found_person, person_of, who

DAYS: Final = 365
DAYS_MAX: Final = 3_650
OVERLAP_DAYS: Final = 7  # that a key which is replaced goes on for: what is under way was signed with it
TEXT_MAX: Final = 1_000
LABEL_MAX: Final = 100

_WHY: Final = {"ended": mark("it has ended"), "revoked": mark("it was revoked")}


class SigningKeys:
    """Knows whose key is whose: what deploys ask."""

    def __init__(self, staff: Staff) -> None:
        self._staff = staff

    async def signer(self, key: str) -> Signer:
        """Return whose key this is, with the roles of now. Raises UnknownKey, KeyNoLonger."""
        async with self._staff.database.platform() as session:
            row = await signing_keys.find(session, key)
            person = await people.find_person(session, id=row["person_id"]) if row else None
        if row is None or person is None:
            raise api.UnknownKey(key=key)
        if row["state"] != "good":
            raise api.KeyNoLonger(key=key, name=person["name"], because=_WHY[row["state"]])
        if person["state"] != "active":
            raise api.KeyNoLonger(key=key, name=person["name"], because=mark("they may sign in no more"))
        return Signer(person=person_of(person["name"], person), key=key, public_key=row["public_key"])


async def add(
    staff: Staff, name: str, text: str, by: Caller, *, label: str = "", days: int = DAYS, replaces: str = ""
) -> api.SigningKey:
    """Have somebody sign with a key from now on, known by its public part in PEM or as ssh-keygen writes it.

    replaces: a key of theirs that goes on for a week. Raises WrongKey, NoSuchPerson, AlreadyHere, UnknownKey.
    """
    public_key = public_key_of(text)
    key = hashlib.sha256(public_key).hexdigest()[: api.KEY_DIGITS]
    async with staff.act(by, "people.add-signing-key", name=name, key=key, replaces=replaces) as (session, _):
        row = await found_person(session, name)
        if await signing_keys.find(session, key) is not None:
            raise api.AlreadyHere(what=mark("this key"))
        label, days = label.strip()[:LABEL_MAX], max(1, min(days, DAYS_MAX))
        await signing_keys.add(session, key, row["person_id"], public_key, label, who(by), days)
        if replaces and not await signing_keys.end(session, replaces, row["person_id"], OVERLAP_DAYS):
            raise api.UnknownKey(key=replaces)
        (made,) = await signing_keys.find_all(session, key=key)
    return made


async def revoke(staff: Staff, key: str, by: Caller, *, of: str = "") -> None:
    """Have a key sign nothing any more, at once; of: only where it is this person's. Raises UnknownKey."""
    async with staff.act(by, "people.revoke-signing-key", key=key) as (session, said):
        name = await signing_keys.revoke(session, key, of, who(by))
        if name is None:
            raise api.UnknownKey(key=key)
        said["name"] = name


async def keys_of(staff: Staff, name: str = "") -> tuple[api.SigningKey, ...]:
    """Return the keys of somebody, or of everybody."""
    async with staff.database.platform() as session:
        return await signing_keys.find_all(session, name=name)


def public_key_of(text: str) -> bytes:
    """Return the 32 bytes of a public key. Raises WrongKey, also for a private one, which is to be sent nowhere."""
    held = text.strip().encode()
    if len(held) > TEXT_MAX:
        raise api.WrongKey(because=mark("it is too long"))
    if b"PRIVATE KEY" in held:
        raise api.WrongKey(because=mark("it is a private one, which you keep to yourself: make another key now"))
    try:
        found = load_ssh_public_key(held) if held.startswith(b"ssh-") else load_pem_public_key(held)
    except (ValueError, UnsupportedAlgorithm) as wrong:
        raise api.WrongKey(because=mark("it cannot be read")) from wrong
    if not isinstance(found, Ed25519PublicKey):
        raise api.WrongKey(because=mark("it is of another kind"))
    return found.public_bytes(Encoding.Raw, PublicFormat.Raw)


def new_key(file: Path) -> str:
    """Make a key in a file that its owner alone reads, and return its public part. Raises AlreadyHere."""
    made = Ed25519PrivateKey.generate()
    if file.exists():
        raise api.AlreadyHere(what=f"the file {file}")
    make_once(file, made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return made.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def signing_keys_at(place: Place) -> SigningKeys:
    return SigningKeys(place.resource(SignIn))

"""Keys that people sign with: whose they are, until when, and what becomes of what is no such key."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat, PublicFormat

from isthmus.kernel import errors
from isthmus.packs.identity import api
from isthmus.packs.identity.service import signing
from isthmus.runtime.deploy.signatures import SigningKey

from .conftest import CLI, Office, as_person


def _pem(key: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


async def test_a_key_is_of_one_person_and_named_as_whoever_signs_names_it(office: Office, tmp_path: Path) -> None:
    await office.hire("ada", "owner")
    await office.hire("bob", "deployer")
    public = signing.new_key(tmp_path / "key")
    made = await signing.add(office.staff, "ada", public, as_person("ada"), label="laptop")
    assert made.key == SigningKey(tmp_path / "key").name
    assert (tmp_path / "key").stat().st_mode & 0o077 == 0
    with pytest.raises(api.AlreadyHere):
        await signing.add(office.staff, "bob", public, as_person("bob"))
    signer = await signing.SigningKeys(office.staff).signer(made.key)
    assert (signer.person.name, signer.person.roles_at("north")) == ("ada", ("owner",))
    assert ("people.add-signing-key", "done", "ada") in [
        (one["action"], one["outcome"], one["person"]) for one in await office.written()
    ]


async def test_a_key_that_is_replaced_goes_on_for_a_week_and_never_longer_than_it_would_have(
    office: Office, tmp_path: Path
) -> None:
    await office.hire("ada", "owner")
    old = await signing.add(office.staff, "ada", signing.new_key(tmp_path / "old"), CLI)
    short = await signing.add(office.staff, "ada", signing.new_key(tmp_path / "short"), CLI, days=1)
    for number, one in enumerate((old, short)):
        await signing.add(office.staff, "ada", signing.new_key(tmp_path / f"new-{number}"), CLI, replaces=one.key)
    ends = {one.key: one.ends_at for one in await signing.keys_of(office.staff, "ada")}
    assert ends[old.key] - datetime.now(UTC) < timedelta(days=7)
    assert ends[short.key] == short.ends_at
    assert (await signing.SigningKeys(office.staff).signer(old.key)).person.name == "ada"


async def test_nobody_revokes_or_replaces_the_key_of_somebody_else_on_their_own_page(
    office: Office, tmp_path: Path
) -> None:
    await office.hire("ada", "owner")
    await office.hire("bob", "deployer")
    key = (await signing.add(office.staff, "ada", signing.new_key(tmp_path / "key"), CLI)).key
    with pytest.raises(api.UnknownKey):
        await signing.revoke(office.staff, key, as_person("bob"), of="bob")
    with pytest.raises(api.UnknownKey):
        await signing.add(office.staff, "bob", signing.new_key(tmp_path / "bob"), as_person("bob"), replaces=key)
    assert (await signing.SigningKeys(office.staff).signer(key)).person.name == "ada"
    assert await signing.keys_of(office.staff, "bob") == ()
    await signing.revoke(office.staff, key, CLI)
    with pytest.raises(api.KeyNoLonger):
        await signing.SigningKeys(office.staff).signer(key)


def test_what_is_no_public_key_of_the_kind_is_refused_with_why(tmp_path: Path) -> None:
    signing.new_key(tmp_path / "key")
    held = {
        "a private one": (tmp_path / "key").read_text(),
        "cannot be read": "ssh-ed25519 AAAA",
        "another kind": _pem(ec.generate_private_key(ec.SECP256R1())),
        "too long": "x" * 2_000,
    }
    for why, text in held.items():
        with pytest.raises(api.WrongKey, match=why):
            signing.public_key_of(text)
    key = ed25519.Ed25519PrivateKey.generate()
    ssh = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    assert signing.public_key_of(f"{ssh} ada@laptop\n") == signing.public_key_of(_pem(key))


def test_a_key_with_a_passphrase_is_opened_with_it_and_no_file_is_written_over(tmp_path: Path) -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"open"))
    (tmp_path / "key").write_bytes(locked)
    with pytest.raises(errors.BadAsk):
        SigningKey(tmp_path / "key")
    with pytest.raises(errors.BadAsk):
        SigningKey(tmp_path / "key", lambda: "wrong")
    assert SigningKey(tmp_path / "key", lambda: "open").name
    with pytest.raises(api.AlreadyHere):
        signing.new_key(tmp_path / "key")
    assert (tmp_path / "key").read_bytes() == locked

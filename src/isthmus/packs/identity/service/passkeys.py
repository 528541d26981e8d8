"""Passkeys (WebAuthn): added by who is signed in, and enough to sign in: the device asks who is at it.

A challenge is sealed under the platform's key, and good once and for five minutes: who is not signed in writes nothing.
"""

from __future__ import annotations

import json
from typing import Any, Final, cast
from urllib.parse import urlsplit

from isthmus.kernel import Caller, ports
from isthmus.language import mark
from isthmus.manifest.actions import EVERYWHERE

from .. import api, rules
from ..storage import people as storage
from .entering import Browser, Entered, entered
from .staff import Staff, found_person

CHALLENGE_S: Final = 300
CREDENTIAL_MAX: Final = 20_000  # characters of what a browser sends
ANYBODY: Final = "a passkey"
HOW: Final = mark("passkey")
_REFUSED: Final = mark("this passkey did not prove who this is")


async def options_to_add(staff: Staff, name: str, site: str) -> str:
    """Return what a browser makes a passkey by, as JSON."""
    import webauthn
    from webauthn.helpers import structs

    async with staff.database.platform() as session:
        person = await found_person(session, name)
        held = await storage.passkeys(session, person["person_id"])
        challenge = await _challenge(staff, session, str(person["person_id"]))
    options = webauthn.generate_registration_options(
        rp_id=_host(site),
        rp_name="Isthmus",
        user_name=name,
        user_id=str(person["person_id"]).encode(),
        challenge=challenge,
        authenticator_selection=structs.AuthenticatorSelectionCriteria(
            resident_key=structs.ResidentKeyRequirement.REQUIRED,
            user_verification=structs.UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=[structs.PublicKeyCredentialDescriptor(id=row["credential"]) for row in held],
    )
    return webauthn.options_to_json(options)


async def options_to_enter(staff: Staff, site: str) -> str:
    """Return what a browser proves a passkey by, as JSON; whose it is, it says itself."""
    import webauthn
    from webauthn.helpers import structs

    async with staff.database.platform() as session:
        challenge = await _challenge(staff, session, ANYBODY)
    verified = structs.UserVerificationRequirement.REQUIRED
    return webauthn.options_to_json(
        webauthn.generate_authentication_options(rp_id=_host(site), challenge=challenge, user_verification=verified)
    )


async def add(staff: Staff, name: str, site: str, credential: str, agent: str) -> None:
    """Add the passkey that a browser made. Raises NotSignedIn where it is not for this site, person and challenge."""
    import webauthn
    from webauthn.helpers.exceptions import WebAuthnException

    async with staff.act(_self(name), "people.add-passkey") as (session, _):
        person = await found_person(session, name)
        challenge = await _answered(staff, session, credential, str(person["person_id"]))
        try:
            made = webauthn.verify_registration_response(
                credential=credential,
                expected_challenge=challenge,
                expected_rp_id=_host(site),
                expected_origin=site,
                require_user_verification=True,
            )
        except (WebAuthnException, ValueError) as wrong:
            raise api.NotSignedIn(because=_REFUSED) from wrong
        await storage.add_passkey(
            session, made.credential_id, person["person_id"], made.credential_public_key, made.sign_count, site, agent
        )


async def by_passkey(staff: Staff, site: str, credential: str, browser: Browser) -> Entered:
    """Sign in by a passkey; a second factor is not asked for, since the device asked. Raises NotSignedIn."""
    import webauthn
    from webauthn.helpers.exceptions import WebAuthnException

    async with staff.database.platform() as looking:
        row = await storage.passkey(looking, _id(credential))
    if row is None or row["state"] != "active" or row["site"] != site:
        raise api.NotSignedIn(because=mark("this passkey is not known here"))
    async with staff.act(_self(row["name"]), "people.sign-in", how=HOW) as (session, _):
        challenge = await _answered(staff, session, credential, ANYBODY)
        try:
            proved = webauthn.verify_authentication_response(
                credential=credential,
                expected_challenge=challenge,
                expected_rp_id=_host(site),
                expected_origin=site,
                credential_public_key=row["public_key"],
                credential_current_sign_count=row["sign_count"],
                require_user_verification=True,
            )
        except (WebAuthnException, ValueError) as wrong:
            raise api.NotSignedIn(because=_REFUSED) from wrong
        if not await storage.use_passkey(session, row["credential"], proved.new_sign_count):
            raise api.NotSignedIn(because=_REFUSED)
        return await entered(session, row["person_id"], browser, how=HOW, has_code=True)


async def remove(staff: Staff, name: str, number: int) -> None:
    """Remove one passkey of somebody."""
    async with staff.act(_self(name), "people.remove-passkey", number=number) as (session, _):
        person = await found_person(session, name)
        await storage.remove_passkey(session, person["person_id"], number)


async def _challenge(staff: Staff, session: ports.Session, of: str) -> bytes:
    return staff.vault.seal(str(await storage.now_s(session)), f"challenge of {of}")


async def _answered(staff: Staff, session: ports.Session, credential: str, of: str) -> bytes:
    """Return the challenge that a browser answered, and use it up. Raises NotSignedIn where it is none of ours."""
    from webauthn.helpers import base64url_to_bytes

    try:
        response: dict[str, Any] = _read(credential)["response"]
        said = cast("dict[str, Any]", json.loads(base64url_to_bytes(response["clientDataJSON"])))
        challenge = base64url_to_bytes(said["challenge"])
        made_at = int(staff.vault.open(challenge, f"challenge of {of}"))
    except (ValueError, KeyError, TypeError, api.NoKey) as wrong:
        raise api.NotSignedIn(because=_REFUSED) from wrong
    is_fresh = await storage.now_s(session) - made_at <= CHALLENGE_S
    if not is_fresh or not await storage.use_challenge(session, rules.hash_of(challenge.hex())):
        raise api.NotSignedIn(because=_REFUSED)
    return challenge


def _id(credential: str) -> bytes:
    from webauthn.helpers import base64url_to_bytes

    try:
        return base64url_to_bytes(_read(credential)["rawId"])
    except (ValueError, KeyError, TypeError) as wrong:
        raise api.NotSignedIn(because=_REFUSED) from wrong


def _read(credential: str) -> dict[str, Any]:
    if len(credential) > CREDENTIAL_MAX:
        raise ValueError("longer than any passkey's answer")
    found = json.loads(credential)
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def _host(site: str) -> str:
    return urlsplit(site).hostname or ""


def _self(name: str) -> Caller:
    return Caller(front_end=EVERYWHERE, person=name, client="console", via="console")

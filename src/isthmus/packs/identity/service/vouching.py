"""Sign-in by a provider: on the way there and back, the account that is made when somebody first comes, and logout."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hmac import compare_digest
from typing import Any, Final

from isthmus.kernel import Caller, errors, ports
from isthmus.language import mark
from isthmus.manifest.actions import EVERYWHERE

from .. import api, rules
from ..storage import people as storage
from .entering import Browser, Entered, entered
from .providers import Provider, Vouched
from .staff import Staff

AWAY_S: Final = 600  # to sign in at the provider
SEAL: Final = "a sign-in under way"
NAMES_TRIED: Final = 50
HOW: Final = mark("provider")
_WRONG: Final = mark("this sign-in was not begun here, or took too long")


async def begin(staff: Staff, name: str, back: str, next: str) -> tuple[str, str]:
    """Return where somebody signs in, and what their browser keeps until they are back. Raises ProviderAway."""
    provider = provider_of(staff, name)
    state, nonce, verifier = (rules.new_secret() for _ in range(3))
    async with staff.database.platform() as session:
        now = await storage.now_s(session)
    said = {"provider": name, "state": state, "nonce": nonce, "verifier": verifier, "next": next, "at": now}
    address = await provider.address(back=back, state=state, nonce=nonce, verifier=verifier)
    return address, staff.vault.seal(json.dumps(said), SEAL).hex()


async def come_back(
    staff: Staff, kept: str, query: Mapping[str, str], back: str, browser: Browser
) -> tuple[Entered, str]:
    """Sign in who comes back from a provider, and return where they wanted to go.

    Raises NotSignedIn, ProviderAway; LastAdministrator where the provider takes that role from the last one.
    """
    said = _kept(staff, kept)
    async with staff.database.platform() as session:
        now = await storage.now_s(session)
    is_ours = compare_digest(query.get("state", "").encode(), said["state"].encode())
    if not is_ours or now - said["at"] > AWAY_S or not query.get("code"):
        raise api.NotSignedIn(because=_WRONG)
    provider = provider_of(staff, said["provider"])
    if query.get("iss", provider.settings.issuer) != provider.settings.issuer:
        raise api.NotSignedIn(because=_WRONG)  # of another provider (RFC 9207)
    found = await provider.vouched(query["code"], back=back, nonce=said["nonce"], verifier=said["verifier"], now=now)
    return await _let_in(staff, provider, found, rules.hash_of(said["state"]), browser), said["next"]


async def _let_in(staff: Staff, provider: Provider, found: Vouched, once: bytes, browser: Browser) -> Entered:
    by = Caller(front_end=EVERYWHERE, client=f"provider {provider.name}", via="console")
    async with staff.act(by, "people.sign-in", how=HOW, provider=provider.name) as (session, said):
        if not await storage.use_challenge(session, once):
            raise api.NotSignedIn(because=_WRONG)
        id = await storage.login(session, found.issuer, found.subject) or await _made(session, found, by)
        person = await storage.find_person(session, id=id)
        if person is None or person["state"] == "disabled":
            raise api.NotSignedIn(because=mark("who this is may sign in no more"))
        said["name"] = person["name"]
        await storage.set_roles_of(session, id, by.client, found.roles)
        return await entered(session, id, browser, how=HOW, has_code=True, issuer=found.issuer, sid=found.sid)


async def _made(session: ports.Session, found: Vouched, by: Caller) -> int:
    """Make an account for who comes first; an address or name that is somebody's already gives nobody theirs."""
    await storage.lock_people(session)
    if id := await storage.login(session, found.issuer, found.subject):
        return id
    taken = found.address and await storage.find_person(session, address=found.address)
    address = None if taken else found.address
    for number in range(1, NAMES_TRIED):
        name = found.name if number == 1 else f"{found.name}-{number}"
        if await storage.find_person(session, name=name) is None:
            id = await storage.add_person(session, name, address, by.client)
            await storage.set_state(session, id, "active")
            await storage.add_login(session, found.issuer, found.subject, id)
            return id
    raise api.AlreadyHere(what=f"the name {found.name!r}, with numbers behind it,")


async def left(staff: Staff, name: str, token: str) -> int:
    """End the sign-ins that a provider says are over (OpenID Connect Back-Channel Logout 1.0); return how many."""
    provider = provider_of(staff, name)
    async with staff.database.platform() as looking:
        now = await storage.now_s(looking)
    subject, sid, number = await provider.left(token, now)
    by = Caller(front_end=EVERYWHERE, client=f"provider {name}", via="http")
    async with staff.act(by, "people.sign-out", provider=name) as (session, _):
        if not await storage.use_challenge(session, rules.hash_of(f"logout {name} {number}")):
            raise api.NotSignedIn(because=_WRONG)
        return await storage.end_sessions_of(session, provider.settings.issuer, subject, sid)


def provider_of(staff: Staff, name: str) -> Provider:
    """Return a provider of the settings. Raises NotFound."""
    if (found := staff.providers.get(name)) is None:
        raise errors.NotFound(
            f"there is no provider {name[:60]!r}", remedy="name it in [settings.identity.providers]", path="provider"
        )
    return found


def _kept(staff: Staff, kept: str) -> dict[str, Any]:
    try:
        return json.loads(staff.vault.open(bytes.fromhex(kept), SEAL))
    except (ValueError, api.NoKey) as wrong:
        raise api.NotSignedIn(because=_WRONG) from wrong

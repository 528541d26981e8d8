"""Signing in: by a link, by address and password, with a second factor; and what somebody sets for themselves."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hmac import compare_digest
from typing import Final

from isthmus.kernel import Caller, ports
from isthmus.language import mark
from isthmus.manifest.actions import EVERYWHERE

from .. import api, rules
from ..storage import people as storage
from .staff import Staff, found_person

LINK: Final = mark("link")
PASSWORD: Final = mark("password")
STEP_S: Final = 30  # of a code, as every app has it (RFC 6238)
ISSUER: Final = "Isthmus"
_SECRET: Final = re.compile(r"[A-Z2-7]{32}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Browser:
    """What somebody signs in with: where it is, what it says it is, and what it kept of earlier sign-ins."""

    address: str = ""
    agent: str = ""
    device: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entered:
    """A sign-in: the secret of the session and of the device. lacks_code: the second factor is still to come."""

    session: str
    device: str
    lacks_code: bool
    age_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Invited:
    """Whose link it is, and what they have to say still."""

    name: str
    needs_password: bool
    needs_address: bool


async def looked_at(staff: Staff, link: str) -> Invited:
    """Return whose link it is, without using it. Raises LinkSpent."""
    async with staff.database.platform() as session:
        row = await storage.link(session, link)
        person = await storage.find_person(session, id=row["person_id"]) if row else None
    if row is None or person is None or person["state"] == "disabled":
        raise api.LinkSpent
    is_new = row["kind"] == "invitation"
    return Invited(name=person["name"], needs_password=is_new, needs_address=is_new and person["address"] is None)


async def by_link(staff: Staff, link: str, browser: Browser, *, password: str = "", address: str = "") -> Entered:
    """Sign in by a link, once; who was invited sets a password. Raises LinkSpent, WeakPassword, WrongAddress."""
    found = await looked_at(staff, link)
    reached = rules.address_of(address) if found.needs_address else None
    hashed = ""
    if found.needs_password:
        rules.check_password(password, found.name, (reached or "").partition("@")[0])
        hashed = await staff.passwords.hashed(password)
    async with staff.act(_self(found.name), "people.sign-in", how=LINK) as (session, _):
        row = await storage.link(session, link, use=True)
        if row is None:
            raise api.LinkSpent
        if hashed:
            await storage.set_password(session, row["person_id"], hashed, reached)
        return await entered(session, row["person_id"], browser, how=LINK)


async def by_password(staff: Staff, address: str, password: str, browser: Browser) -> Entered:
    """Sign in by address (or name) and password. Raises NotSignedIn, TooManyTries, Busy."""
    given = address.strip().lower()[:254]
    async with staff.database.platform() as session:
        person = await storage.find_person(session, name=given, address=given) if given else None
        known = person is not None and await storage.is_device_of(session, browser.device, person["person_id"])
    account = person["name"] if person is not None else given
    keys = rules.attempt_keys(account, browser.address, browser.device if known else "")
    async with staff.database.platform_transaction() as session:
        await storage.note_try(session, keys)
    kept = person["password"] if person is not None and person["state"] == "active" else None
    is_right = await staff.passwords.is_right(kept, password)
    async with staff.act(_self(person["name"] if person else ""), "people.sign-in", how=PASSWORD) as (session, _):
        if not is_right or person is None:
            raise api.NotSignedIn
        if person["totp"] is None:
            await storage.forgive(session, keys)  # with a second factor once that is right too
        return await entered(session, person["person_id"], browser, how=PASSWORD)


async def with_code(staff: Staff, half: str, code: str, browser: Browser) -> Entered:
    """Give the second factor: a code of the app, or a recovery code. Raises NotSignedIn, TooManyTries."""
    typed = "".join(code.split()).lower()
    async with staff.database.platform() as session:
        row = await storage.half_signed(session, half)
        person = await storage.find_person(session, id=row["person_id"]) if row else None
    if row is None or person is None:
        raise api.NotSignedIn(because=mark("this sign-in has ended"))
    keys = ((rules.hash_of(f"code {person['person_id']}"), rules.FREE_TRIES),)
    async with staff.database.platform_transaction() as session:
        await storage.note_try(session, keys)
    async with staff.act(_self(person["name"]), "people.sign-in", how=mark(f"{row['how']} and code")) as (session, _):
        if not await is_code(staff, session, person, typed):
            raise api.NotSignedIn(because=mark("this code is wrong, or was used already"))
        await storage.forgive(session, keys)
        await storage.forgive(session, rules.attempt_keys(person["name"], browser.address, ""))
        await storage.end_session(session, half)
        return await entered(session, person["person_id"], browser, how=mark(f"{row['how']} and code"), has_code=True)


async def is_code(staff: Staff, session: ports.Session, person: ports.Row, typed: str) -> bool:
    """Say whether a code is right, and use it up: of the app, one step early or late, or of those for recovery."""
    id, sealed = person["person_id"], person["totp"]
    if sealed is not None and len(typed) == 6 and typed.isdigit():
        step = _step_of(staff.vault.open(sealed, str(id)), typed, await storage.now_s(session) // STEP_S)
        return step is not None and await storage.use_step(session, id, step)
    return await storage.use_recovery(session, id, typed)


def _step_of(secret: str, typed: str, now: int) -> int | None:
    from pyotp.totp import TOTP  # here: most sign-ins have no codes

    codes, given = TOTP(secret), typed.encode("utf-8", "surrogatepass")
    return next((at for at in (now, now - 1, now + 1) if compare_digest(codes.generate_otp(at).encode(), given)), None)


async def entered(
    session: ports.Session,
    person_id: int,
    browser: Browser,
    *,
    how: str,
    has_code: bool = False,
    issuer: str = "",
    sid: str = "",
) -> Entered:
    """Begin a session; has_code: a second factor has been given, or is not asked for."""
    person = await storage.find_person(session, id=person_id)
    lacks_code = person is not None and person["totp"] is not None and not has_code
    secret, device = rules.new_secret(), ""
    new = storage.NewSession(
        secret=secret, person_id=person_id, lacks_code=lacks_code, how=how, address=browser.address,
        agent=browser.agent, issuer=issuer, sid=sid,
    )  # fmt: skip
    await storage.add_session(session, new)
    if not lacks_code and not await storage.is_device_of(session, browser.device, person_id):
        device = rules.new_secret()
        await storage.add_device(session, device, person_id, browser.agent)
    age_s = storage.CODE_S if lacks_code else storage.SESSION_S
    return Entered(session=secret, device=device, lacks_code=lacks_code, age_s=age_s)


async def leave(staff: Staff, secret: str) -> None:
    """End a session."""
    async with staff.database.platform() as session:
        await storage.end_session(session, secret)


async def change_password(staff: Staff, name: str, old: str, new: str, secret: str) -> None:
    """Set another password, and end all other sign-ins. Raises NotSignedIn where the old one is wrong, TooManyTries."""
    async with staff.database.platform() as session:
        person = await found_person(session, name)
    rules.check_password(new, name, (person["address"] or "").partition("@")[0])
    keys = ((rules.hash_of(f"change {person['person_id']}"), rules.FREE_TRIES),)
    async with staff.database.platform_transaction() as session:
        await storage.note_try(session, keys)
    is_right = person["password"] is None or await staff.passwords.is_right(person["password"], old)
    hashed = await staff.passwords.hashed(new)
    async with staff.act(_self(name), "people.change-password") as (session, _):
        if not is_right:
            raise api.NotSignedIn(because=mark("the password so far is another one"))
        await storage.forgive(session, keys)
        await storage.set_password(session, person["person_id"], hashed)
        await storage.end_sessions(session, person["person_id"], but=secret)


def new_totp(name: str) -> tuple[str, str]:
    """Return a secret for an app that shows codes, and the address by which the app takes it."""
    from pyotp import random_base32
    from pyotp.totp import TOTP

    secret = random_base32()
    return secret, TOTP(secret).provisioning_uri(name=name, issuer_name=ISSUER)


async def set_totp(staff: Staff, name: str, secret: str, code: str) -> tuple[str, ...]:
    """Have sign-ins ask for codes from now on, once one of them was right; return codes for when the app is lost.

    Raises NotSignedIn where the code is not of this secret.
    """
    async with staff.database.platform() as session:
        now = await storage.now_s(session) // STEP_S
    if not _SECRET.fullmatch(secret) or _step_of(secret, "".join(code.split()), now) is None:
        raise api.NotSignedIn(because=mark("this code is not of this secret"))
    codes = rules.recovery_codes()
    async with staff.act(_self(name), "people.set-codes") as (session, _):
        person = await found_person(session, name)
        await storage.set_totp(session, person["person_id"], staff.vault.seal(secret, str(person["person_id"])))
        await storage.set_recovery(session, person["person_id"], codes)
    return codes


async def drop_totp(staff: Staff, name: str, code: str) -> None:
    """Ask for codes no more. Raises NotSignedIn where the code is wrong."""
    async with staff.act(_self(name), "people.drop-codes") as (session, _):
        person = await found_person(session, name)
        if not await is_code(staff, session, person, "".join(code.split()).lower()):
            raise api.NotSignedIn(because=mark("this code is wrong, or was used already"))
        await storage.set_totp(session, person["person_id"], None)
        await storage.set_recovery(session, person["person_id"], ())


def _self(name: str) -> Caller:
    return Caller(front_end=EVERYWHERE, person=name, client="console", via="console")

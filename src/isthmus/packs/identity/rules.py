"""What holds of names, addresses, passwords and waiting; pure."""

from __future__ import annotations

import hashlib
import ipaddress
import re
import secrets
from typing import Final

from isthmus.language import mark

from . import api

FREE_TRIES: Final = 5  # wrong ones of an account or a device, before the next has to wait
FREE_TRIES_ADDRESS: Final = 20  # of an address: an office has one
WAIT_MAX_S: Final = 900
RECOVERY_CODES: Final = 10

_NAME: Final = re.compile(r"[a-z][a-z0-9._-]{0,62}")
_ROLE: Final = re.compile(r"[a-z][a-z0-9-]{0,99}")
_LOCAL: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}")
_DOMAIN: Final = re.compile(r"(?=.{1,190}\Z)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")


def name_of(text: str) -> str:
    """Return the name of a person in its one form. Raises WrongName, also for letters that look like others."""
    found = text.strip().lower() if text.isascii() else text
    if not _NAME.fullmatch(found):
        raise api.WrongName(name=text)
    return found


def address_of(text: str) -> str:
    """Return an e-mail address in its one form: small letters, ASCII. Raises WrongAddress."""
    found = text.strip()
    local, _, domain = found.rpartition("@")
    if not found.isascii():
        raise api.WrongAddress(because=mark("it has letters that are not ASCII, which may look like others"))
    if not (_LOCAL.fullmatch(local) and _DOMAIN.fullmatch(domain.lower())):
        raise api.WrongAddress(because=mark("it is not of the form name@domain"))
    return found.lower()


def role_of(text: str) -> str:
    """Return a role as it is. Raises WrongRole."""
    if not _ROLE.fullmatch(text):
        raise api.WrongRole(role=text)
    return text


def check_password(password: str, *known: str) -> None:
    """Raise WeakPassword; known: what others know of the person, such as name and address."""
    if not api.PASSWORD_MIN <= len(password) <= api.PASSWORD_MAX:
        raise api.WeakPassword(because=mark(f"it has {len(password)} characters, and {api.PASSWORD_MIN} are the least"))
    if len({*password}) < api.PASSWORD_MIN // 2:
        raise api.WeakPassword(because=mark("it repeats a few characters"))
    folded = password.casefold()
    if any(len(one) > 3 and one.casefold() in folded for one in known):
        raise api.WeakPassword(because=mark("it has your name or address in it"))


def new_secret() -> str:
    """Return 256 random bits as text, for a link, a session or a device."""
    return secrets.token_urlsafe(32)


def hash_of(secret: str) -> bytes:
    """Return what is kept of a random secret: a slow hash protects what people choose, and nobody chose these bits."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def recovery_codes() -> tuple[str, ...]:
    """Return new codes of 80 bits, in four groups."""
    found = (secrets.token_hex(10) for _ in range(RECOVERY_CODES))
    return tuple("-".join(one[at : at + 5] for at in range(0, 20, 5)) for one in found)


def attempt_keys(account: str, address: str, device: str) -> tuple[tuple[bytes, int], ...]:
    """Return what a try is counted by, each with how many are free.

    On a device that the person has signed in on before it is counted by that device alone: whoever guesses elsewhere
    does not keep its owner out.
    """
    if device:
        return ((hash_of(f"device {device}"), FREE_TRIES),)
    return (hash_of(f"account {account}"), FREE_TRIES), (hash_of(f"at {_network(address)}"), FREE_TRIES_ADDRESS)


def _network(address: str) -> str:
    """Return what one guesser has of addresses: one of IPv4, and 64 bits of IPv6."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(found) if found.version == 4 else str(ipaddress.ip_network((found, 64), strict=False))

"""Members, decided."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from fractions import Fraction
from typing import Final

from msgspec import structs

from isthmus.values import Address, composed, folded, rounded

from . import api

SEGMENT_OWNER: Final = ":"  # what stands before it says whose segment it is, as in `data:regulars`


def normalised(identity: api.Identity) -> api.Identity:
    """Write an identity as it is compared: e-mail folded, phone as digits of whatever script, others composed."""
    value = composed(identity.value)
    if identity.kind == "email":
        value = folded(identity.value)
    if identity.kind == "phone":
        value = "".join(str(unicodedata.decimal(one, "+")) for one in folded(value) if one.isdecimal() or one == "+")
    return api.Identity(kind=identity.kind, value=value, is_verified=identity.is_verified)


def joined(registration: api.Registration) -> tuple[api.Identity, ...]:
    """Return the identities of a registration as they are compared, each once."""
    found: dict[tuple[str, str], api.Identity] = {}
    for identity in map(normalised, registration.identities):
        key = (identity.kind, identity.value)
        if key not in found or identity.is_verified:
            found[key] = identity
    return tuple(found.values())


def is_replaced(segment: str, prefix: str) -> bool:
    """Return whether a segment goes when those of a prefix are set; without a prefix, those that carry none."""
    return segment.startswith(prefix) if prefix else SEGMENT_OWNER not in segment


def named(profile: api.Profile) -> api.Profile:
    """Return a profile with its names as they are kept: one name is written in one way."""
    names = {"given_name": composed(profile.given_name), "family_name": composed(profile.family_name)}
    return profile.replace(**names)


def due_back(credited: int, parts: Sequence[tuple[int, int]]) -> int:
    """Return how many of the credited points all parts that came back stand for: rounded once, of halves up."""
    return min(credited, rounded(credited * sum((Fraction(part, out_of) for part, out_of in parts), Fraction(0))))


def filled(profile: api.Profile, other: api.Profile) -> api.Profile:
    """Return a profile with what it leaves open taken from another."""
    open_fields = {name: value for name, value in structs.asdict(other).items() if not getattr(profile, name)}  # pyright: ignore[reportArgumentType]
    return profile.replace(**open_fields)


def added_addresses(one: api.Member, other: api.Member) -> dict[str, Address]:
    """Return the other's addresses that a member does not have yet, under free labels: `home`, then `home-2`."""
    known = {stored.label: stored.address for stored in one.addresses}
    added: dict[str, Address] = {}
    for stored in other.addresses:
        if stored.address in known.values():
            continue
        label, number = stored.label, 1
        while label in known:
            number += 1
            label = f"{stored.label[:60]}-{number}"
        known[label] = added[label] = stored.address
    return added


def tier_of(tiers: Sequence[api.Tier], earned: int) -> str:
    """Return the highest tier of a programme that so many points earned in all reach; none below the lowest."""
    reached = [one for one in tiers if one.earned <= earned]
    return max(reached, key=lambda one: one.earned).tier if reached else ""

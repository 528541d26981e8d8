"""Members, decided."""

from __future__ import annotations

from collections.abc import Sequence

from . import api


def normalised(identity: api.Identity) -> api.Identity:
    """Write an identity as it is compared: e-mail in small letters, phone as digits, others as they are."""
    value = identity.value.strip()
    if identity.kind == "email":
        value = value.lower()
    if identity.kind == "phone":
        value = "".join(character for character in value if character.isdigit() or character == "+")
    return api.Identity(kind=identity.kind, value=value, is_verified=identity.is_verified)


def joined(registration: api.Registration) -> tuple[api.Identity, ...]:
    """Return the identities of a registration as they are compared, each once."""
    found: dict[tuple[str, str], api.Identity] = {}
    for identity in map(normalised, registration.identities):
        key = (identity.kind, identity.value)
        if key not in found or identity.is_verified:
            found[key] = identity
    return tuple(found.values())


def reversible(credited: int, reversed_already: int, balance: int) -> int:
    """Return how many points can be taken back: what is left of the credit, and never below a balance of zero."""
    return max(0, min(credited - reversed_already, balance))


def segments_of_both(one: Sequence[str], other: Sequence[str]) -> list[str]:
    return sorted({*one, *other})

"""Members' rows, sealed under their keys as they are written, and opened as they are read: one look for the key."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from isthmus.kernel import decode, encode, ports
from isthmus.sealing import Sealed, Seals
from isthmus.values import Address

from .. import api
from . import addresses, identities

TABLE: Final = "member.membership"
SEALED: Final = Sealed(column="profile", into="sealed_profile", subject="member_id::text", empty="'{}'")
NOTHING: Final = b"{}"

Kept = tuple[str, str, bytes | None, bytes]  # a table, whose it is, what is sealed, and what stands in the clear


@dataclass(frozen=True, slots=True)
class New:
    """What is written of a new member: the profile, and what each identity is sealed as."""

    profile: bytes
    sealed_profile: bytes | None
    identities: tuple[bytes | None, ...]


@dataclass(frozen=True, slots=True)
class Opened:
    """What a member's row says, opened where it is sealed."""

    profile: api.Profile
    identities: tuple[api.Identity, ...]
    addresses: tuple[api.StoredAddress, ...]


async def of_new(
    session: ports.Session, front_end: str, member_id: UUID, said: api.Profile, known: Sequence[api.Identity],
    seals: Seals,
) -> New:  # fmt: skip
    """Return what is written of a new member; the key is made here."""
    profile, has_profile = encode(said), seals.is_on(TABLE) and said != api.Profile()
    texts = [(identities.TABLE, one.value.encode()) for one in known] if seals.is_on(identities.TABLE) else []
    if not texts and not has_profile:
        return New(profile, None, (None,) * len(known))
    texts += [(TABLE, profile)] if has_profile else []
    made = await seals.seal_all(session, front_end, str(member_id), texts, is_first=True)
    sealed = made.pop() if has_profile else None
    return New(NOTHING if has_profile else profile, sealed, (*made, *[None] * (len(known) - len(made))))


async def profile(
    session: ports.Session, front_end: str, member_id: UUID, said: api.Profile, seals: Seals
) -> tuple[bytes, bytes | None]:
    """Return a profile as it is written in the clear, and sealed: one of the two is empty."""
    (clear,), (sealed,) = await seals.put_away(session, front_end, str(member_id), TABLE, [encode(said)], NOTHING)
    return clear, sealed


async def opened(row: ports.Row, session: ports.Session, seals: Seals) -> Opened:
    """Return what a member's row says, which has what is sealed of its parts as base64. Raises PersonKeyMissing."""
    of = str(row["member_id"])
    known, stored = (decode(row[name], list[dict[str, Any]]) for name in ("identities", "addresses"))
    kept: list[Kept] = [
        (TABLE, of, row["sealed_profile"], row["profile"]),
        *[(identities.TABLE, of, bytes_of(one), one["value"].encode()) for one in known],
        *[(addresses.TABLE, of, bytes_of(one), encode(one["address"])) for one in stored],
    ]
    sealed = [(table, whose, text) for table, whose, text, _ in kept if text is not None]
    found = iter(await seals.open_all(session, sealed) if sealed else ())
    said, *texts = [clear if text is None else next(found) for _, _, text, clear in kept]
    pairs = zip(known, texts[: len(known)], strict=True)
    own = [api.Identity(kind=one["kind"], value=text.decode(), is_verified=one["is_verified"]) for one, text in pairs]
    places = zip(stored, texts[len(known) :], strict=True)
    return Opened(
        profile=decode(said, api.Profile),
        identities=tuple(sorted(own, key=lambda one: (one.kind, one.value))),
        addresses=tuple(api.StoredAddress(label=one["label"], address=decode(text, Address)) for one, text in places),
    )


async def opened_records(
    rows: Sequence[ports.Row], session: ports.Session, seals: Seals
) -> Sequence[Mapping[str, Any]]:
    """Return rows of what One ID compares with what is sealed of them: names, birthdays and where somebody lives."""
    kept = [(TABLE, str(row["member_id"]), row["sealed_profile"]) for row in rows]
    kept += [(addresses.TABLE, str(row["member_id"]), row["sealed_home"]) for row in rows]
    sealed = [one for one in kept if one[2] is not None]
    found = iter(await seals.open_all(session, sealed) if sealed else ())
    opened = [None if text is None else next(found) for _, _, text in kept]
    profiles, homes = opened[: len(rows)], opened[len(rows) :]
    return [_record(*one) for one in zip(rows, profiles, homes, strict=True)]


def _record(row: ports.Row, profile: bytes | None, home: bytes | None) -> dict[str, Any]:
    record = dict(row)
    if profile is not None:
        said = decode(profile, api.Profile)
        named = {"given_name": said.given_name, "surname": said.family_name}
        record |= named | {"date_of_birth": said.birthday.replace("-", "")}
    if home is not None:
        at = decode(home, Address)
        record |= {"street": at.street, "suburb": at.city, "postcode": at.postcode, "region": at.region}
        record["phone"] = record["phone"] or at.phone
    return {name: None if value == "" else value for name, value in record.items()}


def bytes_of(one: dict[str, Any]) -> bytes | None:
    """Return what is sealed of a part of a row."""
    return None if one["sealed"] is None else base64.b64decode(one["sealed"])

"""What members and persons are known by: in the clear, or where a platform has it so, by a keyed hash and sealed.

    value   as it is compared ─ or `~` and its keyed hash, which is what the primary keys hold to be one member's
    sealed  the value under the member's key; the group's own table keeps the hash alone

While rows are being sealed both forms are looked for; what is written takes the place of the other form.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from isthmus.kernel import ports
from isthmus.sealing import Sealed, Seals, is_known_by, known_by

from .. import api

TABLE: Final = "member.identity"
SEALED: Final = Sealed(column="value", into="sealed", subject="member_id::text", hashed="value")
OF_PERSONS: Final = Sealed(
    column="value", into="", subject="person_id::text", front_end="'*'", hashed="value", along=TABLE
)

Known = tuple[str, str]  # a kind, and a value as it is compared

_TAKEN = """
select given.place from unnest($2::text[], $3::text[], $4::boolean[], $5::int[])
    as given (kind, value, is_verified, place)
join member.identity on front_end = $1 and identity.kind = given.kind and identity.value = given.value
where identity.is_verified or not given.is_verified
order by given.place limit 1
"""

_PERSONS = """
select given.place, person_id from unnest($1::text[], $2::text[], $3::int[]) as given (kind, value, place)
join member.person_identity using (kind, value)
"""

_ADD_PERSON_IDENTITIES = """
insert into member.person_identity (kind, value, person_id) select * from unnest($1::text[], $2::text[], $3::uuid[])
on conflict (kind, value) do nothing
"""

_GROUP_FORGETS = """
delete from member.person_identity one using unnest($1::text[], $2::text[]) as given (kind, value)
where one.kind = given.kind and one.value = given.value returning one.kind, one.value, one.person_id
"""

_ADD = """
insert into member.identity (front_end, kind, value, member_id, is_verified, sealed)
select $1, kind, value, member_id, is_verified, sealed
from unnest($2::text[], $3::text[], $4::uuid[], $5::boolean[], $6::bytea[], $7::text[])
    as given (kind, value, member_id, is_verified, sealed, other)
where other is null or not exists (
    select from member.identity one where one.front_end = $1 and one.kind = given.kind and one.value = given.other)
on conflict (front_end, kind, value) do update
    set member_id = excluded.member_id, is_verified = identity.is_verified or excluded.is_verified,
        sealed = excluded.sealed
    where identity.member_id = excluded.member_id or (excluded.is_verified and not identity.is_verified)
"""

# The other form of what is about to be written, where whoever writes it may have it.
_OTHER_FORM = """
delete from member.identity one using unnest($2::text[], $3::text[], $4::uuid[], $5::boolean[])
    as given (kind, value, member_id, is_verified)
where one.front_end = $1 and one.kind = given.kind and one.value = given.value
  and (one.member_id = given.member_id or (given.is_verified and not one.is_verified))
returning one.kind, one.value, one.is_verified
"""

_FIND = "select member_id from member.identity where front_end = $1 and kind = $2 and value = any($3)"

_REMOVE = "delete from member.identity where front_end = $1 and kind = $2 and value = any($3) and member_id = $4"

_GROUP_FORGETS_ITS_ONLY = """
delete from member.person_identity
where kind = $1 and value = any($2) and person_id = $3 and member.memberships($3) = 1
"""

_FOLLOW = "update member.identity set member_id = $2 where front_end = $1 and member_id = $3"
_SEALED_OF = """
select kind, value, sealed from member.identity where front_end = $1 and member_id = $2 and sealed is not null
"""
_SEAL_AGAIN = """
update member.identity one set sealed = given.sealed
from unnest($2::text[], $3::text[], $4::bytea[]) as given (kind, value, sealed)
where one.front_end = $1 and one.kind = given.kind and one.value = given.value
"""


class NotAllWritten(Exception):
    """Somebody else has an identity that was to be written."""


@dataclass(frozen=True, slots=True)
class Names:
    """How values are written: `hashes` has their keyed hashes, and nothing where none was ever made here."""

    is_on: bool = False
    hashes: dict[str, str] = field(default_factory=dict[str, str])

    def written(self, value: str) -> str:
        return self.hashes.get(value, value) if self.is_on else value

    def other(self, value: str) -> str | None:
        """Return the form that rows of before, or of a server that seals nothing yet, may have."""
        if not self.hashes or is_known_by(value):  # who knows a hash is known by it all the same
            return None
        return value if self.is_on else self.hashes[value]

    def forms(self, value: str) -> list[str]:
        return [one for one in (self.written(value), self.other(value)) if one is not None]


async def names(values: Sequence[str], seals: Seals) -> Names:
    """Return how values are written and looked for."""
    hashes, is_on = dict[str, str](), seals.is_on(TABLE)
    for value in dict.fromkeys(values):
        if (hashed := await seals.hashed(value, is_made=is_on)) is None:
            return Names()
        hashes[value] = known_by(hashed)
    return Names(is_on, hashes)


async def first_taken(
    session: ports.Session, front_end: str, identities: Sequence[api.Identity], known: Names
) -> int | None:
    """Return the index of the first identity that a member is known by already."""
    forms = [(one, form, at) for at, one in enumerate(identities) for form in known.forms(one.value)]
    return await session.fetch_value(
        _TAKEN,
        front_end,
        [one.kind for one, _, _ in forms],
        [form for _, form, _ in forms],
        [one.is_verified for one, _, _ in forms],
        [at for _, _, at in forms],
    )


async def persons(session: ports.Session, identities: Sequence[api.Identity], known: Names) -> dict[Known, UUID]:
    """Return the persons of the group that are known by these identities."""
    forms = [(one.kind, form, at) for at, one in enumerate(identities) for form in known.forms(one.value)]
    rows = await session.fetch(_PERSONS, *([form[at] for form in forms] for at in range(3)))
    found = {int(row["place"]): row["person_id"] for row in rows}
    return {(one.kind, one.value): found[at] for at, one in enumerate(identities) if at in found}


async def add_of_persons(session: ports.Session, given: Sequence[tuple[str, str, UUID]], known: Names) -> None:
    """Let the group know persons by kinds and values; what it knows already stays as it is."""
    others = {(kind, other): value for kind, value, _ in given if (other := known.other(value)) is not None}
    before: dict[Known, UUID] = {}
    if others:
        rows = await session.fetch(_GROUP_FORGETS, *([other[at] for other in others] for at in range(2)))
        before = {(row["kind"], others[row["kind"], row["value"]]): row["person_id"] for row in rows}
    written = sorted((kind, known.written(value), before.get((kind, value), of)) for kind, value, of in given)
    await session.execute(_ADD_PERSON_IDENTITIES, *([one[at] for one in written] for at in range(3)))


async def add(
    session: ports.Session, front_end: str, given: Sequence[tuple[UUID, api.Identity]], known: Names,
    sealed: Sequence[bytes | None],
) -> None:  # fmt: skip
    """Write what members are known by, each sealed where it is to be. Raises NotAllWritten."""
    verified = await _without_other_forms(session, front_end, given, known)
    tag = await session.execute(
        _ADD,
        front_end,
        [one.kind for _, one in given],
        [known.written(one.value) for _, one in given],
        [member_id for member_id, _ in given],
        [one.is_verified or (one.kind, one.value) in verified for _, one in given],
        list(sealed),
        [known.other(one.value) for _, one in given],
    )
    if tag != f"INSERT 0 {len(given)}":
        raise NotAllWritten


async def _without_other_forms(
    session: ports.Session, front_end: str, given: Sequence[tuple[UUID, api.Identity]], known: Names
) -> set[Known]:
    """Take out the other forms of what is about to be written; return which of it was verified."""
    others = {(one.kind, other): (one, of) for of, one in given if (other := known.other(one.value)) is not None}
    if not others:
        return set()
    rows = await session.fetch(
        _OTHER_FORM,
        front_end,
        [kind for kind, _ in others],
        [other for _, other in others],
        [member_id for _, member_id in others.values()],
        [one.is_verified for one, _ in others.values()],
    )
    gone = [others[row["kind"], row["value"]][0] for row in rows if row["is_verified"]]
    return {(one.kind, one.value) for one in gone}


async def find(session: ports.Session, front_end: str, one: api.Identity, seals: Seals) -> UUID | None:
    """Return who is known by an identity as it is compared."""
    if not seals.is_on(TABLE):  # nobody has to ask whether there are hashes for who is found without one
        found = await session.fetch_value(_FIND, front_end, one.kind, [one.value])
        if found is not None:
            return found
    known = await names([one.value], seals)
    if not known.hashes:
        return None
    return await session.fetch_value(_FIND, front_end, one.kind, known.forms(one.value))


async def remove(
    session: ports.Session, front_end: str, member_id: UUID, person_id: UUID, gone: api.Identity, known: Names
) -> None:  # fmt: skip
    """Delete an identity here; in the group where this is the person's only membership."""
    forms = known.forms(gone.value)
    if await session.execute(_REMOVE, front_end, gone.kind, forms, member_id) != "DELETE 0":
        await session.execute(_GROUP_FORGETS_ITS_ONLY, gone.kind, forms, person_id)


async def follow(session: ports.Session, front_end: str, stays: UUID, goes: UUID, seals: Seals) -> None:
    """Move what one member is known by to another, under the key of that one."""
    rows = await session.fetch(_SEALED_OF, front_end, goes)
    await session.execute(_FOLLOW, front_end, stays, goes)
    if rows:
        texts = await seals.open(session, str(goes), TABLE, [row["sealed"] for row in rows])
        again = await seals.seal(session, front_end, str(stays), TABLE, texts)
        await session.execute(
            _SEAL_AGAIN, front_end, [row["kind"] for row in rows], [row["value"] for row in rows], again
        )

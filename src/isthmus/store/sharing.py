"""Who shares what with whom: grants of rows, given and withdrawn by their owner, and kept as the history.

A row is its owner's: a front end's, or the group's. What can be granted, packs say in their migrations with
`isthmus.lend`; row-level security lets through what is granted and nothing else (migrations/0003_sharing.sql).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from isthmus.kernel import Meta, Value, decode, encode, errors, ports

BOUND_MAX: Final = 10**12

Name = Annotated[str, Meta(min_length=1, max_length=128)]
Can = Literal["read", "use"]
Bound = Annotated[int, Meta(ge=0, le=BOUND_MAX)]
Moment = Annotated[datetime, Meta(tz=True)]


class Draft(Value):
    """What is to be granted: rows of a kind by their name, or a part of them; to whom; how far, and until when."""

    kind: Name
    name: Name
    to: Name
    can: Can = "use"
    part: Annotated[str, Meta(max_length=128)] = ""
    bounds: dict[str, Bound | Moment] = {}
    ends_at: Moment | None = None
    reason: Annotated[str, Meta(max_length=240)] = ""


class Grant(Draft):
    """A grant, and what became of it."""

    grant_id: UUID
    owner: str
    given_at: Moment
    given_by: str
    withdrawn_at: Moment | None = None
    withdrawn_by: str = ""
    withdrawn_because: str = ""


class Choice(Value):
    """Which grants are looked for, the latest first."""

    kind: str | None = None
    name: str | None = None
    to: str | None = None
    owner: str | None = None
    standing_only: bool = True
    limit: Annotated[int, Meta(ge=1, le=500)] = 100


class NothingToShare(errors.NotFound):
    """Nobody can share this: no pack lends such rows, or the owner has none of the name."""

    slug = "sharing.nothing-to-share"

    def __init__(self, *, what: str, path: str, known: Sequence[str] = ()) -> None:
        kinds = f"; what can be shared is {', '.join(known)}" if known else ""
        super().__init__(
            f"there is no {what} to share{kinds}", remedy="make it first, or correct the name", path=path, what=what
        )


class UnknownBound(errors.BadAsk):
    """A grant of this kind has no such bound."""

    slug = "sharing.unknown-bound"

    def __init__(self, *, bound: str, kind: str, known: Sequence[str]) -> None:
        super().__init__(
            f"a grant of {kind!r} has no bound {bound!r}{errors.near(bound, known)}",
            remedy=f"its bounds are {', '.join(known) or 'none'}; those that end in _until are times, others numbers",
            path=f"$.bounds.{bound}",
        )


class UnknownGrant(errors.NotFound):
    """The owner gave no such grant."""

    slug = "sharing.unknown-grant"

    def __init__(self, *, grant_id: UUID) -> None:
        super().__init__(
            f"you gave no grant {grant_id}", remedy="look at the list of grants for its id", path="$.grant_id"
        )


class SharedWithOneself(errors.RuleBroken):
    """An owner has all of what is its own."""

    slug = "sharing.shared-with-oneself"

    def __init__(self, *, owner: str) -> None:
        super().__init__(f"{owner!r} owns it already", remedy="name another front end", path="$.to")


_KINDS: Final = "select kind, named, bounds from isthmus.shareable order by kind"

# A grant of the same takes the place of the one before; of two at once the second waits for the first.
_REPLACE: Final = """
    update isthmus.row_grant set withdrawn_at = $6, withdrawn_by = $7, withdrawn_because = 'another took its place'
    where owner = $1 and kind = $2 and name = $3 and part = $4 and to_front_end = $5 and withdrawn_at is null"""
_INSERT: Final = """
    insert into isthmus.row_grant (grant_id, owner, kind, name, part, to_front_end, can, bounds, ends_at, reason,
        given_at, given_by)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"""
_WITHDRAW: Final = """
    update isthmus.row_grant set withdrawn_at = coalesce(withdrawn_at, $3),
        withdrawn_by = case when withdrawn_at is null then $4 else withdrawn_by end,
        withdrawn_because = case when withdrawn_at is null then $5 else withdrawn_because end
    where grant_id = $1 and owner = $2 returning *"""
_LIST: Final = """
    select * from isthmus.row_grant
    where ($1::text is null or owner = $1 or to_front_end = $1)
        and ($2::text is null or kind = $2) and ($3::text is null or name = $3)
        and ($4::text is null or to_front_end = $4) and ($5::text is null or owner = $5)
        and (not $6 or (withdrawn_at is null and (ends_at is null or ends_at > $7)))
    order by given_at desc, grant_id desc limit $8"""


async def kinds(session: ports.Session) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Return what can be shared: by kind, the column that names a row, and the bounds that a grant may have."""
    return {row["kind"]: (row["named"], tuple(row["bounds"])) for row in await session.fetch(_KINDS)}


async def give(session: ports.Session, owner: str, grant_id: UUID, draft: Draft, now: datetime, by: str) -> Grant:
    """Grant an owner's rows; a grant of the same to the same front end takes the place of the one before.

    Raises NothingToShare, UnknownBound and SharedWithOneself. In a transaction, since it may write two rows.
    """
    known = await kinds(session)
    if draft.kind not in known:
        raise NothingToShare(what=f"kind {draft.kind!r}", path="$.kind", known=list(known))
    named, bounds = known[draft.kind]
    for bound, value in draft.bounds.items():
        if bound not in bounds or isinstance(value, datetime) != bound.endswith("_until"):
            raise UnknownBound(bound=bound, kind=draft.kind, known=bounds)
    if draft.to == owner:
        raise SharedWithOneself(owner=owner)
    of = ".".join(f'"{part}"' for part in draft.kind.replace('"', "").split("."))
    table = f'select exists (select from {of} where front_end = $1 and "{named}" = $2)'  # both as packs say them
    if not await session.fetch_value(table, owner, draft.name):
        raise NothingToShare(what=f"{draft.kind} {draft.name!r} of yours", path="$.name")
    key = (owner, draft.kind, draft.name, draft.part, draft.to)
    await session.execute("select pg_advisory_xact_lock(hashtextextended($1, 0))", "/".join(("row_grant", *key)))
    await session.execute(_REPLACE, *key, now, by)
    await session.execute(
        _INSERT, grant_id, *key, draft.can, encode(draft.bounds), draft.ends_at, draft.reason, now, by
    )
    fields = {name: getattr(draft, name) for name in draft.__struct_fields__}
    return Grant(grant_id=grant_id, owner=owner, given_at=now, given_by=by, **fields)


async def withdraw(session: ports.Session, owner: str, grant_id: UUID, now: datetime, by: str, because: str) -> Grant:
    """Withdraw a grant at once; one that is withdrawn stays as it was. Raises UnknownGrant."""
    row = await session.fetch_row(_WITHDRAW, grant_id, owner, now, by, because)
    if row is None:
        raise UnknownGrant(grant_id=grant_id)
    return _grant(row)


async def listed(session: ports.Session, of: str | None, choice: Choice, now: datetime) -> list[Grant]:
    """Return grants that a front end gave or has, or those of all, the latest first."""
    rows = await session.fetch(
        _LIST, of, choice.kind, choice.name, choice.to, choice.owner, choice.standing_only, now, choice.limit
    )
    return [_grant(row) for row in rows]


def _grant(row: ports.Row) -> Grant:
    return Grant(
        grant_id=row["grant_id"],
        owner=row["owner"],
        kind=row["kind"],
        name=row["name"],
        part=row["part"],
        to=row["to_front_end"],
        can=row["can"],
        bounds=decode(row["bounds"], dict[str, Any]),
        ends_at=row["ends_at"],
        reason=row["reason"],
        given_at=row["given_at"],
        given_by=row["given_by"],
        withdrawn_at=row["withdrawn_at"],
        withdrawn_by=row["withdrawn_by"],
        withdrawn_because=row["withdrawn_because"],
    )

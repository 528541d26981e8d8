"""Relations in PostgreSQL: who was given a role of what, until when, and by whom. Times are the database's."""

from __future__ import annotations

from typing import Final

from isthmus.kernel import ports
from isthmus.manifest.parts import Relation

from .. import api

Session = ports.Session

LIST_MAX: Final = 1_000
_STANDS: Final = "r.ended_at is null and (r.ends_at is null or r.ends_at > now())"
_LIST: Final = f"""
    select relation_id as id, p.name as person, role, front_end, part, given_by, given_at, ends_at
    from identity.relation r join identity.person p using (person_id)
    where {_STANDS} and p.state <> 'disabled' and ($1 = '' or p.name = $1) and ($2 = '' or front_end = $2)
    order by front_end, part, p.name, role limit {LIST_MAX}"""


async def standing(session: Session, person: str, front_end: str) -> tuple[Relation, ...]:
    """Return what stands now, of somebody or at a front end; of all where neither is named."""
    return tuple(Relation(**dict(row)) for row in await session.fetch(_LIST, person, front_end))  # pyright: ignore[reportArgumentType]


async def one_of(session: Session, relation_id: int) -> Relation | None:
    """Return a relation that stands."""
    row = await session.fetch_row(
        f"""select relation_id as id, p.name as person, role, front_end, part, given_by, given_at, ends_at
            from identity.relation r join identity.person p using (person_id)
            where relation_id = $1 and {_STANDS} for update of r""",
        relation_id,
    )
    return None if row is None else Relation(**dict(row))  # pyright: ignore[reportArgumentType]


async def give(session: Session, person_id: int, one: api.RelationAt, by: str) -> bool:
    """Give it in place of the same one that stands, and say whether it has not ended by the database's clock."""
    await session.execute(
        """update identity.relation set ended_at = now(), ended_by = $5
           where person_id = $1 and front_end = $2 and part = $3 and role = $4 and ended_at is null""",
        person_id, one.front_end, one.part, one.role, by,
    )  # fmt: skip
    stands = await session.fetch_value(
        """insert into identity.relation (person_id, role, front_end, part, ends_at, given_by)
           values ($1, $2, $3, $4, $5, $6) returning ends_at is null or ends_at > now()""",
        person_id, one.role, one.front_end, one.part, one.ends_at, by,
    )  # fmt: skip
    return bool(stands)


async def held(session: Session, person_id: int, front_end: str) -> int:
    """Return how many relations somebody has at a front end."""
    return await session.fetch_value(
        f"select count(*) from identity.relation r where person_id = $1 and front_end = $2 and {_STANDS}",
        person_id,
        front_end,
    )


async def end(session: Session, relation_id: int, by: str) -> None:
    await session.execute(
        "update identity.relation set ended_at = now(), ended_by = $2 where relation_id = $1", relation_id, by
    )

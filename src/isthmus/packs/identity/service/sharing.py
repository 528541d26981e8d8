"""Giving somebody a role of a part of a front end, or of all of it for a time, and ending that."""

from __future__ import annotations

from collections.abc import Collection

from isthmus.kernel import Caller, ports
from isthmus.manifest.actions import EVERYWHERE
from isthmus.manifest.parts import FRONT_END, PART, Relation

from .. import api, rules
from ..storage import relations


async def give(session: ports.Session, person_id: int, one: api.RelationAt, by: Caller, kinds: Collection[str]) -> None:
    """Give a relation in a transaction, in place of the same one with another end."""
    check(one, by, kinds)
    if not await relations.give(session, person_id, one, by.person or by.client):
        raise api.EndsBefore(ends_at=one.ends_at.isoformat() if one.ends_at else "")
    if await relations.held(session, person_id, one.front_end) > api.RELATIONS_MAX:
        raise api.TooManyRelations(front_end=one.front_end)


async def end(session: ports.Session, relation_id: int, front_end: str, by: Caller) -> Relation:
    """End a relation at a front end, and return it. Raises NoSuchRelation."""
    found = await relations.one_of(session, relation_id)
    if found is None or front_end not in (EVERYWHERE, found.front_end):
        raise api.NoSuchRelation(relation_id=relation_id)
    await relations.end(session, relation_id, by.person or by.client)
    return found


def check(one: api.RelationAt, by: Caller, kinds: Collection[str]) -> None:
    """Raise where there is no such part, or where somebody would give what is not theirs to give.

    An owner gives every role but that of an owner; others what they hold themselves, and not by a relation: so nobody
    gives on what was given to them until Friday.
    """
    rules.role_of(one.role)
    match = PART.fullmatch(one.part)
    if one.front_end == EVERYWHERE or match is None or match[1] not in {FRONT_END, *kinds}:
        raise api.WrongPart(part=one.part, kinds=sorted(kinds))
    if match[1] == FRONT_END and match[2] != one.front_end:
        raise api.WrongPart(part=one.part, kinds=sorted(kinds))
    if one.role == api.OWNER or (by.person and api.OWNER not in by.roles and one.role not in by.roles):
        raise api.NotYoursToGive(role=one.role, front_end=one.front_end)

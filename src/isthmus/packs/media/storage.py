"""Rows of `media.file` and `media.attachment`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from isthmus.kernel import ports

from . import api

PATH = "/media"  # where files are served, as the manifest says

_NOTE = """
    insert into media.file (front_end, file, size, put_at, put_by) values ($1, $2, $3, $4, $5)
    on conflict (front_end, file) do update set file = excluded.file returning size, put_at"""
# Whoever attaches to one subject waits for whoever does so too, so that it never has too many.
_LOCK = "select pg_advisory_xact_lock(hashtextextended('media.attach/' || $1 || '/' || $2, 0))"
_COUNT = "select count(*) from media.attachment where front_end = $1 and subject = $2 and file <> $3"
_ATTACH = """
    insert into media.attachment (front_end, subject, file, position, role, alt, width)
    values ($1, $2, $3, $4, $5, $6, $7)
    on conflict (front_end, subject, file) do update set position = $4, role = $5, alt = $6, width = $7"""
_LIST = """
    select subject, file, role, alt, position, width from media.attachment where front_end = $1 and subject = any($2)
    order by subject, position, width, file"""


async def note(session: ports.Session, front_end: str, ask: api.NoteFile, now: datetime, by: str) -> api.File:
    row = await session.fetch_row(_NOTE, front_end, ask.file, ask.size, now, by)
    assert row is not None  # an upsert returns its row
    return api.File(file=ask.file, path=f"{PATH}/{ask.file}", size=row["size"], put_at=row["put_at"])


async def knows(session: ports.Session, front_end: str, file: str) -> bool:
    sql = "select exists (select from media.file where front_end = $1 and file = $2)"
    return await session.fetch_value(sql, front_end, file)


async def others(session: ports.Session, front_end: str, subject: str, file: str) -> int:
    """Lock a subject, and return how many files it has beside this one."""
    await session.execute(_LOCK, front_end, subject)
    return await session.fetch_value(_COUNT, front_end, subject, file)


async def attach(session: ports.Session, front_end: str, ask: api.Attach) -> None:
    shown = (ask.position, ask.role, ask.alt, ask.width)
    await session.execute(_ATTACH, front_end, ask.subject, ask.file, *shown)


async def detach(session: ports.Session, front_end: str, ask: api.Detach) -> None:
    sql = "delete from media.attachment where front_end = $1 and subject = $2 and file = $3"
    await session.execute(sql, front_end, ask.subject, ask.file)


async def attached(session: ports.Session, front_end: str, subjects: Sequence[str]) -> api.Attached:
    found: dict[str, list[api.AttachedFile]] = {}
    for row in await session.fetch(_LIST, front_end, list(subjects)):
        one = api.AttachedFile(
            file=row["file"],
            path=f"{PATH}/{row['file']}",
            role=row["role"],
            alt=row["alt"],
            position=row["position"],
            width=row["width"],
        )
        found.setdefault(row["subject"], []).append(one)
    return api.Attached(
        items=tuple(api.AttachedTo(subject=one, files=tuple(found.get(one, ()))) for one in dict.fromkeys(subjects))
    )

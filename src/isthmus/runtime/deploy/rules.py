"""The rules that orders were sold under: kept by the fingerprint that an order has, found again when goods come back.

A fingerprint is of a front end's answers and of the platform's defaults; a version is a folder. Whatever begins to
answer is kept first, so that nothing can be sold under rules that are lost.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Final

from isthmus.kernel import Value, errors
from isthmus.kernel.host import Release
from isthmus.manifest.actions import Doer
from isthmus.store import Database

from . import versions
from .loading import Load

ANY_LOST: Final = "*"  # in place of a fingerprint: all rules that were never kept
LISTED_MAX: Final = 1_000

_KEEP: Final = f"""
    insert into runtime.rules (front_end, fingerprint, hash, folder, packed)
    select $1, $2, $3, $4, $5::bytea
    union all
    select $1, '{ANY_LOST}', $3, $4, $5::bytea
    where exists (select from runtime.rules where front_end = '{ANY_LOST}')
      and not exists (select from runtime.rules where front_end = $1)
    on conflict (front_end, fingerprint) do update
    set hash = excluded.hash, folder = excluded.folder, packed = excluded.packed, kept_at = now(), said_by = '',
        forgotten_at = null
    where runtime.rules.fingerprint <> '{ANY_LOST}'"""
_STILL: Final = """
    update runtime.rules set kept_at = now()
    where front_end = $1 and fingerprint = $2 and hash is not null and said_by = '' returning fingerprint"""
_FIND: Final = f"""
    select hash, forgotten_at from runtime.rules where front_end = $1 and fingerprint = any(array[$2, '{ANY_LOST}'])
    order by fingerprint = '{ANY_LOST}' limit 1"""
_LIST: Final = f"""
    select r.front_end, r.fingerprint, coalesce(r.hash, '') as hash, v.number, r.said_by, r.kept_at, r.forgotten_at
    from runtime.rules r left join runtime.version v on v.front_end = r.front_end and v.hash = r.hash
    where r.front_end <> '{ANY_LOST}' and ($1::text is null or r.front_end = $1)
    order by r.front_end, r.kept_at desc, r.fingerprint limit $2"""
_STAND_IN: Final = """
    insert into runtime.rules (front_end, fingerprint, hash, folder, packed, said_by)
    select front_end, $3, hash, folder, packed, $4 from runtime.rules where front_end = $1 and fingerprint = $2
    on conflict (front_end, fingerprint) do update
    set hash = excluded.hash, folder = excluded.folder, packed = excluded.packed, said_by = excluded.said_by,
        kept_at = now(), forgotten_at = null
    where runtime.rules.hash is null or runtime.rules.said_by <> '' or runtime.rules.fingerprint = '*' or $5
    returning fingerprint"""
_FORGET: Final = f"""
    update runtime.rules r set hash = null, folder = null, packed = null, said_by = '', forgotten_at = now()
    where front_end = $1 and hash is not null and fingerprint <> '{ANY_LOST}'
      and exists (select from runtime.rules n where n.front_end = $1 and n.kept_at > r.kept_at and n.kept_at < $2)
    returning fingerprint"""

log = logging.getLogger("isthmus.runtime")


class CannotStandIn(errors.Conflict):
    """Rules that are kept are what they are: no other version can be put in their place."""

    slug = "runtime.cannot-stand-in"


class Rules(Value):
    """Rules that are kept. version: the folder's, as people call it. said_by: who had it stand in for lost ones."""

    front_end: str
    fingerprint: str
    version: str
    kept_at: datetime
    said_by: str = ""
    forgotten_at: datetime | None = None


async def keep(database: Database, code: str, fingerprint: str, hash_: str) -> None:
    """Keep that a deployed version answers under this fingerprint, before anything can be sold under it."""
    async with database.platform() as session:
        await session.execute(_KEEP, code, fingerprint, hash_, None, None)


async def keep_folders(database: Database, release: Release, folders: Iterable[Path], load: Load) -> None:
    """Keep the folders that servers run from, each under the fingerprint that it has in this release."""
    async with database.platform() as session:
        for folder in folders:
            line = release.lines.get((await asyncio.to_thread(load, folder)).code)
            if line is None or await session.fetch_value(_STILL, line.front_end.code, line.fingerprint):
                continue
            try:
                packed = await asyncio.to_thread(versions.pack, folder)
            except errors.IsthmusError as wrong:
                log.warning("the rules of %s are not kept, and what it sells cannot come back: %s", folder.name, wrong)
                continue
            row = (line.front_end.code, line.fingerprint, packed.hash, packed.folder, packed.content)
            await session.execute(_KEEP, *row)


async def found(database: Database, code: str, fingerprint: str) -> str:
    """Return the hash of the folder that answered under a fingerprint. Raises RulesNotKept."""
    async with database.platform() as session:
        row = await session.fetch_row(_FIND, code, fingerprint)
    if row is not None and row["hash"]:
        return row["hash"]
    fact = f"it was sold under the rules {fingerprint} of {code!r}, which were never kept here"
    if row is not None:
        day = f"{row['forgotten_at']:%Y-%m-%d}"
        fact = f"it was sold under the rules {fingerprint} of {code!r}, which were forgotten on {day}"
    remedy = f"say which version stands in for them: isthmus rules {code} --lost {fingerprint} --are FINGERPRINT"
    raise errors.RulesNotKept(fact, remedy=remedy)


async def listed(database: Database, code: str | None = None) -> tuple[Rules, ...]:
    """Return what is kept of one front end, or of all, the latest first."""
    async with database.platform() as session:
        rows = await session.fetch(_LIST, code, LISTED_MAX)
    return tuple(
        Rules(
            front_end=row["front_end"],
            fingerprint=row["fingerprint"],
            version=_called(row["number"], row["hash"]),
            kept_at=row["kept_at"],
            said_by=row["said_by"],
            forgotten_at=row["forgotten_at"],
        )
        for row in rows
    )


async def stand_in(database: Database, code: str, lost: str, are: str, by: Doer, *, is_broken: bool = False) -> None:
    """Have kept rules stand in for lost ones. lost: a fingerprint, or `*`. is_broken: it is kept and of no use.

    Raises NotFound, CannotStandIn.
    """
    kept = [one for one in await listed(database, code) if one.version and one.fingerprint.startswith(are)]
    if len(kept) != 1 or len(are) < 4:
        raise errors.NotFound(
            f"front end {code!r} has {len(kept) or 'no'} rules {are!r}",
            remedy=f"name one that `isthmus rules {code}` lists",
        )
    async with database.platform_transaction() as session:
        if not await session.fetch_value(_STAND_IN, code, kept[0].fingerprint, lost, by.name, is_broken):
            fact = f"the rules {lost} of {code!r} are kept, so nothing stands in for them"
            raise CannotStandIn(fact, remedy="add --broken where they cannot be loaded any more")
        await by.note(session, "deploy.stand-in", {"lost": lost, "are": kept[0].fingerprint})


async def forget(database: Database, code: str, before: datetime, by: Doer) -> tuple[str, ...]:
    """Forget the rules that others had followed by then; return their fingerprints. What runs is never among them."""
    async with database.platform_transaction() as session:
        gone = tuple(sorted(row["fingerprint"] for row in await session.fetch(_FORGET, code, before)))
        await by.note(session, "deploy.forget-rules", {"before": before.isoformat(), "rules": list(gone)})
    return gone


def _called(number: int | None, hash_: str) -> str:
    if not hash_:
        return ""
    return versions.named(number, hash_) if number else f"folder ({hash_[: versions.SHORT]})"

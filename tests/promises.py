"""Whether the conditions that always hold do hold in a test's database, at the cost of what the test has done.

A row that breaks a condition is made of rows of tables. So of a hundred conditions only those are asked that read a
table with something in it, or something that is no table. Tests of the doctor itself ask all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from isthmus.kernel import Pack
from isthmus.store import Database

NAMES = re.compile(r'\b(\w+)"?\."?(\w+)')
TABLES = """
    select nspname as schema, relname as name, pg_relation_size(pg_class.oid) = 0 as is_empty
    from pg_class join pg_namespace on pg_namespace.oid = relnamespace
    where relkind = 'r' and nspname not in ('pg_catalog', 'information_schema')"""
SCHEMAS = "select nspname as schema from pg_namespace"


async def broken(database: Database, packs: Iterable[Pack]) -> list[str]:
    """Return the names of conditions that do not hold."""
    async with database.platform() as session:
        schemas = {row["schema"] for row in await session.fetch(SCHEMAS)}
        empty = {(row["schema"], row["name"]) for row in await session.fetch(TABLES) if row["is_empty"]}
        found = list[str]()
        for condition in sorted((one for pack in packs for one in pack.conditions), key=lambda one: one.name):
            read = {one for one in NAMES.findall(condition.sql) if one[0] in schemas}
            if (not read or read - empty) and await session.fetch(condition.sql):
                found.append(condition.name)
    return found

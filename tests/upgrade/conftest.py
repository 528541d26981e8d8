"""A database as the release before left it, with orders in it."""

from __future__ import annotations

import lzma

import asyncpg
import pytest

from .snapshot import PREVIOUS

# Of the whole server, so a dump of a database has none.
ROLES = ("isthmus_app", "isthmus_part", "isthmus_part_write", "isthmus_fe_fresh")
MAKE_ROLE = """
do $$ begin create role {} nologin nosuperuser nocreatedb nocreaterole nobypassrls;
exception when duplicate_object or unique_violation then null; end $$"""


@pytest.fixture
async def previous(empty_url: str) -> str:
    """Give the address of a database that the release before has sold in."""
    connection = await asyncpg.connect(empty_url)
    for role in ROLES:
        await connection.execute(MAKE_ROLE.format(role))
    await connection.execute(lzma.decompress(PREVIOUS.read_bytes()).decode())
    await connection.close()
    return empty_url

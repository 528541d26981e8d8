"""Rows of before are brought to the forms in which names and codes are compared now."""

from __future__ import annotations

import dataclasses
import shutil
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import asyncpg

from isthmus.kernel import Pack
from isthmus.packs.catalog.pack import PACK as CATALOG
from isthmus.packs.member.pack import PACK as MEMBER
from isthmus.packs.promotion.pack import PACK as PROMOTION
from isthmus.packs.promotion.storage.promotions import by_asked
from isthmus.store import MigrationSource, migrate

U = "00000000-0000-0000-0000-0000000000"
CAFE, ODD = "Café", "Cafe\u0301"  # one name, composed and decomposed


async def migrated(url: str, pack: Pack, before: int, rows: str, folder: Path) -> asyncpg.Connection:
    """Bring rows that were written before a migration through it, and return a connection."""
    source = MigrationSource.of_pack(pack.name, pack.migrations)
    old = folder / "migrations"
    old.mkdir()
    for file in (one for one in source.folder.iterdir() if one.name[:4].isdigit() and int(one.name[:4]) < before):
        _copy(file, old / file.name)
    await migrate(url, [dataclasses.replace(source, folder=old)])
    connection = await asyncpg.connect(url)
    await connection.execute(rows)
    await migrate(url, [source])
    return connection


def _copy(file: Traversable, to: Path) -> None:
    with file.open("rb") as read, to.open("wb") as written:
        shutil.copyfileobj(read, written)


async def broken(connection: asyncpg.Connection, pack: Pack) -> dict[str, list[Any]]:
    found = {one.name: [tuple(row) for row in await connection.fetch(one.sql)] for one in pack.conditions}
    return {name: rows for name, rows in found.items() if rows}


async def test_names_and_words_of_the_catalogue(empty_url: str, tmp_path: Path):
    rows = f"""
        insert into catalog.category (code, name, parent) values ('top', 'Top', null), ('{ODD}', '{ODD}', 'top'),
            ('below', 'Below', '{ODD}');
        insert into catalog.product (product_id, code, title, description, category, brand, seller, tax_category,
            is_returnable, attributes, changed_at) values
            ('{U}01', 'p', '{ODD} ', '', '{ODD}', '{ODD}', '{ODD}', '', true, '{{}}', now()),
            ('{U}02', 'q', 'It''s On', '', 'below', '', '', '', true, '{{}}', now());
        insert into catalog.sku (sku, product_id, unit, weight_grams, attributes) values
            ('AB-1', '{U}01', 'piece', 0, '{{}}'), ('CD-1', '{U}02', 'piece', 0, '{{}}');
        insert into catalog.product_version select product_id, 1, '{{}}', now(), '', '' from catalog.product;
        insert into catalog.listing (front_end, sku, title, category, brand, seller, offered_from, min_quantity,
            max_quantity, step, product_id) values
            ('north', 'AB-1', '{ODD} ', '{ODD}', '{ODD}', '{ODD}', now(), 1, 9, 1, '{U}01')"""
    connection = await migrated(empty_url, CATALOG, 4, rows, tmp_path)
    try:
        paths = dict(await connection.fetch("select code, path from catalog.category"))
        assert paths == {"top": ["top"], CAFE: ["top", CAFE], "below": ["top", CAFE, "below"]}
        within = await connection.fetch("select category from catalog.within where code = $1 order by 1", CAFE)
        assert [row["category"] for row in within] == [CAFE, "below"]
        listed = await connection.fetchrow("select title, category, brand, seller from catalog.listing")
        assert tuple(listed or ()) == (CAFE,) * 4
        found = "select sku from catalog.sku where words @@ catalog.sought($1, $2)"
        for text, is_wide, sku in (("its on", False, "CD-1"), ("cafe", False, "AB-1"), ("ab", True, "AB-1")):
            assert await connection.fetchval(found, text, is_wide) == sku
        assert await broken(connection, CATALOG) == {}
    finally:
        await connection.close()


async def test_attributes_and_tax_categories_of_goods(empty_url: str, tmp_path: Path):
    rows = f"""
        insert into catalog.category (code, name, attributes) values ('c', 'C', '[{{"name": "{ODD}"}}]');
        insert into catalog.product (product_id, code, title, description, category, brand, seller, tax_category,
            is_returnable, attributes, changed_at)
            values ('{U}01', 'p', 'P', '', 'c', '', '', 'food ', true, '{{"{ODD}": "{ODD}"}}', now());
        insert into catalog.sku (sku, product_id, unit, weight_grams, attributes, all_attributes)
            values ('AB-1', '{U}01', 'piece', 0, '{{"colour": "{ODD}"}}', '{{"colour": "{ODD}"}}')"""
    connection = await migrated(empty_url, CATALOG, 5, rows, tmp_path)
    try:
        assert await connection.fetchval("select tax_category from catalog.product") == "food"
        asked = """select attributes::text from catalog.category union all select attributes::text from catalog.product
            union all select all_attributes::text from catalog.sku"""
        assert [ODD in row[0] for row in await connection.fetch(asked)] == [False] * 3
        assert await connection.fetchval("select all_attributes ->> 'colour' from catalog.sku") == CAFE
    finally:
        await connection.close()


async def test_coupons_that_differ_in_case_alone_stay_two(empty_url: str, tmp_path: Path):
    rows = """
        insert into promotion.promotion (front_end, code, version, is_running, definition, valid_from, needs_coupon)
            values ('north', 'p', 1, true, '{}', now(), true);
        insert into promotion.coupon (front_end, code, promotion, issued_at, issued_by) values
            ('north', 'Ten', 'p', '2026-01-02', ''), ('north', 'TEN', 'p', '2026-01-01', ''),
            ('north', 'Five', 'p', '2026-01-01', '')"""
    connection = await migrated(empty_url, PROMOTION, 2, rows, tmp_path)
    try:
        keys = dict(await connection.fetch("select code, key from promotion.coupon"))
        assert keys == {"TEN": "ten", "Ten": "ten", "Five": "five"}
        rows = await connection.fetch("select code, key from promotion.coupon order by issued_at, code")
        known = [(row["code"], row["key"], row["code"]) for row in rows]
        asked = ("Ten", "TEN ", "ten", "five", "six")
        assert by_asked(asked, known) == {"Ten": "Ten", "TEN ": "TEN", "ten": "TEN", "five": "Five"}
    finally:
        await connection.close()


async def test_members_are_known_in_one_form_and_the_doctor_names_who_is_known_twice(empty_url: str, tmp_path: Path):
    people = ", ".join(f"('{U}0{at}', now())" for at in range(1, 5))
    named = f'{{"given_name": "{ODD}"}}'
    joined = ", ".join(f"('north', '{U}1{at}', '{U}0{at}', 'active', '{named}', '{{}}', now())" for at in range(1, 5))
    rows = f"""
        insert into member.person values {people};
        insert into member.membership (front_end, member_id, person_id, state, profile, consents, joined_at)
            values {joined};
        insert into member.identity (front_end, kind, value, member_id, is_verified) values
            ('north', 'email', 'jose\u0301@example.org', '{U}11', true),
            ('north', 'external', '{ODD}', '{U}12', true),
            ('north', 'external', '{CAFE}', '{U}13', true),
            ('north', 'card', '4711', '{U}14', true);
        insert into member.person_identity values ('email', 'jose\u0301@example.org', '{U}01')"""
    connection = await migrated(empty_url, MEMBER, 5, rows, tmp_path)
    try:
        known = {row["member_id"].hex[-2:]: row["value"] for row in await connection.fetch("table member.identity")}
        assert known == {"11": "josé@example.org", "12": ODD, "13": CAFE, "14": "4711"}
        assert await connection.fetchval("select value from member.person_identity") == "josé@example.org"
        assert await connection.fetchval("select distinct profile ->> 'given_name' from member.membership") == CAFE
        found = await broken(connection, MEMBER)
        assert [row[2] for row in found["member.identities-in-one-form"]] == ["external"]
    finally:
        await connection.close()

"""What a statement of a migration is: expand or contract, and the lock that PostgreSQL really takes for it."""

from __future__ import annotations

import asyncpg
import pytest

from isthmus.store.migrate import tables_locked
from isthmus.store.migration_steps import steps_of

TABLES = """
create table parent (id int primary key, note text);
create table child (id int primary key, parent int, name text not null default '', amount int);
create index child_by_name on child (name);
"""

STRENGTH = ("ROW EXCLUSIVE", "SHARE UPDATE EXCLUSIVE", "SHARE", "SHARE ROW EXCLUSIVE", "ACCESS EXCLUSIVE")
STATEMENTS = [
    ("create table other (id int)", "expand"),
    ("create table other (id int references parent)", "expand"),
    ("alter table child add column colour text", "expand"),
    ("alter table child add column colour text not null default 'red'", "expand"),
    ("alter table child add colour text not null", "contract"),
    ("alter table child add column colour text, drop column amount", "contract"),
    ("alter table child drop column amount", "contract"),
    ("alter table child drop amount", "contract"),
    ("alter table child alter column amount type bigint", "contract"),
    ("alter table child alter amount set not null", "contract"),
    ("alter table child alter amount set default 5", "expand"),
    ("alter table child alter name drop default", "contract"),
    ("alter table child rename column amount to worth", "contract"),
    ("alter table child rename to grandchild", "contract"),
    ("alter table child add check (amount > 0)", "contract"),
    ("alter table child add constraint positive check (amount in (1, 2)) not valid", "contract"),
    ("alter table child add foreign key (parent) references parent (id)", "contract"),
    ("create index on child (amount)", "expand"),
    ("create unique index on child (amount)", "contract"),
    ("drop table child", "contract"),
    ("truncate child", "contract"),
    ("delete from child where amount = 1", "contract"),
    ("insert into child (id) values (1)", "expand"),
    ("update child set amount = 1 where id = 7", "expand"),
    ("with one as (select 1 as id) update child set amount = 1 from one where one.id = child.id", "expand"),
    ("comment on table child is 'small; still growing'", "expand"),
    ("create function one() returns int language sql begin atomic select case when true then 1 end; end", "expand"),
    ("do $$ begin alter table child drop column amount; end $$", "contract"),
    ("cluster child using child_by_name", "contract"),
]  # fmt: skip


@pytest.mark.parametrize(("statement", "kind"), STATEMENTS, ids=[one for one, _ in STATEMENTS])
def test_a_statement_is_what_it_does_to_the_release_before(statement: str, kind: str) -> None:
    step = steps_of(f"-- first\n{statement};")[0]
    assert (step.kind, step.line, bool(step.because)) == (kind, 2, kind == "contract")


@pytest.mark.parametrize(
    "statement", [one for one, _ in STATEMENTS if not one.startswith(("do", "cluster", "comment"))]
)
async def test_the_lock_that_is_named_is_the_strongest_that_postgresql_takes(empty_url: str, statement: str) -> None:
    connection = await asyncpg.connect(empty_url)
    try:
        await connection.execute(TABLES)
        oids = {name: await connection.fetchval("select $1::regclass::oid", name) for name in ("parent", "child")}
        async with connection.transaction():
            await connection.execute(statement)
            held = await connection.fetch("select relation, mode from pg_locks where pid = pg_backend_pid()")
    finally:
        await connection.close()
    for step in steps_of(statement):
        taken = {_named(row["mode"]) for row in held if row["relation"] == oids.get(step.table)}
        assert step.lock == max(taken & set(STRENGTH), key=STRENGTH.index, default="")


def _named(mode: str) -> str:
    words = "".join(f" {letter}" if letter.isupper() else letter for letter in mode.removesuffix("Lock"))
    return words.strip().upper()


def test_a_table_that_the_same_file_makes_is_in_nobodys_way() -> None:
    sql = "create table till.coin (n int); alter table till.coin alter n set not null;"
    sql += "create unique index on till.coin (n); select isthmus.guard('till.coin'); revoke update on till.coin from a;"
    assert {(step.kind, step.lock) for step in steps_of(sql)} == {("expand", "")}


def test_statements_end_where_postgresql_ends_them() -> None:
    sql = """
    insert into a values (';', $x$;$x$, E'\\';'); -- not here;
    /* nor; here */ create function f() returns int begin atomic select 1; select case 1 when 1 then 2 end; end;
    select ";" from b
    """
    assert [step.line for step in steps_of(sql)] == [2, 3, 4]


def test_a_mark_says_why_a_contracting_statement_may_be_run() -> None:
    first, second = steps_of("-- contract: nobody reads it since 0.2\ndrop table a;\ndrop table b;")
    assert (first.mark, second.mark) == ("nobody reads it since 0.2", "")


def test_an_index_that_is_dropped_locks_no_table_without_a_name():
    steps = steps_of(
        "-- contract: nobody asks by it\ndrop index shop.by_day;\ncreate index by_week on shop.sale (week);"
    )
    assert tables_locked(steps) == {"shop.sale": False}

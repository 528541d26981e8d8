"""What a command changed, before and after, on a real PostgreSQL: in its entry, without anything personal or secret."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from isthmus.kernel import Caller, errors
from isthmus.packs.audit import api
from isthmus.packs.inventory import api as inventory

from .conftest import NORTH, Log

SHOP = Caller(front_end="north", client="till", via="http")
JOB = Caller(front_end="north", client="housekeeping", via="job")


async def _adjust(log: Log, quantity: int, caller: Caller = NORTH, reference: str = "a-1") -> None:
    line = inventory.Adjustment(sku="tea", location="shop", quantity=quantity)
    ask = inventory.Adjust(reference=reference, reason="broken", lines=(line,))
    await log.platform.call(inventory.adjust, ask, caller)


async def _rows(log: Log, **by: Any) -> list[list[api.ChangedRow]]:
    return [list(entry.record.rows) for entry in await log.entries(**by) if entry.record]


async def test_an_entry_says_what_was_there_before_and_what_is_after(log: Log) -> None:
    await log.receive("note-1", units=5)
    await _adjust(log, -2)
    (adjusted,) = await _rows(log, capability="inventory.adjust")
    (stock,) = [one for one in adjusted if one.table == "inventory.stock"]
    assert stock.key == {"sku": "tea", "location": "shop"}
    assert (stock.before["on_hand"], stock.after and stock.after["on_hand"]) == (5, 3)
    assert "sku" not in stock.before, "what did not change is not there"


async def test_whoever_a_command_is_of_but_jobs_and_what_follows_events(log: Log) -> None:
    await log.receive("note-1", units=9)
    for number, caller in enumerate((SHOP, NORTH, JOB, Caller(front_end="north", client="command line", via="cli"))):
        await _adjust(log, -1, caller, f"a-{number}")
    found = [len(rows) for rows in await _rows(log, capability="inventory.adjust")]
    assert [bool(count) for count in found] == [True, True, False, True]


async def test_a_command_that_is_refused_changed_nothing_and_leaves_nothing_noted(log: Log) -> None:
    with pytest.raises(errors.Refusal):
        await _adjust(log, -1)
    await log.receive("note-1")
    await _adjust(log, -1)
    refused, done = await _rows(log, capability="inventory.adjust")
    assert (refused, len(done)) == ([], 1)
    async with log.database.platform() as session:
        assert await session.fetch_value("select count(*) from isthmus.changed_row") == 0


async def test_of_many_rows_the_first_are_there_and_the_others_counted(log: Log) -> None:
    skus = [f"sku-{number:02}" for number in range(60)]
    for quantity in (1, 2):
        lines = tuple(inventory.Receipt(sku=sku, location="shop", quantity=quantity) for sku in skus)
        await log.platform.call(inventory.receive, inventory.Receive(reference=f"n-{quantity}", lines=lines), NORTH)
    record = (await log.entries())[-1].record
    assert record
    assert (len(record.rows), record.rows_left_out) == (50, 10)
    assert {(one.before["on_hand"], one.after and one.after["on_hand"]) for one in record.rows} == {(1, 3)}


async def test_a_row_of_an_entry_that_is_changed_by_hand_is_found(log: Log) -> None:
    await log.receive("note-1", units=5)
    await _adjust(log, -2)
    await log.entries()
    assert await log.finding() is None
    await log.by_hand("""update audit.entry set content = replace(content, '"on_hand": 3', '"on_hand": 4')""")
    finding = await log.finding()
    assert finding is not None
    assert (finding.what, finding.number) == ("altered", 2)


async def test_what_was_noted_for_a_flow_that_was_given_up_goes_after_a_day(log: Log) -> None:
    await log.by_hand(
        """insert into isthmus.changed_row (call, said, at)
           values ('old', '{}', now() - interval '25 hours'), ('new', '{}', now())"""
    )
    await log.sealer.cut_old()
    async with log.database.platform() as session:
        assert [row["call"] for row in await session.fetch("select call from isthmus.changed_row")] == ["new"]


async def test_a_call_can_neither_read_nor_take_away_what_is_noted(log: Log) -> None:
    async with log.database.platform() as session:
        for right in ("select", "insert", "update", "delete"):
            asked = "select has_table_privilege('isthmus_app', 'isthmus.changed_row', $1)"
            assert not await session.fetch_value(asked, right)


async def test_columns_that_are_said_to_be_personal_or_secret_are_named_by_their_kind(log: Log) -> None:
    await log.by_hand(
        "create table inventory.kept (id int primary key, email text, api_token text, raw bytea, note text, doc text)",
        "comment on column inventory.kept.note is 'Pii free-text: for the courier'",
        "grant update, delete on inventory.kept to isthmus_app",
        "call isthmus.watch_tables()",
        "insert into inventory.kept values (1, 'canary', 'canary', 'canary', 'canary', 'a')",
        """do $$ begin
             perform isthmus.watch('c-1', '{"inventory.kept": {"email": "email"}}');
             update inventory.kept set email = 'canary-2', api_token = 'canary-2', raw = 'canary-2', note = 'canary-2',
                 doc = repeat('long', 1000);
             delete from inventory.kept;
           end $$""",
    )
    async with log.database.platform() as session:
        said = [json.loads(row["said"]) for row in await session.fetch("select said from isthmus.changed_row")]
    changed, gone = said
    hidden = {"email": "[email]", "api_token": "[secret]", "raw": "[bytes]", "note": "[free-text]"}
    digest = f"[SHA-256 {hashlib.sha256(json.dumps('long' * 1000).encode()).hexdigest()}]"
    row = {"table": "inventory.kept", "key": {"id": 1}}
    assert changed == {**row, "before": {**hidden, "doc": "a"}, "after": {**hidden, "doc": digest}}
    assert gone == {**row, "before": {"id": 1, **hidden, "doc": digest}, "after": None}

"""The audit log on a real PostgreSQL: one entry for each command, and any change by hand is found and named."""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import cast

import asyncpg
import httpx
import pytest

from isthmus.kernel import Caller, encode, errors, ports
from isthmus.packs.audit import api, commands
from isthmus.packs.audit.rules import chain, merkle
from isthmus.packs.audit.service.journal import Journal
from isthmus.packs.audit.service.keys import public_key
from isthmus.packs.audit.service.publish import HeadsFile, HeadsPost, NotTaken
from isthmus.packs.audit.service.seal import Sealer
from isthmus.packs.inventory import api as inventory
from isthmus.values import LineAsk

from .conftest import NORTH, SOUTH, Log


async def test_an_accepted_command_leaves_one_entry_with_who_what_through_what_and_why(log: Log) -> None:
    await log.receive("note-1")
    (entry,) = await log.entries()
    said = entry.record
    assert said is not None
    who = (said.front_end, said.person, said.roles, said.client, said.via, said.capability, said.outcome)
    assert who == ("north", "ada", ("operator",), "till", "http", "inventory.receive", "done")
    (line,) = said.ask["lines"]
    assert (line["sku"], line["quantity"], line["location"]) == ("tea", 1, "shop")
    assert [(one.event, one.data["lines"][0]["sku"]) for one in said.changes] == [("inventory.stock-changed", "tea")]


async def test_a_read_leaves_none(log: Log) -> None:
    await log.platform.call(inventory.list_stock, inventory.ListStock(sku="tea"), NORTH)
    assert await log.entries() == []


async def test_a_refused_command_leaves_one_entry_whatever_refused_it(log: Log) -> None:
    call = log.platform.call_wire
    short = inventory.Adjustment(sku="tea", location="shop", quantity=-1)
    adjust = inventory.Adjust(reference="a-1", reason="broken", lines=(short,))
    with pytest.raises(errors.Refusal):
        await log.platform.call(inventory.adjust, adjust, NORTH)
    with pytest.raises(errors.BadAsk):
        await call("inventory.receive", b'{"reference": 7}', NORTH)
    with pytest.raises(errors.NotPermitted):
        await call("inventory.receive", b"{}", Caller(front_end="north", client="reader", scopes=("pricing.*",)))
    found = [entry.record for entry in await log.entries() if entry.record]
    assert len(found) == 3
    assert all(one.outcome != api.DONE for one in found)
    unread, forbidden = found[1:]
    assert (unread.outcome, unread.path, unread.ask) == ("bad-ask", "$.reference", {})
    assert unread.left_out == hashlib.sha256(b'{"reference": 7}').hexdigest()
    assert "client 'reader' is not allowed" in forbidden.reason


async def test_a_key_that_is_sent_again_leaves_no_second_entry(log: Log) -> None:
    ask = encode(inventory.Receive(reference="n", lines=(inventory.Receipt(sku="tea", location="shop", quantity=1),)))
    for _ in range(3):
        await log.platform.call_wire("inventory.receive", ask, NORTH, key="k-1")
    assert len(await log.entries()) == 1


async def test_commands_that_are_answered_together_leave_an_entry_each(log: Log) -> None:
    await log.receive("n", units=5)

    async def reserve(number: int) -> None:
        ask = inventory.Reserve(reference=f"r-{number}", lines=(LineAsk(sku="tea", quantity=1),))
        await log.platform.call(inventory.reserve, ask, NORTH)

    outcomes = await asyncio.gather(*map(reserve, range(8)), return_exceptions=True)
    assert sum(1 for one in outcomes if one is None) == 5
    found = [one.record for one in await log.entries(capability="inventory.reserve") if one.record]
    assert ([one.outcome for one in found].count("done"), len(found)) == (5, 8)
    assert {one.ask["reference"] for one in found} == {f"r-{number}" for number in range(8)}


def test_what_is_broken_over_lines_stays_one_entry() -> None:
    forged = b'{"ask":{"a":1,\n"b":2}}'
    assert chain.lines([forged, b"{}"]).split("\n") == ['{"ask":{"a":1, "b":2}}', "{}"]


async def test_a_front_end_sees_its_own_entries_only(log: Log) -> None:
    await log.receive("n-1", NORTH)
    await log.receive("s-1", SOUTH)
    await log.receive("n-2", NORTH)
    north, south = await log.entries(NORTH), await log.entries(SOUTH)
    assert [(one.number, one.position) for one in north] == [(1, 0), (2, 2)]
    assert [(one.number, one.position) for one in south] == [(1, 1)]
    proof = await log.platform.call(api.prove_entry, api.ProveEntry(number=1), SOUTH)
    hashes, root = [bytes.fromhex(one) for one in proof.hashes], bytes.fromhex(proof.head.root)
    assert merkle.is_included(1, proof.head.size, merkle.leaf(bytes.fromhex(proof.entry.link)), hashes, root)
    with pytest.raises(api.NoSuchEntry):
        await log.platform.call(api.prove_entry, api.ProveEntry(number=2), SOUTH)


async def test_a_later_head_is_proved_to_hold_all_of_an_earlier_one(log: Log) -> None:
    await log.receive("n-1")
    await log.entries()
    first = await log.platform.call(api.get_head, api.GetHead(), NORTH)
    for number in range(4):
        await log.receive(f"n-2-{number}")
    await log.entries()
    grown = await log.platform.call(api.prove_growth, api.ProveGrowth(size=first.size), NORTH)
    roots = bytes.fromhex(first.root), [bytes.fromhex(one) for one in grown.hashes], bytes.fromhex(grown.head.root)
    assert merkle.is_consistent(first.size, grown.head.size, *roots)


async def test_lists_are_found_by_who_what_and_how_it_ended_page_by_page(log: Log) -> None:
    for number in range(3):
        await log.receive(f"n-{number}")
    with pytest.raises(errors.Refusal):
        await log.platform.call_wire("inventory.receive", b"{}", Caller(front_end="north", client="x", person="bob"))
    assert len(await log.entries(person="ada")) == 3
    assert len(await log.entries(outcome="refused")) == 1
    assert len(await log.entries(capability="inventory.adjust")) == 0
    assert len(await log.entries(without_client="till")) == 1
    numbers: list[int] = []
    cursor: str | None = None
    while True:
        page = await log.platform.call(api.list_entries, api.ListEntries(limit=3, cursor=cursor), NORTH)
        numbers += [one.number for one in page.items]
        if (cursor := page.next_cursor) is None:
            break
    assert numbers == [4, 3, 2, 1]
    with pytest.raises(api.BadCursor):
        await log.platform.call(api.list_entries, api.ListEntries(cursor="x"), NORTH)


async def test_the_applications_role_can_neither_change_an_entry_nor_read_what_is_pending(log: Log) -> None:
    await log.receive("n-1")
    await log.entries()
    connection = await asyncpg.connect(log.database.url)
    try:
        await connection.execute("set role isthmus_app; set isthmus.front_end = 'north'")
        for table in ("pending", "entry", "head"):
            changing = ("delete from audit.{0}", "update audit.{0} set {1} = {1}", "truncate audit.{0}")
            column = "content" if table != "head" else "root"
            for statement in changing:
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.execute(statement.format(table, column))
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("select content from audit.pending")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("insert into audit.head select * from audit.head")
    finally:
        await connection.close()


FULL = """
    create function audit.full() returns trigger language plpgsql as
        $$ begin raise exception 'no room' using errcode = 'disk_full'; end $$;
    create trigger full_ before insert on audit.pending for each statement execute function audit.full()"""


async def test_a_store_that_is_full_lets_no_command_through(log: Log) -> None:
    await log.by_hand(FULL)
    with pytest.raises(errors.IsthmusError, match="no room"):
        await log.receive("n-1")
    with pytest.raises(api.NotWrittenDown, match="bad-ask"):
        await log.platform.call_wire("inventory.receive", b"{}", NORTH)
    page = await log.platform.call(inventory.list_stock, inventory.ListStock(sku="tea"), NORTH)
    assert page.items == ()  # nothing was done unaudited
    await log.by_hand("drop trigger full_ on audit.pending")
    await log.receive("n-1")
    assert len(await log.entries()) == 1


async def filled(log: Log) -> None:
    """Write seven entries, sealed two at a time or so."""
    for number in range(7):
        await log.receive(f"n-{number}", SOUTH if number % 3 == 1 else NORTH)
        if number % 2:
            await log.sealer.seal()
    await log.sealer.seal()


async def test_a_log_that_nobody_touched_is_whole(log: Log) -> None:
    await filled(log)
    for is_published in (True, False):
        report = await log.verified(is_published=is_published)
        assert (report.finding, report.entries, report.pending) == (None, 7, 0)
    assert (await log.verified()).published == 7


# position 4 is entry 3 of south? no: 0 n1, 1 s1, 2 n2, 3 n3, 4 s2, 5 n4, 6 n5
REWRITE = "update audit.entry set content = replace(content, '\"quantity\":1', '\"quantity\":9') where position = 3"


async def relinked(log: Log) -> None:
    """Compute all links and heads anew, as an intruder would who knows how it is done, but has no key."""
    connection = await asyncpg.connect(log.database.url)
    try:
        rows = await connection.fetch("select position, front_end, content from audit.entry order by position")
        ends: dict[str, bytes] = {}
        leaves: list[bytes] = []
        for row in rows:
            code = row["front_end"]
            ends[code] = chain.link(ends.get(code, chain.first_link(code)), row["content"])
            leaves.append(merkle.leaf(ends[code]))
            await connection.execute(
                "update audit.entry set link = $1 where position = $2", ends[code], row["position"]
            )
        for head in await connection.fetch("select size from audit.head"):
            root = merkle.root(leaves[: head["size"]])
            await connection.execute("update audit.head set root = $1 where size = $2", root, head["size"])
    finally:
        await connection.close()


@pytest.mark.parametrize("is_published", [True, False])
async def test_an_entry_that_was_altered_is_named(log: Log, is_published: bool) -> None:
    await filled(log)
    await log.by_hand(REWRITE)
    found = await log.finding(is_published=is_published)
    assert found is not None
    assert (found.what, found.front_end, found.number, found.position) == ("altered", "north", 3, 3)
    assert "entry 3 of north (position 3), inventory.receive of call " in str(found)


async def test_an_entry_that_was_altered_with_all_links_and_heads_is_named_by_what_was_published(log: Log) -> None:
    await filled(log)
    await log.by_hand(REWRITE)
    await relinked(log)
    found = await log.finding()
    assert found is not None
    assert (found.what, found.number, found.position) == ("altered", 3, 3)
    unpublished = await log.finding(is_published=False)
    assert unpublished is not None
    assert unpublished.what == "unsigned"


async def test_a_column_that_says_something_else_than_the_entry_is_named(log: Log) -> None:
    await filled(log)
    await log.by_hand("update audit.entry set person = 'bob' where position = 2")
    found = await log.finding()
    assert found is not None
    assert (found.what, found.position, found.because) == ("altered", 2, "its column person is not what it says")


@pytest.mark.parametrize("position", [0, 3, 6])
@pytest.mark.parametrize("is_published", [True, False])
async def test_an_entry_that_was_removed_is_named(log: Log, position: int, is_published: bool) -> None:
    await filled(log)
    await log.by_hand(f"delete from audit.entry where position = {position}")
    found = await log.finding(is_published=is_published)
    assert found is not None
    assert (found.what, found.position) == ("removed", position)


RENUMBER = """
    update audit.entry set position = position + 1000, number = number + 1000 where position > 3;
    {};
    update audit.entry set position = position - 1000 + {shift},
        number = number - 1000 + case when front_end = 'north' then {shift} else 0 end where position > 1000"""


async def test_an_entry_that_was_removed_with_all_numbers_links_and_heads_is_named(log: Log) -> None:
    await filled(log)
    await log.by_hand(RENUMBER.format("delete from audit.entry where position = 3", shift=-1))
    await relinked(log)
    found = await log.finding()
    assert found is not None
    assert (found.what, found.position) == ("removed", 3)


async def test_an_entry_that_was_inserted_is_named(log: Log) -> None:
    await filled(log)
    insert = """insert into audit.entry select 4, front_end, 4, at, call, capability, client, person, via, outcome,
                content, link from audit.entry where position = 3"""
    await log.by_hand(RENUMBER.format(insert, shift=1))
    await relinked(log)
    found = await log.finding()
    assert found is not None
    assert (found.what, found.front_end, found.number, found.position) == ("inserted", "north", 4, 4)


async def test_entries_that_were_cut_off_at_the_end_are_missed(log: Log) -> None:
    await filled(log)
    await log.by_hand("delete from audit.entry where position > 4", "delete from audit.head where size > 5")
    found = await log.finding()
    assert found is not None
    assert (found.what, found.position) == ("removed", 5)
    with pytest.raises(NotTaken, match="7 entries were published, and the log has 4"):
        await Sealer(log.database, key=log.sealer.key_file, receiver=log.sealer.receiver).seal()


async def test_content_that_is_gone_without_a_retention_is_named_and_with_one_it_is_not(log: Log) -> None:
    await filled(log)
    kept = Sealer(log.database, key=log.sealer.key_file, receiver=log.sealer.receiver, kept_days={"south": 30})
    await log.by_hand("update audit.entry set sealed_at = sealed_at - interval '40 days' where position = 1")
    await kept.cut_old()
    await log.sealer.seal()
    report = await log.verified()
    assert (report.finding, dict(report.cut)) == (None, {"south": 1})
    assert [one.record for one in await log.entries(SOUTH) if one.number == 1] == [None]
    await log.by_hand("update audit.entry set content = null where position = 0")
    found = await log.finding()
    assert found is not None
    assert (found.what, found.position) == ("removed", 0)


async def test_two_processes_seal_without_gaps_and_publish_each_leaf_once(log: Log) -> None:
    other = Sealer(log.database, key=log.sealer.key_file, receiver=log.sealer.receiver)

    async def sell(number: int) -> None:
        await log.receive(f"n-{number}", SOUTH if number % 2 else NORTH)
        await (other if number % 3 else log.sealer).seal()

    await asyncio.gather(*map(sell, range(40)))
    await log.sealer.seal()
    report = await log.verified()
    assert (report.finding, report.entries, report.published) == (None, 40, 40)


async def test_what_another_process_publishes_meanwhile_is_no_sign_that_the_log_was_cut(log: Log) -> None:
    class Meanwhile(HeadsFile):
        async def covered(self, session: ports.Session) -> int:
            if not done:
                done.append(True)
                await log.receive("n-2")
                await log.sealer.seal()
            return await super().covered(session)

    done: list[bool] = []
    await log.receive("n-1")
    file = cast(HeadsFile, log.sealer.receiver)
    await Sealer(log.database, key=log.sealer.key_file, receiver=Meanwhile(file.path)).seal()
    report = await log.verified()
    assert (done, report.finding, report.entries, report.published) == ([True], None, 2, 2)


async def test_a_receiver_over_http_is_told_again_until_it_takes_a_head(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[dict[str, object]] = []
    says = 503

    def answer(request: httpx.Request) -> httpx.Response:
        if says == 200:
            taken.append(json.loads(request.content))
        return httpx.Response(says)

    client = httpx.AsyncClient
    monkeypatch.setattr(httpx, "AsyncClient", lambda **how: client(**{**how, "transport": httpx.MockTransport(answer)}))
    sealer = Sealer(log.database, key=log.sealer.key_file, receiver=HeadsPost("https://heads.example/"))
    await log.receive("n-1")
    with pytest.raises(NotTaken, match="said 503"):
        await sealer.seal()
    says = 200
    await sealer.seal()
    await sealer.seal()
    assert [(one["size"], len(one["leaves"])) for one in taken] == [(1, 1)]  # type: ignore[arg-type]


async def test_refusals_are_written_together_and_none_is_lost(log: Log) -> None:
    journal = Journal(log.database)
    offered = log.platform.release.find("inventory.receive").capability
    refused = errors.RuleBroken("no", remedy="none")
    await asyncio.gather(*(journal.refused(offered, b"{}", NORTH, str(number), refused) for number in range(300)))
    assert {one.record.call for one in await log.entries() if one.record} >= {str(number) for number in range(101, 300)}


async def test_before_the_first_seal_verify_says_that_there_is_nothing_yet(log: Log) -> None:
    await log.receive("n-1")
    async with log.database.platform() as session:
        with pytest.raises(api.NotSealedYet, match="nothing has been sealed yet.* 1 entries wait"):
            await commands.check_sealed(session, log.sealer)
        await log.sealer.seal()
        await commands.check_sealed(session, log.sealer)
        log.sealer.key_file.unlink()
        await commands.check_sealed(session, log.sealer)  # now a key is missed, and that is another sentence
        with pytest.raises(api.NoKey):
            public_key(log.sealer.key_file)

"""Cards of one front end at another: what the pack's declaration lets through, and what nobody learns."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID

import asyncpg
import pytest
from acme.packs.loyalty import api

from isthmus.app.platform import Running
from isthmus.kernel import Caller, errors
from isthmus.packs.grants import api as grants
from isthmus.store import sharing

BOOKS = Caller(front_end="books", client="till")
COFFEE = Caller(front_end="coffee", client="till")


async def stamp(platform: Running, caller: Caller, reference: str, card: str = "7") -> api.Balance:
    ask = api.Stamp(card=card, spent_minor=2_000, reference=reference)
    return await platform.platform.call(api.stamp, ask, caller)


async def balance(platform: Running, caller: Caller, card: str = "7") -> api.Balance:
    return await platform.platform.call(api.get_balance, api.GetBalance(card=card), caller)


async def grant(platform: Running, can: str, ends_at: datetime | None = None, to: str = "coffee") -> UUID:
    ask = sharing.Draft(kind="loyalty.card", name="7", to=to, can=can, ends_at=ends_at)  # pyright: ignore[reportArgumentType]
    return (await platform.platform.call(grants.give, ask, BOOKS)).grant_id


async def withdraw(platform: Running, grant_id: UUID) -> None:
    await platform.platform.call(grants.withdraw, grants.WithdrawGrant(grant_id=grant_id), BOOKS)


@asynccontextmanager
async def behind_the_wall(platform: Running, front_end: str) -> AsyncGenerator[Any]:
    """Give a connection on which row-level security alone decides, as if statements filtered by nothing."""
    connection = await cast(Any, asyncpg).connect(platform.database.url)
    try:
        await connection.execute(f"set role isthmus_app; set isthmus.front_end = '{front_end}'")
        yield connection
    finally:
        await connection.close()


async def test_a_card_that_may_be_used_is_stamped_at_both(platform: Running) -> None:
    await stamp(platform, BOOKS, "order-1")  # two stamps: one for each ten euros
    await grant(platform, "use")
    assert (await stamp(platform, COFFEE, "order-1")).stamps == 3, "its own order-1 is another purchase"
    assert (await stamp(platform, COFFEE, "order-1")).stamps == 3, "and is stamped once"
    assert (await balance(platform, BOOKS)).stamps == (await balance(platform, COFFEE)).stamps == 3


async def test_a_card_that_may_be_read_is_shown_and_not_stamped(platform: Running) -> None:
    await stamp(platform, BOOKS, "order-1")
    await grant(platform, "read")
    assert (await balance(platform, COFFEE)).stamps == 2
    assert (await stamp(platform, COFFEE, "order-1")).stamps == 1, "on a card of its own"
    assert (await balance(platform, BOOKS)).stamps == 2


@pytest.mark.parametrize("can", ["read", "use"])
@pytest.mark.parametrize("is_over", ["withdrawn", "ended"])
async def test_a_grant_that_is_over_lets_nothing_through_and_keeps_what_was_stamped(
    platform: Running, can: str, is_over: str
) -> None:
    await stamp(platform, BOOKS, "order-1")
    given = await grant(platform, can)
    on_it = (await stamp(platform, COFFEE, "order-1") if can == "use" else await balance(platform, COFFEE)).stamps
    if is_over == "withdrawn":
        await withdraw(platform, given)
    else:
        await grant(platform, can, ends_at=datetime.now(UTC) - timedelta(seconds=1))
    with pytest.raises(api.UnknownCard):
        await balance(platform, COFFEE)
    assert (await stamp(platform, COFFEE, "order-2")).stamps == 1, "a card of its own begins"
    assert (await balance(platform, BOOKS)).stamps == on_it


@pytest.mark.parametrize(
    ("can", "seen", "changed"), [("", 0, "UPDATE 0"), ("read", 1, "UPDATE 0"), ("use", 1, "UPDATE 1")]
)
async def test_row_level_security_lets_through_what_is_granted_and_nothing_else(
    platform: Running, can: str, seen: int, changed: str
) -> None:
    await stamp(platform, BOOKS, "order-1")
    await stamp(platform, BOOKS, "order-2", card="8")
    given = await grant(platform, can) if can else None
    async with behind_the_wall(platform, "coffee") as connection:
        assert await connection.fetchval("select count(*) from loyalty.card") == seen
        assert await connection.fetchval("select count(*) from loyalty.stamp") == 0, "for which purchase, nobody learns"
        assert await connection.execute("update loyalty.card set stamps = stamps") == changed
        assert await connection.execute("delete from loyalty.card where front_end = 'books'") == "DELETE 0"
        for table, values in (("card", "'books', '9', 1, 0, now()"), ("stamp", "'books', 'r', '7', 1, now()")):
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
                await connection.execute(f"insert into loyalty.{table} values ({values})")
        if given is not None:
            await withdraw(platform, given)
            assert await connection.fetchval("select count(*) from loyalty.card") == 0
            assert await connection.execute("update loyalty.card set stamps = stamps") == "UPDATE 0"


async def test_without_a_grant_a_card_of_another_is_as_one_that_is_not_there(platform: Running) -> None:
    await stamp(platform, BOOKS, "order-1")
    await grant(platform, "use", ends_at=datetime.now(UTC) - timedelta(seconds=1))
    said: list[list[str]] = []
    for card in ("7", "0"):
        heard: list[str] = []
        asks: list[tuple[Any, Any]] = [
            (api.get_balance, api.GetBalance(card=card)),
            (grants.give, sharing.Draft(kind="loyalty.card", name=card, to="books")),
        ]
        for capability, ask in asks:
            with pytest.raises(errors.NotFound) as refused:
                await platform.platform.call(capability, ask, COFFEE)
            text = f"{refused.value.slug} {refused.value} {refused.value.remedy} {refused.value.path}"
            heard.append(text.replace(f"'{card}'", "'?'"))
        said.append(heard)
    assert said[0] == said[1]
    assert await stamp(platform, COFFEE, "order-1") == api.Balance(card="7", stamps=1, filled=0)
    assert (await balance(platform, BOOKS)).stamps == 2


async def test_who_stamps_anothers_card_leaves_no_word_of_the_purchase_there(platform: Running) -> None:
    await stamp(platform, BOOKS, "order-1")
    await grant(platform, "use")
    await stamp(platform, COFFEE, "receipt-77")
    async with behind_the_wall(platform, "books") as connection:
        assert [row["reference"] for row in await connection.fetch("select reference from loyalty.stamp")] == [
            "order-1"
        ]
        assert await connection.fetchval("select stamps from loyalty.card") == 3

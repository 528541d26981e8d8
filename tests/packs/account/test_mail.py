"""The mail with a link is written once, by the platform alone; what makes it valid is in no event and no other row."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from uuid import uuid4

import pytest

from isthmus.flows.sign_in_mail import api
from isthmus.flows.sign_in_mail.pack import SIGN_IN_MAIL
from isthmus.kernel import Caller, FrontEnd, Platform
from isthmus.packs.account import api as account
from isthmus.packs.account import rules
from isthmus.packs.account.pack import PACK
from isthmus.packs.account.service.accounts import Accounts, AccountSettings
from isthmus.packs.account.service.keys import DataKey
from isthmus.packs.notification import api as notification
from isthmus.packs.notification.pack import PACK as NOTIFICATION
from isthmus.personal import Forget
from isthmus.store import Database
from tests.packs.desk import at_desk, desk

USES = ("account.*", "sign-in-mail.*", "notification.*", "desk.*")
NORTH = Caller(front_end="north", client="shop")
EVENT = Caller(front_end="north", client="platform", is_event_triggered=True)
ASK = account.AskForLink(address="Ada@example.org", interaction="a" * 64)
DESK = desk(account)


@pytest.fixture
async def platform(
    make_platform: Callable[..., Awaitable[Platform]], database_url: str, tmp_path: Path
) -> AsyncIterator[Platform]:
    async with await Database.open(database_url) as database:
        yield await _made(database, make_platform, tmp_path)


async def _made(database: Database, make_platform: Callable[..., Awaitable[Platform]], tmp_path: Path) -> Platform:
    accounts = Accounts(database, DataKey(tmp_path / "key"), AccountSettings(issuer="https://id.test/account"))
    north = FrontEnd(code="north", name="north", owner="north", uses=USES, settings={"language": "zh-CN"})
    resources = {Accounts: accounts, notification.Senders: notification.quiet()}
    return await make_platform(PACK, NOTIFICATION, SIGN_IN_MAIL, DESK, north, resources=resources)


async def _asked(platform: Platform) -> account.LinkAsked:
    await platform.call(account.ask_for_link, ASK, NORTH)
    database: Database = platform.store  # pyright: ignore[reportAttributeAccessIssue, reportAssignmentType]
    async with database.platform() as session:
        return account.LinkAsked(
            link_id=await session.fetch_value("select link_id from account.link order by made_at desc limit 1")
        )


async def _texts(platform: Platform) -> list[str]:
    database: Database = platform.store  # pyright: ignore[reportAttributeAccessIssue, reportAssignmentType]
    async with database.platform() as session:
        return [row["body"] for row in await session.fetch("select body from notification.message")]


async def test_the_mail_has_the_link_in_the_front_ends_language_and_is_written_once(platform: Platform) -> None:
    asked = await _asked(platform)
    for _ in range(2):
        assert (await platform.call(api.write_link, asked, EVENT)).is_written
    (text,) = await _texts(platform)
    accounts = platform.resources[Accounts]
    assert isinstance(accounts, Accounts)
    assert f"https://id.test/account/link?link={rules.link_text(asked.link_id, accounts.key.derived('links'))}" in text
    assert "15" in text
    assert "Open this link" not in text


async def test_nobody_but_the_platform_has_a_link_mailed(platform: Platform) -> None:
    with pytest.raises(api.NotAnEvent):
        await platform.call(api.write_link, await _asked(platform), NORTH)


async def test_a_link_that_nobody_asked_for_at_this_front_end_is_none(platform: Platform) -> None:
    asked = await _asked(platform)
    made = at_desk(account.make_link, DESK)
    assert (await platform.call(made, account.MakeLink(link_id=asked.link_id), NORTH)).address == "ada@example.org"
    with pytest.raises(account.UnknownLink):
        await platform.call(made, account.MakeLink(link_id=uuid4()), NORTH)


async def test_who_is_forgotten_has_no_account_and_no_link(platform: Platform) -> None:
    asked = await _asked(platform)
    forget = Forget(emails=("ada@example.org",))
    await platform.call(at_desk(account.forget, DESK), forget, NORTH)
    assert not (await platform.call(api.write_link, asked, EVENT)).is_written
    assert await _texts(platform) == []

"""Views of answers: kept ones are masked too, what is masked is not written back; without policies as well."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from isthmus.kernel import Caller, FrontEnd, Platform, errors, ports
from isthmus.manifest.seen import REVEALING, Reveal, ViewsByPurpose
from isthmus.packs.member.pack import PACK as MEMBER

ZOE = {"identities": [{"kind": "email", "value": "zoe@example.org"}], "profile": {"given_name": "Zoe"}}
DESK = Caller(front_end="north", client="desk", via="http", roles=("support",))


@pytest.fixture
async def platform(make_platform: Callable[..., Awaitable[Platform]]) -> Platform:
    north = FrontEnd(code="north", name="north", owner="north", uses=("member.*",))
    return await make_platform(MEMBER, north, resources={ports.Views: ViewsByPurpose()})


async def call(platform: Platform, name: str, ask: dict[str, Any], caller: Caller = DESK, key: str = "") -> Any:
    answer, is_again = await platform.call_wire(f"member.{name}", json.dumps(ask).encode(), caller, key=key or None)
    return json.loads(answer), is_again


async def joined(platform: Platform) -> str:
    return (await call(platform, "register", ZOE))[0]["member_id"]


async def test_an_answer_of_a_write_and_one_that_is_given_again_are_masked_and_a_shops_own_is_not(
    platform: Platform,
) -> None:
    ask = {"member_id": await joined(platform), "profile": {"given_name": "Zoe"}}
    for is_given_before in (False, True):
        found, is_again = await call(platform, "update-member", ask, key="named")
        assert (found["profile"]["given_name"], is_again) == ("Z•••", is_given_before)
        assert "zoe@" not in str(found)
    own, is_again = await call(platform, "update-member", ask, DESK.replace(roles=()), key="named")
    assert (own["profile"]["given_name"], is_again) == ("Zoe", True), "it is kept as it is"


@pytest.mark.parametrize("name", ["a•••", "•••"])
@pytest.mark.parametrize("is_ascii", [True, False])
async def test_what_is_masked_is_not_written_back(platform: Platform, name: str, is_ascii: bool) -> None:
    member_id = await joined(platform)
    body = json.dumps({"member_id": member_id, "profile": {"given_name": name}}, ensure_ascii=is_ascii).encode()
    with pytest.raises(errors.BadAsk, match="what is masked cannot be sent"):
        await platform.call_wire("member.update-member", body, DESK)
    own, _ = await call(platform, "get-member", {"member_id": member_id}, DESK.replace(roles=()))
    assert own["profile"]["given_name"] == "Zoe"


async def test_who_is_neither_a_person_nor_has_a_role_is_not_asked_about(platform: Platform) -> None:
    class Nobody(ViewsByPurpose):
        async def of(self, platform: Any, capability: Any, caller: Any, ask: bytes) -> None:
            raise AssertionError("asked")

    platform.views = Nobody()
    member_id = (await call(platform, "register", ZOE, DESK.replace(roles=())))[0]["member_id"]
    with pytest.raises(AssertionError, match="asked"):
        await call(platform, "get-member", {"member_id": member_id})


async def test_a_purpose_without_policies_is_held_to_it_and_may_still_reveal(platform: Platform) -> None:
    member_id = await joined(platform)
    token = REVEALING.set(Reveal(why="she is on the phone"))
    try:
        found, _ = await call(platform, "get-member", {"member_id": member_id})
    finally:
        REVEALING.reset(token)
    assert found["profile"]["given_name"] == "Zoe"
    assert (await call(platform, "get-member", {"member_id": member_id}))[0]["profile"]["given_name"] == "Z•••"

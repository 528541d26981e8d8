"""Policies in the pipeline: whatever the way in, and what is asked about them is what happens."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from isthmus.kernel import Caller, Effect, FrontEnd, Platform, Value, capability, implements, ports
from isthmus.packs.inventory import api as inventory
from isthmus.packs.inventory.pack import PACK as INVENTORY
from isthmus.packs.policy import api
from isthmus.packs.policy.pack import PACK
from isthmus.packs.policy.service.policies import DEFAULT, Policies

ASK = b'{"reference": "n-1", "lines": [{"sku": "tea", "location": "shop", "quantity": 1}]}'
OWN = 'forbid (principal is Client, action == Action::"inventory.receive", resource) when { context.via == "mcp" };'
MakePlatform = Callable[..., Awaitable[Platform]]


class Hello(Value):
    """Say hello."""


@capability("north.hello", version="1.0", effect=Effect.READ)
def hello(ask: Hello) -> Hello:
    """Say hello."""
    ...


@implements(hello)
async def say_hello(ask: Hello, ctx: object) -> Hello:
    return ask


@pytest.fixture
async def platform(make_platform: MakePlatform) -> Platform:
    """Give two front ends; north forbids more than the company does, and has a capability of its own."""
    uses = ("inventory.*", "policy.*")
    north = FrontEnd(
        code="north", name="N", owner="n", uses=uses, settings={api.RULES: OWN}, capabilities=(hello,),
        implementations=(say_hello,),  # type: ignore[arg-type]
    )  # fmt: skip
    south = FrontEnd(code="south", name="S", owner="s", uses=uses)
    policies = Policies((INVENTORY, PACK), [("default", DEFAULT.read_text())])
    return await make_platform(INVENTORY, PACK, north, south, resources={ports.Guard: policies})


def till(front_end: str = "north", via: str = "http") -> Caller:
    return Caller(front_end=front_end, client="till", via=via)


async def test_a_call_that_no_policy_permits_is_refused_with_who_what_where_and_why(platform: Platform) -> None:
    ada = Caller(front_end="north", person="ada", roles=("support",), via="console")
    with pytest.raises(api.Forbidden) as refused:
        await platform.call_wire("inventory.receive", ASK, ada)
    assert refused.value.message == ("'ada' as support may not inventory.receive at north: no policy permits it")
    await platform.call(inventory.list_stock, inventory.ListStock(sku="tea"), ada)


async def test_a_front_ends_own_policy_holds_at_that_front_end_alone(platform: Platform) -> None:
    with pytest.raises(api.Forbidden, match="forbidden by north#1"):
        await platform.call_wire("inventory.receive", ASK, till(via="mcp"))
    await platform.call_wire("inventory.receive", ASK, till())
    await platform.call_wire("inventory.receive", ASK, till("south", via="mcp"))


async def test_a_front_ends_own_capabilities_are_actions_too(platform: Platform) -> None:
    await platform.call(hello, Hello(), till())
    with pytest.raises(api.Forbidden):
        await platform.call(hello, Hello(), Caller(front_end="north", person="ada", roles=("deployer",)))


async def test_lists_both_ways_are_what_decisions_say(platform: Platform) -> None:
    names = [one for one in platform.release.line("north").permitted if not one.startswith("north.")]
    for role in api.ROLES:
        who = api.Who(person="ada", roles=(role,))
        may = await platform.call(api.list_actions, api.ListActions(who=who), till())
        for name in names:
            decided = await platform.call(api.decide, api.Decide(who=who, action=name), till())
            found = await platform.call(api.list_principals, api.ListPrincipals(action=name), till())
            assert decided.is_allowed == (name in may.actions) == (role in found.roles)
            assert (found.is_for_clients, found.is_for_platform) == (True, True)

"""Questions about who may, answered from the active policies, and from who was given what."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from isthmus.kernel import Context, decode, encode, errors, implements, ports
from isthmus.manifest.parts import Relations
from isthmus.manifest.sign_in import SignIn

from .. import api

if TYPE_CHECKING:  # help waits for no Cedar
    from .policies import Policies

Made = Callable[[Any], Any]  # a kind of resource → what a pack makes of it


@implements(api.decide)
async def decide(ask: api.Decide, ctx: Context) -> api.Decision:
    policies = _policies(ctx)
    things = await policies.things(ctx.front_end, ask.about)
    return policies.decide(ask.who, ask.action, ctx.front_end, _rules(ctx), ask.via, things)


@implements(api.list_actions)
async def list_actions(ask: api.ListActions, ctx: Context) -> api.Actions:
    policies, rules = _policies(ctx), _rules(ctx)
    names = sorted(policies.capabilities)
    allowed = (one for one in names if policies.decide(ask.who, one, ctx.front_end, rules, ask.via).is_allowed)
    return api.Actions(actions=tuple(allowed))


@implements(api.list_principals)
async def list_principals(ask: api.ListPrincipals, ctx: Context) -> api.Principals:
    policies, rules = _policies(ctx), _rules(ctx)

    def may(who: api.Who) -> bool:
        return policies.decide(who, ask.action, ctx.front_end, rules, ask.via).is_allowed

    return api.Principals(
        roles=tuple(role for role in api.ROLES if may(api.Who(person="anybody", roles=(role,)))),
        is_for_clients=may(api.Who(client="any")),
        is_for_platform=may(api.Who(is_platform=True)),
        relations=tuple(await by_relation(policies, ctx.resource, ask.action, ctx.front_end, rules, ask.via)),
    )


async def by_relation(policies: Policies, made: Made, action: str, front_end: str, rules: str, via: str) -> list[str]:
    """Return who may by what they were given of a front end or a part of it, each with that."""
    known = _relations(made)
    given = await known.relations(front_end=front_end) if known else ()
    asked = ((one, api.Who(person=one.person, relations=(one.text,))) for one in given)
    return [
        f"{one.person}: {one.text}"
        for one, who in asked
        if policies.decide(who, action, front_end, rules, via).is_allowed
    ]


async def held(made: Made, front_end: str, person: str) -> api.Who:
    """Return somebody with the roles and relations that they hold at a front end. Raises NotFound."""
    known = _relations(made)
    found = await known.holding(person) if known else None
    if found is None:
        raise errors.NotFound(f"nobody is called {person!r} here", remedy="see who is: isthmus security people")
    return api.Who(
        person=person, roles=found.roles_at(front_end), relations=tuple(found.relations.get(front_end, ()))
    )  # fmt: skip


def fitting(who: api.Who) -> api.Who:
    """Return whom a question is about. Raises BadAsk for what is no name and no role."""
    if not (who.person or who.client):
        raise errors.BadAsk(
            "nobody is named", remedy="name a client, or somebody with --role or --person", path="$.who"
        )
    return decode(encode(who), api.Who)


def _relations(made: Made) -> Relations | None:
    try:
        return cast(Relations, made(SignIn))
    except errors.Fault:  # no pack knows people
        return None


def _policies(ctx: Context) -> Policies:
    return cast("Policies", ctx.resource(ports.Guard))


def _rules(ctx: Context) -> str:
    return ctx.plan.settings.get(api.RULES, "")
